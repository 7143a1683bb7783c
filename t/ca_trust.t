#!/usr/bin/perl
# Whom we believe to be the CA: the system's roots, or the file named.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->issuer('testca', uri => $t->ca->url);
$t->site('a.test')->start;

ok $t->wait_log(qr/not obtained.*127\.0\.0\.1.*certificate/),
    'not the system\'s roots: an error that speaks of the certificate';
is scalar($t->ca->requests), 0, 'nothing was sent';

my $mark = $t->log_mark;
$t->clear_config->site('a.test')->reload;
ok $t->wait_certificate('a.test'), 'the right file: it arrives';
unlike $t->log_since($mark), $t->level('warn'), 'without a warning';
is scalar($t->ca->orders), 1, 'from one order';

$t->done;
