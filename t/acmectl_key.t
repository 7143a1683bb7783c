#!/usr/bin/perl
# acmectl key thumbprint FILE: of keys of one's own, for nodes that are to
# answer without them; needs no state directory and shows no key.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::Jws qw(load_key public_jwk thumbprint);
use Acme::CA::X509 qw(new_key);
use Acme::Proc qw(spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new;
my $dir = $t->dir . '/conf';
my (@files, @lines);

for my $kind ('ecdsa:256', 'rsa:2048') {
    my $key = load_key(my $pem = new_key($kind));
    my $print = thumbprint(public_jwk($key));

    for my $text ($pem, $key->export_key_jwk('private')) {
        push @files, spew("$dir/key" . @files, $text, 0600);
        push @lines, "$print  $kind  $files[-1]\n";
    }
}
my ($exit, $out, $err) = $t->acmectl('key', 'thumbprint', @files);
is $exit, 0, 'files, PEM and JWK' or diag $err;
is $out, join('', @lines), 'thumbprint, type and name of each';
($exit, $out) = $t->acmectl('--json', 'key', 'thumbprint', $files[0]);
is_deeply [map { "$_->{thumbprint}  $_->{key}  $_->{file}\n" }
    @{ decode_json($out) }], [$lines[0]], 'as JSON';

my %wrong = (
    none => qr/cannot read "none"/,
    spew("$dir/open", $lines[0], 0644) => qr/"\S+open".* chmod o-rwx/,
    spew("$dir/text", "canary\n", 0600) => qr/account key "\S+text": /,
);
for my $file (sort keys %wrong) {
    ($exit, $out, $err) = $t->acmectl('key', 'thumbprint', $file);
    ok $exit eq '1' && $out eq '' && $err =~ $wrong{$file}
        && $err !~ /canary/, "refused: $file" or diag "$exit: $out$err";
}

$t->done;
