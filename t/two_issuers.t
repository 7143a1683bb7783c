#!/usr/bin/perl
# Two CAs at once, Pebble and our own: each name has its certificate from the
# one it was asked from, and one that fails does not hold up the other.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'pebble');
my $own = $t->add_ca('own');
$t->issuer('own', ca => $own);
$t->site('pebble.test')->site('own.test', acme => 'own')->start;

my $one = $t->wait_certificate('pebble.test') or $t->give_up;
my $two = $t->wait_certificate('own.test', 30, verify => 0,
    ca_file => $own->root_file) or $t->give_up;
like $one->{issuer}, qr/Pebble/, 'from Pebble';
unlike $two->{issuer}, qr/Pebble/, 'from our own CA';

$own->unreachable;
$t->site('third.test', acme => 'own')->site('fourth.test')->reload;
ok $t->wait_certificate('fourth.test'), 'one CA is down, the other works';
my $name = $t->issuer_name('own');
ok $t->wait_log(qr/not obtained, lineage "third\.test", issuer "\Q$name\E"/),
    'and the log says of whom';
is $t->status('third.test')->{issuer}{name}, $name, 'as the status does';
$own->reachable;

$t->done;
