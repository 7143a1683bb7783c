package Acme::CA::Jws;

# JSON Web Signature as RFC 8555 6.2 narrows it: flattened JSON, ES256,
# ES384, ES512, RS256.  Checks for real, signs for test clients.  Knows
# nothing of nonces, accounts or URLs beyond carrying them.

use v5.36;
use Crypt::PK::ECC;
use Crypt::PK::RSA;
use Digest::SHA qw(hmac_sha256 hmac_sha384 hmac_sha512 sha256);
use Exporter 'import';
use JSON::PP;
use MIME::Base64 qw(decode_base64url encode_base64url);

our @EXPORT_OK = qw(b64 unb64 parse_inner parse_jws verify_binding verify_jws sign_jws
    thumbprint
    public_jwk load_key);

my $JSON = JSON::PP->new->utf8->canonical;

# alg => [hash, curve, octets of a coordinate]
my %EC = (
    ES256 => ['SHA256', 'P-256', 32],
    ES384 => ['SHA384', 'P-384', 48],
    ES512 => ['SHA512', 'P-521', 66],
);

sub b64 ($bytes) { return encode_base64url($bytes) }

# Strict: no padding, no white space, no stray bits (RFC 7515 2).
sub unb64 ($text)
{
    return if !defined $text || ref $text || $text =~ /[^A-Za-z0-9_-]/;
    my $bytes = decode_base64url($text);
    return encode_base64url($bytes) eq $text ? $bytes : undef;
}

# refuse(TYPE, DETAIL): a problem, as the server throws them.
sub refuse ($type, $detail)
{
    die { type => $type, detail => $detail };
}

# {header, payload (bytes), signed, signature}; dies with a problem.
sub parse_jws ($text)
{
    my $jws = take_apart($text);
    check_header($jws->{header}, qw(alg nonce url));
    return $jws;
}

# The inner one of a key change (RFC 8555 7.3.5), which has no nonce.
sub parse_inner ($text)
{
    my $jws = take_apart($text);
    check_header($jws->{header}, qw(alg url));
    refuse(malformed => 'a nonce in the inner JWS')
        if exists $jws->{header}{nonce};
    return $jws;
}

sub take_apart ($text)
{
    my $jws = eval { $JSON->decode($text) };
    refuse(malformed => 'the body is not a JSON object')
        if ref $jws ne 'HASH';
    for my $member (keys %$jws) {
        refuse(malformed => "unexpected JWS member $member")
            if $member !~ /^(?:protected|payload|signature)$/;
    }
    my %bytes = map {
        $_ => unb64($jws->{$_})
            // refuse(malformed => "$_ is not base64url")
    } qw(protected payload signature);
    my $header = eval { $JSON->decode($bytes{protected}) };
    refuse(malformed => 'the protected header is not a JSON object')
        if ref $header ne 'HASH';

    return {
        header => $header, payload => $bytes{payload},
        signature => $bytes{signature},
        signed => "$jws->{protected}.$jws->{payload}",
    };
}

sub check_header ($header, @members)
{
    for my $name (@members) {
        refuse(malformed => "no $name in the protected header")
            if !length($header->{$name} // '') || ref $header->{$name};
    }
    refuse(malformed => 'exactly one of jwk and kid is needed')
        if exists $header->{jwk} == exists $header->{kid};
    refuse(malformed => 'crit and b64 are not for ACME')
        if exists $header->{crit} || exists $header->{b64};
    refuse(badSignatureAlgorithm => "alg $header->{alg} is not offered")
        if !$EC{ $header->{alg} } && $header->{alg} ne 'RS256';
    return;
}

sub verify_jws ($jws, $jwk)
{
    my $alg = $jws->{header}{alg};
    my $good = $EC{$alg} ? verify_ec($jws, $jwk, @{ $EC{$alg} })
        : verify_rsa($jws, $jwk);
    refuse(malformed => 'the signature is wrong') if !$good;
    return;
}

sub verify_ec ($jws, $jwk, $hash, $curve, $size)
{
    refuse(badPublicKey => "$jws->{header}{alg} needs a $curve key")
        if ($jwk->{kty} // '') ne 'EC' || ($jwk->{crv} // '') ne $curve;
    for my $name (qw(x y)) {
        # RFC 7518 6.2.1.2: padded to the size of the field
        refuse(badPublicKey => "$name has a wrong length")
            if length(unb64($jwk->{$name}) // '') != $size;
    }
    my $key = eval { Crypt::PK::ECC->new($jwk) }
        // refuse(badPublicKey => 'not a point of the curve');
    return length $jws->{signature} == 2 * $size
        && eval { $key->verify_message_rfc7518(
            $jws->{signature}, $jws->{signed}, $hash) };
}

sub verify_rsa ($jws, $jwk)
{
    refuse(badPublicKey => 'RS256 needs an RSA key')
        if ($jwk->{kty} // '') ne 'RSA';
    my $modulus = unb64($jwk->{n}) // '';
    refuse(badPublicKey => 'RSA keys have 2048 to 8192 bits here')
        if length $modulus < 256 || length $modulus > 1024
            || $modulus =~ /^\0/;
    my $key = eval { Crypt::PK::RSA->new($jwk) }
        // refuse(badPublicKey => 'not an RSA key');
    return eval { $key->verify_message(
        $jws->{signature}, $jws->{signed}, 'SHA256', 'v1.5') };
}

my %MAC = (HS256 => \&hmac_sha256, HS384 => \&hmac_sha384,
    HS512 => \&hmac_sha512);

# verify_binding($jws, sub ($kid) { KEY in base64url }): RFC 8555 7.3.4, its
# header and the JWK in it; dies with a problem.
sub verify_binding ($jws, $key_of)
{
    refuse(malformed => 'the binding is no JWS') if ref $jws ne 'HASH'
        || join(' ', sort keys %$jws) ne 'payload protected signature';
    my ($header, $jwk) = map { eval { $JSON->decode(unb64($_)) } }
        @$jws{qw(protected payload)};
    refuse(malformed => 'the binding has no alg, kid and url, or more')
        if ref $header ne 'HASH'
            || join(' ', sort keys %$header) ne 'alg kid url';
    refuse(malformed => 'the binding has no JWK') if ref $jwk ne 'HASH';
    my $mac = $MAC{ $header->{alg} }
        // refuse(malformed => "alg $header->{alg} of the binding");
    my $key = unb64($key_of->($header->{kid}));

    refuse(unauthorized => 'the MAC of the binding is wrong')
        if b64($mac->("$jws->{protected}.$jws->{payload}", $key))
            ne $jws->{signature};
    return $header, $jwk;
}

# RFC 7638: the required members only, in order, without white space.
sub thumbprint ($jwk)
{
    my @members = ($jwk->{kty} // '') eq 'EC' ? qw(crv kty x y) : qw(e kty n);
    my %public = map { $_ => "$jwk->{$_}" } @members;
    return b64(sha256($JSON->encode(\%public)));
}

# --- for clients -----------------------------------------------------------

sub load_key ($pem)
{
    return eval { Crypt::PK::ECC->new(\$pem) } // Crypt::PK::RSA->new(\$pem);
}

sub public_jwk ($key)
{
    return $key->export_key_jwk('public', 1);
}

# sign_jws($key, \%header, $payload): JSON text.  $payload undef is
# POST-as-GET; alg is chosen by the key.
sub sign_jws ($key, $header, $payload)
{
    my $is_rsa = $key->isa('Crypt::PK::RSA');
    my ($alg) = $is_rsa ? 'RS256'
        : grep { $EC{$_}[2] == $key->size } sort keys %EC;
    my $protected = b64($JSON->encode({ alg => $alg, %$header }));
    my $body = defined $payload ? b64($JSON->encode($payload)) : '';
    my $signed = "$protected.$body";
    my $signature = $is_rsa
        ? $key->sign_message($signed, 'SHA256', 'v1.5')
        : $key->sign_message_rfc7518($signed, $EC{$alg}[0]);

    return $JSON->encode({ protected => $protected, payload => $body,
        signature => b64($signature) });
}

1;
