#!/usr/bin/perl
# dns-01 by a program of the administrator's, in each of the conventions: a
# name and its wildcard in one order, proved to Pebble; what the program is
# told, what it is run with, that it is run again for what is to be taken
# away, and that nothing of it is left.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Hook;
use Acme::SecProc qw(areas descriptors);
use Acme::Test;

Acme::Test->need_root;

sub wildcard_order ($kind, $check, %o)
{
    my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 });
    my $hook = Acme::Hook->new($t, $kind);
    # challtestsrv has no zones
    $t->configure(dns_propagation => 'off', global => $o{words} ? $o{words}->($hook)
        : $hook->directive);
    $t->site('a.test', identifiers => ['a.test', '*.a.test']);
    $t->start;
    my $cert = $t->wait_certificate('a.test') or $t->give_up;
    is_deeply $cert->{names}, ['*.a.test', 'a.test'], 'both names';
    $t->wait_for(sub { $hook->calls == 4 }, 5, 'four runs');
    my @changes = $hook->changes;
    is_deeply [map { "@$_[0, 1]" } @changes],
        ['add _acme-challenge.a.test', 'add _acme-challenge.a.test',
        'remove _acme-challenge.a.test', 'remove _acme-challenge.a.test'],
        'both records are made, then both are taken away';
    isnt $changes[0][2], $changes[1][2], 'with two values';
    for my $call ($hook->calls) {
        is $call->{uid}, 0, 'as root';
        is $call->{umask}, oct 77, 'umask';
        is $call->{cwd}, '/', 'directory';
        is $call->{session}, $call->{pid}, 'a session of its own'
            if $kind ne 'acme.sh';
        is_deeply [grep { m{^/} && !m{^/dev/null$|^/proc/} || /socket/ }
            @{ $call->{fds} }], [], 'no descriptor of ours';
        is_deeply [grep { !/^(ACME|CERTBOT)_/ } sort keys %{ $call->{env} }],
            [qw(HOME LOGNAME PATH USER)], 'no other environment'
            if $kind ne 'acme.sh';
    }
    $check->($t, $hook->calls);
    my ($runner) = $t->helpers('runner');
    my $of_server = $t->state . '|/logs/';
    is_deeply [grep { /$of_server/ } values %{ descriptors($runner) }], [],
        'the runner has no file of the state directory or the server';
    is scalar(grep { $_->{flags}{dd} } areas($runner)), 0,
        'nor the memory with the keys';
    my @left = glob '/run/acme-hooks-0/*';
    my %of = map { $_->{env}{ACME_HOOK_DIR} => 1 } $hook->calls;
    is scalar(keys %of), 2, 'each record has a directory';
    is_deeply [grep { $of{$_} } @left], [], 'which is gone';
    is_deeply [grep { /^orders\/a\.test/ } $t->state_files], [],
        'nothing of the order is left';
    $t->done;
    return;
}

subtest 'certbot' => sub {
    wildcard_order('certbot', sub ($t, @calls) {
        my @env = map { $_->{env} } @calls;
        is $_->{CERTBOT_DOMAIN}, 'a.test', 'the domain without "*."' for @env;
        for my $name (qw(DOMAIN VALIDATION REMAINING_CHALLENGES ALL_DOMAINS
            AUTH_OUTPUT)) {
            is_deeply [map { $_->{"ACME_$name"} } @env],
                [map { $_->{"CERTBOT_$name"} } @env], "ACME_$name, too";
        }
        is_deeply [map { $_->{CERTBOT_REMAINING_CHALLENGES} } @env],
            [1, 0, 1, 0], 'how many are to come';
        is $env[0]{CERTBOT_ALL_DOMAINS}, 'a.test,a.test', 'all domains';
        ok !exists $env[0]{CERTBOT_TOKEN}, 'no token with dns-01';
        is_deeply [sort map { $_->{ACME_IDENTIFIER} } @env[0, 1]],
            ['*.a.test', 'a.test'], 'identifiers';
        for my $i (0, 1) {
            my ($of) = grep {
                $_->{CERTBOT_VALIDATION} eq $env[$i]{CERTBOT_VALIDATION}
            } @env[2, 3];
            my $dir = $env[$i]{ACME_HOOK_DIR};
            is $of->{CERTBOT_AUTH_OUTPUT},
                "id=$of->{CERTBOT_VALIDATION} \$(touch $dir/x) \"';",
                'its output, trimmed and not run by a shell';
            is $of->{ACME_HOOK_DIR}, $dir, 'the same private directory';
        }
        is_deeply [map { @{ $_->{dir} } } @calls[2, 3]],
            [map { "$_->{env}{ACME_HOOK_DIR}/id" } @calls[2, 3]],
            'with what was left there';
    });
};

subtest 'mod_md' => sub {
    wildcard_order('mod_md', sub ($t, @calls) {
        my @value = map { $_->{env}{ACME_VALIDATION} } @calls;
        is_deeply [map { $_->{args} } @calls],
            [(map { ['setup', 'a.test', $_] } @value[0, 1]),
            map { ['teardown', 'a.test', $_] } @value[2, 3]],
            'setup and teardown, with the value';
    }, words => sub ($hook) { return {
        nginx => $hook->directive('version=2')->{nginx},
        httpd => 'ACMEChallengeDns01 ' . $hook->path
            . "\nACMEChallengeDns01Version 2\nACMECAChallenges dns-01",
    } });
};

subtest 'uacme' => sub {
    wildcard_order('uacme', sub ($t, @calls) {
        is_deeply [map { join ' ', @{ $_->{args} }[0 .. 2] } @calls],
            [('begin dns-01 a.test') x 2, ('done dns-01 a.test') x 2],
            'begin and done';
        is $_->{args}[4], $_->{env}{ACME_VALIDATION}, 'the digest'
            for @calls;
        like $_->{args}[3], qr/^[\w-]{16,}$/, 'a token' for @calls;
    });
};

subtest 'acme.sh' => sub {
    wildcard_order('acme.sh', sub ($t, @calls) {
        is_deeply [map { $_->{args}[0] } @calls],
            ['add', 'add', 'remove', 'remove'], 'its functions';
        is $_->{args}[1], '_acme-challenge.a.test', 'the full domain'
            for @calls;
    });
};

done_testing;
