#!/usr/bin/perl
# All helpers are killed while a deploy hook runs: it is run again after the
# next start, as other programs may not have heard of the certificate; and
# not once more after that.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $log = $t->dir . '/hooks.log';

sub ran () { return [split /\n/, slurp($log) // ''] }

$t->configure(hook => "deploy \"echo begin >> $log; sleep 2; "
        . "echo end >> $log\"");
$t->site('a.test')->start;
ok $t->wait_for(sub { @{ ran() } == 1 }, 30), 'the hook runs' or $t->give_up;
ok -e $t->state('due', 'a.test.json'), 'and is due until it has been run';
kill 'KILL', map { $t->helpers($_) } qw(supervisor store engine runner);
$t->stop;
sleep 3;
is_deeply ran(), ['begin'], 'its own processes do not outlive the runner';
my $serial = $t->status('a.test')->{serial};

unlink $log;
$t->start;
is $t->serial('a.test'), uc $serial, 'what was obtained is served';
ok $t->wait_for(sub { @{ ran() } == 2 }, 15), 'the hook runs again';
is_deeply ran(), ['begin', 'end'], 'to its end';
ok $t->wait_for(sub { !-e $t->state('due', 'a.test.json') }, 5),
    'nothing is due any more';

$t->restart;
$t->wait_helpers;
sleep 1;
is_deeply ran(), ['begin', 'end'], 'once';

$t->done;
