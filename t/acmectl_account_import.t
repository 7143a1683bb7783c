#!/usr/bin/perl
# acmectl account import: what Certbot and lego themselves have made, layouts of
# the others, and keys alone; found at the CA or not asked for; twice the same,
# clashes, other CAs, and what is damaged, of which nothing is taken.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::Jws qw(load_key);
use Acme::CA::X509 qw(new_key);
use Acme::Crash;
use Acme::Foreign qw(client fingerprint);
use Acme::Proc qw(run slurp spew);
use Acme::Test;
use File::Path qw(make_path);
use JSON::PP;

# Nonces are good: other clients give up at the second bad one.
my $t = Acme::Test->new(ca => { type => 'pebble', nonce_reject => 0 });
my $own = $t->add_ca('own');
my $conf = $t->dir . '/conf';
my $url = $t->ca->url;
$t->start_ca;

my ($exit, $out, $err);
my @trust = ('--ca-file', $t->ca->ca_file);
sub account (@args) { ($exit, $out, $err) = $t->acmectl('account', @args) }
sub files () { join ' ', grep { /\.(?:pem|json)$/ } $t->state_files }
sub fresh () { run(cmd => ['rm', '-rf', $t->state]) }

# what the clients themselves have made
my $certbot = "$conf/letsencrypt";
client($t, 'certbot', 'register', '-n', '--agree-tos', '-m', 'a@b.test',
    '--server', $url, '--config-dir', $certbot, '--work-dir', "$conf/work",
    '--logs-dir', "$conf/logs");
my ($regr) = glob "$certbot/accounts/*/*/*/regr.json";
my $uri = decode_json(slurp($regr))->{uri};
my $before = fingerprint($certbot);

account('import', $certbot);
is $exit, 0, "Certbot's" or diag $err;
like $out, qr/\AAccount URI: \Q$uri\E\nCA: \Q$url\E\n.*Imported from Certbot\./s,
    'with its URL';
is fingerprint($certbot), $before, 'is as it was';
account('show', '-d', @trust);
ok $exit == 0 && $out =~ /^Account URI: \Q$uri\E\n.*^Status: valid$/ms,
    'and of use at the CA' or diag $err;
my ($id) = $out =~ /^Key: (\S+)$/m;
$before = files();
account('import', $regr =~ s{/[^/]+$}{}r);
ok $exit == 0 && $out =~ /Here already; from Certbot/, 'once more: no error'
    or diag $err;
is files(), $before, 'and nothing new';
account('create', '--server', $url, @trust);
like $out, qr/\AAccount URI: \Q$uri\E\n/, 'as it is used now';

fresh();
run(cmd => ['lego', '--server', $url, '--accept-tos', '--email', 'a@b.test',
    '--path', "$conf/lego", '--domains', 'a.test', '--http', '--http.port',
    '127.0.0.1:' . $t->port('lego'), 'run'], timeout => 60,
    env => { LEGO_CA_CERTIFICATES => $t->ca->ca_file });
my ($lego) = glob "$conf/lego/accounts/*/*/account.json";
my $lego_uri = decode_json(slurp($lego))->{registration}{uri};
account('import', "$conf/lego");
ok $exit == 2 && $err =~ /which CA.*--server URL/, 'lego does not say at which CA';
account('import', "$conf/lego", '--server', $url);
is $exit, 0, 'it is named' or diag $err;
like $out, qr/\AAccount URI: \Q$lego_uri\E\n.*Imported from lego/s, 'its URL';
account('show', '-d', @trust);
ok $exit == 0 && $out =~ /^Status: valid$/m, 'of use' or diag $err;
account('import', "$conf/lego", '--server', $own->url);
ok $exit == 1 && $err =~ /\Q$lego_uri\E.*is none of/, "not another CA's"
    or diag $err;

# layouts of others, and keys alone: the CA is asked for the URL
my $key = new_key('rsa:2048');
my $file = spew("$conf/account.pem", $key, 0600);
account('create', '--server', $url, @trust, '-k', $file, '--no-contact',
    '--agree-tos');
my ($own_uri) = $out =~ /\AAccount URI: (\S+)\n/ or diag $err;
my %layout = (
    pem => { x => $key },
    jwk => { x => load_key($key)->export_key_jwk('private') },
    uacme => { 'private/key.pem' => $key },
    nginx => { 'account.key' => $key },
    'acme.sh' => { 'ca/' . $url =~ s{^https://}{}r . '/account.key' => $key },
    mod_md => { 'md_store.json' => '{"key": "AAAA"}',
        'accounts/ACME-x-0000/account.pem' => $key,
        'accounts/ACME-x-0000/account.json' => encode_json({
            status => 'valid', 'ca-url' => $url }) },
);
for my $kind (sort keys %layout) {
    my $dir = "$conf/$kind";
    my @server = $kind =~ /acme|md/ && $kind ne 'uacme' ? () : ('--server', $url);

    for my $name (sort keys %{ $layout{$kind} }) {
        make_path(($name =~ m{(.*)/} ? "$dir/$1" : $dir), { mode => 0700 });
        spew("$dir/$name", $layout{$kind}{$name}, 0600);
    }
    fresh();
    account('import', @server, @trust, $kind =~ /^(?:pem|jwk)$/ ? "$dir/x" : $dir);
    ok $exit == 0 && $out =~ /\AAccount URI: \Q$own_uri\E$/m, "$kind: found at the CA"
        or diag "$exit: $out$err";
    account('list');
    like $out, qr/^\S{32}  \Q$url\E\n    \Q$own_uri\E$/m, '  and here';
}

# without a CA
fresh();
account('import', $file, '--server', $url, '--offline');
is $exit, 0, 'offline' or diag $err;
unlike $out, qr/Account URI/, 'without a URL, which the first order finds';
account('import', $file, '--server', $url, '--account-url', $own_uri);
ok $exit == 0 && $out =~ /\AAccount URI: \Q$own_uri\E\n/, 'with a URL that is given'
    or diag $err;
account('show', '--offline');
like $out, qr/\AAccount URI: \Q$own_uri\E\n/, 'which is noted';

# another key for the same CA is another account
my $second = spew("$conf/second.pem", new_key('ecdsa:256'), 0600);
account('import', $second, '--server', $url, @trust);
ok $exit == 1 && $err =~ /has no account of this key; acmectl account create/,
    'one that the CA does not know' or diag $err;
account('import', $second, '--server', $url, '--offline');
ok $exit == 0 && $out =~ /another account; account merge --into/,
    'one more, which is not used' or diag $err;
account('create', '--server', $url, @trust);
like $out, qr/\AAccount URI: \Q$own_uri\E\n/, 'the first one is';

# what is no use: each is named, and nothing is taken
my $sealed = "$conf/sealed.pem";
spew("$conf/word", "sesame\n", 0600);
run(cmd => ['openssl', 'pkcs8', '-topk8', '-in', $second, '-out', $sealed,
    '-passout', "file:$conf/word"]);
chmod 0600, $sealed;
run(cmd => ['cp', '-a', $certbot, "$conf/$_"]) for qw(half dead strange shut);
my ($half, $dead, $strange, $shut)
    = map { (glob "$conf/$_/accounts/*/*/*")[0] } qw(half dead strange shut);
run(cmd => ['cp', '-a', $half, "$half-2"]);
chmod 0600, "$half-2/private_key.json";
spew("$half-2/private_key.json", substr(slurp("$half/private_key.json"), 0, 50), 0600);
spew("$dead/regr.json", encode_json({ body => { status => 'deactivated' },
    uri => $uri }), 0600);
chmod 0600, "$strange/private_key.json";
spew("$strange/private_key.json", '{"kty":"oct","k":"canary"}', 0600);
spew("$conf/open.pem", $key, 0644);
spew("$conf/empty.pem", '', 0600);
make_path("$conf/nothing");
my @server = ('--server', $url, '--offline');
fresh();
for my $wrong (
    [2, [], qr/needs a key, or a directory/],
    [2, [$file, $file, @server], qr/needs a key, or a directory/],
    [2, [$file], qr/which CA.*--server URL/],
    [1, ["$conf/half"], qr/account of Certbot in ".*-2": private_key\.json/],
    [1, ["$conf/dead"], qr/has been deactivated/],
    [1, ["$conf/strange"], qr/"kty" must be EC/],
    [1, [$certbot, '--server', $own->url], qr/one of "\Q$url\E", not of/],
    [1, [$sealed, @server], qr/is encrypted/],
    [1, ["$conf/open.pem", @server], qr/chmod/],
    [1, ["$conf/empty.pem", @server], qr/no private key found/],
    [1, ["$conf/nothing", @server], qr/has no accounts of Certbot/],
    [1, ["$conf/missing", @server], qr/missing": No such file/],
    [2, [$file, '--server', $url, '--account-url', 'https://x.test/1'],
        qr{"https://x\.test/1" is no URL of}]) {
    my ($code, $args, $why) = @$wrong;
    account('import', @$args);
    ok $exit == $code && $out eq '' && $err =~ $why && $err !~ /canary/,
        'refused: ' . join ' ', map { s{\Q$conf\E/}{}r } @$args
        or diag "$exit: $out$err";
    is files(), '', '  and nothing is here';
}
account('import', $sealed, @server, '--password-file', "$conf/word");
is $exit, 0, 'an encrypted key with its passphrase' or diag $err;

# killed at each write: whole accounts or none, and once more it goes on
my $crash = Acme::Crash->new($t);
my $base = "$conf/base";
run(cmd => ['cp', '-a', $t->state, $base]);
my $wrong = '';
my $step = 0;
while (++$step < 100) {
    fresh();
    run(cmd => ['cp', '-a', $base, $t->state]);
    $crash->arm('die', at => $step, signal => 'KILL');
    $t->acmectl({ env => $crash->environment_of_all }, 'account',
        'import', $certbot);
    my $fired = $crash->fired;
    $crash->disarm;
    last if !$fired;
    account('list');
    $wrong .= "step $step: $exit $err\n" if $exit ne '0';
    -f $t->state("keys/$_.pem") or $wrong .= "step $step: no key of $_\n"
        for $out =~ /^(\S{32})  /mg;
    account('import', $certbot);
    $wrong .= "step $step: then $exit $err\n"
        if $exit ne '0' || $out !~ /\AAccount URI: \Q$uri\E$/m;
}
ok $step > 5 && $step < 100, 'killed at each of ' . ($step - 1) . ' steps';
is $wrong, '', 'never half an account, and the next one goes on';

$t->done;
