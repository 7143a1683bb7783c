#!/usr/bin/perl
# dns-01 by updates of the zone (RFC 2136): a name, its wildcard and another
# one in one order, proved at a real name server; only our values come and go.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

Acme::Test->need_root;      # port 53
my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 },
    knot => { secondary => 1, keys => { update => 'hmac-sha512' }, zones => {
        'a.test' => { '_acme-challenge' => ['TXT "foreign"'] },
        'b.test' => { },
    } });
my $knot = $t->dns;

my $key = $knot->key_file($t->dir . '/conf/tsig.key');
$t->configure(challenge => 'dns-01', dns_resolver => $knot->address,
    dns_update => $knot->address . " $key", dns_propagation => '60 1');
$t->site(['a.test', '*.a.test', 'deep.down.b.test']);
$t->start;

# The secondary does not follow by itself: its records are what is waited for.
ok $t->wait_for(sub {
    $knot->txt('_acme-challenge.deep.down.b.test') == 1
        && $knot->txt('_acme-challenge.a.test') == 3;
}, 20, 'records'), 'two values beside the foreign one, and one' or $t->give_up;
select undef, undef, undef, 2.5;
unlike $t->ca->log, qr/POST .*\/chalZ/, 'no challenge was answered yet';
$knot->follow;
my $cert = $t->wait_certificate('a.test') or $t->give_up;

is_deeply [sort @{ $cert->{names} }],
    [sort '*.a.test', 'a.test', 'deep.down.b.test'], 'all names';
like $t->ca->log, qr/\/chalZ/, 'now they were';
is_deeply [$knot->txt('_acme-challenge.a.test')], ['foreign'],
    'the foreign value alone is left';
is_deeply [$knot->txt('_acme-challenge.deep.down.b.test')], [],
    'and nothing of the other name';
is $knot->updates, 6, 'each value came and went once';
$t->done;
