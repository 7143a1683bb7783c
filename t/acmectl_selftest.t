#!/usr/bin/perl
# acmectl selftest asks the servers that run, also those that answer the tokens
# of orders alone; it orders nothing, leaves nothing behind and says what it
# cannot know.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own', dns => 1);

$t->configure(dns_resolver => $t->dns->address);
$t->site(['on.test', 'www.on.test']);
$t->site('pending.test', stateless => 'pending');
$t->site('off.test', stateless => 'off', acme => 'testca');
$t->start;
$t->wait_certificate($_) or $t->give_up for qw(on.test pending.test);
$t->wait_log(qr/not obtained, lineage "off\.test"/, 15) or $t->give_up;
# nobody is at the names' addresses
$t->dns->default_ipv4('127.255.254.253');
my $orders = $t->ca->orders;

sub selftest (@words)
{
    my ($exit, $out, $err) = $t->acmectl('selftest', '--json', @words);
    my %row = map { $_->{name} => $_ } @{ decode_json($out || '[]') };
    return ($exit, \%row, $err);
}

my ($exit, $row) = selftest('-d', 'on.test', 'www.on.test', 'pending.test');
is_deeply { map { $_ => $row->{$_}{binding}{verdict} } keys %$row },
    { map { $_ => 'good' } qw(on.test www.on.test pending.test) },
    'who answers for all, and for orders alone';
is_deeply [grep { m{^orders/} } $t->state_files], [], 'nothing is left behind';
($exit, $row) = selftest('--cert-name', 'off.test');
is $exit, 1, 'one that answers nothing';
like $row->{'off.test'}{binding}{text}, qr/does not answer .*answered 404/,
    'why';
is_deeply [keys %$row], ['off.test'], 'and only that one';

$t->stop;
($exit, $row, my $err) = selftest('-d', 'on.test');
is $row->{'on.test'}{binding}{verdict}, 'unknown', 'without a server';
like $err, qr/no server runs on this state directory/, 'which is said';
is scalar($t->ca->orders), $orders, 'nothing was ordered by any of this';
my ($usage, undef, $why) = $t->acmectl('selftest', '-d', 'no..name');
is $usage, 2, 'what is no name';
like $why, qr/no\.\.name/, 'is told';
$t->done;
