#!/usr/bin/perl
# An order that does not fit what was asked for, or a token that is none: an
# error on record, before anything is presented, and the engine lives.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my @cases = (
    ['authz', 'foreign-name', {}, qr/foreign\.test/],
    ['authz', 'foreign-name', { value => '*.n2.test' }, qr/n2\.test/],
    ['newOrder', 'foreign-name', {}, qr/identifier|foreign\.test/],
    ['newOrder', 'duplicate-authz', {}, qr/authorization/],
    ['newOrder', 'many-authz', {}, qr/authorization/],
    ['authz', 'token', { token => 'a/../b' }, qr/token/],
    ['authz', 'token', { token => "line\nend" }, qr/token/],
    ['authz', 'token', { token => 'x' x 129 }, qr/token/],
    ['authz', 'token', { token => '' }, qr/token/],
    ['authz', 'token', { token => "\e]0;x" }, qr/token/],
    ['authz', 'member', { field => 'challenges', value => 'none' }, qr/./],
    ['authz', 'member', { field => 'challenges', value => [] }, qr/./],
    ['authz', 'member', { field => 'wildcard', value => JSON::PP::true },
        qr/wildcard|identifier/],
    ['newOrder', 'member', { field => 'authorizations', value => [] },
        qr/authorization/],
    ['newOrder', 'member', { field => 'status', value => 'nonsense' },
        qr/status|nonsense/],
);
my $t = Acme::Test->new(ca => 'own');
$t->start_ca;

my %want;
my $number = 0;
for my $case (@cases) {
    my ($where, $do, $o, $why) = @$case;
    my $name = 'n' . ++$number . '.test';
    $t->ca->fault(where => $where, do => $do, %$o, name => $name,
        times => 'always');
    $t->site($name);
    my $more = join ' ', map { "$_ $o->{$_}" } sort keys %$o;
    $want{$name} = ["$where: $do " . substr($more =~ s/[^ -~]/?/gr, 0, 30),
        $why];
}
$t->start;
$t->wait_helpers;
my $engine = $t->engine_pid;

for my $name (sort keys %want) {
    my ($what, $why) = @{ $want{$name} };
    my $error;
    $t->wait_for(sub { $error = ($t->status($name) // {})->{error}{text} },
        20, "an error of $name");
    like $error // '', $why, $what;
    unlike $error // '', qr/[^ -~]/, '  in printable text';
    ok !-e $t->state("orders/$name/challenge.json"), '  nothing presented';
}
is $t->ca->challenge_posts, 0, 'no challenge was answered';
is $t->engine_pid, $engine, 'the engine is still the same';
is scalar(grep { /foreign/ } map { @{ $_->{names} } } $t->ca->orders), 0,
    'nothing was ordered for the foreign name';

$t->done;
