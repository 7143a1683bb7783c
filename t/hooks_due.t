#!/usr/bin/perl
# Deploy hooks are due until they have been run: what a crash has left is run
# by the next start, and what is due of a certificate that is not live, as
# somebody may be about to make it so, is neither run nor forgotten.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $log = $t->dir . '/hooks.log';
my $hold = $t->dir . '/hold';
my $due = $t->state('due', 'a.test.json');

$t->configure(hook => ["deploy \"echo \$RENEWED_DOMAINS >> $log; "
    . "while [ -e $hold ]; do sleep 0.1; done\""]);
spew($hold, '');
$t->expect_log(qr/was killed|died/);
$t->site(['a.test', 'www.a.test'])->start;
$t->wait_certificate('a.test') or $t->give_up;
ok $t->wait_for(sub { -s $log }, 10), 'a hook is at work';
my $text = slurp($due);
like $text, qr/"fingerprint"/, 'it is due on the disk';

kill 'KILL', $t->store_pid;
ok $t->wait_for(sub { (slurp($log) // '') =~ /\n.*\n/ }, 20),
    'the store is killed: run again';
unlink $hold;
ok $t->wait_for(sub { !-e $due }, 20), 'and not due any more';
is slurp($log) =~ s/a\.test www\.a\.test\n//gr, '', 'told of its names';

$t->stop;
unlink $log;
spew($due, $text, 0600);
$t->start;
ok $t->wait_for(sub { -s $log && !-e $due }, 10), 'at a start';

$t->stop;
unlink $log;
spew($due, $text =~ s/("fingerprint": ")[0-9a-f]{4}/${1}0000/r, 0600);
$t->start;
ok $t->wait_helpers, 'of another certificate';
sleep 2;
ok -e $due, 'it stays due';
ok !-e $log, 'and is not run';

spew($due, "{ \"fingerprint\": 7 }\n", 0600);
$t->restart;
sleep 1;
ok !-e $log, 'damaged: nothing is run';
is $t->serial('a.test'), uc $t->status('a.test')->{serial}, 'all is served';

$t->done;
