#!/usr/bin/perl
# acmectl revoke: by the account or by the certificate's key; the revoked
# certificate is served until its successor is there, which has another key,
# and a key that was given away is never used again.  What a server declares is
# revoked by force alone.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use Acme::Proc qw(slurp spew);

my $t = Acme::Test->new(ca => 'pebble');
$t->site($_) for qw(a.test b.test c.test);
$t->start;
my %old = map { $_ => $t->wait_certificate($_) || $t->give_up }
    qw(a.test b.test c.test);
my %key = map { $_ => $t->state_text('live', $_, 'privkey.pem') } keys %old;

sub key_file ($name)
{
    return spew($t->dir . "/$name.key", $key{$name}, 0600);
}

# what it does not take
for my $wrong (
    [[], qr/--cert-name NAME or by --cert-path/],
    [['--cert-name', 'a.test', '--cert-path', '/x'], qr/--cert-name NAME/],
    [['--cert-name', 'a.test', '--reason', 'boredom'],
        qr/"boredom" is none of unspecified, keycomp/],
    [['--cert-name', 'a.test', '--key-path', '/x'], qr/--cert-path/],
    [['--cert-name', 'a.test', '--delete-after-revoke',
        '--no-delete-after-revoke'], qr/exclude each other/],
    [['--cert-name', 'a.test', 'b.test'], qr/unexpected "b\.test"/]) {
    my ($args, $why) = @$wrong;
    my ($exit, undef, $err) = $t->acmectl('revoke', @$args);
    is $exit, 2, "usage: revoke @$args";
    like $err, $why, '  and how it is meant';
}
my ($exit, $out, $err) = $t->acmectl('revoke', '--cert-name', 'x.test');
is $exit, 1, 'a lineage that is not there';
like $err, qr/there is no certificate "x\.test"/, 'is named';

my $cert = $t->state('archive', 'a.test', 1, 'cert.pem');
($exit, undef, $err) = $t->acmectl('revoke', '--cert-path', $cert,
    '--key-path', key_file('b.test'));
is $exit, 1, 'with the key of another certificate';
like $err, qr/is not the key of the certificate in/, 'nothing is sent';
is $t->ca->certificate_status($old{'a.test'}{serial})->{Status}, 'Valid',
    'and nothing revoked';

for my $by (['--cert-name', 'a.test'], ['--cert-path', $cert]) {
    ($exit, undef, $err) = $t->acmectl('revoke', @$by);
    is $exit, 1, "what a server declares: @$by";
    like $err, qr/a\.test is declared by \w+:.*revoke it with --force/,
        '  needs --force';
}
($exit) = $t->acmectl('revoke', '--cert-name', 'a.test',
    '--delete-after-revoke');
is $exit, 1, '  to be deleted too';
is $t->ca->certificate_status($old{'a.test'}{serial})->{Status}, 'Valid',
    '  nothing was revoked';

# by the account
($exit, $out, $err) = $t->acmectl('revoke', '--cert-name', 'a.test',
    '--reason', 'keyCompromise', '--force');
is $exit, 0, 'by name' or diag $err;
ok $t->serial('a.test'), 'a certificate is served all the time';
like $out, qr/^a\.test: certificate [0-9a-f]+ revoked$/m, 'it says so';
like $out, qr/a\.test: the server was asked.*until the next one is there/,
    'and what follows';
my $status = $t->ca->certificate_status($old{'a.test'}{serial});
is $status->{Status}, 'Revoked', 'the CA knows';
is $status->{Reason}, 1, 'and why';
my ($event) = grep { $_->{event} eq 'revoked' } $t->events('a.test');
is lc $event->{serial}, lc $old{'a.test'}{serial}, 'an event tells of it';
like $event->{text}, qr/by acmectl, reason keycompromise/, '  and why';
is $event->{by}, 'acmectl', '  and by whom';
my $next = $t->wait_new_serial('a.test', $old{'a.test'}{serial})
    or $t->give_up;
is $t->live_version('a.test'), 2, 'its successor is live';
isnt $t->state_text('live', 'a.test', 'privkey.pem'), $key{'a.test'},
    'with another key';
is scalar(grep { m{^revoked/key-} } $t->state_files), 1,
    'the old one is barred';

# once more, and by the file
($exit, $out, $err) = $t->acmectl('--json', 'revoke', '--cert-path', $cert);
is $exit, 0, 'one that is revoked' or diag $err;
like $out, qr/was revoked already/, 'is no error';
is $t->serial('a.test'), $next->{serial}, 'and not what is served';

# by its key
($exit, $out, $err) = $t->acmectl('revoke',
    '--cert-path', $t->state('live', 'b.test', 'fullchain.pem'),
    '--key-path', key_file('b.test'), '--reason', 'superseded', '--force');
is $exit, 0, 'by the key of the certificate' or diag $err;
$status = $t->ca->certificate_status($old{'b.test'}{serial});
is "$status->{Status} $status->{Reason}", 'Revoked 4', 'the CA knows';
ok $t->wait_new_serial('b.test', $old{'b.test'}{serial}), 'its successor';
is scalar(grep { m{^revoked/key-} } $t->state_files), 1,
    'whose reason barred no key';

# without a server, and without an account
$t->stop;
unlink glob $t->state('accounts') . '/*/*/*/account.json';
($exit, $out, $err) = $t->acmectl('revoke', '--cert-name', 'c.test',
    '--force');
is $exit, 0, 'no server, no account: its key does it' or diag $err;
like $out, qr/c\.test: no server runs that renews it/, 'which is said';
is $t->ca->certificate_status($old{'c.test'}{serial})->{Status}, 'Revoked',
    'the CA knows';
is $t->status('c.test')->{state}, 'revoked', 'status: revoked';
($exit, $out) = $t->acmectl('status', '--cert-name', 'c.test');
like $out, qr/revoked +yes, by acmectl, reason unspecified; it is served/,
    'and why';
($exit, $out) = $t->acmectl('certificates', '--cert-name', 'c.test');
like $out, qr/Expiry Date: .* \(INVALID: REVOKED\)$/m, 'certificates: too';
$t->start;
ok $t->serial('c.test'), 'a start serves what there is';
ok $t->wait_new_serial('c.test', $old{'c.test'}{serial}),
    'and renews what is revoked';

$t->done;
