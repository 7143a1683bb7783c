# Every fault of the test CA's table does what its name says, once, and then
# the CA is itself again.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Acme::CA;
use Acme::CA::Faults;
use Acme::CA::X509 qw(new_key);
use Acme::Client;
use Acme::Http;
use Acme::Proc qw(adopt_orphans run spew wait_until);
use Acme::Responder;
use Acme::Tls qw(parse_certificate split_pem);
use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(time);

adopt_orphans();
my $dir = tempdir(CLEANUP => 1);
my $web = Acme::Responder->new(dir => $dir);
my $ca = Acme::CA->new(dir => $dir, http_port => $web->port)->start;
my $client = Acme::Client->new(url => $ca->url, ca_file => $ca->ca_file);
my $urls = $client->directory;
my %tried;

$client->register;

sub fault ($name, %rule)
{
    $tried{$name} = 1;
    $ca->clear_faults;
    $ca->fault(do => $name, %rule);
    return;
}

sub directory (%o)
{
    return $client->send_request('GET', $ca->url, timeout => 10, %o);
}

sub order () { return $client->new_order('a.test') }

# An order with its challenge answered and its authorization decided.
sub proved ()
{
    my $order = order()->{json};
    for my $challenge ($client->challenges($order)) {
        $web->present($challenge->{token},
            $client->key_authorization($challenge->{token}));
        $client->post($challenge->{url}, {});
    }
    return $order;
}

sub obtain () { return $client->obtain($web, new_key(), 'a.test') }

# The leaf's chain against the CA's root, as openssl sees it.
sub verify ($pem)
{
    spew("$dir/chain.pem", $pem);
    my $ran = run(cmd => ['openssl', 'verify', '-CAfile', $ca->root_file,
        '-untrusted', "$dir/chain.pem", "$dir/chain.pem"]);
    return $ran->{exit} ? $ran->{stdout} . $ran->{stderr} : 'OK';
}

# --- instead of an answer

for my $status (500, 503, 429) {
    fault $status => (where => 'newOrder', retry_after => 7);
    my $answer = order();
    is $answer->{status}, $status, "status $status";
    is $answer->{headers}{'retry-after'}, 7, 'with Retry-After';
    is order()->{status}, 201, 'and then an order';
}

fault error => (where => 'newOrder', status => 429, retry_after => 3600,
    as_date => 1, detail => 'slow down');
like order()->{headers}{'retry-after'}, qr/^\w\w\w, \d\d \w+ \d{4} .* GMT$/,
    'Retry-After as a date';
is $client->{last}{json}{detail}, 'slow down', 'a detail of our own';

fault error => (where => 'newOrder', skip => 2);
is join(' ', map { order()->{status} } 1 .. 4), '201 201 500 201',
    'a fault that waits for its turn';

fault badNonce => (where => 'newOrder', times => 2);
like order()->{json}{type}, qr/:badNonce$/, 'badNonce' for 1, 2;
is order()->{status}, 201, 'twice only';

fault reject => (where => 'newOrder', name => 'bad.test', times => 'always');
is order()->{status}, 201, 'a fault for one name spares the others';
my $rejected = $client->new_order('bad.test');
is $rejected->{json}{subproblems}[0]{identifier}{value}, 'bad.test',
    'rejected with a subproblem';

fault 'no-replaces' => (where => 'newOrder', times => 'always');
is $client->post($urls->{newOrder}, { replaces => 'a.b' })->{json}{detail},
    'replaces: what?', 'an order that replaces something';
is order()->{status}, 201, 'and one that does not';

fault canary => (where => 'newOrder');
like order()->{json}{detail}, qr/\e.*\n.*\x{202e}/s, 'canary text';

fault redirect => (where => 'directory', to => '/dir-moved', status => 301);
is directory()->{headers}{location}, '/dir-moved', 'a redirect';
is directory()->{status}, 200, 'once';
ok $client->get($ca->base . '/dir-moved')->{json}{newNonce},
    'its target is a directory';
fault redirect => (where => 'directory', to => 'self');
is directory()->{headers}{location}, $ca->url, 'a redirect to itself';
fault redirect => (where => 'directory', to => 'http-decoy/x');
is directory()->{headers}{location}, $ca->decoy_http_url . '/x',
    'a redirect to plain HTTP';

fault drop => (where => 'newOrder');
my $orders = $ca->orders;
is order()->{status}, 0, 'dropped';
is scalar $ca->orders, $orders, 'and not done';

fault hang => (where => 'directory');
my $start = time;
is directory(timeout => 0.5)->{status}, 0, 'no answer';
cmp_ok time - $start, '>=', 0.5, 'for as long as one waits';

# --- other content

fault url => (where => 'directory', field => 'newOrder');
is directory()->{json}{newOrder}, $ca->decoy_url . '/elsewhere',
    'a URL that points elsewhere';
$client->get($ca->decoy_url . '/elsewhere');
is scalar $ca->requests('decoy'), 1, 'where requests are counted';
fault url => (where => 'authz', field => 'challenge', to => 'https://x/');
is((($client->challenges(order()->{json}))[0])->{url}, 'https://x/',
    'a challenge elsewhere');
fault url => (where => 'newOrder', field => 'authorizations');
is order()->{json}{authorizations}[0], $ca->decoy_url . '/elsewhere',
    'an authorization elsewhere';
fault location => (where => 'newOrder');
is order()->{headers}{location}, $ca->decoy_url . '/elsewhere',
    'Location elsewhere';
fault member => (where => 'newOrder', field => 'finalize', value => 5);
is order()->{json}{finalize}, 5, 'a member of another type';
fault member => (where => 'newOrder', field => 'finalize');
ok !exists order()->{json}{finalize}, 'a member missing';

fault processing => (where => ['order', 'finalize'], times => 3,
    retry_after => 1);
my $before = $ca->requests('order');
like obtain(), qr/BEGIN CERT/, 'processing ends';
is $ca->requests('order') - $before, 4, 'after three answers';

fault pending => (where => 'authz', times => 2);
my $decided = proved();
my $url = $decided->{authorizations}[0];
ok wait_until(5, sub {
    ($ca->challenges)[-3]{status} eq 'valid' }), 'the CA has decided';
is $client->post($url, undef)->{json}{status}, 'pending', 'still pending'
    for 1, 2;
is $client->post($url, undef)->{json}{status}, 'valid', 'then valid';

fault token => (where => 'authz', token => "../x\n");
is((($client->challenges(order()->{json}))[0])->{token}, "../x\n",
    'any token');
fault 'foreign-name' => (where => 'authz');
is $client->post(order()->{json}{authorizations}[0], undef)
    ->{json}{identifier}{value}, 'foreign.test', 'a foreign name';
fault 'duplicate-authz' => (where => 'newOrder');
my @double = @{ order()->{json}{authorizations} };
is "@double", "$double[0] $double[0]", 'one authorization twice';
fault 'many-authz' => (where => 'newOrder');
is scalar @{ order()->{json}{authorizations} }, 10_000, 'far too many';

# --- sent wrongly

fault 'drop-after' => (where => 'newOrder');
$orders = $ca->orders;
is order()->{status}, 0, 'dropped';
is scalar $ca->orders, $orders + 1, 'but done';
fault 'drop-half' => (where => 'directory');
my $half = directory();
cmp_ok length $half->{body}, '<', $half->{headers}{'content-length'},
    'half an answer';
fault nested => (where => 'directory');
is directory()->{body}, '[' x 2047 . ']' x 2047, '2047 brackets';
fault 'duplicate-member' => (where => 'directory', member => 'newOrder',
    value => 'https://x/');
is scalar(() = directory()->{body} =~ /"newOrder"/g), 2, 'a member twice';
fault body => (where => 'directory', body => '<html>', type => 'text/html');
is directory()->{body}, '<html>', 'any body';
fault 'endless-body' => (where => 'directory');
cmp_ok length directory()->{body}, '>=', 8 << 20, 'a body without end';
fault 'gzip-bomb' => (where => 'directory');
my $bomb = directory();
is $bomb->{headers}{'transfer-encoding'}, 'gzip', 'a bomb';
cmp_ok length $bomb->{body}, '<', 100_000, 'is small when sent';
require Compress::Zlib;
cmp_ok length Compress::Zlib::memGunzip($bomb->{body}), '>', 50 << 20,
    'and large when opened';
fault slow => (where => 'directory', seconds => 0.05);
$start = time;
directory(timeout => 0.5);
like $client->{last}{error}, qr/timed out after \d+ bytes/, 'a slow body';
fault 'endless-headers' => (where => 'directory');
like directory()->{error}, qr/no complete header/, 'headers without end';
fault 'bad-nonce-header' => (where => 'newNonce');
is $client->send_request('HEAD', $urls->{newNonce})
    ->{headers}{'replay-nonce'}, 'not/base64=', 'a nonce of bad characters';
$client->{nonce} = undef;
fault 'no-nonce' => (where => 'newNonce');
ok !$client->send_request('HEAD', $urls->{newNonce})
    ->{headers}{'replay-nonce'}, 'no nonce';
fault date => (where => 'directory');
my ($year) = directory()->{headers}{date} =~ / (\d{4}) /;
cmp_ok $year, '<', 1900 + (gmtime)[5], 'a lying Date';
fault header => (where => 'directory', header => 'X-Any', value => 'thing');
is directory()->{headers}{'x-any'}, 'thing', 'any header';
fault status => (where => 'directory', status => 418);
is directory()->{status}, 418, 'any status';
fault latency => (where => 'directory', seconds => 0.3);
$start = time;
directory();
cmp_ok time - $start, '>=', 0.3, 'a late answer';

# --- certificates

my %seen = (
    'wrong-key' => sub ($leaf) { $leaf->{bits} == 256 },
    'wrong-names' => sub ($leaf) { "@{ $leaf->{names} }" eq 'other.test' },
    'extra-name' => sub ($leaf) {
        "@{ $leaf->{names} }" eq 'a.test extra.test' },
    expired => sub ($leaf) { $leaf->{not_after} < time - 3500 },
    'not-yet-valid' => sub ($leaf) { $leaf->{not_before} > time + 86_000 },
);
for my $name (sort keys %seen) {
    fault $name => (where => 'issue');
    my $pem = $client->obtain($web, new_key('ecdsa:384'), 'a.test');
    ok $seen{$name}->(parse_certificate($pem)), $name;
}
fault lifetime => (where => 'issue', seconds => 61);
my $leaf = parse_certificate(obtain());
is $leaf->{not_after} - $leaf->{not_before}, 61, 'lifetime';
my %text = ('no-server-auth' => qr/^(?!.*TLS Web Server Auth)/s,
    'is-ca' => qr/CA:TRUE/);
for my $name (sort keys %text) {
    fault $name => (where => 'issue');
    spew("$dir/leaf.pem", (split_pem(obtain()))[0]);
    like run(cmd => ['openssl', 'x509', '-noout', '-text', '-in',
        "$dir/leaf.pem"])->{stdout}, $text{$name}, $name;
}

fault 'chain-order' => (where => 'issue');
is_deeply parse_certificate(obtain())->{names}, [], 'the leaf last';
fault 'chain-broken' => (where => 'issue');
isnt verify(obtain()), 'OK', 'a broken signature';
fault 'chain-long' => (where => 'issue');
my @chain = map { parse_certificate($_) } split_pem(obtain());
is scalar @chain, 11, 'eleven certificates';
is join(' ', map { $_->{issuer} } @chain[0 .. 9]),
    join(' ', map { $_->{subject} } @chain[1 .. 10]), 'each by the next';
fault 'chain-leaf-only' => (where => 'issue');
is scalar(my @one = split_pem(obtain())), 1, 'a leaf only';
fault 'chain-root' => (where => 'issue');
is scalar(my @three = split_pem(obtain())), 3, 'with the root';
fault 'chain-garbage' => (where => 'issue');
is obtain(), "not a certificate\n", 'garbage';
$ca->clear_faults;
is verify(obtain()), 'OK', 'and a good one afterwards';

# --- validation

fault invalid => (where => 'validate', type => 'dns',
    detail => 'no such host');
my $order = proved();
my $authz = $client->poll($order->{authorizations}[0])->{json};
is "$authz->{status} $authz->{challenges}[0]{error}{detail}",
    'invalid no such host', 'invalid';
fault 'slow-validation' => (where => 'validate', seconds => 0.5);
$order = proved();
is $client->post($order->{authorizations}[0], undef)->{json}{status},
    'pending', 'still at it';
is $client->poll($order->{authorizations}[0])->{json}{status}, 'valid',
    'done in the end';

# --- the CA as a whole

$ca->unreachable;
like directory()->{error}, qr/Connection refused/, 'unreachable';
$ca->reachable;
is directory()->{status}, 200, 'reachable again';
is scalar(grep { $_->{status} eq 'valid' } $ca->orders) > 5, 1,
    'nothing forgotten';
$ca->freeze;
is directory(timeout => 0.5)->{status}, 0, 'frozen';
$ca->thaw;
is directory()->{status}, 200, 'thawed';

is_deeply [grep { !$tried{$_} } Acme::CA::Faults::names()], [],
    'every fault of the table was tried';
eval { $ca->fault(do => 'nonsense') };
like $@, qr/no fault is called nonsense/, 'others are refused';
is_deeply [$ca->complaints], [], 'nothing to complain about';
$ca->stop;
$web->stop;
done_testing;
