#!/usr/bin/perl
# acmectl delete: all there is of a lineage; what a server declares only by
# force, and it is served from memory until the server comes back and obtains
# another certificate.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my @all = qw(a.test b.test c.test d.test e.test);
my %old;

$t->site($_) for @all;
$t->start;
for my $name (@all) {
    $old{$name} = $t->wait_certificate($name) or $t->give_up;
}

sub files ($name)
{
    return grep { m{/(?:\Q$name\E)(?:[./~]|$)} && !m{^locks/} }
        $t->state_files;
}

# what it does not take
for my $wrong (
    [[], qr/by --cert-name NAME/],
    [['a.test'], qr/unexpected "a\.test"; a lineage is named with --cert-na/],
    [['--cert-name', 'a/b'], qr/--cert-name: /]) {
    my ($args, $why) = @$wrong;
    my ($exit, undef, $err) = $t->acmectl('delete', @$args);
    is $exit, 2, "usage: delete @$args";
    like $err, $why, '  and how it is meant';
}
my ($exit, $out, $err) = $t->acmectl('delete', '--cert-name', 'x.test');
is $exit, 1, 'a lineage that is not there';
like $err, qr/there is no lineage "x\.test"/, '  is named';

# declared by a server
($exit, $out, $err) = $t->acmectl('delete', '--cert-name', 'a.test');
is $exit, 1, 'what a server declares';
like $err, qr/^acmectl: a\.test is declared by \w+:\S+.*--force/,
    '  needs --force';
ok files('a.test') > 8, '  and is there';
($exit, $out) = $t->acmectl('delete', '--cert-name', 'a.test', '--force');
is $exit, 0, 'by force';
like $out, qr/^a\.test: deleted; a server that runs goes on serving/,
    '  it says what happens';
is_deeply [files('a.test')], [], '  all of it is gone';
sleep 2;
is $t->serial('a.test'), $old{'a.test'}{serial}, '  and still served';
$t->restart;
ok $t->wait_new_serial('a.test', $old{'a.test'}{serial}),
    'the next start obtains another one';

# declared no more
$t->clear_config->site('e.test')->reload;
my @gone = qw(a.test b.test c.test d.test);
$t->wait_for(sub {
    !grep { @{ $t->status($_)->{declared} } } @gone;
}, 10, 'the reload') or $t->give_up;
my $lock = $t->state('locks', 'lineage-b.test');
open my $held, '+<', $lock or die "$lock: $!\n";
flock $held, 2 or die "flock: $!\n";
($exit, undef, $err) = $t->acmectl('delete', '--cert-name', 'b.test',
    '--lock-timeout', '0');
is $exit, 3, 'somebody is at work on it';
ok files('b.test') > 8, '  it is there';
close $held;
($exit, $out, $err) = $t->acmectl('delete', '-n', '--json',
    '--cert-name', 'a.test', '--cert-name', 'b.test');
is $exit, 0, 'two of them, nobody is asked' or diag $err;
is_deeply [map { "$_->{name} $_->{text}" } @{ decode_json($out) }],
    ['a.test deleted', 'b.test deleted'], '  in JSON';
is_deeply [map { files($_) } qw(a.test b.test)], [], '  all of it is gone';
($exit, undef, $err) = $t->acmectl('delete', '--cert-name', 'c.test',
    '--cert-name', 'e.test');
is $exit, 1, 'two of which one is declared';
ok files('c.test') > 8, '  nothing is deleted';

# pieces that are missing, and too many (X068, X069, X070)
unlink $t->state('live', 'c.test'), $t->state('record', 'c.test.json');
spew($t->state('renewal', 'd.test.json'), '{', 0600);
mkdir $t->state('archive', 'd.test', 'own') or die "mkdir: $!\n";
spew($t->state('archive', 'd.test', 'own', 'file'), 'text', 0600);
($exit, undef, $err) = $t->acmectl('delete', '--cert-name', 'c.test');
is $exit, 0, 'pieces are missing' or diag $err;
is_deeply [files('c.test')], [], '  the rest is gone';
($exit, undef, $err) = $t->acmectl('delete', '--cert-name', 'd.test');
is $exit, 1, 'settings that cannot be read may be of a server';
like $err, qr/declared by somebody \(its settings cannot be read\)/,
    '  which it says';
($exit, $out) = $t->acmectl('delete', '--cert-name', 'd.test', '--force');
is $exit, 0, '  by force it goes';
like $out, qr{archive/d\.test stays, it has files that are not ours},
    '  but for what is not ours';
is_deeply [files('d.test')],
    [map { "archive/d.test$_" } '', '/own', '/own/file'], '  and that';
is $t->serial('e.test'), $old{'e.test'}{serial}, 'the others are served';

$t->done;
