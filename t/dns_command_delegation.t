#!/usr/bin/perl
# Programs and names whose challenges are delegated: the record is where the CA
# looks after following the alias, as each convention's own words put it; what
# they have no words for is refused before anything is changed.  At a real
# name server, which takes no update for a name that is an alias.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Hook;
use Acme::Test;

Acme::Test->need_root;      # port 53
my @kinds = qw(certbot mod_md uacme acme.sh);
my %host = (certbot => 'one', mod_md => 'two', uacme => 'three',
    'acme.sh' => 'four');
my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 },
    knot => { update_types => ['TXT'], zones => { 'test' => {
        map({ ("_acme-challenge.$_" => ["CNAME _acme-challenge.$_.dyn"]) }
            values %host),
        '_acme-challenge.odd' => ['CNAME _acme-challenge-odd.dyn'],
        # the label of the account is not known yet
        map({ ("*._acme-challenge.$_" =>
            ["CNAME _any._acme-challenge.$_.dyn"]) } qw(five six)),
    } } });
my $knot = $t->dns;
my %hook = map { $_ => Acme::Hook->new($t, $_, name => "hook-$host{$_}") }
    @kinds;

sub calls ($lineage)
{
    return grep { $_->{env}{ACME_LINEAGE} eq $lineage } $hook{certbot}->calls;
}

$t->configure(challenge => 'dns-01', dns_resolver => $knot->address,
    dns_delegation => 'dyn.test');
$t->site("$host{$_}.test", identifiers => ["$host{$_}.test",
    "*.$host{$_}.test"], challenge_cmd => join ' ', $hook{$_}->words,
    $_ eq 'mod_md' ? 'version=2' : ()) for @kinds;
$t->site('odd.test', challenge_cmd => $hook{certbot}->words);
$t->start;

for my $kind (@kinds) {
    my $name = "$host{$kind}.test";
    my $there = "$host{$kind}.dyn.test";

    ok $t->wait_certificate($name), "$kind: proved" or $t->give_up;
    ok $t->wait_for(sub { calls($name) == 4 }, 5), '  by four runs';
    my @calls = calls($name);
    is_deeply [map { "@{ $_->{change} }[0, 1]" } @calls],
        [map { ("$_ _acme-challenge.$there") x 2 } qw(add remove)],
        '  where the alias leads';
    is $_->{env}{ACME_RECORD_NAME}, "_acme-challenge.$there", '  in full'
        for @calls;
    is_deeply [sort map { $_->{env}{ACME_IDENTIFIER} } @calls[0, 1]],
        ["*.$name", $name], '  and of what names';
    is_deeply [$knot->txt("_acme-challenge.$there")], [],
        '  nothing is left there';
}
is $_->{env}{CERTBOT_DOMAIN}, 'one.dyn.test', 'CERTBOT_DOMAIN'
    for calls('one.test');
is_deeply [map { "@{ $_->{args} }[0, 1]" } calls('two.test')],
    [('setup two.dyn.test') x 2, ('teardown two.dyn.test') x 2], 'mod_md';
is_deeply [map { "@{ $_->{args} }[0 .. 2]" } calls('three.test')],
    [('begin dns-01 three.dyn.test') x 2, ('done dns-01 three.dyn.test') x 2],
    'uacme';

ok $t->wait_log(qr/not obtained, lineage "odd\.test".* is an alias \(CNAME\) (?#
    )of "_acme-challenge-odd\.dyn\.test", which does not begin with (?#
    )"_acme-challenge\."/, 10), 'no words for it';
is_deeply [calls('odd.test')], [], '  and no run';

# dns-account-01, at its own label and delegated
my ($major, $minor) = $t->ca->version =~ /^(\d+)\.(\d+)/;
SKIP: {
    skip 'Pebble ' . $t->ca->version . ' has no dns-account-01', 6
        if !defined $minor || $major == 2 && $minor < 6;
    $hook{certbot}->forget;
    $t->clear_config;
    $t->configure(dns_resolver => $knot->address, challenge_cmd =>
        $hook{uacme}->words, challenge => 'dns-account-01');
    $t->site('own.test')->site('five.test', dns_delegation => 'dyn.test');
    $t->site('six.test', dns_delegation => 'dyn.test',
        challenge_cmd => $hook{'acme.sh'}->words);
    $t->reload;
    for my $name (qw(own.test five.test six.test)) {
        ok $t->wait_certificate($name), "dns-account-01: $name"
            or $t->give_up;
        ok $t->wait_for(sub { calls($name) == 2 }, 5), '  by two runs';
    }
    my ($label) = map { $_->{env}{ACME_RECORD_NAME} =~ /^(_\w{16})\./ }
        calls('own.test');
    my %at = (own => "$label._acme-challenge.own.test",
        map { $_ => "_any._acme-challenge.$_.dyn.test" } qw(five six));
    for my $name (sort keys %at) {
        is_deeply [map { "@{ $_->{change} }[0, 1]" } calls("$name.test")],
            ["add $at{$name}", "remove $at{$name}"], "  at $at{$name}";
    }
    is $_->{args}[1], 'dns-account-01', 'uacme: the type'
        for calls('own.test');
    is_deeply [map { $_->{args}[2] } calls('own.test'), calls('five.test')],
        [('own.test') x 2, ('five.dyn.test') x 2], '  and the domain';
}
$t->clear_config;
$t->configure(challenge => 'dns-account-01', challenge_cmd =>
    $hook{certbot}->words);
$t->site('own.test');
my ($exit, $out) = $t->test_config;
ok $exit != 0 && $out =~ /"own\.test" cannot be proved: programs for Certbot (?#
    )and mod_md know dns-01 alone, not dns-account-01/, 'no words for it'
    or diag "exit $exit: $out";
$t->done;
