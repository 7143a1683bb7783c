#!/usr/bin/perl
# allow_subset: names that the CA cannot validate are left out, the first one
# too, by a second order in the same attempt; they are tried again when the
# configuration changes.  Not with wildcards, which -t says.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $ca = $t->ca;

sub configure ($names, %o)
{
    $t->clear_config;
    $t->issuer('testca', ca => $ca);
    $t->site($names, allow_subset => 'on', %o);
    return;
}

sub fail_names (@names)
{
    $ca->clear_faults;
    $ca->fault(where => 'validate', do => 'invalid', times => 'always',
        name => $_, type => 'dns', detail => 'no such name') for @names;
    return;
}

$t->start_ca;
fail_names('a.test', 'c.test');
configure(['a.test', 'b.test', 'c.test', 'd.test']);
$t->start;
my $cert = $t->wait_certificate('b.test') or $t->give_up;
is_deeply [sort @{ $cert->{names} }], ['b.test', 'd.test'],
    'those that could be proved';
is $t->serial('a.test'), $cert->{serial}, 'is what the others get as well';
my @orders = $ca->orders;
is scalar @orders, 2, 'two orders';
is_deeply [sort @{ $orders[1]{names} }], ['b.test', 'd.test'],
    'the second one for the rest';
ok $t->wait_log(qr/is\ without\ names\ that\ could\ not\ be\ proved,
    \ lineage\ "a\.test":\ "a\.test"\ \(dns:\ no\ such\ name\),\ "c\.test"/x),
    'the log says which and why';
unlike $t->log, qr/not obtained/, 'in one attempt';
my $status = $t->status('a.test');
is_deeply [map { $_->{name} } @{ $status->{left_out} }], ['a.test', 'c.test'],
    'so does acmectl';
is $status->{state}, 'ok', 'which is no failure';

# once more only for a reason
ok $t->reload, 'a reload';
sleep 4;
is scalar($ca->orders), 2, 'orders nothing';

# another configuration: one of them can be proved now
fail_names('c.test');
configure(['a.test', 'b.test', 'c.test', 'd.test', 'e.test'],
    lineage => 'a.test');
ok $t->reload, 'another name';
$cert = $t->wait_certificate('e.test') or $t->give_up;
is_deeply [sort @{ $cert->{names} }],
    ['a.test', 'b.test', 'd.test', 'e.test'], 'all but the one that fails';

fail_names();
configure(['a.test', 'b.test', 'c.test', 'd.test', 'e.test'],
    allow_subset => 'off', lineage => 'a.test');
ok $t->reload, 'not allowed any more';
$cert = $t->wait_certificate('c.test') or $t->give_up;
is scalar @{ $cert->{names} }, 5, 'all of them';
ok !$t->status('a.test')->{left_out}, 'nothing is left out';

configure(['x.test', 'x.y.test'],
    identifiers => ['x.test', '*.y.test']);
my ($exit, $output) = $t->test_config;
isnt $exit, 0, 'with a wildcard it is an error of -t';
like $output, qr/wildcard/, 'which names it';

$t->done;
