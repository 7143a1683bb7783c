#!/usr/bin/perl
# acmectl import uacme, of what uacme has made: all of its versions, served at
# once, renewed by its account and with its key, and its files stay as they
# are.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Foreign qw(client fingerprint);
use Acme::Proc qw(slurp spew);
use Acme::Test;
use JSON::PP;

# Not Pebble: uacme does not get over a challenge that it does not know.
my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $dir = $t->dir . '/var/uacme';
$t->configure(plain_server => 1, site => { names => ['a.test'], acme => undef });
$t->start;

my $www = $t->www . '/.well-known/acme-challenge';
my $hook = spew($t->dir . '/tmp/hook', <<"HOOK", 0755);
#!/bin/sh
test "\$2" = http-01 || exit 1
mkdir -p $www && printf %s "\$5" >$www/\$4
HOOK
my @uacme = ('uacme', '-c', $dir, '-a', $t->ca->url, '-t', 'EC');
client($t, @uacme, '-y', 'new', 'me@a.test');
client($t, @uacme, '-h', $hook, 'issue', 'a.test');
client($t, @uacme, '-f', '-h', $hook, 'issue', 'a.test');
$t->stop;
$t->clear_config;
$t->configure(plain_server => 0, site => { names => ['a.test'] });

my $before = fingerprint($dir);
my $orders = $t->ca->orders;
my $accounts = $t->ca->accounts;
my @import = ('import', 'uacme', $dir, '--server', $t->ca->url, '--ca-file',
    $t->ca->ca_file);
my ($exit, $out, $err) = $t->acmectl(@import, '--dry-run');
is $exit, 0, 'a dry run' or diag $err;
like $out, qr/^a\.test: would be taken over, .*\(2 versions/m, 'tells of it';
like $out, qr/^    grep -rls uacme /m, 'and how it is kept from renewing';
ok !-e $t->state, 'nothing is written';
($exit, $out, $err) = $t->acmectl(@import, '--json');
is $exit, 0, 'taken over' or diag $err;
my $told = decode_json($out)->{lineages}[0];
is $told->{live}, 2, 'with the version before' or diag $out;
ok $t->state_json('renewal', 'a.test.json')->{declared}[0]{reuse_key},
    'uacme keeps keys';

$t->start;
my $serial = $t->serial('a.test');
is lc $serial, $told->{serial}, 'it is served';
is $t->ca->orders, $orders, 'nothing was ordered';
($exit, $out, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'it is renewed' or diag $out, $err;
ok $t->wait_new_serial('a.test', $serial, 10), 'and served';
is slurp($t->state(qw(archive a.test 3 privkey.pem))),
    slurp($t->state(qw(archive a.test 2 privkey.pem))), 'with its key';
is $t->ca->accounts, $accounts, 'by its account';
is fingerprint($dir), $before, 'whose files are as they were';

$t->done;
