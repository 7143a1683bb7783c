#!/usr/bin/perl
# While a challenge tls-alpn-01 is pending everybody else is served as ever,
# and whoever asks for the proof gets that alone: no HTTP on the connection,
# nothing that could be resumed.  With nothing pending a server does what the
# stock one does with such a client.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Alpn qw(account look present proved withdraw);
use Acme::Proc qw(run spew);
use Acme::Test;
use IO::Socket::SSL qw(SSL_VERIFY_NONE);

use constant REQUEST => "GET / HTTP/1.1\r\nHost: a.test\r\n"
    . "Connection: close\r\n\r\n";

my $t = Acme::Test->new(ca => 'own', http2 => 1);
$t->configure(global => {
    nginx => 'ssl_session_cache shared:s:1m; ssl_early_data on;'
        . 'server { listen 127.0.0.1:%%TLS%% ssl http2 default_server;'
        . 'ssl_reject_handshake on; }',
    httpd => 'SSLSessionCache shmcb:' . $t->dir . '/run/sessions' });
$t->site('a.test')->start;
my $port = $t->port('tls');
my $cert = $t->wait_certificate('a.test') or $t->give_up;
my $account = account($t);

# "ALPN bytes": what a client sees that offers these and sends a request.
sub ask ($alpn, %o)
{
    my $socket = IO::Socket::SSL->new(PeerAddr => '127.0.0.1',
        PeerPort => $port, SSL_hostname => $o{name} // 'a.test',
        SSL_verify_mode => SSL_VERIFY_NONE, Timeout => 5,
        $alpn ? (SSL_alpn_protocols => $alpn) : (),
        $o{tls} ? (SSL_version => 'TLSv' . $o{tls} =~ s/\./_/r) : (),
    ) or return 'no handshake';
    my $chosen = $socket->alpn_selected // 'none';
    my $all = '';

    local $SIG{PIPE} = 'IGNORE';
    local $SIG{ALRM} = sub { die "the connection stays open\n" };
    alarm 10;
    print {$socket} REQUEST;
    while (defined(my $line = readline $socket)) {
        $all .= $line;
    }
    alarm 0;
    return "$chosen " . ($all =~ /ordinary content/ ? 'content'
        : length $all ? 'something' : 'nothing');
}

my %offers = (
    'nothing' => [undef, 'none content'],
    'http/1.1' => [['http/1.1'], 'http/1.1 content'],
    'h2 and http/1.1' => [['h2', 'http/1.1'], 'h2'],
    'h2 and acme-tls/1' => [['h2', 'acme-tls/1'], 'h2'],
    'acme-tls/1 and http/1.1' => [['acme-tls/1', 'http/1.1'],
        'http/1.1 content'],
);

sub check_ordinary ($when)
{
    for my $offer (sort keys %offers) {
        my ($alpn, $expected) = @{ $offers{$offer} };
        like ask($alpn), qr/^\Q$expected\E/, "$when: $offer offered";
        is $t->serial('a.test', $alpn ? (alpn => $alpn) : ()),
            $cert->{serial}, 'and the certificate';
    }
    return;
}

check_ordinary('nothing pending');
my $stock = ask(['acme-tls/1']);
is $stock, 'no handshake', 'whoever asks for a proof gets none';

my ($expected) = present($t, $account, ['a.test']);
$t->wait_for(sub { proved($port, 'a.test', $expected) }, 5, 'a proof')
    or $t->give_up;
check_ordinary('pending');
is ask(['acme-tls/1'], tls => $_), 'acme-tls/1 nothing',
    "a request behind the proof over TLS $_" for qw(1.2 1.3);
is ask(['acme-tls/1'], name => 'other.test'), $stock,
    'of a name that has none: as ever';

# --- sessions --------------------------------------------------------------

# New or Reused; "none": nothing was kept.
sub session ($version, $direction, $file, @options)
{
    my $ran = run(cmd => ['openssl', 's_client', '-ign_eof', "-tls$version",
        '-connect', "127.0.0.1:$port", '-servername', 'a.test',
        "-sess_$direction", $file, @options],
        stdin => spew($t->dir . '/request', REQUEST));
    my ($how) = $ran->{stdout} =~ /^(New|Reused), TLS/m;
    my $served = $ran->{stdout} =~ /ordinary content/ ? 'content' : 'nothing';
    return ($how // 'no handshake') . " $served";
}

for my $version (qw(1_2 1_3)) {
    for my $tickets ([], ['-no_ticket']) {
        my ($ours, $theirs) = map { $t->dir . "/$_.$version.@$tickets" }
            qw(proof normal);
        my $label = "TLS $version @$tickets";

        is session($version, 'out', $ours, @$tickets, '-alpn', 'acme-tls/1'),
            'New nothing', "$label: a proof";
        SKIP: {
            skip 'nothing to resume', 1 if !-s $ours;
            is session($version, 'in', $ours, @$tickets), 'New content',
                'its session is not resumed as an ordinary one';
        }
        is session($version, 'out', $theirs, @$tickets), 'New content',
            'an ordinary session';
        like session($version, 'in', $theirs, @$tickets, '-alpn',
            'acme-tls/1'), qr/ nothing$/, 'is of no use for a proof';
        is session($version, 'in', $theirs, @$tickets), 'Reused content',
            'but is resumed by who has it'
            if $version eq '1_2' || !@$tickets;
    }
}

# --- others at the same place ----------------------------------------------

my ($newer) = present($t, $account, ['a.test'], unit => 'another',
    presented => '2026-11-22T03:00:00Z');
ok $t->wait_for(sub { proved($port, 'a.test', $newer) }, 5),
    'of two challenges for a name the last one presented is proved';
withdraw($t, 'another');
ok $t->wait_for(sub { proved($port, 'a.test', $expected) }, 5),
    'without it, the first';

ok $t->reload, 'a reload';
ok proved($port, 'a.test', $expected), 'the new workers prove it';
withdraw($t);
ok $t->wait_for(sub { ask(['acme-tls/1']) eq $stock }, 5),
    'not pending any more: as ever';
check_ordinary('then');
$t->done;
