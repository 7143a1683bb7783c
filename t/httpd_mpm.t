#!/usr/bin/perl
# Each MPM, the foreground and a single process: obtained, renewed in every
# child without a restart, kept over a graceful one and by new children.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t;

sub https ()
{
    return $t->http_get('/', port => $t->port('tls'), tls => 1,
        sni => 'a.test', host => 'a.test')->{status};
}

# What each child has served since $mark bytes of the log of children:
# { pid => { serial => times } }.
sub served ($mark)
{
    my %served;
    open my $fh, '<', $t->dir . '/logs/children.log' or return {};
    seek $fh, $mark, 0;
    for my $line (<$fh>) {
        $served{$1}{$2}++ if $line =~ /^(\d+) ([0-9A-F]+)$/;
    }
    return \%served;
}

# Asks until every child had a turn: each must have shown $serial only.
sub every_child ($serial)
{
    my $mark = -s $t->dir . '/logs/children.log' // 0;
    my @workers = $t->worker_pids;
    $t->wait_for(sub {
        return if https() != 200;
        my $served = served($mark);
        return !grep { !$served->{$_} } @workers;
    }, 20, 'an answer of every child');
    return is_deeply served($mark),
        { map { $_ => { $serial => served($mark)->{$_}{$serial} } } @workers },
        'every child serves it';
}

sub prepare (%o)
{
    $t = Acme::Test->new(host => 'httpd', ca => 'own', %o);
    $t->configure(main => join "\n",
        'CustomLog %%DIR%%/logs/children.log "%P %{SSL_SERVER_M_SERIAL}x"',
        ($o{mpm} // '') eq 'prefork' ? 'MinSpareServers 2' : ());
    $t->site('a.test')->start;
    return $t->wait_certificate('a.test') || $t->give_up;
}

sub renew ($old)
{
    is +($t->acmectl('renew', '--force'))[0], 0, 'renewed by force';
    return $t->wait_new_serial('a.test', $old, 5) || $t->give_up;
}

sub finish ()
{
    $t->stop;
    ok !$t->master_pid && !$t->supervisor_pid && !$t->engine_pid,
        'all of it ends';
    $t->teardown;
    is_deeply $t->{problems}, [], 'clean teardown';
    return;
}

sub many_children (%o)
{
    my $first = prepare(%o);
    my @pids = sort($t->master_pid, $t->worker_pids);
    my $serial = renew($first->{serial})->{serial};
    every_child($serial);
    is_deeply [sort($t->master_pid, $t->worker_pids)], \@pids,
        'no process was replaced';
    ok $t->reload, 'graceful';
    every_child($serial);

    my ($killed) = $t->worker_pids;
    kill 'KILL', $killed;
    ok $t->wait_for(sub {
        my @now = $t->worker_pids;
        return @now >= 2 && !grep { $_ == $killed } @now;
    }, 10, 'a new child'), 'a child was killed and is replaced';
    every_child($serial);
    is scalar($t->ca->orders), 2, 'two orders in all';
    finish();
    return;
}

subtest $_ => sub { many_children(mpm => $_) } for qw(event worker prefork);
subtest 'in the foreground' => sub { many_children(daemon => 'off') };

for my $mpm (qw(event prefork)) {
    subtest "single process, $mpm" => sub {
        my $first = prepare(single => 1, mpm => $mpm);
        is_deeply [$t->worker_pids], [], 'no children';
        my $second = renew($first->{serial});
        is https(), 200, 'served';
        $t->wait_for(sub { keys %{ served(0) } }, 5, 'its log line');
        is_deeply [keys %{ served(0) }], [$t->master_pid], 'by the only one';
        finish();
    };
}
done_testing;
