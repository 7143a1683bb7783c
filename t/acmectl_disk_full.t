#!/usr/bin/perl
# A disk that is full: acmectl issue fails and says so, with nothing half-done,
# and does it when there is room; what export and backup write is whole or not
# there.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Crash qw(temp_files);
use Acme::Proc qw(run);
use Acme::Test;
use Acme::Tool qw(built);

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $crash = Acme::Crash->new($t);
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;
my @issue = ('issue', '-n', '-d', 'new.test', '--server', $t->ca->url,
    '--ca-file', $t->ca->ca_file, '--agree-tos', '--preflight', 'off',
    '--force');

sub acmectl (@args)
{
    return $t->acmectl({ env => $crash->environment_of_all }, @args);
}

# every so many steps of one that goes well
$crash->arm('count', about => 'new.test');
my ($exit, $out, $err) = acmectl(@issue);
is $exit, 0, 'issued' or diag $out, $err;
my $steps = $crash->count;
$crash->disarm;
cmp_ok $steps, '>', 8, 'some steps';
$t->acmectl('delete', '--cert-name', 'new.test', '--yes');
my $every = int($steps / 6) || 1;
my @wrong;
for (my $at = 1; $at <= $steps; $at += $every) {
    $crash->arm('full-since', at => $at, errno => 'ENOSPC',
        about => 'new.test');
    ($exit, $out, $err) = acmectl(@issue);
    my $fired = $crash->fired;
    $crash->disarm;
    my $live = $t->live_version('new.test');
    # what is noted when all is over may fail, with a word
    push @wrong, "$at: exit $exit, $out$err"
        if $fired && $err !~ /No space left/;
    push @wrong, "$at: exit 0, nothing live" if $exit eq '0' && !$live;
    push @wrong, "$at: half a version"
        if $live && !$t->live_certificate('new.test');
    ($exit, $out, $err) = acmectl(@issue);
    push @wrong, "$at, with room: $exit $out$err" if $exit ne '0'
        && $err !~ /less than an hour/;
    push @wrong, "$at, left over: $_"
        for grep { /new\.test/ } temp_files($t->state);
    $t->acmectl('delete', '--cert-name', 'new.test', '--yes');
}
is join("\n", @wrong), '', 'issue: full from each of some steps on';

# a file system of one page, which is in use
my $full = 'mount -t tmpfs -o size=4k none "$0" && head -c 4096 /dev/zero '
    . '>"$0/fill" && "$@"; code=$?; ls "$0"; exit $code';
my $dir = $t->dir . '/full';
mkdir $dir;
SKIP: {
    skip 'this machine allows no private mounts', 6
        if run(cmd => ['unshare', '-m', 'true'])->{exit} != 0;
    for my $case (['backup', "$dir/file"], ['export', '--cert-name', 'a.test',
        '--format', 'pem', '--output', "$dir/file"]) {
        my $ran = run(cmd => ['unshare', '-m', 'sh', '-c', $full, $dir,
            built('ACME_ACMECTL', 'acmectl'), '--state-dir', $t->state,
            @$case]);
        is $ran->{exit}, 1, "$case->[0] to a full disk" or diag $ran->{stderr};
        like $ran->{stderr}, qr{"\Q$dir\E/file".*No space left}, '  is told';
        is $ran->{stdout}, "fill\n", '  no file is left';
    }
}

$t->expect_log(qr/No space left/);
$t->done;
