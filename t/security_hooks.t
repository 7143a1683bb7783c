#!/usr/bin/perl
# S6, S7, S20, S48: a hook has nothing of ours, its words and ours never reach
# a shell, and what the server's user could change is never run as root;
# nothing planted among what we remember of hooks leads anywhere else.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew user_ids);
use Acme::Test;
use POSIX qw(mkfifo);

Acme::Test->need_root;
my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $out = $t->dir . '/out';
my $user = $t->server->worker_user;
my ($uid, $gid) = user_ids($user);

mkdir $out;
chmod 01777, $out;

# Writes what it finds to $out/NAME.* .
sub hook ($name)
{
    return spew($t->dir . "/$name", <<~"END", 0755);
        #!/usr/bin/perl
        open my \$to, '>', "$out/$name" or die;
        my %of = (uid => \$>, gid => \$), umask => sprintf('%03o', umask),
            cwd => readlink '/proc/self/cwd', args => join('|', \@ARGV),
            fds => join(' ', grep { (readlink("/proc/self/fd/\$_") // 'proc')
                !~ /proc/ } 0 .. 99),
            stdin => readlink '/proc/self/fd/0',
            session => getpgrp(0) == \$\$ ? 'own' : 'shared',
            pipe => ref \$SIG{PIPE} || \$SIG{PIPE} || 'default',
            env => join(' ', sort keys %ENV));
        print \$to "\$_=\$of{\$_}\\n" for sort keys %of;
        close \$to;
        rename "$out/$name", "$out/$name.done";
        END
}

sub found ($name)
{
    $t->wait_for(sub { -e "$out/$name.done" }, 10, $name);
    my $text = slurp("$out/$name.done") // '';
    unlink "$out/$name.done";
    return { map { split /=/, $_, 2 } split /\n/, $text };
}

my $roots = hook('roots');
my $others = hook('others');
chown $uid, $gid, $others;
my $dir = $t->dir . '/open';
mkdir $dir;
my $below = hook('below');
rename $below, "$dir/below" or die;
chown $uid, $gid, $dir;
my $link = hook('linked');
rename $link, "$dir/linked" or die;
symlink "$dir/linked", $t->dir . '/link' or die;

# More words than there are in a line of nginx usually, none for a shell.
my @words = ("\$(touch $out/injected)", ";touch $out/injected",
    "`touch $out/injected`", "it's", '*', map { "w$_" } 6 .. 12);
my $words = join ' ', map { "\"$_\"" } @words;
$ENV{ACME_TEST_CANARY} = 'canary';
$t->configure(hook => ["deploy $roots $words", "deploy $others word",
    "deploy $dir/below word", 'deploy ' . $t->dir . '/link word']);
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;

my $root = found('roots');
is $root->{uid}, 0, 'a program of root alone runs as root';
is $root->{args}, join('|', @words), 'with all its words as they are';
is $root->{umask}, '077', 'its umask';
is $root->{cwd}, '/', 'its directory';
is $root->{stdin}, '/dev/null', 'its input';
is $root->{session}, 'own', 'its session';
is $root->{pipe}, 'default', 'SIGPIPE is as ever';
is $root->{env}, 'ACME_HOOK ACME_LINEAGE ACME_VERSION HOME LOGNAME PATH'
    . ' RENEWED_DOMAINS RENEWED_LINEAGE USER', 'its environment and no more';
like $root->{fds}, qr/^0 1 2(?: [34])*$/, 'its descriptors';

for my $name (qw(others below linked)) {
    my $of = found($name);
    is $of->{uid}, $uid, "$name: the server's user";
    is $of->{gid} =~ s/ .*//r, $gid, 'with its group';
    unlike $of->{gid}, qr/\b0\b/, 'and none of root\'s';
}
is_deeply [glob "$out/inj*"], [], 'nothing was injected';
is scalar(() = $t->log =~ /deploy hook ".*" is run as uid $uid, not as root/g),
    3, 'the log says who does not run as root';

# What is planted among our files leads nowhere.
my $outside = spew($t->dir . '/outside', "precious\n");
chmod 0600, $outside;
for my $stage (qw(pre deploy post)) {
    mkfifo($t->state("renewal-hooks/$stage/fifo"), 0777);
    symlink '/dev/zero', $t->state("renewal-hooks/$stage/zero");
    symlink 'loop', $t->state("renewal-hooks/$stage/loop");
}
my $planted = hook('planted');
rename $planted, "$dir/planted" or die;
symlink "$dir/planted", $t->state('renewal-hooks/deploy/planted');
unlink $t->state('told/a.test.json');
symlink $outside, $t->state('told/a.test.json') or die;
symlink $outside, $t->state('due/a.test.json') or die;
mkfifo($t->state('due/b.test.json'), 0600);
symlink '/', $t->state('due/..json');
$t->expect_log(qr/deploy hook failed.*planted/);
my ($exit, $stdout, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'a renewal among planted files' or diag $err;
found($_) for qw(roots others below linked);
is_deeply [glob "$out/planted*"], [],
    'a link to a program that others could change is not run by root';
is slurp($outside), "precious\n", 'a link leads to nothing that is written';
ok $t->wait_for(sub { ($t->status('a.test')->{state} // '') eq 'ok' }, 5),
    'all is well';
($exit) = $t->acmectl('status');
is $exit, 0, 'status';

$t->done;
