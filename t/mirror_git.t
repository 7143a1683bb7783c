#!/usr/bin/perl
# examples/acme-mirror-git with a real git: each version is a commit that says
# which, of certificates without the private key; it makes the repository, and
# names do no harm.

use v5.36;
use lib 't/lib';
use Cwd qw(abs_path);
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

plan skip_all => 'there is no git' if system('git --version >/dev/null 2>&1');

my $t = Acme::Test->new(ca => 'own');
my $sample = abs_path('examples/acme-mirror-git');
my $program = $t->dir . '/acme-mirror-git';
my $repository = $t->dir . '/some place/certificates';

# where whoever runs it may come by
spew($program, slurp($sample), 0755);

sub git (@words)
{
    open my $out, '-|', 'git', '-c', "safe.directory=*", '-C', $repository,
        @words or die "git: $!";
    local $/;
    my $text = <$out>;
    close $out;
    return $text // '';
}

sub commits () { return split /\n/, git('log', '--format=%s') }

# by hand, as the runner would
sub mirror ($name, $live, @words)
{
    local %ENV = (PATH => $ENV{PATH}, HOME => $t->dir, ACME_HOOK => 'mirror',
        ACME_LINEAGE => $name, ACME_VERSION => 7, RENEWED_LINEAGE => $live);
    open my $out, '-|', 'sh', '-c', '"$@" 2>&1', 'sh', $program, @words
        or die "$program: $!";
    local $/;
    my $text = <$out> // '';
    close $out;
    return ($? >> 8, $text);
}

$t->configure(mirror => "$program \"$repository\"");
$t->site('a.test')->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;
my $due = $t->state('due-mirror', 'a.test.json');
ok $t->wait_for(sub { -d "$repository/.git" && !-e $due }, 20),
    'the repository is made';
is_deeply [commits()], ['a.test: version 1'], 'with a commit';
like git('log', '-1', '--format=%b'),
    qr/^Lineage: a\.test\nVersion: 1\nSerial: \Q@{[uc $first->{serial}]}\E$/m,
    'of lineage, version and serial';
is git('show', 'HEAD:lineages/a.test/cert.pem'),
    slurp($t->state('live', 'a.test', 'cert.pem')), 'the certificate is in it';
unlike git('log', '-p', '--all'), qr/PRIVATE KEY/, 'the private key is not';

my ($exit, $out, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'a renewal' or diag $err;
ok $t->wait_for(sub { (commits())[0] eq 'a.test: version 2' }, 15),
    'is the next commit';
is scalar(commits()), 2, 'and there is no other';

# X: names and directories that are odd
my $live = $t->state('live', 'a.test');
my $odd = q{-q *[a]$(id);'};
my ($status, $text) = mirror($odd, $live, $repository);
is $status, 0, 'a name with odd characters' or diag $text;
is((commits())[0], "$odd: version 7", 'is committed as it is');
is git('show', "HEAD:lineages/$odd/cert.pem"),
    slurp("$live/cert.pem"), 'with what is its';
($status, $text) = mirror($odd, $live, $repository);
is "$status $text", "0 nothing has changed\n", 'nothing to commit is no error';
is scalar(commits()), 3, 'and no commit';
for my $bad ('..', 'a/b', '') {
    ($status, $text) = mirror($bad, $live, $repository);
    is $status, 1, "\"$bad\" is refused";
    like $text, qr/ACME_LINEAGE="\Q$bad\E" is no name/, 'by name';
}
symlink $t->dir, "$repository/lineages/link";
($status, $text) = mirror('link', $live, $repository);
like "$status $text", qr/^1 .*symbolic link/, 'nor is a link followed';
($status, $text) = mirror('keys.test', $live, '--with-private-key',
    $repository);
is $status, 0, 'when told so' or diag $text;
like git('show', 'HEAD:lineages/keys.test/privkey.pem'), qr/PRIVATE KEY/,
    'the private key is copied too';

# a remote, which is not there at first
my $remote = $t->dir . '/remote.git';
git('remote', 'add', 'far', $remote);
($status, $text) = mirror('far.test', $live, '--push', 'far', $repository);
isnt $status, 0, 'a push that fails is a failure: it is due again';
is((commits())[0], 'far.test: version 7', 'though it was committed');
is system('git', 'init', '-q', '--bare', $remote), 0, 'later there is one';
($status, $text) = mirror('far.test', $live, '--push', 'far', $repository);
is $status, 0, 'which gets it, with nothing left to commit' or diag $text;
is git('--git-dir', $remote, 'rev-parse', '--all'), git('rev-parse', 'HEAD'),
    'as it is here';

# git would run what others write there
chmod 0777, $repository;
($status, $text) = mirror('a.test', $live, $repository);
like "$status $text", qr/^1 .*nobody else can write to/, 'others can write';
chmod 0700, $repository;
($status, $text) = mirror('a.test', $live, 'relative');
like "$status $text", qr/^1 .*"relative" is no absolute path/, 'a bad path';

$t->done;
