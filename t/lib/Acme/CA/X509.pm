package Acme::CA::X509;

# Makes keys, roots, intermediates and leaves for tests, in this process and
# within milliseconds.  Keys are PEM text, certificates PEM text.  Checks
# nothing: a test may want nonsense signed.

use v5.36;
use Crypt::PK::ECC;
use Crypt::PK::RSA;
use Exporter 'import';
use MIME::Base64 qw(decode_base64 encode_base64);
use Net::SSLeay;
use Socket qw(AF_INET AF_INET6 inet_ntop);

our @EXPORT_OK = qw(new_key new_root new_crl issue read_csr make_csr key_digest
    server_pair);

Net::SSLeay::initialize();

# Kinds of names of RFC 5280 4.2.1.6, extensions by OpenSSL's number.
use constant { ALT_DNS => 2, ALT_IP => 7 };
use constant {
    SUBJECT_KEY => 82, KEY_USAGE => 83, ALT_NAME => 85, BASIC => 87,
    AUTHORITY_KEY => 90, CRL_POINTS => 103, EXT_KEY_USAGE => 126,
    ACCESS => 177, TLS_FEATURE => 1020,
};

my %CURVE = (256 => 'secp256r1', 384 => 'secp384r1', 521 => 'secp521r1');

# new_key('ecdsa:256') or 'rsa:2048': PEM of a private key.
sub new_key ($spec = 'ecdsa:256')
{
    my ($alg, $size) = split /:/, $spec;
    if ($alg eq 'rsa') {
        my $key = Crypt::PK::RSA->new;
        $key->generate_key($size / 8, 65_537);
        return $key->export_key_pem('private');
    }
    my $key = Crypt::PK::ECC->new;
    $key->generate_key($CURVE{ $size // 256 });
    return $key->export_key_pem('private_short');
}

# {key, pem, subject} of a self-signed root.
sub new_root ($name, $key = new_key())
{
    my $root = { key => $key, subject => $name };
    $root->{pem} = issue(
        issuer => $root, key => $key, subject => $name, ca => 1,
        from => -3600, seconds => 20 * 365 * 86_400,
    );
    return $root;
}

# issue(issuer => {key, pem, subject}, key => PEM or public => EVP_PKEY,
#       subject =>, names => [], ca =>, from => seconds from now,
#       seconds => lifetime, serial => HEX, usage => 0, must_staple => 1,
#       crl => URL, ocsp => URL, eku => 'serverAuth'): PEM.
sub issue (%o)
{
    my $x509 = Net::SSLeay::X509_new();
    my $public = $o{public} // evp($o{key});
    my $issuer = $o{issuer};
    my $from = $o{from} // 0;

    Net::SSLeay::X509_set_version($x509, 2);
    Net::SSLeay::P_ASN1_INTEGER_set_hex(
        Net::SSLeay::X509_get_serialNumber($x509), $o{serial} // serial());
    Net::SSLeay::X509_set_pubkey($x509, $public);
    set_name(Net::SSLeay::X509_get_subject_name($x509), $o{subject});
    set_name(Net::SSLeay::X509_get_issuer_name($x509), $issuer->{subject});
    Net::SSLeay::X509_gmtime_adj(
        Net::SSLeay::X509_get_notBefore($x509), $from);
    Net::SSLeay::X509_gmtime_adj(
        Net::SSLeay::X509_get_notAfter($x509),
        $from + ($o{seconds} // 90 * 86_400));
    extend($x509, %o);

    my $signer = evp($issuer->{key});
    Net::SSLeay::X509_sign($x509, $signer,
        Net::SSLeay::EVP_get_digestbyname('SHA256'))
        or die "cannot sign a certificate\n";
    my $pem = Net::SSLeay::PEM_get_string_X509($x509);
    Net::SSLeay::X509_free($x509);
    Net::SSLeay::EVP_PKEY_free($signer);
    Net::SSLeay::EVP_PKEY_free($public) if !$o{public};
    clear_errors();
    return $pem;
}

sub extend ($x509, %o)
{
    my $parent = $o{issuer}{pem} ? certificate($o{issuer}{pem}) : $x509;
    my @names = @{ $o{names} // [] };
    my @extensions = (
        BASIC, $o{ca} ? 'critical,CA:TRUE' : 'critical,CA:FALSE',
        SUBJECT_KEY, 'hash',
        ($parent == $x509 ? () : (AUTHORITY_KEY, 'keyid')),
        KEY_USAGE, $o{ca} ? 'critical,keyCertSign,cRLSign'
            : 'critical,digitalSignature',
        ($o{ca} || defined $o{usage} && !$o{usage}
            ? () : (EXT_KEY_USAGE, $o{eku} // 'serverAuth')),
        ($o{crl} ? (CRL_POINTS, "URI:$o{crl}") : ()),
        ($o{ocsp} ? (ACCESS, "OCSP;URI:$o{ocsp}") : ()),
        ($o{must_staple} ? (TLS_FEATURE, 'status_request') : ()),
        (@names ? (ALT_NAME, join ',', map { alt_name($_) } @names) : ()),
    );

    Net::SSLeay::P_X509_add_extensions($x509, $parent, @extensions)
        or die "cannot add extensions for @names\n";
    Net::SSLeay::X509_free($parent) if $parent != $x509;
    return;
}

# new_crl(issuer => {key, pem, subject}, revoked => [HEX], seconds => life): DER
sub new_crl (%o)
{
    my $crl = Net::SSLeay::X509_CRL_new();
    my $parent = certificate($o{issuer}{pem});
    my $signer = evp($o{issuer}{key});
    my $now = Net::SSLeay::ASN1_TIME_new();
    my $next = Net::SSLeay::ASN1_TIME_new();

    Net::SSLeay::ASN1_TIME_set($now, time - 60);
    Net::SSLeay::ASN1_TIME_set($next, time + ($o{seconds} // 86_400));
    Net::SSLeay::X509_CRL_set_version($crl, 1);
    Net::SSLeay::X509_CRL_set_issuer_name($crl,
        Net::SSLeay::X509_get_subject_name($parent));
    Net::SSLeay::X509_CRL_set_lastUpdate($crl, $now);
    Net::SSLeay::X509_CRL_set_nextUpdate($crl, $next);
    Net::SSLeay::P_X509_CRL_add_revoked_serial_hex($crl, $_, $now, 1)
        for @{ $o{revoked} // [] };
    Net::SSLeay::X509_CRL_sort($crl);
    Net::SSLeay::X509_CRL_sign($crl, $signer,
        Net::SSLeay::EVP_get_digestbyname('SHA256'))
        or die "cannot sign a revocation list\n";
    my $pem = Net::SSLeay::PEM_get_string_X509_CRL($crl);

    Net::SSLeay::X509_CRL_free($crl);
    Net::SSLeay::X509_free($parent);
    Net::SSLeay::EVP_PKEY_free($signer);
    Net::SSLeay::ASN1_TIME_free($_) for $now, $next;
    clear_errors();
    $pem =~ s/-----[^-]+-----//g;
    return decode_base64($pem);
}

sub alt_name ($name)
{
    return is_address($name) ? "IP:$name" : "DNS:$name";
}

sub is_address ($name)
{
    return $name =~ /^\d+\.\d+\.\d+\.\d+$/ || $name =~ /:/;
}

sub set_name ($name, $text)
{
    Net::SSLeay::X509_NAME_add_entry_by_txt(
        $name, 'CN', 0x1000, $text, -1, 0) if length($text // '');
    return;
}

# 126 bits, positive, never short.
sub serial ()
{
    return join '', '4', map { sprintf '%X', int rand 16 } 1 .. 31;
}

# From DER: {names, cn, public, key_digest, signed, must_staple} or nothing.  public is
# an EVP_PKEY for issue().
sub read_csr ($der)
{
    my $pem = "-----BEGIN CERTIFICATE REQUEST-----\n"
        . encode_base64($der) . "-----END CERTIFICATE REQUEST-----\n";
    my $bio = memory($pem);
    my $req = Net::SSLeay::PEM_read_bio_X509_REQ($bio);

    Net::SSLeay::BIO_free($bio);
    clear_errors();
    return if !$req;
    my $public = Net::SSLeay::X509_REQ_get_pubkey($req) or return;
    my $x509 = Net::SSLeay::X509_new();
    Net::SSLeay::P_X509_copy_extensions($req, $x509);
    my $csr = {
        names => [alt_names($x509)],
        cn => common_name($req),
        public => $public,
        key_digest => key_digest($public),
        bits => Net::SSLeay::EVP_PKEY_bits($public),
        signed => Net::SSLeay::X509_REQ_verify($req, $public) == 1,
        must_staple => Net::SSLeay::X509_get_ext_by_NID($x509, TLS_FEATURE)
            >= 0,
    };

    Net::SSLeay::X509_free($x509);
    Net::SSLeay::X509_REQ_free($req);
    clear_errors();
    return $csr;
}

sub common_name ($req)
{
    my $cn = Net::SSLeay::X509_NAME_get_text_by_NID(
        Net::SSLeay::X509_REQ_get_subject_name($req), 13) // '';
    $cn =~ s/\0.*//s;
    return length $cn && $cn ne '-1' ? lc $cn : undef;
}

sub alt_names ($x509)
{
    my @found;
    my @pairs = Net::SSLeay::X509_get_subjectAltNames($x509);

    while (my ($type, $value) = splice @pairs, 0, 2) {
        push @found, lc $value if $type == ALT_DNS;
        push @found, address_text($value) if $type == ALT_IP;
    }
    return @found;
}

sub address_text ($bytes)
{
    return inet_ntop(length $bytes == 4 ? AF_INET : AF_INET6, $bytes);
}

# make_csr($key_pem, @names): DER.  For test clients.
sub make_csr ($key, @names)
{
    my $req = Net::SSLeay::X509_REQ_new();
    my $evp = evp($key);

    Net::SSLeay::X509_REQ_set_version($req, 0);
    Net::SSLeay::X509_REQ_set_pubkey($req, $evp);
    Net::SSLeay::P_X509_REQ_add_extensions(
        $req, ALT_NAME, join ',', map { alt_name($_) } @names);
    Net::SSLeay::X509_REQ_sign($req, $evp,
        Net::SSLeay::EVP_get_digestbyname('SHA256'));
    my $pem = Net::SSLeay::PEM_get_string_X509_REQ($req);
    Net::SSLeay::X509_REQ_free($req);
    Net::SSLeay::EVP_PKEY_free($evp);
    clear_errors();

    $pem =~ s/-----[^-]+-----//g;
    return decode_base64($pem);
}

# Hex SHA-256 of the public key bits, to compare keys.
sub key_digest ($evp)
{
    my $x509 = Net::SSLeay::X509_new();
    Net::SSLeay::X509_set_pubkey($x509, $evp);
    my $digest = unpack 'H*', Net::SSLeay::X509_pubkey_digest(
        $x509, Net::SSLeay::EVP_get_digestbyname('SHA256'));
    Net::SSLeay::X509_free($x509);
    return $digest;
}

# A root of its own and a server certificate for loopback below it, for the
# HTTPS listener of a test CA: {root, cert, key}, all PEM.
sub server_pair ($name)
{
    my $root = new_root("$name listener root");
    my $key = new_key();
    my $cert = issue(
        issuer => $root, key => $key, subject => '', from => -60,
        names => ['localhost', 'ca.test', '127.0.0.1', '127.0.0.2'],
        seconds => 7 * 86_400,
    );
    return { root => $root->{pem}, cert => $cert, key => $key };
}

sub evp ($pem)
{
    my $bio = memory($pem);
    my $evp = Net::SSLeay::PEM_read_bio_PrivateKey($bio);
    Net::SSLeay::BIO_free($bio);
    return $evp || die "cannot read a private key\n";
}

sub certificate ($pem)
{
    my $bio = memory($pem);
    my $x509 = Net::SSLeay::PEM_read_bio_X509($bio);
    Net::SSLeay::BIO_free($bio);
    return $x509 || die "cannot read a certificate\n";
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
