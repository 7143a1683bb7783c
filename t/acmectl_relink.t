#!/usr/bin/perl
# acmectl relink: a live link that is gone or leads nowhere is pointed to the
# newest version that can be served; a good one, and what is no link, are left
# alone.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(issue new_key new_root);
use Acme::Proc qw(run slurp spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
$t->site('a.test')->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;
$t->acmectl('renew', '--force');
my $second = $t->wait_new_serial('a.test', $first->{serial}) or $t->give_up;
my $live = $t->state('live', 'a.test');
my @name = ('--cert-name', 'a.test');
$t->expect_log(qr/does not point to a version|damaged version|cannot publish/);

sub point ($to)
{
    unlink $live;
    symlink $to, $live or die "symlink: $!\n" if defined $to;
    return;
}

sub relink (@how) { return $t->acmectl('relink', @how) }

my ($exit, $out, $err) = relink('a.test');
is $exit, 2, 'usage';
like $err, qr/a lineage is named with --cert-name/, '  and how it is meant';
($exit, $out, $err) = relink('--cert-name', 'x.test');
is $exit, 1, 'a lineage that is not there';

$t->acmectl('rollback', @name);
($exit, $out) = relink();
is $exit, 0, 'a good one';
like $out, qr/^a\.test: live as it should be$/m, '  is left alone';
is $t->live_version('a.test'), 1, '  an older version too';

for my $bad (['missing' => undef], ['to nowhere' => '../archive/a.test/9'],
    ['to another lineage' => '../archive/b.test/1'],
    ['out of the directory' => '/etc']) {
    my ($what, $to) = @$bad;
    point($to);
    ($exit, $out, $err) = $t->acmectl('update_symlinks', @name, '--json');
    is $exit, 0, "a link $what" or diag $err;
    is decode_json($out)->[0]{version}, 2, '  is repaired';
    is readlink $live, '../archive/a.test/2', '  to the newest version';
}
ok $t->wait_for(sub { $t->serial('a.test') eq $second->{serial} }, 5),
    'which is served';

# not everything can be served
my $dir = $t->state('archive', 'a.test', 2);
my $root = new_root('old root');
my $key = new_key();
rename "$dir/$_.pem", "$dir/$_.kept" for qw(privkey fullchain);
spew("$dir/privkey.pem", $key, 0600);
spew("$dir/fullchain.pem", issue(issuer => $root, key => $key,
    names => ['a.test'], from => -7200, seconds => 3600), 0644);
point(undef);
relink();
is $t->live_version('a.test'), 1, 'the newest that has not expired';
spew("$dir/privkey.pem", 'broken', 0600);
point('../archive/a.test/2');
($exit, $out, $err) = relink();
is $t->live_version('a.test'), 1, 'or is not damaged' or diag $out, $err;
rename "$dir/$_.kept", "$dir/$_.pem" for qw(privkey fullchain);

unlink $live;
mkdir $live or die "mkdir: $!\n";
spew("$live/file", 'mine');
($exit, $out, $err) = relink();
is $exit, 1, 'a directory';
like $err, qr/live\/a\.test is no symbolic link: find out/, '  is told of';
is slurp("$live/file"), 'mine', '  and left alone';
run(cmd => ['rm', '-r', $live]);

# nothing to serve (X062)
$t->stop;
rename $t->state('archive', 'a.test'), $t->dir . '/moved'
    or die "rename: $!\n";
symlink '../archive/a.test/2', $live or die "symlink: $!\n";
($exit, $out, $err) = relink();
is $exit, 1, 'an archive that was moved away';
like $err, qr{no version in archive/a\.test can be read.*restore a backup},
    '  and what to do';
rename $t->dir . '/moved', $t->state('archive', 'a.test')
    or die "rename: $!\n";
($exit, $out) = relink();
is $exit, 0, 'and back again';
$t->start;
is $t->serial('a.test'), $second->{serial}, 'all as it was';

$t->done;
