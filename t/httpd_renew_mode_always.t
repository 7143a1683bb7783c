#!/usr/bin/perl
# An ACMEDomain that no virtual host belongs to: not ordered, until there is
# one, or with ACMERenewMode always.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');

sub config (@more)
{
    return join "\n", 'Listen 127.0.0.1:%%HTTP%%', 'Listen 127.0.0.1:%%TLS%%',
        'ACMEStateDir %%STATE%%', 'ACMECertificateAuthority %%CA_URL%%',
        'ACMECACertificateFile %%CA_FILE%%',
        'ACMECertificateAgreement accepted', 'ACMEDomain used.test',
        'ACMEDomain later.test', host('used.test'), @more, '';
}

sub host ($name)
{
    return <<~"END";
        <VirtualHost 127.0.0.1:%%HTTP%%>
            ServerName $name
        </VirtualHost>
        <VirtualHost 127.0.0.1:%%TLS%%>
            ServerName $name
            SSLEngine on
        </VirtualHost>
        END
}

sub names ()
{
    return [sort map { map { $_->{value} } @{ $_->{payload}{identifiers} } }
        $t->ca->orders];
}

$t->raw_config(config());
my ($exit, $said) = $t->test_config;
is $exit, 0, 'a domain without a virtual host is no error';
like $said, qr/ACMEDomain later\.test .*no virtual host has any.*"ACMERenewMode always"/,
    'but a warning, with the cure';
$t->start;
$t->wait_certificate('used.test') or $t->give_up;
is_deeply names(), ['used.test'], 'it is not ordered';

$t->raw_config(config(host('later.test')));
$t->reload;
ok $t->wait_certificate('later.test'), 'until it has a virtual host';

$t->raw_config(config(host('later.test'), '<ACMEDomain unused.test>',
    'ACMERenewMode always', '</ACMEDomain>'));
($exit, $said) = $t->test_config;
unlike $said, qr/unused\.test/, 'always: no warning';
$t->reload;
ok $t->wait_for(sub { $t->live_version('unused.test') }, 15),
    'it is ordered without a virtual host';
is_deeply names(), ['later.test', 'unused.test', 'used.test'], 'once';

$t->done;
