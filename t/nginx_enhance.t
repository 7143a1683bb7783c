#!/usr/bin/perl
# acme_require_https and headers among nginx's own directives: a server for
# port 80 alone, return and rewrite, access rules, error pages, add_header of
# locations, what is proxied.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;

my $t = Acme::Test->new(host => 'nginx', ca => 'own');
spew($t->www . '/page.html', 'page');
spew($t->www . '/gone.html', 'gone');
spew($t->www . '/users', "a:{PLAIN}b\n");

$t->raw_config(<<~'END')->start;
    acme_state_path %%STATE%%;
    acme_issuer own {
        uri %%CA_URL%%;
        ssl_trusted_certificate %%CA_FILE%%;
        accept_terms_of_service;
    }
    server {
        listen 127.0.0.1:%%HTTP%%;
        server_name a.test b.test c.test;
        acme_require_https permanent;
        root %%WWW%%;
        auth_basic secret;
        auth_basic_user_file %%WWW%%/users;
        location /own { return 302 http://c.test/; }
        location /health { return 200 well; }
        rewrite ^/\.well-known/acme-challenge/(.*)$ /other/$1 last;
        location /other/ { auth_basic off; }
    }
    server {
        listen 127.0.0.1:%%TLS%% ssl;
        server_name a.test b.test;
        acme_certificate own;
        acme_hsts 7;
        acme_upgrade_insecure on;
        root %%WWW%%;
        error_page 404 /gone.html;
        location /own {
            add_header Strict-Transport-Security max-age=5;
            add_header Content-Security-Policy "img-src x";
            add_header Content-Security-Policy "font-src y";
            try_files /page.html =404;
        }
        location /proxied { proxy_pass http://127.0.0.1:%%PORT:inside%%; }
        location /error { return 500; }
    }
    server {
        listen 127.0.0.1:%%PORT:inside%%;
        root %%WWW%%;
        location / {
            add_header Strict-Transport-Security max-age=3;
            add_header Content-Security-Policy
                "default-src 'self'; upgrade-insecure-requests";
            try_files /page.html =404;
        }
    }
    END
$t->wait_certificate('a.test') or $t->give_up;

sub plain ($path, $host = 'a.test')
{
    my $answer = $t->http_get($path, host => $host);
    return join ' ', $answer->{status}, $answer->{headers}{location} // '';
}

sub secure ($path)
{
    my $answer = $t->http_get($path, host => 'b.test', tls => 1,
        sni => 'b.test', port => $t->port('tls'));
    return join ' | ', $answer->{status}, map { $answer->{headers}{$_} // '' }
        qw(strict-transport-security content-security-policy);
}

is plain('/page.html'), '301 https://a.test/page.html',
    'by the name, before a password is asked for';
is plain('/page.html', 'b.test'), '301 https://b.test/page.html',
    'another name';
is plain('/page.html', 'c.test'), '401 ', 'one that has no certificate';
is plain('/own'), '302 http://c.test/', "the administrator's own redirect";
is plain('/health'), '200 ', 'and what he answers himself';
is plain('/.well-known/acme-challenge/x.y'), '404 ',
    "another client's challenge that is rewritten";
is plain('/other/x'), '301 https://a.test/other/x', 'not asked for so';

my $upgrade = 'upgrade-insecure-requests';
is secure('/page.html'), "200 | max-age=7 | $upgrade", 'a file';
is secure('/none'), "404 | max-age=7 | $upgrade", 'an error page';
is secure('/error'), "500 | max-age=7 | $upgrade", "nginx's own";
is secure('/own'), "200 | max-age=5 | img-src x; $upgrade, font-src y",
    'add_header counts, a policy is completed';
is secure('/proxied'), "200 | max-age=3 | default-src 'self'; $upgrade",
    'so do headers of what is proxied';

$t->done;
