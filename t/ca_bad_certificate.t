#!/usr/bin/perl
# What a CA delivers is checked before it is stored: a renewal that brings
# the wrong thing leaves the old certificate in place, is kept as evidence,
# and is not ordered again at once.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my %wrong = (
    'wrong-key' => qr/is for another key/, 'expired' => qr/has expired/,
    'wrong-names' => qr/is not for "wrong-names\.test"/,
    'chain-broken' => qr/chain|sign/,
);
my $t = Acme::Test->new(ca => 'own');
$t->site("$_.test") for sort keys %wrong;
$t->start;
my %old = map { $_ => $t->wait_certificate("$_.test") || $t->give_up }
    sort keys %wrong;

for my $fault (sort keys %wrong) {
    my $why = $wrong{$fault};
    my $name = "$fault.test";

    $t->ca->fault(where => 'issue', do => $fault, name => $name,
        times => 'always');
    my ($exit, $out, $err)
        = $t->acmectl('renew', '--force', '--cert-name', $name);
    is $exit, 1, "$fault: the renewal fails";
    like $err, $why, 'for that reason';
    is $t->serial($name), $old{$fault}{serial}, 'the old one is served';
    is $t->live_version($name), 1, 'and live';
    my $evidence = $t->state_text('record', "$name.refused.pem") // '';
    like $evidence, qr/BEGIN CERTIFICATE/, 'the evidence is kept';
    unlike $evidence, qr/PRIVATE KEY/, 'without a key';
    my $status = $t->status($name);
    is $status->{state}, 'waiting', 'status: waiting';
    like $status->{error}{text}, $why, 'and why';
}
my $orders = $t->ca->orders;
ok $t->reload, 'reload';
sleep 2;
is scalar($t->ca->orders), $orders, 'does not order again';

$t->done;
