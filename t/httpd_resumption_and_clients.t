#!/usr/bin/perl
# What mod_ssl does with connections goes on as before when the certificate
# is replaced: sessions are resumed, clients must show theirs.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(issue new_key new_root);
use Acme::Proc qw(run spew);
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd', ca => 'own');
my $root = new_root('clients');
my $key = new_key();
my %file = map { $_ => $t->dir . "/conf/$_.pem" } qw(root cert key);
spew($file{root}, $root->{pem});
spew($file{cert}, issue(issuer => $root, key => $key, subject => 'somebody',
    usage => 0));
spew($file{key}, $key, 0600);
spew($t->dir . '/request', "GET / HTTP/1.1\r\nHost: a.test\r\n"
    . "Connection: close\r\n\r\n");

my @both = (identifiers => ['a.test', 'b.test', 'c.test']);
$t->site('a.test', @both);
$t->site('b.test', @both,
    extra => "SSLVerifyClient require\nSSLCACertificateFile $file{root}");
$t->site('c.test', @both, extra => "SSLCACertificateFile $file{root}\n"
    . "<Location /private.html>\nSSLVerifyClient require\n</Location>");
spew($t->www . '/private.html', "private\n");
$t->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;

# 'New' or 'Reused'
sub session ($version, $direction)
{
    my $ran = run(cmd => ['openssl', 's_client', '-ign_eof', "-$version",
        '-connect', '127.0.0.1:' . $t->port('tls'), '-servername', 'a.test',
        "-sess_$direction", $t->dir . "/session.$version"],
        stdin => $t->dir . '/request');
    my ($how) = $ran->{stdout} =~ /^(New|Reused), TLS/m;
    return $ran->{stdout} =~ /^ordinary content/m ? $how : $ran->{stdout};
}

sub status ($name, $path, @options)
{
    my $port = $t->port('tls');
    return run(cmd => ['curl', '-sk', '-o', '/dev/null', '--max-time', 10,
        '-w', '%{http_code}', '--resolve', "$name:$port:127.0.0.1", @options,
        "https://$name:$port$path"])->{stdout};
}

sub check_clients ($when)
{
    my @pair = ('--cert', $file{cert}, '--key', $file{key});
    for my $version ('1.2', '1.3') {
        my @tls = ("--tlsv$version", '--tls-max', $version);
        is status('b.test', '/', @tls, @pair), 200,
            "$when: a client's certificate over TLS $version";
        is status('b.test', '/', @tls), '000', 'is required';
    }
    my @tls = ('--tls-max', '1.2');
    is status('c.test', '/private.html', @tls, @pair), 200,
        "$when: asked for by a second handshake";
    isnt status('c.test', '/private.html', @tls), 200, 'is required';
    is status('c.test', '/', @tls), 200, 'but not elsewhere';
    return;
}

my @versions = qw(tls1_2 tls1_3);
is session($_, 'out'), 'New', "a session over $_" for @versions;
check_clients('at first');

is +($t->acmectl('renew', '--force'))[0], 0, 'a renewal';
$t->wait_new_serial('a.test', $first->{serial}, 5) or $t->give_up;
is session($_, 'in'), 'Reused', "it is resumed over $_" for @versions;
isnt $t->serial($_), $first->{serial}, "$_ has the new certificate"
    for qw(a.test c.test);
check_clients('after it');

$t->done;
