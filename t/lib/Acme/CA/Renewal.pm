package Acme::CA::Renewal;

# Renewal information of the test CA (RFC 9773): the window it suggests for a
# certificate, and what an order replaces.  Option `ari` of Acme::CA.

use v5.36;
use Acme::CA::Jws qw(b64);
use Acme::CA::Order;
use Acme::Tls qw(parse_certificate);
use Net::SSLeay;

use constant AUTHORITY_KEY => 90;

*refuse = \&Acme::CA::Server::refuse;

# RFC 9773 4.1
sub ari_id ($pem)
{
    my $bio = Net::SSLeay::BIO_new(Net::SSLeay::BIO_s_mem());
    Net::SSLeay::BIO_write($bio, $pem);
    my $x509 = Net::SSLeay::PEM_read_bio_X509($bio);
    Net::SSLeay::BIO_free($bio);

    my $at = Net::SSLeay::X509_get_ext_by_NID($x509, AUTHORITY_KEY, -1);
    my $data = Net::SSLeay::X509_EXTENSION_get_data(
        Net::SSLeay::X509_get_ext($x509, $at));
    my $der = Net::SSLeay::P_ASN1_STRING_get($data);
    Net::SSLeay::X509_free($x509);

    # SEQUENCE { [0] keyid }, both short
    my (undef, undef, undef, $id) = unpack 'CCCC/a*', $der;
    my $serial = parse_certificate($pem)->{serial};
    return b64($id) . '.' . b64(pack 'H*', $serial);
}

sub find ($server, $id)
{
    my ($found) = grep { ari_id($_->{leaf}) eq $id }
        values %{ $server->{certificates} };
    return $found;
}

# Within the certificate's life as RFC 9773 would have it, if nothing is set.
sub window ($ari, $leaf)
{
    my $cert = parse_certificate($leaf);
    my $set = defined $ari->{start}
        && (!$ari->{only} || $ari->{only} eq $cert->{serial});
    my $life = $cert->{not_after} - $cert->{not_before};

    return $set ? @$ari{qw(start end)} : (
        $cert->{not_before} + int $life * 0.6,
        $cert->{not_before} + int $life * 0.7);
}

# 4.2
sub renewal_info ($server, $ctx, $id)
{
    my $ari = $server->{ari}
        // refuse(malformed => 'no renewal information', status => 404);
    my $found = find($server, $id)
        // refuse(malformed => 'no such certificate', status => 404);
    my ($start, $end) = window($ari, $found->{leaf});

    push @{ $ctx->{headers} }, ['Retry-After', $ari->{retry_after}]
        if defined $ari->{retry_after};
    return 200, {
        suggestedWindow => { start => Acme::CA::Order::when($start),
            end => Acme::CA::Order::when($end) },
        ($ari->{explanation} ? (explanationURL => $ari->{explanation}) : ()),
    };
}

# 5: the certificate that an order replaces, or nothing.
sub replaced ($server, $ctx, @identifiers)
{
    my $id = $ctx->{payload}{replaces} // return;
    refuse(malformed => 'replaces, without renewal information')
        if !$server->{ari};
    my $found = find($server, $id)
        // refuse(serverInternal => 'what is replaced is not there');
    my %names = map { $_->{value} => 1 } @{ $found->{identifiers} };

    refuse(unauthorized => 'what is replaced is not yours')
        if $found->{account} ne $ctx->{account}{id};
    refuse(malformed => 'what is replaced has other identifiers')
        if !grep { $names{ $_->{value} } } @identifiers;
    refuse(alreadyReplaced => 'replaced before', status => 409)
        if $found->{replaced};
    return $found;
}

1;
