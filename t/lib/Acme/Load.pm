package Acme::Load;

# Clients that connect without a pause, each a process of its own with its
# own taste in versions, kinds of key and resumption.  They verify chain and
# name, fetch one page, and write down what they saw; the server's log tells
# which worker it was.  Knows nothing of what a server ought to show.

use v5.36;
use Acme::Proc qw(nap slurp stop_pid);
use Acme::Tls;
use IO::Socket::INET;
use IO::Socket::SSL qw($SSL_ERROR);
use Net::SSLeay;
use POSIX ();
use Time::HiRes qw(time);

use constant {
    PAUSE => 0.02,          # between two connections of a client
    SAME_SESSION => 8,      # connections before a session is forgotten
};

# new($test, names => [..], ca_file =>): nothing runs yet.
sub new ($class, $test, %o)
{
    return bless { port => $test->port('tls'), %o, test => $test,
        dir => $test->dir . '/logs', clients => [] }, $class;
}

# For configure(global =>): who answered which request.
sub log_lines ($class)
{
    return {
        nginx => <<~'END',
            log_format load '$pid $request';
            access_log %%DIR%%/logs/load.log load;
            END
        httpd => 'CustomLog %%DIR%%/logs/load.log "%P %r"',
    };
}

# One client of each sort: TLS version, kind of key, with and without
# resumption.
sub all_kinds ($class)
{
    return map {
        my $tls = $_;
        map {
            my $kind = $_;
            map { { tls => $tls, kind => $kind, resume => $_ } } 0, 1;
        } qw(ecdsa rsa);
    } '1.2', '1.3';
}

sub start ($self, @clients)
{
    for my $client (@clients) {
        my $number = @{ $self->{clients} };
        my $log = "$self->{dir}/client.$number";
        my $pid = $self->{test}->spawn(log => $log, code => sub {
            $self->connect_forever($number, %$client) });
        push @{ $self->{clients} }, { %$client, pid => $pid, log => $log };
    }
    return $self;
}

# A client ends after the connection that it is in.
sub stop ($self)
{
    kill 'TERM', map { $_->{pid} } @{ $self->{clients} };
    stop_pid($_->{pid}) for @{ $self->{clients} };
    return $self;
}

# --- in the client ---------------------------------------------------------

sub connect_forever ($self, $number, %o)
{
    my ($stop, $n, %context) = (0, 0);
    my $term = POSIX::SigSet->new(POSIX::SIGTERM());

    local $SIG{TERM} = sub { $stop = 1 };
    local $SIG{PIPE} = 'IGNORE';
    while (!$stop) {
        my $names = $self->{names};
        my $name = $names->[$n++ % @$names];
        my $kept = $context{$name};
        $kept = $context{$name} = { left => SAME_SESSION,
            ctx => $self->context($name, %o) } if !$kept || !$kept->{left}--;
        POSIX::sigprocmask(POSIX::SIG_BLOCK(), $term);
        my @line = (time, $self->connect_once($name, "$number-$n",
            $kept->{ctx}), time, $name, "$number-$n");
        POSIX::sigprocmask(POSIX::SIG_UNBLOCK(), $term);
        syswrite STDOUT, join("\t", @line) . "\n";
        nap(PAUSE);
    }
    return;
}

# With its roots and its sessions.
sub context ($self, $name, %o)
{
    my @resume = $o{resume} ? (SSL_session_cache_size => 10) : ();
    return IO::Socket::SSL::SSL_Context->new(
        Acme::Tls::options(%o, name => $name, ca_file => $self->{ca_file}),
        @resume) // die "no context: $SSL_ERROR\n";
}

# (serial or '-', resumed, what failed or '-')
sub connect_once ($self, $name, $id, $ctx)
{
    my $tcp = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 10,
    ) or return '-', 0, "connect: $!";
    my $ssl = IO::Socket::SSL->start_SSL($tcp, SSL_reuse_ctx => $ctx,
        SSL_hostname => $name, SSL_session_key => $name, Timeout => 10,
        SSL_verifycn_name => $name, SSL_verifycn_scheme => 'http',
    ) or return '-', 0, 'TLS: ' . ($SSL_ERROR || $!) =~ s/\s+/ /gr;
    my $seen = uc Net::SSLeay::P_ASN1_INTEGER_get_hex(
        Net::SSLeay::X509_get_serialNumber($ssl->peer_certificate));
    my $reused = $ssl->get_session_reused ? 1 : 0;

    return $seen, $reused, $self->fetch($ssl, $name, $id);
}

# TLS 1.3 sends its tickets with the answer.
sub fetch ($self, $ssl, $name, $id)
{
    my $request = "GET /?load=$id HTTP/1.1\r\nHost: $name\r\n"
        . "Connection: close\r\n\r\n";
    my $answer = '';

    $ssl->print($request) or return "request: $!";
    1 while $ssl->sysread($answer, 65_536, length $answer);
    $ssl->close(SSL_fast_shutdown => 1);
    return $answer =~ m{^HTTP/1\.1 200 .*ordinary content}s ? '-'
        : 'answer: ' . length($answer) . ' bytes ' . ($SSL_ERROR // '');
}

# --- what they saw ---------------------------------------------------------

# Connections, the first one first: {start, end, name, serial, reused, error,
# worker, client}, and kind, tls, resume of the client.
sub seen ($self)
{
    my $log = slurp("$self->{dir}/load.log") // '';
    my (%worker, @found);

    $worker{$2} = $1 while $log =~ m{^(\d+) GET /\?load=([\d-]+)}gm;
    for my $client (@{ $self->{clients} }) {
        for my $line (split /\n/, slurp($client->{log}) // '') {
            my %one;
            @one{qw(start serial reused error end name id)}
                = split /\t/, $line;
            push @found, { %$client, %one, worker => $worker{ $one{id} } };
        }
    }
    return sort { $a->{start} <=> $b->{start} } @found;
}

1;
