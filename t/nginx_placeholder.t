#!/usr/bin/perl
# Before the first certificate: an alert, or a self-signed placeholder for
# those who want it; a name that has its certificate is not affected.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->site('first.test')->start;
my $first = $t->wait_certificate('first.test') or $t->give_up;
$t->ca->unreachable;

$t->site('a.test')->reload;
for my $tls (qw(1.2 1.3)) {
    ok !$t->peer_certificate('a.test', tls => $tls),
        "TLS $tls: no handshake";
    like $t->tls_error, qr/handshake failure/, 'but the alert for it';
}

$t->configure(placeholder => 'self_signed');
ok $t->reload, 'acme_placeholder self_signed';
my $shown = $t->peer_certificate('a.test') or $t->give_up;
is $shown->{issuer}, $shown->{subject}, 'self-signed';
is $shown->{depth}, 1, 'and alone';
unlike "@{ $shown->{names} } $shown->{subject}", qr/a\.test/,
    'claiming no name';
ok !$t->peer_certificate('a.test', verify => 1), 'nobody believes it';
is $t->serial('first.test'), $first->{serial}, 'a real one stays';

$t->ca->reachable;
is +($t->acmectl('renew'))[0], 0, 'the CA is back';
ok $t->wait_certificate('a.test', 5), 'the real one takes over';

$t->done;
