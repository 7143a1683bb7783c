package Acme::Syslog;

# A syslog daemon for one test: a datagram socket in its directory, whose
# messages a child process writes to a file, one a line.  Knows nothing of
# who logs.

use v5.36;
use Acme::Proc qw(slurp);
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);

# new($test): it listens, until the teardown of $test.
sub new ($class, $test)
{
    my $dir = $test->dir . '/run';
    my $self = bless { path => "$dir/syslog", file => "$dir/syslog.txt" },
        $class;
    my $socket = IO::Socket::UNIX->new(
        Type => SOCK_DGRAM, Local => $self->{path},
    ) or die "cannot bind $self->{path}: $!\n";

    # workers of another user log as well
    chmod 0666, $self->{path};
    $test->spawn(log => $self->{file}, code => sub {
        while (defined $socket->recv(my $message, 65536)) {
            syswrite STDOUT, "$message\n";
        }
    });
    return $self;
}

sub path ($self) { return $self->{path} }

# All messages so far.
sub text ($self) { return slurp($self->{file}) // '' }

1;
