#!/usr/bin/perl
# The main server's own certificate, without a virtual host: proved by http-01,
# by tls-alpn-01, and refused where neither can work.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

sub conf ($port, @lines)
{
    return join "\n", (map { "Listen 127.0.0.1:%%$_%%" } @$port),
        'ServerName main.test', 'DocumentRoot %%WWW%%', 'SSLEngine on', 'ACMEStateDir %%STATE%%',
        'ACMECertificateAuthority %%CA_URL%%',
        'ACMECACertificateFile %%CA_FILE%%',
        'ACMECertificateAgreement accepted', 'ACMEBaseServer on',
        'ACMEDomain main.test', @lines, '';
}

my $plain = "<VirtualHost 127.0.0.1:%%HTTP%%>\nServerName plain.invalid\n"
    . "SSLEngine off\n</VirtualHost>";
for my $case (
    ['http-01', ['HTTP', 'TLS'], 'ACMECAChallenges http-01', $plain],
    ['tls-alpn-01', ['TLS'], 'ACMECAChallenges tls-alpn-01'])
{
    my ($type, $port, @lines) = @$case;
    my $t = Acme::Test->new(host => 'httpd', ca => 'own');
    $t->raw_config(conf($port, @lines))->start;
    my $seen = $t->wait_certificate('main.test') or $t->give_up;
    is_deeply $seen->{names}, ['main.test'], "$type: its name";
    is_deeply [map { $_->{type} } grep { $_->{posts} } $t->ca->challenges],
        [$type], '  proved by that';
    is $t->http_get('/', port => $t->port('tls'), tls => 1,
        sni => 'main.test', host => 'main.test')->{status}, 200, '  served';
    $t->stop;
    $t->teardown;
    is_deeply $t->{problems}, [], '  clean teardown';
}

my $t = Acme::Test->new(host => 'httpd', ca => 'own');
my ($exit, $said) = $t->test_config(conf(['TLS'],
    'ACMEPortMap http:- https:-'));
is $exit, 1, 'neither: refused';
like $said, qr/main\.test/, '  by name';
$t->teardown;
done_testing;
