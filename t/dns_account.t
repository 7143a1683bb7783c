#!/usr/bin/perl
# dns-account-01: as dns-01, but at a label of the account's, so that several
# of them can prove one name side by side; a name and its wildcard, to Pebble.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Hook;
use Acme::Test;
use Digest::SHA qw(sha256);

Acme::Test->need_root;

my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 });
my ($major, $minor) = $t->ca->version =~ /^(\d+)\.(\d+)/;
plan skip_all => 'Pebble ' . $t->ca->version . ' has no dns-account-01'
    if !defined $minor || $major == 2 && $minor < 6;

my $hook = Acme::Hook->new($t, 'acme.sh');
$t->configure(dns_propagation => 'off', global => {
    map { $_ => $hook->directive->{$_} =~ s/dns-01/dns-account-01/r }
        qw(nginx httpd) });
$t->site('a.test', identifiers => ['a.test', '*.a.test'])->start;
my $cert = $t->wait_certificate('a.test') or $t->give_up;
is_deeply $cert->{names}, ['*.a.test', 'a.test'], 'both names';
ok $t->wait_for(sub { $hook->changes == 4 }, 5), 'four runs';

# draft-ietf-acme-dns-account-label 3.2
my ($url) = ($t->acmectl('account', 'list'))[1] =~ m{^\s+(https://\S+)$}m;
my $bits = unpack 'B80', sha256($url);
my $label = join '', map { ('a' .. 'z', 2 .. 7)[oct "0b$_"] } $bits =~ /(.{5})/g;
my $owner = "_$label._acme-challenge.a.test";
is_deeply [map { "@$_[0, 1]" } $hook->changes],
    [("add $owner") x 2, ("remove $owner") x 2], 'at the label of the account';
my ($exit, $out) = $t->acmectl('dns', 'records', '--type', 'dns-account-01');
is $out, "; $owner. 600 IN TXT is made for each order\n", 'as acmectl says';

$t->done;
