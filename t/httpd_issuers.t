#!/usr/bin/perl
# <ACMEIssuer>: CAs with settings of their own, called by their names, where
# one replaces another, and by several certificates.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd', ca => 'own', ca_start => 0);
my ($first, $other) = ($t->ca, $t->add_ca('own'));
my ($down, $up) = map { $_->url } $first, $other;
spew($t->dir . '/other.pem', slurp($other->ca_file));

sub host ($name)
{
    return "<VirtualHost *:%%HTTP%%>\nServerName $name\n</VirtualHost>\n"
        . "<VirtualHost *:%%TLS%%>\nServerName $name\nSSLEngine on\n"
        . "</VirtualHost>\n";
}

# The sections may come behind what calls them.
$t->raw_config(<<"CONF" . join '', map { host($_) } qw(a.test b.test));
Listen 127.0.0.1:%%HTTP%%
Listen 127.0.0.1:%%TLS%%
ACMEStateDir %%STATE%%
ACMEContactEmail all\@a.test
ACMECACertificateFile %%CA_FILE%%
ACMECertificateAuthority First second
ACMERetryDelay 1s
ACMERetryFailover 1
ACMEDomain a.test
<ACMEDomain b.test>
    ACMECertificateAuthority second
</ACMEDomain>
<ACMEIssuer first>
    ACMECertificateAuthority $down
    ACMECertificateAgreement accepted
</ACMEIssuer>
<ACMEIssuer second>
    ACMECertificateAuthority $up
    ACMECACertificateFile %%DIR%%/other.pem
    ACMECertificateAgreement accepted
    ACMEContactEmail second\@a.test
    ACMEAccountKey ecdsa:384
</ACMEIssuer>
CONF
my ($exit, $said) = $t->test_config;
is $exit, 0, 'accepted' or diag $said;
unlike $said, qr/terms of service/, 'the terms are, in the sections';

my %seen = (ca_file => $other->root_file);
$other->start;
$t->start;
$t->wait_certificate('b.test', 30, %seen) or $t->give_up;
is $t->status('b.test')->{issuer}{name}, 'second', 'called by its name';
$t->wait_certificate('a.test', 30, %seen) or $t->give_up;
is $t->status('a.test')->{issuer}{name}, 'first', 'the first of a list';
is $t->status('a.test')->{asked}{name}, 'second', '  is down: the second';

my @accounts = $other->accounts;
is @accounts, 1, 'one account of both certificates';
is_deeply $accounts[0]{contact}, ['mailto:second@a.test'], 'its contact';
like $t->state_text('keys/default.json'), qr/"ecdsa:384"/, 'its key';

$t->done;
