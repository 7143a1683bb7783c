#!/usr/bin/perl
# A CA that refuses nonces, as it may at any time (RFC 8555 6.5): every
# request is sent again with the new one, no attempt fails.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
my @endpoints = qw(newAccount newOrder authz challenge finalize order
    certificate);
$t->ca->fault(where => $_, do => 'badNonce', times => 2) for @endpoints;
$t->site('a.test')->start;
ok $t->wait_certificate('a.test'), 'the certificate arrives';
is_deeply [$t->ca->struck], [map { 2 } @endpoints], 'in spite of all that';
is scalar($t->ca->orders), 1, 'one order';
is $t->ca->challenge_posts, 1, 'one answer';
unlike $t->log, qr/not obtained/, 'no failure';

$t->done;
