#!/usr/bin/perl
# Links, FIFOs, devices and the like in the place of every file that is read
# below the state directory: start, -t, reload and acmectl end in seconds,
# what was planted is named, certificates are served from another version,
# and nothing is written through a link.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::SecPlant qw(kinds picture plant target_of);
use Acme::Test;
use Time::HiRes qw(time);

Acme::Test->need_root;

# Lineage => what is planted in it.
my %place = (
    'key.test' => 'archive/key.test/2/privkey.pem',
    'chain.test' => 'archive/chain.test/2/fullchain.pem',
    'meta.test' => 'archive/meta.test/2/meta.json',
    'version.test' => 'archive/version.test/2',
    'live.test' => 'live/live.test',
    'renewal.test' => 'renewal/renewal.test.json',
    'record.test' => 'record/record.test.json',
    'order.test' => 'orders/order.test',
    'token.test' => 'orders/token.test/challenge.json',
    'lock.test' => 'locks/lineage-lock.test',
);
my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $target = target_of($t->dir . '/conf');
$t->site($_) for sort keys %place;
$t->start;
my %serial = map { $_ => $t->wait_certificate($_)->{serial} }
    sort keys %place;
$t->stop;
for my $name (keys %place) {
    system('cp', '-a', $t->state("archive/$name/1"),
        $t->state("archive/$name/2"));
    unlink $t->state("live/$name");
    symlink "../archive/$name/2", $t->state("live/$name");
}
mkdir $t->state('orders/token.test'), 0700;
my @files = grep { -f $t->state($_) } $t->state_files;
my @common = grep { m{^(?:accounts|keys|ledger)/} } @files;
rename $t->state, $t->state . '.kept' or die "rename: $!\n";
$t->expect_log(qr/${\$t->level('alert')}.*acme/);

# A new copy of the state with something planted; the log of a server on it.
my $round = 0;
my $up = 0;
sub run_with ($kind, @paths)
{
    my $state = $t->dir . '/var/round' . ++$round;
    system('cp', '-a', $t->state . '.kept', $state) == 0 or die 'cp';
    plant($kind, "$state/$_", $target) for @paths;

    my ($mark, $before) = ($t->log_mark, picture($target));
    my $began = time;
    $t->configure(state => $state);
    my ($exit, $out) = $t->test_config;
    is $exit, 0, '  -t ends';
    ok $up++ ? $t->reload : $t->start, '  the server starts';
    $t->wait_helpers;
    my %served = map { $_ => $t->serial($_) // '' } sort keys %place;
    my @ctl = $t->acmectl({ timeout => 10 }, '--state-dir', $state, 'status');
    like $ctl[0], qr/^[01]$/, '  acmectl status ends';
    cmp_ok time - $began, '<', 8, '  all in seconds';
    return ($state, $before, \%served,
        sub { $t->log_since($mark) . "@ctl" });
}

for my $kind (kinds()) {
    my ($state, $before, $served, $said)
        = run_with($kind, sort values %place);
    is_deeply $served, \%serial, "$kind: every lineage is served"
        or diag $said->();
    # who asks for one of these is told as well, in seconds
    for my $name (qw(lock.test record.test order.test)) {
        my @ctl = $t->acmectl({ timeout => 15 }, '--state-dir', $state,
            'renew', '--force', '--cert-name', $name);
        like $ctl[0], qr/^[0123]$/, "  renewal of $name ends";
        my $all = $said->() . "@ctl";
        $said = sub { $all };
    }
    for my $path (sort values %place) {
        # without meta.json the files speak for themselves; the content of a
        # lock file is nobody's, a malformed record is an empty one, and some
        # of these are directories
        next if $path =~ /meta/ || $kind =~ /huge|another/ && $path =~ /lock/
            || $kind eq 'hard link' && $path =~ /record/
            || $kind eq 'directory' && $path =~ m{^orders/order|/2$};
        ok index($said->(), $path) >= 0, "  $path is named";
    }
    is picture($target), $before, "  nothing went through";
}

# what all lineages share: nothing of it is needed to serve
for my $kind (kinds()) {
    my ($state, $before, $served) = run_with($kind, @common);
    is_deeply $served, \%serial, "$kind for accounts and keys: all are served";
    is picture($target), $before, "  nothing went through";
}

$t->done;
