#!/usr/bin/perl
# acmectl renews where no server runs, and dies at every durable step of its
# own: alone, with all its helpers, or only its store.  The next run gets what
# this one did not, with one order more at most.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Crash qw(in_parallel live_pair sample temp_files);
use Acme::Proc qw(descendants process_table run);
use Acme::Test;
use Acme::Tool qw(built);
use POSIX ();
use Time::HiRes qw(time);

use constant { CHILDREN => 3, KILLS => 48 };    # of each of both lineages

my ($t, $crash, %base, %old, $told);
my $began = time;
my $copies = 0;
in_parallel(map { my $n = $_; sub ($to) { run_child($n, $told = $to) } }
    0 .. CHILDREN - 1);
note int(time - $began), ' s';
done_testing;

# a.test has a certificate; b.test has none, though its name is proved.
sub run_child ($number, $to)
{
    $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
    $crash = Acme::Crash->new($t);
    $t->site('a.test')->site('b.test')->start;
    $t->wait_certificate($_) or die "no certificate\n" for qw(a.test b.test);
    $t->acmectl('renew');
    $t->stop;
    %base = ('a.test' => $t->state, 'b.test' => $t->dir . '/b');
    copy($t->state, $base{'b.test'});
    run(cmd => ['rm', '-r',
        map { "$base{'b.test'}/$_/b.test" } qw(archive live)]);
    unlink "$base{'b.test'}/record/b.test.json";
    $old{'a.test'} = live_pair($t->state, 'a.test')->{serial};

    for my $name (sort keys %base) {
        my @steps = walk($name);
        push @$told, [@steps . " steps for $name", ''] if !$number;
        my @all = sample(KILLS, 0, @steps);
        kill_at($name, $all[$_], @steps)
            for grep { $_ % CHILDREN == $number } 0 .. $#all;
    }
    $t->teardown;
    tell_('clean teardown', join '; ', @{ $t->{problems} });
    return;
}

sub tell_ ($label, $wrong)
{
    push @$told, [$label, $wrong];
    return;
}

sub copy ($from, $to)
{
    my $ran = run(cmd => ['cp', '-a', $from, $to]);
    die "cp: $ran->{stderr}" if $ran->{exit};
    return;
}

sub fresh ($name)
{
    my $state = $t->dir . '/copy' . ++$copies;

    copy($base{$name}, $state);
    $crash->below($state);
    return $state;
}

sub renew ($state, $name, @how)
{
    return $t->spawn(cmd => [built('ACME_ACMECTL', 'acmectl'), 'renew',
        '--cert-name', $name, @how], log => $t->dir . '/acmectl.log',
        env => { ACME_STATE_DIR => $state, %{ $crash->environment } });
}

sub ended ($pid)
{
    my $entry = Acme::Proc::process_stat($pid);
    return !$entry || $entry->{state} eq 'Z';
}

sub force ($name)
{
    return $name eq 'a.test' ? '--force' : ();
}

sub orders ($name)
{
    return scalar grep { $_->{names}[0] eq $name } $t->ca->orders;
}

# '' or what is wrong with the pair.
sub look ($state, $name)
{
    my $pair = eval { live_pair($state, $name) };
    return $@ || ($pair || !$old{$name} ? '' : 'nothing is live');
}

# The store is held at every step, and what is live is looked at.
sub walk ($name)
{
    my $state = fresh($name);
    my ($last, @wrong) = (0);

    $crash->arm('hold-each');
    my $pid = renew($state, $name, force($name));
    $t->wait_for(sub {
        my $step = $crash->held;
        if ($step > $last) {
            my $wrong = look($state, $name);
            push @wrong, "$step: $wrong" if $wrong ne '';
            $crash->release($last = $step);
        }
        return ended($pid);
    }, 30, 'the end of acmectl') or die "acmectl does not end\n";
    $crash->disarm;
    push @wrong, 'no new one'
        if live_pair($state, $name)->{serial} eq ($old{$name} // '');
    push @wrong, $crash->stray // ();
    tell_("$name: looked at every step", join ' ', @wrong);
    return $crash->steps;
}

# The three ways to die: its store, aborted or killed, and all there is.
sub kill_at ($name, $step, @steps)
{
    my $state = fresh($name);
    my $before = orders($name);
    my $way = ('store ABRT', 'all', 'store KILL')[$step % 3];
    my ($signal) = $way =~ /store (\w+)/;
    my $wrong = '';

    $signal ? $crash->arm('die', at => $step, signal => $signal)
        : $crash->arm('hold', at => $step);
    my $pid = renew($state, $name, force($name));
    $t->wait_for(sub { $crash->fired || ended($pid) }, 30);
    if (!$signal) {
        kill 'KILL', -$pid;    # its group: all that we started there
        $crash->disarm;
    }
    $t->wait_for(sub { ended($pid) && !helpers() }, 10, 'its end');
    # the engine's own plan and what is asked for may be one job or two
    $wrong ||= 'no such step' if !$crash->fired && $step + 12 < @steps;
    $wrong ||= look($state, $name);
    my $ordered = -e "$state/orders/$name/order.json"
        && -e "$state/orders/$name/privkey.pem" && orders($name);
    $crash->arm('count');

    # what is in flight goes on; what is not was dropped
    my ($exit, $out, $err) = again($state, $name);
    $wrong ||= "again: $exit $err" if $exit ne '0';
    $wrong ||= 'the order was not gone on with'
        if $ordered && orders($name) != $ordered;
    ($exit, $out, $err) = again($state, $name, '--force');
    $wrong ||= "by force: $err" if $exit ne '0' && $err !~ /an hour ago/;
    my $pair = eval { live_pair($state, $name) };
    $wrong ||= $@ || ($pair && $pair->{serial} ne ($old{$name} // '') ? ''
        : 'no new certificate');
    my $made = orders($name) - $before;
    $wrong ||= "$made orders" if $made > 2 + !$old{$name};
    $wrong ||= remains($state);
    tell_("$name, $way at $step ($steps[$step - 1])", $wrong);
    run(cmd => ['rm', '-r', $state]);
    return;
}

sub again ($state, $name, @how)
{
    return $t->acmectl({ env => { ACME_STATE_DIR => $state } }, 'renew',
        '--cert-name', $name, @how);
}

sub helpers ()
{
    return grep { $_->{comm} =~ /^acme-(?:store|engine)/ }
        descendants(process_table());
}

# Nothing unfinished, no file of nobody's once it is old, all can be read.
sub remains ($state)
{
    my $list = { env => { ACME_STATE_DIR => $state } };
    my @temp = temp_files($state);

    return "left over: @temp"
        if grep { m{^(?:archive|orders|live)/} } @temp;
    return "left over: $_" for glob "$state/orders/*";
    utime time - 7200, time - 7200, map { "$state/$_" } @temp;
    again($state, 'a.test');
    @temp = temp_files($state);
    return "left over: @temp" if @temp;
    my ($exit, $out) = $t->acmectl($list, 'certificates', '--json');
    return $exit eq '0' && $out !~ /"damage(?!d": 0)/ ? '' : "damaged: $out";
}
