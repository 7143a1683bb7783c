#!/usr/bin/perl
# acmectl issue --standalone: no web server at all; a process of acmectl's
# listens while the order runs, and not longer.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Http qw(request);
use Acme::Proc qw(run slurp spawn spew);
use Acme::Test;
use Acme::Tool qw(built);
use IO::Socket::IP;

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
my ($http, $tls) = map { $t->port($_) } qw(http tls);
my $state = $t->dir . '/acmectl-state';
my @ca = ('--server', $t->ca->url, '--ca-file', $t->ca->ca_file,
    '--agree-tos');
my @http = ('--standalone', '--http-01-port', $http);
my @tls = ('--standalone', '--preferred-challenges', 'tls-alpn-01',
    '--tls-alpn-01-port', $tls);
my ($exit, $out, $err);

sub acmectl (@args)
{
    ($exit, $out, $err) =
        $t->acmectl({ env => { ACME_STATE_DIR => $state } }, @args);
    return $exit;
}

sub issue (@args) { return acmectl('issue', '-n', @ca, @args) }

sub listener ($family, $port)
{
    return IO::Socket::IP->new(LocalAddr => $family == 6 ? '::' : '0.0.0.0',
        LocalPort => $port, Listen => 5, ReuseAddr => 1, V6Only => 1)
        // die "listen: $@\n";
}

sub is_open ($port)
{
    return defined IO::Socket::IP->new(PeerAddr => '127.0.0.1',
        PeerPort => $port);
}

# by each of the two
is issue(@http, '-d', 'a.test,www.a.test'), 0, 'http-01' or diag $out, $err;
unlike $err, qr/no server runs/, 'needs no server';
ok !is_open($http), 'nobody listens any more';
is issue(@tls, '-d', 'b.test'), 0, 'tls-alpn-01' or diag $out, $err;
my %by = map { $_->{name} => $_->{type} }
    grep { $_->{status} eq 'valid' } $t->ca->challenges;
is $by{'b.test'}, 'tls-alpn-01', 'was what proved it';
is acmectl('renew', '--force'), 0, 'both renewed in one run'
    or diag $out, $err;
is readlink "$state/live/$_.test", "../archive/$_.test/2",
    "$_.test as it was issued" for qw(a b);

# X134: the port is somebody else's
my @busy = map { listener($_, $http) } 6, 4;
is issue(@http, '-d', 'c.test'), 1, 'a port that somebody has';
like $err, qr/cannot listen at port $http: somebody else does; .*sport = :$http.*--pre-hook.*--webroot.*--http-01-port/s,
    'says so, and what to do' or diag $err;
pop @busy;
is issue(@http, '-d', 'c.test'), 0, 'of IPv6 alone: it goes on' or diag $err;
like $err, qr/listens at port $http for IPv4 alone, not for IPv6: Address/,
    'with a warning';
@busy = listener(4, $http);
is issue(@http, '-d', 'd.test'), 1, 'of IPv4 alone: it goes on';
like $err, qr/listens at port $http for IPv6 alone.*d\.test: /s,
    'to where this CA does not come' or diag $err;
unlike $err, qr/cannot listen/, 'but it did listen';
@busy = ();
is issue(@http, '--http-01-address', '192.0.2.1', '-d', 'd.test'), 1,
    'an address that is not here';
like $err, qr/cannot listen at port $http of 192\.0\.2\.1/, 'is named';
is issue(@http, '--http-01-address', '127.0.0.1', '-d', 'd.test'), 0,
    'one that is' or diag $err;

SKIP: {
    my $least = slurp('/proc/sys/net/ipv4/ip_unprivileged_port_start') // 0;
    skip 'every port is everybody\'s', 2 if $> != 0 || $least <= 1;
    my $own = $t->dir . '/nobody';
    mkdir $own;
    chmod 0755, $t->dir;
    chown scalar getpwnam('nobody'), -1, $own;
    my $ran = run(user => 'nobody', cmd => [built('ACME_ACMECTL', 'acmectl'),
        '--state-dir', "$own/state", 'issue', '-n', @ca, '--standalone',
        '--http-01-port', 1, '-d', 'd.test']);
    is $ran->{exit}, 1, 'a port that is root\'s';
    like $ran->{stderr}, qr/cannot listen at port 1: that is root's right/,
        'says so' or diag $ran->{stderr};
}
my @versions = glob "$state/archive/*/*";
is issue(@http, '-d', 'dry.test', '--dry-run'), 0, 'a dry run' or diag $err;
is_deeply [glob "$state/archive/*/*"], \@versions, 'which keeps nothing';

# hooks around it: the one that had the port has it again
my $server = spawn(log => $t->dir . '/other.log', code => sub {
    my @all = map { listener($_, $http) } 6, 4;
    sleep 60;
});
ok $t->wait_for(sub { is_open($http) }, 10), 'another server';
my $seen = $t->dir . '/post';
is issue(@http, '-d', 'e.test', '--pre-hook', "kill $server; sleep 0.2",
    '--post-hook', "ss -Hltn 'sport = :$http' >$seen; echo end >>$seen"), 0,
    'stopped by a pre hook' or diag $err;
waitpid $server, 0;
is slurp($seen), "end\n", 'its port is free for the post hook';

# what is wrong on the command line
for my $case (
    [['--standalone', '--manual', '-d', 'x.test'],
        qr/--standalone and --manual name two ways/],
    [['--http-01-port', 80, '-d', 'x.test'], qr/go with --standalone/],
    [['--standalone', '--http-01-port', 'x', '-d', 'x.test'],
        qr/--http-01-port "x" is no number/],
    [['--standalone', '--http-01-address', 'localhost', '-d', 'x.test'],
        qr/"http-address=localhost".*192\.0\.2\.1/],
    [['-a', 'standalone', '-d', '*.x.test'], qr/"\*\.x\.test" cannot be proved/],
) {
    my ($args, $why) = @$case;
    is issue(@$args), 2, "refused: @$args";
    like $err, $why, '  and why';
}

# at work: who it is, what it answers
$t->ca->fault(where => 'validate', do => 'slow-validation', seconds => 20);
my $pid = spawn(log => $t->dir . '/work.log',
    cmd => [built('ACME_ACMECTL', 'acmectl'), '--state-dir', $state, 'issue',
        '-n', @ca, @http, '-d', 'f.test']);
ok $t->wait_for(sub { is_open($http) }, 20), 'it listens' or $t->give_up;
my ($alone) = grep { (slurp("/proc/$_/comm") // '') eq "acme-alone\n" &&
    slurp("/proc/$_/status") =~ /^PPid:\s+$pid$/m } map { m{(\d+)} }
    glob '/proc/[0-9]*';
my $status = slurp('/proc/' . ($alone // 'self') . '/status');
SKIP: {
    skip 'needs root', 2 if $> != 0;
    unlike $status, qr/^Uid:.*\b0\b/m, 'not as root';
    like $status, qr/^CapEff:\s+0+400$/m,
        'with the right to listen and no other';
}
like $status, qr/^NoNewPrivs:\s+1$/m, 'and never more';

sub get ($host, $path, $method = 'GET')
{
    my $socket = IO::Socket::IP->new(PeerAddr => '127.0.0.1',
        PeerPort => $http, Timeout => 5) or return '';
    print {$socket} "$method $path HTTP/1.1\r\nHost: $host\r\n\r\n";
    local $/;
    return readline($socket) // '';
}

my ($pending) = grep { $_->{name} eq 'f.test' && $_->{type} eq 'http-01' }
    $t->ca->challenges;
my $path = '/.well-known/acme-challenge/' . $pending->{token};
my $good = get('f.test', $path);
like $good, qr/^HTTP\/1\.1 200 .*\r\nX-Content-Type-Options: nosniff\r\n.*\r\n\r\n\Q$pending->{token}\E\.[\w-]{43}\z/s,
    'the CA\'s token';
like get('f.test:5002', $path), qr/^HTTP\/1\.1 200 /, 'whatever the port';
my ($length) = $good =~ /Content-Length: (\d+)/;
like get('f.test', $path, 'HEAD'), qr/Content-Length: $length\r\n.*\r\n\r\n\z/s,
    'HEAD without the content';
like get(@$_), qr/^HTTP\/1\.1 404 .*\r\n\r\n\z/s, "not @$_"
    for ['a.test', $path], ['f.test', "$path/x"], ['f.test', '/'],
        ['f.test', '/.well-known/acme-challenge/other'];
is get('f.test', $path, 'POST'), '', 'nor another method';
my @idle = map { IO::Socket::IP->new(PeerAddr => '127.0.0.1',
    PeerPort => $http) } 1 .. 100;
like get('f.test', $path), qr/^HTTP\/1\.1 200 /, 'nor do idle ones hold it up';
kill 'KILL', $pid;
waitpid $pid, 0;
ok $t->wait_for(sub { !is_open($http) }, 10), 'killed, nobody listens';

$t->done;
