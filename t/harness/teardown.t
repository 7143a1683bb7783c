# Teardown fails a test that left something behind, and cleans up after one
# that died.  Each case is a test of its own, in a child process.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Acme::Proc qw(adopt_orphans descendants nap process_table reap run slurp
    spawn wait_until);
use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(time);

adopt_orphans();
my $dir = tempdir(CLEANUP => 1);

sub script ($code)
{
    return [$^X, "-I$FindBin::Bin/../lib", '-e', <<"END"];
use v5.36;
use Acme::Test;
use Acme::Proc qw(nap spew);
use Test::More;
my \$t = Acme::Test->new(host => 'nginx');
\$t->configure(plain_server => 1)->site('a.test')->start;
spew('$dir/where', join ' ', \$t->dir, \$t->master_pid, \$t->worker_pids);
$code
END
}

sub try ($code)
{
    my $ran = run(cmd => script($code), timeout => 60,
        env => { ACME_TEST_KEEP => undef });
    return ($ran->{exit}, $ran->{stdout} . $ran->{stderr});
}

# Directory and processes of the last try are gone.
sub is_clean ($what)
{
    my ($where, @pids) = split ' ', slurp("$dir/where");
    ok wait_until(3, sub {
        reap();
        my $table = process_table();
        return !-e $where && !grep { $table->{$_} } @pids;
    }), "$what: nothing left";
    is_deeply [map { $_->{title} } descendants(process_table())], [],
        "$what: no process";
    return;
}

my $alert = q{
    open my $log, '>>', $t->server->log_file;
    print {$log} "2026/01/01 00:00:00 [%s] 1#1: planted\n";
    close $log;
};
my %caught = (
    'an alert' => [sprintf($alert, 'alert'), qr/log: .*\[alert\].*planted/],
    'a crit' => [sprintf($alert, 'crit'), qr/log: .*\[crit\].*planted/],
    'a sanitizer report' => [q{
        spew($t->server->output_file,
            "==1==ERROR: AddressSanitizer: heap-use-after-free\n");
    }, qr/sanitizer: .*heap-use-after-free/],
    'a sanitizer file' => [q{
        spew($t->dir . '/san/report.7',
            "x.c:1:2: runtime error: shift too large\n");
    }, qr/sanitizer: .*shift too large/],
    'a process left' => [q{
        system 'setsid sleep 300 & exit 0';
    }, qr/process left: \d+ \(sleep\)/],
    'a key for all' => [q{
        mkdir $t->state, 0700;
        mkdir $t->state('keys'), 0700;
        spew($t->state('keys', 'a.pem'),
            "-----BEGIN PRIVATE KEY-----\n", 0640);
    }, qr/private key readable by others: .*a\.pem \(0640\)/],
);
for my $what (sort keys %caught) {
    my ($code, $complaint) = @{ $caught{$what} };
    my ($exit, $output) = try("$code \$t->done;");
    is $exit, 1, "$what fails the test";
    like $output, $complaint, 'and is named';
    like $output, qr/^not ok \d+ - clean teardown/m, 'as a test';
    is_clean($what);
}

my %fine = (
    'nothing' => '',
    'info lines' => sprintf($alert, 'info'),
    'an expected alert' => sprintf($alert, 'alert')
        . '$t->expect_log(qr/planted/);',
    'a key of its owner' => q{
        mkdir $t->state, 0700;
        spew($t->state('a.pem'), "-----BEGIN PRIVATE KEY-----\n", 0600);
    },
);
for my $what (sort keys %fine) {
    my ($exit, $output) = try("$fine{$what} \$t->done;");
    is $exit, 0, "$what is fine" or diag $output;
    is_clean($what);
}

my ($exit, $output) = try('die "in the middle\n";');
isnt $exit, 0, 'a test that dies';
like $output, qr/in the middle/, 'with its own message';
is_clean('died');

($exit, $output) = try(sprintf($alert, 'alert') . 'ok 1; done_testing;');
isnt $exit, 0, 'an alert counts without done as well';
is_clean('no done');

for my $signal (qw(INT TERM)) {
    unlink "$dir/where";
    my $pid = spawn(log => "$dir/out", cmd => script('nap(30);'));
    ok wait_until(20, sub { -e "$dir/where" }), 'a test that waits';
    kill $signal, $pid;
    ok wait_until(10, sub { waitpid($pid, 1) == $pid }), "$signal ends it";
    isnt $?, 0, 'as failed';
    is_clean($signal);
}

# Processes that are not below us are found by what they hold.
{
    my $pid = spawn(cmd => ['sleep', '60'], cwd => $dir);
    ok wait_until(3, sub { (slurp("/proc/$pid/comm") // '') =~ /sleep/ });
    my %entry = (pid => $pid, title => 'sleep 60');
    ok Acme::Proc::touches(\%entry, $dir), 'by working directory';
    ok !Acme::Proc::touches(\%entry, '/nowhere'), 'only there';
    Acme::Proc::stop_pid($pid);
    $pid = spawn(cmd => ['sleep', '60'], log => "$dir/held");
    ok wait_until(3, sub { (slurp("/proc/$pid/comm") // '') =~ /sleep/ });
    ok Acme::Proc::touches({ %entry, pid => $pid }, $dir), 'by open file';
    ok Acme::Proc::touches({ pid => 0, title => "x $dir/y" }, $dir),
        'by command line';
    Acme::Proc::stop_pid($pid);
}
done_testing;
