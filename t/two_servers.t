#!/usr/bin/perl
# Two servers on one state directory: each serves what the other obtained,
# answers the other's challenges, and what both want is ordered once.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $one = Acme::Test->new(ca => 'own');
my $two = Acme::Test->new;
$two->configure(state => $one->state)->issuer('testca', ca => $one->ca);

# the CA looks for challenges at the first one's port only
$one->site('first.test')->start;
$one->wait_certificate('first.test') or $one->give_up;
$two->site('second.test', acme => 'testca');
$two->site('shared.test', acme => 'testca');
$two->site('first.test', acme => 'testca')->start;

my %verify = (ca_file => $one->ca->root_file, verify => 0);
ok $two->wait_certificate('second.test', 30, %verify),
    'the first one answers what the second one ordered';
ok $two->wait_certificate('shared.test', 30, %verify), 'twice';
is $two->serial('first.test'), $one->serial('first.test'),
    'the second one serves what the first one has';

$one->site('shared.test')->reload;
is $one->serial('shared.test'), $two->serial('shared.test'),
    'and the first one what the second one has';
is scalar($one->ca->orders), 3, 'nothing was ordered twice';
is scalar($one->ca->accounts), 1, 'with one account';

my $old = $one->serial('shared.test');
is +($one->acmectl('renew', '--force', '--cert-name', 'shared.test'))[0], 0,
    'one renewal';
for my $server ($one, $two) {
    ok $server->wait_new_serial('shared.test', $old, 4, verify => 0),
        'which both serve within seconds';
}
is $one->serial('shared.test'), $two->serial('shared.test'), 'the same one';
is scalar($one->ca->orders), 4, 'one order';
is scalar @{ $one->status('shared.test')->{declared} }, 2,
    'status: declared by both';
is scalar @{ $one->status('first.test')->{declared} }, 2, 'as this one is';
is scalar @{ $one->status('second.test')->{declared} }, 1, 'or by one';

# what they cannot agree about is shown, and not ordered
$two->clear_config->configure(state => $one->state);
$two->issuer('other', uri => 'https://127.0.0.1:1/dir');
$two->site('shared.test', acme => 'other')->reload;
ok $one->wait_for(sub {
    $one->status('shared.test')->{state} eq 'conflict' }, 5),
    'contradictory declarations: status conflict';
like $one->status('shared.test')->{conflict}, qr{https://127\.0\.0\.1:1/dir},
    'says about what';
$one->acmectl('renew', '--cert-name', 'shared.test');
is scalar($one->ca->orders), 4, 'no order, by acmectl either';
ok $_->serial('shared.test'), 'both go on serving' for $one, $two;

undef $two;    # its teardown
$one->done;
