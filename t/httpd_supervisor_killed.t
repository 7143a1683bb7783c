#!/usr/bin/perl
# The supervisor is killed: the parent notices and starts it again, without
# a reload.  The parent is killed: our processes end, although others that it
# has forked live on.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(process_table reap);
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd', ca => 'own');
$t->configure(main => "LoadModule cgid_module %%MODULES%%/mod_cgid.so\n"
    . 'ScriptSock %%DIR%%/run/cgid');
$t->site('a.test')->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;
$t->wait_helpers or $t->give_up;

sub gone (@pids)
{
    return $t->wait_for(sub {
        reap();
        my $table = process_table();
        return !grep { $table->{$_} } @pids;
    }, 5, 'the end of processes');
}

my @helpers = ($t->supervisor_pid, $t->store_pid, $t->engine_pid);
my @pids = sort($t->master_pid, $t->worker_pids);
my $mark = $t->log_mark;
kill 'KILL', $helpers[0];
ok gone(@helpers), 'store and engine end with their supervisor';
is $t->serial('a.test'), $first->{serial}, 'the children serve';

ok $t->wait_helpers(15), 'all three come back by themselves';
my $error = $t->level('error');
like $t->log_since($mark), qr/$error.*the supervisor has ended/,
    'the log says so';
is +($t->acmectl('renew', '--force'))[0], 0, 'a renewal';
ok $t->wait_new_serial('a.test', $first->{serial}, 5), 'is served';
is_deeply [sort($t->master_pid, $t->worker_pids)], \@pids,
    'by the same children';
is scalar($t->ca->orders), 2, 'two orders in all';

# A daemon that the parent has forked once more holds all that it had then.
my $master = $t->master_pid;
my $daemon = sub {
    my %known = map { $_ => 1 } @pids;
    my ($one) = grep { $_->{ppid} == $master && !$known{ $_->{pid} } }
        values %{ process_table() };
    return $one && $one->{pid};
};
my $first_daemon = $daemon->() or $t->give_up('mod_cgid has no daemon');
kill 'KILL', $first_daemon;
ok $t->wait_for(sub {
    ($daemon->() // $first_daemon) != $first_daemon
}, 5), 'mod_cgid has another daemon';

@helpers = ($t->supervisor_pid, $t->store_pid, $t->engine_pid);
my @children = ($daemon->(), $t->worker_pids);
kill 'STOP', @children;
kill 'KILL', $master;
ok gone(@helpers), 'our processes end with the parent';
is scalar(grep { process_table()->{$_} } @children), 3,
    'while its children are still there';
kill 'KILL', @children;

$t->done;
