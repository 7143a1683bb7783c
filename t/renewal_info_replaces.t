#!/usr/bin/perl
# What an order replaces (RFC 9773 5): a CA that says it has been replaced, or
# that cannot do with it, gets the order without, in the same attempt.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run);
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', ari => {} });
my $ca = $t->ca;
$t->site('a.test')->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;

# A backup of the state directory is older than the CA's knowledge.
my $copy = $t->dir . '/backup';
$t->stop;
is run(cmd => ['cp', '-a', $t->state, $copy])->{exit}, 0, 'a backup';
$t->start;
is +($t->acmectl('renew', '--force'))[0], 0, 'a renewal';
$t->wait_new_serial('a.test', $first->{serial}) or $t->give_up;
my $replaces = ($ca->orders)[1]{payload}{replaces};
ok $replaces, 'tells what it replaces';
$t->stop;
is run(cmd => ['rm', '-r', $t->state])->{exit}
    + run(cmd => ['mv', $copy, $t->state])->{exit}, 0, 'restored';
$t->start;
is $t->serial('a.test'), $first->{serial}, 'the first one is served again';

is +($t->acmectl('renew', '--force'))[0], 0, 'another renewal';
my $third = $t->wait_new_serial('a.test', $first->{serial})
    or $t->give_up;
my @asked = $ca->requests('newOrder');
is $asked[2]{payload}{replaces}, $replaces, 'tells the same';
is $asked[2]{problem}, 'alreadyReplaced', 'which the CA has heard before';
ok !exists $asked[3]{payload}{replaces}, 'so the order goes without';
is scalar(@asked), 4, 'once';
unlike $t->log, qr/not renewed/, 'which is no failure';

# A CA that does not like it at all.
$t->stop;
my $record = $t->state('record', 'a.test.json');
is run(cmd => ['rm', $record])->{exit}, 0, 'may be forced again';
$ca->fault(where => 'newOrder', do => 'no-replaces', times => 'always');
$t->start;
is +($t->acmectl('renew', '--force'))[0], 0, 'a third renewal';
ok $t->wait_new_serial('a.test', $third->{serial}), 'succeeds';
@asked = $ca->requests('newOrder');
is_deeply [map { exists $_->{payload}{replaces} ? 1 : 0 } @asked[4 .. $#asked]],
    [1, 0], 'with, then without';

$t->done;
