#!/usr/bin/perl
# External account binding (RFC 8555 7.3.4): with the key in a file or in the
# configuration, with each MAC algorithm; without one the error names the
# directive; and the key is found nowhere.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::Jws qw(b64);
use Acme::Test;

my $secret = 'Canary7Q9zWNDZMtopsecretCanary42';
my %key = map { $_ => b64("$secret$_") } qw(a b c d);
my $t = Acme::Test->new(ca => {
    type => 'pebble', eab => { 'kid-a' => $key{a}, 'kid-b' => $key{b} } });
my $own = $t->add_ca({ type => 'own', eab => { 'kid-c' => $key{c} } });

# Pebble, with nothing, then with the file and with the configuration
$t->issuer('none', ca => $t->ca);
$t->site('none.test', acme => 'none')->start;
ok $t->ca->has('eab'), 'Pebble wants a binding';
ok $t->wait_log(qr/not obtained, lineage "none\.test".*external account/, 20),
    'without one: an error';
like $t->log, qr/external_account_key.*ACMEExternalAccountBinding/,
    'with the directives that help';
is $t->status('none.test')->{state}, 'waiting', 'status: waiting';
my ($event) = grep { $_->{event} eq 'errored' } $t->events('none.test');
like $event->{text}, qr/external account/, 'an event says so';
like $event->{next_attempt}, qr/^\d{4}-.*Z$/, '  and when it is tried again';

$t->clear_config->issuer('none', ca => $t->ca,
    eab => { kid => 'kid-a', key => $key{a} });
$t->site('none.test', acme => 'none');
ok $t->reload, 'given, reload';
ok $t->wait_certificate('none.test'), 'the certificate arrives at once';

$t->issuer('inline', ca => $t->ca, account_key => 'ecdsa:384',
    eab => { kid => 'kid-b', key => $key{b}, inline => 1 });
$t->site('inline.test', acme => 'inline');

# the CA that tells what it has seen
for my $alg (qw(HS256 HS384 HS512)) {
    my $type = { HS256 => 'ecdsa:256', HS384 => 'ecdsa:384',
        HS512 => 'ecdsa:521' }->{$alg};
    $t->issuer(lc $alg, ca => $own, account_key => $type,
        eab => { kid => 'kid-c', key => $key{c}, alg => $alg });
    $t->site("$alg.test", acme => lc $alg);
}
$t->issuer('wrong', ca => $own, account_key => 'rsa:2048',
    eab => { kid => 'kid-c', key => $key{d} });
$t->site('wrong.test', acme => 'wrong');
ok $t->reload, 'reload';
ok $t->wait_certificate('inline.test'), 'a key in the configuration';
ok $t->wait_for(sub { $t->peer_certificate("$_.test",
    ca_file => $own->root_file) }, 30, "$_.test"), $_
    for qw(hs256 hs384 hs512);
is_deeply [sort map { $_->{bound} } $own->accounts],
    ['kid-c HS256', 'kid-c HS384', 'kid-c HS512'],
    'accounts of that customer, and no other';

ok $t->wait_log(qr/not obtained, lineage "wrong\.test".*refused with the /, 20),
    'a wrong key: the CA refuses it';
is $t->status('wrong.test')->{state}, 'waiting', 'and is not asked again';

# the key is nobody's but the store's and, for a moment, the engine's
my $out = join "\n", map { ($t->acmectl(@$_))[1, 2] }
    ['status'], ['--json', 'status'], ['--json', 'certificates'];
my $kept = join "\n", map { $t->state_text($_) // '' }
    grep { -f $t->state($_) } $t->state_files;
for my $text (["the log", $t->log], ["the state directory", $kept],
    ["acmectl's output", $out]) {
    unlike $text->[1], qr/Canary7Q|\Q$key{$_}\E/, "not in $text->[0]: $_"
        for sort keys %key;
}
is scalar(grep { ($_->{payload}{externalAccountBinding} // '') ne '' }
    grep { $_->{endpoint} ne 'newAccount' } $own->requests), 0,
    'and is said to newAccount only';

$t->done;
