#!/usr/bin/perl
# uacme(1): a program that ends its "begin" with another status than 0 declines
# the challenge, and the name's next one is tried, in the same order; where
# there is none the attempt has failed, and the program is asked again by the
# next one.  uacme's packaged hook declines all but dns-01.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Hook;
use Acme::Proc qw(spew);
use Acme::Test;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 });
my $hook = Acme::Hook->new($t, 'uacme', body => <<'END');
    return if $ARGV[0] ne 'begin' || !-e "$log.declines";
    return if $ARGV[2] eq 'a.test';
    note(declined => $ARGV[2]);
    print STDERR "not my zone\n";
    exit 1;
END
my $switch = "$hook->{log}.declines";

sub begun () { return map { "$_->{args}[0] $_->{args}[2]" } $hook->calls }

spew($switch, '');
$t->configure(dns_propagation => 'off', global => {
    map { $_ => $hook->directive->{$_} =~ s/dns-01/dns-01 http-01/r }
        qw(nginx httpd) });
$t->site(['a.test', 'b.test'])->start;
my $cert = $t->wait_certificate('a.test') or $t->give_up;
is_deeply $cert->{names}, ['a.test', 'b.test'], 'both names';
like $t->log, qr/the program declines dns-01 of "b\.test", lineage "a\.test": (?#
    )http-01 is tried/, 'which is told';
ok $t->wait_for(sub { $hook->calls == 3 }, 5), 'three runs';
is_deeply [sort(begun())], ['begin a.test', 'begin b.test', 'done a.test'],
    'one was not told of the end';
is_deeply [map { "$_->[0] $_->[1]" } $hook->changes],
    [map { "$_ _acme-challenge.a.test" } qw(add remove)], 'one record';
is $t->ca->orders, 1, 'one order';

# a wildcard has nothing else
$hook->forget;
my $mark = $t->log_mark;
$t->site('c.test', identifiers => ['c.test', '*.c.test'])->reload;
ok $t->wait_log(qr/not obtained, lineage "c\.test".*: dns-01 of "\*\.c\.test": (?#
    )the challenge is declined: program "\Q$hook->{path}\E" failed with exit (?#
    )status 1: not my zone/, 15, since => $mark), 'nothing else can prove it'
    or $t->give_up;
is_deeply [begun()], [('begin c.test') x 2], 'asked once for each';
unlink $switch or die;
my ($exit, undef, $err) = $t->acmectl('renew', '--cert-name', 'c.test');
is $exit, 0, 'the next attempt asks it again' or diag $err;
is $t->ca->orders, 2, 'for the same order';

my $script = '/usr/share/uacme/nsupdate.sh';
SKIP: {
    my ($major, $minor) = $t->ca->version =~ /^(\d+)\.(\d+)/;
    skip "no $script: apt-get install uacme", 1 if !-e $script;
    skip 'Pebble ' . $t->ca->version . ' has no dns-account-01', 1
        if !defined $minor || $major == 2 && $minor < 6;
    $t->clear_config;
    $t->configure(dns_propagation => 'off', global => {
        nginx => "acme_challenge_cmd uacme $script;\n"
            . 'acme_challenge dns-account-01 http-01;',
        httpd => "ACMEChallengeCmd uacme $script\n"
            . 'ACMECAChallenges dns-account-01 http-01' });
    $t->site('d.test')->reload;
    ok $t->wait_certificate('d.test'), 'the packaged hook declines';
}
$t->done;
