#!/usr/bin/perl
# Whatever the environment of a server or of acmectl says of proxies, key
# logs and OpenSSL: no TLS secret is written, no proxy asked, no file loaded.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run);
use Acme::Test;
use IO::Socket::INET;

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $keylog = $t->dir . '/san/keys.log';
my $proxy = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1',
    Proto => 'tcp', Blocking => 0) or die "listen: $!\n";
my $url = 'http://127.0.0.1:' . $proxy->sockport;
my %hostile = (SSLKEYLOGFILE => $keylog, NO_PROXY => '', no_proxy => '',
    SSL_CERT_FILE => '/nowhere', SSL_CERT_DIR => '/nowhere',
    CURL_CA_BUNDLE => '/nowhere', CURL_HOME => $t->dir . '/san',
    map { $_ => $url } qw(http_proxy https_proxy HTTPS_PROXY HTTP_PROXY
        all_proxy ALL_PROXY));

sub unharmed ($what)
{
    ok !$proxy->accept, "$what: no proxy was contacted";
    ok !-s $keylog, "$what: no TLS secrets were written";
    return;
}

# the traps work: another program falls into both
SKIP: {
    my ($curl) = grep { -x } '/usr/bin/curl';
    skip 'no curl', 1 if !$curl;
    $t->start_ca;
    run(cmd => [$curl, '-sk', '-m', 1, $t->ca->url], env => \%hostile);
    ok $proxy->accept, 'curl asks the proxy';
    1 while $proxy->accept;
    run(cmd => [$curl, '-sk', '-m', 5, '--noproxy', '*', $t->ca->url],
        env => \%hostile);
    ok -s $keylog, 'and writes the secrets';
    unlink $keylog;
}

{
    local @ENV{ keys %hostile } = values %hostile;
    # without TLS: mod_ssl itself would write its own secrets
    $t->site('a.test', tls => 0)->start;
}
$t->wait_for(sub { $t->live_version('a.test') }, 30) or $t->give_up;
unharmed('server');

my ($exit, $out, $err) = $t->acmectl({ env => \%hostile }, 'renew',
    '--force', '--cert-name', 'a.test');
is $exit, 0, 'acmectl renews through the server' or diag $err;
unharmed('acmectl and server');

$t->stop;
($exit, $out, $err) = $t->acmectl({ env => { %hostile,
    OPENSSL_CONF => '/nowhere' } }, '-v', 'renew', '--force');
like $out . $err, qr/less than an hour ago/, 'force is limited'
    or diag "$exit $out $err";
unlink $t->state('record/a.test.json');
($exit, $out, $err) = $t->acmectl({ env => { %hostile,
    OPENSSL_CONF => '/nowhere' } }, '-v', 'renew', '--force');
is $exit, 0, 'acmectl renews by itself' or diag $out . $err;
unharmed('acmectl alone');

$t->done;
