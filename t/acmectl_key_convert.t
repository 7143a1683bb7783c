#!/usr/bin/perl
# acmectl key convert, key generate, key thumbprint -d: each form is what
# openssl and Certbot's own library read, leads back to the same key, and has
# the same thumbprint; without a CA and without a state directory.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new;
my $dir = $t->dir . '/conf';

my ($exit, $out, $err);
sub key (@args) { ($exit, $out, $err) = $t->acmectl('key', @args) }
sub openssl (@args)
{
    my $run = run(cmd => ['openssl', @args]);
    return $run->{exit} == 0 ? $run->{stdout} : diag($run->{stderr}) && '';
}

# As Certbot reads private_key.json; its thumbprint.
my $josepy = <<'END';
import base64, sys
import josepy
from cryptography.hazmat.primitives import hashes
key = josepy.JWK.json_loads(open(sys.argv[1]).read())
print(base64.urlsafe_b64encode(key.thumbprint(hash_function=hashes.SHA256)).decode().rstrip("="))
END

my %begins = (pem => 'PRIVATE', pkcs8 => 'PRIVATE');
for my $type (qw(rsa:2048 ecdsa:256 ecdsa:384 ecdsa:521)) {
    my $name = $type =~ s/://r;
    my $file = "$dir/$name.pem";

    key('generate', $type, '-o', $file);
    is $exit, 0, "generate $type" or diag $err;
    is sprintf('%o', (stat $file)[2] & 07777), '600', '  for its owner alone';
    my $before = slurp($file);
    key('generate', $type, '-o', $file);
    ok $exit == 1 && $err =~ /exists, and is left alone/ && slurp($file) eq $before,
        '  and never over another';
    key('thumbprint', $file);
    my ($thumbprint) = $out =~ /^(\S{43})  \Q$type\E  /;
    ok $thumbprint, '  has a thumbprint';
    my $der8 = openssl(qw(pkcs8 -topk8 -nocrypt -outform DER -in), $file);
    my $der1 = openssl($type =~ /rsa/ ? 'rsa' : 'ec', '-outform', 'DER',
        $type =~ /rsa/ ? '-traditional' : (), '-in', $file);

    for my $form (qw(pem pkcs1 pkcs8 der1 der8 json)) {
        my $to = "$dir/$name.$form";

        key('convert', $form, $form eq 'json' ? ($file) : ('-k', $file),
            $form eq 'json' ? ('-o', $to) : ());
        is $exit, 0, "$type to $form" or diag $err;
        spew($to, $out, 0600) if $form ne 'json';
        if ($form =~ /^der/) {
            ok slurp($to) eq ($form eq 'der1' ? $der1 : $der8),
                '  to the byte as openssl has it';
            next;
        }
        like slurp($to), $form eq 'json' ? qr/\A\{.*\}\n\z/
            : $form ne 'pkcs1' ? qr/\A-----BEGIN PRIVATE KEY-----\n/
            : $type =~ /rsa/ ? qr/\A-----BEGIN RSA PRIVATE KEY-----\n/
            : qr/\A-----BEGIN EC PRIVATE KEY-----\n/, '  in its form';
        key('thumbprint', $to);
        like $out, qr/^\Q$thumbprint\E  /, '  the same thumbprint';
        key('convert', 'pem', $to);
        is $out, $before, '  and back, to the byte';
    }
    my $run = run(cmd => ['/usr/bin/python3', '-c', $josepy,
        "$dir/$name.json"]);
    is $run->{stdout}, "$thumbprint\n", "Certbot's library reads $type"
        or diag $run->{stderr};
}

# what it is
my ($file) = "$dir/ecdsa256.pem";
key('thumbprint', '-d', $file);
like $out, qr/\AYour public thumbprint: \S{43}\n/, 'thumbprint -d';
like $out, qr/^Public key \(JWK\): \{"crv":"P-256","kty":"EC","x":"\S+","y":"\S+"\}$/m,
    'shows what it is made of';
unlike $out, qr/"d"/, 'and nothing private';
($exit, $out) = $t->acmectl('--json', 'key', 'thumbprint', '-d', '-k', $file);
like decode_json($out)->[0]{jwk}, qr/"P-256"/, 'as JSON too';
key('thumbprint', '-d', '/dev/null');
is $exit, 1, 'of nothing there is none';

# Ed25519
my $ed = "$dir/ed25519.json";
spew($ed, '{"kty":"OKP","crv":"Ed25519",'
    . '"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",'
    . '"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}', 0600);
key('thumbprint', $ed);
like $out, qr/^kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k  ed25519  /,
    'Ed25519, as in RFC 8037';
key('convert', 'pkcs8', $ed);
like $out, qr/\A-----BEGIN PRIVATE KEY-----/, 'to pkcs8';
key('convert', $_, $ed), ok $exit == 1 && $err =~ /take pkcs8/,
    "there is no $_ of it" for qw(pkcs1 der1);

# an encrypted one
my $sealed = "$dir/sealed.pem";
spew("$dir/word", "Open, Sesame\n", 0600);
spew($sealed, openssl(qw(pkcs8 -topk8 -passout), "file:$dir/word", '-in', $file),
    0600);
key('convert', 'pem', $sealed);
ok $exit == 1 && $err =~ /is encrypted: .*passphrase/, 'encrypted: named';
key('convert', 'pem', $sealed, '--password-file', "$dir/word");
is $out, slurp($file), 'opened with its passphrase' or diag $err;
spew("$dir/wrong", "canary\n", 0600);
key('convert', 'pem', $sealed, '--password-file', "$dir/wrong");
ok $exit == 1 && $out eq '' && $err =~ /with the passphrase/ && $err !~ /canary/,
    'not with another';

# what it does not take
spew("$dir/half.pem", substr(slurp($file), 0, 100), 0600);
spew("$dir/half.json", substr(slurp("$dir/ecdsa256.json"), 0, 100), 0600);
for my $wrong (
    [2, [qw(convert)], qr/the format is one of pem, pkcs1,/],
    [2, [qw(convert pfx), $file], qr/"pfx": the format is one of/],
    [2, [qw(convert pem), $file, $file], qr/one key is converted/],
    [2, ['convert', 'pem', $file, '-k', $file], qr/one key is converted/],
    [1, ['convert', 'pem', '/nowhere'], qr{"/nowhere": No such file}],
    [1, ['convert', 'pem', $dir], qr/conf"/],
    [1, ['convert', 'pem', "$dir/half.pem"], qr/half\.pem": no private key/],
    [1, ['convert', 'pem', "$dir/half.json"], qr/half\.json": .*line 1/],
    [1, ['convert', 'pem', $file, '-o', $file], qr/exists, and is left alone/],
    [1, ['convert', 'json', "$dir/none", '-o', "$dir/new"], qr/none"/],
    [2, ['generate', 'dsa'], qr/unknown key type "dsa"/],
    [2, ['generate', 'rsa:1023'], qr/unknown key type "rsa:1023"/],
    [2, ['generate', 'ecdsa', 'x'], qr/unexpected "x"/]) {
    my ($code, $args, $why) = @$wrong;
    key(@$args);
    ok $exit == $code && $out eq '' && $err =~ $why,
        'refused: ' . join(' ', map { s{.*/}{}r } @$args) or diag "$exit: $out$err";
}
ok !-e "$dir/new", 'and no file is left';

$t->done;
