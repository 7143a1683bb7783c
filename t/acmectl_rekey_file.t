#!/usr/bin/perl
# account rekey to a key out of a file of the operator's: a copy of it is the
# account's from then on, and what is no such file changes nothing.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::Jws qw(load_key public_jwk thumbprint);
use Acme::CA::X509 qw(new_key);
use Acme::Proc qw(run slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my ($exit, $out, $err);
sub rekey ($key) { ($exit, $out, $err) = $t->acmectl('account', 'rekey', $key) }
sub known () { return ($t->ca->accounts)[0]{thumbprint} }

$t->site('a.test')->site('b.test')->start;
$t->wait_certificate($_) || $t->give_up for qw(a.test b.test);
my $old = known();
my @keys = grep { m{^keys/} } $t->state_files;

# what it does not take, and why
my $dir = $t->dir . '/conf';
run(cmd => [qw(openssl genpkey -algorithm ed25519 -out), "$dir/ed.pem"]);
spew("$dir/rsa.pem", new_key('rsa:3072'), 0600);
spew("$dir/none.pem", "no key\n", 0600);
spew("$dir/open.pem", new_key(), 0644);
for my $case ([ed => qr/cannot be used \(ED25519, \d+ bits\): it must be ECDSA/],
    [none => qr/no private key found/], [open => qr/chmod/]) {
    my ($name, $why) = @$case;
    rekey("$dir/$name.pem");
    is $exit, 1, "$name.pem: refused";
    like $err, qr/\Q$name.pem\E".*$why/, '  says which file, and why';
}
is known(), $old, 'nothing was changed';
is_deeply [grep { m{^keys/} } $t->state_files], \@keys, 'nor begun';

# PEM and JWK
my %key = ('rsa.pem' => load_key(slurp("$dir/rsa.pem")),
    'ec.jwk' => load_key(new_key('ecdsa:384')));
spew("$dir/ec.jwk", $key{'ec.jwk'}->export_key_jwk('private'), 0600);
for my $name (sort { $b cmp $a } keys %key) {
    my $thumbprint = thumbprint(public_jwk($key{$name}));
    rekey("$dir/$name");
    is $exit, 0, "$name: taken" or diag $err;
    is known(), $thumbprint, '  the CA knows the account by it';
    ok $t->wait_for(sub { $t->http_get('/.well-known/acme-challenge/x',
        host => 'a.test')->{body} eq "x.$thumbprint" }, 3),
        '  workers answer for it';
}
is scalar($t->ca->accounts), 1, 'it is the account that there was';

# the file is the operator's: ours is a copy
unlink glob "$dir/*.pem $dir/*.jwk";
my $serial = $t->serial('a.test');
$t->acmectl('renew', '--force', '--cert-name', 'a.test');
isnt $t->serial('a.test'), $serial, 'renewed without the file';
ok $t->restart, 'restart';
$t->wait_helpers;
$serial = $t->serial('b.test');
$t->acmectl('renew', '--force', '--cert-name', 'b.test');
isnt $t->serial('b.test'), $serial, 'and after a restart';

$t->done;
