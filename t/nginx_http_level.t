#!/usr/bin/perl
# acme_certificate at http level: for each server that speaks TLS and says
# nothing of its own; "off" in a server, several key= and a name= work in both
# places.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(server_pair);
use Acme::Proc qw(spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $pair = server_pair('explicit');
my ($cert, $key) = map { $t->dir . "/conf/$_.pem" } qw(cert key);
spew($cert, $pair->{cert});
spew($key, $pair->{key}, 0600);
my @explicit = (certificate => [$cert, $key]);
my @tls = (acme => undef, tls => 1);

$t->site(['one.test', 'www.one.test'], @tls);
$t->site('two.test', @tls, @explicit);
$t->site('own.test', key => 'ecdsa:384', lineage => 'named');
$t->site('off.test', @tls, @explicit, extra => 'acme_certificate off;');
$t->site('plain.test', acme => undef);
$t->site([], @tls, default => 1, extra => 'ssl_reject_handshake on;');
$t->configure(global => 'acme_certificate testca key=ecdsa key=rsa;')->start;

my $one = $t->wait_certificate('one.test') or $t->give_up;
is_deeply [sort @{ $one->{names} }], ['one.test', 'www.one.test'],
    'each server has its own names';
ok $t->wait_certificate('one.test', 10, kind => $_), "and keys: $_"
    for qw(ecdsa rsa);
ok $t->wait_certificate('two.test'), 'an explicit pair is there at first only';
my $own = $t->wait_certificate('own.test') or $t->give_up;
is $own->{bits}, 384, 'what a server says itself goes before';
ok !$t->peer_certificate('own.test', kind => 'rsa'), 'as a whole';
like $t->peer_certificate('off.test')->{issuer}, qr/explicit/, 'off';

my ($exit, $out) = $t->acmectl('status');
is_deeply [sort $out =~ /^(\S+): /mg],
    [qw(named one.test two.test)], 'nothing for those without TLS or a name'
    or diag $out;

$t->clear_config;
$t->site('one.test', @tls)->site('two.test', @tls);
$t->configure(global => 'acme_certificate testca .both.test name=both;');
ok $t->reload, 'names and a name at http level';
my $both = $t->wait_certificate('both.test') or $t->give_up;
is_deeply [sort @{ $both->{names} }], ['both.test', 'www.both.test'],
    '.x is x and www.x';
is $t->serial($_), $both->{serial}, "$_ has it too" for qw(one.test two.test);

$t->done;
