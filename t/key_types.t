#!/usr/bin/perl
# An ECDSA and an RSA certificate for one lineage: one order each, every
# version has both, each client gets what it can use, and a failure of one
# leaves the other alone.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $ca = $t->ca;
my @kinds = qw(ecdsa rsa);

sub serials { return map { $t->serial('a.test', kind => $_) // '' } @kinds }

$t->site('a.test', key => ['ecdsa:256', 'rsa:2048'])->start;
ok $t->wait_certificate('a.test', 30, kind => $_), "$_" for @kinds;
is $t->peer_certificate('a.test', kind => 'rsa')->{bits}, 2048, 'its size';
is scalar($ca->orders), 2, 'an order each';
is $t->live_version('a.test'), 2, 'a version each';
my @files = sort grep { m{^archive/a\.test/2/.*\.pem$} } $t->state_files;
is scalar @files, 8, 'the second one has both';
my @first = serials;
ok $first[0] && $first[1] && $first[0] ne $first[1], 'two certificates';
is_deeply [map { $_->{serial} } @{ $t->status('a.test')->{certificates} }],
    [map { lc } @first], 'status: both, the first type first';

my ($exit, $out, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'a forced renewal' or diag $out, $err;
my @second = serials;
isnt $second[$_], $first[$_], "of the $kinds[$_] certificate" for 0, 1;
is scalar($ca->orders), 4, 'one order each';
ok $t->reload, 'reload';
is_deeply [serials], \@second, 'keeps both';

# one fails: the other goes its own way
$ca->fault(where => 'finalize', do => 'error', times => 1);
$t->clear_config;
$t->site(['a.test', 'b.test'], key => ['ecdsa:256', 'rsa:2048'],
    lineage => 'a.test')->reload;
ok $t->wait_for(sub {
    my @now = serials;
    return $now[0] ne $second[0] || $now[1] ne $second[1];
}, 15), 'one is renewed for another name';
my @third = serials;
is scalar(grep { $third[$_] ne $second[$_] } 0, 1), 1, 'just one';
ok $t->wait_log(qr/not renewed, lineage "a\.test", key \w+:\d+,/, 5),
    'the log says which one failed';
is +($t->acmectl('renew'))[0], 0, 'once more';
@third = serials;
isnt $third[$_], $second[$_], "$kinds[$_]: renewed" for 0, 1;

# a type that is not wanted any more
my $orders = $ca->orders;
$t->clear_config;
$t->site(['a.test', 'b.test'], lineage => 'a.test')->reload;
ok $t->wait_for(sub { !$t->serial('a.test', kind => 'rsa') }, 5),
    'rsa is left out';
is $t->serial('a.test'), $third[0], 'ecdsa stays';
$t->clear_config;
$t->site(['a.test', 'b.test'], key => ['rsa:2048', 'ecdsa:256'],
    lineage => 'a.test')->reload;
ok $t->wait_for(sub { ($t->serial('a.test', kind => 'rsa') // '')
    eq $third[1] }, 5), 'and is there again when it is wanted';
sleep 3;
is scalar($ca->orders), $orders, 'without an order';
is $t->status('a.test')->{state}, 'ok', 'status ok';

$t->done;
