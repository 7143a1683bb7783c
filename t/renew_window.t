#!/usr/bin/perl
# What is left of a certificate's life when it is renewed, as configured: as a
# time or as a part of it, and what is due when that changes.

use v5.36;
use lib 't/lib';
use Test::More;
use Time::Local qw(timegm);
use Acme::Test;

use constant DAY => 86_400;

# 60 days of 100 are left, and usually it is renewed when 33 are
my $t = Acme::Test->new(ca => { type => 'own', validity => 100 * DAY,
    backdate => 40 * DAY });
my $ca = $t->ca;
$t->site('a.test')->start;
my $seen = $t->wait_certificate('a.test') or $t->give_up;
my @pids = sort($t->master_pid, $t->worker_pids);

# Days before the certificate's end; '' if nothing is planned.
sub days_before_end ($at)
{
    my @f = ($at // '') =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)Z$/ or return '';
    my $time = timegm(@f[5, 4, 3, 2], $f[1] - 1, $f[0]);
    return ($seen->{not_after} - $time) / DAY;
}

# What is planned under that window.
sub planned ($window)
{
    my $days;
    $t->configure(renew_window => $window)->reload;
    $t->wait_for(sub {
        my $status = $t->status('a.test');
        $days = days_before_end($status->{renew_at});
        return ($status->{renew_why} // '') eq 'as configured'
            && abs($days - $window =~ s/\D//r) <= 1;
    }, 10, "a plan for $window");
    return $days;
}

# A hundredth of it is drawn.
my $days = planned('14d');
cmp_ok $days, '<=', 14, '14d: not before that';
cmp_ok $days, '>=', 13.85, '  nor much later';
$days = planned('50%');
cmp_ok $days, '<=', 50, '50%: not before that';
cmp_ok $days, '>=', 49.49, '  nor much later';
is $t->serial('a.test'), $seen->{serial}, 'not due: it is not renewed';
is scalar($ca->orders), 1, 'and nothing is ordered';

# more than is left
$ca->set(backdate => 0);
$t->configure(renew_window => '70')->reload;
my $next = $t->wait_new_serial('a.test', $seen->{serial}, 20) or $t->give_up;
pass '70 days: it is renewed at once';
$seen = $next;
ok $t->wait_for(sub {
    my $left = days_before_end($t->status('a.test')->{renew_at});
    return $left ne '' && $left <= 70 && $left >= 69.3;
}, 10, 'a plan'), 'and again when 70 of its 100 days are left';
is scalar($ca->orders), 2, 'with one order';

# back to the usual time
$t->configure(renew_window => undef)->reload;
ok $t->wait_for(sub {
    return $t->status('a.test')->{renew_why} eq 'two thirds of its life';
}, 10, 'another plan'), 'without the window: two thirds of its life';

$t->done;
