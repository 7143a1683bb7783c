#!/usr/bin/perl
# A worker is killed: the new one serves at once, from what the master keeps,
# also what was renewed after the master had started.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;
is +($t->acmectl('renew', '--force'))[0], 0, 'renewed';
my $serial = $t->serial('a.test');
$t->expect_log(qr/worker process \d+ exited on signal 9/);

my @old = $t->worker_pids;
kill 'KILL', @old;
ok $t->wait_for(sub {
    my %now = map { $_ => 1 } $t->worker_pids;
    return keys %now == @old && !grep { $now{$_} } @old;
}, 5), 'new workers';
for my $one ($t->worker_pids) {
    my @others = grep { $_ != $one } $t->worker_pids;
    kill 'STOP', @others;
    is $t->serial('a.test'), $serial, "worker $one serves";
    kill 'CONT', @others;
}
is $t->http_get('/.well-known/acme-challenge/x', host => 'a.test')->{status},
    200, 'and answers challenges';
is scalar($t->ca->orders), 2, 'no order for that';

$t->done;
