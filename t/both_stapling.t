#!/usr/bin/perl
# nginx and Apache on one state directory: what one of them has fetched, both
# staple, the newer one too; over HTTP/2 as well.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use Acme::Tls qw(peer);

my $nginx = Acme::Test->new(host => 'nginx',
    ca => { type => 'own', ocsp => {} });
my $httpd = Acme::Test->new(host => 'httpd', http2 => 1);
my $ca = $nginx->ca;

$httpd->configure(state => $nginx->state)->issuer('testca', ca => $ca);
$httpd->configure(global => 'Protocols h2 http/1.1');

sub staple ($t, @o)
{
    my $seen = peer(port => $t->port('tls'), name => 'a.test', staple => 1,
        ca_file => $ca->root_file, @o);
    return $seen->{staple};
}

$nginx->start_ca;
$nginx->site('a.test', stapling => 'on')->start;
my $cert = $nginx->wait_certificate('a.test') or $nginx->give_up;
my $first = $nginx->wait_for(sub { staple($nginx) }, 30, 'a staple')
    or $nginx->give_up;
is "$first->{status} $first->{verified}", '0 1', 'nginx: good';

# the other one cannot have it from anywhere but there
$ca->set(ocsp => { status => 500 });
$httpd->site('a.test', stapling => 'on', acme => 'testca')->start;
$httpd->wait_certificate('a.test', 10, verify => 0) or $httpd->give_up;
is_deeply staple($httpd), $first, 'Apache: the same, from the start on';

# of the next certificate there is none yet, and both wait for minutes; then
# nginx fetches one, and Apache has it from there again
my ($exit, $out, $err) = $nginx->acmectl('renew', '--force');
is $exit, 0, 'renewed' or diag $out, $err;
ok $nginx->wait_for(sub {
    $nginx->status('a.test')->{certificates}[0]{staple}{problem};
}, 20, 'a failure'), 'its responder says nothing';
for my $t ($nginx, $httpd) {
    $t->wait_new_serial('a.test', $cert->{serial}, 10, verify => 0)
        or $t->give_up;
    is staple($t), undef, 'none is stapled';
}
$ca->set(ocsp => { minutes => 120 });
$nginx->look_again('a.test');
my $next = $nginx->wait_for(sub {
    my ($one, $other) = map { staple($_) // {} } $nginx, $httpd;
    $one->{next} && $one->{next} == ($other->{next} // 0) && $one;
}, 30, 'the same staple') or $nginx->give_up;
is "$next->{status} $next->{verified}", '0 1', 'both: the next one';

my $seen = peer(port => $httpd->port('tls'), name => 'a.test', staple => 1,
    ca_file => $ca->root_file, alpn => ['h2']);
is $seen->{alpn}, 'h2', 'HTTP/2';
is_deeply $seen->{staple}, $next, '... with the staple';

undef $httpd;    # its teardown
$nginx->done;
