package Acme::CA::Order;

# Orders, authorizations, challenges and certificates of the test CA
# (RFC 8555 7.1.3 to 7.5).  The handlers get the server, whose tables these
# objects live in, and the context of one request.  Knows no signature and
# no HTTP.

use v5.36;
use Acme::CA::Jws qw(b64 public_jwk thumbprint unb64);
use Acme::CA::Validate;
use Acme::CA::X509 qw(issue new_key read_csr);
use Crypt::PK::ECC;
use Crypt::PK::RSA;
use POSIX qw(strftime);
use Socket qw(AF_INET AF_INET6 inet_ntop inet_pton);

use constant LIFE => 7 * 86_400;    # of orders and authorizations

*refuse = \&Acme::CA::Server::refuse;

sub when ($time) { return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $time) }

# --- looking things up -----------------------------------------------------

# The names a request is about: for faults that strike at one name.
sub note_identifiers ($server, $ctx)
{
    my $id = $ctx->{parts}[0] // '';
    my %order = (
        newOrder => sub { $ctx->{payload}{identifiers} },
        order => sub { names_of($server->{orders}{$id}) },
        finalize => sub { names_of($server->{orders}{$id}) },
        certificate => sub { names_of($server->{certificates}{$id}) },
        authz => sub { [$server->{authzs}{$id}{identifier} // ()] },
        challenge => sub { [($server->{challenge}{$id} // {})
            ->{authz}{identifier} // ()] },
    );
    my $found = ($order{ $ctx->{endpoint} } // sub { })->();

    $ctx->{identifiers} = [map { ref $_ eq 'HASH' ? $_->{value} : () }
        ref $found eq 'ARRAY' ? @$found : ()];
    return;
}

sub names_of ($thing) { return $thing ? $thing->{identifiers} : [] }

sub mine ($ctx, $thing, $what)
{
    refuse(malformed => "no such $what", status => 404) if !$thing;
    refuse(unauthorized => "not your $what")
        if $thing->{account} ne $ctx->{account}{id};
    return $thing;
}

sub must_be_get ($ctx)
{
    refuse(malformed => 'POST-as-GET only: the payload must be empty')
        if defined $ctx->{payload};
    return;
}

# --- orders ----------------------------------------------------------------

sub new_order ($server, $ctx)
{
    my $payload = $ctx->{payload} // refuse(malformed => 'no payload');
    my @identifiers = check_identifiers($server, $payload->{identifiers});
    refuse(malformed => 'notBefore and notAfter are not supported')
        if exists $payload->{notBefore} || exists $payload->{notAfter};
    my $profile = $payload->{profile};
    refuse(invalidProfile => "no profile is called $profile")
        if defined $profile && !$server->{profiles}{$profile};

    my $replaced = Acme::CA::Renewal::replaced($server, $ctx, @identifiers);

    my $id = $server->new_id;
    my $order = $server->{orders}{$id} = {
        id => $id, account => $ctx->{account}{id}, status => 'pending',
        identifiers => \@identifiers, created => time,
        expires => time + LIFE, payload => $payload, profile => $profile,
        replaced => $replaced,
        beside => [beside($server, @identifiers)],
    };
    $order->{authzs} = [map { authz_for($server, $ctx, $_) } @identifiers];
    update($order);
    push @{ $ctx->{headers} }, ['Location', $server->url("/order/$id")];
    return 201, show_order($server, $order);
}

# Orders for the same names that are on their way.
sub beside ($server, @identifiers)
{
    my $names = sub (@list) { join ' ', sort map { $_->{value} } @list };
    return map { $_->{id} } grep {
        $_->{status} =~ /^(?:pending|ready|processing)$/
            && $names->(@{ $_->{identifiers} }) eq $names->(@identifiers)
    } values %{ $server->{orders} };
}

sub check_identifiers ($server, $list)
{
    refuse(malformed => 'no identifiers')
        if ref $list ne 'ARRAY' || !@$list;
    my (%seen, @good);

    for my $identifier (@$list) {
        refuse(malformed => 'an identifier is no object')
            if ref $identifier ne 'HASH';
        my ($type, $value) = @$identifier{qw(type value)};
        $type //= '';
        $value //= '';
        refuse(unsupportedIdentifier => "type $type")
            if $type ne 'dns' && $type ne 'ip';
        refuse(malformed => "\"$value\" is not a good $type identifier")
            if $type eq 'dns' ? !good_name($value) : !good_address($value);
        refuse(rejectedIdentifier => "policy forbids $value")
            if grep { $_ eq $value } @{ $server->{blocklist} // [] };
        push @good, { type => $type, value => $value }
            if !$seen{"$type $value"}++;
    }
    return @good;
}

sub good_name ($name)
{
    my $plain = $name =~ s/^\*\.//r;
    my $label = qr/[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?/;
    return length $plain < 254 && $plain =~ /^$label(?:\.$label)+\z/
        && $plain !~ /^[\d.]+\z/;
}

# RFC 8738 3: the canonical text, nothing else
sub good_address ($text)
{
    my $family = $text =~ /:/ ? AF_INET6 : AF_INET;
    my $bytes = inet_pton($family, $text) // return;
    return inet_ntop($family, $bytes) eq $text;
}

sub show_order ($server, $order)
{
    my $id = $order->{id};
    return {
        status => $order->{status}, expires => when($order->{expires}),
        identifiers => $order->{identifiers},
        authorizations => [map { $server->url("/authz/$_->{id}") }
            @{ $order->{authzs} }],
        finalize => $server->url("/finalize/$id"),
        ($order->{status} eq 'valid'
            ? (certificate => $server->url("/cert/$id")) : ()),
        (map { $order->{$_} ? ($_ => $order->{$_}) : () } qw(error profile)),
    };
}

sub order ($server, $ctx, $id)
{
    my $order = mine($ctx, $server->{orders}{$id}, 'order');
    must_be_get($ctx);
    update($order);
    advise_wait($server, $ctx) if $order->{status} eq 'processing';
    return 200, show_order($server, $order);
}

# RFC 8555 7.1.6
sub update ($order)
{
    return if $order->{status} ne 'pending';
    my ($bad) = grep { $_->{status} !~ /^(?:pending|valid)$/ }
        @{ $order->{authzs} };

    if ($bad) {
        $order->{status} = 'invalid';
        $order->{error} = $bad->{error} // {
            type => 'urn:ietf:params:acme:error:unauthorized',
            detail => "an authorization is $bad->{status}",
        };
    } elsif (!grep { $_->{status} ne 'valid' } @{ $order->{authzs} }) {
        $order->{status} = 'ready';
    }
    return;
}

sub advise_wait ($server, $ctx)
{
    push @{ $ctx->{headers} }, ['Retry-After', $server->{retry_after}]
        if defined $server->{retry_after};
    return;
}

# --- authorizations and challenges -----------------------------------------

sub authz_for ($server, $ctx, $identifier)
{
    my $reusable = $server->{authz_reuse} && find_valid($server, $ctx,
        $identifier);
    return $reusable if $reusable;

    my $id = $server->new_id;
    my $wildcard = $identifier->{value} =~ /^\*\./;
    my $authz = $server->{authzs}{$id} = {
        id => $id, account => $ctx->{account}{id}, status => 'pending',
        expires => time + LIFE, wildcard => $wildcard,
        wanted => $identifier->{value},
        identifier => { type => $identifier->{type},
            value => $identifier->{value} =~ s/^\*\.//r },
    };
    my @types = grep { allowed($_, $authz) } @{ $server->{challenges} };
    $authz->{challenges}
        = [map { new_challenge($server, $authz, $_) } @types];
    return $authz;
}

# RFC 8555 8: http-01 proves no wildcard, RFC 8738 7: dns-01 no address
sub allowed ($type, $authz)
{
    return $type =~ /^dns/ if $authz->{wildcard};
    return $type !~ /^dns/ || $authz->{identifier}{type} eq 'dns';
}

sub find_valid ($server, $ctx, $identifier)
{
    my ($found) = grep {
        $_->{status} eq 'valid' && $_->{account} eq $ctx->{account}{id}
            && $_->{wanted} eq $identifier->{value}
            && $_->{expires} > time
    } values %{ $server->{authzs} };
    return $found;
}

sub new_challenge ($server, $authz, $type)
{
    my $id = $server->new_id;
    return $server->{challenge}{$id} = {
        id => $id, type => $type, status => 'pending', authz => $authz,
        account => $authz->{account}, posts => 0,
        token => b64(join '', map { chr int rand 256 } 1 .. 32),
    };
}

sub show_challenge ($server, $challenge)
{
    return {
        type => $challenge->{type}, status => $challenge->{status},
        ($challenge->{type} eq 'dns-persist-01' ? claims($server, $challenge)
            : (token => $challenge->{token})),
        url => $server->url("/challenge/$challenge->{id}"),
        map { $_ => $challenge->{$_} } grep { $challenge->{$_} }
            qw(validated error),
    };
}

# draft-ietf-acme-dns-persist 3.1
sub claims ($server, $challenge)
{
    my $persist = $server->{persist} // {};
    my $account = $persist->{account}
        // $server->url("/account/$challenge->{account}");

    return ('issuer-domain-names' => $persist->{domains} // ['own.test'],
        ($account eq '' ? () : (accounturi => $account)));
}

sub authz ($server, $ctx, $id)
{
    my $authz = mine($ctx, $server->{authzs}{$id}, 'authorization');

    if (defined $ctx->{payload}) {
        refuse(malformed => 'only deactivated can be asked for')
            if ($ctx->{payload}{status} // '') ne 'deactivated';
        $authz->{status} = 'deactivated';
    }
    advise_wait($server, $ctx) if $authz->{status} eq 'pending';
    return 200, show_authz($server, $authz);
}

sub show_authz ($server, $authz)
{
    # RFC 8555 7.1.4: once decided, the challenge that decided it
    my @shown = grep { $authz->{status} eq 'pending'
        || $_->{status} ne 'pending' } @{ $authz->{challenges} };
    return {
        identifier => $authz->{identifier}, status => $authz->{status},
        expires => when($authz->{expires}),
        challenges => [map { show_challenge($server, $_) } @shown],
        ($authz->{wildcard} ? (wildcard => JSON::PP::true) : ()),
    };
}

sub challenge ($server, $ctx, $id)
{
    my $challenge = mine($ctx, $server->{challenge}{$id}, 'challenge');
    my $authz = $challenge->{authz};

    push @{ $ctx->{headers} },
        ['Link', '<' . $server->url("/authz/$authz->{id}") . '>;rel="up"'];
    if (defined $ctx->{payload}) {
        # RFC 8555 7.5.1; anything in the object is ignored, but http-01,
        # dns-01 and tls-alpn-01 have nothing to put there
        refuse(malformed => 'the answer to a challenge is {}')
            if %{ $ctx->{payload} };
        $challenge->{posts}++;
        start_validation($server, $ctx, $challenge)
            if $challenge->{status} eq 'pending'
                && $authz->{status} eq 'pending';
    }
    return 200, show_challenge($server, $challenge);
}

sub start_validation ($server, $ctx, $challenge)
{
    my $authz = $challenge->{authz};
    my $token = $challenge->{token};
    my $fault = { identifiers => [$authz->{identifier}{value}],
        server => $server };

    $challenge->{status} = 'processing';
    $server->{faults}->apply(validate => validate => $fault);
    my $done = sub ($result) { decide($server, $challenge, $result) };
    my $go = sub {
        return $done->($fault->{result}) if $fault->{result};
        return $done->(Acme::CA::Validate::invalid(
            serverInternal => "this CA cannot look at $challenge->{type}"))
            if !Acme::CA::Validate::knows($challenge->{type});
        Acme::CA::Validate::validate($server->{loop}, {
            type => $challenge->{type}, name => $authz->{identifier}{value}, token => $token,
            port => $server->{ $challenge->{type} eq 'http-01'
                ? 'http_port' : 'tls_port' },
            expected => "$token.$ctx->{account}{thumbprint}",
        }, $done);
    };
    # also without a delay after this answer: validation is not instant
    $server->{loop}->after($fault->{delay} // 0, $go);
    return;
}

sub decide ($server, $challenge, $result)
{
    my $authz = $challenge->{authz};
    my $error = $result->{error};

    if ($error) {
        $challenge->{error} = $authz->{error} = {
            %$error, type => "urn:ietf:params:acme:error:$error->{type}" };
    }
    $challenge->{status} = $authz->{status} = $result->{status};
    $challenge->{validated} = when(time);
    update($_) for values %{ $server->{orders} };
    return;
}

# --- finalize and certificates ---------------------------------------------

sub finalize ($server, $ctx, $id)
{
    my $order = mine($ctx, $server->{orders}{$id}, 'order');
    my $payload = $ctx->{payload} // refuse(malformed => 'no payload');

    update($order);
    refuse(orderNotReady => "the order is $order->{status}")
        if $order->{status} ne 'ready';
    my $csr = check_csr($server, $ctx, $order, $payload->{csr});
    $order->{csr_cn} = $csr->{cn};

    $order->{status} = 'processing';
    my $make = sub { make_certificate($server, $order, $csr) };
    if ($server->{issue_delay}) {
        $server->{loop}->after($server->{issue_delay}, $make);
        advise_wait($server, $ctx);
    } else {
        $make->();
    }
    push @{ $ctx->{headers} }, ['Location', $server->url("/order/$id")];
    return 200, show_order($server, $order);
}

# RFC 8555 7.4 and 11.1
sub check_csr ($server, $ctx, $order, $text)
{
    my $der = unb64($text) // refuse(badCSR => 'not base64url');
    my $csr = read_csr($der) // refuse(badCSR => 'not a CSR');
    my @asked = sort map { $_->{value} } @{ $order->{identifiers} };
    my %named = map { $_ => 1 } @{ $csr->{names} };

    refuse(badCSR => 'the signature is wrong') if !$csr->{signed};
    refuse(badCSR => "CN $csr->{cn} is not a SAN")
        if defined $csr->{cn} && !$named{ $csr->{cn} };
    refuse(badCSR => 'names ' . join(' ', sort keys %named)
        . ' are not the names of the order: ' . join ' ', @asked)
        if "@asked" ne join ' ', sort keys %named;
    refuse(badCSR => 'the key is too small') if $csr->{bits} < 256;
    refuse(badCSR => 'the account key must not be certified')
        if key_thumbprint($csr) eq $ctx->{account}{thumbprint};
    return $csr;
}

# By way of a certificate, which the key libraries can read.
sub key_thumbprint ($csr)
{
    state $signer = { key => new_key(), subject => 'nobody' };
    my $pem = issue(issuer => $signer, public => $csr->{public},
        subject => 'nobody');
    my $key = eval { Crypt::PK::ECC->new(\$pem) }
        // eval { Crypt::PK::RSA->new(\$pem) }
        // refuse(badCSR => 'neither an ECDSA nor an RSA key');
    return thumbprint(public_jwk($key));
}

sub make_certificate ($server, $order, $csr)
{
    my @names = map { $_->{value} } @{ $order->{identifiers} };
    my $ctx = {
        server => $server, identifiers => \@names, names => [@names],
        subject => length $names[0] <= 64 ? $names[0] : '',
        extra => { must_staple => staples($server, $csr),
            ($server->{crl} ? (crl => $server->crl_url) : ()),
            ($server->{ocsp} ? (ocsp => $server->ocsp_url) : ()) },
        from => $server->{backdate} ? -$server->{backdate} : 0,
        seconds => $server->{profiles}{ $order->{profile} // '' }{validity}
            // $server->{validity} // 90 * 86_400,
    };

    $server->{faults}->apply(issue => issue => $ctx);
    my $leaf = issue(
        issuer => $server->intermediate, names => $ctx->{names},
        $ctx->{key} ? (key => $ctx->{key}) : (public => $csr->{public}),
        (map { $_ => $ctx->{$_} } qw(subject from seconds)),
        %{ $ctx->{extra} },
    );
    $ctx->{chain} = [$leaf, $server->intermediate->{pem}];
    $server->{faults}->apply(chain => issue => $ctx);

    $server->{certificates}{ $order->{id} } = {
        account => $order->{account}, identifiers => $order->{identifiers},
        leaf => $leaf, chain => join('', @{ $ctx->{chain} }),
        alternate => $leaf . $server->{issuing}{alternate}{pem},
    };
    $order->{replaced}{replaced} = 1 if $order->{replaced};
    $order->{status} = 'valid';
    return;
}

sub staples ($server, $csr)
{
    my $policy = $server->{must_staple} // 'copy';
    return $policy eq 'always' || $policy eq 'copy' && $csr->{must_staple};
}

sub certificate ($server, $ctx, $id, $alternate = undef)
{
    my $found = mine($ctx, $server->{certificates}{$id}, 'certificate');
    my $offer = $server->{alternates};
    must_be_get($ctx);
    refuse(malformed => 'no such certificate', status => 404)
        if $alternate && !$offer;

    my $other = $server->url("/cert/$id" . ($alternate ? '' : '/1'));
    return Acme::CA::Server::plain(
        200, $found->{ $alternate ? 'alternate' : 'chain' },
        ['Content-Type', 'application/pem-certificate-chain'],
        $offer ? ['Link', "<$other>;rel=\"alternate\""] : ());
}

1;
