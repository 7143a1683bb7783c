#!/usr/bin/perl
# Challenges are answered before anything else that a virtual host may say;
# ACMEStateless off leaves them to it, as is done for names of others.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd', ca => 'own');
my %server = (
    redirect => 'Redirect 301 / https://elsewhere.test/',
    gone => 'RedirectMatch 410 .*',
    rewrite => "RewriteEngine on\nRewriteRule ^ /elsewhere [L]",
    forbid => "RewriteEngine on\nRewriteRule ^ - [F]",
    deny => "<Location />\nRequire all denied\n</Location>",
    auth => "<Location />\nAuthType Basic\nAuthName x\n"
        . "AuthUserFile /nonexistent\nRequire valid-user\n</Location>",
    proxy => 'ProxyPass / http://127.0.0.1:1/',
    'proxy-rewrite' => "RewriteEngine on\n"
        . 'RewriteRule ^(.*) http://127.0.0.1:1$1 [P]',
    fallback => "<Directory %%WWW%%>\nFallbackResource /index.html\n"
        . '</Directory>',
    'error-document' => "ErrorDocument 404 /index.html\n"
        . 'ErrorDocument 200 /index.html',
    alias => 'Alias /.well-known /nonexistent',
    handler => "<Location />\nSetHandler server-status\n</Location>",
    cache => "CacheQuickHandler on\nCacheRoot %%DIR%%/tmp\n"
        . 'CacheEnable disk /',
    method => "<Location />\n<Limit GET>\nRequire all denied\n</Limit>\n"
        . '</Location>',
    type => "<Location />\nForceType application/x-other\n</Location>",
);

# one certificate, as each order takes its time
my @names = map { "$_.test" } sort keys %server;
$t->configure(main => join "\n",
    map { "LoadModule ${_}_module %%MODULES%%/mod_$_.so" }
    qw(authn_core authn_file authz_user auth_basic proxy proxy_http cache
        cache_disk));
$t->site("$_.test", identifiers => \@names, extra => $server{$_})
    for sort keys %server;
$t->site('off.test', extra => 'ACMEStateless off');
$t->site('theirs.test', acme => undef);
$t->start;
$t->wait_certificate('auth.test') or $t->give_up;

my $path = '/.well-known/acme-challenge/token-of-somebody';
my ($thumbprint) = ($t->acmectl('key', 'thumbprint'))[1] =~ /^([\w-]{43}) /;

for my $name (sort keys %server) {
    for my $tls (0, 1) {
        my $got = $t->http_get($path, host => "$name.test",
            $tls ? (port => $t->port('tls'), tls => 1, sni => "$name.test")
                : ());
        ok $got->{status} == 200
            && $got->{headers}{'content-type'} eq 'text/plain'
            && $got->{body} eq "token-of-somebody.$thumbprint",
            ($tls ? 'over TLS ' : '') . "in spite of: $server{$name}"
            or diag $got->{raw};
    }
}

# what others put there for a client of their own
my $file = $t->www;
mkdir $file .= $_ for '/.well-known', '/acme-challenge';
spew("$file/token-of-somebody", "theirs\n");
is $t->http_get($path, host => $_)->{body}, "theirs\n", "left alone: $_"
    for qw(off.test theirs.test);
ok $t->wait_for(sub { grep { $_->{name} eq 'off.test'
    && $_->{status} eq 'invalid' } $t->ca->challenges }, 10),
    'ACMEStateless off: the CA got no answer either';
ok $t->wait_log(qr/not obtained, lineage "off\.test".*; next attempt at/),
    'and the log says so';

$t->configure(global => 'ACMEStateless off');
ok $t->reload, 'reload with ACMEStateless off for all';
is $t->http_get($path, host => 'type.test')->{body}, "theirs\n",
    'is for all';

$t->done;
