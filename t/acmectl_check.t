#!/usr/bin/perl
# acmectl check: up to date or not, and why, by its exit code too; with
# --connect what the listeners of the servers show, with --ocsp what the CA
# says.  Nothing is changed by any of it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => { type => 'own', ocsp => {},
    authz_reuse => 1 });
$t->site('a.test', key => ['ecdsa:256', 'rsa:2048']);
$t->site('b.test');
$t->start;
$t->wait_certificate('a.test', 30, kind => $_) or $t->give_up
    for qw(ecdsa rsa);
my $serial = $t->wait_certificate('b.test')->{serial};

my ($exit, $out, $err);
sub check (@args) { ($exit, $out, $err) = $t->acmectl('check', @args) }
sub reasons ($lineage, @args)
{
    check('--json', '--cert-name', $lineage, @args);
    return join ' ', @{ decode_json($out)->{lineages}[0]{reasons} };
}

# X022: nothing to do
check();
is $exit, 0, 'up to date' or diag $out, $err;
like $out, qr/^a\.test: ok, valid for \d+ days$/m, 'each certificate';
like $out, qr/^2 of 2 certificates are up to date$/m, 'all of them';
check('--connect');
is $exit, 0, 'the servers too' or diag $out, $err;
like $out, qr/up to date, and so are the servers$/m, 'said';
check('-v', '--connect', 'a.test');
like $out, qr/port \d+, a\.test, $_: the live certificate$/m, "shown: $_"
    for qw(ecdsa rsa);
unlike $out, qr/b\.test|stapled/, 'of one name only';
my $tls = '127.0.0.1:' . $t->port('tls');
is reasons('b.test', '--connect-to', $tls), '', 'a place that is named';
is reasons('b.test', '--connect-to', 'localhost:' . $t->port('tls')), '',
    'by its name';
is decode_json($out)->{lineages}[0]{shown}[0]{shown}, 'live', 'as JSON';
is reasons('b.test', '--connect-to', '127.0.0.1:1'), 'not_served', 'nobody there';
is $exit, 1, 'exit 1';
check('-q');
is "$exit$out$err", '0', '-q is quiet when all is well';
check('-q', '--connect-to', '127.0.0.1:1', 'b.test');
like $out, qr/^b\.test: not_served, valid for .*\n.*nothing is shown: \S.*\n\z/,
    'and says what is not';

# what it does not take
check('--connect-to', ':443');
is $exit, 2, 'no place';
like $err, qr/--connect-to ":443" is no HOST:PORT/, 'says so';
for my $nobody (['no.test'], ['--cert-name', 'no.test']) {
    check(@$nobody);
    is $exit, 1, "@$nobody: nobody's";
    like $err, qr/"no\.test".*acmectl certificates/, 'says so';
}

# what the CA says (M04)
my ($b) = map { $_->{serial} } @{ $t->status('b.test')->{certificates} };
is reasons('b.test', '--ocsp'), '', 'the CA has not revoked it';
is decode_json($out)->{lineages}[0]{revocation}[0]{ocsp}, 'good', 'it says';
$t->ca->set(ocsp => { status => 404 });
is reasons('b.test', '--ocsp'), '', 'what is not known is no reason';
like decode_json($out)->{lineages}[0]{revocation}[0]{why}, qr/404/, 'told';
$t->ca->set(ocsp => { revoked => { uc $b => 'superseded' } });
is reasons('b.test'), '', 'not asked';
is reasons('b.test', '--ocsp'), 'revoked', 'revoked';
is $exit, 1, 'exit 1';
check('--ocsp', 'b.test');
like $out, qr/^b\.test: revoked, .*\n  OCSP of $b: revoked: superseded$/m,
    'for people';
$t->ca->set(ocsp => {});

# X024: a server that shows another version
is +($t->acmectl('renew', '--force', '--cert-name', 'b.test'))[0], 0,
    'a second version';
$t->wait_new_serial('b.test', $serial) or $t->give_up;
my $store = $t->store_pid;
kill STOP => $store;
unlink $t->state('live/b.test');
symlink '../archive/b.test/1', $t->state('live/b.test');
is reasons('b.test'), '', 'the files are good';
is reasons('b.test', '--connect'), 'not_served', 'the server is outdated';
check('--connect');
like $out, qr/^  127\.0\.0\.1 port \d+, b\.test, ecdsa: another version/m,
    'which one';
like $out, qr/^a\.test: ok, /m, 'the other certificate is served';
kill CONT => $store;
ok $t->wait_for(sub { reasons('b.test', '--connect') eq '' }, 10),
    'until it has looked';

# X026: a name more; and a lineage that there is no certificate of
$t->ca->freeze;
$t->clear_config;
$t->site(['a.test', 'x.test'], key => ['ecdsa:256', 'rsa:2048'],
    lineage => 'a.test');
$t->site($_) for qw(b.test c.test);
ok $t->reload, 'another configuration';
$t->wait_helpers;
ok $t->wait_for(sub { reasons('a.test') eq 'changed' }, 10), 'changed';
check();
is $exit, 1, 'exit 1';
like $out, qr/^a\.test: changed, .*\n  not covered: x\.test$/m,
    'what is not covered';
like $out, qr/^  definition changed: names missing$/m, 'in words';
like $out, qr/^c\.test: new, no certificate$/m, 'one that is not there yet';
like $out, qr/^b\.test: ok/m, 'one that is good';
is reasons('a.test', '--connect'), 'changed', 'the names it has are served';

# X074: damage
my $key = $t->state('archive/b.test/1/privkey.pem');
rename $key, "$key.kept";
is reasons('b.test'), 'damaged', 'damaged';
like decode_json($out)->{lineages}[0]{damage}, qr{archive/b\.test/1/privkey},
    'by name';
rename "$key.kept", $key;

$t->ca->thaw;
$t->stop;
is reasons('b.test'), '', 'without a server';
is reasons('b.test', '--connect'), 'not_served', 'it is not served';
check('--connect', 'b.test');
like $out, qr/no server runs that has it/, 'why';

$t->done;
