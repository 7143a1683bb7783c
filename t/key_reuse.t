#!/usr/bin/perl
# reuse_key: a renewal keeps the certificate's private key, one of each type,
# as long as that is configured and of the type that is wanted.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', validity => 30 });

sub configure ($reuse, $key)
{
    $t->clear_config;
    $t->issuer('testca', ca => $t->ca);
    $t->site('a.test', key => $key, reuse_key => $reuse);
    return;
}

# The next certificate, by its time.
sub next_one ($old)
{
    return $t->wait_new_serial('a.test', $old->{serial}, 40) || $t->give_up;
}

configure(on => 'ecdsa:256');
$t->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;
my ($exit, $out) = $t->acmectl('status');
unlike $out, qr/key +that of/, 'the first key is new';
my $second = next_one($first);
is $second->{key_digest}, $first->{key_digest}, 'a renewal keeps it';
($exit, $out) = $t->acmectl('status');
like $out, qr/key +that of the version before/, 'acmectl tells';
ok $t->status('a.test')->{certificates}[0]{key_reused}, 'in JSON as well';

configure(on => 'ecdsa:384');
ok $t->reload, 'another type of key';
my $third = next_one($second);
isnt $third->{key_digest}, $second->{key_digest}, 'is another key';
my $fourth = next_one($third);
is $fourth->{key_digest}, $third->{key_digest}, 'and is kept from then on';

configure(off => 'ecdsa:384');
ok $t->reload, 'not to be kept any more';
my $fifth = next_one($fourth);
# the one before may have been ordered by the old configuration
$fifth = next_one($fifth) if $fifth->{key_digest} eq $fourth->{key_digest};
isnt $fifth->{key_digest}, $fourth->{key_digest}, 'each has its own';
ok !$t->status('a.test')->{certificates}[0]{key_reused}, 'as acmectl tells';

$t->done;
