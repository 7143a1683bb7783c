#!/usr/bin/perl
# acmectl import, of a lineage that a running server has declared and could not
# get: it is served without a restart, and renewed by the account that came
# with it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Foreign qw(blueprint);
use Acme::Proc qw(slurp spew);
use Acme::Test;
use Acme::Tls qw(parse_certificate);
use File::Path qw(make_path);

my $t = Acme::Test->new(ca => { type => 'own', path => '/directory' },
    ca_start => 0);
my ($dir, $ssl) = map { $t->dir . "/var/$_" } qw(blue ssl);
my ($exit, $out, $err);

$t->site('a.test')->start;
ok $t->wait_log(qr/not obtained, lineage "a\.test"/),
    'the CA is not there';

make_path($ssl);
($exit, $out, $err) = $t->acmectl('key', 'generate', '-o', "$ssl/ca.key");
is $exit, 0, 'the key of an account' or diag $err;
blueprint($dir, $ssl, 'a.test', 'certificate_authority: Tests');
spew("$dir/global.yaml", <<"YAML", 0644);
certificate_authorities:
  - key: Tests
    acme_api: {production: "@{[$t->ca->base]}"}
    storage: {type: LocalStorage, name: ca, parameters: {path: $ssl}}
YAML
($exit, $out, $err) = $t->acmectl('import', 'blueprint', $dir);
is $exit, 0, 'taken over' or diag $err;
like $out, qr/^a\.test: taken over, for a server that wants it/m, 'for the server';
like $out, qr/^account \S+ca\.key: taken over$/m, 'with the account' or diag $out;
my $theirs = parse_certificate(slurp("$ssl/a.test.crt"))->{serial};
ok $t->wait_for(sub { ($t->serial('a.test') // '') eq $theirs }, 10),
    'it is served';

$t->ca->start;
my $serial = $t->serial('a.test');
($exit, $out, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'it is renewed' or diag $out, $err;
ok $t->wait_new_serial('a.test', $serial, 10), 'and served';
my $thumbprint = sub ($file) {
    ($t->acmectl('key', 'thumbprint', $file))[1] =~ s/\s.*//sr };
my @used = grep { $_->{status} eq 'valid' } $t->ca->accounts;
is scalar(@used), 1, 'by one account';
is $used[0]{thumbprint}, $thumbprint->("$ssl/ca.key"), '  which came with it'
    or diag explain \@used;

$t->done;
