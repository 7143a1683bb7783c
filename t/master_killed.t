#!/usr/bin/perl
# The master is killed: none of our processes stays, and the next start takes
# up the order that was on its way.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
$t->ca->fault(where => 'validate', do => 'slow-validation', seconds => 3);
$t->site('a.test')->start;
$t->wait_for(sub { $t->ca->challenge_posts }, 10) or $t->give_up;

# stop looks for what is left
$t->stop('KILL');
ok !$t->supervisor_pids && !$t->store_pids && !$t->engine_pids,
    'none of our processes is left';

$t->start;
ok $t->wait_certificate('a.test'), 'the next start goes on';
is scalar($t->ca->orders), 1, 'with the same order';
is $t->ca->challenge_posts, 1, 'and the same answer';
is $t->status('a.test')->{failures} // 0, 0, 'that is no failure';

$t->done;
