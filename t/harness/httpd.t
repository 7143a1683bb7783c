# The httpd driver, with a server that knows nothing of us: start, reload,
# restart, what a TLS client sees, event and prefork, in the foreground, as
# one process, root or not.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Acme::CA::X509 qw(issue new_key new_root);
use Acme::Proc qw(process_table slurp spew);
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
    my $t = Acme::Test->new(host => 'httpd', %o);
    $t->configure(plain_server => 1);
    return $t;
}

my $t = plain_test();
spew($t->dir . '/root.pem', $root->{pem});
$t->site(['b.test', 'other.test'],
    certificate => pair($t, 'b.test', 'ecdsa:384'),
    extra => { httpd => 'Redirect 410 /teapot', nginx => 'nonsense' });
$t->site('a.test', certificate => pair($t, 'a.test', 'rsa:2048'),
    default => 1);
$t->start;

subtest 'what clients see' => sub {
    my $answer = $t->http_get('/', host => 'a.test');
    is "$answer->{status} $answer->{body}", "200 ordinary content\n", 'http';
    is $t->http_get('/teapot', host => $_)->{status}, 410, "by name: $_"
        for qw(b.test other.test);
    is $t->http_get('/teapot', host => 'x.test')->{status}, 404, 'default';
    is $t->http_get('/', method => 'HEAD')->{body}, '', 'HEAD';

    my $seen = $t->peer_certificate('b.test');
    is_deeply $seen->{names}, ['b.test'], 'SNI';
    is $seen->{bits}, 384, 'size of the key';
    is $t->serial('other.test'), $seen->{serial}, 'the other name';
    is $t->peer_certificate(undef)->{names}[0], 'a.test', 'without SNI';
    for my $version ('1.2', '1.3') {
        my $got = $t->peer_certificate('a.test', tls => $version);
        is $got->{tls}, 'TLSv1' . $version =~ s/1\./_/r, "TLS $version";
    }
    my @root = (ca_file => $t->dir . '/root.pem');
    ok $t->peer_certificate('a.test', @root), 'verifies';
    is $t->peer_certificate('a.test', @root, verify_name => 'x.test'), undef,
        'not for another name';
};

subtest 'processes' => sub {
    my @workers = $t->worker_pids;
    is scalar @workers, 2, 'two children';
    is +(stat "/proc/$workers[0]")[4], getpwnam 'www-data', 'of www-data';
    is $t->engine_pid, undef, 'no helper of ours';
    my $master = $t->master_pid;
    for my $hard (0, 1) {
        my %old = map { $_ => 1 } $t->worker_pids;
        ok $t->reload(hard => $hard), $hard ? 'restart' : 'graceful';
        is $t->master_pid, $master, 'same parent';
        is scalar(grep { !$old{$_} } $t->worker_pids), 2,
            'new children only';
        is scalar(grep { process_table()->{$_} } keys %old), 0,
            'the old ones are gone';
    }
    sleep 2;
    is scalar $t->worker_pids, 2, 'their number is stable';
    $t->restart;
    isnt $t->master_pid, $master, 'another parent';
    $t->stop('KILL')->start;
    is scalar $t->worker_pids, 2, 'after a KILL';
};

subtest 'configuration' => sub {
    my ($exit, $output) = $t->test_config;
    is $exit, 0, 'good' or diag $output;
    ($exit, $output) = $t->test_config('Nonsense on');
    is $exit, 1, 'bad';
    like $output, qr/Invalid command 'Nonsense'/, 'and why';
    my @workers = $t->worker_pids;
    $t->raw_config("Rubbish\n");
    ok !$t->reload, 'a reload that is refused';
    is_deeply [$t->worker_pids], \@workers, 'the children stay';
    like slurp($t->server->output_file), qr/'Rubbish'/, 'and it says why';
    $t->raw_config({ nginx => 'nonsense', httpd =>
        "Listen 127.0.0.1:%%PORT:extra%%\nHeader always set X-At %%STATE%%"
    });
    ok $t->reload, 'raw text';
    is $t->http_get('/', port => $t->port('extra'))->{headers}{'x-at'},
        $t->state, 'with placeholders';
};
subtest 'with mod_cgid' => sub {
    $t->raw_config("Listen 127.0.0.1:%%HTTP%%\nScriptSock %%DIR%%/run/cgid\n"
        . "LoadModule cgid_module %%MODULES%%/mod_cgid.so");
    $t->restart;    # at a reload it would not start yet
    my @children = grep { $_->{ppid} == $t->master_pid }
        values %{ process_table() };
    is scalar @children, 3, 'three children';
    is scalar $t->worker_pids, 2, 'its daemon is no worker';
};
$t->teardown;
ok !-e $t->dir, 'the directory is gone';

for my $o ([mpm => 'prefork'], [daemon => 'off'], [run_as => 'nobody'],
    [single => 1], [no_ssl => 1], [http2 => 1], [workers => 4]) {
    my $other = plain_test(@$o);
    $other->site('a.test')->start;
    is $other->http_get('/')->{status}, 200, "@$o: answers";
    my ($one) = ($other->worker_pids, $other->master_pid);
    is +(stat "/proc/$one")[4],
        scalar getpwnam($o->[0] eq 'run_as' ? 'nobody' : 'www-data'),
        "@$o: whose process";
    if ($o->[0] ne 'single') {
        is scalar $other->worker_pids, $o->[0] eq 'workers' ? 4 : 2,
            "@$o: children";
        ok $other->reload, "@$o: reloads";
    }
    $other->stop('QUIT');
    is $other->master_pid, undef, "@$o: stops";
    $other->teardown;
    is_deeply $other->{problems}, [], "@$o: clean";
}

my $bad = plain_test();
$bad->raw_config('Nonsense');
ok !$bad->start(may_fail => 1), 'a server that does not start';
like $bad->failure, qr/Invalid command/, 'says why';
$bad->teardown;
is_deeply [map { @{ $_->{problems} } } $t, $bad], [], 'clean teardowns';

# teardown knows an alarming line of httpd's
for my $case (['core:alert', 1], ['ssl:emerg', 1], ['acme_httpd:crit', 1],
    ['core:error', 0], ['core:notice', 0]) {
    my ($level, $problems) = @$case;
    my $noisy = plain_test();
    $noisy->site('a.test')->start;
    open my $log, '>>', $noisy->server->log_file or die "log: $!\n";
    print {$log} "[Thu Jan 01 00:00:00 2026] [$level] [pid 1:tid 1] planted\n";
    close $log;
    like $noisy->log, $noisy->level($level =~ s/.*://r), "$level: its level";
    $noisy->teardown;
    is scalar @{ $noisy->{problems} }, $problems, "$level: a problem or not";
}

# what becomes of the parts of a model that has ours in it
my $model = Acme::Test->new(host => 'httpd', ca => 'own', ca_start => 0);
$model->site(['a.test', 'b.test'])->site(['b.test', 'a.test'], tls => 0);
$model->site('c.test', key => 'rsa:2048');
$model->site('d.test', identifiers => ['d.test', 'x.test']);
$model->configure(terms => 1, placeholder => 'self_signed', user => 'u');
my $url = $model->ca->url;
my @ours = grep { /ACME/ } split /\n/, $model->config_text;
is_deeply \@ours, ['ACMEStateDir ' . $model->state, 'ACMEPlaceholder serve',
    'ACMEUser u', 'ACMEPreflight off', 'ACMECertificateAgreement accepted',
    "ACMECertificateAuthority $url",
    'ACMECACertificateFile ' . $model->ca->ca_file,
    'ACMECertificateAgreement accepted', 'ACMEDomain a.test',
    '<ACMEDomain c.test>', '    ACMEPrivateKeys rsa:2048', '</ACMEDomain>',
    'ACMEDomain d.test x.test manual'], 'one issuer: of the server';
is $model->issuer_name('testca'), '127.0.0.1', 'its name';
$model->clear_config->issuer('one', uri => 'letsencrypt', terms => 0);
$model->site('a.test', acme => 'one');
is +($model->config_text =~ /^(<ACMEDomain a\.test>.*?<\/ACMEDomain>)$/ms)[0],
    "<ACMEDomain a.test>\n    ACMECertificateAuthority letsencrypt\n"
    . '</ACMEDomain>', 'two issuers: of the domain';
is $model->issuer_name('one'), 'letsencrypt', 'by its short name';
$model->teardown;
done_testing;
