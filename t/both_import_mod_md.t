#!/usr/bin/perl
# acmectl import mod_md, of what the real mod_md has made: both servers serve
# it at once, and renew it by its account; its store stays as it was.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Foreign qw(fingerprint);
use Acme::Proc qw(slurp);
use Acme::Test;
use JSON::PP;

my $httpd = Acme::Test->new(host => 'httpd',
    ca => { type => 'pebble', authz_reuse => 100 });
plan skip_all => 'there is no mod_md'
    if !-e $httpd->server->{modules} . '/mod_md.so';
my $nginx = Acme::Test->new(host => 'nginx');

# --- what mod_md makes -------------------------------------------------------

my $store = $httpd->dir . '/var/md';

$httpd->configure(plain_server => 1);
$httpd->raw_config(<<"CONF");
<IfModule !mod_watchdog.c>
LoadModule watchdog_module %%MODULES%%/mod_watchdog.so
</IfModule>
LoadModule md_module %%MODULES%%/mod_md.so
Listen 127.0.0.1:%%HTTP%%
Listen 127.0.0.1:%%TLS%%
MDStoreDir $store
MDCertificateAuthority %%CA_URL%%
MDCACertificateFile %%CA_FILE%%
MDCertificateAgreement accepted
MDContactEmail admin\@a.test
MDPortMap http:%%HTTP%% https:%%TLS%%
MDRetryDelay 1s
MDomain a.test
<VirtualHost *:%%HTTP%%>
ServerName a.test
</VirtualHost>
<VirtualHost *:%%TLS%%>
ServerName a.test
SSLEngine on
</VirtualHost>
CONF
$httpd->start;
$httpd->wait_for(sub { -e "$store/staging/a.test/pubcert.pem" }, 60,
    'what mod_md obtains') or $httpd->give_up;
$httpd->wait_for(sub { $httpd->reload(hard => 1);
    return -e "$store/domains/a.test/pubcert.pem" }, 30, 'its activation')
    or $httpd->give_up;
my $serial = $httpd->serial('a.test', verify => 0);
$httpd->stop;
$httpd->clear_config;

my ($account) = glob "$store/accounts/*/account.json";
my $url = decode_json(slurp($account))->{url};
my $before = fingerprint($store);
my $orders = $httpd->ca->orders;

# --- taken over --------------------------------------------------------------

$nginx->issuer('testca', ca => $httpd->ca);
$httpd->configure(plain_server => 0, state => $nginx->state);
my ($exit, $out, $err) = $nginx->acmectl('import', 'mod_md', $store,
    '--ca-file', $httpd->ca->ca_file);
is $exit, 0, 'taken over' or diag $err;
like $out, qr/^account \Q$url\E: taken over/m, 'with its account';

$nginx->site('a.test', acme => 'testca', key => ['rsa:2048'])->start;
$httpd->site('a.test', key => ['rsa:2048'])->start;
is $_->serial('a.test', verify => 0), $serial, 'served by ' . $_->host
    for $nginx, $httpd;
is $httpd->ca->orders, $orders, 'and nothing ordered';

($exit, $out, $err) = $nginx->acmectl('renew', '--force', '--cert-name',
    'a.test');
is $exit, 0, 'renewed' or diag $out, $err;
ok $_->wait_new_serial('a.test', $serial, 10, verify => 0),
    'and served by ' . $_->host for $nginx, $httpd;
is $httpd->ca->orders, $orders + 1, 'by one order';
($exit, $out) = $nginx->acmectl('account', 'list', '--json');
is_deeply [map { $_->{url} // $_->{account} } @{ decode_json($out) }], [$url],
    "of mod_md's account" or diag $out;
is fingerprint($store), $before, 'whose store is as it was';

$nginx->stop;
undef $nginx;
$httpd->done;
