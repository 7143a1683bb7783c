#!/usr/bin/perl
# acmectl renew --dry-run of what is proved in the DNS: the program makes its
# records and takes them away, also those of an order that fails, as whom the
# server would run it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Hook;
use Acme::Proc qw(spew user_ids);
use Acme::Test;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 100 });
my $hook = Acme::Hook->new($t, 'certbot', body => <<'END');
    exit 4 if -e "$log.fails" && $operation eq 'add';
END
$t->configure(dns_propagation => 'off', global => $hook->directive);
$t->site('a.test', identifiers => ['a.test', '*.a.test'])->start;
$t->wait_certificate('a.test') or $t->give_up;
$t->wait_for(sub { $hook->calls == 4 }, 5, 'four runs');
$hook->forget;

my @all = (('add _acme-challenge.a.test') x 2,
    ('remove _acme-challenge.a.test') x 2);
my ($exit, $out, $err) = $t->acmectl('renew', '--dry-run');
is $exit, 0, 'a dry run of a wildcard' or diag $err;
like $out, qr/^a\.test: dry run succeeded/, 'which it says';
is_deeply [map { "$_->[0] $_->[1]" } $hook->changes], \@all,
    'the records were made, though the CA remembers, and taken away';
is $t->live_version('a.test'), 1, 'nothing else has changed';

# of somebody whose programs root does not run
my ($uid) = user_ids('www-data');
chown $uid, -1, $hook->path;
$hook->forget;
($exit, $out, $err) = $t->acmectl('renew', '--dry-run');
is $exit, 0, 'a program of the server\'s user' or diag $err;
is_deeply [map { $_->{uid} } $hook->calls], [($uid) x 4],
    'is run as that user';
chown 0, -1, $hook->path;

# one that makes nothing
$hook->forget;
spew("$hook->{log}.fails", '');
($exit, $out, $err) = $t->acmectl('renew', '--dry-run');
is $exit, 1, 'a program that fails';
like $err, qr/a\.test: dry run failed, .*failed with exit status 4/, 'is said';
is_deeply [grep { m{^orders/.} } $t->state_files], [], 'nothing is left';
ok !$t->state_json('record', 'a.test.json')->{failures}, 'nor counted';

$t->done;
