#!/usr/bin/perl
# renew_mode manual: nothing is ordered, renewed or tried again before a person
# asks for it; the server runs, with what it has.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

use constant DAY => 86_400;

my $t = Acme::Test->new(ca => { type => 'own', validity => 100 * DAY,
    backdate => 80 * DAY });
my $ca = $t->ca;
$t->site('a.test', renew_mode => 'manual')->site('b.test')->start;

# When b.test has its certificate, a.test would have had one as well.
$t->wait_certificate('b.test') or $t->give_up;

sub ordered ($name)
{
    return scalar grep { $_ eq $name }
        map { map { $_->{value} } @{ $_->{payload}{identifiers} } }
        $ca->orders;
}

is ordered('a.test'), 0, 'nothing is ordered';
my $status = $t->status('a.test');
is $status->{state}, 'missing', 'the status: missing';
like $status->{state_text}, qr/order is due, with acmectl renew alone/,
    '  and what helps';
is $status->{timing}{mode}, 'manual', '  and that this is wanted';
my $placeholder = $t->peer_certificate('a.test', verify => 0);
unlike $placeholder->{subject} // '', qr/a\.test/, 'a placeholder is served'
    if $t->host eq 'httpd';

is $t->http_get('/', host => 'a.test', port => $t->port('tls'), tls => 1,
    sni => 'a.test')->{status}, 503, '  and requests get 503'
    if $t->host eq 'httpd';

# a failure is not tried again
$ca->fault(where => 'newOrder', do => 'error', status => 500, times => 1);
my ($exit) = $t->acmectl('renew', '--cert-name', 'a.test');
isnt $exit, 0, 'asked for, it fails';
is ordered('a.test'), 0, '  at the CA';
ok !defined $t->status('a.test')->{next_attempt}, '  no time is planned';
like $t->status('a.test')->{state_text},
    qr/the last attempt failed, the next one is with acmectl renew/,
    'the status promises no other attempt';

# b.test's first failure is 15 seconds from its second at most
$t->site('c.test', retry_delay => '2s');
$ca->fault(where => 'newOrder', do => 'error', status => 500, times => 1);
$t->reload;
$t->wait_certificate('c.test') or $t->give_up;
is ordered('a.test'), 0, 'nor by a reload, nor with time';

($exit) = $t->acmectl('renew', '--cert-name', 'a.test');
is $exit, 0, 'asked for again, it is obtained';
my $seen = $t->wait_certificate('a.test') or $t->give_up;
is ordered('a.test'), 1, 'with one order';

# 20 days of 100 are left.
$t->configure(renew_window => '30d')->reload;
$status = $t->wait_for(sub {
    my $one = $t->status('a.test');
    return $one->{state} eq 'due' && $one;
}, 10, 'a plan') or $t->give_up;
pass 'it is due';
like $status->{state_text}, qr/order is due, with acmectl renew alone/,
    '  the status says who renews it';
$t->site('d.test')->reload;
$t->wait_certificate('d.test') or $t->give_up;
is $t->serial('a.test'), $seen->{serial}, 'it is not renewed';
($exit) = $t->acmectl('renew', '--cert-name', 'a.test', '--force');
is $exit, 0, 'asked for, it is';
ok $t->wait_new_serial('a.test', $seen->{serial}, 10), '  and served';

$t->done;
