#!/usr/bin/perl
# 10,000 requests for tokens nobody has, well-formed or not, for names of ours,
# of others, and of nobody: the memory of the workers and the size of the log
# stay what they were.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::SecProc qw(status_of);
use Acme::Test;
use IO::Select;
use IO::Socket::INET;

use constant { REQUESTS => 10_000, BATCH => 50, CONNECTIONS => 20 };

my $t = Acme::Test->new(ca => 'own', log_level => 'notice');
my %quiet = (extra => {
    nginx => 'keepalive_requests 100000; access_log off; log_not_found off;',
    httpd => 'MaxKeepAliveRequests 0',
});
$t->site('a.test', %quiet)->site('edge.test', %quiet, acme => undef,
    thumbprint => 'V' x 43)->start;
$t->wait_certificate('a.test') or $t->give_up;

my @alphabet = ('A' .. 'Z', 'a' .. 'z', 0 .. 9, '-', '_');
srand 7;

sub token ($n)
{
    return join '', map { $alphabet[rand @alphabet] } 1 .. 1 + $n % 128
        if $n % 3;
    return ('.', '%0a', 'x' x 129, '%3Cscript%3E')[$n % 4] . $n;
}

# Requests in batches of one write each; counts the answers that echo what
# they must not.
sub flood ($requests)
{
    my @sockets = map { IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $t->port('http'), Timeout => 5)
        // die "connect: $!\n" } 1 .. CONNECTIONS;
    my ($bad, $answers) = (0, 0);

    for (my $n = 0; $n < $requests; $n += BATCH) {
        my $socket = $sockets[$n / BATCH % CONNECTIONS];
        print {$socket} map { 'GET /.well-known/acme-challenge/' . token($_)
            . " HTTP/1.1\r\nHost: " . (qw(a nobody edge))[$_ / 3 % 3]
            . ".test\r\n\r\n" } $n .. $n + BATCH - 1;
        my $text = '';
        while ((() = $text =~ m{HTTP/1.1 }g) < BATCH
            || $text !~ /(?:html>\s*|\.[\w-]{43})\z/) {
            IO::Select->new($socket)->can_read(5) or last;
            sysread $socket, my ($more), 65_536 or last;
            $text .= $more;
        }
        $answers += () = $text =~ m{HTTP/1.1 (?:200|404) }g;
        $bad++ if $text =~ /script>\d|%3C|x{129}/;
    }
    return ($bad, $answers);
}

sub memory ()
{
    my $sum = 0;
    $sum += status_of($_)->{VmRSS} =~ s/\D//gr for $t->worker_pids;
    return $sum;
}

flood(1000);    # pools and buffers have their size now
my ($before, $mark) = (memory(), $t->log_mark);
my @pids = $t->worker_pids;
my ($bad, $answers) = flood(REQUESTS);
cmp_ok $answers, '>=', REQUESTS, 'every request was answered';
is $bad, 0, 'nothing malformed was reflected';
my $after = memory();
SKIP: {
    skip 'a sanitizer keeps what is freed', 1 if $ENV{ACME_PRELOAD};
    cmp_ok $after - $before, '<', 1500, "memory is flat ($before, $after kB)";
}
is $t->log_since($mark), '', 'the log has not grown';
is_deeply [$t->worker_pids], \@pids, 'the workers are the same';

$t->done;
