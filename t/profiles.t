#!/usr/bin/perl
# The certificate profile that was configured (draft-ietf-acme-profiles): it
# shapes the certificate; a CA that does not have it gets an order without
# it, or none where it is required.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

use constant DAY => 86_400;

sub life ($cert) { return ($cert->{not_after} - $cert->{not_before}) / DAY }

subtest 'Pebble' => sub {
    my $t = Acme::Test->new(ca => { type => 'pebble', profiles => {
        default => { description => 'long', validityPeriod => 90 * DAY },
        brief => { description => 'short', validityPeriod => 6 * DAY },
    } });
    $t->issuer('testca', ca => $t->ca, profile => 'brief');
    $t->site('a.test')->start;
    if (!$t->ca->has('profiles')) {
        $t->done;
        plan skip_all => 'this Pebble has no profiles';
    }
    my $cert = $t->wait_certificate('a.test') or $t->give_up;
    cmp_ok life($cert), '<', 7, 'the certificate is of that profile';
    unlike $t->log, qr/profile/, 'and nothing was to be said';
    $t->done;
};

my $t = Acme::Test->new(ca => { type => 'own', profiles => {
    brief => { validity => 6 * DAY }, other => {} } });
my $ca = $t->ca;

sub configure ($profile)
{
    $t->clear_config;
    $t->issuer('testca', ca => $ca, profile => $profile);
    $t->site('a.test');
    return;
}

# required, and not there
configure('none-such require');
$t->start;
ok $t->wait_log(qr/does\ not\ offer\ the\ required\ profile\ "none-such",
    \ but:\ "(?:brief|other)",\ "(?:brief|other)"/x, 15),
    'the log tells what the CA offers';
like $t->log, qr/next attempt when the configuration changes/,
    'and that it waits for a change';
is scalar($ca->orders), 0, 'nothing was ordered';

# not required
configure('none-such');
my $mark = $t->log_mark;
ok $t->reload, 'not required any more';
my $cert = $t->wait_certificate('a.test') or $t->give_up;
cmp_ok life($cert), '>', 80, 'a certificate without it';
my @said = $t->log_since($mark) =~ /(ordered without profile "none-such")/g;
is scalar @said, 1, 'a warning, once';
ok !exists(($ca->orders)[0]{payload}{profile}), 'the CA was not asked for it';

# another one: from the next renewal on
configure('brief');
ok $t->reload, 'another profile';
sleep 4;
is scalar($ca->orders), 1, 'is no reason to order';
is +($t->acmectl('renew', '--force'))[0], 0, 'a renewal';
$cert = $t->wait_new_serial('a.test', $cert->{serial}) or $t->give_up;
cmp_ok life($cert), '<', 7, 'has it';

# offered, then refused
$ca->fault(where => 'newOrder', do => 'error', status => 400,
    type => 'invalidProfile', times => 1);
configure('other');
$t->site('b.test');
$mark = $t->log_mark;
ok $t->reload, 'one that the CA refuses';
ok $t->wait_certificate('b.test'), 'the order is repeated without it';
like $t->log_since($mark),
    qr/ordered without profile "other", lineage "b\.test": .*invalidProfile/,
    'which the log tells';
unlike $t->log_since($mark), qr/not obtained/, 'in the same attempt';

$t->done;
