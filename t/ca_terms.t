#!/usr/bin/perl
# Terms of service that nobody accepted: the error names the cure, and no
# account is made.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->issuer('testca', ca => $t->ca, terms => 0);
$t->site('a.test')->start;

ok $t->wait_log(qr/not obtained.*terms of service.*accept/), 'an error';
like $t->log, qr/acme_accept_terms_of_service|ACMECertificateAgreement/,
    'with the directive that helps';
is scalar($t->ca->accounts), 0, 'no account';
is $t->status('a.test')->{state}, 'waiting', 'status: waiting';
my ($event) = grep { $_->{event} eq 'errored' } $t->events('a.test');
like $event->{text}, qr/terms of service.*accept/, 'an event says so';
like $event->{next_attempt}, qr/^\d{4}-.*Z$/, '  and when it is tried again';

$t->clear_config->site('a.test');
ok $t->reload, 'accepted, reload';
ok $t->wait_certificate('a.test'), 'the certificate arrives at once';
is scalar($t->ca->accounts), 1, 'one account';

# an account that exists needs no consent
$t->clear_config->issuer('testca', ca => $t->ca, terms => 0);
$t->site('a.test')->site('b.test')->reload;
ok $t->wait_certificate('b.test'), 'the account is used without it';

$t->done;
