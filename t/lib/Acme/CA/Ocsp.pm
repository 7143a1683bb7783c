package Acme::CA::Ocsp;

# The test CA's responder (RFC 6960): `openssl ocsp` makes the answers, from an
# index of the certificates issued.

use v5.36;
use Acme::CA::X509 qw(issue new_key);
use Acme::Proc qw(slurp spew);
use Acme::Tls qw(parse_certificate);
use Exporter 'import';
use MIME::Base64 qw(decode_base64);

our @EXPORT_OK = qw(ocsp_answer);

# The answer to GET /ocsp/QUESTION or POST /ocsp, or something else in its
# place; see `ocsp` in Acme::CA.
sub ocsp_answer ($server, $request)
{
    my $ocsp = $server->{ocsp};
    my $type = ['Content-Type', 'application/ocsp-response'];

    return { hang => 1 } if $ocsp->{hang};
    return { status => $ocsp->{status} // 200, body => $ocsp->{body},
        headers => [$type, $ocsp->{headers} ? @{ $ocsp->{headers} } : ()] }
        if $ocsp->{status} || defined $ocsp->{body};
    return { status => 200, headers => [$type],
        body => made_answer($server, $ocsp, question($request)) };
}

sub question ($request)
{
    return $request->{body} if $request->{method} eq 'POST';
    my ($word) = $request->{path} =~ m{([^/]+)\z};
    return decode_base64($word =~ s/%([0-9A-F]{2})/chr hex $1/ger);
}

sub made_answer ($server, $ocsp, $question)
{
    my $base = "$server->{dir}/$server->{name}.ocsp";
    my $signer = signer($server, $ocsp);

    spew("$base.request", $question);
    spew("$base.index", index_text($server, $ocsp));
    spew("$base.issuer", $server->intermediate->{pem});
    spew("$base.signer", $signer->{pem});
    spew("$base.key", $signer->{key}, 0600);
    unlink "$base.answer";
    system('openssl', 'ocsp', '-index', "$base.index", '-CA', "$base.issuer",
        '-rsigner', "$base.signer", '-rkey', "$base.key", '-reqin',
        "$base.request", '-respout', "$base.answer", '-nmin',
        $ocsp->{minutes} // 60) == 0 or warn "openssl ocsp failed\n";
    return slurp("$base.answer") // '';
}

sub signer ($server, $ocsp)
{
    return $server->root if $ocsp->{by_root};
    return $server->intermediate if !$ocsp->{delegate};
    return $server->{ocsp_delegate} //= do {
        my $key = new_key();
        { key => $key, pem => issue(issuer => $server->intermediate,
            key => $key, subject => "$server->{name} responder",
            eku => 'OCSPSigning', from => -60, seconds => 86_400) };
    };
}

# As `openssl ca` writes it, of which `openssl ocsp` reads the state, the
# date and the serial.
sub index_text ($server, $ocsp)
{
    my $text = '';

    for my $leaf (map { $_->{leaf} } values %{ $server->{certificates} }) {
        my $serial = uc parse_certificate($leaf)->{serial};
        my $reason = { map { uc $_ => $ocsp->{revoked}{$_} }
            keys %{ $ocsp->{revoked} // {} } }->{$serial};

        next if $ocsp->{unknown};
        $text .= join("\t", defined $reason ? 'R' : 'V', '491231235959Z',
            defined $reason ? "260101000000Z,$reason" : '', $serial,
            'unknown', "/CN=$serial") . "\n";
    }
    return $text;
}

1;
