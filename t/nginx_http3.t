#!/usr/bin/perl
# HTTP/3, in an nginx that has it: a server that listens for QUIC alone serves
# the managed certificate as soon as there is one.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run);
use Acme::Test;

my $client = (grep { -x } map { "$_/gtlsclient" } split /:/, $ENV{PATH})[0];
my $t = Acme::Test->new(ca => 'own', ca_start => 0);
plan skip_all => 'this nginx has no http_v3_module'
    if run(cmd => [$t->server->binary, '-V'])->{stderr} !~ /http_v3_module/;
plan skip_all => 'no client of HTTP/3: ngtcp2-client' if !$client;

# Nothing in this server has a certificate but ours.
$t->site('a.test', tls => 0, extra => <<~'END')->start;
    listen 127.0.0.1:%%PORT:quic%% quic;
    END

# The status of the answer, or undef where there was no handshake.
sub asked ($name = 'a.test')
{
    my $port = $t->port('quic');
    my $ran = run(timeout => 10, cmd => [$client, '--no-quic-dump',
        '--exit-on-all-streams-close', "--sni=$name", '--timeout=3s',
        '127.0.0.1', $port, "https://$name:$port/index.html"]);
    my $said = "$ran->{stdout}$ran->{stderr}";
    return $said =~ /\[:status: (\d+)\]/ ? $1 : undef;
}

is asked(), undef, 'before the first certificate: no handshake';
$t->ca->start;
$t->acmectl('renew');
ok $t->wait_for(sub { (asked() // 0) == 200 }, 20), 'served over QUIC';
is asked('other.test'), 200, 'by the default server too';

$t->done;
