#!/usr/bin/perl
# One certificate for a name, its wildcard and an address, each proved to
# Pebble by the challenge that can: http-01, and for the wildcard a record that
# was published before the first order.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 });
my ($major, $minor) = $t->ca->version =~ /^(\d+)\.(\d+)/;
plan skip_all => 'Pebble ' . $t->ca->version . ' has no dns-persist-01'
    if !defined $minor || $major == 2 && $minor < 10;

$t->issuer('pebble', ca => $t->ca, issuer_domain => 'pebble.letsencrypt.org',
    challenge => 'http-01 dns-persist-01=draft-00');
$t->configure(dns_resolver => $t->dns->address);
$t->site('b.test', acme => 'pebble')->start;
$t->wait_certificate('b.test') or $t->give_up;

# the account is there, so is what is to be published for a name of tomorrow
my (undef, $records) = $t->acmectl('dns', 'records', '--type',
    'dns-persist-01', -d => '*.a.test');
my ($owner, $value) = $records =~ /^(\S+)\. 600 IN TXT "(.*)"$/
    or $t->give_up($records);
$t->dns->txt($owner, $value);
$t->site('a.test', identifiers => ['a.test', '*.a.test', '127.0.0.1'],
    acme => 'pebble');
ok $t->reload, 'a site more';
my $cert = $t->wait_certificate('a.test') or $t->give_up;
is_deeply [sort @{ $cert->{names} }], ['*.a.test', '127.0.0.1', 'a.test'],
    'all three in one certificate';
unlike $t->log, qr/not obtained/, 'at the first attempt';

$t->done;
