# The test CA issues real certificates: every account key type, names and
# addresses, RSA and ECDSA leaves, two clients at once.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Acme::CA;
use Acme::CA::X509 qw(make_csr new_key);
use Acme::Client;
use Acme::Proc qw(adopt_orphans run spew);
use Acme::Responder;
use Acme::Tls qw(parse_certificate split_pem);
use File::Temp qw(tempdir);
use Test::More;

adopt_orphans();
my $dir = tempdir(CLEANUP => 1);
my $web = Acme::Responder->new(dir => $dir);
my $ca = Acme::CA->new(dir => $dir, http_port => $web->port,
    authz_reuse => 1, alternates => 1)->start;

sub client ($spec)
{
    my $client = Acme::Client->new(
        url => $ca->url, ca_file => $ca->ca_file, key => new_key($spec));
    return $client->register->{status} == 201 ? $client : undef;
}

# Is the chain one that leads to the CA's root?
sub verifies ($pem, $root = $ca->root_file)
{
    spew("$dir/chain.pem", $pem);
    return run(cmd => ['openssl', 'verify', '-x509_strict', '-CAfile', $root,
        '-untrusted', "$dir/chain.pem", "$dir/chain.pem"])->{exit} == 0;
}

for my $spec (qw(ecdsa:256 ecdsa:384 ecdsa:521 rsa:2048)) {
    my $client = client($spec);
    my $pem = $client->obtain($web, new_key(), 'a.test', 'b.test');
    my $leaf = parse_certificate($pem);

    is_deeply $leaf->{names}, ['a.test', 'b.test'], "$spec: names";
    ok verifies($pem), "$spec: the chain verifies";
}

my $client = client('ecdsa:256');
my $pem = $client->obtain($web, new_key('rsa:2048'), 'rsa.test', '127.0.0.1');
my $leaf = parse_certificate($pem);
is $leaf->{key}, 'rsa', 'an RSA leaf';
is_deeply $leaf->{names}, ['127.0.0.1', 'rsa.test'], 'a name and an address';
is scalar split_pem($pem), 2, 'leaf and intermediate';

subtest 'the second chain' => sub {
    my ($url) = $client->{last}{headers}{link}
        =~ /<([^>]+)>;rel="alternate"/;
    my $other = $client->post($url, undef)->{body};
    ok verifies($other, $ca->root_file(1)), 'leads to the other root';
    ok !verifies($other), 'and not to the first';
};

subtest 'valid authorizations are used again' => sub {
    my $before = $ca->challenge_posts('rsa.test');
    $client->obtain($web, new_key(), 'rsa.test');
    is $ca->challenge_posts('rsa.test'), $before, 'nothing to prove';
};

subtest 'accounts' => sub {
    my $again = $client->register(onlyReturnExisting => \1);
    is $again->{status}, 200, 'found by its key';
    is $again->{headers}{location}, $client->{kid}, 'same URL';
    $client->post($client->{kid}, { contact => ['mailto:x@a.test'] });
    is_deeply $client->post($client->{kid}, undef)->{json}{contact},
        ['mailto:x@a.test'], 'contact changed';
};

subtest 'options of issuing' => sub {
    $ca->set(validity => 60, issue_delay => 0.3, retry_after => 1);
    my $short = parse_certificate(
        $client->obtain($web, new_key(), 'rsa.test'));
    is $short->{not_after} - $short->{not_before}, 60, 'lives for a minute';
    ok((grep { $_->{endpoint} eq 'order' } $ca->requests) > 1,
        'the order was polled');
    $ca->set(issue_delay => 0);
};

subtest 'two clients at once' => sub {
    my @pids = map {
        my $n = $_;
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            my $ok = eval {
                my $own = client('ecdsa:256');
                $own->obtain($web, new_key(), "par$n-$_.test") for 1 .. 3;
                1;
            };
            POSIX::_exit($ok ? 0 : 1);
        }
        $pid;
    } 1, 2;
    for my $pid (@pids) {
        waitpid $pid, 0;
        is $?, 0, 'three certificates';
    }
};

subtest 'a wrong key authorization' => sub {
    my $order = $client->new_order('wrong.test')->{json};
    my ($challenge) = $client->challenges($order);
    $web->present($challenge->{token}, "$challenge->{token}.forged");
    $client->post($challenge->{url}, {});
    my $authz = $client->poll($order->{authorizations}[0])->{json};
    is $authz->{status}, 'invalid', 'is not accepted';
    like $authz->{challenges}[0]{error}{type}, qr/:unauthorized$/, 'said why';
    is $client->post($client->{order}, undef)->{json}{status}, 'invalid',
        'and the order is lost';
    is $client->finalize($order, make_csr(new_key(), 'wrong.test'))->{status},
        403, 'it cannot be finalized';
};

is_deeply [$ca->complaints], [], 'nothing to complain about';
$ca->stop;
$web->stop;
done_testing;
