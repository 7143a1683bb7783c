package Acme::CA::Validate;

# http-01 as a CA looks at it (RFC 8555 8.3), one GET, and tls-alpn-01 (RFC
# 8737), one handshake: in a child process so that the CA goes on serving.  All
# names are on loopback.  Follows no redirect.  Knows nothing of
# authorizations.

use v5.36;
use Acme::Alpn;
use Acme::Http qw(request);
use JSON::PP;
use POSIX ();

my %LOOK = ('http-01' => \&look, 'tls-alpn-01' => \&look_at_handshake);

sub knows ($type) { return exists $LOOK{$type} }

# validate($loop, {type, name, token, expected, port, timeout}, $done):
# $done gets {status => 'valid'} or {status => 'invalid', error => {type,
# detail}}.
sub validate ($loop, $what, $done)
{
    pipe my $reader, my $writer or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(TERM INT);
        my $result = eval { $LOOK{ $what->{type} }->($what) }
            // invalid(serverInternal => "$@");
        syswrite $writer, encode_json($result);
        POSIX::_exit(0);
    }
    close $writer;
    $loop->watch($reader, sub ($data) {
        $done->(eval { decode_json($data) }
            // invalid(serverInternal => 'the validation crashed'));
    });
    return;
}

sub look ($what)
{
    my $answer = request(
        port => $what->{port}, timeout => $what->{timeout} // 5,
        path => "/.well-known/acme-challenge/$what->{token}",
        host => $what->{name} =~ /:/ ? "[$what->{name}]" : $what->{name},
        headers => { 'User-Agent' => 'acme-test-ca validation' },
    );

    return invalid(connection => "$what->{name}: $answer->{error}")
        if !$answer->{status};
    return invalid(unauthorized =>
        "$what->{name}: HTTP status $answer->{status}, not 200")
        if $answer->{status} != 200;
    # RFC 8555 8.3: white space at the end is to be ignored
    my $body = $answer->{body} =~ s/\s+\z//r;
    return invalid(unauthorized => "$what->{name}: expected "
        . "\"$what->{expected}\", got \"" . substr($body, 0, 200) . '"')
        if $body ne $what->{expected};
    return { status => 'valid' };
}

sub look_at_handshake ($what)
{
    my $seen = Acme::Alpn::look($what->{port}, $what->{name},
        timeout => $what->{timeout} // 5);
    my $wrong = Acme::Alpn::wrong($seen, @$what{qw(name expected)});

    return { status => 'valid' } if $wrong eq '';
    return invalid($seen->{error} ? 'tls' : 'unauthorized',
        "$what->{name}: $wrong");
}

sub invalid ($type, $detail)
{
    return { status => 'invalid',
        error => { type => $type, detail => $detail } };
}

1;
