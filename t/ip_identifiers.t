#!/usr/bin/perl
# IP addresses as identifiers (RFC 8738): ordered as such, proved by http-01
# with the address as the host, in the certificate as an address, and served
# to clients that connect to it, who send no server name.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

subtest 'Pebble' => sub {
    my $t = Acme::Test->new(ca => 'pebble');
    $t->site('127.0.0.1', default => 1);
    $t->start;
    my $cert = $t->wait_for(sub { $t->peer_certificate(undef, verify => 1,
        verify_name => '127.0.0.1') }, 30, 'a certificate for the address')
        or $t->give_up;
    is_deeply $cert->{names}, ['127.0.0.1'], 'the address, without SNI';
    is $t->live_version('127.0.0.1'), 1, 'is the name of the lineage';
    $t->done;
};

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test', default => 1, identifiers => ['127.0.0.1', 'a.test']);
$t->start;
my $cert = $t->wait_certificate('a.test') or $t->give_up;
is_deeply $cert->{names}, ['127.0.0.1', 'a.test'], 'both are in it';
is_deeply [map { "$_->{type} $_->{value}" }
    @{ ($t->ca->orders)[0]{payload}{identifiers} }],
    ['ip 127.0.0.1', 'dns a.test'], 'each ordered as what it is';
$t->done;
