#!/usr/bin/perl
# acmectl doctor: a sound state directory, what its servers' processes are
# confined to, each kind of trouble in plain words, and what --repair puts
# right and what it leaves alone.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use JSON::PP;
use POSIX qw(mkfifo);

Acme::Test->need_root;
my $t = Acme::Test->new(ca => 'own');
$t->site($_) for qw(a.test b.test c.test);
$t->start;
my %serial = map { $_ => $t->wait_certificate($_)->{serial} }
    qw(a.test b.test c.test);
$t->wait_helpers;

my ($exit, $out, $err);
sub doctor (@args) { ($exit, $out, $err) = $t->acmectl('doctor', @args) }
sub report (@args)
{
    doctor('--json', @args);
    return decode_json($out)->[0];
}
# what was found, of what is not just worth knowing: "check result path"
sub found (@args)
{
    return join "\n", sort map { "$_->{check} $_->{result} "
        . ($_->{path} // '') } grep { $_->{result} ne 'note' }
        @{ report(@args)->{findings} };
}

# a running server
doctor();
is $exit, 0, 'sound' or diag $out, $err;
like $out, qr/^\Q@{[$t->state]}\E: \d+ objects, 3 lineages, 3 versions$/m,
    'what was looked at';
like $out, qr/^sound$/m, 'the verdict';
my $report = report();
is $report->{sound}, JSON::PP::true, 'as JSON too';
my %process = map { $_->{process} => $_ } @{ $report->{processes} };
is_deeply [sort keys %process], ['acme-engine', 'acme-store'],
    'both processes are seen';
is $process{'acme-store'}{uid}, 0, 'the store is root';
isnt $process{'acme-engine'}{uid}, 0, 'the engine is not';
ok $process{'acme-engine'}{not_dumpable}, 'nobody reads its memory';
for my $one (values %process) {
    ok $one->{$_}, "$one->{process}: $_"
        for qw(capabilities_dropped no_new_privs no_core);
}
doctor('-q');
is "$exit$out", '0', '-q says nothing then';
is found('--repair'), '', 'nothing to repair';
doctor('extra');
is $exit, 2, 'it takes no word';

$t->stop;

# trouble of every kind, with one right answer each
my $state = $t->state;
system('cp', '-a', "$state/archive/a.test/1", "$state/archive/a.test/2");
unlink "$state/live/a.test";
symlink '../archive/a.test/2', "$state/live/a.test";
open my $key, '>', "$state/archive/a.test/2/privkey.pem" or die $!;
print {$key} "no key\n";
close $key;
unlink "$state/live/b.test";
chmod 0644, "$state/archive/b.test/1/privkey.pem", glob "$state/keys/*.pem";
chmod 0777, "$state/orders";
mkdir "$state/archive/c.test/.7.tmp", 0700;
open my $temp, '>', "$state/renewal/.c.test.json.0123.tmp" or die $!;
close $temp;
utime 1, 1, "$state/renewal/.c.test.json.0123.tmp",
    "$state/archive/c.test/.7.tmp";
my ($account) = map { s{^keys/}{}r } grep { m{^keys/[0-9a-f]+\.pem$} }
    $t->state_files;
my $wrong = <<"END" =~ s/\n\z//r;
live wrong live/a.test
live wrong live/b.test
mode wrong archive/b.test/1/privkey.pem
mode wrong keys/$account
mode wrong orders
temporary wrong archive/c.test/.7.tmp
temporary wrong renewal/.c.test.json.0123.tmp
version wrong archive/a.test/2
END
is found(), $wrong, 'all is found';
is $exit, 1, 'exit 1';
doctor();
like $out, qr{live/a\.test: .*privkey\.pem.*servers\ use\ version\ 1\ instead
\s+->\ acmectl\ relink}x, 'what it means, and what to do';
like $out, qr/live.b.test: there is no live link; nothing is served, though there is version 1$/m,
    'another one';
like $out, qr/^8 things are wrong$/m, 'counted';
is +(stat "$state/orders")[2] & 07777, 0777, 'nothing was touched';

is found('--repair'), ($wrong =~ s/ wrong / repaired /gr)
    =~ s/\nversion.*//r =~ s/archive\S+7\.tmp/archive\/c.test/r,
    '--repair repairs them';
is $exit, 0, 'exit 0';
is found(), '', 'nothing is wrong then';
is readlink "$state/live/$_", "../archive/$_/1", "$_ leads to what was served"
    for qw(a.test b.test);
is sprintf('%04o', (stat "$state/$_->[0]")[2] & 07777), $_->[1], $_->[0]
    for ["keys/$account", '0600'], ['orders', '0700'];
ok -e "$state/archive/a.test/2/privkey.pem", 'no version was removed';

# what somebody may have meant
mkfifo("$state/record/x.test.json", 0600) or die $!;
unlink "$state/live/a.test";
symlink '/etc', "$state/live/a.test";
chown 33, 33, "$state/archive/b.test/1/cert.pem";
rename "$state/keys/$account", "$state/kept.pem";
$wrong = <<"END" =~ s/\n\z//r;
key wrong keys/$account
owner wrong archive/b.test/1/cert.pem
planted wrong live/a.test
planted wrong record/x.test.json
version wrong archive/b.test/1
END
is found('--repair'), $wrong, 'is told and left alone';
is $exit, 1, 'and stays wrong';
is readlink "$state/live/a.test", '/etc', 'the link is as it was';
is +(grep { $_->{check} eq 'unknown' } @{ report()->{findings} })[0]{path},
    'kept.pem', 'a file that is nothing of ours is worth knowing';
unlink "$state/record/x.test.json", "$state/live/a.test";
chown 0, 0, "$state/archive/b.test/1/cert.pem";
rename "$state/kept.pem", "$state/keys/$account";
is found('--repair'), 'live repaired live/a.test', 'put right by hand';

# a lineage that somebody is at work on
open my $lock, '+>>', "$state/locks/lineage-b.test" or die $!;
flock $lock, 2 or die $!;
chmod 0700, $state;
my ($locked) = grep { $_->{check} eq 'locked' }
    @{ report('--repair')->{findings} };
like $locked->{what}, qr/lineage-b\.test" is held by/,
    'a lock that is held is respected';
is $exit, 0, 'which is nothing wrong';
close $lock;

# the directory itself
chmod 0755, $state;
is found(), 'mode wrong ', 'open to everybody';
chmod 0777, $state;
doctor();
is $exit, 1, 'writable for everybody';
like $out, qr/writable by others/, 'is not believed';
is found('--repair'), 'mode repaired ', 'repaired';
is sprintf('%04o', (stat $state)[2] & 07777), '0700', 'private again';
open my $format, '>', "$state/format" or die $!;
print {$format} "9\n";
close $format;
doctor('--repair');
is $exit, 1, 'the directory of a newer program';
like $out, qr/layout is version 9/, 'is not repaired';
open $format, '>', "$state/format" or die $!;
print {$format} "1\n";
close $format;
is found(), '', 'sound again';

$t->start;
is $t->wait_certificate($_)->{serial}, $serial{$_}, "$_ is served as before"
    for sort keys %serial;
$t->done;
