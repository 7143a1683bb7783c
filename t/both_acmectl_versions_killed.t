#!/usr/bin/perl
# acmectl rollback, relink, deploy, delete and restore are killed at every
# durable step of theirs: what is live is a whole pair, the one before or the
# one that was asked for, or, of a deletion, gone; and the same command does the
# rest.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(issue new_key new_root);
use Acme::Crash qw(live_pair temp_files);
use Acme::Proc qw(run spew);
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $crash = Acme::Crash->new($t);
my $copies = 0;

$t->site('a.test')->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;
$t->acmectl('renew', '--force');
my $second = $t->wait_new_serial('a.test', $first->{serial}) or $t->give_up;
$t->stop;

my $root = new_root('other root');
my $key = new_key();
my $certificate = spew($t->dir . '/cert', issue(issuer => $root, key => $key,
    names => ['a.test'], seconds => 90 * 86_400) . $root->{pem});
my @files = ('--private-key', spew($t->dir . '/key', $key, 0600),
    '--certificate', $certificate);

sub fresh ()
{
    my $state = $t->dir . '/copy' . ++$copies;
    my $ran = run(cmd => ['cp', '-a', $t->state, $state]);

    die "cp: $ran->{stderr}" if $ran->{exit};
    $crash->below($state);
    return $state;
}

# All of acmectl is in one process, but steps count of stores alone.
sub acmectl ($state, @how)
{
    return $t->acmectl({ env => { ACME_STATE_DIR => $state,
        %{ $crash->environment_of_all } } }, @how, '--cert-name', 'a.test');
}

sub number ($state)
{
    my $pair = eval { live_pair($state, 'a.test') };
    return $@ ? $@ : $pair ? $pair->{number} : 'none';
}

# Of all lineages.
sub acmectl_all ($state, @how)
{
    return $t->acmectl({ env => { ACME_STATE_DIR => $state,
        %{ $crash->environment_of_all } } }, @how);
}

# Into a directory that is not there yet; then once more, over what there is.
sub walk_restore ($archive)
{
    my ($step, @wrong) = (0);

    for ($step = 1; ; $step += 3) {
        my $state = $t->dir . '/restored' . $step;
        $crash->below($state);
        $crash->arm('die', at => $step, signal => 'KILL');
        acmectl_all($state, 'restore', $archive);
        my $fired = $crash->fired;
        $crash->disarm;
        my $seen = -d $state ? number($state) : 'none';
        push @wrong, "$step: $seen" if $seen ne 'none' && $seen ne 2;
        my ($exit, undef, $err)
            = acmectl_all($state, 'restore', $archive, '--force');
        push @wrong, "$step, again: $exit $err" if $exit ne '0';
        $seen = number($state);
        push @wrong, "$step, again: $seen" if $seen ne 2;
        # others go with the next look at them, when they are old enough
        push @wrong, "$step: left over: $_"
            for grep { m{^(?:archive|live)/} } temp_files($state);
        run(cmd => ['rm', '-r', $state]);
        last if !$fired;
    }
    is join(', ', @wrong), '', "restore: killed at each third of $step steps";
    cmp_ok $step, '>', 3, '  of which there are some';
    return;
}

# From `$old` to `$new`, each step of it.
sub walk ($old, $new, $prepare, @how)
{
    my ($step, @wrong) = (0);

    for ($step = 1; ; $step++) {
        my $state = fresh();
        $prepare->($state);
        $crash->arm('die', at => $step, signal => 'KILL');
        my ($exit) = acmectl($state, @how);
        my $fired = $crash->fired;
        $crash->disarm;
        my $seen = number($state);
        push @wrong, "$step: $seen" if $seen ne $old && $seen ne $new;
        ($exit, undef, my $err) = acmectl($state, @how);
        # what is done already may be told of, or no lineage be left
        push @wrong, "$step, again: $exit $err"
            if $exit ne '0' && !($new eq 'none' && $err =~ /there is no/);
        $seen = number($state);
        push @wrong, "$step, again: $seen" if $seen ne $new;
        push @wrong, "$step: left over: $_"
            for grep { m{^(?:archive|live)/} } temp_files($state);
        run(cmd => ['rm', '-r', $state]);
        last if !$fired;
    }
    is join(', ', @wrong), '', "$how[0]: killed at each of " . ($step - 1)
        . ' steps';
    cmp_ok $step, '>', 3, '  of which there are some';
    return;
}

walk(2, 1, sub ($state) { }, 'rollback', '--to', 1);
walk('none', 2, sub ($state) { unlink "$state/live/a.test" }, 'relink');
walk(2, 3, sub ($state) { }, 'deploy', @files);
walk(2, 'none', sub ($state) { }, 'delete', '--force');

my $archive = $t->dir . '/backup.tar';
my ($exit, undef, $err) = $t->acmectl('backup', $archive);
is $exit, 0, 'a backup' or diag $err;
walk_restore($archive);

$t->done;
