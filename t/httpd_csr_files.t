#!/usr/bin/perl
# A signing request of the operator's in a domain with his own files: they are
# served, what is obtained for the request is put where they may come from
# next, and without "always" nothing is ordered, which is told.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd', ca => 'own');
my $dir = $t->dir;

sub openssl (@args)
{
    system("openssl @args >/dev/null 2>&1") == 0 or die "openssl @args\n";
    return;
}

sub conf ($certificate, $mode)
{
    return <<"END2";
Listen 127.0.0.1:%%HTTP%%
Listen 127.0.0.1:%%TLS%%
ACMEStateDir %%STATE%%
ACMECertificateAuthority %%CA_URL%%
ACMECACertificateFile %%CA_FILE%%
ACMECertificateAgreement accepted
<ACMEDomain a.test>
    ACMECSRFile conf/own.csr
    ACMECertificateFile $certificate
    ACMECertificateKeyFile conf/own.key
    ACMERenewMode $mode
</ACMEDomain>
<VirtualHost 127.0.0.1:%%HTTP%%>
    ServerName a.test
</VirtualHost>
<VirtualHost 127.0.0.1:%%TLS%%>
    ServerName a.test
    SSLEngine on
</VirtualHost>
END2
}

openssl("ecparam -name prime256v1 -genkey -noout -out $dir/conf/own.key");
chmod 0600, "$dir/conf/own.key";
openssl("req -new -key $dir/conf/own.key -subj / -addext",
    "subjectAltName=DNS:a.test -out $dir/conf/own.csr");
openssl("req -x509 -key $dir/conf/own.key -subj /CN=mine -days 9",
    "-out $dir/conf/own.pem");

my ($exit, $said) = $t->test_config(conf('conf/own.pem', 'auto'));
is $exit, 0, 'auto: accepted';
like $said, qr/a\.test.*nothing is ordered with the ACMECSRFile.*always/,
    '  and warned of';

$t->raw_config(conf('conf/own.pem', 'always'));
($exit, $said) = $t->test_config;
unlike $said, qr/nothing is ordered/, 'always: nothing to warn of';
$t->start;
my $live = $t->state . '/live/a.test/fullchain.pem';
ok $t->wait_for(sub { -s $live }, 30), 'obtained' or $t->give_up;
like $t->peer_certificate('a.test', verify => 0)->{issuer}, qr/mine/,
    'the file is served';
$t->raw_config(conf($live, 'always'));
ok $t->reload, 'what was obtained is the file now';
ok $t->peer_certificate('a.test', verify => 1), '  and served';
is scalar($t->ca->orders), 1, 'one order';

$t->done;
