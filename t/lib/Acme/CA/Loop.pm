package Acme::CA::Loop;

# One process, one select: HTTPS and HTTP listeners with keep-alive, timers,
# and pipes of child processes.  Answers may be produced in pieces, at any
# pace, and be broken in any way.  Knows nothing of ACME.
#
# A request is {method, path, headers (lower case), body, listener,
# connection}.  An answer is {status, headers => [[NAME, VALUE], ..], body}
# and, optionally:
#     source => sub     instead of body: the next bytes, undef at the end
#     pace => seconds   between pieces of source
#     delay => seconds  before anything is sent
#     raw => 1          source gives head and body; no head is made here
#     drop => 1         the connection is closed, nothing sent
#     cut => n          closed after n bytes
#     close => 1        Connection: close
#     hang => 1         nothing is ever sent

use v5.36;
use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use IO::Socket::INET;
use IO::Socket::SSL qw($SSL_ERROR SSL_WANT_READ SSL_WANT_WRITE);
use Net::SSLeay ();
use POSIX ();
use Time::HiRes qw(time);

use constant {
    MAX_HEAD => 64 << 10, MAX_BODY => 1 << 20, MAX_AGE => 180,
    CHUNK => 65_536,
};

sub new ($class, %o)
{
    return bless {
        on_request => $o{on_request}, listeners => {}, connections => {},
        watches => {}, timers => [], count => 0,
    }, $class;
}

# listen(NAME, PORT, or a listening socket, tls => { cert_file, key_file })
sub listen ($self, $name, $port, $tls = undef)
{
    my $socket = ref $port ? $port : IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 128,
        ReuseAddr => 1, Proto => 'tcp',
    ) // die "cannot listen on $port: $!\n";

    $socket->blocking(0);
    my $context = $tls && IO::Socket::SSL::SSL_Context->new(
        SSL_server => 1, SSL_cert_file => $tls->{cert_file},
        SSL_key_file => $tls->{key_file},
    );
    $self->{listeners}{$name} = {
        name => $name, socket => $socket, context => $context };
    return;
}

# Connections are refused from now on; open ones are dropped.
sub unlisten ($self, $name)
{
    my $listener = delete $self->{listeners}{$name} or return;
    close $listener->{socket};
    my @its = grep { $_->{listener} eq $name }
        values %{ $self->{connections} };
    $self->drop($_) for @its;
    return;
}

# Calls $code with all that a child wrote, once it has closed its end.
sub watch ($self, $handle, $code)
{
    $self->{watches}{ fileno $handle }
        = { handle => $handle, code => $code, data => '' };
    return;
}

sub after ($self, $seconds, $code)
{
    push @{ $self->{timers} }, { at => time + $seconds, code => $code };
    return;
}

sub run ($self)
{
    local $SIG{PIPE} = 'IGNORE';
    $self->turn while !$self->{stopped};
    return;
}

sub stop ($self)
{
    $self->{stopped} = 1;
    return;
}

sub turn ($self)
{
    my ($read, $write) = ('', '');
    my $timeout = 1;
    my $now = time;

    vec($read, fileno $_->{socket}, 1) = 1 for values %{ $self->{listeners} };
    vec($read, $_, 1) = 1 for keys %{ $self->{watches} };
    for my $c (values %{ $self->{connections} }) {
        my $fd = fileno $c->{socket};
        vec($read, $fd, 1) = 1 if $c->{want} eq 'read';
        vec($write, $fd, 1) = 1 if $c->{want} eq 'write';
        $timeout = min($timeout, $c->{due} - $now) if $c->{want} eq 'time';
    }
    $timeout = min($timeout, $_->{at} - $now) for @{ $self->{timers} };

    my $n = select $read, $write, undef, $timeout < 0 ? 0 : $timeout;
    ($read, $write) = ('', '') if $n < 0;
    $self->run_timers;
    $self->read_watches($read);
    $self->accept($_)
        for grep { vec $read, fileno $_->{socket}, 1 }
            values %{ $self->{listeners} };
    # a copy: what one connection asks for may end another
    my @connections = values %{ $self->{connections} };
    for my $c (@connections) {
        next if !$self->{connections}{ $c->{id} };
        my $fd = fileno $c->{socket} // next;
        my $ready = vec($read, $fd, 1) || vec($write, $fd, 1)
            || $c->{want} eq 'time' && $c->{due} <= time;
        $self->advance($c) if $ready;
        $self->drop($c) if $now - $c->{since} > MAX_AGE;
    }
    1 while waitpid(-1, POSIX::WNOHANG()) > 0;
    return;
}

sub min ($left, $right) { return $left < $right ? $left : $right }

sub run_timers ($self)
{
    my $now = time;
    my @due = grep { $_->{at} <= $now } @{ $self->{timers} };
    @{ $self->{timers} } = grep { $_->{at} > $now } @{ $self->{timers} };
    $_->{code}->() for @due;
    return;
}

sub read_watches ($self, $ready)
{
    for my $fd (grep { vec $ready, $_, 1 } keys %{ $self->{watches} }) {
        my $watch = $self->{watches}{$fd};
        my $n = sysread $watch->{handle}, $watch->{data}, CHUNK,
            length $watch->{data};
        next if $n || !defined $n && $!{EINTR};
        delete $self->{watches}{$fd};
        close $watch->{handle};
        $watch->{code}->($watch->{data});
    }
    return;
}

# --- connections -----------------------------------------------------------

sub accept ($self, $listener)
{
    while (my $tcp = $listener->{socket}->accept) {
        $tcp->blocking(0);
        my $socket = !$listener->{context} ? $tcp
            : IO::Socket::SSL->start_SSL(
                $tcp, SSL_server => 1, SSL_startHandshake => 0,
                SSL_reuse_ctx => $listener->{context});
        next if !$socket;
        my $id = ++$self->{count};
        $self->{connections}{$id} = {
            id => $id, socket => $socket, listener => $listener->{name},
            tls => !!$listener->{context}, since => time, in => '',
            state => $listener->{context} ? 'handshake' : 'read',
            want => 'read', served => 0,
        };
    }
    return;
}

sub drop ($self, $c)
{
    delete $self->{connections}{ $c->{id} } or return;
    # a handshake that failed leaves a plain socket behind
    $c->{socket}->isa('IO::Socket::SSL')
        ? $c->{socket}->close(SSL_no_shutdown => 1) : close $c->{socket};
    return;
}

# As far as it goes without waiting.
sub advance ($self, $c)
{
    my %step = (
        handshake => \&handshake, read => \&read_request,
        write => \&write_answer, hang => \&notice_close,
    );
    while ($self->{connections}{ $c->{id} }) {
        # what another connection has left there would be taken for ours
        Net::SSLeay::ERR_clear_error();
        last if !$step{ $c->{state} }->($self, $c);
    }
    return;
}

# What to wait for after a TLS call that could not finish; false is fatal.
sub blocked ($self, $c, $otherwise)
{
    if ($c->{tls}) {
        $c->{want} = $SSL_ERROR == SSL_WANT_READ ? 'read'
            : $SSL_ERROR == SSL_WANT_WRITE ? 'write' : '';
    } else {
        $c->{want} = $!{EAGAIN} || $!{EWOULDBLOCK} || $!{EINTR}
            ? $otherwise : '';
    }
    $self->drop($c) if $c->{want} eq '';
    return 0;
}

sub handshake ($self, $c)
{
    return $self->blocked($c, 'read') if !$c->{socket}->accept_SSL;
    $c->{state} = 'read';
    return 1;
}

sub read_request ($self, $c)
{
    my $request = parse_request($c);
    if ($request) {
        $self->answer($c, $request);
        return 1;
    }
    my $n = sysread $c->{socket}, $c->{in}, CHUNK, length $c->{in};
    return $self->blocked($c, 'read') if !defined $n;
    if (!$n || length $c->{in} > MAX_HEAD + MAX_BODY) {
        $self->drop($c);
        return 0;
    }
    return 1;
}

sub parse_request ($c)
{
    my ($head) = $c->{in} =~ /^(.*?\r\n)\r\n/s or return;
    my ($line, @fields) = split /\r\n/, $head;
    my ($method, $path) = split / /, $line;
    my %headers;

    for my $field (@fields) {
        my ($name, $value) = $field =~ /^([^:]+):\s*(.*?)\s*$/ or next;
        $headers{ lc $name } = $value;
    }
    my $length = ($headers{'content-length'} // 0) =~ /^(\d+)$/ ? $1 : 0;
    my $whole = length($head) + 2 + $length;
    return if length $c->{in} < $whole;

    my $body = substr $c->{in}, length($head) + 2, $length;
    substr $c->{in}, 0, $whole, '';
    return {
        method => $method // '', path => $path // '', headers => \%headers,
        body => $body, listener => $c->{listener}, connection => $c->{id},
    };
}

# --- answers ---------------------------------------------------------------

sub answer ($self, $c, $request)
{
    my $answer = $self->{on_request}->($request);

    if ($answer->{hang}) {
        @$c{qw(state want)} = qw(hang read);
        return;
    }
    $c->{answer} = $answer;
    $c->{answer}{close} ||= lc($request->{headers}{connection} // '')
        eq 'close';
    $c->{out} = $answer->{raw} ? '' : head($answer, $request);
    $c->{out} .= $answer->{body} // '' if !$answer->{source}
        && $request->{method} ne 'HEAD';
    $c->{source} = $answer->{source} // sub { undef };
    $c->{sent} = 0;
    $c->{due} = time + ($answer->{delay} // 0);
    @$c{qw(state want)} = ('write', 'time');
    return;
}

my %REASON = (200 => 'OK', 201 => 'Created', 204 => 'No Content',
    301 => 'Moved Permanently', 302 => 'Found', 400 => 'Bad Request',
    403 => 'Forbidden', 404 => 'Not Found', 405 => 'Method Not Allowed',
    409 => 'Conflict', 415 => 'Unsupported Media Type',
    429 => 'Too Many Requests', 500 => 'Internal Server Error',
    503 => 'Service Unavailable');

sub head ($answer, $request)
{
    my @headers = @{ $answer->{headers} // [] };
    my %given = map { lc $_->[0] => 1 } @headers;

    push @headers, ['Date', http_date(time)] if !$given{date};
    push @headers, ['Content-Length', length($answer->{body} // '')]
        if !$answer->{source} && $answer->{status} != 204
            && !$given{'content-length'};
    push @headers, ['Connection', 'close'] if $answer->{close};
    return "HTTP/1.1 $answer->{status} "
        . ($REASON{ $answer->{status} } // 'Answer') . "\r\n"
        . join('', map { "$_->[0]: $_->[1]\r\n" } @headers) . "\r\n";
}

sub http_date ($time)
{
    my @t = gmtime $time;
    my $day = (qw(Sun Mon Tue Wed Thu Fri Sat))[$t[6]];
    my $month = (qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec))[$t[4]];
    return sprintf '%s, %02d %s %d %02d:%02d:%02d GMT',
        $day, $t[3], $month, $t[5] + 1900, @t[2, 1, 0];
}

sub write_answer ($self, $c)
{
    my $answer = $c->{answer};

    if ($c->{due} > time) {
        $c->{want} = 'time';
        return 0;
    }
    return $self->finish_broken($c)
        if $answer->{drop} || defined $answer->{cut}
            && $c->{sent} >= $answer->{cut};
    if ($c->{out} eq '') {
        my $more = $c->{source}->();
        return $self->finish($c) if !defined $more;
        $c->{out} = $more;
    }
    return $self->send_some($c);
}

sub send_some ($self, $c)
{
    my $cut = $c->{answer}{cut};
    my $length = min(length $c->{out}, CHUNK);
    $length = min($length, $cut - $c->{sent}) if defined $cut;

    my $n = syswrite $c->{socket}, $c->{out}, $length;
    return $self->blocked($c, 'write') if !defined $n;
    $c->{sent} += $n;
    substr $c->{out}, 0, $n, '';
    $c->{due} = time + $c->{answer}{pace}
        if $c->{out} eq '' && $c->{answer}{pace};
    return 1;
}

sub finish ($self, $c)
{
    my $answer = delete $c->{answer};

    if ($answer->{close}) {
        delete $self->{connections}{ $c->{id} };
        $c->{socket}->close;
        return 0;
    }
    $c->{since} = time;
    @$c{qw(state want)} = qw(read read);
    return 1;
}

sub finish_broken ($self, $c)
{
    $self->drop($c);
    return 0;
}

sub notice_close ($self, $c)
{
    my $n = sysread $c->{socket}, my $buffer, CHUNK;
    return $self->blocked($c, 'read') if !defined $n;
    $self->drop($c) if !$n;
    return $n ? 1 : 0;
}

1;
