#!/usr/bin/perl
# An account key of a kind that cannot be used: a line at the start names the
# directive, the file, what is in it and what should be, nothing is asked of
# the CA, and a file that has been put right is taken at the next reload.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(new_key);
use Acme::Proc qw(run spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $file = $t->dir . '/conf/account.pem';
my $why = qr/account\ key\ "\Q$file\E"\ of\ "account_key"\ \(nginx\)\ or
    \ "ACMEAccountKey"\ \(Apache\ httpd\):\ a\ key\ of\ this\ type\ or\ size
    \ cannot\ be\ used\ \(ED25519,\ \d+\ bits\):\ it\ must\ be\ ECDSA/x;

is run(cmd => [qw(openssl genpkey -algorithm ed25519 -out), $file])->{exit}, 0,
    'an Ed25519 key';
$t->issuer('testca', ca => $t->ca, account_key => $file);
$t->site('a.test')->start;
ok $t->wait_log(qr/cannot read key: $why/, 10), 'named at the start'
    or diag $t->log;
ok $t->wait_log(qr/not obtained, lineage "a\.test".*$why/, 10),
    'and where it is missed';
my $status = $t->status('a.test');
is $status->{state}, 'waiting', 'waits for a change';
like $status->{error}{text}, $why, 'which status explains';
is scalar($t->ca->requests('newAccount')), 0, 'the CA was asked nothing';

spew($file, new_key(), 0600);
ok $t->reload, 'another key in the file';
ok $t->wait_certificate('a.test'), 'the certificate arrives';

$t->done;
