#!/usr/bin/perl
# Hooks of renewals that overlap: the same pre hook once, before the first, and
# the same post hook once, after the last, told of all names, those that failed
# too; deploy hooks once for each certificate, and none for a failure.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $log = $t->dir . '/hooks.log';
my $say = spew($t->dir . '/say', <<~"END", 0755);
    #!/bin/sh
    echo "\$ACME_HOOK:\$1:\$RENEWED_DOMAINS:\$FAILED_DOMAINS:\$RENEWED_LINEAGE" >> $log
    END

sub ran ()
{
    my @lines = split /\n/, slurp($log) // '';
    unlink $log;
    return @lines;
}

sub sorted ($names) { return join ' ', sort split / /, $names }

# [names renewed, names failed] of the post hook's lines, both in order
sub posts (@lines)
{
    return map { my @f = split /:/, $_, 5; [sorted($f[2]), sorted($f[3])] }
        grep { /^post:/ } @lines;
}

# All begin before the first of them is proved.
$t->start_ca;
$t->ca->fault(where => 'validate', do => 'slow-validation', seconds => 2,
    times => 'always');
$t->configure(hook => ["pre $say all", "deploy $say all", "post $say all"]);
$t->site('a.test')->site('b.test', hook => ["pre $say all", "pre $say b"]);
$t->site('d.test');
$t->start;
for my $name (qw(a.test b.test d.test)) {
    $t->wait_certificate($name) or $t->give_up;
}
ok $t->wait_for(sub { (slurp($log) // '') =~ /^post/m }, 10), 'post was run';
$t->stop;
my @lines = ran();
is_deeply [grep { /^pre/ } @lines], ['pre:all:::', 'pre:b:::'],
    'X028: the same pre hook once, another one too';
is_deeply [sort grep { /^deploy/ } @lines],
    [map { "deploy:all:$_.test::" . $t->state('live', "$_.test") } qw(a b d)],
    'X031: deploy hooks for each certificate';
is_deeply [posts(@lines)], [['a.test b.test d.test', '']],
    'X029: the same post hook once';
like $lines[-1], qr/^post/, 'at the end';

# acmectl alone, with more than can be worked on side by side
my @names = map { "s$_.test" } 1 .. 20;
$t->ca->clear_faults;
$t->site($_) for @names;
$t->start;
for my $name (@names) {
    $t->wait_certificate($name) or $t->give_up;
}
$t->stop;
ran();
$t->ca->fault(where => 'newOrder', do => 'error', name => 'b.test',
    status => 400, type => 'rejectedIdentifier', times => 'always');
my ($exit, $out, $err) = $t->acmectl({ timeout => 120 }, 'renew', '--force');
is $exit, 1, 'one of 23 cannot be renewed';
@lines = ran();
is_deeply [sort grep { /^pre/ } @lines], ['pre:all:::', 'pre:b:::'],
    'the same pre hook once';
is scalar(grep { /^deploy/ } @lines), 22, 'X031: deploy hooks for the others';
is scalar(grep { /^deploy:all:b\.test/ } @lines), 0, 'not for that one';
is_deeply [posts(@lines)], [[sorted("a.test d.test @names"), 'b.test']],
    'X030: the post hook once, told which is which';
like $lines[-1], qr/^post/, 'at the end of the run';

$t->done;
