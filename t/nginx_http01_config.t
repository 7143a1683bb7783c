#!/usr/bin/perl
# Challenges are answered before anything else that a server block may say;
# acme_stateless off leaves them to it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my %server = (
    redirect => 'return 301 https://$host$request_uri;',
    rewrite => 'rewrite ^ /elsewhere last;',
    deny => 'deny all;',
    auth => 'auth_basic "x"; auth_basic_user_file /nonexistent;',
    method => 'location / { limit_except PUT { deny all; } }',
    return404 => 'location ^~ /.well-known/ { return 404; }',
    proxy => 'location / { proxy_pass http://127.0.0.1:1; }',
    'try-files' => 'location / { try_files /none =410; }',
    types => 'types { } default_type application/x-other;',
    return444 => 'return 444;',
    limit => 'limit_req zone=few; limit_conn conns 1;',
    cache => 'location / { proxy_pass http://127.0.0.1:1; proxy_cache c; }',
);
my $zones = 'limit_req_zone $server_name zone=few:32k rate=1r/m; '
    . 'limit_conn_zone $server_name zone=conns:32k; '
    . 'proxy_cache_path %%DIR%%/tmp/cache keys_zone=c:64k;';

# one certificate, as each order takes its time
my @names = map { "$_.test" } sort keys %server;
$t->site("$_.test", identifiers => \@names, extra => $server{$_})
    for sort keys %server;
$t->site('off.test', extra => 'acme_stateless off;');
$t->configure(global => $zones)->start;
$t->wait_certificate('auth.test') or $t->give_up;

my $path = '/.well-known/acme-challenge/token-of-somebody';
my ($thumbprint) = ($t->acmectl('key', 'thumbprint'))[1] =~ /^([\w-]{43}) /;

for my $name ((sort keys %server) x 2) {
    my $got = $t->http_get($path, host => "$name.test");
    ok $got->{status} == 200 && $got->{headers}{'content-type'} eq 'text/plain'
        && $got->{body} eq "token-of-somebody.$thumbprint",
        "in spite of: $server{$name}" or diag $got->{raw};
}

is $t->http_get($path, host => 'off.test')->{status}, 404,
    'acme_stateless off';
ok $t->wait_for(sub { grep { $_->{name} eq 'off.test'
    && $_->{status} eq 'invalid' } $t->ca->challenges }, 10),
    'so the CA got no answer either';
ok $t->wait_log(qr/not obtained, lineage "off\.test".*; next attempt at/),
    'and the log says so';

$t->configure(global => "$zones acme_stateless off;");
ok $t->reload, 'reload with acme_stateless off for all';
is $t->http_get($path, host => 'types.test')->{status}, 404, 'is for all';

$t->done;
