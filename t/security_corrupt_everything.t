#!/usr/bin/perl
# Each file and link of the state directory in turn is emptied, filled with
# noise, gone, a directory, a FIFO or a link to a file of root's: the server
# starts in seconds and serves every certificate, also that of the damaged
# lineage, which has another version.  Only the word that a lineage has a live
# version at all cannot be done without.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::SecPlant qw(plant);
use Acme::Test;
use File::Path qw(remove_tree);
use Time::HiRes qw(time);

use constant SECONDS => 5;      # to start, whatever is there

Acme::Test->need_root;
my $shadow = '/etc/shadow';
srand 7;
my $noise = join '', map { chr int rand 256 } 1 .. 700;

# What happens to one path.
my %damage = (
    empty => sub ($path) { remove_tree($path); spew($path, '', 0600) },
    noise => sub ($path) { remove_tree($path); spew($path, $noise, 0600) },
    missing => sub ($path) { remove_tree($path) },
    FIFO => sub ($path) { plant('FIFO', $path, $shadow) },
    directory => sub ($path) { plant('directory', $path, $shadow) },
    'symbolic link' => sub ($path) {
        plant('symbolic link', $path, $shadow) },
);

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my @names = qw(a.test b.test);
my $plain = 'plain.test';
$t->site($_) for @names;
$t->site($plain, acme => undef)->start;
my %first = map { $_ => $t->wait_certificate($_)->{serial} } @names;
is +($t->acmectl('renew', '--force'))[0], 0, 'a second version of each';
my %second = map { $_ => $t->serial($_) } @names;
$t->stop;
$t->ca->unreachable;
$t->expect_log(qr/${\$t->level('alert')}.*acme/);

my @all = grep { -f $t->state($_) || -l $t->state($_) } $t->state_files;
my @common = grep { !/\b[ab]\.test/ } @all;
my @of_a = grep { /\ba\.test/ } @all;
# nobody asks for the other version: all of it at once
my @groups = ([grep { m{/1/} } @of_a],
    map { [$_] } (grep { !m{/1/} } @of_a), @common);
rename $t->state, $t->state . '.kept' or die "rename: $!\n";
my $before = join ' ', (stat $shadow)[2, 4, 5, 7, 9];
my $secret = (split /\n/, slurp($shadow))[0];
cmp_ok scalar @groups, '>=', 14, 'there is a lot to damage';

# Served as serials, or '' when it is not one of the CA's.
sub served ($name)
{
    my $seen = $t->peer_certificate($name) // return '';
    return $seen->{issuer} eq $seen->{subject} ? '' : $seen->{serial};
}

# What is to be served when this happens to that: name => serial.
sub expected ($kind, $path)
{
    return %second, 'a.test' => '' if "$kind $path" eq 'missing live/a.test';
    return %second, 'a.test' => $first{'a.test'}
        if $path =~ m{^archive/a\.test/2/(?:privkey|fullchain)\.pem$};
    return %second;
}

# What is wrong with a server on a state with something damaged.
sub wrong ($kind, @paths)
{
    remove_tree($t->state);
    system('cp', '-a', $t->state . '.kept', $t->state) == 0 or die 'cp';
    $damage{$kind}->($t->state($_)) for @paths;

    my $mark = $t->log_mark;
    my $began = time;
    my $up = $t->start(may_fail => 1);
    my $took = time - $began;
    my %expected = expected($kind, $paths[0]);
    my @wrong;
    push @wrong, 'does not start: ' . $t->failure if !$up;
    push @wrong, "starts in $took s" if $took > SECONDS;
    push @wrong, 'does not answer'
        if $t->http_get('/', host => $plain)->{status} != 200;
    push @wrong, map { "serves for $_: " . (served($_) || 'nothing') }
        grep { served($_) ne $expected{$_} } @names;
    push @wrong, 'no supervisor' if !$t->supervisor_pid;
    $t->stop;
    push @wrong, 'a process of ours died' if $t->log_since($mark)
        =~ /died of signal|exited on signal|exit signal|broke the protocol/;
    push @wrong, 'a secret of others is in the log'
        if index($t->log_since($mark), $secret) >= 0;
    return @wrong;
}

for my $kind (sort keys %damage) {
    for my $group (@groups) {
        my @wrong = wrong($kind, @$group);
        is_deeply \@wrong, [], "$kind: $group->[0]"
            or diag $t->log;
    }
}
is join(' ', (stat $shadow)[2, 4, 5, 7, 9]), $before, 'nothing went through';

$t->done;
