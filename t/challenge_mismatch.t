#!/usr/bin/perl
# A CA that offers no challenge that can work here is asked once: that is a
# state to be seen, not an order again and again, and it ends with a change of
# the configuration.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', challenges => ['dns-01'] });

sub orders () { return scalar $t->ca->orders }

$t->site('a.test')->start;
my $told = 'challenge mismatch: "a\.test" could be proved by http-01 .*'
    . 'CA offers: dns-01; next attempt when the configuration changes';
ok $t->wait_log(qr/not obtained, lineage "a\.test".*: $told/, 10), 'told'
    or $t->give_up;
like +($t->acmectl('status'))[1],
    qr/^a\.test: .*last error +challenge mismatch/ms, 'acmectl status';
is orders(), 1, 'one order';

$t->reload;
$t->restart;
select undef, undef, undef, 3;      # longer than an engine waits for workers
is orders(), 1, 'and no other, whatever starts again';

$t->ca->set(challenges => ['dns-01', 'tls-alpn-01']);
$t->clear_config->configure(challenge => 'tls-alpn-01');
$t->site('a.test')->reload;
ok $t->wait_certificate('a.test'), 'another configuration is tried at once';
is orders(), 2, 'by one order';
unlike +($t->acmectl('status'))[1], qr/mismatch/, 'and nothing is left of it';
$t->done;
