#!/usr/bin/perl
# A certificate has one means to change the DNS: what is said for it replaces
# what all have, be that a program and here updates of the zone, or the other
# way round.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Hook;
use Acme::Test;

Acme::Test->need_root;      # port 53
my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 },
    knot => { zones => { 'test' => { } } });
my $knot = $t->dns;
my $hook = Acme::Hook->new($t, 'uacme');
my %means = (challenge_cmd => $hook->words,
    dns_update => $knot->address . ' '
        . $knot->key_file($t->dir . '/conf/tsig.key'));

sub runs_for ($name)
{
    return scalar grep { $_->{env}{ACME_LINEAGE} eq $name } $hook->calls;
}

sub prove ($wide, $narrow)
{
    my ($far, $near) = map { s/_//gr . '.test' } $wide, "$narrow-own";

    $t->clear_config;
    $t->configure(challenge => 'dns-01', dns_resolver => $knot->address,
        $wide => $means{$wide});
    $t->site($far)->site($near, $narrow => $means{$narrow});
    $t->master_pid ? $t->reload : $t->start;
    ok $t->wait_certificate($_), "$wide for all, $narrow for one: $_"
        or $t->give_up for $far, $near;
    return map { runs_for($_) } $wide eq 'challenge_cmd'
        ? ($far, $near) : ($near, $far);
}

for my $case ([qw(challenge_cmd dns_update)], [qw(dns_update challenge_cmd)]) {
    my $before = $knot->updates;
    my ($by_program, $by_update) = prove(@$case);
    ok $t->wait_for(sub { $knot->updates == $before + 4 }, 5),
        'two records came and went';
    is $by_program, 2, 'one by the program';
    is $by_update, 0, 'the other not';
}
$t->done;
