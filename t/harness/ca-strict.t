# The test CA refuses what RFC 8555 forbids, each with the right problem.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Acme::CA;
use Acme::CA::Jws qw(b64 load_key public_jwk unb64);
use Acme::CA::X509 qw(make_csr new_key);
use Acme::Client;
use Acme::Proc qw(adopt_orphans);
use Acme::Responder;
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

adopt_orphans();
my $dir = tempdir(CLEANUP => 1);
my $web = Acme::Responder->new(dir => $dir);
my $ca = Acme::CA->new(dir => $dir, http_port => $web->port,
    blocklist => ['blocked.test'])->start;
my $client = Acme::Client->new(url => $ca->url, ca_file => $ca->ca_file);
my $urls = $client->directory;

# refused(ANSWER, STATUS, TYPE, WHAT)
sub refused ($answer, $status, $type, $what)
{
    my $problem = $answer->{json} // {};
    is "$answer->{status} " . ($problem->{type} // 'none'),
        "$status urn:ietf:params:acme:error:$type", $what;
    return;
}

# a change of the JWS text, member by member
sub spoiled ($change)
{
    return spoil => sub ($text) {
        my $jws = decode_json($text);
        $change->($jws);
        return encode_json($jws);
    };
}

# --- before there is an account

refused $client->post($urls->{newAccount}, {}, use_jwk => 1),
    403, 'userActionRequired', 'an account without consent to the terms';
refused $client->register(onlyReturnExisting => \1),
    400, 'accountDoesNotExist', 'an account that does not exist';
refused $client->register(contact => ['tel:+1']),
    400, 'unsupportedContact', 'a contact that is no mail address';
is $client->register->{status}, 201, 'an account';

# --- JWS

my $order = $urls->{newOrder};
my %good = (identifiers => [{ type => 'dns', value => 'a.test' }]);

refused $client->post($order, \%good, nonce => 'AAAAAAAAAAAAAAAAAAAAAA'),
    400, 'badNonce', 'a nonce nobody gave out';
{
    my $nonce = $client->nonce;
    is $client->post($order, \%good, nonce => $nonce)->{status}, 201,
        'a nonce once';
    refused $client->post($order, \%good, nonce => $nonce),
        400, 'badNonce', 'a nonce twice';
    ok $client->{nonce}, 'the error brings another one';
}
refused $client->post($order, \%good, header => { url => "$order/x" }),
    403, 'unauthorized', 'another url in the header';
refused $client->post($order, \%good, header => { url => undef }),
    400, 'malformed', 'no url in the header';
refused $client->post($order, \%good, header => { nonce => undef }),
    400, 'malformed', 'no nonce in the header';
refused $client->post($order, \%good, header => { alg => 'HS256' }),
    400, 'badSignatureAlgorithm', 'an algorithm not offered';
refused $client->post($order, \%good, header => { alg => 'none' }),
    400, 'badSignatureAlgorithm', 'no algorithm';
refused $client->post($order, \%good, header => { alg => 'ES384' }),
    400, 'badPublicKey', 'an algorithm of another curve';
refused $client->post($order, \%good, use_jwk => 1),
    400, 'malformed', 'jwk where kid is wanted';
refused $client->post($order, \%good,
    header => { jwk => public_jwk($client->{key}) }),
    400, 'malformed', 'jwk and kid';
refused $client->post($order, \%good, header => { kid => "$order/1" }),
    400, 'accountDoesNotExist', 'a kid nobody has';
refused $client->post($urls->{newAccount}, {}),
    400, 'malformed', 'kid where jwk is wanted';
refused $client->post($order, \%good, spoiled(sub ($jws) {
    $jws->{signature} = b64("\1" x 64) })),
    400, 'malformed', 'a wrong signature';
refused $client->post($order, \%good, spoiled(sub ($jws) {
    $jws->{payload} = b64('{"identifiers":[]}') })),
    400, 'malformed', 'another payload than the signed one';
refused $client->post($order, \%good, spoiled(sub ($jws) {
    $jws->{header} = {} })),
    400, 'malformed', 'an unprotected header';
refused $client->post($order, \%good, spoiled(sub ($jws) {
    $jws->{signature} .= '=' })),
    400, 'malformed', 'padding';
refused $client->post($order, \%good, spoil => sub ($text) { 'not json' }),
    400, 'malformed', 'no JSON';
refused $client->post($order, \%good, http => { headers => {} }),
    415, 'malformed', 'no content type';
refused $client->post($order, \%good, http => { headers => {
    'Content-Type' => 'application/jose+json', 'User-Agent' => undef } }),
    400, 'malformed', 'no User-Agent';
refused $client->get($order), 405, 'malformed', 'GET of a resource';
refused $client->post($urls->{newNonce}, {}), 405, 'malformed',
    'POST of the nonce';

# RFC 7518 6.2.1.2: about one key in 128 has a coordinate that begins with a
# zero byte, which has to be there
{
    my $other = Acme::Client->new(url => $ca->url, ca_file => $ca->ca_file);
    my ($jwk, $short);
    do {
        $other->{key} = load_key(new_key());
        $jwk = public_jwk($other->{key});
        ($short) = grep { unb64($jwk->{$_}) =~ /^\0/ } qw(x y);
    } until $short;
    my %cut = (%$jwk, $short => b64(substr unb64($jwk->{$short}), 1));

    refused $other->post($urls->{newAccount}, {}, use_jwk => 1,
        header => { jwk => \%cut }),
        400, 'badPublicKey', 'a coordinate without its leading zero';
    is $other->register->{status}, 201, 'and with it';
}

# --- orders

my %bad = (
    'Upper.test' => 'malformed', 'nodot' => 'malformed',
    'a..test' => 'malformed', '-a.test' => 'malformed',
    'blocked.test' => 'rejectedIdentifier', '1.2.3' => 'malformed',
);
for my $name (sort keys %bad) {
    refused $client->post($order,
        { identifiers => [{ type => 'dns', value => $name }] }),
        $bad{$name} eq 'malformed' ? 400 : 403, $bad{$name}, "name $name";
}
refused $client->post($order,
    { identifiers => [{ type => 'mail', value => 'x' }] }),
    400, 'unsupportedIdentifier', 'an identifier of another type';
refused $client->post($order,
    { identifiers => [{ type => 'ip', value => '::0001' }] }),
    400, 'malformed', 'an address that is not canonical';
refused $client->post($order, { identifiers => [] }),
    400, 'malformed', 'no identifiers';

my $made = $client->new_order('a.test')->{json};
refused $client->finalize($made, make_csr(new_key(), 'a.test')),
    403, 'orderNotReady', 'finalize before anything is proved';
refused $client->post($client->{order}, {}),
    400, 'malformed', 'a payload where POST-as-GET is wanted';

{
    my $stranger = Acme::Client->new(url => $ca->url,
        ca_file => $ca->ca_file);
    $stranger->register;
    refused $stranger->post($client->{order}, undef),
        403, 'unauthorized', "somebody else's order";
    refused $stranger->post($made->{authorizations}[0], undef),
        403, 'unauthorized', "somebody else's authorization";
}

# --- CSR: each try is on an order that is ready

sub ready_order ()
{
    my $fresh = $client->new_order('a.test')->{json};
    for my $challenge ($client->challenges($fresh)) {
        $web->present($challenge->{token},
            $client->key_authorization($challenge->{token}));
        $client->post($challenge->{url}, {});
    }
    $client->poll($fresh->{authorizations}[0]);
    return $fresh;
}

my $ready = ready_order();
my $csr = make_csr(new_key(), 'a.test');
my $account_pem = $client->{key}->export_key_pem('private_short');
my %csr = (
    'another name' => make_csr(new_key(), 'b.test'),
    'a name too many' => make_csr(new_key(), 'a.test', 'b.test'),
    'a broken signature' => substr($csr, 0, -3) . "\1\2\3",
    'bytes that are no CSR' => 'not a CSR',
    'the account key' => make_csr($account_pem, 'a.test'),
);
for my $what (sort keys %csr) {
    refused $client->finalize($ready, $csr{$what}), 400, 'badCSR', $what;
}
refused $client->post($ready->{finalize}, { csr => 'pa/dd=' }),
    400, 'badCSR', 'a CSR that is not base64url';
is $client->finalize($ready, $csr)->{status}, 200, 'the right CSR';

# --- challenges are answered once

{
    my $before = $ca->challenge_posts('a.test');
    my $fresh = ready_order();
    is $ca->challenge_posts('a.test'), $before + 1, 'one answer is counted';
    my ($challenge) = grep { $_->{status} eq 'valid' }
        @{ $client->post($fresh->{authorizations}[0], undef)
            ->{json}{challenges} };
    $client->post($challenge->{url}, {});
    is $ca->challenge_posts('a.test'), $before + 2, 'so is a second one';
}

ok scalar($ca->complaints) > 20, 'all that would fail a test';
unlike $ca->log, qr/BUG/, 'no bug of the CA';
$ca->stop;
$web->stop;
done_testing;
