#!/usr/bin/perl
# USR2 and back again: the old master gets its workers back by HUP, the new one
# ends by QUIT.  The old one renews then, and nothing of the new one is left.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(process_table reap);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->configure(main => join '', map { "env $_;\n" }
    qw(LD_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS)) if $ENV{ACME_PRELOAD};
$t->site('a.test')->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;
$t->wait_helpers;

my $old = $t->master_pid;
my @old_workers = $t->worker_pids;
kill 'USR2', $old;
$t->wait_for(sub {
    reap();
    my $pid = $t->master_pid;
    return $pid && $pid != $old && $t->worker_pids == 2;
}, 10, 'a second master') or $t->give_up;
my $new = $t->master_pid;
$t->wait_helpers;
my @new = ($new, $t->worker_pids, $t->supervisor_pid, $t->store_pid,
    $t->engine_pid);

sub gone (@pids)
{
    return $t->wait_for(sub {
        reap();
        my $table = process_table();
        !grep { $table->{$_} } @pids;
    }, 10);
}

kill 'WINCH', $old;
ok gone(@old_workers), 'the workers of the old one have ended';
is $t->serial('a.test'), $first->{serial}, 'those of the new one serve';

kill 'HUP', $old;
kill 'QUIT', $new;
ok gone(@new), 'the new one has ended, and its processes';
ok $t->wait_for(sub { ($t->master_pid // 0) == $old && $t->worker_pids == 2 },
    10), 'the old one has workers again' or $t->give_up;
$t->wait_helpers;
is $t->serial('a.test'), $first->{serial}, 'which serve';
is scalar(my @all = $t->store_pids), 1, 'one store';

my ($exit, $out, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'it renews' or diag $out, $err;
ok $t->wait_new_serial('a.test', $first->{serial}, 5), 'what it serves then';
is scalar($t->ca->orders), 2, 'with one order';

$t->done;
