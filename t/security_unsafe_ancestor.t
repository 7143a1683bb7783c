#!/usr/bin/perl
# A state path below a directory of the server's user, where it has planted a
# symbolic link: -t, start, reload and acmectl leave the link's target alone,
# the warning names the directory that is to blame, and the server serves.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew user_ids);
use Acme::Test;
use File::Find qw(find);

Acme::Test->need_root;
my $t = Acme::Test->new(ca => 'own');
my $user = $t->server->worker_user;
my ($uid, $gid) = user_ids($user);
my $top = $t->dir . '/var';
my $target = "$top/root-dir";

mkdir $target, 0755;
spew("$target/secret", "root's\n", 0640);
my %ways = (
    'planted' => sub { symlink $target, $_[0] },
    'deeper/planted' => sub { mkdir "$_[1]/deeper"; symlink $target, $_[0] },
    'new' => sub { },
    'theirs' => sub { mkdir $_[0] and chown $uid, $gid, $_[0] },
    'file' => sub { spew($_[0], '') },
);

# every mode, owner, size and time below the target
sub picture ()
{
    my @seen;
    find({ no_chdir => 1, wanted => sub {
        my @s = lstat;
        push @seen, join ' ', $_, @s[2 .. 5, 7, 9], -f _ ? slurp($_) : '';
    } }, $target);
    return join "\n", sort @seen;
}

my ($warn, $error) = ($t->terminal_level('warn'), $t->level('error'));
my $before = picture();
$t->site('a.test')->site('plain.test', acme => undef);
my $started;
for my $way (sort keys %ways) {
    my $home = "$top/home-" . $way =~ tr{/}{-}r;
    my $path = "$home/$way";
    mkdir $home, 0755 or die "$home: $!\n";
    $ways{$way}->($path, $home);
    chown $uid, $gid, $home;
    my $blame = qr/$warn.*cannot be used.*"\Q$home\E" belongs to uid $uid/;

    $t->configure(state => $path);
    my ($exit, $out) = $t->test_config;
    is $exit, 0, "$way: -t does not fail";
    like $out, $blame, '  and says who is to blame';
    my $mark = $t->log_mark;
    ok $started++ ? $t->reload : $t->start, '  the server goes on';
    like $t->said_since($mark), $blame, '  with the same words';
    ok $t->wait_log(qr/$error.*"\Q$home\E"/, 5, since => $mark),
        '  the store stays out of it';
    is $t->http_get('/', host => 'plain.test')->{status}, 200,
        '  other servers serve';
    my ($code, $shown, $err) = $t->acmectl('--state-dir', $path, 'status');
    isnt $code, 0, '  acmectl refuses it';
    is picture(), $before, '  the target is as it was';
    my $now = join ' ', map { $_ // '' } (lstat $path)[4, 5];
    isnt $now, '0 0', '  nothing was made there' if $way eq 'new';
}

$t->done;
