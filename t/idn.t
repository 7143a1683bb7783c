#!/usr/bin/perl
# Names in letters of all the world, written in UTF-8: what is asked for,
# served and looked for is their ASCII form.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my ($u, $a) = ("b\xc3\xbccher.test", 'xn--bcher-kva.test');

my $t = Acme::Test->new(ca => 'pebble');
$t->site([$u, "www.$u"], default => 1);
$t->site('plain.test', identifiers => ['plain.test', "FA\xc3\x9f.test"]);
$t->start;

my $cert = $t->wait_certificate($a) or $t->give_up;
is_deeply [sort @{ $cert->{names} }], ["www.$a", $a],
    'names of the server';
is $t->serial("www.$a"), $cert->{serial}, 'its other name';
my $other = $t->wait_certificate('plain.test') or $t->give_up;
is_deeply [sort @{ $other->{names} }], ['plain.test', 'xn--fa-hia.test'],
    'names of the directive, not transitional';
is $t->live_version($a), 1, 'the lineage has the ASCII name';

my ($exit, $out) = $t->acmectl('status', '--cert-name', $a);
is $exit, 0, 'acmectl knows it by that';
like $out, qr/names +\Q$a\E \(\Q$u\E\) /, 'and shows both';

# written otherwise it is the same
$t->clear_config->site([$a, "www.$a", $u], default => 1);
$t->site('plain.test', identifiers => ['plain.test', 'xn--fa-hia.test']);
$t->reload or $t->give_up('reload');
is $t->serial($a), $cert->{serial}, 'A-labels instead: the same certificate';
is $t->serial('plain.test'), $other->{serial}, 'there too';
unlike $t->log, qr/renewed.*version 2/, 'no renewal';

$t->done;
