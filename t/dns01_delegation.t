#!/usr/bin/perl
# Names whose challenges are delegated (CNAME): the records are made where the
# alias leads, below a zone that the configuration names; an alias to anywhere
# else changes nothing there, and the message names it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

Acme::Test->need_root;      # port 53
my $alias = '_acme-challenge.victim';
my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 },
    knot => { zones => { 'test' => {
        '_acme-challenge.good' => ['CNAME _acme-challenge.hop'],
        '_acme-challenge.hop' => ['CNAME _acme-challenge.good.dyn'],
        '_acme-challenge.dmarc' => ['CNAME _dmarc.dyn'],
        '_acme-challenge.steered' => ["CNAME $alias"],
        '_acme-challenge.similar' => ['CNAME _acme-challenge.notdyn'],
        '_acme-challenge.loop' => ['CNAME _acme-challenge.pool'],
        '_acme-challenge.pool' => ['CNAME _acme-challenge.loop'],
        '_acme-challenge.unsaid' => ['CNAME _acme-challenge.unsaid.dyn'],
    } } });
my $knot = $t->dns;
my $key = $knot->key_file($t->dir . '/conf/tsig.key');
my %case = (
    dmarc => '"_dmarc.dyn.test", which does not begin with',
    steered => "\"$alias.test\", which",
    similar => '"_acme-challenge.notdyn.test", which',
    loop => '"_acme-challenge.loop.test" leads through more than 8 aliases',
    unsaid => 'is an alias (CNAME) of "_acme-challenge.unsaid.dyn.test": '
        . 'name the zone',
);

$t->configure(challenge => 'dns-01', dns_resolver => $knot->address,
    dns_update => $knot->address . " $key");
$t->site("$_.test", $_ eq 'unsaid' ? () : (dns_delegation => 'dyn.test'))
    for sort keys %case;
$t->start;
for my $name (sort keys %case) {
    ok $t->wait_log(qr/not obtained, lineage "$name\.test".*\Q$case{$name}\E/),
        "$name: where it leads";
    is $t->status("$name.test")->{state}, 'waiting', 'waits for a change';
}
is $knot->updates, 0, 'the name server has got no update';

$t->clear_config;
$t->configure(challenge => 'dns-01', dns_resolver => $knot->address,
    dns_update => $knot->address . " $key", dns_delegation => 'dyn.test');
$t->site(['good.test', '*.good.test']);
ok $t->reload, 'another configuration';
my $cert = $t->wait_certificate('good.test') or $t->give_up;
is_deeply [sort @{ $cert->{names} }], ['*.good.test', 'good.test'],
    'through two aliases';
is $knot->updates, 4, 'two values came and went';
my @changed = $knot->log =~ /DDNS, finished, serial/g;
is scalar @changed, 4, 'which the name server did';
is_deeply [$knot->txt('_acme-challenge.good.dyn.test')], [],
    'nothing is left there';

$t->done;
