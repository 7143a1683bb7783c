#!/usr/bin/perl
# Connections that break at every endpoint, before the CA has done its part,
# after it, and in the middle of the answer: the certificate arrives, and
# only where the answer to an order was lost there is a second one.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my @endpoints = qw(directory newNonce newAccount newOrder authz challenge
    order finalize certificate);
$t->start_ca;

for my $how (qw(drop drop-after drop-half)) {
    $t->ca->clear_faults;
    # a lost answer to a challenge is not repeated for half a minute
    $t->ca->fault(where => $_, do => $how)
        for grep { "$how $_" ne 'drop challenge' } @endpoints;
    my $orders = $t->ca->orders;
    $t->site("$how.test");
    $t->server->master_pid ? $t->reload : $t->start;

    my $tries = 0;
    while ($tries++ < 12 && !$t->live_version("$how.test")) {
        $t->acmectl('renew', '--cert-name', "$how.test");
    }
    ok $t->wait_certificate("$how.test", 5), "$how: the certificate arrives";
    my $struck = grep { $_ } $t->ca->struck;
    cmp_ok $struck, '>=', 7, "in spite of $struck broken connections";
    cmp_ok $t->ca->orders - $orders, '<=', $how eq 'drop' ? 1 : 2,
        'with as few orders as possible';
    is $t->ca->challenge_posts("$how.test"), 1,
        'and one answer';
}
is scalar($t->ca->accounts), 1, 'one account';
$t->done;
