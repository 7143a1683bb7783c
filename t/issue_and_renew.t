#!/usr/bin/perl
# A certificate from a real CA, served by all workers without a reload, then
# renewed by force, and kept over a reload.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'pebble');
$t->site(['a.test', 'www.a.test'])->start;

my $first = $t->wait_certificate('a.test') or $t->give_up;
is_deeply [sort @{ $first->{names} }], ['a.test', 'www.a.test'],
    'both names of the server are in it';

my @pids = sort($t->master_pid, $t->worker_pids);
my ($exit, $out) = $t->acmectl('renew', '--force', '--cert-name', 'a.test');
is $exit, 0, 'acmectl renews through the running server';
like $out, qr/certificate renewed/, 'and says so';

my $second = $t->wait_new_serial('a.test', $first->{serial})
    or $t->give_up;
my %seen = map { $t->serial('a.test') => 1 } 1 .. 20;
is_deeply [keys %seen], [$second->{serial}],
    'every worker serves the new one';
is_deeply [sort($t->master_pid, $t->worker_pids)], \@pids,
    'no process was replaced for it';

ok $t->reload, 'reload';
is $t->serial('a.test'), $second->{serial}, 'the reload keeps it';
is $t->live_version('a.test'), 2, 'live points to version 2';

$t->done;
