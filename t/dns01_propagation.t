#!/usr/bin/perl
# A name server that never follows: the attempt gives up in time, the CA was
# told nothing that it could find wrong, the records are gone, and it is tried
# again.  With the check turned off the CA is left to find out.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

Acme::Test->need_root;      # port 53
my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 },
    knot => { secondary => 1, zones => { 'a.test' => {}, 'b.test' => {} } });
my $knot = $t->dns;
my $key = $knot->key_file($t->dir . '/conf/tsig.key');
my $second = $knot->address('secondary');

$t->configure(challenge => 'dns-01', dns_resolver => $knot->address,
    dns_update => $knot->address . " $key");
$t->site('a.test', dns_propagation => '3s 1s');
$t->start;

my $begin = time;
ok $t->wait_log(qr/not\ obtained,\ lineage\ "a\.test".*
        "_acme-challenge\.a\.test"\ was\ not\ at\ all\ name\ servers\ after
        \ 3\ s:\ \Q$second\E\ has\ not\ got\ it.*next\ attempt/x, 20),
    'which server has not got it' or $t->give_up;
cmp_ok time - $begin, '<', 10, 'in time';
unlike $t->ca->log, qr/\/chalZ/, 'no challenge was answered';
is_deeply [$knot->txt('_acme-challenge.a.test')], [], 'no record is left';
is $knot->updates, 2, 'it was there in between';
is $t->status('a.test')->{state}, 'failing', 'it is tried again';

$t->clear_config;
$t->configure(challenge => 'dns-01', dns_resolver => $knot->address,
    dns_update => $knot->address . " $key");
$t->site('b.test', dns_propagation => 'off');
ok $t->reload, 'without the check';
ok $t->wait_certificate('b.test'), 'the CA decides' or $t->give_up;
is_deeply [$knot->ask(secondary => '_acme-challenge.b.test', 'TXT')], [],
    'the secondary knows nothing of it';
$t->done;
