#!/usr/bin/perl
# Challenges are answered on every port of the server, plain or TLS, with
# HTTP/1.1 and HTTP/2.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run);
use Acme::Test;

use constant PATH => '/.well-known/acme-challenge/some-token';

my $t = Acme::Test->new(ca => 'own', http2 => 1);
my $h2 = $t->host eq 'httpd'
    || run(cmd => [$t->server->binary, '-V'])->{stderr} =~ /http_v2_module/;
my $flag = $h2 ? ' http2' : '';
$t->configure(global => { httpd => <<~'END' });
    Listen 127.0.0.1:%%PORT:plain%%
    Listen 127.0.0.1:%%PORT:other%%
    <VirtualHost 127.0.0.1:%%PORT:other%%>
    ServerName a.test
    SSLEngine on
    </VirtualHost>
    END
$t->site('a.test', extra => { nginx => <<~"END" })->start;
    listen 127.0.0.1:%%PORT:plain%%;
    listen 127.0.0.1:%%PORT:other%% ssl$flag;
    END
$t->wait_certificate('a.test') or $t->give_up;
my ($thumbprint) = ($t->acmectl('key', 'thumbprint'))[1] =~ /^([\w-]{43}) /;

for my $port (qw(http plain tls other)) {
    my @tls = $port eq 'tls' || $port eq 'other'
        ? (tls => 1, sni => 'a.test') : ();
    my $got = $t->http_get(PATH, host => 'a.test', port => $t->port($port),
        @tls);
    is $got->{body}, "some-token.$thumbprint", "port '$port'";
}

SKIP: {
    skip 'this nginx has no HTTP/2', 2 if !$h2;
    my $port = $t->port('other');
    for my $method ('GET', 'HEAD') {
        my $ran = run(cmd => ['curl', '-sk', '--http2', '--max-time', 10,
            '--resolve', "a.test:$port:127.0.0.1",
            $method eq 'HEAD' ? '-I' : (), '-w', "\n%{http_version}",
            "https://a.test:$port" . PATH]);
        like $ran->{stdout}, $method eq 'GET'
            ? qr/^some-token\.\Q$thumbprint\E\n2\z/
            : qr/^content-length: 54\r?\n(?!.*some-token).*\n2\z/ms,
            "$method with HTTP/2";
    }
}

$t->done;
