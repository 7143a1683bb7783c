#!/usr/bin/perl
# acmectl import lego, of what lego has made: served at once, renewed by its
# account, and its files stay as they are.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Foreign qw(client fingerprint);
use Acme::Proc qw(slurp);
use Acme::Test;
use JSON::PP;

# Nonces are good: other clients give up at the second bad one.
my $t = Acme::Test->new(
    ca => { type => 'pebble', authz_reuse => 100, nonce_reject => 0 });
my $dir = $t->dir . '/var/lego';
$t->site(['a.test', 'www.a.test'])->start_ca;

client($t, 'lego', '--path', $dir, '--server', $t->ca->url, '-m', 'me@a.test',
    '-a', '-d', 'a.test', '-d', 'www.a.test', '--http', '--http.port',
    '127.0.0.1:' . $t->port('http'), 'run');
my $before = fingerprint($dir);
my $orders = $t->ca->orders;
my ($account) = glob "$dir/accounts/*/me\@a.test/account.json";
my $url = decode_json(slurp($account))->{registration}{uri};

# lego does not keep which CA it was
my @import = ('import', 'lego', $dir, '--ca-file', $t->ca->ca_file);
my ($exit, $out, $err) = $t->acmectl(@import, '--dry-run');
is $exit, 0, 'without the CA' or diag $err;
like $out, qr/not taken over: renewal: its CA is not known/, 'that is told';
like $out, qr/^account \Q$url\E: it does not say which CA.*--server/m,
    '  of the account as well';
push @import, '--server', $t->ca->url;
($exit, $out, $err) = $t->acmectl(@import, '--dry-run');
is $exit, 0, 'a dry run' or diag $err;
like $out, qr/^a\.test: would be taken over, and renewed from here/m,
    'tells of it';
like $out, qr/^account \Q$url\E: would be taken over$/m, 'of the account';
like $out, qr/^    grep -rls lego /m, 'and how lego is kept from renewing';
ok !-e $t->state, 'nothing is written';

($exit, $out, $err) = $t->acmectl(@import, '--json');
is $exit, 0, 'taken over' or diag $err;
my $told = decode_json($out)->{lineages}[0];
is $told->{fate}, 'new', 'which is told' or diag $out;
($exit, $out) = $t->acmectl(@import);
like $out, qr/^a\.test: it is here already; nothing to do/m, 'once more';

$t->start;
my $serial = $t->serial('a.test');
is lc $serial, $told->{serial}, 'it is served';
is $t->ca->orders, $orders, 'nothing was ordered';
($exit, $out, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'it is renewed' or diag $out, $err;
ok $t->wait_new_serial('a.test', $serial, 10), 'and served';
($exit, $out) = $t->acmectl('account', 'list', '--json');
is_deeply [map { $_->{url} // $_->{account} } @{ decode_json($out) }], [$url],
    'by the account that lego has made' or diag $out;
is fingerprint($dir), $before, 'whose files are as they were';

$t->done;
