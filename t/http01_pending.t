#!/usr/bin/perl
# acme_stateless pending: only tokens of orders in flight are answered, at the
# name that they are for; all others are left to whoever has them.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;

use constant PATH => '/.well-known/acme-challenge';

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
$t->ca->fault(where => 'validate', do => 'slow-validation', times => 2,
    seconds => 4);
$t->configure(stateless => 'pending');
$t->site('a.test', extra => '')->site('b.test')->site('on.test',
    stateless => 'on', acme => undef);
mkdir $t->www . $_ for '/.well-known', PATH;
spew($t->www . PATH . '/foreign', "theirs\n");
$t->start;

sub get ($host, $token)
{
    return $t->http_get(PATH . "/$token", host => $host);
}

my %token;
$t->wait_for(sub {
    %token = map { $_->{name} => $_->{token} }
        grep { $_->{posts} } $t->ca->challenges;
    return keys %token == 2;
}, 10, 'two orders in flight') or $t->give_up;
my ($thumbprint) = ($t->acmectl('key', 'thumbprint'))[1] =~ /^([\w-]{43}) /;

for my $name (qw(a.test b.test)) {
    my ($other) = grep { $_ ne $name } qw(a.test b.test);
    is get($name, $token{$name})->{body}, "$token{$name}.$thumbprint",
        "$name: the token of its order";
    is get($name, $token{$other})->{status}, 404, 'not that of the other';
    is get($name, 'foreign')->{body}, "theirs\n",
        'a file of another client is served';
    is get($name, 'x' x 30)->{status}, 404, 'nothing for any other token';
}
is get('on.test', 'x' x 30)->{status}, 404, 'on.test: not a name of ours';
ok $t->wait_certificate($_), "$_: the CA is content" for qw(a.test b.test);
ok $t->wait_for(sub { get('a.test', $token{'a.test'})->{status} == 404 }, 5),
    'no answer when the order is over';

$t->configure(stateless => 'on')->reload;
is get('a.test', 'foreign')->{body}, "foreign.$thumbprint",
    'with "on" a managed name is ours';

$t->done;
