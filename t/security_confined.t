#!/usr/bin/perl
# What engine, store and watcher have given up: they hold no socket, log or
# pipe of the server, cannot gain privileges, run under a system call filter,
# the store with CAP_CHOWN only, the watcher with nothing, the engine as
# somebody else, all without core files; and the memory with the TLS keys is in no core file of anybody.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew user_ids);
use Acme::SecProc qw(areas descriptors status_of);
use Acme::Test;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => 'own');
my $file = spew($t->dir . '/conf/thumbprint', 'x' x 43);
$t->site('a.test')->site('edge.test', acme => undef,
    thumbprint => "file:$file")->start;
$t->wait_certificate('a.test') or $t->give_up;

# inode => 1 of sockets that listen or are bound by name, of the server's
my $state = $t->state;
my %listening = map { (split)[9] => 1 }
    grep { (split)[3] eq '0A' } map { split /\n/, slurp($_) // '' }
    '/proc/net/tcp', '/proc/net/tcp6';

sub check ($when)
{
    my %pid = (engine => $t->engine_pid, store => $t->store_pid,
        watcher => ($t->helpers('watcher'))[0]);
    # ends of pipes that the master writes to
    my %master = reverse %{ descriptors($t->master_pid) };

    for my $kind (sort keys %pid) {
        my $fd = descriptors($pid{$kind});
        my @bad = grep { /socket:\[(\d+)\]/ && $listening{$1}
            || m{/logs/} || /^pipe:/ && $master{$_}
            || m{^/} && $_ ne '/dev/null' && index($_, $state) != 0
            } values %$fd;
        is_deeply \@bad, [], "$when: $kind holds nothing of the server";
        my $status = status_of($pid{$kind});
        is $status->{NoNewPrivs}, 1, "$kind: no new privileges";
        is $status->{Seccomp}, 2, "$kind: a filter";
        like slurp("/proc/$pid{$kind}/limits"),
            qr/^Max core file size +0 +0 /m, "$kind: no core file";
    }
    my $store = status_of($pid{store});
    is hex $store->{$_}, 1, "store: $_ is CAP_CHOWN" for qw(CapEff CapBnd);
    is $store->{Uid}, "0\t0\t0\t0", 'store: of root';
    my $watcher = status_of($pid{watcher});
    is hex $watcher->{$_}, 0, "watcher: $_ is empty" for qw(CapEff CapBnd);
    my $engine = status_of($pid{engine});
    my ($uid, $gid) = user_ids(getpwnam('_acme') ? '_acme'
        : $t->server->worker_user);
    is $engine->{Uid}, join("\t", ($uid) x 4), 'engine: somebody else';
    is $engine->{Gid}, join("\t", ($gid) x 4), 'with its own group';
    is $engine->{Groups} // '', '', 'and no other';
    is hex $engine->{$_}, 0, "engine: no $_" for qw(CapEff CapPrm CapAmb);
    is_deeply [grep { index($_, $state) == 0 }
        map { values %{ descriptors($_) } } $pid{engine}, $t->worker_pids],
        [], 'engine and workers hold no file of the state directory';
    return;
}

check('at start');
for my $pid ($t->worker_pids) {
    my @areas = grep { $_->{flags}{dd} } areas($pid);
    cmp_ok scalar @areas, '>=', 1, "worker $pid: the area is in no core file";
}
is scalar(grep { $_->{flags}{dd} } areas($t->engine_pid)), 0,
    'the engine does not have it at all';

ok $t->reload, 'reload';
$t->wait_helpers;
check('after a reload');

$t->configure(user => 'nobody')->reload;
$t->wait_helpers;
my ($nobody) = user_ids('nobody');
like status_of($t->engine_pid)->{Uid}, qr/^$nobody\b/, 'another user for it';

$t->done;
