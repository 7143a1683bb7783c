#!/usr/bin/perl
# A new certificate is not served before it has some age, also over a restart;
# not so the first one, nor one that a person wants by force.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

use constant DAY => 86_400;

my $t = Acme::Test->new(ca => { type => 'own', validity => 100 * DAY,
    backdate => 40 * DAY });
my $ca = $t->ca;
$t->configure(activation_delay => '1h');
$t->site('a.test')->start;
my $seen = $t->wait_certificate('a.test') or $t->give_up;
pass 'the first one is served at once';

# Renews what has 60 days left, by one that has a hundred.
sub have_renewed ($delay)
{
    my $mark = $t->log_mark;
    $t->configure(activation_delay => $delay, renew_window => '70d')->reload;
    $t->wait_log(qr/lineage "a\.test": .*is served from \d\S+ on/, 15,
        since => $mark) or $t->give_up;
    return;
}

$ca->set(backdate => 0);
have_renewed('1h');
my @orders = $ca->orders;
is $orders[-1]{status}, 'valid', 'the CA has issued another one';
is $t->serial('a.test'), $seen->{serial}, 'which is not served yet';
my ($exit, $out) = $t->acmectl('renew');
is $exit, 0, 'acmectl renew is content';
like $out, qr/the new certificate is served from \d\S+ on/, '  and says why';
$t->restart;
$t->wait_helpers;
is +($t->acmectl('renew'))[0], 0, 'a restart forgets nothing';
is scalar($ca->orders), 2, '  and orders nothing';
is $t->serial('a.test'), $seen->{serial}, '  nor is it served then';

is +($t->acmectl('renew', '--force'))[0], 0, 'by force';
my $forced = $t->wait_new_serial('a.test', $seen->{serial}, 10)
    or $t->give_up;
pass '  it is served at once';
is scalar($ca->orders), 2, '  the one that was there';

# the time comes
$ca->set(backdate => 40 * DAY);
$t->configure(renew_window => undef, activation_delay => undef)->reload;
is +($t->acmectl('renew', '--cert-name', 'a.test'))[0], 0, 'nothing is due';
$t->site('b.test', activation_delay => '6s')->reload;
my $b = $t->wait_certificate('b.test') or $t->give_up;
$ca->set(backdate => 0);
my $began = time;
$t->site('c.test');
$t->configure(renew_window => '70d')->reload;
ok $t->wait_new_serial('b.test', $b->{serial}, 30), 'later it is served';
cmp_ok time - $began, '>=', 6, '  when it is so old';

$t->done;
