#!/usr/bin/perl
# Validations by tls-alpn-01 (RFC 8737): whoever has presented the challenge,
# the workers prove the name, over TLS 1.2 and 1.3, to clients that take only
# one kind of signature, whatever the virtual host is like and without one;
# addresses by their name in the reverse tree (RFC 8738).

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Alpn qw(account look present server_name withdraw wrong);
use Acme::CA::X509 qw(new_root server_pair);
use Acme::Proc qw(run spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $clients = spew($t->dir . '/conf/clients.pem', new_root('clients')->{pem});
my $pair = server_pair('static.test');
my @files = map { $t->dir . "/conf/static.$_.pem" } qw(cert key);
spew($files[0], $pair->{cert});
spew($files[1], $pair->{key}, 0600);

$t->site('first.test', key => ['ecdsa', 'rsa']);
$t->site('rsa.test', key => 'rsa:2048');
$t->site('static.test', acme => undef, certificate => \@files);
$t->site('mtls.test', extra => {
    nginx => "ssl_verify_client on; ssl_client_certificate $clients;",
    httpd => "SSLVerifyClient require\nSSLCACertificateFile $clients" });
# whoever names a server that is not there gets it
$t->configure(global => { nginx => 'server { listen 127.0.0.1:%%TLS%% ssl '
    . 'default_server; ssl_reject_handshake on; }' });
$t->start;
$t->wait_for(sub { $t->live_version('mtls.test') }, 30, 'a certificate')
    or $t->give_up;

my $port = $t->port('tls');
my @names = qw(first.test rsa.test static.test mtls.test nowhere.test
    192.0.2.7 2001:db8::1:2);
my %expected;
@expected{@names} = present($t, account($t), \@names);
$t->wait_for(sub { !wrong(look($port, $names[0]), $names[0],
    $expected{ $names[0] }) }, 5, 'a proof')
    or diag wrong(look($port, $names[0]), $names[0], $expected{ $names[0] });

for my $name (@names) {
    for my $version ('1.2', '1.3') {
        for my $kind (qw(ecdsa rsa)) {
            my $seen = look($port, $name, tls => $version, kind => $kind);
            is wrong($seen, $name, $expected{$name}), '',
                "$name over TLS $version for $kind";
            is $seen->{key}, $kind, 'with such a key';
        }
    }
}
is server_name('192.0.2.7'), '7.2.0.192.in-addr.arpa', 'by another name';

my $ran = run(cmd => ['openssl', 's_client', '-connect', "127.0.0.1:$port",
    '-servername', 'nowhere.test', '-alpn', 'acme-tls/1'], stdin => '/dev/null');
like $ran->{stdout}, qr{^ALPN protocol: acme-tls/1$}m, 'openssl s_client';
my $text = run(cmd => ['openssl', 'x509', '-noout', '-text'],
    stdin => spew($t->dir . '/shown.pem', $ran->{stdout}));
like $text->{stdout}, qr/1\.3\.6\.1\.5\.5\.7\.1\.31: critical/,
    'sees the extension';
like $text->{stdout}, qr/DNS:nowhere\.test$/m, 'and that one name';

withdraw($t);
ok $t->wait_for(sub { look($port, 'nowhere.test')->{digest} ? 0 : 1 }, 5),
    'not pending any more: no proof';
$t->done;
