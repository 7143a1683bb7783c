#!/usr/bin/perl
# Failures that pass: the server tries again by itself, with back-off, and
# never makes a second order of it.  Needs half a minute.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
$t->ca->fault(where => 'finalize', do => '500');
$t->site('a.test')->start;

my $failure = qr/not obtained, lineage "a\.test".*told to answer 500/;
ok $t->wait_log(qr/$failure.*next attempt at/), 'a failure';
my $asked = $t->ca->requests;
sleep 5;
is scalar($t->ca->requests), $asked, 'the CA is left alone for a while';
ok $t->wait_certificate('a.test', 25), 'then it works';
is scalar($t->ca->orders), 1, 'with the same order';

$t->done;
