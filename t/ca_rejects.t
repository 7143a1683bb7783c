#!/usr/bin/perl
# A CA that rejects a renewal, or finds a name invalid: what is served stays,
# the log has the CA's words, and it is not asked again at once.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->site('order.test')->site('authz.test')->start;
my %old = map { $_ => $t->wait_certificate($_) || $t->give_up }
    qw(order.test authz.test);
my %case = (
    'order.test' => [{ where => 'newOrder', do => 'reject' },
        qr/policy forbids order\.test/, 'waiting'],
    'authz.test' => [{ where => 'validate', do => 'invalid' },
        qr/told to find it invalid/, 'failing'],
);

for my $name (sort keys %case) {
    my ($fault, $why, $state) = @{ $case{$name} };

    $t->ca->fault(%$fault, name => $name, times => 'always');
    my ($exit, undef, $err)
        = $t->acmectl('renew', '--force', '--cert-name', $name);
    is $exit, 1, "$name: the renewal fails";
    like $err, $why, 'with the CA\'s words';
    like $t->log, qr/not renewed, lineage "\Q$name\E".*$why.*next attempt/,
        'which the log has too';
    is $t->serial($name), $old{$name}{serial}, 'the old one is served';
    is $t->status($name)->{state}, $state, "status: $state";
}

my $orders = $t->ca->requests('newOrder');
ok $t->reload, 'reload';
sleep 2;
is scalar($t->ca->requests('newOrder')), $orders, 'no order because of it';
is $t->serial($_), $old{$_}{serial}, "$_ is served"
    for sort keys %old;

$t->done;
