#!/usr/bin/perl
# acmectl renew with a running server: only what is due, by force once an
# hour, waiting or not, one or all.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test')->site('b.test')->start;
$t->wait_certificate($_) or $t->give_up for qw(a.test b.test);

my ($exit, $out, $err) = $t->acmectl('renew');
is $exit, 0, 'renew';
like $out, qr/^a\.test: nothing was due, valid until \S+Z\nb\.test: nothing /,
    'nothing was due';
is scalar($t->ca->orders), 2, 'no order for it';

($exit, undef, $err) = $t->acmectl('renew', '--cert-name', 'c.test');
is $exit, 1, 'one that does not exist';
like $err, qr/no lineage "c\.test"/, 'is named';

($exit, $out) = $t->acmectl('renew', '--force', '--cert-name', 'a.test',
    '--json');
is $exit, 0, 'by force';
my ($result) = @{ decode_json($out) };
is "$result->{name} $result->{ok}", 'a.test 1', 'JSON says so';
is $t->live_version('a.test'), 2, 'version 2';
is $t->live_version('b.test'), 1, 'of one only';

($exit, undef, $err) = $t->acmectl('renew', '--force', '--cert-name',
    'a.test');
is $exit, 1, 'by force again';
like $err, qr/less than an hour ago; .* possible at \d{4}-/, 'is too soon';
ok $t->reload, 'reload';
$t->wait_helpers;
is +($t->acmectl('renew', '--force', '--cert-name', 'a.test'))[0], 1,
    'which it does not forget';
is $t->live_version('a.test'), 2, 'still version 2';

$t->ca->set(latency => 0.3);
($exit, $out) = $t->acmectl('renew', '--force', '--cert-name', 'b.test',
    '--no-wait');
is $exit, 0, 'without waiting';
is $t->live_version('b.test'), 1, 'it is on its way';
ok $t->wait_for(sub { $t->live_version('b.test') == 2 }, 20), 'and arrives';

($exit, $out) = $t->acmectl('-q', 'renew');
is "$exit$out", '0', 'quiet';

$t->done;
