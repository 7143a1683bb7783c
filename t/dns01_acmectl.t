#!/usr/bin/perl
# acmectl renews by dns-01 without the server, from what it has said in the
# state directory.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

Acme::Test->need_root;      # port 53
my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 },
    knot => { zones => { 'a.test' => {} } });
my $knot = $t->dns;
my $key = $knot->key_file($t->dir . '/conf/tsig.key', 'update',
    format => 'line');

$t->configure(challenge => 'dns-01', dns_resolver => $knot->address,
    dns_update => $knot->address . " $key");
$t->site(['a.test', '*.a.test']);
$t->start;
$t->wait_certificate('a.test') or $t->give_up;
$t->stop;

my ($before, $proofs) = ($knot->updates, $t->ca->proofs);
my ($exit, $out, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'renew' or diag "$out$err";
is $t->live_version('a.test'), 2, 'another version';
is $knot->updates, $before + 2 * ($t->ca->proofs - $proofs),
    'by records that came and went';
is_deeply [$knot->txt('_acme-challenge.a.test')], [], 'nothing is left';
$t->done;
