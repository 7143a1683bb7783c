package Acme::Alpn;

# tls-alpn-01 (RFC 8737) from the outside: what a CA sees that validates, and
# challenges of orders that nobody is at work on, as if some process with the
# same state directory had presented them.

use v5.36;
use Acme::Proc qw(spew);
use Acme::Tls qw(peer);
use Digest::SHA qw(sha256);
use Exporter 'import';
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use Socket qw(AF_INET AF_INET6 inet_pton);

our @EXPORT_OK = qw(account present withdraw server_name look proved wrong);

use constant PROTOCOL => 'acme-tls/1';

# 1.3.6.1.5.5.7.1.31, critical, an OCTET STRING of 32 bytes in one
my $IDENTIFIER = qr/\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x1f\x01\x01\xff
    \x04\x22\x04\x20(.{32})/sx;

# The account that the test's server has: {id, thumbprint}.
sub account ($t)
{
    my ($thumbprint, $id) = ($t->acmectl('key', 'thumbprint'))[1]
        =~ /^([\w-]{43}) .* (\w+)$/m or die "no account yet\n";
    return { id => $id, thumbprint => $thumbprint };
}

# present($t, $account, [NAMES], unit => 'planted', presented => TIME): makes
# them pending within two seconds; the key authorizations, in order.
sub present ($t, $account, $names, %o)
{
    my $dir = $t->state('orders/' . ($o{unit} // 'planted'));
    my @tokens = map { join '', map { ('a' .. 'z')[rand 26] } 1 .. 40 }
        @$names;
    my @list = map { { type => 'tls-alpn-01', name => $names->[$_],
        token => $tokens[$_], $o{presented}
            ? (presented => $o{presented}) : () } } 0 .. $#tokens;

    mkdir $dir, 0700;
    spew("$dir/challenge.json",
        encode_json({ account => $account->{id}, challenges => \@list }),
        0600);
    my ($owner) = (stat $t->state)[4];
    chown $owner, -1, $dir, "$dir/challenge.json";
    utime undef, undef, $t->state('orders');
    return map { "$_.$account->{thumbprint}" } @tokens;
}

sub withdraw ($t, $unit = 'planted')
{
    my $dir = $t->state("orders/$unit");
    unlink "$dir/challenge.json";
    rmdir $dir;
    utime undef, undef, $t->state('orders');
    return;
}

# RFC 8738 6: an address is asked for by its name in the reverse tree.
sub server_name ($identifier)
{
    my $bytes = inet_pton(AF_INET, $identifier);
    return join('.', reverse unpack 'C4', $bytes) . '.in-addr.arpa' if $bytes;
    $bytes = inet_pton(AF_INET6, $identifier) // return $identifier;
    return join('.', reverse split //, unpack 'H*', $bytes) . '.ip6.arpa';
}

# What peer() says of a server that is asked to prove an identifier, with
# {digest}: undef if the certificate has none.
sub look ($port, $identifier, %o)
{
    my $seen = peer(port => $port, name => server_name($identifier),
        alpn => [PROTOCOL], %o);
    my ($base64) = ($seen->{pem} // '') =~ /-----\n(.*?)-----END/s;

    ($seen->{digest}) = decode_base64($base64) =~ $IDENTIFIER if $base64;
    return $seen;
}

# Why that is no proof; '' if it is one.
sub wrong ($seen, $identifier, $key_authorization)
{
    return $seen->{error} if $seen->{error};
    return 'the protocol is "' . ($seen->{alpn} // 'none') . '"'
        if ($seen->{alpn} // '') ne PROTOCOL;
    return "the certificate is for @{ $seen->{names} }"
        if "@{ $seen->{names} }" ne $identifier;
    return 'no critical acmeIdentifier' if !defined $seen->{digest};
    return 'another key authorization'
        if $seen->{digest} ne sha256($key_authorization);
    return 'it is not self-signed' if $seen->{subject} ne $seen->{issuer};
    return '';
}

sub proved ($port, $identifier, $key_authorization, %o)
{
    my $seen = look($port, $identifier, %o);
    return wrong($seen, $identifier, $key_authorization) eq '';
}

1;
