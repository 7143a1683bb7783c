#!/usr/bin/perl
# No CA when the server starts: it starts, says when it tries again, and has
# its certificate when the CA is there.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own', ca_start => 0);
$t->site('a.test')->site('plain.test', acme => undef)->start;

my $when = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/;
my $issuer = $t->issuer_name('testca');
my $failure = qr/not obtained, lineage "a\.test", issuer "\Q$issuer\E"/;
ok $t->wait_log(qr/$failure: .*; next attempt at $when \(back-off\)/),
    'the log says why and when it tries again';
ok !$t->peer_certificate('a.test', verify => 1), 'no certificate';
is $t->http_get('/', host => 'plain.test')->{body}, "ordinary content\n",
    'everything else is served';
ok $t->reload, 'a reload is no problem either';
is $t->status('a.test')->{state}, 'failing', 'status: failing';

my ($exit, undef, $err) = $t->acmectl('renew');
is $exit, 1, 'acmectl renew fails';
like $err, qr/127\.0\.0\.1.*connect/i, 'and says why';

$t->ca->start;
($exit) = $t->acmectl('renew');
is $exit, 0, 'and works as soon as the CA is there';
ok $t->wait_certificate('a.test', 5), 'the certificate is served';
my $status = $t->status('a.test');
is $status->{state}, 'ok', 'status: ok';
is $status->{failures} // 0, 0, 'failures are forgotten';

$t->done;
