#!/usr/bin/perl
# Certificates that live for seconds are renewed in time, again and again,
# with nobody asking for it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', validity => 14 });
$t->site('a.test')->start;
my $seen = $t->wait_certificate('a.test') or $t->give_up;
my @pids = sort($t->master_pid, $t->worker_pids);

for my $n (1 .. 2) {
    my $next = $t->wait_new_serial('a.test', $seen->{serial}, 20)
        or $t->give_up;
    cmp_ok time, '<', $seen->{not_after}, "renewal $n before the end";
    $seen = $next;
}

is_deeply [sort($t->master_pid, $t->worker_pids)], \@pids, 'same processes';
my @certificates = $t->ca->certificates;
is scalar(grep { $_->{status} eq 'valid' } $t->ca->orders),
    scalar @certificates, 'no order for nothing';
for my $n (1 .. $#certificates) {
    my $age = $certificates[$n]{not_before}
        - $certificates[$n - 1]{not_before};
    cmp_ok $age, '>=', 6, "certificate $n had done half its life";
}
is $t->status('a.test')->{state}, 'ok', 'status: ok';

$t->done;
