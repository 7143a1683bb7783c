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
    my $version = $t->state('archive', $name, 2);
    my ($file) = grep { /$kind/ } glob "$version/*";

    if ($kind eq 'live') {
        unlink $t->state('live', $name) or die;
        symlink '../archive/live.test/77', $t->state('live', $name) or die;
        next;
    }
    ok $file, "there is a file for $kind" or next;
    spew($file, "damaged\n", 0600);
}
for my $file (glob $t->state('archive', 'only.test', '*', '*')) {
    spew($file, "damaged\n", 0600);
}

my $mark = $t->log_mark;
$t->start;
my $log = $t->log_since($mark);
for my $kind (@kinds) {
    my $seen = $t->serial("$kind.test") // 'none';
    my $which = $seen eq $first{$kind}{serial} ? 'the first'
        : $seen eq $second{$kind} ? 'the second' : 'no';
    isnt $which, 'no', "$kind damaged: served is $which version";
    my ($said) = $log =~ /^(.*\[\w+\].*\Q$kind.test\E.*)$/m;
    note $said // 'nothing said';
}
ok !$t->peer_certificate('only.test'), 'nothing left of it: no certificate';
like $log, qr/only\.test/, 'the log says so';
note $log;

$t->done;
