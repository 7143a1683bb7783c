#!/usr/bin/perl
# Links, FIFOs and files in the place of the state directory's own
# directories and of its format: start, reload, -t and acmectl end in
# seconds, it is named, the server serves, nothing is made behind a link.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::SecPlant qw(kinds picture plant target_of);
use Acme::Test;
use Time::HiRes qw(time);

Acme::Test->need_root;
my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $target = target_of($t->dir . '/conf');
my ($below) = $target =~ m{^(.*)/};
$t->site('a.test')->site('plain.test', acme => undef)->start;
$t->wait_certificate('a.test') or $t->give_up;
$t->stop;
rename $t->state, $t->state . '.kept' or die "rename: $!\n";
$t->expect_log(qr/${\$t->level('alert')}.*acme/);

my @directories = qw(accounts keys archive live renewal record orders ledger
    locks servers archive/a.test);
my @cases = ((map { [$_, 'symbolic link', $below] } @directories),
    (map { [$_, 'FIFO', $target] } @directories),
    map { ['format', $_, $target] } kinds());
my $round = 0;
for my $case (@cases) {
    my ($path, $kind, $to) = @$case;
    my $state = $t->dir . '/var/round' . $round;
    system('cp', '-a', $t->state . '.kept', $state) == 0 or die 'cp';
    plant($kind, "$state/$path", $to);
    my ($mark, $before) = ($t->log_mark, picture($target));
    my $began = time;

    $t->configure(state => $state);
    my ($exit, $out) = $t->test_config;
    is $exit, 0, "$kind for $path: -t ends well";
    ok $round++ ? $t->reload : $t->start, '  the server starts';
    is $t->http_get('/', host => 'plain.test')->{status}, 200,
        '  and serves';
    my @ctl = $t->acmectl({ timeout => 10 }, '--state-dir', $state, 'status');
    like $ctl[0], qr/^[01]$/, '  acmectl status ends';
    my @force = $t->acmectl({ timeout => 20 }, '--state-dir', $state, 'renew',
        '--force');
    like $force[0], qr/^[0123]$/, '  so does a renewal';
    cmp_ok time - $began, '<', 15, '  all in seconds';
    ok index($t->log_since($mark) . "@ctl@force", $path) >= 0, '  it is named'
        or diag $t->log_since($mark) . "@ctl@force";
    is picture($target), $before, '  nothing went through';
}

$t->done;
