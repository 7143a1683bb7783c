#!/usr/bin/perl
# A renewal while clients shake hands without a pause: no handshake fails, no
# process is replaced, every worker serves the new certificate at once.  A
# reload and a restart keep it, and none of them costs an order.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(nap slurp);
use Acme::Test;
use Acme::Tls qw(peer);

$| = 1;
my $t = Acme::Test->new(ca => 'own', workers => 3);
$t->site('a.test')->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;

my $seen = $t->dir . '/logs/client';
my $root = $t->ca->root_file;
my @clients = map {
    $t->spawn(log => $seen, code => sub {
        while (1) {
            my $got = peer(port => $t->port('tls'), name => 'a.test',
                ca_file => $root);
            syswrite STDOUT, ($got->{error} // $got->{serial}) . "\n";
            nap(0.01);
        }
    })
} 1 .. 2;

my @pids = sort($t->master_pid, $t->worker_pids);
my ($exit, $out, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'renewed by force' or diag $out, $err;
my $second = $t->wait_new_serial('a.test', $first->{serial}, 5)
    or $t->give_up;

# only one of the workers can take the connection
my @workers = $t->worker_pids;
for my $one (@workers) {
    my @others = grep { $_ != $one } @workers;
    kill 'STOP', @others;
    is $t->serial('a.test'), $second->{serial}, "worker $one serves it";
    kill 'CONT', @others;
}
is_deeply [sort($t->master_pid, $t->worker_pids)], \@pids,
    'no process was replaced';

ok $t->reload, 'reload';
is $t->serial('a.test'), $second->{serial}, 'keeps it';
kill 'TERM', @clients;

my %count;
$count{$_}++ for split /\n/, slurp($seen);
is_deeply [sort keys %count],
    [sort map { $_->{serial} } $first, $second],
    'no handshake failed all the time' or diag explain \%count;
cmp_ok $count{ $_->{serial} }, '>', 20, 'and there were many'
    for $first, $second;

ok $t->reload, 'another reload' for 1 .. 3;
$t->restart;
is $t->serial('a.test'), $second->{serial}, 'the restart keeps it as well';
$t->wait_helpers;
is scalar($t->ca->orders), 2, 'two orders in all';
is scalar($t->ca->accounts), 1, 'of one account';

$t->done;
