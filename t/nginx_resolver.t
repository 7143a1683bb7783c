#!/usr/bin/perl
# The CA is found by nginx's "resolver" where one is set, in http{} or in the
# issuer; what it has to say of it is in the log.

use v5.36;
use lib 't/lib';
use Test::More;
use IO::Socket::INET;
use Acme::Test;

my $t = Acme::Test->new(ca => 'pebble');
my $uri = $t->ca->url =~ s{//[^:/]+}{//ca.test}r;
my $dns = $t->{dns}->address;
my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp')
    or die "a socket: $!\n";
my $nobody = '127.0.0.1:' . $silent->sockport;

# the issuer's text, that of http{}
sub with ($issuer, $http, @sites)
{
    $t->clear_config;
    $t->issuer('named', uri => $uri, ca_file => $t->ca->ca_file,
        extra => $issuer);
    $t->site($_, acme => 'named') for @sites;
    $t->configure(global => $http);
    return;
}

with('', "resolver $dns valid=10s;\nresolver_timeout 5s;", 'a.test');
$t->start;
my $first = $t->wait_certificate('a.test', 20) or $t->give_up;
pass 'a resolver in http{}';

with("resolver $dns;\nresolver_timeout 5s;", "resolver $nobody;",
    'a.test', 'b.test');
ok $t->reload, 'one in the issuer goes before';
ok $t->wait_certificate('b.test', 20), 'and knows it';
is $t->serial('a.test'), $first->{serial}, 'what is there stays';

my $mark = $t->log_mark;
with("resolver $nobody;\nresolver_timeout 1s;", '', 'a.test', 'c.test');
ok $t->reload, 'one that does not answer';
ok $t->wait_log(qr/not obtained, lineage "c\.test".*directory: .*DNS, "ca\.test".*next attempt/,
    20, since => $mark), 'is told of';

$mark = $t->log_mark;
$t->{dns}->default_ipv4('');
with("resolver $dns ipv6=off;", '', 'a.test', 'd.test');
ok $t->reload, 'one that knows no address';
ok $t->wait_log(qr/not obtained, lineage "d\.test".*"ca\.test" has no address, say the name servers of "resolver"/,
    20, since => $mark), 'is told of as well';

$t->done;
