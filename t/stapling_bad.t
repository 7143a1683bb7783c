#!/usr/bin/perl
# A real responder that does not do as it should: what was stapled before
# stays, and is stapled again at a start; nobody goes where it redirects to;
# one that is silent holds up nothing.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use Acme::Tls qw(peer);

my $t = Acme::Test->new(ca => { type => 'own', ocsp => {} });
my $ca = $t->ca;
$t->site('a.test', stapling => 'on')->start;
$t->wait_certificate('a.test') or $t->give_up;

sub staple ()
{
    return peer(port => $t->port('tls'), name => 'a.test', staple => 1,
        ca_file => $ca->root_file)->{staple};
}

sub is_now ()
{
    return $t->status('a.test')->{certificates}[0]{staple} // {};
}

my $first = $t->wait_for(sub { staple() }, 30, 'a staple') or $t->give_up;
is "$first->{status} $first->{verified}", '0 1', 'good, and stapled';

my $elsewhere = $ca->decoy_http_url . '/elsewhere';
for my $bad (
    [ 'a redirect', qr/HTTP status 302/, status => 302, body => '',
        headers => [['Location', $elsewhere]] ],
    [ 'too much', qr/longer|exceeds|too (?:long|much|large)|more than/,
        body => 'x' x 100_000 ],
    [ 'garbage', qr/malformed answer/, body => '<html>' ],
    [ 'signed by another', qr/not signed for the certificate's issuer/,
        by_root => 1 ],
    [ 'unknown', qr/does not know the certificate/, unknown => 1 ],
    [ 'silence', qr/no answer|time/, hang => 1 ],
) {
    my ($what, $why, @ocsp) = @$bad;

    $ca->set(ocsp => { @ocsp });
    $t->look_again('a.test');
    is staple()->{next}, $first->{next}, "$what: the first handshake has it";
    ok $t->wait_for(sub { (is_now()->{problem} // '') =~ $why }, 20,
        'its problem'), "$what: said" or diag explain is_now();
    is staple()->{next}, $first->{next}, "$what: it is stapled still";
}
is scalar($ca->requests('decoy_http')), 0, 'the redirect was not followed';

# that its CA is down is no reason not to ask
$ca->set(ocsp => { minutes => 120 });
$ca->unreachable;
$t->look_again('a.test');
ok $t->wait_for(sub { staple()->{next} > $first->{next} }, 20, 'a new one'),
    'a good answer while the CA is down';
ok $t->wait_for(sub { !is_now()->{problem} }, 10, 'no problem'),
    'says the status';
$ca->reachable;

$t->done;
