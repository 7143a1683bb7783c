#!/usr/bin/perl
# The store dies at its durable steps, one after the other, in the midst of
# renewals and of first issues, and so do those around it.  At every look the
# live pair is whole, what is served was live; the job comes to its end; a
# kill costs one order at most, a reload none.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Crash qw(in_parallel live_pair sample temp_files);
use Acme::Test;
use Acme::Tls qw(load_pem);
use Acme::Tool qw(built);
use File::Path qw(remove_tree);
use POSIX ();
use Time::HiRes qw(time);

use constant { CHILDREN => 3, RENEWALS => 27, ISSUES => 9,
    KILLS_PER_START => 2 };

my $began = time;
in_parallel(map { my $n = $_; sub ($told) { run_child($n, $told) } }
    0 .. CHILDREN - 1);
note int(time - $began), ' s';
done_testing;

# --- of one child ----------------------------------------------------------

my ($t, $crash, $told);
my %live;       # lineage => { serial => 1 } of all that was live
my ($kills, $sites);

sub run_child ($number, $to)
{
    $told = $to;
    $kills = $number;
    $sites = 0;
    $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
    $crash = Acme::Crash->new($t);
    $t->expect_log(qr/worker process \d+ exited on signal 9/,
        qr/Child \d+ .*\(9\)|child pid \d+ exit signal Killed/);
    eval { work($number); 1 } or tell_('to the end', "$@");
    $t->teardown;
    tell_('clean teardown', join '; ', @{ $t->{problems} });
    return;
}

sub tell_ ($label, $wrong)
{
    push @$told, [$label, $wrong, $wrong eq '' ? ()
        : $t->log =~ s/\A.*?(?=(?:[^\n]*\n){15}\z)//sr];
    return;
}

sub work ($number)
{
    $t->site('a.test')->start;
    $t->wait_certificate('a.test') or die "no certificate\n";
    $t->acmectl('renew', '--cert-name', 'a.test');
    look('a.test', 1);
    my @renewal = walk('a.test', sub { force('a.test') });
    my @issue = walk('w.test', sub { begin_reload_with('w.test') });
    push @$told, [@renewal . ' steps of a renewal, ' . @issue
        . ' of a first issue', ''] if !$number;
    tell_('only the store writes', $crash->stray // '');

    start_from_nothing() if $number == 1;
    another_starts(@renewal) if $number == 0;
    others_die(@renewal) if $number == 2;
    all_in_turn($number, \@renewal, \@issue);
    return;
}

# --- looking ---------------------------------------------------------------

sub live ($name)
{
    my $pair = eval { live_pair($t->state, $name) };

    die "live: $@" if $@;
    die "live: nothing\n" if !$pair && $live{$name};
    $live{$name}{ $pair->{serial} } = 1 if $pair;
    return $pair;
}

# What is wrong on the disk, or with what is served, right now, or ''.
sub look ($name, $served)
{
    return eval {
        live($name);
        return '' if !$served;
        my $seen = $t->peer_certificate($name, verify => 1)
            // die 'not served: ', $t->tls_error, "\n";
        live($name);    # it may have moved just then, even twice
        $live{$name}{ $seen->{serial} } || was_live($name, $seen->{serial})
            or die "$seen->{serial} is served\n";
        return '';
    } // $@;
}

sub was_live ($name, $serial)
{
    my $live = $t->live_version($name);
    return grep { m{/(\d+)$} && $1 <= $live
        && ((load_pem("$_/fullchain.pem"))[0] // {})->{serial} eq $serial
    } glob $t->state('archive', $name, '*');
}

sub orders ($name)
{
    return scalar grep { $_->{names}[0] eq $name } $t->ca->orders;
}

sub remains ()
{
    return join ' ', (grep { m{^orders/.} } $t->state_files),
        grep { m{^(?:archive|orders|live)/} } temp_files($t->state);
}

# A store that can be asked, and not the one that died.
sub wait_store ($dead)
{
    $t->wait_for(sub {
        my $pid = $t->store_pid // return;
        return if $pid == $dead;
        return grep {
            (eval { $t->state_json('servers', $_) } // { pid => 0 })->{pid}
                == $pid
        } map { m{^servers/([^/.][^/]*\.json)$} } $t->state_files;
    }, 20, 'another store') or die "no other store\n";
    return;
}

# --- what is done, and when it has ended -----------------------------------

# True when there has been no step for half a second and $code is true.
sub when_quiet ($code)
{
    my ($count, $since) = (-1, 0);

    return sub {
        ($count, $since) = ($crash->count, time) if $crash->count != $count;
        return $count && time - $since > 0.5 && $code->();
    };
}

sub force ($name)
{
    my $known = keys %{ $live{$name} };

    unlink $t->state('record', "$name.json");    # once an hour otherwise
    my ($exit, $out, $err) = $t->acmectl('renew', '--force', '--no-wait',
        '--cert-name', $name);
    die "not forced: $err" if $exit ne '0';
    return when_quiet(sub { keys %{ $live{$name} } > $known });
}

# Does not wait for it: a store that is held keeps its server waiting.
sub begin_reload_with ($name)
{
    my $server = $t->site($name)->server;

    $server->write_config($t->config_text);
    kill $server->reload_signal, $t->master_pid;
    return when_quiet(sub { $live{$name} });
}

sub reload_with (@names)
{
    my $before = orders('a.test');

    $t->site($_) for @names;
    my $store = $t->store_pid // 0;
    $t->reload or die "no reload\n";
    wait_store($store) if !@names;    # else it is the one that dies
    tell_('a reload orders something', 1) if orders('a.test') != $before;
    return when_quiet(sub { $names[0] && $live{ $names[0] } });
}

# --- the steps there are, with a look at each ------------------------------

sub walk ($name, $start)
{
    my $served = $live{$name};
    my ($last, @wrong) = (0);

    $crash->arm('hold-each', about => $name);
    my $ended = $start->();
    $t->wait_for(sub {
        my $step = $crash->held;
        if ($step > $last) {
            my $wrong = look($name, $served);
            push @wrong, "$step: $wrong" if $wrong ne '';
            $crash->release($last = $step);
        }
        return $ended->();
    }, 40, 'the end of the job') or die "the job does not end\n";
    $crash->disarm;
    tell_("$name: looked at every step", join ' ', @wrong);
    return $crash->steps;
}

# --- the end of it ---------------------------------------------------------

# $made: how many orders there may be more than $before.
sub settle ($name, $wrong, $before, $made)
{
    my ($exit, $out, $err) = $t->acmectl({ timeout => 60 }, 'renew',
        '--cert-name', $name);

    $wrong ||= "acmectl: $out$err" if $exit ne '0';
    $wrong ||= look($name, 1);
    $wrong ||= 'what is live is not served'
        if $t->serial($name) ne (live($name) // { serial => '' })->{serial};
    $wrong ||= 'left over: ' . remains() if remains() ne '';
    $wrong ||= 'a file is damaged'
        if ($t->acmectl('certificates', '--json'))[0] ne '0';
    $made -= orders($name) - $before;
    $wrong ||= "too many orders" if $made < 0;
    return $wrong;
}

sub has_order ($name)
{
    return -e $t->state('orders', $name, 'order.json')
        && -e $t->state('orders', $name, 'privkey.pem');
}

# --- the store dies --------------------------------------------------------

sub kill_at ($name, $step, $what, $start)
{
    my $how = qw(die die-after)[++$kills % 2];
    my $signal = qw(KILL ABRT KILL)[$kills % 3];
    my $served = $live{$name};
    my $before = orders($name);
    my $wrong = '';

    $crash->arm($how, at => $step, signal => $signal, about => $name);
    my $ended = $start->();
    my $fired = $t->wait_for(sub {
        $wrong ||= look($name, 0);
        return $crash->fired || $ended->();
    }, 45, 'the kill');
    my $ordered = has_order($name) && orders($name);
    $wrong ||= look($name, $served);
    $crash->disarm;
    wait_store($crash->pid) if $crash->fired;
    $wrong = settle($name, $wrong, $before, 2);
    $wrong ||= 'the order was not gone on with'
        if $ordered && orders($name) != $ordered;
    tell_("$name, $how $signal at $step ($what)", $wrong);
    return;
}

# Each child its share; a reload makes the supervisor forget that its store
# has died often, after which it would pause.
sub all_in_turn ($number, $renewal, $issue)
{
    my $shift = $t->of(nginx => 0, httpd => 0.5);
    my @renewals = share($number, sample(RENEWALS, $shift, @$renewal));
    my @issues = share($number, sample(ISSUES, $shift, @$issue));

    while (@renewals || @issues) {
        if (defined(my $step = shift @issues)) {
            my $name = sprintf 'n%02d.test', ++$sites;
            kill_at($name, $step, $issue->[$step - 1] =~ s/w\.test/NAME/gr,
                sub { reload_with($name) });
        } else {
            reload_with();
        }
        for my $step (splice @renewals, 0, KILLS_PER_START) {
            kill_at('a.test', $step, $renewal->[$step - 1],
                sub { force('a.test') });
        }
    }
    return;
}

sub share ($number, @all)
{
    return @all[grep { $_ % CHILDREN == $number } 0 .. $#all];
}

# --- from an empty directory on --------------------------------------------

sub start_from_nothing ()
{
    my $name = 'a.test';

    for my $point (['keys/', 3], ['keys/', 8], ['accounts/', 6]) {
        my ($about, $step) = @$point;
        $t->stop;
        remove_tree($t->state);
        %live = ();
        my $before = orders($name);
        $crash->arm('die', at => $step, signal => 'KILL', about => $about);
        $t->start;
        my $wrong = $t->wait_for(sub { $crash->fired }, 20) ? ''
            : 'no such step';
        $crash->disarm;
        wait_store($crash->pid);
        $wrong = settle($name, $wrong, $before, 2);
        tell_("from nothing, KILL at $step of $about", $wrong);
    }
    return;
}

# --- others die, or come ---------------------------------------------------

sub number_of ($regex, @steps)
{
    my ($at) = grep { $steps[$_] =~ $regex } 0 .. $#steps;
    return ($at // die "no step is like $regex\n") + 1;
}

sub hold_at ($step, $start)
{
    $crash->arm('hold', at => $step, about => 'a.test');
    $start->();
    $t->wait_for(sub { $crash->held }, 20) or die "nothing to hold\n";
    return;
}

# acmectl works on the lineage when a server starts, which takes what it
# finds for the remains of a crash only if it is.
sub another_starts (@steps)
{
    my $before = orders('a.test');

    for my $where (qr{^create .*/cert\.pem$}, qr{^rename archive/a\.test/\d},
        qr{^create orders/.*/order\.json}) {
        my $pid;
        $t->stop;
        unlink $t->state('record', 'a.test.json');
        $crash->arm('count');
        hold_at(number_of($where, @steps), sub {
            $pid = $t->spawn(cmd => [built('ACME_ACMECTL', 'acmectl'),
                'renew', '--force', '--cert-name', 'a.test'],
                env => { ACME_STATE_DIR => $t->state,
                    %{ $crash->environment } });
        });
        $t->start;
        wait_store(0);
        $crash->disarm;
        $t->wait_for(sub { waitpid($pid, POSIX::WNOHANG()) }, 20);
        $before++;
        tell_("a server starts while acmectl is at $where",
            settle('a.test', '', $before, 0));
    }
    return;
}

sub others_die (@steps)
{
    my %kill = (
        engine => sub { kill 'KILL', $t->engine_pid },
        'engine of itself' => sub { kill 'SEGV', $t->engine_pid },
        supervisor => sub { kill 'KILL', $t->supervisor_pid },
        worker => sub { kill 'KILL', ($t->worker_pids)[0] },
        server => sub { $t->stop('KILL') },
    );
    my @where = (qr{^rename orders/\.a\.test\.tmp}, qr{^rename live/},
        qr{^write archive/.*/privkey});
    my $n = 0;

    for my $who (sort keys %kill) {
        my $where = $where[$n++ % @where];
        my $before = orders('a.test');
        my $store = $t->store_pid;

        hold_at(number_of($where, @steps), sub { force('a.test') });
        $kill{$who}->();
        my $wrong = look('a.test', $who ne 'server');
        $crash->disarm;
        $wrong ||= look('a.test', $who ne 'server');
        if ($who eq 'supervisor') {
            $t->wait_for(sub { !$t->store_pid }, 5) if $t->host eq 'nginx';
            reload_with();
        }
        $t->start if $who eq 'server';
        wait_store($who eq 'worker' ? 0 : $store);
        if ($who eq 'engine of itself') {
            $t->wait_for(sub { ($t->status('a.test') // {})->{failures} }, 15);
            my $status = $t->status('a.test') // {};
            $wrong ||= 'no pause after a crash' if !$status->{next_attempt}
                || $status->{state} ne 'failing';
        }
        $wrong = settle('a.test', $wrong, $before, 2);
        tell_("$who dies at $where", $wrong);
    }
    return;
}
