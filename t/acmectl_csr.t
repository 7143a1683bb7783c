#!/usr/bin/perl
# acmectl csr: requests for names, or for a lineage's, with a key that there
# is or a new one, as OpenSSL reads them and a CA takes them; csr check, which
# finds what is wrong with one.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
my $dir = $t->dir . '/conf';
my ($exit, $out, $err);
sub csr (@args) { ($exit, $out, $err) = $t->acmectl('csr', @args) }
sub check (@args) { csr('check', @args) }
sub openssl ($what)
{
    my $said = `openssl $what 2>&1`;
    $? == 0 or die "openssl $what: $said";
    return $said;
}

# a new key
csr('-d', 'own.test,*.own.test', '-d', '192.0.2.1', '-d', "b\x{c3}\x{bc}.test",
    '-o', "$dir/a.csr");
is $exit, 0, 'names, and a new key' or diag $err;
like $out, qr{/a\.csr: a request for 4 names\n\S+/a\.csr\.key: its key}, 'said';
my $text = openssl("req -in $dir/a.csr -noout -text -verify");
like $text, qr/verif(?:y|ication) OK/i, 'OpenSSL finds it good';
like $text, qr/DNS:own\.test, DNS:\*\.own\.test, IP Address:192\.0\.2\.1/,
    'the names';
like $text, qr/DNS:xn--b-eha\.test/, 'one of them in UTF-8';
like $text, qr/Subject: CN\s*=\s*own\.test$/m, 'the common name';
like $text, qr/NIST CURVE: P-256/, 'its key';
is sprintf('%04o', (stat "$dir/a.csr.key")[2] & 07777), '0600',
    'which is for its owner';
is openssl("req -in $dir/a.csr -noout -pubkey"),
    openssl("pkey -in $dir/a.csr.key -pubout"), 'that one';
csr('-d', 'a.test', '-o', "$dir/r.csr", '--key', 'RSA:3072', '--must-staple',
    '--subject', 'O=Caf\u{e9} = x', '--subject', 'country=DE');
is $exit, 0, 'another one' or diag $err;
$text = openssl("req -in $dir/r.csr -noout -text -nameopt utf8");
like $text, qr/\(3072 bit\)/, 'of that size';
like $text, qr/status_request/, 'with must-staple';
like $text, qr/CN\s*=\s*a\.test, O\s*=\s*.*= x.*, C\s*=\s*DE/,
    'and a subject';

# a key that there is
csr('-d', 'c.test', '--key', "$dir/r.csr.key");
is $exit, 0, 'on standard output' or diag $err;
spew("$dir/c.csr", $out);
check("$dir/c.csr", '--key', "$dir/r.csr.key", '-d', 'c.test');
is $exit, 0, 'with that key' or diag $err;
is $out, "key: rsa:3072\nnames: c.test\nsubject: CN=c.test\n", 'looked at';

# what is not taken
my $key = "$dir/a.csr.key";
openssl("genpkey -algorithm ed25519 -out $dir/ed.key");
chmod 0600, "$dir/ed.key";
spew("$dir/open.key", slurp($key));
chmod 0644, "$dir/open.key";
my @before = sort glob "$dir/*";
for my $bad (
    [2, qr/csr needs names, with -d NAME, or .* --cert-name/],
    [2, qr/not both/, '-d', 'a.test', '--cert-name', 'a.test'],
    [2, qr/"no\.\.name"/, '-d', 'no..name', '--key', $key],
    [2, qr/a new key is a file beside.*--output FILE/, '-d', 'a.test'],
    [2, qr/rsa:1024/, '-d', 'a.test', '--key', 'rsa:1024', '-o', "$dir/n"],
    [2, qr/"Company" is no FIELD=VALUE/, '-d', 'a.test', '--key', $key,
        '--subject', 'Company'],
    [2, qr/"CN=x": a subject has .*CN is the first/, '-d', 'a.test', '--key',
        $key, '--subject', 'CN=x'],
    [2, qr/"C=Germany": it cannot have that value/, '-d', 'a.test', '--key',
        $key, '--subject', 'C=Germany'],
    [1, qr/open\.key" is open to everybody; chmod/, '-d', 'a.test', '--key',
        "$dir/open.key"],
    [1, qr/"\S+ed\.key": /, '-d', 'a.test', '--key', "$dir/ed.key"],
    [1, qr/cannot \w+ "\S+none": No such file/, '-d', 'a.test', '--key',
        "$dir/none"],
    [1, qr/a\.csr" exists, and is left alone/, '-d', 'a.test', '-o', "$dir/a.csr"],
    [1, qr/exists/, '-d', 'a.test', '-o',
        "$dir/r.csr2", '--key', 'ecdsa'],
    [1, qr/there is no state directory|no lineage "x"/, '--cert-name', 'x',
        '-o', "$dir/x.csr"],
    ) {
    my ($code, $why, @args) = @$bad;
    spew("$dir/r.csr2.key", '') if "@args" =~ /csr2/;
    csr(@args);
    $why = qr/csr2\.key" exists, and is left/ if "@args" =~ /csr2/;
    ok $exit eq $code && $err =~ $why && $out eq '', "refused: csr @args"
        or diag "$exit: $out$err";
    unlink "$dir/r.csr2.key" if "@args" =~ /csr2/;
}
is_deeply [sort glob "$dir/*"], \@before, 'nothing is left of those';

# looking at those of others (K07)
openssl("req -new -key $key -subj /CN=x.test -out $dir/nosan.csr");
openssl("req -new -key $key -subj /CN=x.test -addext "
    . "subjectAltName=DNS:y.test -out $dir/cn.csr");
openssl("req -new -key $key -subj / -addext subjectAltName=email:a\@b.test "
    . "-out $dir/mail.csr");
openssl("req -in $dir/c.csr -outform DER -out $dir/c.der");
(my $broken = slurp("$dir/c.csr")) =~ s/^(.{100}.*?)A/$1B/s;
spew("$dir/broken.csr", $broken);
for my $bad (
    [qr/nosan\.csr": it has no subjectAltName/, "$dir/nosan.csr"],
    [qr/common name is not in its subjectAltName/, "$dir/cn.csr"],
    [qr/entry 1 of its subjectAltName is no DNS name/, "$dir/mail.csr"],
    [qr/broken\.csr": it is/, "$dir/broken.csr"],
    [qr/is no signing request/, $key],
    [qr/is not the key of the request in/, "$dir/c.csr", '--key', $key],
    [qr/"\S+c\.csr": its names .*b\.test/, "$dir/c.csr", '-d', 'b.test'],
    ) {
    my ($why, @args) = @$bad;
    check(@args);
    ok $exit eq '1' && $err =~ $why, "found: @args" or diag "$exit: $out$err";
}
check("$dir/c.der");
is $exit, 0, 'DER' or diag $err;
check('--key', $key);
is "$exit $out", "0 key: ecdsa:256\n", 'a key alone';
check('--json', "$dir/a.csr", '--key', $key);
my $json = decode_json($out);
ok $json->{key_matches} && @{ $json->{names} } == 4, 'as JSON';
check();
is $exit, 2, 'nothing to look at';

# a request for a lineage, with which the server orders then
$t->site(['a.test', 'b.test'])->start;
$t->wait_certificate('a.test') or $t->give_up;
csr('--cert-name', 'a.test', '--key', $key, '-o', "$dir/own.csr");
is $exit, 0, "a lineage's names" or diag $err;
check("$dir/own.csr", '--cert-name', 'a.test');
is $exit, 0, 'just those' or diag $err;
csr('--cert-name', 'none.test', '-o', "$dir/none.csr");
is $exit, 1, 'no such lineage';
ok !-e "$dir/none.csr" && !-e "$dir/none.csr.key", 'and no file';
openssl("req -x509 -key $key -subj /CN=first -days 9 -out $dir/own.pem");
$t->clear_config;
$t->site(['a.test', 'b.test'], csr => "$dir/own.csr",
    certificate => ["$dir/own.pem", $key]);
ok $t->reload, 'the server has it';
$t->wait_helpers;
($exit, $out, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'renews' or diag $out, $err;
is openssl('x509 -in ' . (glob $t->state . '/live/*/cert.pem')[0]
    . ' -noout -pubkey'), openssl("pkey -in $key -pubout"),
    'and has a certificate for that key';
$t->done;
