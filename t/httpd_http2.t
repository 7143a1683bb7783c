#!/usr/bin/perl
# HTTP/2: 503 before the certificate, challenges over TLS and in the clear,
# and a connection that goes on while the certificate is replaced.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Http;
use Acme::Proc qw(run);
use Acme::Test;
use IO::Socket::SSL qw(SSL_VERIFY_NONE);

use constant PATH => '/.well-known/acme-challenge/some-token';
use constant { DATA => 0, HEADERS => 1, SETTINGS => 4, LAST => 1 };

my $t = Acme::Test->new(host => 'httpd', ca => 'own', http2 => 1);
$t->configure(global => "KeepAliveTimeout 60\nProtocols h2 h2c http/1.1");
$t->site('first.test')->start;
my $first = $t->wait_certificate('first.test') or $t->give_up;
my ($thumbprint) = ($t->acmectl('key', 'thumbprint'))[1] =~ /^([\w-]{43}) /;

# "2 200 body", the first number being the protocol's.
sub curl ($url, @options)
{
    my ($port) = $url =~ m{:(\d+)/};
    my $ran = run(cmd => ['curl', '-sk', '--max-time', 10, @options,
        (map { ('--resolve', "$_:$port:127.0.0.1") } qw(first.test a.test)),
        '-w', "\n%{http_version} %{http_code}", $url]);
    return join ' ', (reverse split /\n/, $ran->{stdout});
}

# --- a connection of our own, that is there for more than one request ------

sub frame ($type, $flags, $stream, $data)
{
    return substr(pack('N', length $data), 1)
        . pack('CCN', $type, $flags, $stream) . $data;
}

sub open_connection ($name)
{
    my $socket = IO::Socket::SSL->new(PeerAddr => '127.0.0.1',
        PeerPort => $t->port('tls'), SSL_hostname => $name,
        SSL_verify_mode => SSL_VERIFY_NONE, SSL_alpn_protocols => ['h2'])
        or $t->give_up;
    Acme::Http::send_all($socket,
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(SETTINGS, 0, 0, ''));
    return $socket;
}

sub read_bytes ($socket, $n)
{
    my $data = '';
    while (length $data < $n) {
        sysread $socket, $data, $n - length $data, length $data or last;
    }
    return $data;
}

# "200 body", or "other" for a status that is not the usual one.
sub ask ($socket, $stream, $name, $path)
{
    my $fields = "\x82\x87"
        . join '', map { pack 'C C/a', @$_ } [4, $path], [1, $name];
    my ($status, $body) = ('none', '');

    Acme::Http::send_all($socket, frame(HEADERS, 4 | LAST, $stream, $fields));
    local $SIG{ALRM} = sub { die "no answer over h2\n" };
    alarm 10;
    while (length(my $head = read_bytes($socket, 9)) == 9) {
        my ($length, $type, $flags, $for) = unpack 'N C C N', "\0$head";
        my $data = read_bytes($socket, $length);
        next if $for != $stream;
        $status = $data =~ /^[\x20-\x3f]?\x88/ ? 200 : 'other'
            if $type == HEADERS;
        $body .= $data if $type == DATA;
        last if $flags & LAST;
    }
    alarm 0;
    return "$status $body";
}

my ($http, $tls) = map { $t->port($_) } qw(http tls);
my $answer = "some-token.$thumbprint";
is curl("https://first.test:$tls" . PATH, '--http2'), "2 200 $answer",
    'a challenge over h2';
is curl("http://first.test:$http" . PATH, '--http2'), "1.1 200 $answer",
    'an upgrade to h2c is not waited for';
is curl("http://first.test:$http" . PATH, '--http2-prior-knowledge'),
    "2 200 $answer", 'over h2c, without asking';
is +(split / /, curl("https://first.test:$tls/", '--http1.1'))[0], '1.1',
    'HTTP/1.1 for those who want it';

my $socket = open_connection('first.test');
is $socket->alpn_selected, 'h2', 'a connection';
is ask($socket, 1, 'first.test', '/'), "200 ordinary content\n", 'is used';
is +($t->acmectl('renew', '--force'))[0], 0, 'a renewal';
ok $t->wait_new_serial('first.test', $first->{serial}, 5),
    'new connections have the new certificate';
isnt $t->serial('first.test', alpn => ['h2']), $first->{serial},
    'with h2 as well';
is ask($socket, 3, 'first.test', '/'), "200 ordinary content\n",
    'the old connection goes on';
is ask($socket, 5, 'first.test', PATH), "200 $answer",
    'and answers challenges';

$t->ca->unreachable;
$t->site('a.test')->reload;
like curl("https://a.test:$tls/", '--http2'), qr/^2 503 /,
    '503 on a placeholder';
like curl("https://a.test:$tls/", '--http2', '-D', '-', '-o', '/dev/null'),
    qr/retry-after: \d+/, 'with Retry-After';
is curl("https://a.test:$tls" . PATH, '--http2'), "2 200 $answer",
    'but a challenge is answered';
$socket = open_connection('a.test');
like ask($socket, 1, 'a.test', '/'), qr/^other /, '503 on a connection';
$t->ca->reachable;
is +($t->acmectl('renew'))[0], 0, 'the CA is back';
ok $t->wait_certificate('a.test', 5), 'the certificate arrives';
is ask($socket, 3, 'a.test', '/'), "200 ordinary content\n",
    'and 503 ends on the same connection';

$t->done;
