#!/usr/bin/perl
# The MAC key of an external account binding is the store's, and the engine's
# while it signs: never in the memory of the master, of a worker or of another
# child of the server, nor in the engine's when the account is there.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::Jws qw(b64);
use Acme::Proc qw(process_table);
use Acme::SecProc qw(found_in);
use Acme::Test;

Acme::Test->need_root;
plan skip_all => 'the memory of a sanitized process has terabytes'
    if $ENV{ACME_PRELOAD};
my $secret = join '', map { chr 97 + int rand 26 } 1 .. 40;
my $t = Acme::Test->new(workers => 1,
    ca => { type => 'own', eab => { kid => b64($secret) } });
my %canary = (bytes => $secret, base64 => b64($secret));

$t->issuer('testca', ca => $t->ca, eab => { kid => 'kid', key => b64($secret) });
$t->site('a.test');
$t->start_ca;
$t->ca->fault(where => 'newAccount', do => 'latency', seconds => 4,
    times => 'always');
$t->start;

sub servers ()
{
    my %ours = map { $_ => 1 } $t->supervisor_pids;
    my $table = process_table();
    return master => $t->master_pid, supervisor => $t->supervisor_pid,
        map { ("$_->{title} $_->{pid}" => $_->{pid}) }
        grep { $_->{ppid} == $t->master_pid && !$ours{ $_->{pid} } }
        values %$table;
}

sub look ($when, %more)
{
    my %pid = (servers(), %more);
    is_deeply [found_in($pid{$_}, \%canary)], [], "$when: not in $_"
        for sort keys %pid;
    cmp_ok scalar(keys %pid), '>=', 3, "$when: master, supervisor, workers";
    return;
}

ok $t->wait_for(sub { $t->store_pid
    && grep { $_ eq 'bytes' } found_in($t->store_pid, \%canary) }, 10),
    'the store has it';
look('before the account');
$t->ca->clear_faults;
$t->wait_certificate('a.test') or $t->give_up;
is(($t->ca->accounts)[0]{bound}, 'kid HS256', 'it was used');
look('afterwards', engine => $t->engine_pid);
ok $t->reload, 'reload';
$t->wait_helpers;
look('after a reload', engine => $t->engine_pid);

$t->done;
