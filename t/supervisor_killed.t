#!/usr/bin/perl
# The supervisor is killed: store and engine do not live on without it, the
# workers serve what they have, a reload brings everything back.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(process_table);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test')->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;
$t->wait_helpers or $t->give_up;

my @helpers = ($t->supervisor_pid, $t->store_pid, $t->engine_pid);
kill 'KILL', $helpers[0];
ok $t->wait_for(sub {
    Acme::Proc::reap();
    my $table = process_table();
    !grep { $table->{$_} } @helpers;
}, 5), 'store and engine end';
is $t->serial('a.test'), $first->{serial}, 'the workers serve';

$t->site('b.test');
ok $t->reload, 'reload';
ok $t->wait_helpers, 'brings the helpers back';
ok $t->wait_certificate('b.test'), 'which obtain what is new';
is $t->serial('a.test'), $first->{serial}, 'and keep what was there';
is scalar($t->ca->orders), 2, 'one order each';

$t->done;
