package Acme::Proxy;

# A proxy for tests: lets clients through to loopback by CONNECT, or asks for
# what they GET by http, over http or https, and writes down where to.  One child for each client.

use v5.36;
use Acme::CA::X509 qw(server_pair);
use Acme::Port;
use Acme::Proc qw(slurp spew wait_until);
use IO::Socket::INET;
use IO::Socket::SSL;
use POSIX ();

# new($test, tls => 1: over https): not started; the port is its own.
sub new ($class, $test, %o)
{
    my $self = bless { test => $test, tls => $o{tls},
        port => Acme::Port->reserve }, $class;
    my $base = $self->{base} = "$test->{dir}/ca/proxy$self->{port}";

    if ($o{tls}) {
        my $pair = server_pair('proxy');
        spew("$base.$_.pem", $pair->{$_}, 0600) for qw(root cert key);
        chmod 0644, "$base.root.pem";
    }
    spew("$base.log", '');
    return $self;
}

sub url ($self)
{
    return ($self->{tls} ? 'https' : 'http') . "://127.0.0.1:$self->{port}";
}

sub ca_file ($self) { return "$self->{base}.root.pem" }

# What clients wanted to be connected with.
sub asked ($self) { return split /\n/, slurp("$self->{base}.log") // '' }

sub start ($self)
{
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $self->{port}, Listen => 16, ReuseAddr => 1)
        or die "proxy: $!\n";
    $self->{test}->spawn(code => sub { $self->serve($listener) });
    close $listener;
    return $self;
}

sub serve ($self, $listener)
{
    local $SIG{CHLD} = 'IGNORE';

    while (1) {
        my $client = $listener->accept or next;
        my $pid = fork // die "fork: $!\n";
        if ($pid == 0) {
            close $listener;
            eval { $self->connect_one($client) };
            POSIX::_exit(0);
        }
        close $client;
    }
    return;
}

sub connect_one ($self, $client)
{
    my $head = '';

    alarm 60;
    if ($self->{tls}) {
        IO::Socket::SSL->start_SSL($client, SSL_server => 1,
            SSL_cert_file => "$self->{base}.cert.pem",
            SSL_key_file => "$self->{base}.key.pem") or return;
    }
    while ($head !~ /\r\n\r\n/) {
        sysread($client, $head, 4096, length $head) or return;
    }
    # what is not encrypted is passed on, as other proxies do
    my $plain = $head =~ s{^(GET) http://([^/ ]+)}{$1 };
    my $to = $plain ? $2 : $head =~ /^CONNECT (\S+) HTTP/ ? $1 : return;
    open my $log, '>>', "$self->{base}.log" or return;
    syswrite $log, "$to\n";
    close $log;
    my $server = IO::Socket::INET->new(PeerAddr => $to) or return;
    $plain ? syswrite $server, $head
        : syswrite $client, "HTTP/1.1 200 OK\r\n\r\n";
    return shovel($client, $server);
}

sub shovel ($client, $server)
{
    my %other = (fileno($client) => [$client, $server],
        fileno($server) => [$server, $client]);

    while (1) {
        my $bits = '';
        vec($bits, $_, 1) = 1 for keys %other;
        select $bits, undef, undef, undef
            if !($client->can('pending') && $client->pending);
        for my $fd (keys %other) {
            my ($from, $to) = @{ $other{$fd} };
            next if !vec($bits, $fd, 1)
                && !($from->can('pending') && $from->pending);
            sysread($from, my $bytes, 65_536) or return;
            my $at = 0;
            while ($at < length $bytes) {
                $at += syswrite($to, $bytes, length($bytes) - $at, $at)
                    // return;
            }
        }
    }
    return;
}

1;
