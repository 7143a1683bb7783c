#!/usr/bin/perl
# acmectl as root on a state directory of somebody else: it becomes that user
# before it looks at anything, so that what was planted there leads it
# nowhere; and it serves nobody but root and the owner.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(process_table slurp spew user_ids);
use Acme::SecProc qw(status_of);
use Acme::Test;
use Acme::Tool qw(built);
use File::Find qw(find);

Acme::Test->need_root;
my $t = Acme::Test->new(run_as => 'nobody',
    ca => { type => 'own', authz_reuse => 1 });
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;
is((stat $t->state)[4], (user_ids('nobody'))[0], 'the state is nobody\'s');

my ($exit, $out, $err) = $t->acmectl('status');
is $exit, 0, 'root may look' or diag $err;
like $out, qr/a\.test: ok/, 'and sees it';
like $out, qr/not root's: every process/, 'and is told what that means';
($exit, $out, $err) = $t->acmectl({ user => 'nobody' }, 'status');
is $exit, 0, 'so may the owner';
for my $verb (['status'], ['renew', '--force'], ['key', 'thumbprint']) {
    ($exit, $out, $err) = $t->acmectl({ user => 'daemon' }, @$verb);
    is $exit, 1, "@$verb: nobody else may";
    unlike $out . $err, qr/a\.test|[\w-]{43}/, 'nor learns anything';
}
$t->stop;

# without a server it does the work itself, as the owner all of it
$t->ca->set(latency => 0.2);
my $ctl = $t->spawn(cmd => [built('ACME_ACMECTL', 'acmectl'), '--state-dir',
    $t->state, '-v', 'renew', '--force'], log => $t->dir . '/san/ctl.log');
my @uids;
$t->wait_for(sub {
    my $table = process_table();
    @uids = map { (split ' ', status_of($_->{pid})->{Uid} // '')[0 .. 3] }
        grep { $_->{pid} == $ctl || $_->{ppid} == $ctl } values %$table;
    return @uids >= 12 || !$table->{$ctl};
}, 10);
my %uids = map { $_ => 1 } @uids;
is_deeply [keys %uids], [(user_ids('nobody'))[0]],
    'alone, all of its processes are the owner\'s';
$t->wait_for(sub { !process_table()->{$ctl} }, 20);
$t->ca->set(latency => 0);
is $t->live_version('a.test'), 2, 'and they renew'
    or diag slurp($t->dir . '/san/ctl.log');

# every file becomes a link to one that only root can read
my $canary = 'canary-of-root-7Q';
my $secret = spew($t->dir . '/conf/root-only', <<"END", 0600);
{"account":"$canary","$canary":
-----BEGIN PRIVATE KEY-----
$canary
-----END PRIVATE KEY-----
END
my @before = stat $secret;
my @files;
find({ no_chdir => 1, wanted => sub {
    push @files, $_ if -f && !-l } }, $t->state);
for my $file (@files) {
    unlink $file;
    symlink $secret, $file or die "$file: $!\n";
}
cmp_ok scalar @files, '>', 8, 'a farm of links to a file of root';

for my $verb (['status'], ['--json', 'certificates'], ['key', 'thumbprint'],
    ['renew'], ['renew', '--force', '-v', '--cert-name', 'a.test']) {
    ($exit, $out, $err) = $t->acmectl({ timeout => 20 }, @$verb);
    like $exit, qr/^[01]$/, "@$verb: ends by itself";
    unlike $out . $err, qr/\Q$canary/, 'shows nothing of it';
}
my @after = stat $secret;
is_deeply [@after[0 .. 7, 9, 10]], [@before[0 .. 7, 9, 10]],
    'the file is as it was';

# no TLS key or anything else: the server starts on that, too
$t->expect_log(qr/symbolic link/);
ok $t->start(may_fail => 1), 'the server starts all the same';
$t->done;
