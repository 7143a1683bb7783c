#!/usr/bin/perl
# acmectl import certbot, of what the real Certbot has made: served with its
# history, renewed with its settings and its account, and its directory stays
# as it is to the last byte.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Foreign qw(client fingerprint);
use Acme::Proc qw(slurp spew);
use Acme::Test;
use JSON::PP;

# Nonces are good: other clients give up at the second bad one.
my $t = Acme::Test->new(
    ca => { type => 'pebble', authz_reuse => 100, nonce_reject => 0 });
$t->site(['a.test', 'www.a.test'])->start_ca;

my $le = $t->dir . '/var/letsencrypt';
my @certbot = ('certbot', '--config-dir', $le, '--work-dir',
    $t->dir . '/tmp/work', '--logs-dir', $t->dir . '/tmp/logs', '-n',
    '--agree-tos', '--server', $t->ca->url, '-m', 'me@a.test',
    '--http-01-port', $t->port('http'));

client($t, @certbot, qw(certonly --standalone -d a.test -d www.a.test
    --deploy-hook), 'echo $RENEWED_LINEAGE, done', '--pre-hook', '/bin/true');
client($t, @certbot, qw(certonly --standalone -d b.test --key-type rsa
    --rsa-key-size 3072 --reuse-key --preferred-challenges http));
client($t, @certbot, qw(renew --force-renewal --no-random-sleep-on-renew));
spew("$le/renewal-hooks/deploy/tell", "#!/bin/sh\nexit 0\n", 0755);
spew("$le/renewal-hooks/deploy/not", "no program\n", 0644);

my $before = fingerprint($le);
my $orders = $t->ca->orders;
my ($meta) = glob "$le/accounts/*/*/*/regr.json";
my $url = decode_json(slurp($meta))->{uri};
my @import = ('import', 'certbot', $le, '--ca-file', $t->ca->ca_file);
my ($exit, $out, $err);

# --- what would be done ------------------------------------------------------

($exit, $out, $err) = $t->acmectl(@import, '--dry-run');
is $exit, 0, 'a dry run' or diag $err;
like $out, qr/^$_\.test: would be taken over, .*\(2 versions, valid/m,
    "tells of $_.test" for qw(a b);
like $out, qr/^    not taken over: authenticator standalone: a server/m,
    'of what is not taken over';
like $out, qr/^account \Q$url\E: would be taken over$/m, 'of the account';
like $out, qr{^renewal-hooks/deploy/tell: would be copied$}m, 'of hooks';
like $out, qr/^    systemctl disable --now certbot\.timer$/m,
    'of how Certbot is kept from renewing';
ok !-e $t->state, 'and does nothing';

# --- done --------------------------------------------------------------------

($exit, $out, $err) = $t->acmectl(@import, '--json');
is $exit, 0, 'taken over' or diag $err;
my $told = decode_json($out);
is_deeply [map { "@$_{qw(name fate versions live)}" } @{ $told->{lineages} }],
    ['a.test new 2 2', 'b.test new 2 2'], 'which is told' or diag $out;
is readlink $t->state('live', 'a.test'), '../archive/a.test/2', 'live is 2';
for my $name ('a.test', 'b.test') {
    for my $n (1, 2) {
        my ($there, $here) = ("$le/archive/$name/cert$n.pem",
            $t->state('archive', $name, $n, 'cert.pem'));
        is slurp($here), slurp($there), "$name, version $n: the certificate";
        is +(stat $here)[9], (stat "$le/archive/$name/fullchain$n.pem")[9],
            '  as old as it is there';
    }
}
is slurp($t->state(qw(renewal-hooks deploy tell))), "#!/bin/sh\nexit 0\n",
    'a hook is copied';
ok !-e $t->state(qw(renewal-hooks deploy not)), '  which is a program';
my ($a, $b) = map { $t->state_json('renewal', "$_.test.json")->{declared}[0] }
    qw(a b);
is_deeply $a->{hooks}, { pre => [['/bin/true']],
    deploy => [['echo $RENEWED_LINEAGE, done']] }, 'hooks are kept'
    or diag explain $a;
is_deeply [@$b{qw(by keys reuse_key)}, $b->{proof}{challenge}],
    ['acmectl:issue', ['rsa:3072'], JSON::PP::true, ['http-01']],
    'and what else was said' or diag explain $b;

my $state = fingerprint($t->state, qr{/locks$});
($exit, $out) = $t->acmectl(@import);
is $exit, 0, 'once more';
like $out, qr/^$_\.test: it is here already; nothing to do/m, "$_.test is here"
    for qw(a b);
is fingerprint($t->state, qr{/locks$}), $state, 'nothing has changed';

# --- served and renewed ------------------------------------------------------

$t->start;
my $serial = $t->serial('a.test');
is lc $serial, lc $told->{lineages}[0]{serial}, 'the server serves it';
is $t->ca->orders, $orders, 'nothing was ordered';
my $reused = slurp($t->state(qw(archive b.test 2 privkey.pem)));
for my $name ('a.test', 'b.test') {
    ($exit, $out, $err)
        = $t->acmectl('renew', '--force', '--cert-name', $name);
    is $exit, 0, "$name is renewed" or diag $out, $err;
    is $t->live_version($name), 3, '  as the next version';
}
ok $t->wait_new_serial('a.test', $serial, 10), 'and served';
is slurp($t->state(qw(archive b.test 3 privkey.pem))), $reused,
    'the key that is to stay has stayed';
($exit, $out) = $t->acmectl('account', 'list', '--json');
is_deeply [map { $_->{url} // $_->{account} } @{ decode_json($out) }], [$url],
    'by the account that Certbot has made' or diag $out;
is fingerprint($le), $before, 'whose directory is as it was';

# --- and back ----------------------------------------------------------------

my $back = $t->dir . '/var/back';
($exit, $out, $err) = $t->acmectl('export', '--format', 'certbot', '-o', $back);
is $exit, 0, 'exported' or diag $err;
is +($t->acmectl('export', '--format', 'certbot', '-o', $back))[0], 1,
    'not into what is there';
my @again = @certbot;
$again[2] = $back;
$out = client($t, @again, 'certificates');
like $out, qr/Certificate Name: $_\.test\n/, "Certbot lists $_.test"
    for qw(a b);
unlike $out, qr/invalid/i, 'and finds nothing wrong' or diag $out;
$t->stop;
$out = client($t, @again, 'renew', '--force-renewal',
    '--no-random-sleep-on-renew', '--no-directory-hooks');
like $out, qr{/live/$_\.test/fullchain\.pem \(success\)}, "and renews $_.test"
    for qw(a b);
is slurp("$back/archive/b.test/cert3.pem"),
    slurp($t->state(qw(archive b.test 3 cert.pem))), 'with its history';
ok -e "$back/archive/b.test/cert4.pem", '  and what comes next';
my @accounts = glob "$back/accounts/*/*/*/regr.json";
is_deeply [map { decode_json(slurp($_))->{uri} } @accounts], [$url],
    'by the same account';

$t->done;
