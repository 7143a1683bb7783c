#!/usr/bin/perl
# A web application that runs as the server's user: it can read, write, link
# or lock nothing of the state directory, nor end or trace a process of ours,
# nor ask the control socket; before, while and after a certificate is
# renewed.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::SecProc qw(memory_opens trace_refused);
use Acme::Test;
use Fcntl qw(:flock O_CREAT O_RDONLY O_WRONLY);
use IO::Socket::UNIX;
use Socket qw(SOCK_SEQPACKET);

Acme::Test->need_root;
my $t = Acme::Test->new(ca => 'own');
my $user = $t->server->worker_user;

# What the tenant achieves with one path.
sub achieved ($path, $spare)
{
    my %try = (
        read => sub { sysopen my $fh, $path, O_RDONLY },
        write => sub { sysopen my $fh, $path, O_WRONLY },
        list => sub { opendir my $dh, $path },
        make => sub { sysopen my $fh, "$path/x", O_WRONLY | O_CREAT },
        lock => sub { my $fh; sysopen($fh, $path, O_RDONLY)
            && flock $fh, LOCK_EX | LOCK_NB },
        link => sub { link $path, $spare },
        move => sub { rename $path, $spare },
        remove => sub { unlink $path or rmdir $path },
        follow => sub { defined readlink $path },
        touch => sub { utime undef, undef, $path },
        chmod => sub { chmod 0777, $path },
        ask => sub { -S $path || $path =~ /sock$/ and IO::Socket::UNIX->new(
            Peer => $path, Type => SOCK_SEQPACKET) },
    );
    return map { "$_ $path" } grep { $try{$_}->() } sort keys %try;
}

sub attack ($when)
{
    my @paths = ($t->state, map { $t->state($_) } $t->state_files);
    my @ours = grep { $_ } $t->master_pid, $t->supervisor_pids,
        $t->store_pids, $t->engine_pids;
    my $spare = $t->dir . "/san/spare";     # anybody may write there

    my @broken = $t->run_as($user, sub {
        return (map { achieved($_, $spare) } @paths),
            (map { "signal $_" } grep { kill 0, $_ } @ours),
            (map { "memory of $_" } grep { memory_opens($_) } @ours),
            (map { "trace $_" } grep { !trace_refused($_) } @ours),
            map { "descriptors of $_" } grep { glob "/proc/$_/fd/*" } @ours;
    });
    is_deeply \@broken, [], $when or diag explain \@broken;
    return scalar @paths;
}

$t->site('a.test')->start;
$t->wait_helpers;
attack('before the first certificate');
my $first = $t->wait_certificate('a.test') or $t->give_up;
cmp_ok attack('with a certificate'), '>', 20, 'there was a lot to try';

$t->ca->set(latency => 0.1);
my $ctl = $t->spawn(code => sub {
    $t->acmectl('renew', '--force', '--cert-name', 'a.test') });
$t->wait_for(sub { -e $t->state('orders/a.test') }, 10) or $t->give_up;
my $seen = 0;
while (-e $t->state('orders/a.test') && $seen < 20) {
    $seen++;
    attack("while it is renewed, look $seen");
}
ok $t->wait_new_serial('a.test', $first->{serial}), 'renewed all the same';
attack('after the renewal');

# the same attempts succeed on what is the tenant's own
my $own = $t->dir . '/san/own';
my @done = $t->run_as($user, sub {
    sysopen my $fh, $own, O_WRONLY | O_CREAT, 0600 or die "$own: $!";
    return achieved($own, "$own.link");
});
cmp_ok @done, '>=', 6, 'the attempts are real ones';

$t->done;
