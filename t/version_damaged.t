#!/usr/bin/perl
# Files of the live version are damaged while the server is down: it starts
# on the version before, or without one, and says which file it is.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my @kinds = qw(privkey cert chain fullchain meta live);
$t->site("$_.test") for @kinds;
$t->site('only.test')->start;
my %first = map { $_ => $t->wait_certificate("$_.test") || $t->give_up }
    @kinds, 'only';
is +($t->acmectl('renew', '--force'))[0], 0, 'a second version of each';
my %second = map { $_ => $t->serial("$_.test") } @kinds;
$t->stop;
$t->ca->unreachable;

for my $kind (@kinds) {
    my $name = "$kind.test";
    if ($kind eq 'live') {
        unlink $t->state('live', $name) or die;
        symlink '../archive/live.test/77', $t->state('live', $name) or die;
        next;
    }
    my ($file) = grep { -e } map { $t->state('archive', $name, 2,
        "$kind.$_") } qw(pem json);
    ok $file, "there is a file for $kind" or next;
    spew($file, "damaged\n", 0600);
}
for my $file (glob $t->state('archive', 'only.test', '*', '*')) {
    spew($file, "damaged\n", 0600);
}

# The version before is served where the server needs the file; others that
# it does not need are there for other programs.
my $mark = $t->log_mark;
$t->start;
my ($log, $error) = ($t->log_since($mark), $t->level('error'));
for my $kind (qw(privkey fullchain live)) {
    my $want = $kind eq "live" ? $second{live} : $first{$kind}{serial};
    is $t->serial("$kind.test"), $want,
        "$kind damaged: the version before is served";
    my $file = $kind eq 'live' ? 'live.test/77/' : "$kind.test/2/$kind.pem";
    like $log, qr{$error.*older one is served: "archive/\Q$file\E},
        'and the log says which file';
    is $t->status("$kind.test")->{state}, 'damaged', 'status: damaged';
}
is $t->serial("$_.test"), $second{$_}, "$_ damaged: what is live is served"
    for qw(cert chain meta);
ok !$t->peer_certificate('only.test', verify => 1), 'nothing left of it: none';
like $log, qr{$error.*archive/only\.test/\d/\w+\.pem" is damaged},
    'the log says which file';

$t->ca->reachable;
is +($t->acmectl('renew', '--cert-name', 'only.test'))[0], 0, 'renew';
ok $t->wait_certificate('only.test', 5), 'helps';

$t->done;
