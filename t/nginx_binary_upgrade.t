#!/usr/bin/perl
# USR2 and QUIT: a new master takes over.  Both serve meanwhile, the new one
# renews, nothing of the old one is left.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(process_table reap slurp);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
# nginx starts the new binary with an empty environment
$t->configure(main => join '', map { "env $_;\n" }
    qw(LD_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS)) if $ENV{ACME_PRELOAD};
$t->site('a.test')->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;
$t->wait_helpers;

my $old = $t->master_pid;
my @old = ($old, $t->worker_pids, $t->supervisor_pid, $t->store_pid,
    $t->engine_pid);
kill 'USR2', $old;
$t->wait_for(sub {
    reap();
    my $new = $t->master_pid;
    return $new && $new != $old && $t->worker_pids == 2;
}, 10, 'a second master') or $t->give_up;
my ($exit, $out, $err) = $t->acmectl('renew');
is $exit, 0, 'acmectl while both run' or diag $out, $err;
is scalar($t->ca->orders), 1, 'makes no order of it';

kill 'QUIT', $old;
ok $t->wait_for(sub {
    reap();
    my $table = process_table();
    !grep { $table->{$_} } @old;
}, 10), 'the old one and its helpers end';
is $t->serial('a.test'), $first->{serial}, 'the new one serves';

($exit, $out, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'and renews' or diag $out, $err;
ok $t->wait_new_serial('a.test', $first->{serial}, 5), 'what it serves then';
is scalar($t->ca->orders), 2, 'with one order';

$t->done;
