package Acme::Impostor;

# Somebody else's TLS server at the very port where a server listens, which
# has to share it (SO_REUSEPORT): it is given all connections, as if something
# on the way led them elsewhere.  Stays on loopback; ends with its test, and
# the port is the server's alone again.

use v5.36;
use Acme::CA::X509 qw(server_pair);
use Acme::Proc qw(spew);
use Exporter 'import';
use IO::Socket::INET;
use IO::Socket::SSL;
use Socket qw(SOL_SOCKET);

our @EXPORT_OK = qw(shared_port impostor);

use constant { ATTACH_REUSEPORT_CBPF => 51, RET_K => 0x06 };

# Options of configure() that have the server share its TLS port.  Of nginx
# each worker has a socket of its own then.
sub shared_port ()
{
    return (global => { nginx => 'server { listen 127.0.0.1:%%TLS%% ssl '
            . 'reuseport default_server; ssl_reject_handshake on; }',
        httpd => '' },
        main => { nginx => '', httpd => 'ListenCoresBucketsRatio 8' });
}

# impostor($t): its pid.  $sockets: of the server, at that port.
sub impostor ($t, $sockets)
{
    my $pair = server_pair('impostor');
    my %files = map { $_ => spew($t->dir . "/conf/impostor.$_", $pair->{$_}) }
        qw(cert key);
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $t->port('tls'), Listen => 16, ReusePort => 1)
        or die "cannot share the port: $!\n";

    # a program of one instruction: return the number of our socket
    my $program = pack 'SCCL', RET_K, 0, 0, $sockets;
    setsockopt $socket, SOL_SOCKET, ATTACH_REUSEPORT_CBPF,
        pack 'Sx![P]P', 1, $program or die "cannot have all of it: $!\n";
    return $t->spawn(log => $t->dir . '/logs/impostor', code => sub {
        local $SIG{PIPE} = 'IGNORE';
        while (my $client = $socket->accept) {
            IO::Socket::SSL->start_SSL($client, SSL_server => 1, Timeout => 2,
                SSL_cert_file => $files{cert}, SSL_key_file => $files{key});
        }
    });
}

1;
