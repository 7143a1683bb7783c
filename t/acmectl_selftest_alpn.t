#!/usr/bin/perl
# acmectl selftest, of names that tls-alpn-01 proves: it shakes hands with the
# servers that run, for names and addresses, while its challenge is one for
# them; it leaves nothing behind, disturbs no order, and does not wait for a
# server that hangs.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Alpn qw(account look present withdraw wrong);
use Acme::Test;
use Fcntl qw(LOCK_EX);
use JSON::PP;
use POSIX qw(strftime);

my $t = Acme::Test->new(ca => 'own', dns => 1);

$t->configure(dns_resolver => $t->dns->address, challenge => 'tls-alpn-01');
$t->site(['on.test', 'www.on.test'], stateless => 'off',
    identifiers => ['on.test', 'www.on.test', '127.255.254.253']);
$t->site('busy.test');
$t->start;
$t->wait_certificate($_) or $t->give_up for qw(on.test busy.test);
# nobody is at the names' addresses
$t->dns->default_ipv4('127.255.254.253');
my $orders = $t->ca->orders;
my $port = $t->port('tls');

sub selftest (@words)
{
    my ($exit, $out, $err) = $t->acmectl('selftest', '--json', @words);
    my %row = map { $_->{name} => $_ } @{ decode_json($out || '[]') };
    return \%row;
}

my $row = selftest();
is_deeply { map { $_ => "$row->{$_}{challenge} $row->{$_}{binding}{verdict}" }
        keys %$row },
    { map { $_ => 'tls-alpn-01 good' }
        qw(on.test www.on.test busy.test 127.255.254.253) },
    'names and an address, whatever http-01 is answered';
is $row->{'on.test'}{binding}{text}, "answered at 127.0.0.1:$port", 'where';
is_deeply [grep { m{^orders/} } $t->state_files], [], 'nothing is left behind';
ok $t->wait_for(sub { !look($port, 'on.test')->{digest} }, 5),
    'nor answered any more';

# a challenge of somebody's order
my ($expected) = present($t, account($t), ['busy.test'],
    presented => strftime('%Y-%m-%dT%TZ', gmtime));
$t->wait_for(sub { !wrong(look($port, 'busy.test'), 'busy.test', $expected) },
    5, 'a proof') or $t->give_up;
$row = selftest('-d', 'busy.test');
is $row->{'busy.test'}{binding}{verdict}, 'unknown', 'with one in flight';
like $row->{'busy.test'}{binding}{text}, qr/answered for another order/,
    'which is told';
is wrong(look($port, 'busy.test'), 'busy.test', $expected), '',
    'and not disturbed';
withdraw($t);

# somebody at work on the certificate
open my $lock, '+<', $t->state('locks/lineage-busy.test') or die $!;
flock $lock, LOCK_EX or die $!;
$row = selftest('-d', 'busy.test');
is $row->{'busy.test'}{binding}{verdict}, 'unknown', 'while it is locked';
like $row->{'busy.test'}{binding}{text}, qr/no handshake was made/,
    'which is told';
close $lock;

my @workers = $t->worker_pids;
kill 'STOP', @workers;
my $began = time;
$row = selftest('-d', 'on.test');
kill 'CONT', @workers;
is $row->{'on.test'}{binding}{verdict}, 'doubt', 'a server that hangs';
like $row->{'on.test'}{binding}{text}, qr/did not answer within 5 s/, 'is told';
cmp_ok time - $began, '<', 20, 'in bounded time';

$t->stop;
$row = selftest('-d', 'on.test');
is $row->{'on.test'}{binding}{verdict}, 'unknown', 'without a server';
is scalar($t->ca->orders), $orders, 'nothing was ordered by any of this';
$t->done;
