#!/usr/bin/perl
# What begins with no program is refused at start, unless validation is off:
# then it is accepted, run as the line that it is, and may be none.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $log = $t->dir . '/hooks.log';

$t->configure(hook => ["post \"WORD=x; echo \$WORD > $log\"",
    'deploy no-such-program']);
$t->site('a.test');
my ($exit, $out) = $t->test_config;
isnt $exit, 0, 'a line that begins with a variable';
like $out, qr/(?:post|deploy) hook ".*": program "\S+" is not in PATH \(.*(?:acme_hook_validation|ACMEHookValidation) off/s,
    'names the stage, the command, PATH and the cure';

$t->configure(hook_validation => 'off');
($exit, $out) = $t->test_config;
is $exit, 0, 'X043: accepted without validation' or diag $out;
$t->expect_log(qr/hook failed/);
$t->start;
$t->wait_certificate('a.test') or $t->give_up;
ok $t->wait_for(sub { (slurp($log) // '') eq "x\n" }, 10), 'and run';
like $t->log, qr/deploy hook failed, lineage "a\.test": .*no-such-program/,
    'what is none is told then';
ok $t->reload, 'nothing is in the way of a reload';

$t->done;
