#!/usr/bin/perl
# Two accounts on one server: the token of an order in flight is answered with
# its account at its own name only; at another name it gets what any token gets
# there.  (Somebody who knows b's account key cannot prove a with it.)

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

use constant PATH => '/.well-known/acme-challenge';

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
$t->issuer('one', ca => $t->ca)
    ->issuer('two', ca => $t->ca, account_key => 'rsa:2048');
$t->site('b.test', acme => 'two')->start;
$t->wait_certificate('b.test') or $t->give_up;
$t->clear_config->issuer('one', ca => $t->ca)
    ->issuer('two', ca => $t->ca, account_key => 'rsa:2048');
$t->ca->fault(where => 'validate', do => 'slow-validation', seconds => 4);
$t->site('b.test', acme => 'two')->site('a.test', acme => 'one');
$t->reload;

my $token;
$t->wait_for(sub {
    ($token) = map { $_->{token} }
        grep { $_->{name} eq 'a.test' && $_->{posts} } $t->ca->challenges;
}, 10, 'an order for a.test') or $t->give_up;
my ($exit, $out) = $t->acmectl('key', 'thumbprint');
my ($one) = $out =~ /^([\w-]{43})  ecdsa/m;
my ($two) = $out =~ /^([\w-]{43})  rsa/m;

sub get ($host, $what)
{
    return $t->http_get(PATH . "/$what", host => $host)->{body};
}

is get('a.test', $token), "$token.$one", 'the token at its name';
is get('b.test', $token), "$token.$two", 'and at the name of the other';
is get('a.test', 'x'), "x.$one", 'any token: the account of its issuer';
is get('b.test', 'x'), "x.$two", 'of each name';
unlike get('nobody.test', $token), qr/\Q$token\E\./, 'or of none';
ok $t->wait_certificate('a.test', 15), 'the CA is content';

$t->done;
