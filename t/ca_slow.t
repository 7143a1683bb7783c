#!/usr/bin/perl
# A CA that takes its time, for names and for the certificate, and asks for
# more of it than we wait for with a lock held: one order all the same.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
$t->ca->fault(where => ['authz'], do => 'pending', times => 2);
$t->ca->fault(where => ['order', 'finalize'], do => 'processing',
    times => 1, retry_after => 12);
$t->ca->fault(where => 'order', do => 'processing', times => 2);
$t->site('a.test')->start;

ok $t->wait_certificate('a.test', 40), 'the certificate arrives';
is_deeply [$t->ca->struck], [2, 1, 2], 'in the CA\'s time';
is scalar($t->ca->orders), 1, 'one order';
is scalar($t->ca->requests('finalize')), 1, 'finalized once';
is $t->ca->challenge_posts, 1, 'one answer';
my @polls = $t->ca->requests('order');
my ($finalize) = $t->ca->requests('finalize');
my ($next) = grep { $_->{time} > $finalize->{time} } @polls;
cmp_ok $next->{time} - $finalize->{time}, '>=', 11, 'Retry-After was kept';
is $t->status('a.test')->{failures} // 0, 0, 'waiting is no failure';

$t->done;
