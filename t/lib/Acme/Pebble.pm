package Acme::Pebble;

# Pebble as the CA of one test: the newest one found, or the packaged one.
# Its listener's certificate is ours, its DNS an Acme::DNS or Acme::Knot.  Stopping it
# forgets accounts, orders and roots, as Pebble keeps all in memory.

use v5.36;
use Acme::CA::X509 qw(server_pair);
use Acme::Http qw(request);
use Acme::Port;
use Acme::Proc qw(run slurp spawn spew stop_pid wait_until);
use Acme::Tool qw(find_tool);
use JSON::PP;

# new(dir =>, http_port =>, tls_port =>, dns => its DNS, and optionally
#     binary =>, nonce_reject => percent, authz_reuse => percent,
#     validity => seconds, alternates => n, chain_length => n,
#     always_valid => 1, strict => 1, eab => { KID => KEY }, env => {},
#     profiles => { name => { description =>, validityPeriod => } },
#     retry_after => seconds, blocklist => [names]): not started.
sub new ($class, %o)
{
    my $self = bless {
        nonce_reject => 5, authz_reuse => 50, retry_after => 1, %o,
        port => Acme::Port->reserve, management => Acme::Port->reserve,
    }, $class;
    my $pair = server_pair('pebble');

    $self->{binary} //= find_tool('pebble')
        // die "pebble not found: make deps\n";
    $self->{name} //= 'pebble';
    $self->{log} = "$o{dir}/$self->{name}.log";
    $self->{file} = {
        map { $_ => "$o{dir}/$self->{name}.$_.pem" } qw(root cert key) };
    spew($self->{file}{root}, $pair->{root});
    spew($self->{file}{cert}, $pair->{cert});
    spew($self->{file}{key}, $pair->{key}, 0600);
    return $self;
}

sub type ($self) { return 'pebble' }
sub port ($self) { return $self->{port} }
sub url ($self) { return "https://127.0.0.1:$self->{port}/dir" }

# What a client needs to trust our listener (not the certificates).
sub ca_file ($self) { return $self->{file}{root} }
sub pids ($self) { return $self->{pid} // () }
sub log ($self) { return slurp($self->{log}) // '' }

# Proofs that it has accepted.  In one order of a hundred it takes an earlier
# one for good, also where it is told never to.
sub proofs ($self)
{
    return scalar(() = $self->log =~ /set VALID by completed challenge/g);
}

sub start ($self)
{
    my $config = "$self->{dir}/$self->{name}.json";

    spew($config, JSON::PP->new->canonical->pretty->encode($self->config));
    $self->{pid} = spawn(
        log => $self->{log}, env => $self->environment,
        cmd => [$self->{binary}, -config => $config,
            ($self->{dns} ? (-dnsserver => $self->{dns}->address) : ()),
            ($self->{strict} ? '-strict' : ()),
        ],
    );
    wait_until(10, sub { $self->directory && $self->get('/roots/0') })
        or die 'Pebble does not answer: ' . $self->log . "\n";
    return $self;
}

sub config ($self)
{
    my $validity = $self->{validity} // 90 * 86_400;

    return { pebble => {
        listenAddress => "127.0.0.1:$self->{port}",
        managementListenAddress => "127.0.0.1:$self->{management}",
        certificate => $self->{file}{cert},
        privateKey => $self->{file}{key},
        httpPort => $self->{http_port}, tlsPort => $self->{tls_port},
        ocspResponderURL => '',
        externalAccountBindingRequired =>
            $self->{eab} ? JSON::PP::true : JSON::PP::false,
        externalAccountMACKeys => $self->{eab} // {},
        domainBlocklist => $self->{blocklist} // ['blocked.test'],
        retryAfter => {
            authz => $self->{retry_after}, order => $self->{retry_after},
        },
        keyAlgorithm => 'ecdsa',
        # read by Pebble before 2.7 and since
        certificateValidityPeriod => $validity,
        profiles => $self->{profiles} // { default => {
            description => 'what everybody gets',
            validityPeriod => $validity,
        } },
    } };
}

sub environment ($self)
{
    my %env = (
        PEBBLE_VA_NOSLEEP => 1,
        PEBBLE_WFE_NONCEREJECT => $self->{nonce_reject},
        PEBBLE_AUTHZREUSE => $self->{authz_reuse},
        PEBBLE_ALTERNATE_ROOTS => $self->{alternates},
        PEBBLE_CHAIN_LENGTH => $self->{chain_length},
        PEBBLE_VA_ALWAYS_VALID => $self->{always_valid},
        %{ $self->{env} // {} },
    );
    return \%env;
}

sub stop ($self)
{
    my $pid = delete $self->{pid} or return 1;
    delete $self->{version};
    return stop_pid($pid);
}

# --- looking at it ---------------------------------------------------------

sub directory ($self)
{
    my $answer = request(
        port => $self->{port}, path => '/dir', tls => 1, timeout => 2,
        ca_file => $self->ca_file,
    );
    return $answer->{status} == 200 ? decode_json($answer->{body}) : undef;
}

# '2.10.1', '2.4.0+ds1-2+b4', or 'unknown': Pebble 2.4 has no -version, and
# one that go install built calls itself "dev".
sub version ($self)
{
    return $self->{version} //= do {
        my ($built) = (slurp($self->{binary}) // '')
            =~ m{/pebble/v2\tv(\d[^\t\n]*)};
        my $package = $built || $self->{binary} ne '/usr/bin/pebble' ? undef
            : run(cmd => ['dpkg-query', '-W', '-f${Version}', 'pebble']);
        $built // ($package && $package->{stdout}) || 'unknown';
    };
}

# has('ari') | 'profiles' | 'eab': from the directory of the running Pebble.
sub has ($self, $feature)
{
    my $directory = $self->directory // {};
    my %test = (
        ari => sub { $directory->{renewalInfo} },
        profiles => sub { $directory->{meta}{profiles} },
        eab => sub { $directory->{meta}{externalAccountRequired} },
    );
    return $test{$feature}->() ? 1 : 0;
}

sub get ($self, $path)
{
    my $answer = request(
        port => $self->{management}, path => $path, tls => 1, timeout => 2,
        ca_file => $self->ca_file,
    );
    return $answer->{status} == 200 ? $answer->{body} : undef;
}

# What renewalInfo answers about a certificate from now on: any text, '' for
# its own.  Pebble 2.8 and newer.
sub set_renewal_info ($self, $pem, $answer)
{
    my $reply = request(
        port => $self->{management}, path => '/set-renewal-info/', tls => 1,
        method => 'POST', timeout => 2, ca_file => $self->ca_file,
        body => encode_json({ certificate => $pem, ariResponse => $answer }),
    );
    return $reply->{status} == 200;
}

# How many orders it has made; one that was sent again for its nonce is one.
sub orders ($self)
{
    return scalar(() = $self->log =~ /There are now \d+ orders/g);
}

# The root that certificates lead to; $n for the alternates.
sub root_pem ($self, $n = 0) { return $self->get("/roots/$n") }
sub intermediate_pem ($self, $n = 0)
{
    return $self->get("/intermediates/$n");
}

# root_pem in a file, for clients that verify.
sub root_file ($self, $n = 0)
{
    my $path = "$self->{dir}/$self->{name}.issuing-root$n.pem";
    return spew($path, $self->root_pem($n) // die "no root $n\n");
}

# {Status => 'Valid' | 'Revoked', ...} of a serial in hex.
sub certificate_status ($self, $serial)
{
    my $body = $self->get('/cert-status-by-serial/' . lc $serial);
    return $body ? decode_json($body) : undef;
}

1;
