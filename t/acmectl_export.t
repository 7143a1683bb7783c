#!/usr/bin/perl
# acmectl export: a certificate in the forms that other programs want, in a
# file that is new and nobody else's; a key is not given away by accident.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;
my %pem = map { $_ => $t->state_text('live', 'a.test', "$_.pem") }
    qw(privkey cert chain fullchain);
my @name = ('--cert-name', 'a.test');

sub export (@how) { return $t->acmectl('export', @how) }

sub openssl (@words)
{
    my $ran = run(cmd => ['openssl', @words]);
    return $ran->{exit} eq '0' ? $ran->{stdout} : "openssl: $ran->{stderr}";
}

# what it does not take
for my $wrong (
    [[], qr/by --cert-name NAME/],
    [[@name, '--format', 'jks'], qr/"jks" is none of pem, der, pkcs12/],
    [[@name, '--part', 'half'], qr/"half" is none of all, key/],
    [[@name, '--format', 'der', '--part', 'all'], qr/one thing.*--part cert/],
    [[@name, '--format', 'haproxy', '--part', 'key'], qr/--part is for/],
    [[@name, '--of-version', 'x'], qr/"x" is no number/],
    [[@name, '--password-file', '/x'], qr/--password-file is for/],
    [[@name, '--format', 'pkcs12'], qr/with --password-file FILE/],
    [[@name, 'out.pem'], qr/unexpected "out\.pem"/]) {
    my ($args, $why) = @$wrong;
    my ($exit, undef, $err) = export(@$args);
    is $exit, 2, "usage: export @$args";
    like $err, $why, '  and how it is meant';
}
my ($exit, $out, $err) = export('--cert-name', 'x.test');
is $exit, 1, 'a lineage that is not there';
($exit, undef, $err) = export(@name, '--of-version', '7');
is $exit, 1, 'a version that is not there';
like $err, qr{archive/a\.test/7}, '  is named';
($exit, undef, $err) = export(@name, '--key-algorithm', 'rsa');
is $exit, 1, 'a key that it has not';
like $err, qr/no certificate with a key of "rsa"/, '  is said';

# PEM and HAProxy
($exit, $out) = export(@name);
is $exit, 0, 'PEM';
is $out, $pem{privkey} . $pem{fullchain}, '  the key, the certificate, the chain';
is +(export(@name, '--part', $_->[0]))[1], $pem{ $_->[1] },
    "  or $_->[0] alone"
    for [key => 'privkey'], [cert => 'cert'], [chain => 'chain'],
    [fullchain => 'fullchain'];
($exit, $out) = export(@name, '--format', 'haproxy', '--of-version', 1);
is $out, $pem{fullchain} . $pem{privkey}, 'HAProxy: the key last';

# a file
my $file = $t->dir . '/out.pem';
($exit, $out, $err) = export(@name, '-o', $file);
is $exit, 0, 'into a file' or diag $err;
is slurp($file), $pem{privkey} . $pem{fullchain}, '  which has it';
is sprintf('%o', (stat $file)[2] & 07777), '600', '  and is nobody else\'s';
is $out, '', '  nothing of it is printed';
spew($file, 'mine');
($exit, undef, $err) = export(@name, '-o', $file);
is $exit, 1, 'one that exists';
like $err, qr/exists, and is left alone/, '  is said';
is slurp($file), 'mine', '  and is left alone';
symlink "$file.new", "$file.link" or die "symlink: $!\n";
($exit) = export(@name, '-o', "$file.link");
is $exit, 1, 'a link to nowhere';
ok !-e "$file.new", '  is not followed';
($exit) = export('--cert-name', 'x.test', '-o', "$file.none");
is $exit, 1, 'where it fails';
ok !-e "$file.none", '  no file is left';

# DER
my $der = $t->dir . '/out.der';
($exit) = export(@name, '--format', 'der', '-o', $der);
is $exit, 0, 'DER';
is openssl('x509', '-inform', 'DER', '-in', $der), $pem{cert},
    '  the certificate';
unlink $der;
export(@name, '--format', 'der', '--part', 'key', '-o', $der);
is openssl('pkey', '-inform', 'DER', '-in', $der), $pem{privkey},
    '  or the key';

# PKCS#12
my $password = spew($t->dir . '/password', "s3cret word\nignored\n", 0600);
my $p12 = $t->dir . '/out.p12';
($exit, undef, $err) = export(@name, '--format', 'pkcs12',
    '--password-file', $password, '-o', $p12);
is $exit, 0, 'PKCS#12' or diag $err;
my $text = openssl('pkcs12', '-in', $p12, '-nodes', '-passin',
    'pass:s3cret word');
my @found = $text =~ /(-----BEGIN [^-]+-----.*?-----END [^-]+-----\n)/sg;
is_deeply [sort @found], [sort $pem{privkey},
    $pem{fullchain} =~ /(-----BEGIN.*?-----END [^-]+-----\n)/sg],
    '  opened by its password, has the key, the certificate and the chain';
like openssl('pkcs12', '-in', $p12, '-nodes', '-passin', 'pass:other'),
    qr/^openssl: .*invalid password/s, '  and by no other';
like openssl('pkcs12', '-in', $p12, '-info', '-nodes', '-passin',
    'pass:s3cret word'), qr/a\.test/, '  under the name of the lineage';
chmod 0644, $password;
($exit, undef, $err) = export(@name, '--format', 'pkcs12',
    '--password-file', $password, '-o', "$p12.2");
is $exit, 1, 'a password that others can read';
like $err, qr/\Q$password\E/, '  is refused by name';
ok !-e "$p12.2", '  no file is made';

# to a terminal
SKIP: {
    skip 'no script(1)', 2 if !-x '/usr/bin/script';
    my $ran = run(cmd => ['script', '-qec', join(' ',
        Acme::Tool::built('ACME_ACMECTL', 'acmectl'), 'export', @name),
        '/dev/null'], env => { ACME_STATE_DIR => $t->state });
    like $ran->{stdout}, qr/a private key is not written to a terminal/,
        'a key to a terminal: only if that is asked for';
    unlike $ran->{stdout}, qr/PRIVATE KEY-----/, '  nothing of it is shown';
}

$t->done;
