#!/usr/bin/perl
# acmectl account merge and export: orders of a running server go over to one
# account, the other one can be ended; a key file is named; Certbot itself uses
# what was exported, and nothing is written over.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(new_key);
use Acme::Foreign qw(client);
use Acme::Proc qw(run slurp spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
# Nonces are good: other clients give up at the second bad one.
my $pebble = $t->add_ca({ type => 'pebble', nonce_reject => 0 });
my $conf = $t->dir . '/conf';
my ($exit, $out, $err);
sub account (@args) { ($exit, $out, $err) = $t->acmectl('account', @args) }
sub kid ($name)
{
    my @orders = grep { $_->{names}[0] eq $name } $t->ca->orders;
    return $orders[-1]{account};
}

my $file = spew("$conf/own.pem", new_key('ecdsa:384'), 0600);
$t->issuer('ec', ca => $t->ca);
$t->issuer('rsa', ca => $t->ca, account_key => 'rsa:2048');
$t->issuer('file', ca => $t->ca, account_key => $file);
$t->site('ec.test', acme => 'ec')->site('rsa.test', acme => 'rsa');
$t->start;
$t->wait_certificate($_) or $t->give_up for qw(ec.test rsa.test);
isnt kid('ec.test'), kid('rsa.test'), 'two accounts';
my %id = map { $_->{key} => $_->{id} } @{ decode_json(
    ($t->acmectl('--json', 'key', 'thumbprint'))[1]) };

# what it does not take
for my $wrong ([2, [], qr/--into ID/], [1, ['--into', 'x'], qr/no account "x"/]) {
    account('merge', @{ $wrong->[1] });
    ok $exit == $wrong->[0] && $err =~ $wrong->[2], "merge @{ $wrong->[1] }"
        or diag "$exit: $err";
}

# one for all
account('merge', '--into', $id{'ecdsa:256'});
is $exit, 0, 'merged' or diag $err;
like $out, qr/\AAccount URI: https.*lineages: 2\..*Used no more: https.*deactivate --account $id{'rsa:2048'} /s,
    'what that means, and what is left';
my $serial = $t->serial('rsa.test');
($exit, undef, $err) = $t->acmectl('renew', '--force', '--cert-name', 'rsa.test');
is $exit, 0, 'the running server renews' or diag $err;
isnt $t->serial('rsa.test'), $serial, 'another certificate';
is kid('rsa.test'), kid('ec.test'), 'with the account of all';
account('deactivate', '--confirm', '--account', $id{'rsa:2048'});
is $exit, 0, 'the other one can be ended' or diag $err;
($exit, undef, $err) = $t->acmectl('renew', '--force', '--cert-name', 'ec.test');
is $exit, 0, 'which nothing depends on' or diag $err;
account('--json', 'merge', '--into', $id{'ecdsa:256'});
is_deeply decode_json($out)->{lineages}, ['ec.test', 'rsa.test'],
    'once more is no error, as JSON';
$t->site('file.test', acme => 'file');
ok $t->reload, 'one with a key file';
$t->wait_certificate('file.test') or $t->give_up;
account('merge', '--into', $id{'ecdsa:256'});
ok $exit == 1 && $err =~ /"file\.test".*"\Q$file\E": change "account_key"/,
    'is named, and where it has to be changed' or diag "$exit: $err";
my ($own) = map { $_->{id} } grep { $_->{id} ne $id{'ecdsa:256'} }
    @{ decode_json(($t->acmectl('--json', 'account', 'list'))[1]) };
account('merge', '--into', $own);
ok $exit == 1 && $err =~ /is a file of yours/, 'nobody else has its key';

# export
my @pebble = ('--server', $pebble->url);
account('create', @pebble, '--ca-file', $pebble->ca_file, '--no-contact',
    '--agree-tos');
my ($uri) = $out =~ /\AAccount URI: (\S+)/ or diag $err;
my $tree = "$conf/tree";
account('export', '--format', 'certbot', '-o', $tree, @pebble);
is $exit, 0, 'as Certbot has it' or diag $err;
my ($key) = glob "$tree/accounts/*/*/*/private_key.json";
is sprintf('%o', (stat $key)[2] & 07777), '400', 'its key';
like $key, qr{/[0-9a-f]{32}/}, 'under its name';
is sprintf('%o', (stat $key =~ s{/[^/]+$}{}r)[2] & 07777), '700', 'for its owner';
like run(cmd => ['certbot', 'show_account', '--config-dir', $tree, '--work-dir',
    "$conf/work", '--logs-dir', "$conf/logs", @pebble], timeout => 60,
    env => { REQUESTS_CA_BUNDLE => $pebble->ca_file })->{stdout},
    qr/\Q$uri\E/, 'and Certbot uses it';
account('import', $tree);
ok $exit == 0 && $out =~ /Here already/, 'which import knows' or diag $err;
my $before = slurp($key);
account('export', '--format', 'certbot', '-o', $tree, @pebble);
ok $exit == 1 && $err =~ /exists, and is left alone/ && slurp($key) eq $before,
    'nothing is written over';
for my $format (qw(pem json)) {
    account('export', '--format', $format, '-o', "$conf/key.$format", @pebble);
    is sprintf('%o', (stat "$conf/key.$format")[2] & 07777), '600', "$format: 0600";
    ($exit, $out) = $t->acmectl('key', 'thumbprint', "$conf/key.$format");
    my ($print) = $out =~ /^(\S+)/;
    account('show', @pebble);
    like $out, qr/^Thumbprint: \Q$print\E$/m, '  the key of the account';
    account('export', '--format', $format, '-o', "$conf/key.$format", @pebble);
    ok $exit == 1 && $err =~ /left alone/, '  never over another';
}
for my $wrong ([2, [@pebble], qr/--output FILE/],
    [2, [qw(--format certbot)], qr/--output DIR/],
    [2, [qw(--format pfx -o x)], qr/none of pem, json, certbot/],
    [2, ['-o', '-'], qr/there are 3 accounts/],
    [1, ['-o', '-', '--account', $own], qr/is a file of yours/]) {
    my ($code, $args, $why) = @$wrong;
    account('export', @$args);
    ok $exit == $code && $out eq '' && $err =~ $why, "refused: @$args"
        or diag "$exit: $out$err";
}

$t->done;
