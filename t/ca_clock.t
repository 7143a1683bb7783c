#!/usr/bin/perl
# A CA whose clock is not ours, by two hours or by 40 days: somebody is told,
# nothing is withdrawn, and nothing is renewed because of it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my @names = map { "$_.test" } qw(a b c);
my $t = Acme::Test->new(ca => 'own');
$t->site($_) for @names;
$t->start;
my %serial = map { $_ => ($t->wait_certificate($_) || $t->give_up)->{serial} }
    @names;
unlike $t->log, qr/the clock of issuer/, 'clocks that agree are no news';

my %case = (7200 => '2 hours ahead of', -7200 => '2 hours behind',
    3_456_000 => '40 days ahead of', -3_456_000 => '40 days behind');
my $orders = @names;
for my $offset (sort { abs $a <=> abs $b || $a <=> $b } keys %case) {
    $t->ca->clear_faults;
    $t->ca->fault(where => '*', do => 'date', offset => $offset,
        times => 'always');
    ok $t->reload, "$offset s: a reload";
    $t->wait_helpers;

    # one that asks, as somebody has added it
    my $new = "n$orders.test";
    $t->site($new)->reload;
    ok $t->wait_certificate($new, 10), 'a new name gets its certificate';
    ok $t->wait_log(qr/the clock of issuer \S+ is $case{$offset} ours/),
        'the log says how far they are apart';
    is $t->status($new)->{clock_ahead} <=> 0, $offset <=> 0, 'so does status';
    my (undef, $out) = $t->acmectl('status', '--cert-name', $new);
    like $out, qr/clock\s+the CA's is \d+ seconds/, 'and acmectl';

    sleep 2;
    is scalar($t->ca->requests('newOrder')), ++$orders,
        'nothing is ordered because of it';
    is $t->serial($_), $serial{$_}, "$_ is served" for @names;
}

$t->done;
