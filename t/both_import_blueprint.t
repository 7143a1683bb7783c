#!/usr/bin/perl
# acmectl import blueprint, of AutoSSL's files: what they say is taken over or
# told, and renewed by the account whose key they name.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Foreign qw(blueprint fingerprint);
use Acme::Proc qw(slurp spew);
use Acme::Test;
use File::Path qw(make_path);
use JSON::PP;

my $t = Acme::Test->new(ca => { type => 'own', path => '/directory' });
my ($dir, $ssl, $keys) = map { $t->dir . "/var/$_" } qw(blue ssl keys);
my ($exit, $out, $err);

$t->site('unused.test')->start_ca;

# --- what AutoSSL would have ----------------------------------------------------

make_path($keys);
($exit, $out, $err) = $t->acmectl('key', 'generate', '-o', "$keys/tests.key");
is $exit, 0, 'a key' or diag $err;
my $base = $t->ca->base;
my $chain = blueprint($dir, $ssl, 'a.test', 'certificate_authority: Tests',
    'san: [www.a.test, A.test]', 'renewal_delay: 20',
    'private_key_reuse: true', 'private_key_size: 3072');
my $pem = $chain =~ s/^/        /gmr;
spew("$dir/global.yaml", <<"YAML", 0644);
certificate_authorities:
  - key: Tests
    name: The tests' own
    type: autossl.ca_manager.acme_v2_http01.AcmeHttp01
    acme_api: {production: "$base", staging: "$base/none"}
    contact_email: me\@a.test
    storage:
      type: autossl.storage.local.LocalFileStorage
      name: tests
      parameters: {path: "\${KEYS_OF_TESTS}"}
    chain_of_trust:
      - |
$pem
tracking:
  type: autossl.tracking.local.LocalFileTracking
  parameters: {log_folder: /var/log/autossl}
credentials:
  user: {type: UserPassword, username: me, password: a-secret}
YAML
blueprint($dir, $ssl, 'b.test', 'certificate_authority: Tests', 'type2: x',
    'exact_match: true', 'organization: {company_name: Us}');
my $text = slurp("$dir/b.test.yaml");
spew("$dir/b.test.yaml", $text =~ s/type: DV/type: OV/r =~ s{servers:\n}
    {servers:\n  - {type: autossl.server.other.Remote, credentials: user}\n}r
    . "storage: {type: autossl.storage.git.GitStorage}\n", 0644);
blueprint($dir, $ssl, 'ca.test', 'certificate_authority: Tests', 'is_ca: yes');
blueprint($dir, $ssl, 'none.test', 'certificate_authority: None');

# --- taken over -----------------------------------------------------------------

$ENV{KEYS_OF_TESTS} = $keys;
my $before = fingerprint($t->dir . '/var');
my @import = ('import', 'blueprint', $dir, '--ca-file', $t->ca->ca_file);
($exit, $out, $err) = $t->acmectl(@import, '--dry-run');
is $exit, 1, 'a dry run' or diag $err;
is fingerprint($t->dir . '/var'), $before, 'changes nothing';
($exit, $out, $err) = $t->acmectl(@import);
is $exit, 1, 'one is no use';
like $err, qr/^acmectl: ca\.test: is_ca: /m, '  it is told';
like $out, qr/^$_\.test: taken over, and renewed from here \(1 version/m, "$_.test"
    for 'a', 'b';
like $out, qr/^none\.test: taken over \(1 version/m, 'also of a CA that is not there';
like $out, qr{^account \Q$keys\E/tests\.key: taken over$}m, 'the account';
like $out, qr/^(?:    )?not taken over: $_->[0]: $_->[1]/m, "$_->[0] is told"
    for ['certificate_authority None', 'there is no such entry'],
    ['renewal', 'its CA is not known'],
    ["servers.path \Q$ssl\E", 'nothing is copied there any more'],
    ['servers.type autossl.server.other.Remote', 'nothing is copied to other'],
    ['servers.credentials', 'no other machine'], ['certificate.type OV', 'a CA'],
    ['storage autossl.storage.git.GitStorage', 'certificates are kept'],
    ['tracking autossl\S+', '.*acme_tracking'], ['exact_match true', '.*'],
    ['organization', '.*'], ['credentials', 'secrets'];
unlike "$out$err", qr/a-secret/, 'no secret is';
my $of = decode_json(slurp($t->state . '/renewal/a.test.json'))->{declared}[0];
is_deeply [@$of{qw(names keys reuse_key timing)}, $of->{issuer}{directory},
    $of->{issuer}{contact}], [[qw(a.test www.a.test)], ['rsa:3072'],
    JSON::PP::true, { window => '1728000s' }, $t->ca->url,
    ['mailto:me@a.test']], 'settings' or diag explain $of;
is slurp($t->state . '/live/a.test/cert.pem'), slurp("$ssl/a.test.crt"),
    'the certificate';
is fingerprint($dir) . fingerprint($ssl) . fingerprint($keys),
    join('', map { my $top = $_; join "\n", grep { /^\Q$top\E[ \/]/ }
        split /\n/, $before } $dir, $ssl, $keys), 'all is as it was';
($exit, $out) = $t->acmectl('import', 'blueprint', "$dir/a.test.yaml");
is $exit, 0, 'one file, once more';
like $out, qr/^a\.test: it is here already; nothing to do/m, '  does nothing';

# --- served and renewed ---------------------------------------------------------

$t->start;
($exit, $out, $err) = $t->acmectl('renew', '--force', '--cert-name', 'a.test');
is $exit, 0, 'renewed' or diag $out, $err;
isnt slurp($t->state . '/live/a.test/cert.pem'), slurp("$ssl/a.test.crt"),
    'there is another certificate';
my $thumbprint = sub ($file) { ($t->acmectl('key', 'thumbprint', $file))[1] =~ s/\s.*//sr };
my @used = glob $t->state . '/keys/*.pem';
is_deeply [map { $thumbprint->($_) } @used],
    [$thumbprint->("$keys/tests.key")], 'by the key AutoSSL has had';
is scalar($t->ca->accounts), 1, '  of the only account';

$t->done;
