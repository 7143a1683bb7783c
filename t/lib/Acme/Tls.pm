package Acme::Tls;

# A real TLS client that looks at certificates: what a server shows for a
# name, a protocol version and a kind of signature.  Also reads PEM files.
# Verifies only when it is given the roots to verify against.

use v5.36;
use Digest::SHA qw(sha256_hex);
use Exporter 'import';
use IO::Socket::INET;
use IO::Socket::SSL qw($SSL_ERROR SSL_VERIFY_NONE SSL_VERIFY_PEER
    SSL_OCSP_TRY_STAPLE);
use MIME::Base64 qw(decode_base64);
use Net::SSLeay;
use Socket qw(AF_INET AF_INET6 inet_ntop);
use Time::Local qw(timegm);

our @EXPORT_OK = qw(peer parse_certificate split_pem load_pem);

use constant { CTRL_SET_SIGALGS_LIST => 98, ALT_DNS => 2, ALT_IP => 7 };

my %SIGALGS = (
    rsa => 'RSA-PSS+SHA256:RSA-PSS+SHA384:RSA+SHA256:RSA+SHA384',
    ecdsa => 'ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512',
);
my %CIPHERS = (
    rsa => 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384',
    ecdsa => 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384',
);

# peer(port =>, name =>, tls => '1.2'|'1.3', kind => 'rsa'|'ecdsa',
#      sigalgs => LIST, ca_file => FILE, alpn => [..], timeout =>, staple => 1)
# name undef: no SNI.  Returns what parse_certificate says of the leaf, with
# {chain} (all certificates), {depth}, {tls} and {verified}; or {error}.
# staple (with ca_file): a stapled answer of OCSP is asked for; {staple} is
# undef if there is none, else what it says of the leaf: {status} (0: good),
# {this}, {next} (seconds since 1970), {verified}.
sub peer (%o)
{
    my $tcp = IO::Socket::INET->new(
        PeerAddr => $o{address} // '127.0.0.1', PeerPort => $o{port},
        Proto => 'tcp', Timeout => $o{timeout} // 5,
    ) or return { error => "connect to port $o{port}: $!" };
    my $staple;
    my @ocsp = $o{staple} ? (
        SSL_ocsp_mode => SSL_OCSP_TRY_STAPLE,
        SSL_ocsp_staple_callback => sub ($socket, $answer) {
            $staple = staple($socket->_get_ssl_object, $answer) if $answer;
        }) : ();
    my $ssl = IO::Socket::SSL->start_SSL($tcp, options(%o), @ocsp)
        or return { error => 'TLS: ' . ($SSL_ERROR || $!) };
    my $shown = describe($ssl);

    $shown->{staple} = $staple;
    $shown->{verified} = $o{ca_file} ? 1 : 0;
    $ssl->close(SSL_fast_shutdown => 1);
    return $shown;
}

sub options (%o)
{
    my $version = $o{tls} // '';
    my $sigalgs = $o{sigalgs} // ($o{kind} ? $SIGALGS{ $o{kind} } : undef);
    my %options = (
        Timeout => $o{timeout} // 5,
        SSL_hostname => $o{name} // '',
        SSL_verify_mode => SSL_VERIFY_NONE,
        SSL_create_ctx_callback => sub ($ctx) {
            die "sigalgs refused: $sigalgs\n" if $sigalgs
                && !Net::SSLeay::CTX_ctrl($ctx, CTRL_SET_SIGALGS_LIST, 0,
                    $sigalgs);
        },
    );

    $options{SSL_version} = 'TLSv1' . ($version =~ s/^1\./_/r) if $version;
    $options{SSL_cipher_list} = $o{ciphers} // $CIPHERS{ $o{kind} }
        if $o{ciphers} || $o{kind};
    $options{SSL_alpn_protocols} = $o{alpn} if $o{alpn};
    if ($o{ca_file}) {
        $options{SSL_verify_mode} = SSL_VERIFY_PEER;
        $options{SSL_ca_file} = $o{ca_file};
        $options{SSL_verifycn_scheme} = 'http';
        $options{SSL_verifycn_name} = $o{verify_name} // $o{name};
    }
    return %options;
}

sub staple ($ssl, $answer)
{
    my $leaf = Net::SSLeay::get_peer_certificate($ssl);
    my $id = eval { Net::SSLeay::OCSP_cert2ids($ssl, $leaf) };
    my ($result) = eval { Net::SSLeay::OCSP_response_results($answer, $id) };
    my $about = $result ? $result->[2] : undef;
    my $verified = eval { Net::SSLeay::OCSP_response_verify($ssl, $answer) };

    Net::SSLeay::X509_free($leaf);
    clear_errors();
    return { error => 'it is about another certificate' } if !$about;
    return { status => $about->{statusType}, this => $about->{thisUpdate},
        next => $about->{nextUpdate}, verified => $verified ? 1 : 0 };
}

sub describe ($ssl)
{
    # the list of peer_certificates begins with the leaf
    my @chain = map { from_x509($_) } $ssl->peer_certificates;
    my %leaf = $chain[0] ? %{ $chain[0] } : (error => 'no certificate');

    return {
        %leaf, chain => \@chain, depth => scalar @chain,
        tls => $ssl->get_sslversion, alpn => $ssl->alpn_selected,
        reused => $ssl->get_session_reused ? 1 : 0,
    };
}

# {serial, subject, issuer, names, not_before, not_after, pem, key, bits,
# fingerprint, key_digest, must_staple}: serial in upper case hex, times in seconds since 1970, key
# one of ecdsa, rsa, other.
sub parse_certificate ($pem)
{
    my $bio = memory($pem);
    my $x509 = Net::SSLeay::PEM_read_bio_X509($bio);

    Net::SSLeay::BIO_free($bio);
    clear_errors();
    return { error => 'not a PEM certificate' } if !$x509;
    my $parsed = from_x509($x509);
    Net::SSLeay::X509_free($x509);
    return $parsed;
}

sub from_x509 ($x509)
{
    my $pem = Net::SSLeay::PEM_get_string_X509($x509);
    my ($base64) = $pem =~ /-----\n(.*?)-----END/s;
    my $key = Net::SSLeay::X509_get_pubkey($x509);
    my $id = Net::SSLeay::EVP_PKEY_id($key);
    my $bits = Net::SSLeay::EVP_PKEY_bits($key);

    Net::SSLeay::EVP_PKEY_free($key);
    return {
        serial => uc Net::SSLeay::P_ASN1_INTEGER_get_hex(
            Net::SSLeay::X509_get_serialNumber($x509)),
        subject => Net::SSLeay::X509_NAME_oneline(
            Net::SSLeay::X509_get_subject_name($x509)),
        issuer => Net::SSLeay::X509_NAME_oneline(
            Net::SSLeay::X509_get_issuer_name($x509)),
        names => [names($x509)],
        not_before => seconds(Net::SSLeay::X509_get_notBefore($x509)),
        not_after => seconds(Net::SSLeay::X509_get_notAfter($x509)),
        pem => $pem,
        key => $id == 408 ? 'ecdsa' : $id == 6 ? 'rsa' : 'other',
        bits => $bits,
        key_digest => unpack('H*', Net::SSLeay::X509_pubkey_digest($x509,
            Net::SSLeay::EVP_get_digestbyname('SHA256'))),
        must_staple => Net::SSLeay::X509_get_ext_by_NID($x509, 1020) >= 0,
        fingerprint => sha256_hex(decode_base64($base64)),
    };
}

sub names ($x509)
{
    my @found;
    my @pairs = Net::SSLeay::X509_get_subjectAltNames($x509);

    while (my ($type, $value) = splice @pairs, 0, 2) {
        push @found, lc $value if $type == ALT_DNS;
        push @found, ip_text($value) if $type == ALT_IP;
    }
    return sort @found;
}

sub ip_text ($bytes)
{
    return inet_ntop(length $bytes == 4 ? AF_INET : AF_INET6, $bytes);
}

sub seconds ($time)
{
    my ($y, $m, $d, $H, $M, $S)
        = Net::SSLeay::P_ASN1_TIME_get_isotime($time)
            =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)/ or return;
    return timegm($S, $M, $H, $d, $m - 1, $y);
}

sub split_pem ($text)
{
    my @found = $text =~
        /(-----BEGIN\ CERTIFICATE-----.*?-----END\ CERTIFICATE-----\n?)/sgx;
    return @found;
}

# Every certificate of a file, parsed.
sub load_pem ($path)
{
    open my $fh, '<', $path or return;
    local $/;
    return map { parse_certificate($_) } split_pem(scalar <$fh>);
}

sub memory ($text)
{
    my $bio = Net::SSLeay::BIO_new(Net::SSLeay::BIO_s_mem());
    Net::SSLeay::BIO_write($bio, $text);
    return $bio;
}

sub clear_errors ()
{
    1 while Net::SSLeay::ERR_get_error();
    return;
}

1;
