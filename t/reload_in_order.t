#!/usr/bin/perl
# Reloads in the middle of an order: the new configuration goes on with it,
# the CA sees one order and each challenge answered once.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
$t->ca->fault(where => 'validate', do => 'slow-validation', seconds => 3);
$t->ca->fault(where => ['order', 'finalize'], do => 'processing',
    times => 4);
$t->site(['a.test', 'b.test'])->start;

# once while the names are proved, once while the CA makes the certificate
ok $t->wait_for(sub { $t->ca->challenge_posts == 2 }, 10), 'answered';
ok $t->reload, 'reload';
ok $t->wait_for(sub { $t->ca->requests('finalize') }, 10), 'finalized';
ok $t->reload, 'another one';

ok $t->wait_certificate('a.test', 20), 'the certificate arrives';
is scalar($t->ca->orders), 1, 'one order';
is scalar($t->ca->requests('finalize')), 1, 'finalized once';
is $t->ca->challenge_posts($_), 1, "challenge of $_ answered once"
    for qw(a.test b.test);
is $t->status('a.test')->{failures} // 0, 0, 'which is no failure';

$t->done;
