#!/usr/bin/perl
# acme_stateless any: every name that reaches the server is answered for, with
# the account key that its operator has chosen; names of ours and orders in
# flight keep their own.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::Jws qw(load_key public_jwk thumbprint);
use Acme::CA::X509 qw(new_key);
use Acme::Proc qw(spew);
use Acme::Test;

use constant PATH => '/.well-known/acme-challenge/token';

my $t = Acme::Test->new(ca => 'own');
my $file = $t->dir . '/conf/account.pem';
my $key = load_key(spew_key($file));
my $chosen = thumbprint(public_jwk($key));

sub spew_key ($path)
{
    my $pem = new_key();
    spew($path, $pem, 0600);
    return $pem;
}

$t->issuer('chosen', ca => $t->ca, account_key => $file);
$t->issuer('made', ca => $t->ca);
$t->site('made.test', acme => 'made')->site('a.test', acme => 'chosen',
    stateless => 'any', default => 1)->site('plain.test', acme => undef);
my ($exit, $out) = $t->test_config;
is $exit, '0', 'the configuration is fine';
$t->start;
like $out . $t->said_since(0), qr/
    "any":.*whoever\ holds\ the\ account\ key\ can\ get\ a\ certificate\ for
    \ every\ name\ that\ reaches/x, 'with a warning';
$t->wait_certificate($_) or $t->give_up for qw(a.test made.test);

for my $host ('a.test', 'nobody.test', '192.0.2.1', 'www.a.test', 'a_b',
    'plain.test.example') {
    is $t->http_get(PATH, host => $host)->{body}, "token.$chosen",
        "$host: the key that was chosen";
}
is $t->http_get(PATH, version => 'HTTP/1.0', headers => { Host => undef })
    ->{body}, "token.$chosen", 'no Host at all';
my $own = $t->http_get(PATH, host => 'made.test')->{body};
like $own, qr/^token\.[\w-]{43}$/, 'made.test: an answer';
isnt $own, "token.$chosen", 'with the key of its own issuer';
is $t->http_get(PATH, host => 'plain.test')->{status}, 404,
    'a server that says nothing answers for no other name';
is $t->http_get(PATH . '.x', host => 'nobody.test')->{status}, 404,
    'what is no token is never answered';
is $t->http_get(PATH, host => 'nobody.test', method => 'POST', body => '')
    ->{status} =~ /^4/, 1, 'nor POST';

$t->done;
