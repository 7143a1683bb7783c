package Acme::Responder;

# A web server that answers http-01 challenges from files in a directory,
# and nothing else: stands in for the server under test where a test is
# about a CA.

use v5.36;
use Acme::CA::Loop;
use Acme::Port;
use Acme::Proc qw(slurp spawn spew stop_pid wait_until);
use IO::Socket::INET;

sub new ($class, %o)
{
    my $self = bless { dir => $o{dir}, port => $o{port}
        // Acme::Port->reserve }, $class;
    my $loop = Acme::CA::Loop->new(
        on_request => sub ($request) { $self->answer($request) });

    $loop->listen(http => $self->{port});
    $self->{pid} = spawn(code => sub { $loop->run });
    return $self;
}

sub port ($self) { return $self->{port} }
sub pids ($self) { return $self->{pid} // () }

sub answer ($self, $request)
{
    my ($token) = $request->{path}
        =~ m{^/\.well-known/acme-challenge/([\w-]+)$};
    my $body = $token && slurp("$self->{dir}/token-$token");

    return { status => defined $body ? 200 : 404, body => $body // '',
        headers => [['Content-Type', 'text/plain']] };
}

sub present ($self, $token, $text)
{
    return spew("$self->{dir}/token-$token", $text);
}

sub stop ($self)
{
    my $pid = delete $self->{pid} or return 1;
    return stop_pid($pid);
}

1;
