#!/usr/bin/perl
# What acmectl refuses: mistakes in its use (exit 2), other users, a state
# directory that is not there or not the only one.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run);
use Acme::Test;
use Acme::Tool qw(built);
use JSON::PP;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => 'own');
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;

my @wrong = (
    [[], qr/usage: acmectl/], [['frobnicate'], qr/unknown verb "frobnicate"/],
    [['--frobnicate', 'status'], qr/"--frobnicate" of "status"/],
    [['status', '--force'], qr/"--force" does not go with "status"/],
    [['-xq', 'status'], qr/"-x"/],
    [['renew', 'a.test'], qr/--cert-name/], [['status', 'x'], qr/"x"/],
    [['key'], qr/key thumbprint/], [['key', 'drop'], qr/key thumbprint/],
    [['renew', '--cert-name'], qr/cert-name/],
);
for my $case (@wrong) {
    my ($exit, $out, $err) = $t->acmectl(@{ $case->[0] });
    ok $exit eq '2' && $out eq '' && $err =~ $case->[1],
        "refused: acmectl @{ $case->[0] }" or diag "$exit: $out$err";
}
like +($t->acmectl('--help'))[1], qr/usage: acmectl.*thumbprint/s, 'help';
like +($t->acmectl('version'))[1], qr/^acmectl \d+\.\d+/, 'version';

for my $verb (['status'], ['certificates'], ['renew'],
    ['key', 'thumbprint']) {
    my ($exit, $out, $err) = $t->acmectl({ user => 'www-data' }, @$verb);
    ok $exit eq '1' && $out eq '' && $err =~ /belongs to root|cannot use/,
        "as the server's user: @$verb" or diag "$exit: $out$err";
}

my ($exit, undef, $err) = $t->acmectl('--state-dir', '/nonexistent/acme',
    'status');
is $exit, 1, 'no such state directory';
like $err, qr{"/nonexistent/acme"}, 'is named';

# two of them in the places of the servers, seen by this command only
my $state = $t->state;
my $two = 'mount -t tmpfs none /var/lib && for s in nginx apache2; do '
    . 'mkdir -p /var/lib/$s && cp -a "$0" /var/lib/$s/acme; done && '
    . 'exec "$@"';
my $may = run(cmd => ['unshare', '-m', 'true'])->{exit} == 0;
SKIP: {
    skip 'this machine allows no private mounts', 8 if !$may;
    my $ran = run(cmd => ['unshare', '-m', 'sh', '-c', $two, $state,
        built('ACME_ACMECTL', 'acmectl'), 'rollback', '--cert-name', 'x']);
    is $ran->{exit}, 2, 'two state directories: rollback wants to know which';
    like $ran->{stderr}, qr{/var/lib/nginx/acme.*/var/lib/apache2/acme.*--state-dir},
        'and names both';
    $ran = run(cmd => ['unshare', '-m', 'sh', '-c', $two, $state,
        built('ACME_ACMECTL', 'acmectl'), 'renew', '--json']);
    is_deeply [map { $_->{state_dir} } @{ decode_json($ran->{stdout}) }],
        ['/var/lib/nginx/acme', '/var/lib/apache2/acme'], 'renew does both'
        or diag $ran->{stdout}, $ran->{stderr};
    $ran = run(cmd => ['unshare', '-m', 'sh', '-c',
        $two =~ s/ && exec/ && echo {} >\/var\/lib\/nginx\/acme\/format && exec/r,
        $state, built('ACME_ACMECTL', 'acmectl'), 'renew', '--json']);
    is scalar @{ decode_json($ran->{stdout}) }, 1,
        'and one, where the other cannot be used';
    is $ran->{exit}, 1, '  which is an error';
    my $theirs = 'cd /var/lib && chown -R nobody nginx/acme && '
        . 'chown -R www-data apache2/acme && exec';
    $ran = run(cmd => ['unshare', '-m', 'sh', '-c', $two =~ s/exec/$theirs/r,
        $state, built('ACME_ACMECTL', 'acmectl'), 'renew', '--json']);
    is scalar @{ decode_json($ran->{stdout}) }, 1, 'and one of two owners';
    like $ran->{stderr}, qr{"/var/lib/apache2/acme" is left out: .*--state-dir},
        '  and how to do the other' or diag $ran->{stdout};
    $ran = run(cmd => ['unshare', '-m', 'sh', '-c', $two, $state,
        built('ACME_ACMECTL', 'acmectl'), 'status']);
    like $ran->{stdout}, qr{nginx/acme\n.*apache2/acme\n}s,
        'status shows both' or diag $ran->{stderr};
}

$t->done;
