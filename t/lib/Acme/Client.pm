package Acme::Client;

# A plain ACME client for testing CAs: does what it is told, one request at
# a time, and can be told to do it wrongly.  Retries nothing.

use v5.36;
use Acme::CA::Jws qw(b64 load_key public_jwk sign_jws thumbprint);
use Acme::CA::X509 qw(make_csr new_key);
use Acme::Http qw(request);
use Acme::Proc qw(wait_until);
use JSON::PP;

# new(url => directory, ca_file =>, key => PEM (ecdsa:256))
sub new ($class, %o)
{
    my $self = bless { %o, key => load_key($o{key} // new_key()) }, $class;
    my $answer = $self->get($o{url});
    $self->{directory} = $answer->{status} == 200 && $answer->{json}
        or die "no directory: $answer->{status} "
            . ($answer->{error} // $answer->{body}) . "\n";
    return $self;
}

sub directory ($self) { return $self->{directory} }
sub thumbprint_of_key ($self)
{
    return thumbprint(public_jwk($self->{key}));
}

# {status, headers, body, json}; json only where it is JSON.
sub send_request ($self, $method, $url, %o)
{
    my ($port, $path) = $url =~ m{^https://127\.0\.0\.1:(\d+)(/.*)$}
        or die "not a URL of a test CA: $url\n";
    my $answer = request(
        port => $port, path => $path, tls => 1, method => $method,
        ca_file => $self->{ca_file}, %o);

    $self->{nonce} = $answer->{headers}{'replay-nonce'}
        // $self->{nonce};
    $answer->{json} = eval { decode_json($answer->{body}) }
        if length $answer->{body} < 4 << 20;
    return $self->{last} = $answer;
}

sub get ($self, $url) { return $self->send_request('GET', $url) }

sub nonce ($self)
{
    $self->send_request('HEAD', $self->{directory}{newNonce})
        if !$self->{nonce};
    return delete $self->{nonce};
}

# post(URL, PAYLOAD or undef for POST-as-GET, and to do it wrongly:
#     header => { changes of the protected header; undef removes },
#     spoil => sub ($jws) { the text sent }, http => { for the request })
sub post ($self, $url, $payload, %o)
{
    my %header = (
        nonce => $o{nonce} // $self->nonce, url => $url,
        $self->{kid} && !$o{use_jwk} ? (kid => $self->{kid})
            : (jwk => public_jwk($self->{key})),
        %{ $o{header} // {} },
    );
    delete @header{ grep { !defined $header{$_} } keys %header };
    my $body = sign_jws($self->{key}, \%header, $payload);

    $body = $o{spoil}->($body) if $o{spoil};
    return $self->send_request('POST', $url, body => $body, headers => {
        'Content-Type' => 'application/jose+json' }, %{ $o{http} // {} });
}

sub register ($self, %payload)
{
    my $answer = $self->post($self->{directory}{newAccount},
        { termsOfServiceAgreed => JSON::PP::true, %payload },
        use_jwk => 1);
    $self->{kid} = $answer->{headers}{location} if $answer->{status} < 300;
    return $answer;
}

sub new_order ($self, @names)
{
    my $answer = $self->post($self->{directory}{newOrder}, {
        identifiers => [map { +{
            type => /^[\d.]+$|:/ ? 'ip' : 'dns', value => $_ } } @names] });
    $self->{order} = $answer->{headers}{location};
    return $answer;
}

# The http-01 challenges of an order that are to be answered.
sub challenges ($self, $order)
{
    return map {
        my $authz = $self->post($_, undef)->{json};
        $authz->{status} eq 'pending'
            ? grep { $_->{type} eq 'http-01' } @{ $authz->{challenges} } : ()
    } @{ $order->{authorizations} };
}

sub key_authorization ($self, $token)
{
    return $token . '.' . $self->thumbprint_of_key;
}

# Polls until the status is none of pending and processing.
sub poll ($self, $url)
{
    wait_until(15, sub {
        ($self->post($url, undef)->{json}{status} // 'none')
            !~ /^(?:pending|processing)$/;
    });
    return $self->{last};
}

sub finalize ($self, $order, $csr)
{
    return $self->post($order->{finalize}, { csr => b64($csr) });
}

# The whole flow: PEM, or dies with the answer that was not as hoped for.
# $responder is an Acme::Responder (or anything with present).
sub obtain ($self, $responder, $key, @names)
{
    my $order = expect($self->new_order(@names), 201);
    my $url = $self->{order};

    for my $challenge ($self->challenges($order->{json})) {
        $responder->present($challenge->{token},
            $self->key_authorization($challenge->{token}));
        expect($self->post($challenge->{url}, {}), 200);
    }
    $self->poll($_) for @{ $order->{json}{authorizations} };
    my $ready = expect($self->post($url, undef), 200);
    die "order is $ready->{json}{status}\n"
        if $ready->{json}{status} ne 'ready';
    expect($self->finalize($ready->{json}, make_csr($key, @names)), 200);
    my $done = expect($self->poll($url), 200);
    return expect($self->post($done->{json}{certificate}, undef), 200)
        ->{body};
}

sub expect ($answer, $status)
{
    return $answer if $answer->{status} == $status;
    die "status $answer->{status}, not $status: "
        . ($answer->{error} // $answer->{body}) . "\n";
}

1;
