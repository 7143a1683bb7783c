#!/usr/bin/perl
# After a start nothing is ordered for so long; a person does not have to wait.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test', initial_delay => '1h')->site('b.test', initial_delay => 4);
my $began = time;
$t->start;
is scalar($t->ca->orders), 0, 'nothing is ordered at once';
ok $t->wait_certificate('b.test', 20), 'but when the time has come';
cmp_ok time - $began, '>=', 4, '  and not sooner';
is scalar($t->ca->orders), 1, 'what has a longer delay still waits';
my ($exit) = $t->acmectl('renew', '--cert-name', 'a.test');
is $exit, 0, 'acmectl renew does not';
ok $t->wait_certificate('a.test', 10), '  and it is served';

$t->done;
