#!/usr/bin/perl
# ssl_verify off believes anybody to be the CA, which is warned of.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->issuer('testca', uri => $t->ca->url, verify => 'off');
$t->site('a.test')->start;
ok $t->wait_certificate('a.test'), 'verification off: it arrives';
like $t->log, qr/\[warn\].*ssl_verify off.*testca/, 'and a warning';

my ($mark, $orders) = ($t->log_mark, scalar $t->ca->orders);
$t->clear_config->site('a.test')->site('b.test')->reload;
ok $t->wait_certificate('b.test'), 'the right file: it arrives';
unlike $t->log_since($mark), qr/\[warn\]/, 'without a warning';
is scalar($t->ca->orders), $orders + 1, 'nothing is ordered anew for that';

$t->done;
