#!/usr/bin/perl
# ACMEPortMap: a challenge is not chosen where nothing arrives for it, though
# the CA offers it and the server listens.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

sub host ($port, @lines)
{
    return join "\n", "<VirtualHost 127.0.0.1:%%$port%%>",
        'ServerName a.test', @lines, '</VirtualHost>';
}

sub conf ($map)
{
    return join "\n", 'Listen 127.0.0.1:%%HTTP%%', 'Listen 127.0.0.1:%%TLS%%',
        'ACMEStateDir %%STATE%%', 'ACMECertificateAuthority %%CA_URL%%',
        'ACMECACertificateFile %%CA_FILE%%',
        'ACMECertificateAgreement accepted', $map, 'ACMEDomain a.test',
        host('HTTP'), host('TLS', 'SSLEngine on'), '';
}

for my $case (
    ['http:- https:%%TLS%%', 'tls-alpn-01', 'http-01 tls-alpn-01'],
    ['80:%%HTTP%% 443:-', 'http-01', 'tls-alpn-01 http-01'],
    ['http:%%HTTP%% https:%%TLS%%', 'tls-alpn-01', 'tls-alpn-01 http-01'])
{
    my ($map, $used, $preferred) = @$case;
    my $t = Acme::Test->new(host => 'httpd', ca => 'own');
    $t->raw_config(conf("ACMEPortMap $map\nACMECAChallenges $preferred"))
        ->start;
    $t->wait_certificate('a.test') or $t->give_up;
    is_deeply [map { $_->{type} } grep { $_->{posts} } $t->ca->challenges],
        [$used], "$map: $used";
    $t->stop;
    $t->teardown;
    is_deeply $t->{problems}, [], '  clean teardown';
}

my $t = Acme::Test->new(host => 'httpd', ca => 'own');
my ($exit, $said) = $t->test_config(conf('ACMEPortMap http:- https:-'));
is $exit, 1, 'nothing arrives: refused';
like $said, qr/a\.test.*ACMEPortMap/s, '  by name, and why';
$t->teardown;
done_testing;
