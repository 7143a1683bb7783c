#!/usr/bin/perl
# How long after a failure it is tried again, and after how many the next CA is
# asked, as configured: by default it would be 15 s and 3.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own', ca_start => 0);
my $first = $t->ca;
my $other = $t->add_ca('own');
my $roots = spew("$t->{dir}/ca/both.pem",
    join '', map { slurp($_->ca_file) } $first, $other);
$t->issuer('testca', ca => $first, ca_file => $roots);
$t->issuer('other', ca => $other, ca_file => $roots,
    account_key => 'rsa:2048');
$t->configure(retry_delay => '1s', retry_failover => 4);
$t->site('a.test', acme => 'testca,other');
$other->start;
my $began = time;
$t->start;

ok $t->wait_log(qr/certificate obtained, lineage "a\.test"/, 25),
    'the first CA is down: it is obtained';
cmp_ok time - $began, '<', 25, 'soon';
my @failed = $t->log =~ /certificate not obtained, lineage "a\.test".*/g;
is scalar(@failed), 4, 'after four failures';
like $failed[3], qr/there is another CA to ask/, 'of which the last one says so';
is_deeply [map { /\(back-off\)/ ? 1 : 0 } @failed[0 .. 2]], [1, 1, 1],
    'and the others wait';
is scalar(grep { $_->{status} eq 'valid' } $other->orders), 1,
    'with one order of the other';
my $timing = $t->status('a.test')->{timing};
is_deeply $timing, { retry_delay => '1s', retry_failover => '4' },
    'the status has both';

$t->done;
