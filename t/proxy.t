#!/usr/bin/perl
# The way to the CA leads through a proxy, over http or https: nothing goes
# past one that is down, which is a failure like others.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proxy;
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => { type => 'own', ocsp => {} });
my $ca = $t->ca;
my %proxy = (http => Acme::Proxy->new($t),
    https => Acme::Proxy->new($t, tls => 1));
my $to = $ca->url =~ m{//([^/]+)} ? $1 : die;
my $responder = $ca->decoy_http_url =~ s{^http://}{}r;

# Some settings of its own for each issuer: httpd has them for each domain.
$t->issuer('testca', ca => $ca, proxy => $proxy{http}->url);
$t->issuer('secure', ca => $ca, proxy => $proxy{https}->url,
    proxy_ca_file => $proxy{https}->ca_file);
$t->issuer('straight', ca => $ca);
$t->site('a.test')->site('b.test', acme => 'secure')
    ->site('c.test', acme => 'straight');
$t->start;

ok $t->wait_certificate('c.test'), 'without a proxy: a certificate';
for my $name ('a.test', 'b.test') {
    my $url = $proxy{ $name eq 'a.test' ? 'http' : 'https' }->url;
    ok $t->wait_log(qr/not\ obtained,\ lineage\ "\Q$name\E".*
        through\ \Q$url\E:/x), "$name: the proxy is down, which is said";
    my $status = $t->status($name);
    cmp_ok $status->{failures}, '>=', 1, '  and counted';
    is $status->{state}, 'failing', '  and no success';
}
is scalar($ca->orders), 1, 'nothing goes past it';

$_->start for values %proxy;
for my $name ('a.test', 'b.test') {
    is +($t->acmectl('renew', '--cert-name', $name))[0], 0,
        "$name: with the proxy";
    ok $t->wait_certificate($name), '  a certificate';
}
for my $kind (sort keys %proxy) {
    my %asked = map { $_ => 1 } grep { $_ ne $responder } $proxy{$kind}->asked;
    is_deeply [keys %asked], [$to], "$kind: to the CA and nowhere else";
}

# so do questions about revocation
for my $name ('a.test', 'b.test') {
    my $proxy = $proxy{ $name eq 'a.test' ? 'http' : 'https' };
    my $before = grep { $_ eq $responder } $proxy->asked;
    my (undef, $out, $err) = $t->acmectl('check', '--json', '--ocsp',
        '--cert-name', $name);
    is eval { decode_json($out)->{lineages}[0]{revocation}[0]{ocsp} }, 'good',
        "$name: check --ocsp" or diag $out, $err;
    cmp_ok scalar(grep { $_ eq $responder } $proxy->asked), '>', $before,
        '  through the proxy';
}

# a proxy that its root does not vouch for
$t->clear_config;
$t->issuer('testca', ca => $ca, proxy => $proxy{https}->url,
    proxy_ca_file => $ca->ca_file);
$t->site('d.test')->reload;
ok $t->wait_log(qr/not obtained, lineage "d\.test".*through .*certificate/),
    'a proxy that cannot be verified is refused';
is scalar($ca->orders), 3, '  and nothing is ordered';

$t->done;
