#!/usr/bin/perl
# A disk that is full, over quota, read-only or broken, at every durable step
# of a renewal and at many of a first issue: once, or from there on.  The
# server serves on, the log names the file, the job is put off, and when the
# disk is well again the job is done, with nothing lost.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Crash qw(in_parallel live_pair sample temp_files);
use Acme::Test;
use Time::HiRes qw(time);

use constant { CHILDREN => 3, RENEWALS => 100, ISSUES => 12 };

my @ERRNO = qw(ENOSPC EDQUOT EROFS EIO);
my $began = time;
my ($t, $crash, $told);
my $faults = 0;

in_parallel(map { my $n = $_; sub ($to) { run_child($n, $to) } }
    0 .. CHILDREN - 1);
note int(time - $began), ' s';
done_testing;

sub run_child ($number, $to)
{
    $told = $to;
    $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
    $crash = Acme::Crash->new($t);
    eval { work($number); 1 } or tell_('to the end', "$@");
    $t->teardown;
    tell_('clean teardown', join '; ', @{ $t->{problems} });
    return;
}

sub tell_ ($label, $wrong)
{
    push @$told, [$label, $wrong, $wrong eq '' ? ()
        : $t->log =~ s/\A.*?(?=(?:[^\n]*\n){12}\z)//sr];
    return;
}

sub work ($number)
{
    $t->site('a.test')->start;
    $t->wait_certificate('a.test') or die "no certificate\n";
    $t->acmectl('renew');

    $crash->arm('count');
    force('a.test');
    my @renewal = $crash->steps;
    push @$told, [@renewal . ' steps of a renewal', ''] if !$number;
    my @all = sample(RENEWALS, 0, @renewal);
    for my $i (grep { $_ % CHILDREN == $number } 0 .. $#all) {
        fail_at($all[$i], $renewal[ $all[$i] - 1 ]);
    }
    # what could not even be removed goes with the next start
    $t->reload or die "no reload\n";
    tell_('after a reload nothing is left over', remains());
    put_off() if $number == 0;
    start_with_fault() if $number == 1;
    fail_issue($_) for grep { $_ % CHILDREN == $number } 0 .. ISSUES - 1;
    return;
}

sub force ($name)
{
    unlink $t->state('record', "$name.json");    # once an hour otherwise
    return $t->acmectl('renew', '--force', '--cert-name', $name);
}

sub orders ($name)
{
    return scalar grep { $_->{names}[0] eq $name } $t->ca->orders;
}

# '' or what is wrong; what is live is served.
sub look ($name)
{
    my $pair = eval { live_pair($t->state, $name) };
    return $@ || 'nothing is live' if !$pair;
    my $seen = $t->peer_certificate($name, verify => 1)
        // return 'not served: ' . $t->tls_error;
    return $seen->{serial} eq $pair->{serial} ? ''
        : 'what is live is not served';
}

sub remains ()
{
    return join ' ', (grep { m{^orders/.} } $t->state_files),
        grep { m{^(?:archive|orders|live)/} } temp_files($t->state);
}

# The lines of the log that tell of a failure with a file by name.
sub told_of ($mark)
{
    return grep { /\b(?:cannot|could not) .*"[\w.\/-]+"/ }
        split /\n/, $t->log_since($mark);
}

sub fail_at ($step, $what)
{
    my $errno = $ERRNO[ $faults % @ERRNO ];
    my $how = qw(fail fail-since)[ ($faults++ / @ERRNO) % 2 ];
    my ($before, $mark) = (orders('a.test'), $t->log_mark);
    my $version = $t->live_version('a.test');
    my $wrong = '';

    $crash->arm($how, at => $step, errno => $errno);
    my ($exit, $out, $err) = force('a.test');
    # hooks are noted when acmectl has its answer already
    $wrong ||= 'no such step' if !$t->wait_for(sub { $crash->fired }, 5);
    $what = $crash->step($step);
    $wrong ||= "acmectl: $exit" if $exit !~ /^[01]$/;
    $wrong ||= look('a.test');
    # who holds a lock, and what is removed later anyway, may fail in silence
    $wrong ||= 'the log names no file'
        if ($exit ne '0' || $what !~ m{locks/|orders|^touch})
        && !$t->wait_for(sub { scalar told_of($mark) }, 5);
    $wrong ||= 'a failure without a next attempt'
        if $exit ne '0' && $t->log_since($mark) !~ /; next attempt at /;
    $wrong ||= 'acmectl names no file' if $exit ne '0' && $err !~ /"[\w.\/-]+"/;
    $crash->disarm;

    ($exit, $out, $err) = $t->acmectl('renew', '--cert-name', 'a.test');
    $wrong ||= "when all is well: $err" if $exit ne '0';
    ($exit, $out, $err) = force('a.test')
        if $t->live_version('a.test') == $version;
    $wrong ||= "when all is well, by force: $err" if $exit ne '0';
    $wrong ||= 'no new certificate' if $t->live_version('a.test') == $version;
    $wrong ||= look('a.test');
    $wrong ||= 'an order is left over' if grep { m{^orders/\w} } $t->state_files;
    $wrong ||= 'a file is damaged'
        if ($t->acmectl('certificates', '--json'))[0] ne '0';
    my $made = orders('a.test') - $before;
    $wrong ||= "$made orders" if $made > 2;
    tell_("$how $errno at $step ($what)", $wrong);
    return;
}

# A fault that stays does not make the engine try, and order, all the time.
sub put_off ()
{
    $t->wait_helpers;
    my ($before, $mark) = (orders('a.test'), $t->log_mark);

    $crash->arm('fail-since', at => 1, errno => 'ENOSPC', about => 'archive');
    force('a.test');
    select undef, undef, undef, 4;
    my $tries = () = $t->log_since($mark) =~ /certificate not renewed/g;
    tell_('a full disk: tried once', $tries == 1 ? '' : "$tries times");
    my $status = $t->status('a.test') // {};
    tell_('status: failing', ($status->{state} // '') eq 'failing'
        && $status->{next_attempt} ? '' : 'no');
    $crash->disarm;
    my ($exit, undef, $err) = $t->acmectl('renew');
    tell_('then it is done', $exit eq '0' ? look('a.test') : $err);
    tell_('from one order', orders('a.test') == $before + 1 ? '' : 'no');
    return;
}

# Every write fails at the start: what is there is served all the same.
sub start_with_fault ()
{
    for my $errno (@ERRNO) {
        my $before = orders('a.test');

        $t->stop;
        my $mark = $t->log_mark;
        $crash->arm('fail-since', at => 1, errno => $errno);
        $t->start;
        my $wrong = look('a.test');
        $wrong ||= 'the log names no file' if !$t->wait_for(
            sub { told_of($mark) }, 5);
        $crash->disarm;
        $t->reload or $wrong ||= 'no reload';
        $wrong ||= look('a.test');
        $wrong ||= 'something was ordered' if orders('a.test') != $before;
        tell_("started with $errno", $wrong);
    }
    return;
}

# What a new name needs: its settings, its order, its challenge, its version.
sub fail_issue ($number)
{
    my $name = "n$number.test";
    my $about = (qw(renewal record orders archive live locks))[ $number % 6 ];
    my $errno = $ERRNO[ $number % @ERRNO ];
    my $mark = $t->log_mark;
    my $serial = $t->serial('a.test');
    my $before = orders('a.test');

    $crash->arm('fail-since', errno => $errno, about => $about,
        at => $number < 6 ? 1 : { live => 2, locks => 1 }->{$about} // 4);
    $t->site($name)->reload or die "no reload\n";
    my $wrong = $t->wait_for(sub { $crash->fired && told_of($mark) }, 20)
        ? '' : 'the log names no file';
    $wrong ||= 'another is not served'
        if ($t->serial('a.test') // '') ne $serial;
    $crash->disarm;
    $t->wait_helpers;
    my $err;    # without its settings acmectl does not know of it at first
    $t->wait_for(sub {
        (my $exit, undef, $err) = $t->acmectl({ timeout => 60 }, 'renew',
            '--cert-name', $name);
        return $exit eq '0';
    }, 20, "a certificate for $name") or $wrong ||= "then: $err";
    $wrong ||= look($name);
    $wrong ||= 'too many orders'
        if orders($name) > 2 || orders('a.test') != $before;
    tell_("$name, $errno with $about", $wrong);
    return;
}
