#!/usr/bin/perl
# Where events are noted something has been planted: it is named, nothing
# outside is touched, and certificates are obtained all the same.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;
use POSIX ();

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test')->start;
my $seen = $t->wait_certificate('a.test') or $t->give_up;
$t->wait_for(sub { grep { $_->{event} eq 'installed' } $t->events }, 5);
my $file = $t->state('events.jsonl');
my $outside = spew("$t->{dir}/outside", "mine\n");
chmod 0644, $outside;
my %plant = (
    'a symbolic link' => sub { symlink $outside, $file },
    'a link to nothing' => sub { symlink "$outside.new", $file },
    'a second name' => sub { link $outside, $file },
    'a FIFO' => sub { POSIX::mkfifo($file, 0600) },
    'a directory' => sub { mkdir $file },
);

for my $what (sort keys %plant) {
    rename $file, "$file.kept" or die "rename: $!";
    $plant{$what}->() or die "$what: $!";
    my $mark = $t->log_mark;
    is +($t->acmectl('renew', '--force', '--cert-name', 'a.test'))[0],
        0, "$what: renewed" or diag $t->log;
    $seen = $t->wait_new_serial('a.test', $seen->{serial}, 5)
        or $t->give_up;
    ok $t->wait_log(qr/cannot note event: .*"events\.jsonl"/, 5,
        since => $mark), '  and named in the log';
    is slurp($outside), "mine\n", '  what is outside stays';
    is sprintf('%o', (stat $outside)[2] & 07777), '644', '  with its mode';
    ok !-e "$outside.new", '  nothing is made there';
    -d $file && !-l $file ? rmdir $file : unlink $file;
    rename "$file.kept", $file or die "rename: $!";

    may_force();
    my $n = () = $t->events('a.test');
    is +($t->acmectl('renew', '--force', '--cert-name', 'a.test'))[0], 0,
        '  without it';
    ok $t->wait_for(sub { $t->events('a.test') == $n + 4 }, 5),
        '  events are noted again';
    $seen = $t->wait_new_serial('a.test', $seen->{serial}, 5)
        or $t->give_up;
    may_force();
}

$t->done;

# Once more within the hour.
sub may_force ()
{
    my $record = $t->state('record', 'a.test.json');
    my $text = slurp($record);

    $text =~ s/("forced": ")[^"]+/${1}2026-01-01T00:00:00Z/
        or die "not forced: $text";
    spew($record, $text, 0600);
    return;
}
