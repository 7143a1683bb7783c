package Acme::DNS;

# challtestsrv as a DNS server on a loopback port: everything is 127.0.0.1
# unless a test says otherwise.  Its own HTTP and TLS challenge servers stay
# off.  Knows nothing of ACME.

use v5.36;
use Acme::Http qw(request);
use Acme::Port;
use Acme::Proc qw(run slurp spawn stop_pid wait_until);
use Acme::Tool qw(find_tool);
use IO::Socket::INET;
use JSON::PP;

# new(dir => DIR): not started.
sub new ($class, %o)
{
    return bless {
        dir => $o{dir}, binary => $o{binary},
        port => Acme::Port->reserve, management => Acme::Port->reserve,
        log => "$o{dir}/dns.log",
    }, $class;
}

sub address ($self) { return "127.0.0.1:$self->{port}" }
sub port ($self) { return $self->{port} }
sub pids ($self) { return $self->{pid} // () }
sub log ($self) { return slurp($self->{log}) // '' }

sub start ($self)
{
    my $binary = $self->{binary} // find_tool('pebble-challtestsrv')
        // die "pebble-challtestsrv not found: make deps\n";

    $self->{pid} = spawn(
        log => $self->{log},
        cmd => [$binary, dns_options($binary, $self->address),
            -http01 => '', -https01 => '', -tlsalpn01 => '',
            -management => "127.0.0.1:$self->{management}",
            -defaultIPv4 => '127.0.0.1', -defaultIPv6 => '',
        ],
    );
    wait_until(10, sub { $self->answers })
        or die 'challtestsrv does not answer: ' . $self->log . "\n";
    return $self;
}

# The packaged one calls its DNS server by another name.
sub dns_options ($binary, $address)
{
    my $help = run(cmd => [$binary, '-h']);
    return (-dns01 => $address) if $help->{stderr} =~ /^ +-dns01 /m;
    return (-doh => '', -dnsserver => $address);
}

sub answers ($self)
{
    my ($address) = eval { $self->query('ready.test') };
    return ($address // '') eq '127.0.0.1'
        && request(port => $self->{management}, timeout => 1)->{status};
}

sub stop ($self)
{
    my $pid = delete $self->{pid} or return 1;
    return stop_pid($pid);
}

# --- records ---------------------------------------------------------------

# a('name', '127.0.0.2', ...); no address: the name has none of its own.
sub a ($self, $name, @addresses)
{
    return $self->clear(a => $name) if !@addresses;
    return $self->post('add-a', $name, addresses => \@addresses);
}

sub aaaa ($self, $name, @addresses)
{
    return $self->clear(aaaa => $name) if !@addresses;
    return $self->post('add-aaaa', $name, addresses => \@addresses);
}

sub caa ($self, $name, @policies)
{
    return $self->clear(caa => $name) if !@policies;
    return $self->post('add-caa', $name, policies => \@policies);
}

sub txt ($self, $name, $value)
{
    return $self->post('set-txt', $name, value => $value);
}

sub cname ($self, $name, $target)
{
    return $self->post('set-cname', $name, target => dotted($target));
}

sub servfail ($self, $name) { return $self->post('set-servfail', $name) }

# clear('txt' | 'a' | 'aaaa' | 'caa' | 'cname' | 'servfail', $name)
sub clear ($self, $type, $name) { return $self->post("clear-$type", $name) }

# What names without records resolve to; '' for nothing.
sub default_ipv4 ($self, $address)
{
    return $self->call('set-default-ipv4', { ip => $address });
}

sub post ($self, $verb, $name, %fields)
{
    return $self->call($verb, { host => dotted($name), %fields });
}

sub call ($self, $verb, $body)
{
    my $answer = request(
        port => $self->{management}, path => "/$verb", method => 'POST',
        body => encode_json($body),
    );
    die "challtestsrv refused $verb: $answer->{status} "
        . ($answer->{error} // $answer->{body}) . "\n"
        if $answer->{status} != 200;
    return $self;
}

sub dotted ($name) { return $name =~ /\.$/ ? $name : "$name." }

# --- a resolver of three lines ---------------------------------------------

my %TYPE = (A => 1, CNAME => 5, TXT => 16, AAAA => 28);

# Answers to one question over UDP, as text.
sub query ($self, $name, $type = 'A', $timeout = 1)
{
    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Proto => 'udp',
    ) or die "DNS socket: $!\n";
    my $question = join '',
        map({ chr(length) . $_ } split /\./, $name),
        "\0", pack 'nn', $TYPE{$type}, 1;

    $socket->send(pack('n6', 4711, 0x0100, 1, 0, 0, 0) . $question);
    my $ready = '';
    vec($ready, fileno $socket, 1) = 1;
    select $ready, undef, undef, $timeout or die "no DNS answer\n";
    $socket->recv(my $packet, 4096) // die "DNS: $!\n";
    return answers_of($packet, 12 + length $question, $TYPE{$type});
}

sub answers_of ($packet, $at, $wanted)
{
    my $count = unpack 'x6 n', $packet;
    my @found;

    while ($count--) {
        $at += name_length($packet, $at);
        my ($type, undef, undef, $length) = unpack "x$at nnNn", $packet;
        my $data = substr $packet, $at + 10, $length;
        $at += 10 + $length;
        push @found, as_text($type, $data) if $type == $wanted;
    }
    return @found;
}

sub name_length ($packet, $at)
{
    my $start = $at;
    while (my $length = ord substr $packet, $at, 1) {
        return $at + 2 - $start if $length >= 192;
        $at += 1 + $length;
    }
    return $at + 1 - $start;
}

sub as_text ($type, $data)
{
    return join '.', unpack 'C4', $data if $type == $TYPE{A};
    return join '', unpack '(C/a)*', $data if $type == $TYPE{TXT};
    return join ':', map { sprintf '%x', $_ } unpack 'n8', $data
        if $type == $TYPE{AAAA};
    return unpack 'H*', $data;
}

1;
