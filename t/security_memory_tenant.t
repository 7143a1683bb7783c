#!/usr/bin/perl
# A web application that runs as the server's user, and even as the engine's,
# reads no memory of ours and traces nothing: workers, engine, store,
# supervisor.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(nap);
use Acme::SecProc qw(memory_opens trace_refused);
use Acme::Test;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => 'own');
my $user = $t->server->worker_user;
$t->configure(user => $user);   # else the kernel tells them apart by uid
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;

sub attack ($when)
{
    my %pid = (worker => [$t->worker_pids], engine => [$t->engine_pids],
        store => [$t->store_pids], supervisor => [$t->supervisor_pids],
        master => [$t->master_pid]);

    for my $kind (sort keys %pid) {
        my @pids = @{ $pid{$kind} };
        my @open = $t->run_as($user, sub { grep { memory_opens($_) } @pids });
        my @traced = $t->run_as($user,
            sub { grep { !trace_refused($_) } @pids });
        ok scalar @pids, "$when: $kind is there";
        is "@open", '', '  its memory is closed';
        is "@traced", '', '  it cannot be traced';
    }
    return;
}

attack('at work');

# the attack works where nothing stands in its way
my ($open, $traced) = $t->run_as($user, sub {
    my $child = fork // die "fork: $!\n";
    if (!$child) {
        exec '/bin/sleep', '20';
    }
    nap(0.1);
    my @seen = (memory_opens($child), !trace_refused($child));
    kill 'KILL', $child;
    return @seen;
});
ok $open, 'another process of that user can be read';
ok $traced, 'and traced';

ok $t->reload, 'reload';
$t->wait_helpers;
attack('after a reload');

$t->done;
