#!/usr/bin/perl
# The engine is killed when its records are there and nothing is answered yet:
# the next one goes on with the order, and leaves nothing behind.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

Acme::Test->need_root;      # port 53
my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 },
    knot => { secondary => 1, zones => { 'a.test' => {} } });
my $knot = $t->dns;
my $key = $knot->key_file($t->dir . '/conf/tsig.key');

$t->configure(challenge => 'dns-01', dns_resolver => $knot->address,
    dns_update => $knot->address . " $key", dns_propagation => '60 1');
$t->site(['a.test', '*.a.test']);
$t->start;
$t->wait_for(sub { $knot->txt('_acme-challenge.a.test') == 2 }, 20,
    'records') or $t->give_up;

my $old = $t->engine_pid;
kill 'KILL', $old;
ok $t->wait_for(sub { ($t->engine_pid // $old) != $old }, 10, 'another one'),
    'another engine';
is scalar(() = $knot->txt('_acme-challenge.a.test')), 2, 'both are there';
$knot->follow;
ok $t->wait_certificate('a.test', 90), 'the certificate arrives'
    or $t->give_up;
is $t->ca->orders, 1, 'from one order';
is_deeply [$knot->txt('_acme-challenge.a.test')], [], 'nothing is left';
$t->done;
