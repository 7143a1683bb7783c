# The nginx driver, with a server that knows nothing of us: start, reload,
# restart, what a TLS client sees, daemon or not, root or not.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Acme::CA::X509 qw(issue new_key new_root);
use Acme::Proc qw(spew);
use Acme::Test;
use Test::More;

my $root = new_root('harness root');

# A pair of files for a name.
sub pair ($t, $name, $spec)
{
    my $key = new_key($spec);
    my $file = $t->dir . "/conf/$name-" . $spec =~ tr/:/-/r;
    spew("$file.key", $key, 0600);
    spew("$file.pem", issue(issuer => $root, key => $key, subject => $name,
        names => [$name]) . $root->{pem});
    return ["$file.pem", "$file.key"];
}

sub plain_test (%o)
{
    my $t = Acme::Test->new(host => 'nginx', %o);
    $t->configure(plain_server => 1);
    return $t;
}

my $t = plain_test();
spew($t->dir . '/root.pem', $root->{pem});
my $rsa = pair($t, 'a.test', 'rsa:2048');
$t->site('a.test', certificate => pair($t, 'a.test', 'ecdsa:256'),
    extra => "ssl_certificate $rsa->[0]; ssl_certificate_key $rsa->[1];");
$t->site('b.test', certificate => pair($t, 'b.test', 'ecdsa:384'),
    extra => 'location /teapot { return 418 "short\n"; }');
$t->start;

subtest 'what clients see' => sub {
    my $answer = $t->http_get('/', host => 'a.test');
    is "$answer->{status} $answer->{body}", "200 ordinary content\n", 'http';
    is $t->http_get('/teapot', host => 'b.test')->{status}, 418, 'by name';
    is $t->http_get('/', method => 'HEAD')->{body}, '', 'HEAD';

    my $seen = $t->peer_certificate('b.test');
    is_deeply $seen->{names}, ['b.test'], 'SNI';
    is $seen->{depth}, 2, 'a chain of two';
    is $seen->{bits}, 384, 'size of the key';
    is $t->serial('b.test'), $seen->{serial}, 'serial';
    is $t->peer_certificate(undef)->{names}[0], 'a.test', 'without SNI';
    for my $version ('1.2', '1.3') {
        for my $kind ('rsa', 'ecdsa') {
            my $got = $t->peer_certificate('a.test', tls => $version,
                kind => $kind);
            is "$got->{key} $got->{tls}",
                "$kind TLSv1" . $version =~ s/1\./_/r,
                "only $kind with TLS $version";
        }
        is $t->peer_certificate('b.test', tls => $version, kind => 'rsa'),
            undef, "no RSA at b.test, TLS $version";
        ok $t->tls_error, 'and an error to show';
    }
    my @root = (ca_file => $t->dir . '/root.pem');
    ok $t->peer_certificate('a.test', @root), 'verifies';
    is $t->peer_certificate('a.test', @root, verify_name => 'x.test'), undef,
        'not for another name';
};

subtest 'processes' => sub {
    my @workers = $t->worker_pids;
    is scalar @workers, 2, 'two workers';
    is $t->run_as('www-data', sub { $> }), getpwnam 'www-data', 'run_as';
    is $t->engine_pid, undef, 'no helper of ours';
    my $master = $t->master_pid;
    ok $t->reload, 'reload';
    is $t->master_pid, $master, 'same master';
    my %old = map { $_ => 1 } @workers;
    is scalar(grep { !$old{$_} } $t->worker_pids), 2, 'new workers only';
    $t->restart;
    isnt $t->master_pid, $master, 'another master';
};

subtest 'configuration' => sub {
    my ($exit, $output) = $t->test_config;
    is $exit, 0, 'good' or diag $output;
    ($exit, $output) = $t->test_config('nonsense on;');
    is $exit, 1, 'bad';
    like $output, qr/unknown directive "nonsense"/, 'and why';
    $t->expect_log(qr/unknown directive "rubbish"/);
    $t->raw_config("rubbish;\n");
    ok !$t->reload, 'a reload that is refused';
    is scalar $t->worker_pids, 2, 'the workers stay';
    $t->raw_config('server { listen 127.0.0.1:%%PORT:extra%%; '
        . 'location / { return 200 "%%STATE%%"; } }');
    ok $t->reload, 'raw text';
    is $t->http_get('/', port => $t->port('extra'))->{body}, $t->state,
        'with placeholders';
};
$t->teardown;
ok !-e $t->dir, 'the directory is gone';

for my $o ([daemon => 'off'], [run_as => 'nobody']) {
    my $other = plain_test(@$o);
    $other->site('a.test')->start;
    is $other->http_get('/')->{status}, 200, "@$o: answers";
    my ($worker) = $other->worker_pids;
    is +(stat "/proc/$worker")[4],
        scalar getpwnam($o->[0] eq 'run_as' ? 'nobody' : 'www-data'),
        "@$o: whose worker";
    ok $other->reload, "@$o: reloads";
    $other->stop('QUIT');
    is $other->master_pid, undef, "@$o: stops";
    $other->teardown;
    is_deeply $other->{problems}, [], "@$o: clean" ;
}

my $bad = plain_test();
$bad->raw_config('nonsense;')->expect_log(qr/nonsense/);
ok !$bad->start(may_fail => 1), 'a server that does not start';
like $bad->failure, qr/unknown directive/, 'says why';
$bad->teardown;
is_deeply [map { @{ $_->{problems} } } $t, $bad], [], 'clean teardowns';
done_testing;
