#!/usr/bin/perl
# A CA that has paused the account's names: nothing is asked again, where to
# go is shown, and a change of the configuration is a reason to try.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $portal = 'https://portal.test/unpause?jwt=' . 'e30.' x 100 . 'x';
my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
$t->ca->fault(where => 'newOrder', do => 'error', status => 429,
    type => 'rateLimited', times => 1,
    detail => 'Your account is temporarily prevented from requesting '
        . "certificates for a.test and possibly others. Please visit: $portal");
$t->site('a.test')->start;

ok $t->wait_log(qr/lineage "a\.test": see \Q$portal\E/), 'logged: the portal';
like $t->log, qr/not obtained, lineage "a\.test".*when the configuration/,
    'and that a change is waited for';

my $status = $t->status('a.test');
is $status->{state}, 'waiting', 'status: waiting';
is $status->{error}{url}, $portal, 'with the URL';
my (undef, $out) = $t->acmectl('status');
like $out, qr/next attempt\s+when the configuration changes, or at \d/,
    'acmectl certificates: what is waited for';
like $out, qr/see\s+\Q$portal\E/, 'and where to go';

$t->reload;
$t->wait_helpers;
sleep 2;
is scalar($t->ca->requests('newOrder')), 1, 'a reload alone changes nothing';

$t->clear_config->site(['a.test', 'b.test'])->reload;
ok $t->wait_certificate('a.test', 10), 'another configuration does';

$t->done;
