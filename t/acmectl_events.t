#!/usr/bin/perl
# acmectl events: of all lineages, of one, as JSON, with the server and
# without; -f goes on, also when the file becomes another one.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;
use Acme::Tool qw(built);
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
$t->site(['a.test', 'www.a.test'])->site('b.test')->start;
$t->wait_certificate($_) or $t->give_up for qw(a.test b.test);
ok $t->wait_for(sub {
    2 == grep { $_->{event} eq 'installed' } $t->events }, 5), 'two served';

my ($exit, $out, $err) = $t->acmectl('events');
is "$exit$err", '0', 'events';
my @lines = split /^/, $out;
my $time = qr/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ/;
my $issuer = $t->issuer_name('testca');
my $by = $t->host . ':/';
like $lines[0], qr/^$time account-created: \S.*, account key [0-9a-f]{32}, /,
    'the account first';
like $out, qr/^$time challenge-setup a\.test: .*, http-01:www\.a\.test, /m,
    'challenges';
like $out, qr/^$time\ installed\ a\.test:\ certificate\ is\ served,
    \ key\ ecdsa:256,\ issuer\ \Q$issuer\E,\ version\ 1,\ serial\ [0-9a-f]+,
    \ valid\ until\ $time,\ by\ \Q$by\E\S+$/mx, 'all that is known';

($exit, $out) = $t->acmectl('events', '--cert-name', 'b.test');
unlike $out, qr/a\.test|account/, '--cert-name: one lineage';
like $out, qr/renewing.*challenge-setup.*renewed.*installed/s, 'in order';
is +($t->acmectl('events', '-d', 'b.test'))[1], $out, '-d: the same';
($exit, $out) = $t->acmectl('events', '-d', 'www.a.test');
like $out, qr/ renewing a\.test/, '-d: by a name that it has';
unlike $out, qr/b\.test/, 'only that';

($exit, $out) = $t->acmectl('events', '--lines', '2', '--cert-name',
    'a.test');
is join(' ', $out =~ /^$time (\S+)/mg), 'renewed installed',
    '--lines: the newest, the newest last';
($exit, $out) = $t->acmectl('--json', 'events', '--cert-name', 'a.test');
is_deeply [map { decode_json($_) } split /^/, $out], [$t->events('a.test')],
    'as JSON';

my @wrong = (
    [['a.test'], qr/unexpected "a\.test"/], [['-d'], qr/"-d" wants/],
    [['-d', 'a.test', 'b.test'], qr/unexpected "b\.test"/],
    [['--lines', 'many'], qr/"many"/], [['--lines', '-1'], qr/"-1"/],
    [['--lines'], qr/lines/],
    [['--cert-name', 'a.test', '-d', 'a.test'], qr/--cert-name/],
    [['-d', 'a..b'], qr/a\.\.b/], [['-d', 'a.test, b.test'], qr/"b.test"/],
);
for my $case (@wrong) {
    ($exit, $out, $err) = $t->acmectl('events', @{ $case->[0] });
    ok $exit eq '2' && $out eq '' && $err =~ $case->[1],
        "refused: @{ $case->[0] }" or diag "$exit: $out$err";
}
for my $args (['--cert-name', 'c.test'], ['-d', 'c.test']) {
    ($exit, $out, $err) = $t->acmectl('events', @$args);
    ok $exit eq '1' && $err =~ /c\.test/, "none such: @$args";
}

# who follows
my $log = "$t->{dir}/follow.log";
local $ENV{ACME_STATE_DIR} = $t->state;
my $pid = $t->spawn(log => $log, cmd => [built('ACME_ACMECTL', 'acmectl'),
    'events', '-f', '--lines', '0', '--cert-name', 'a.test']);
sleep 1;
is slurp($log), '', '-f: nothing yet';
is +($t->acmectl('renew', '--force', '--cert-name', 'a.test'))[0], 0,
    'renewed';
my $told = sub { join ' ', (slurp($log) // '') =~ /^$time (\S+)/mg };
my $setup = 'challenge-setup challenge-setup';
my $renewed = "renewing $setup renewed installed";
ok $t->wait_for(sub { $told->() =~ /installed/ }, 5), '-f: tells';
is $told->(), $renewed, 'what is new, and not what was';

# full, but for less than a renewal's
my $file = $t->state('events.jsonl');
open my $full, '>>', $file or die "$file: $!";
print $full ' ' x (1024 * 1024 - 300 - -s $file), "\n";
close $full or die "$file: $!";
my $record = $t->state('record', 'a.test.json');
spew($record, slurp($record) =~ s/("forced": ")[^"]+/${1}2026-01-01T00:00:00Z/r,
    0600);
is +($t->acmectl('renew', '--force', '--cert-name', 'a.test'))[0], 0,
    'again, into another file';
ok $t->wait_for(sub { $told->() =~ /installed.*installed/ }, 5),
    '-f: goes on';
is $told->(), "$renewed $renewed", 'nothing is lost, nothing twice';
ok -e $t->state('events.1.jsonl'), 'the old one is kept';
ok kill(0, $pid), 'it would go on for ever';
kill 'INT', $pid;
ok $t->wait_for(sub { !kill 0, $pid }, 5), 'but ends when interrupted';

$t->stop;
($exit, $out) = $t->acmectl('events', '--lines', '1000');
like $out, qr/ account-created: .*\n(?:.*\n)+.* installed a\.test: .*$/,
    'without a server: all of it, of both files';

$t->done;
