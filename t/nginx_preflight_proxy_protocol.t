#!/usr/bin/perl
# A listener that wants the PROXY protocol refuses whoever comes without: that
# it does not answer a pre-flight is no reason to doubt it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');

$t->configure(preflight => 'require', dns_resolver => '127.0.0.1:1',
    challenge => 'tls-alpn-01',
    global => 'acme_port_map https:%%PORT:proxied%%;');
$t->site('a.test', extra => 'listen 127.0.0.1:%%PORT:proxied%% ssl '
    . 'proxy_protocol;');
$t->start;
ok $t->wait_certificate('a.test'), 'a certificate';
my ($row) = @{ decode_json(($t->acmectl('selftest', '--json'))[1]) };
is $row->{challenge}, 'tls-alpn-01', 'by a handshake';
is $row->{binding}{verdict}, 'unknown', 'which nobody can make here';
like $row->{binding}{text}, qr/nothing .* can be asked .* port 443/, 'as is said';
unlike $t->log, qr/pre-flight/, 'and not held against it';
$t->done;
