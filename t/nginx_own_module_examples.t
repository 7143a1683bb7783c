#!/usr/bin/perl
# Configurations as the documentation of nginx's own ACME module has them: only
# the URL of the CA and its trust, ports and paths are put in.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run);
use Acme::Test;

my $t = Acme::Test->new(ca => 'pebble');
my $uri = $t->ca->url =~ s{//[^:/]+}{//ca.test}r;
my $dns = $t->{dns}->address;
my $version = run(cmd => [$t->{server}{binary}, '-v'])->{stderr};
my ($major, $minor, $patch) = $version =~ m{nginx/(\d+)\.(\d+)\.(\d+)};

# Of nginx itself, since 1.27.4.
my $cache = $major * 1e6 + $minor * 1e3 + $patch >= 1_027_004
    ? 'ssl_certificate_cache max=2;' : '';

# Where state is kept, and what a test needs everywhere.
my $ours = "acme_state_path %%STATE%%;\n";
my $trust = 'ssl_trusted_certificate ' . $t->ca->ca_file . ';';

# The one of nginx.org and of its README.
$t->raw_config(<<"END");
$ours
resolver $dns;

acme_issuer example {
    uri         $uri;
    contact     admin\@example.test;
    state_path  %%DIR%%/acme-example;
    accept_terms_of_service;
    $trust
}

acme_shared_zone zone=ngx_acme_shared:1M;

server {
    listen 127.0.0.1:%%TLS%% ssl;
    server_name  .example.test;

    acme_certificate example;

    ssl_certificate       \$acme_certificate;
    ssl_certificate_key   \$acme_certificate_key;

    # do not parse the certificate on each request
    $cache
}

server {
    # listener on port 80 is required to process ACME HTTP-01 challenges
    listen 127.0.0.1:%%HTTP%%;

    location / {
        return 404;
    }
}
END
$t->start;
my $got = $t->wait_certificate('example.test', 30) or $t->give_up;
is_deeply [sort @{ $got->{names} }], ['example.test', 'www.example.test'],
    '.example.test';
is $t->serial('www.example.test'), $got->{serial}, 'one for both names';
is $t->http_get('/', host => 'example.test')->{status}, 404,
    'and port 80 does what it says';

# Every directive of the reference, and the forms that each may have.
my $key = $t->dir . '/conf/account.key';
system("openssl ecparam -name secp384r1 -genkey -out $key") == 0
    or die "openssl\n";
chmod 0600, $key;
my $profile = $t->ca->has('profiles') ? 'profile default require;' : '';
$t->raw_config(<<"END");
$ours
resolver $dns valid=30s ipv6=off;
resolver_timeout 10s;
ssl_certificate       \$acme_certificate;
ssl_certificate_key   \$acme_certificate_key;

acme_issuer default {
    uri $uri;
    account_key ecdsa:256;
    challenge http;
    contact admin\@example.test;
    contact mailto:second\@example.test;
    ssl_verify off;
    state_path off;
    accept_terms_of_service;
    profile default;
    preferred_chain nobody;
}

acme_issuer file {
    uri $uri;
    account_key account.key;
    challenge tls-alpn-01;
    $trust
    state_path acme_file;
    accept_terms_of_service;
    $profile
    common_name_in_csr on;
}

acme_issuer rsa {
    uri $uri;
    account_key rsa;
    challenge tls-alpn;
    $trust
    state_path acme_file;
    accept_terms_of_service;
}

acme_shared_zone zone=other:256k;

server {
    listen 127.0.0.1:%%HTTP%%;
    server_name  .first.test 127.0.0.1;
    return 301 https://\$host\$request_uri;
}

server {
    listen 127.0.0.1:%%TLS%% ssl;
    server_name  .first.test ~^any\\d+\\.test\$ "";
    acme_certificate default key=rsa:2048;
}

server {
    listen 127.0.0.1:%%TLS%% ssl;
    server_name  second.test other.test;
    acme_certificate file second.test .third.test key=ecdsa:384;
}

server {
    listen 127.0.0.1:%%TLS%% ssl;
    server_name  third.test www.third.test;
    acme_certificate file second.test .third.test key=ecdsa:384;
}

server {
    listen 127.0.0.1:%%TLS%% ssl;
    server_name  fourth.test;
    acme_certificate rsa key=rsa;
}
END
my ($exit, $out) = $t->test_config;
is $exit, 0, 'all of the reference' or diag $out;
ok $t->reload, 'reload';
my %want = (
    'first.test' => [[qw(first.test www.first.test)], 2048],
    'www.first.test' => [[qw(first.test www.first.test)], 2048],
    'second.test' => [[qw(second.test third.test www.third.test)], 384],
    'www.third.test' => [[qw(second.test third.test www.third.test)], 384],
    'fourth.test' => [['fourth.test'], 2048],
);
for my $name (sort keys %want) {
    my $cert = $t->wait_certificate($name, 30) or $t->give_up;
    is_deeply [[sort @{ $cert->{names} }], $cert->{bits}], $want{$name},
        "$name: its names and key";
}
is $t->serial('third.test'), $t->serial('second.test'), 'shared by two servers';
is scalar($t->ca->orders), 4, 'four orders in all, with the first';

$t->done;
