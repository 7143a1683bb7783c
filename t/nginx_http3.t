#!/usr/bin/perl
# HTTP/3, in an nginx that has it: a server that listens for QUIC alone serves
# the managed certificate as soon as there is one, and the next one without a
# reload.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run);
use Acme::Test;
use Acme::Tls qw(parse_certificate);
use Acme::Tool qw(built);
use MIME::Base64 qw(encode_base64);

my $client = (grep { -x } map { "$_/gtlsclient" } split /:/, $ENV{PATH})[0];
my $t = Acme::Test->new(ca => 'own', ca_start => 0);
plan skip_all => 'this nginx has no http_v3_module'
    if run(cmd => [$t->server->binary, '-V'])->{stderr} !~ /http_v3_module/;
plan skip_all => 'no client of HTTP/3: ngtcp2-client' if !$client;

# Nothing in this server has a certificate but ours.
$t->site('a.test', tls => 0, extra => <<~'END')->start;
    listen 127.0.0.1:%%PORT:quic%% quic;
    END

# {status, serial, names} of the answer and the certificate shown, or undef
# where there was no handshake.
sub asked ($name = 'a.test')
{
    my $port = $t->port('quic');
    my $ran = run(timeout => 10, cmd => [$client, '--no-quic-dump',
        '--exit-on-all-streams-close', "--sni=$name", '--timeout=3s',
        '127.0.0.1', $port, "https://$name:$port/index.html"],
        env => { LD_PRELOAD =>
            built('ACME_QUIC_PEER_LIBRARY', 'quic_peer.so') });
    my $said = "$ran->{stdout}$ran->{stderr}";
    my ($der) = $said =~ /^peer-certificate: ([0-9a-f]+)$/m or return undef;
    my $shown = parse_certificate("-----BEGIN CERTIFICATE-----\n"
        . encode_base64(pack 'H*', $der) . "-----END CERTIFICATE-----\n");
    return { %$shown, status => ($said =~ /\[:status: (\d+)\]/)[0] };
}

is asked(), undef, 'before the first certificate: no handshake';
$t->ca->start;
$t->acmectl('renew');
my $first = $t->wait_for(sub { asked() }, 20, 'QUIC') or $t->give_up;
is $first->{status}, 200, 'served over QUIC';
is_deeply $first->{names}, ['a.test'], 'with the managed certificate';
is $first->{serial}, $t->live_certificate('a.test')->{serial}, 'the live one';
is +(asked('other.test') // {})->{serial}, $first->{serial},
    'by the default server too';

my @workers = sort $t->worker_pids;
my ($exit, undef, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'renewed' or diag $err;
ok $t->wait_for(sub {
    ((asked() // {})->{serial} // '')
        eq $t->live_certificate('a.test')->{serial};
}, 10), 'the next one is served over QUIC';
isnt $t->live_certificate('a.test')->{serial}, $first->{serial},
    'which is another one';
is_deeply [sort $t->worker_pids], \@workers, 'by the same workers';

$t->done;
