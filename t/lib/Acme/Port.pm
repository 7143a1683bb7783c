package Acme::Port;

# Hands out loopback ports that no other test of this machine will take.
# Each is held by a socket in the abstract namespace, which goes with the
# process, and lies below the range of outgoing connections.

use v5.36;
use IO::Socket::INET;
use Socket qw(AF_UNIX SOCK_STREAM pack_sockaddr_un);

use constant { FIRST => 20_000, COUNT => 10_000 };

my @held;       # kept open for as long as this process lives

# A port nobody listens on, neither TCP nor UDP, on any loopback address.
sub reserve ($class = undef)
{
    my $offset = int rand COUNT;

    for my $try (0 .. COUNT - 1) {
        my $port = FIRST + ($offset + $try) % COUNT;
        my $lock = lock_port($port) or next;
        next if !is_free($port);
        push @held, $lock;
        return $port;
    }
    die "no free loopback port\n";
}

sub lock_port ($port)
{
    socket my $lock, AF_UNIX, SOCK_STREAM, 0 or die "socket: $!\n";
    bind $lock, pack_sockaddr_un("\0acme-test-port-$port") or return;
    return $lock;
}

sub is_free ($port)
{
    for my $proto (qw(tcp udp)) {
        my @listen = $proto eq 'tcp' ? (Listen => 1, ReuseAddr => 1) : ();
        IO::Socket::INET->new(
            LocalAddr => '0.0.0.0', LocalPort => $port, Proto => $proto,
            @listen,
        ) or return 0;
    }
    return 1;
}

1;
