#!/usr/bin/perl
# ACMERequireHttps in an ACMEDomain, and what of httpd's own goes before it:
# Redirect, mod_headers. The rest is in enhance.t.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd', ca => 'own', ca_start => 0);
my $mode = 'temporary';

sub conf (@more)
{
    my $both = join "\n", 'ServerName a.test', 'ServerAlias www.a.test',
        'DocumentRoot %%WWW%%', 'Redirect /moved http://elsewhere.test/', @more;
    return <<~"END";
        Listen 127.0.0.1:%%HTTP%%
        Listen 127.0.0.1:%%TLS%%
        ACMEStateDir %%STATE%%
        ACMECertificateAuthority %%CA_URL%%
        ACMECACertificateFile %%CA_FILE%%
        ACMECertificateAgreement accepted
        <ACMEDomain a.test>
            ACMERequireHttps $mode
        </ACMEDomain>
        <VirtualHost 127.0.0.1:%%HTTP%%>
            $both
        </VirtualHost>
        <VirtualHost 127.0.0.1:%%TLS%%>
            $both
            SSLEngine on
        </VirtualHost>
        <VirtualHost 127.0.0.1:%%HTTP%%>
            ServerName other.test
            DocumentRoot %%WWW%%
            ACMERequireHttps permanent
        </VirtualHost>
        END
}

sub plain ($path, %o) { return $t->http_get($path, host => 'a.test', %o) }

sub secure ($path)
{
    return plain($path, port => $t->port('tls'), tls => 1, sni => 'a.test');
}

sub header ($answer, $name)
{
    my %h = %{ $answer->{headers} };
    my ($key) = grep { lc eq lc $name } keys %h;
    return defined $key ? ref $h{$key} ? "@{ $h{$key} }" : $h{$key} : undef;
}

sub is_sent ($answer, $status, $to, $what)
{
    is $answer->{status}, $status, "$what: $status";
    is header($answer, 'Location'), $to, '  to there';
    is header($answer, 'Strict-Transport-Security'), undef,
        '  without HSTS, which is for https';
    return;
}

$t->raw_config(conf())->start;
is plain('/')->{status}, 200, 'no certificate yet: nobody is sent away';
$t->ca->start;
is +($t->acmectl('renew'))[0], 0, 'now there is one';
$t->wait_certificate('a.test') or $t->give_up;

is_sent plain('/'), 302, 'https://a.test/', 'temporary';
is_sent plain("http://www.a.test/x?y", host => 'b.test'), 302,
    'https://www.a.test/x?y', 'the host of a whole URL';
is_sent plain('/moved/x'), 302, 'http://elsewhere.test//x',
    "the administrator's own redirect goes before";
is plain('/', host => 'other.test')->{status}, 200,
    'what has no certificate is not sent away';
for my $raw ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
{
    my ($line) = $raw =~ /^(.*)\r/;
    isnt $t->http_get('/', raw => $raw)->{status}, 302,
        "not sent anywhere: $line";
}
my $answer = secure('/');
is $answer->{status}, 200, 'https';
is header($answer, 'Strict-Transport-Security'), undef, '  has no HSTS';

$mode = 'permanent';
$t->raw_config(conf())->reload;
is_sent plain('/x'), 301, 'https://a.test/x', 'permanent';
my $hsts = 'max-age=15768000';
for my $path ('/', '/nothing-there', '/moved/x') {
    is header(secure($path), 'Strict-Transport-Security'), $hsts,
        "https $path: HSTS";
}

for my $own ('Header set', 'Header always set') {
    $t->raw_config(conf("$own Strict-Transport-Security \"max-age=7\""))
        ->reload;
    is header(secure('/'), 'Strict-Transport-Security'), 'max-age=7',
        "$own: the administrator's own counts";
}

$mode = 'off';
$t->raw_config(conf())->reload;
is plain('/')->{status}, 200, 'off: nobody is sent away';
is header(secure('/'), 'Strict-Transport-Security'), undef, '  no HSTS';

$t->done;
