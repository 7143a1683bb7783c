#!/usr/bin/perl
# An explicit certificate is served until the first one of ours arrives, and
# again should ours be gone.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(server_pair);
use Acme::Proc qw(spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own', ca_start => 0);
my $pair = server_pair('explicit');
my @files = map { $t->dir . "/conf/$_.pem" } qw(cert key);
spew($files[0], $pair->{cert});
spew($files[1], $pair->{key}, 0600);

$t->site('a.test', certificate => \@files)->start;
my $explicit = $t->peer_certificate('a.test') or $t->give_up;
like $explicit->{issuer}, qr/explicit/, 'the explicit one at first';
ok $t->wait_log(qr/not obtained, lineage "a\.test"/), 'no CA yet';
is $t->serial('a.test'), $explicit->{serial}, 'still the explicit one';

$t->ca->start;
is +($t->acmectl('renew'))[0], 0, 'the CA is there';
my $ours = $t->wait_certificate('a.test', 5) or $t->give_up;
isnt $ours->{serial}, $explicit->{serial}, 'ours takes over';
ok $t->reload, 'reload';
is $t->serial('a.test'), $ours->{serial}, 'keeps it';
$t->restart;
is $t->serial('a.test'), $ours->{serial}, 'as a restart does';

$t->done;
