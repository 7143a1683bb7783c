#!/usr/bin/perl
# An engine that dies of itself in the middle of an attempt: the attempt
# counts as failed, so that it is not repeated every second; a person who
# asks can have it at once.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
$t->ca->fault(where => 'validate', do => 'slow-validation', seconds => 2);
$t->site('a.test')->start;
$t->wait_for(sub { $t->ca->challenge_posts }, 10) or $t->give_up;

kill 'SEGV', $t->engine_pid;
ok $t->wait_log(qr/engine died of signal 11/), 'the log says so';
ok $t->wait_helpers, 'it is back';
ok $t->wait_for(sub { ($t->status('a.test') // {})->{failures} }, 5),
    'the attempt has failed';
my $status = $t->status('a.test');
is $status->{state}, 'failing', 'status: failing';
like $status->{error}{text}, qr/the engine died at step "authorize"/,
    'with the step';
ok $status->{next_attempt}, 'and the time of the next attempt';

my ($exit, $out) = $t->acmectl('renew');
is $exit, 0, 'acmectl renew goes on';
like $out, qr/certificate obtained/, 'and gets it';
is scalar($t->ca->orders), 1, 'one order';
is $t->ca->challenge_posts, 1, 'one answer';
is $t->status('a.test')->{state}, 'ok', 'status: ok';

$t->done;
