#!/usr/bin/perl
# A domain with files of the operator's: they are served, nothing is ordered;
# with ACMERenewMode always they are served until ours is there.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(server_pair);
use Acme::Proc qw(spew);
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd', ca => 'own', ca_start => 0);
my $dir = $t->dir;
my %pair = map { $_ => server_pair($_) } qw(one two);

for my $name (sort keys %pair) {
    spew("$dir/conf/$name.pem", $pair{$name}{cert});
    spew("$dir/conf/$name.key", $pair{$name}{key}, 0600);
}

sub section ($name, @lines)
{
    return join "\n", "<ACMEDomain $name>", @lines, '</ACMEDomain>';
}

sub files ($cert, $key)
{
    return ("ACMECertificateFile conf/$cert.pem",
        "ACMECertificateKeyFile $dir/conf/$key.key");
}

sub conf (@lines)
{
    return join "\n", 'Listen 127.0.0.1:%%HTTP%%', 'Listen 127.0.0.1:%%TLS%%',
        'ACMEStateDir %%STATE%%', 'ACMECertificateAuthority %%CA_URL%%',
        'ACMECACertificateFile %%CA_FILE%%',
        'ACMECertificateAgreement accepted',
        '<VirtualHost 127.0.0.1:%%HTTP%%>', 'ServerName plain.invalid',
        '</VirtualHost>', @lines, map {
            ('<VirtualHost 127.0.0.1:%%TLS%%>', "ServerName $_",
                'SSLEngine on', 'DocumentRoot %%WWW%%', '</VirtualHost>')
        } qw(static.test always.test acme.test);
}

my @rest = ('ACMEDomain always.test', 'ACMEDomain acme.test');
for my $case (
    ['a certificate without a key', qr/1 ACMECertificateFile and 0 ACME/,
        (files('one', 'one'))[0]],
    ['a key without a certificate', qr/0 ACMECertificateFile and 1 ACME/,
        (files('one', 'one'))[1]],
    ["another one's key", qr/one\.pem" does not belong to the key/,
        files('one', 'two')],
    ['a second pair with a wrong key', qr/two\.pem" does not belong/,
        files('one', 'one'), files('two', 'one')],
    ['a key as certificate', qr{two\.key" has no PEM certificate},
        'ACMECertificateFile conf/two.key', (files('two', 'two'))[1]])
{
    my ($what, $why, @lines) = @$case;
    my ($exit, $said) = $t->test_config(
        conf(section('static.test', @lines), @rest));
    is $exit, 1, "$what: refused";
    like $said, qr/ACMEDomain static\.test \(\S+:\d+\): .*$why/, '  by name';
}

$t->raw_config(conf(section('static.test', files('one', 'one')),
    section('always.test', files('two', 'two'), 'ACMERenewMode always'),
    'ACMEDomain acme.test'));
$t->start;
my $static = $t->peer_certificate('static.test', verify => 0) or $t->give_up;
like $static->{issuer}, qr/one/, 'the file is served';
my $always = $t->peer_certificate('always.test', verify => 0);
like $always->{issuer}, qr/two/, 'always: until there is ours';
is $t->http_get('/', host => $_, port => $t->port('tls'), tls => 1,
    sni => $_)->{status}, 200, "$_: no 503" for qw(static.test always.test);
is $t->http_get('/', host => 'acme.test', port => $t->port('tls'), tls => 1,
    sni => 'acme.test')->{status}, 503, 'acme.test: 503';

$t->ca->start;
is +($t->acmectl('renew'))[0], 0, 'the CA is there';
ok $t->wait_certificate('acme.test'), 'a certificate';
ok $t->wait_certificate('always.test'), '  and for what has files';
is $t->serial('static.test', verify => 0), $static->{serial},
    'but none for what has files alone';
is $t->status('static.test'), undef, '  which nobody asks for';
is scalar(grep { $_->{status} eq 'valid' } $t->ca->orders), 2, 'two orders';

$t->done;
