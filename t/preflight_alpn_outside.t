#!/usr/bin/perl
# Where tls-alpn-01 proves the names pre-flight shakes hands with whoever is at
# the addresses that they have, at port 443, too.  acmectl selftest shows it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(server_pair);
use Acme::Proc qw(spew);
use Acme::Test;
use IO::Socket::INET;
use JSON::PP;

Acme::Test->need_root;      # port 443

# Loopback addresses that no other test has; an ordinary TLS server is at one,
# one that speaks no TLS at another, nobody at the last.
my $net = join '.', 127, 64 + int(rand 128), int(rand 256);
my ($ours, $theirs, $plain, $nobody) = map { "$net.$_" } 7, 9, 11, 13;

my $t = Acme::Test->new(ca => 'own', dns => 1);
my $pair = server_pair('theirs');
my @files = map { spew($t->dir . "/conf/theirs.$_", $pair->{$_}) }
    qw(cert key);

my $other = IO::Socket::INET->new(LocalAddr => $plain, LocalPort => 443,
    Listen => 8) or plan skip_all => "cannot listen at $plain:443: $!";
$t->spawn(log => $t->dir . '/logs/plain', code => sub {
    while (my $client = $other->accept) {
        sysread $client, my $request, 4096;
        print $client "HTTP/1.1 400 \e[31mBad Request\r\n\r\n";
    }
});
$t->spawn(log => $t->dir . '/logs/theirs', cmd => ['openssl', 's_server',
    '-accept', "$theirs:443", '-cert', $files[0], '-key', $files[1], '-www']);
$t->wait_for(sub { IO::Socket::INET->new(PeerAddr => $theirs,
    PeerPort => 443) }, 5, 'openssl s_server') or $t->give_up;

my %at = (good => $ours, elsewhere => $theirs, plain => $plain,
    gone => $nobody);
$t->start_ca;
$t->dns->default_ipv4('');
$t->dns->a("$_.test", $at{$_}) for keys %at;
$t->configure(preflight => 'require', challenge => 'tls-alpn-01',
    dns_resolver => $t->dns->address,
    global => { nginx => "server { listen $ours:443 ssl; "
            . 'ssl_reject_handshake on; }',
        httpd => "Listen $ours:443 https\n<VirtualHost $ours:443>\n"
            . "SSLEngine on\nServerName good.test\n</VirtualHost>" });
$t->site("$_.test") for sort keys %at;
$t->start;

sub orders ($name)
{
    return scalar grep { $_->{names}[0] eq $name } $t->ca->orders;
}

my %why = (
    elsewhere => "elsewhere\\.test resolves to \Q$theirs\E, which answered as "
        . 'to anybody, without the protocol acme-tls/1: it is another server',
    plain => "plain\\.test resolves to \Q$plain\E, which refused the "
        . 'handshake: it does not speak TLS',
);
ok $t->wait_certificate('good.test'), 'good.test: a certificate';
for my $name (sort keys %why) {
    ok $t->wait_log(qr/not obtained, lineage "$name\.test".*: $why{$name}/, 10),
        "$name.test: why there is none";
    is orders("$name.test"), 0, 'no order was made';
}
ok $t->wait_certificate('gone.test'),
    'what may be so from here alone does not count';
like $t->log, qr/"gone\.test": gone\.test .*\Q$nobody\E, which could not be/,
    'but is said';
unlike $t->log, qr/\e/, 'nothing of an answer is shown';

my ($exit, $out) = $t->acmectl('selftest', '--json');
is $exit, 1, 'acmectl selftest: not all is well';
my %row = map { $_->{name} => $_ } @{ decode_json($out) };
is_deeply { map { $_ => $row{"$_.test"}{verdict} } keys %at },
    { good => 'good', elsewhere => 'bad', plain => 'bad', gone => 'doubt' },
    'verdicts';
is $row{"$_.test"}{binding}{verdict}, 'good', "$_.test: this server answers"
    for sort keys %at;
like $row{'elsewhere.test'}{reachability}{text}, qr/^$why{elsewhere}/,
    'and reasons';
is $row{'good.test'}{challenge}, 'tls-alpn-01', 'and its challenge';
is orders("$_.test"), $_ =~ /good|gone/ ? 1 : 0, "$_.test: no order for it"
    for sort keys %at;
is_deeply [grep { m{^orders/} } $t->state_files], [], 'nothing is pending';
$t->done;
