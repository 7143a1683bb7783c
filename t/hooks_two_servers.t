#!/usr/bin/perl
# Two servers of one lineage, each with hooks of its own: those of the one that
# has renewed are run, once; one that serves it as well has none.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $log = $t->dir . '/hooks.log';
my $other = Acme::Test->new;

sub ran () { return [split /\n/, slurp($log) // ''] }

$t->configure(hook => "deploy \"echo first >> $log\"")->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;
$other->configure(state => $t->state, hook => "deploy \"echo second >> $log\"");
$other->issuer('testca', ca => $t->ca);
$other->site('a.test', acme => 'testca')->start;
my %verify = (verify => 0, ca_file => $t->ca->root_file);
my $first = $other->wait_certificate('a.test', 15, %verify) or $t->give_up;
is_deeply ran(), ['first'], 'who obtains it runs its hooks';

my ($exit, $out, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'renewed' or diag $err;
ok $other->wait_new_serial('a.test', $first->{serial}, 15, %verify),
    'and served by both';
$t->wait_helpers;
sleep 1;
is scalar(@{ ran() }), 2, 'by one of them, once';

undef $other;
$t->done;
