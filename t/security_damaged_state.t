#!/usr/bin/perl
# Every file of the state directory is damaged in turn, in several ways: the
# server starts and serves what it can, acmectl tells of it, and no process
# of ours crashes.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $plain = 'plain.test';
$t->site('a.test')->site('b.test', key => 'rsa:2048')
    ->site($plain, acme => undef)->start;
$t->wait_certificate($_) or $t->give_up for qw(a.test b.test);
$t->stop;
my @files = grep { -f $t->state($_) && !-l $t->state($_) } $t->state_files;
rename $t->state, $t->state . '.kept' or die "rename: $!\n";

srand 7;
my $noise = join '', map { chr int rand 256 } 1 .. 700;
sub one_byte ($text, $where)
{
    my $at = int(length($text) * $where);
    substr($text, $at, 1) = substr($text, $at, 1) eq 'Q' ? 'R' : 'Q';
    return $text;
}

my %damage = (
    truncated => sub ($text, $other) { substr $text, 0, length($text) / 2 },
    empty => sub ($text, $other) { '' },
    noise => sub ($text, $other) { $noise },
    zeroed => sub ($text, $other) { "\0" x length $text },
    'one byte' => sub ($text, $other) { one_byte($text, 0.3) },
    deep => sub ($text, $other) { '{"a":' x 3000 },
    'wrong kinds' => sub ($text, $other) {
        '{"account":7,"challenges":{},"declared":[1,{"names":"x"}],'
        . '"attempt":"never","failures":-1,"error":[],"not_before":1e400}' },
    swapped => sub ($text, $other) { $other },
);

# the same file of the other lineage, or of another kind
sub other_of ($path)
{
    my $other = $path =~ s/\b([ab])(?=\.test)/$1 eq 'a' ? 'b' : 'a'/er;
    $other = $files[0] if !-f $t->state . ".kept/$other" || $other eq $path;
    return slurp($t->state . ".kept/$other");
}

my $round = 0;
for my $how (sort keys %damage) {
    # everything at once, then what is served and what is needed to open it
    for my $some ('.', 'privkey|meta', 'chain|renewal', 'format') {
        # all of two lineages swapped is nothing damaged
        my $renamed = $how eq 'swapped' && $some eq '.';
        my $state = $t->dir . '/var/round' . $round;
        system('cp', '-a', $t->state . '.kept', $state) == 0 or die 'cp';
        for my $path (grep { /$some/ } @files) {
            spew("$state/$path", $damage{$how}->(
                slurp("$state/$path"), other_of($path)), 0600);
        }
        my $mark = $t->log_mark;
        $t->configure(state => $state);
        my ($exit) = $t->test_config;
        my @bad = $exit eq '0' ? () : "-t: $exit";
        push @bad, 'start' if !($round++ ? $t->reload : $t->start);
        push @bad, 'plain' if $t->http_get('/', host => $plain)->{status}
            != 200;
        for my $name (qw(a.test b.test)) {
            # right, or nothing at all
            my $seen = $t->peer_certificate($name) // next;
            next if $seen->{issuer} eq $seen->{subject};    # placeholder
            push @bad, "$name: $seen->{serial}"
                if !$renamed && !$t->peer_certificate($name, verify => 1);
        }
        for my $verb (['status'], ['--json', 'certificates'],
            ['key', 'thumbprint'], ['renew']) {
            my ($code) = $t->acmectl({ timeout => 20 },
                '--state-dir', $state, @$verb);
            push @bad, "@$verb: $code" if $code !~ /^[013]$/;
        }
        is_deeply \@bad, [], "$how: files with $some"
            or diag $t->log_since($mark);
    }
}
$t->wait_helpers;
unlike $t->log,
    qr/died of signal|exited on signal|exit signal|broke the protocol/,
    'nothing crashed';

# and by itself it comes back to work
$t->configure(state => $t->state . '.kept');
ok $t->reload, 'a sound directory again';
ok $t->serial($_), "$_ is served" for qw(a.test b.test);

$t->done;
