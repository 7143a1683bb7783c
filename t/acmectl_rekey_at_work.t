#!/usr/bin/perl
# account rekey while a job is about to make an order: the job is waited for
# and has its certificate, with no failure; the next one has the new key.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my ($exit, $out, $err);
sub known () { return ($t->ca->accounts)[0]{thumbprint} }

$t->site($_) for qw(a.test b.test);
$t->start;
$t->wait_certificate($_) || $t->give_up for qw(a.test b.test);
my %serial = map { $_ => $t->serial($_) } qw(a.test b.test);
my $old = known();
my $orders = () = $t->ca->requests('newOrder');

$t->ca->fault(where => 'newOrder', do => 'latency', seconds => 3);
$t->acmectl('renew', '--force', '--no-wait', '--cert-name', 'a.test');
$t->wait_for(sub { $orders < (() = $t->ca->requests('newOrder')) }, 10,
    'an order that is being made') or $t->give_up;
ok !-e $t->state('orders', 'a.test', 'order.json'), 'its URL is not known yet';
($exit, $out, $err) = $t->acmectl('account', 'rekey');
is $exit, 0, 'the key is changed' or diag $err;
like $err, qr/waiting for lineage "a\.test"/, 'it says whom it waits for';
isnt known(), $old, 'the CA knows the new one';
ok $t->wait_new_serial('a.test', $serial{'a.test'}), 'renewed';
is $t->live_version('a.test'), 2, 'by that job';
is scalar(my @made = $t->ca->requests('newOrder')), $orders + 1,
    'with that order';
unlike $t->log, qr/not renewed|not obtained/, 'nothing has failed';

($exit, $out, $err) = $t->acmectl('renew', '--force', '--cert-name', 'b.test');
is $exit, 0, 'the next renewal' or diag $err;
isnt $t->serial('b.test'), $serial{'b.test'}, 'has the new key';
is scalar($t->ca->accounts), 1, 'and the account that there was';

$t->done;
