#!/usr/bin/perl
# acmectl renew without a server: programs for dns-01 are run by it as the
# server would, and not at all where root must not and nobody else is known.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Hook;
use Acme::Proc qw(user_ids);
use Acme::Test;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 });
my $hook = Acme::Hook->new($t, 'certbot');
$t->configure(dns_propagation => 'off',
    global => $hook->directive);
$t->site('a.test', identifiers => ['a.test', '*.a.test']);
$t->start;
$t->wait_certificate('a.test') or $t->give_up;
$t->stop;
$hook->forget;

my $proofs = $t->ca->proofs;
my ($exit, $out, $err) = $t->acmectl('renew', '--force', '--cert-name',
    'a.test');
is $exit, 0, 'a wildcard is renewed' or diag $err;
like $out, qr/^a\.test: certificate renewed, .*version 2/, 'which it says';
$proofs = $t->ca->proofs - $proofs;
is_deeply [map { "$_->[0] $_->[1]" } $hook->changes],
    [('add _acme-challenge.a.test') x $proofs,
        ('remove _acme-challenge.a.test') x $proofs],
    'the program has made the records and taken them away';
is $_->{uid}, 0, 'as root' for $hook->calls;
is_deeply [grep { -e } map { $_->{env}{ACME_HOOK_DIR} } $hook->calls], [],
    'no directory is left';

my ($uid) = user_ids('nobody');
chown $uid, -1, $hook->path;
$hook->forget;
unlink grep { -e } $t->state('record', 'a.test.json');
($exit, $out, $err) = $t->acmectl('renew', '--force', '--cert-name',
    'a.test');
is $exit, 1, 'one that is not root\'s';
like $err, qr/no program is run, as root must not .*belongs to uid $uid/,
    'is not run';
is scalar($hook->calls), 0, 'by anybody';
chown 0, -1, $hook->path;

$t->done;
