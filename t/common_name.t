#!/usr/bin/perl
# common_name_in_csr: a signing request has an empty subject, or the first
# name that fits as its CN.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $long = join '.', 'a' x 60, 'long.test';

$t->issuer('plain', ca => $t->ca);
$t->issuer('testca', ca => $t->ca, common_name_in_csr => 'on');
$t->configure(global => { nginx => 'server_names_hash_bucket_size 128;' });
$t->site(['a.test', 'b.test'], acme => 'plain');
$t->site([$long, 'c.test', 'd.test'])->start;
$t->wait_certificate($_) || $t->give_up for qw(b.test c.test);

my %cn = map { join(' ', sort @{ $_->{names} }) => $_->{csr_cn} }
    $t->ca->orders;
is $cn{'a.test b.test'}, undef, 'none unless it is asked for';
is $cn{"$long c.test d.test"}, 'c.test', 'the first name of at most 64 characters';

$t->done;
