package Acme::CA::Server;

# The ACME side of the test CA: RFC 8555 as strictly as it reads, for dns
# and ip identifiers.  A request comes in, an answer goes out (their shapes:
# Acme::CA::Loop); every request is one line of a JSON log before its answer
# is sent.  Opens no socket, keeps everything in memory.

use v5.36;
use Acme::CA::Faults;
use Acme::CA::Jws qw(b64 parse_inner parse_jws thumbprint verify_binding verify_jws);
use Acme::CA::Ocsp qw(ocsp_answer);
use Acme::CA::Order;
use Acme::CA::Renewal;
use Acme::CA::X509 qw(new_crl);
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Time::HiRes ();

use constant TERMS => '/terms/1';

my $JSON = JSON::PP->new->utf8->canonical->allow_nonref;
my $URN = 'urn:ietf:params:acme:error:';

# path, endpoint name (as faults and the log call it), handler, key: which
# of jwk and kid the endpoint wants
my @ROUTE = (
    [qr{^/dir(?:ectory|-[\w-]+)?$} => directory   => \&directory],
    [qr{^/nonce$}             => newNonce    => \&new_nonce],
    [qr{^/new-account$}       => newAccount  => \&new_account, 'jwk'],
    [qr{^/account/(\w+)$}     => account     => \&account, 'kid'],
    [qr{^/new-order$}         => newOrder    => \&new_order, 'kid'],
    [qr{^/order/(\w+)$}       => order       => \&order, 'kid'],
    [qr{^/authz/(\w+)$}       => authz       => \&authz, 'kid'],
    [qr{^/challenge/(\w+)$}   => challenge   => \&challenge, 'kid'],
    [qr{^/finalize/(\w+)$}    => finalize    => \&finalize, 'kid'],
    [qr{^/cert/(\w+)(/1)?$}   => certificate => \&certificate, 'kid'],
    [qr{^/revoke$}            => revokeCert  => \&not_here, 'kid'],
    [qr{^/key-change$}        => keyChange   => \&key_change, 'kid'],
    [qr{^/renewal-info/([\w.-]+)$} => renewalInfo => \&renewal_info],
    [qr{^/terms/1$}           => terms       => \&terms],
);
my %IS_GET = map { $_ => 1 } qw(directory newNonce renewalInfo terms);

# What a problem answers, where RFC 8555 does not say 400 for it.
my %STATUS = (
    unauthorized => 403, rejectedIdentifier => 403, orderNotReady => 403,
    userActionRequired => 403, rateLimited => 429, serverInternal => 500,
);

# new(loop =>, base => URL, decoy =>, decoy_http => URLs, log => FILE,
#     issuing => {root, intermediate, alternate}, options of Acme::CA)
sub new ($class, %o)
{
    my $self = bless {
        challenges => ['http-01', 'dns-01', 'tls-alpn-01'], %o,
        nonces => {}, accounts => {}, orders => {}, authzs => {},
        challenge => {}, certificates => {}, count => 0, requests => 0,
        faults => Acme::CA::Faults->new,
    }, $class;
    open $self->{log_handle}, '>>', $o{log} or die "$o{log}: $!\n";
    return $self;
}

sub url ($self, $path) { return $self->{base} . $path }
sub decoy_url ($self) { return $self->{decoy} }
sub decoy_http_url ($self) { return $self->{decoy_http} }
sub crl_url ($self) { return $self->{decoy_http} . '/crl' }
sub ocsp_url ($self) { return $self->{decoy_http} . '/ocsp' }
sub faults ($self) { return $self->{faults} }
sub root ($self) { return $self->{issuing}{root} }
sub root_pem ($self) { return $self->{issuing}{root}{pem} }
sub intermediate ($self) { return $self->{issuing}{intermediate} }

# Hard to guess and never the same twice.
sub new_id ($self)
{
    return sprintf '%dx%s', ++$self->{count}, substr
        sha256_hex(join '/', Time::HiRes::time(), $$, rand), 0, 12;
}

sub refuse ($type, $detail, %more)
{
    die { type => $type, detail => $detail, %more };
}

# --- one request -----------------------------------------------------------

sub handle ($self, $request)
{
    my $ctx = { server => $self, request => $request, headers => [],
        struck => [], endpoint => $request->{listener} };
    my $answer = eval { $self->respond($ctx) };

    if (!$answer) {
        my $error = ref $@ eq 'HASH' ? $@ : undef;
        warn "BUG: $@" if !$error;
        $ctx->{refused} = $error->{type} if $error;
        $error //= { type => 'serverInternal', detail => 'a bug' };
        $answer = $self->problem_answer(
            $error->{status} // $STATUS{ $error->{type} } // 400, $error,
            $error->{headers});
    }
    $self->finish($ctx, $answer);
    $self->write_log($ctx, $answer);
    return $answer;
}

sub respond ($self, $ctx)
{
    my $request = $ctx->{request};
    return $self->crl($ctx)
        if $self->{crl} && $request->{listener} eq 'decoy_http'
        && $request->{path} eq '/crl';
    if ($self->{ocsp} && $request->{listener} eq 'decoy_http'
        && $request->{path} =~ m{^/ocsp(?:/[^/]+)?$}) {
        $ctx->{endpoint} = 'ocsp';
        return ocsp_answer($self, $request);
    }
    return { status => 404, headers => [], body => "decoy\n" }
        if $request->{listener} ne 'acme';

    my ($path) = split /[?]/, $request->{path};
    for my $route (@ROUTE) {
        my ($regex, $endpoint, $handler, $key) = @$route;
        my @parts = $path =~ $regex or next;
        $ctx->{endpoint} = $endpoint;
        $ctx->{parts} = $#+ ? \@parts : [];     # $#+: groups in $regex
        return $self->dispatch($ctx, $handler, $key);
    }
    refuse(malformed => "nothing is at $path", status => 404);
}

# The intermediate's revocation list, or something else in its place.
sub crl ($self, $ctx)
{
    my $crl = $self->{crl};

    $ctx->{endpoint} = 'crl';
    return { status => $crl->{status} // 200, headers => [],
        body => $crl->{body} // new_crl(
            issuer => $crl->{by_root} ? $self->root : $self->intermediate,
            revoked => $crl->{revoked}, seconds => $crl->{seconds}) };
}

sub dispatch ($self, $ctx, $handler, $key)
{
    my $request = $ctx->{request};

    # RFC 8555 6.1
    refuse(malformed => 'a User-Agent is required')
        if !length($request->{headers}{'user-agent'} // '');
    my $allowed = $IS_GET{ $ctx->{endpoint} }
        ? qr/^(?:GET|HEAD)$/ : qr/^POST$/;
    refuse(malformed => "$request->{method} is not for this resource",
        status => 405) if $request->{method} !~ $allowed;
    $self->authenticate($ctx, $key) if $key;
    Acme::CA::Order::note_identifiers($self, $ctx);

    my $instead = $self->{faults}->apply(
        request => $ctx->{endpoint}, $ctx);
    return $instead if $instead;
    my ($status, $object) = $handler->($self, $ctx, @{ $ctx->{parts} });
    return $object if ref $object && exists $object->{status_line};
    return $self->object_answer($ctx, $status, $object);
}

# RFC 8555 6.2 to 6.5
sub authenticate ($self, $ctx, $key)
{
    my $request = $ctx->{request};
    my $type = $request->{headers}{'content-type'} // '';

    refuse(malformed => "content type $type", status => 415)
        if $type ne 'application/jose+json';
    my $jws = parse_jws($request->{body});
    my $header = $jws->{header};
    @$ctx{qw(alg kid)} = @$header{qw(alg kid)};
    refuse(unauthorized => "url $header->{url} is not this resource")
        if $header->{url} ne $self->url($request->{path});
    refuse(badNonce => 'the nonce is not known, or was used')
        if !delete $self->{nonces}{ $header->{nonce} };
    refuse(malformed => "$key is needed here, not the other one")
        if !exists $header->{$key};

    $ctx->{jwk} = $key eq 'jwk' ? $header->{jwk}
        : $self->account_of($ctx, $header->{kid});
    refuse(malformed => 'jwk is not an object') if ref $ctx->{jwk} ne 'HASH';
    refuse(malformed => 'a private key in jwk') if exists $ctx->{jwk}{d};
    verify_jws($jws, $ctx->{jwk});
    $ctx->{payload} = decode_payload($jws->{payload});
    return;
}

sub account_of ($self, $ctx, $kid)
{
    my ($account) = grep { $_->{url} eq $kid } values %{ $self->{accounts} };
    refuse(accountDoesNotExist => "no account is $kid") if !$account;
    refuse(unauthorized => "the account is $account->{status}")
        if $account->{status} ne 'valid';
    $ctx->{account} = $account;
    return $account->{jwk};
}

# undef for POST-as-GET, else an object.
sub decode_payload ($bytes)
{
    return if $bytes eq '';
    my $payload = eval { $JSON->decode($bytes) };
    refuse(malformed => 'the payload is not a JSON object')
        if ref $payload ne 'HASH';
    return $payload;
}

# --- answers ---------------------------------------------------------------

sub object_answer ($self, $ctx, $status, $object)
{
    $ctx->{object} = $object = $JSON->decode($JSON->encode($object));
    $self->{faults}->apply(object => $ctx->{endpoint}, $ctx);
    return {
        status => $status, body => $JSON->encode($object),
        headers => [['Content-Type', 'application/json'],
            @{ $ctx->{headers} }],
    };
}

sub problem_answer ($self, $status, $problem, $headers = undef)
{
    my %body = (
        type => $problem->{type} =~ /:/ ? $problem->{type}
            : $URN . $problem->{type},
        detail => $problem->{detail}, status => $status,
        map { $_ => $problem->{$_} } grep { exists $problem->{$_} }
            qw(subproblems algorithms identifier),
    );
    return {
        status => $status, body => $JSON->encode(\%body),
        headers => [['Content-Type', 'application/problem+json'],
            @{ $headers // [] }],
    };
}

# Bytes that are not JSON.
sub plain ($status, $body, @headers)
{
    return ($status, { status_line => 1, status => $status, body => $body,
        headers => [@headers] });
}

sub finish ($self, $ctx, $answer)
{
    my $endpoint = $ctx->{endpoint};
    return if $ctx->{request}{listener} ne 'acme';

    push @{ $answer->{headers} },
        ['Link', '<' . $self->url('/dir') . '>;rel="index"']
        if $endpoint ne 'directory';
    push @{ $answer->{headers} }, ['Cache-Control', 'no-store'],
        ['Replay-Nonce', $self->new_nonce_value]
        if $ctx->{request}{method} eq 'POST' || $endpoint eq 'newNonce';
    $answer->{delay} = $self->{latency} if $self->{latency};
    $ctx->{answer} = $answer;
    $self->{faults}->apply(reply => $endpoint, $ctx);
    return;
}

sub new_nonce_value ($self)
{
    my $nonce = b64(join '', map { chr int rand 256 } 1 .. 16);
    $self->{nonces}{$nonce} = 1;
    return $nonce;
}

sub write_log ($self, $ctx, $answer)
{
    my $request = $ctx->{request};
    my $headers = $request->{headers};
    my ($type) = ($answer->{body} // '') =~ /"type":"\Q$URN\E(\w+)"/;
    my %line = (
        n => ++$self->{requests}, time => Time::HiRes::time(),
        endpoint => $ctx->{endpoint}, connection => $request->{connection},
        method => $request->{method}, path => $request->{path},
        status => $answer->{drop} || $answer->{hang} ? 0
            : $answer->{status},
        problem => $answer->{status} && $answer->{status} >= 400
            ? $type : undef,
        refused => $ctx->{refused}, faults => $ctx->{struck},
        account => $ctx->{account} ? $ctx->{account}{id} : undef,
        identifiers => $ctx->{identifiers}, payload => $ctx->{payload},
        alg => $ctx->{alg}, kid => $ctx->{kid}, headers => $headers,
    );
    syswrite $self->{log_handle}, $JSON->encode(\%line) . "\n";
    return;
}

# --- directory, nonces, accounts -------------------------------------------

sub directory ($self, $ctx)
{
    my $profiles = $self->{profiles};
    my %meta = (
        website => $self->url('/'),
        ($self->{no_terms} ? () : (termsOfService => $self->url(TERMS))),
        ($profiles ? (profiles => { map {
            $_ => $profiles->{$_}{description} // "about $_" }
                keys %$profiles }) : ()),
        ($self->{caa} ? (caaIdentities => $self->{caa}) : ()),
        ($self->{eab} ? (externalAccountRequired => JSON::PP::true) : ()),
    );
    return 200, {
        newNonce => $self->url('/nonce'),
        newAccount => $self->url('/new-account'),
        newOrder => $self->url('/new-order'),
        revokeCert => $self->url('/revoke'),
        keyChange => $self->url('/key-change'),
        ($self->{ari} ? (renewalInfo => $self->url('/renewal-info')) : ()),
        ($self->{no_terms} && !$profiles && !$self->{caa} ? () : (meta => \%meta)),
    };
}

sub new_nonce ($self, $ctx)
{
    # RFC 8555 7.2: 200 to HEAD, 204 to GET
    return plain($ctx->{request}{method} eq 'HEAD' ? 200 : 204, '');
}

sub terms ($self, $ctx)
{
    return plain(200, "be nice\n", ['Content-Type', 'text/plain']);
}

sub not_here ($self, $ctx)
{
    refuse(serverInternal => 'this test CA cannot do that', status => 501);
}

# RFC 8555 7.3
sub new_account ($self, $ctx)
{
    my $payload = $ctx->{payload} // refuse(malformed => 'no payload');
    my $print = thumbprint($ctx->{jwk});
    my ($account) = grep { $_->{thumbprint} eq $print }
        values %{ $self->{accounts} };

    if ($account) {
        refuse(unauthorized => "the account is $account->{status}")
            if $account->{status} ne 'valid';
        return $self->show_account($ctx, 200, $account);
    }
    refuse(accountDoesNotExist => 'no account has this key')
        if $payload->{onlyReturnExisting};
    refuse(userActionRequired => 'the terms of service are not agreed to')
        if !$self->{no_terms} && !is_true($payload->{termsOfServiceAgreed});
    check_contact($payload->{contact});
    my $bound = $self->{eab} ? $self->check_binding($ctx) : undef;

    my $id = $self->new_id;
    $account = $self->{accounts}{$id} = {
        id => $id, url => $self->url("/account/$id"), status => 'valid',
        jwk => $ctx->{jwk}, thumbprint => $print,
        contact => $payload->{contact} // [],
        ($bound ? (bound => $bound) : ()),
    };
    return $self->show_account($ctx, 201, $account);
}

# RFC 8555 7.3.4: who the account belongs to, as "KID ALG".
sub check_binding ($self, $ctx)
{
    my $jws = $ctx->{payload}{externalAccountBinding}
        // refuse(externalAccountRequired => 'no binding');
    my ($header, $jwk) = verify_binding($jws, sub ($kid) {
        $self->{eab}{$kid}
            // refuse(unauthorized => 'no such external account')
    });

    refuse(malformed => 'the binding is for another URL')
        if ($header->{url} // '') ne $self->url('/new-account');
    refuse(malformed => 'the binding is of another key')
        if thumbprint($jwk) ne thumbprint($ctx->{jwk});
    return "$header->{kid} $header->{alg}";
}

sub is_true ($value) { return JSON::PP::is_bool($value) && $value }

sub check_contact ($contact)
{
    return if !defined $contact;
    refuse(malformed => 'contact is not a list') if ref $contact ne 'ARRAY';
    for my $url (@$contact) {
        refuse(unsupportedContact => "$url is not a mailto URL")
            if $url !~ /^mailto:/;
        refuse(invalidContact => "$url is no address")
            if $url !~ /^mailto:[^\s?,@]+\@[\w.-]+\.\w+$/;
    }
    return;
}

sub show_account ($self, $ctx, $status, $account)
{
    $ctx->{account} = $account;
    push @{ $ctx->{headers} }, ['Location', $account->{url}];
    return $status, {
        status => $account->{status}, contact => $account->{contact},
        orders => $account->{url} . '/orders',
        termsOfServiceAgreed => JSON::PP::true,
    };
}

# RFC 8555 7.3.5
sub key_change ($self, $ctx)
{
    my $inner = parse_inner($JSON->encode($ctx->{payload}));
    my ($header, $account) = ($inner->{header}, $ctx->{account});
    my $said = decode_payload($inner->{payload});

    refuse(malformed => 'the inner JWS has no jwk') if !$header->{jwk};
    verify_jws($inner, $header->{jwk});
    refuse(malformed => 'the inner JWS is for another URL')
        if $header->{url} ne $self->url('/key-change');
    refuse(malformed => 'it is about another account')
        if ($said->{account} // '') ne $account->{url};
    refuse(malformed => 'oldKey is another one')
        if thumbprint($said->{oldKey}) ne $account->{thumbprint};
    my $print = thumbprint($header->{jwk});
    refuse(malformed => 'another account has this key', status => 409)
        if grep { $_->{thumbprint} eq $print } values %{ $self->{accounts} };
    @$account{qw(jwk thumbprint)} = ($header->{jwk}, $print);
    return $self->show_account($ctx, 200, $account);
}

sub account ($self, $ctx, $id)
{
    my $payload = $ctx->{payload};
    my $account = $ctx->{account};
    refuse(unauthorized => 'not your account') if $account->{id} ne $id;

    if ($payload && exists $payload->{contact}) {
        check_contact($payload->{contact});
        $account->{contact} = $payload->{contact};
    }
    $account->{status} = 'deactivated'
        if ($payload->{status} // '') eq 'deactivated';
    return $self->show_account($ctx, 200, $account);
}

# --- orders: see Acme::CA::Order -------------------------------------------

sub new_order { goto &Acme::CA::Order::new_order }
sub order { goto &Acme::CA::Order::order }
sub authz { goto &Acme::CA::Order::authz }
sub challenge { goto &Acme::CA::Order::challenge }
sub finalize { goto &Acme::CA::Order::finalize }
sub certificate { goto &Acme::CA::Order::certificate }
sub renewal_info { goto &Acme::CA::Renewal::renewal_info }

1;
