package Acme::Http;

# A small HTTP/1.1 client over TCP or TLS that shows what was really sent:
# one request, one connection, everything bounded.  Knows nothing of ACME,
# follows no redirect.

use v5.36;
use Errno ();
use Exporter 'import';
use IO::Socket::INET;
use IO::Socket::SSL qw($SSL_ERROR SSL_VERIFY_NONE SSL_VERIFY_PEER
    SSL_WANT_READ);
use Time::HiRes qw(time);

our @EXPORT_OK = qw(request parse_response);

use constant MAX_ANSWER => 8 << 20;

# request(port =>, path =>, host =>, method =>, headers => {}, body =>,
#         tls => 1, ca_file =>, sni =>, timeout =>)
# Returns {status, reason, headers, body, raw}; names of headers in lower
# case, repeated ones joined by ", ".  On failure {status => 0, error}.
sub request (%o)
{
    my $answer = eval {
        my $socket = connect_to(%o);
        send_all($socket, render(%o));
        read_all($socket, time + ($o{timeout} // 10), $o{method} // 'GET');
    };
    return { status => 0, error => "$@", headers => {}, body => '',
        raw => '' } if !defined $answer;
    return parse_response($answer, $o{method} // 'GET');
}

sub connect_to (%o)
{
    my $socket = IO::Socket::INET->new(
        PeerAddr => $o{address} // '127.0.0.1', PeerPort => $o{port},
        Proto => 'tcp', Timeout => $o{timeout} // 10,
    ) or die "connect to port $o{port}: $!\n";
    return $socket if !$o{tls};

    return IO::Socket::SSL->start_SSL(
        $socket, Timeout => $o{timeout} // 10,
        SSL_hostname => $o{sni} // '',
        SSL_verifycn_scheme => 'http',
        SSL_verifycn_name => $o{verify_name} // '127.0.0.1',
        $o{ca_file}
            ? (SSL_verify_mode => SSL_VERIFY_PEER, SSL_ca_file => $o{ca_file})
            : (SSL_verify_mode => SSL_VERIFY_NONE),
    ) // die "TLS to port $o{port}: $SSL_ERROR\n";
}

sub render (%o)
{
    return $o{raw} if defined $o{raw};
    my %headers = (
        Host => $o{host} // "127.0.0.1:$o{port}",
        'User-Agent' => 'acme-test', Connection => 'close',
        (defined $o{body} ? ('Content-Length' => length $o{body}) : ()),
        %{ $o{headers} // {} },
    );
    my $version = $o{version} // 'HTTP/1.1';

    return join "\r\n",
        ($o{method} // 'GET') . ' ' . ($o{path} // '/') . " $version",
        (map { "$_: $headers{$_}" }
            grep { defined $headers{$_} } sort keys %headers),
        '', $o{body} // '';
}

sub send_all ($socket, $bytes)
{
    local $SIG{PIPE} = 'IGNORE';
    while (length $bytes) {
        my $n = syswrite $socket, $bytes;
        die "write: $!\n" if !$n;
        substr $bytes, 0, $n, '';
    }
    return;
}

# Non-blocking, as a TLS record may hold no byte for us (session tickets).
sub read_all ($socket, $end, $method)
{
    my $data = '';
    my $whole;

    $socket->blocking(0);
    while (length $data < ($whole // MAX_ANSWER)) {
        my $n = sysread $socket, $data, 65_536, length $data;
        last if defined $n && !$n;
        if (!defined $n) {
            last if !would_block($socket);
            my $left = $end - time;
            die 'timed out after ' . length($data) . " bytes\n"
                if $left <= 0;
            wait_readable($socket, $left);
        }
        $whole //= whole_length($data, $method);
    }
    return $data;
}

sub would_block ($socket)
{
    return $SSL_ERROR == SSL_WANT_READ if $socket->isa('IO::Socket::SSL');
    return $!{EAGAIN} || $!{EWOULDBLOCK} || $!{EINTR};
}

sub wait_readable ($socket, $seconds)
{
    my $ready = '';
    vec($ready, fileno $socket, 1) = 1;
    select $ready, undef, undef, $seconds;
    return;
}

# How long the answer is, where that is known before the peer closes.
sub whole_length ($data, $method)
{
    my ($head) = $data =~ /^(.*?\r\n\r\n)/s or return;
    my ($status) = $head =~ m{^HTTP/\S+ (\d+)} or return;

    return length $head
        if $method eq 'HEAD' || $status == 204 || $status == 304;
    return length($head) + $1 if $head =~ /^Content-Length: *(\d+)/mi;
    return MAX_ANSWER;
}

sub parse_response ($raw, $method = 'GET')
{
    my ($head, $body) = $raw =~ /^(.*?\r\n)\r\n(.*)\z/s
        or return { status => 0, error => 'no complete header',
            headers => {}, body => '', raw => $raw };
    my ($line, @fields) = split /\r\n/, $head;
    my (undef, $status, $reason) = split / /, $line, 3;
    my %headers;

    for my $field (@fields) {
        my ($name, $value) = $field =~ /^([^:]+):\s*(.*?)\s*$/ or next;
        $name = lc $name;
        $headers{$name}
            = exists $headers{$name} ? "$headers{$name}, $value" : $value;
    }
    $body = unchunk($body)
        if ($headers{'transfer-encoding'} // '') =~ /\bchunked\b/i;

    return {
        status => $status, reason => $reason // '', headers => \%headers,
        body => $body, raw => $raw,
    };
}

sub unchunk ($body)
{
    my $out = '';
    while ($body =~ s/^([0-9a-f]+)[^\r\n]*\r\n//i) {
        my $size = hex $1;
        last if !$size;
        $out .= substr $body, 0, $size, '';
        $body =~ s/^\r\n//;
    }
    return $out;
}

1;
