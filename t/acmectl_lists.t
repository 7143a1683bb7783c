#!/usr/bin/perl
# acmectl certificates, status and key thumbprint: for people and as JSON,
# with the server running and without.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
$t->site(['a.test', 'www.a.test'])->site('b.test', key => 'rsa:2048')->start;
my $a = $t->wait_certificate('a.test') or $t->give_up;
my $b = $t->wait_certificate('b.test') or $t->give_up;

my ($exit, $out, $err) = $t->acmectl('status');
is "$exit$err", '0', 'certificates';
my ($of_a) = $out =~ /^(a\.test: ok\n(?:  .*\n)+)/m;
like $of_a, qr/^  names +a\.test www\.a\.test$/m, 'names';
like $of_a, qr/^  keys +ecdsa:256$/m, 'key';
my $issuer = $t->issuer_name('testca');
like $of_a, qr/^  issuer +\Q$issuer\E$/m, 'issuer';
like $of_a, qr/^  serial +\Q$a->{serial}\E$/mi, 'serial';
like $of_a, qr/^  valid until +\S+Z \((?:89|90) days\)$/m, 'end';
like $of_a, qr{^  certificate +\S+/live/a\.test/fullchain\.pem$}m, 'file';
like $out, qr/^b\.test: ok\n(?:  .*\n)*  keys +rsa:2048$/m, 'the other one';

($exit, $out) = $t->acmectl('status', '--cert-name', 'b.test');
unlike $out, qr/a\.test/, 'one of them';
($exit, undef, $err) = $t->acmectl('status', '--cert-name', 'c.test');
is $exit, 1, 'one that does not exist';
like $err, qr/no lineage "c\.test"/, 'is named';

($exit, $out) = $t->acmectl('-v', 'status', '--cert-name', 'b.test');
like $out, qr/^  last attempt  account \S+T\S+Z, order [\d:]+Z,.* done \S+Z$/m,
    'and what the last attempt did';

($exit, $out) = $t->acmectl('status');
my $state = $t->state;
like $out, qr/^state directory \Q$state\E$/m, 'status: where';
my $host = $t->host;
like $out, qr/^  served by $host \(\S+\), pid \d+$/m, 'by whom';
like $out, qr/^a\.test: ok$/m, 'and the certificates';

($exit, $out) = $t->acmectl('--json', 'status');
my $json = decode_json($out);
is $json->{schema}, 1, 'as JSON';
is $json->{state_dir}, $state, 'where';
is scalar @{ $json->{servers} }, 1, 'one server';
is $json->{lineages}[0]{steps}[-1]{step}, 'done', 'what was done';
is_deeply [map { $_->{name} } @{ $json->{lineages} }],
    ['a.test', 'b.test'], 'two lineages';
unlike $out, qr/PRIVATE|canary/, 'no key';

($exit, $out) = $t->acmectl('key', 'thumbprint');
my ($thumbprint) = $out =~ /^([\w-]{43})  ecdsa:256  \S+$/m;
is $t->http_get('/.well-known/acme-challenge/x', host => 'a.test')->{body},
    "x.$thumbprint", 'the thumbprint is that of the answers';
($exit, $out) = $t->acmectl('key', 'thumbprint', '--json');
is decode_json($out)->[0]{thumbprint}, $thumbprint, 'as JSON too';

$t->stop;
($exit, $out) = $t->acmectl('status');
like $out, qr/no server runs/, 'stopped: no server';
like $out, qr/^a\.test: ok$/m, 'the certificates are still there';

$t->done;
