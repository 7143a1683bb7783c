#!/usr/bin/perl
# The administrator's own account keys, PEM or JWK files that only root can
# read, of either kind; and the contacts of an account.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::Jws qw(load_key public_jwk thumbprint);
use Acme::CA::X509 qw(new_key);
use Acme::Proc qw(spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my %thumbprint;

for my $kind (qw(ecdsa:256 ecdsa:384 rsa:2048 ecdsa:521jwk rsa:3072jwk)) {
    my $name = $kind =~ s/:/-/r;
    my $file = $t->dir . "/conf/$name.key";
    my $pem = new_key($kind =~ s/jwk//r);
    my $key = load_key($pem);

    # as Certbot keeps them
    spew($file, $kind =~ /jwk/ ? $key->export_key_jwk('private') : $pem, 0600);
    $thumbprint{$name} = thumbprint(public_jwk($key));
    $t->issuer($name, ca => $t->ca, account_key => $file,
        contact => ["$name\@admin.test", 'mailto:second@admin.test']);
    $t->site("$name.test", acme => $name);
}
$t->issuer('made', ca => $t->ca, account_key => 'rsa:2048');
$t->site('made.test', acme => 'made');
$t->start;

ok $t->wait_certificate("$_.test", 40), "$_: the certificate arrives"
    for sort(keys %thumbprint), 'made';
for my $name (sort keys %thumbprint) {
    my $answer = $t->http_get('/.well-known/acme-challenge/x',
        host => "$name.test");
    is $answer->{body}, "x.$thumbprint{$name}", "$name: that key answers";
}
my @accounts = $t->ca->accounts;
is scalar @accounts, 6, 'an account each';
for my $name (sort keys %thumbprint) {
    my ($found) = grep { "@{ $_->{contact} // [] }" =~ /$name/ } @accounts;
    is_deeply $found && $found->{contact},
        ["mailto:$name\@admin.test", 'mailto:second@admin.test'],
        "$name: its contacts";
}
my ($exit, $out) = $t->acmectl('key', 'thumbprint');
like $out, qr/^[\w-]{43}  rsa:2048  /m, 'the key that was made is RSA';

ok $t->reload, 'reload';
$t->wait_helpers;
is scalar($t->ca->accounts), 6, 'makes no other account';

$t->done;
