#!/usr/bin/perl
# Hooks that fail: an error in the log, or on acmectl's standard error, and
# nothing else: the others are run, the certificate is served, the exit status
# is that of the renewal.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $log = $t->dir . '/hooks.log';

# One that fails before one that does not, in each stage.
$t->configure(hook => [map {
    ("$_ \"echo no $_ >&2; exit 3\"", "$_ \"echo $_ >> $log\"")
} qw(pre deploy post)]);
my $gone = spew($t->dir . '/gone', "#!/bin/sh\nexit 0\n", 0755);
$t->site('a.test', hook => ["deploy $gone", "deploy $gone word",
    "deploy \"echo deploy >> $log\""]);
$t->expect_log(qr/hook failed/);
$t->site('b.test')->start;
my $first = $t->wait_certificate('b.test') or $t->give_up;

sub all_ran ($n)
{
    return $t->wait_for(sub { (slurp($log) // '') =~ /^post/m
        && (() = slurp($log) =~ /^deploy/mg) == $n }, 10);
}
ok all_ran(2), 'hooks behind ones that fail are run';
for my $stage (qw(pre deploy post)) {
    my $of = $stage eq 'post' ? '' : qr/, lineage "[ab]\.test"/;
    like $t->log, qr/${\$t->level('error')}.*\Q$stage\E hook failed$of: .*"echo no $stage >&2; exit 3".* failed with exit status 3.*no $stage/,
        "the log has the $stage hook, its status and its words";
}
ok $t->wait_for(sub { $t->status('b.test')->{state} eq 'ok' }, 5),
    'the status is good';
my ($told) = grep { $_->{error} } @{ $t->state_json('told',
    'b.test.json')->{hooks} };
like $told->{error}, qr/exit status 3/, 'but it is remembered';

unlink $log, $gone;
my ($exit, $out, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'X032: a renewal by the server' or diag $err;
ok all_ran(2), 'and all its hooks';
like $t->log, qr/deploy hook failed, lineage "a\.test": .*gone.*/,
    'one whose program has gone';
isnt $t->serial('b.test'), $first->{serial}, 'the new one is served';

$t->stop;
unlink $log;
my ($record) = grep { -e } $t->state('record', 'b.test.json');
unlink $record, $t->state('record', 'a.test.json');
($exit, $out, $err) = $t->acmectl('renew', '--force', '--cert-name',
    'b.test');
is $exit, 0, 'X032: by acmectl alone' or diag $err;
like $err, qr/\Q$_\E hook failed.* failed with exit status 3/,
    "which tells of the $_ hook" for qw(pre deploy post);
is_deeply [split /\n/, slurp($log) // ''], [qw(pre deploy post)],
    'and runs the others';

$t->done;
