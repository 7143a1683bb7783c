#!/usr/bin/perl
# Updates that the name server refuses: its rcode is in the message, the name
# server and the key too, and no secret; nothing is validated and nothing
# asked for again at once.  One that cannot be reached is tried again.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

Acme::Test->need_root;      # port 53
my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 },
    knot => {
        keys => { update => 'hmac-sha256', other => 'hmac-sha512' },
        zones => { map { $_ => {} } qw(secret.test name.test policy.test) },
        allow => { 'policy.test' => ['other'] },
    });
my $knot = $t->dns;
my $conf = $t->dir . '/conf';
my $server = $knot->address;
my $wrong = 'd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3I=';
my %case = (
    'secret.test' => [$knot->key_file("$conf/secret.key", 'update',
            secret => $wrong), qr/the key "update": NOTAUTH \(BADSIG\)/],
    'name.test' => [$knot->key_file("$conf/name.key", 'update',
            name => 'nobody', format => 'line'),
        qr/the key "nobody": NOTAUTH \(BADKEY\)/],
    'policy.test' => [$knot->key_file("$conf/update.key"),
        qr/the key "update": NOTAUTH/],
    'zone.test' => ["$conf/update.key",
        qr/has no zone for "_acme-challenge\.zone\.test" \(REFUSED\)/],
);
my $silent = Acme::Port->reserve;

$t->configure(challenge => 'dns-01', dns_resolver => $server);
$t->site($_, dns_update => "$server $case{$_}[0]") for sort keys %case;
$t->site('silent.test',
    dns_update => "127.0.0.1:$silent $conf/update.key");
$t->start;

for my $name (sort keys %case) {
    ok $t->wait_log(qr/not\ obtained,\ lineage\ "\Q$name\E".*
            \Q$server\E.*$case{$name}[1].*next\ attempt/x),
        "$name: what the server says" or $t->give_up;
    is $t->status($name)->{state}, 'waiting', 'waits for a change';
}
ok $t->wait_log(qr/lineage\ "silent\.test".*no\ answer\ from\ the\ name\ server
        \ 127\.0\.0\.1:$silent.*next\ attempt/x), 'no server: what is known';
is $t->status('silent.test')->{state}, 'failing', 'and it is tried again';
unlike $t->log, qr/\Q$wrong\E|d3Jvbmcg/, 'no secret is told';
unlike $t->log, qr/is still there/, 'nothing needs to be taken away';
unlike $t->ca->log, qr/\/chalZ/, 'no challenge was answered';
is_deeply [$knot->txt("_acme-challenge.$_")], [], "$_: no record is left"
    for qw(secret.test name.test policy.test);

$t->done;
