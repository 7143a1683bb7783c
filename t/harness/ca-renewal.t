# Renewal information of the test CA (RFC 9773): windows, and what an order
# replaces.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Acme::CA;
use Acme::CA::Renewal;
use Acme::CA::X509 qw(make_csr new_key);
use Acme::Client;
use Acme::Proc qw(adopt_orphans run spew);
use Acme::Responder;
use Acme::Tls qw(parse_certificate);
use File::Temp qw(tempdir);
use MIME::Base64 qw(encode_base64url);
use Test::More;

adopt_orphans();
my $dir = tempdir(CLEANUP => 1);
my $web = Acme::Responder->new(dir => $dir);
my $ca = Acme::CA->new(dir => $dir, http_port => $web->port,
    authz_reuse => 1, refusals_ok => 1, ari => {})->start;
my $client = client();
my $info = $client->directory->{renewalInfo};
my ($pem) = $client->obtain($web, new_key(), 'a.test') =~ /^(.*?END.*?\n)/s;
my $cert = parse_certificate($pem);
my $id = Acme::CA::Renewal::ari_id($pem);

sub client ()
{
    my $client = Acme::Client->new(url => $ca->url, ca_file => $ca->ca_file);
    $client->register;
    return $client;
}

# Of the leaf, by somebody else: base64url(AKI) "." base64url(serial).
spew("$dir/leaf.pem", $pem);
my $text = run(cmd => ['openssl', 'x509', '-in', "$dir/leaf.pem", '-noout',
    '-serial', '-ext', 'authorityKeyIdentifier'])->{stdout};
my ($serial) = $text =~ /serial=(\w+)/;
my ($aki) = $text =~ /((?:[0-9A-F]{2}:){19}[0-9A-F]{2})/;
is $id, join('.', map { encode_base64url(pack 'H*', s/://gr) } $aki, $serial),
    'the identifier';

my $answer = $client->get("$info/$id");
is $answer->{status}, 200, 'a window';
my $window = $answer->{json}{suggestedWindow};
cmp_ok $window->{start}, 'lt', $window->{end}, 'from start to end';
is $answer->{headers}{'retry-after'}, undef, 'no Retry-After';
is $client->get("$info/a.b")->{status}, 404, 'another identifier: 404';

my $past = { start => 1_800_000_000, end => 1_800_003_600,
    retry_after => 4711, explanation => 'https://x.test/' };
$ca->set(ari => { %$past, only => $cert->{serial} });
$answer = $client->get("$info/$id");
is $answer->{json}{suggestedWindow}{start}, '2027-01-15T08:00:00Z', 'as set';
is $answer->{headers}{'retry-after'}, 4711, 'Retry-After';
is $answer->{json}{explanationURL}, 'https://x.test/', 'an explanation';
$ca->set(ari => { %$past, only => 'ABCD' });
isnt $client->get("$info/$id")->{json}{suggestedWindow}{start},
    '2027-01-15T08:00:00Z', 'of one certificate only';

sub replace ($by, $what, $name)
{
    my $order = $by->post($by->directory->{newOrder}, { replaces => $what,
        identifiers => [{ type => 'dns', value => $name }] });
    return $order;
}

my ($type) = (replace($client, 'a.b', 'a.test')->{json}{type} // '')
    =~ /(\w+)$/;
is $type, 'serverInternal', 'unknown';
like replace($client, $id, 'b.test')->{json}{type}, qr/:malformed$/,
    'other names';
like replace(client(), $id, 'a.test')->{json}{type}, qr/:unauthorized$/,
    'of another account';
is replace($client, $id, 'a.test')->{status}, 201, 'its own';
my $order = replace($client, $id, 'a.test');
is $order->{status}, 201, 'twice, while nothing has come of it';
is $client->finalize($order->{json}, make_csr(new_key(), 'a.test'))->{status},
    200, 'replaced';
$answer = replace($client, $id, 'a.test');
is $answer->{status}, 409, 'which is noticed';
like $answer->{json}{type}, qr/:alreadyReplaced$/, 'and said';

$ca->set(ari => undef);
ok !$client->get($ca->url)->{json}{renewalInfo}, 'none at all';
like replace($client, $id, 'a.test')->{json}{type}, qr/:malformed$/,
    'then nothing is replaced';

is_deeply [grep { /^BUG/ } $ca->complaints], [], 'nothing to complain about';
$ca->stop;
$web->stop;
done_testing;
