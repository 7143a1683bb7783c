#!/usr/bin/perl
# acmectl dns check: what acmectl dns records prints, as it is in the DNS, by
# an engine of its own; what is not as it should be is said with the line to
# publish, and in the exit status.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own', dns => 1);
my %issuer = (ca => $t->ca, issuer_domain => 'ca.test');

$t->configure(dns_resolver => $t->dns->address, dns_delegation => 'dyn.test');
$t->issuer('own', %issuer)->site(['a.test', 'www.a.test'], acme => 'own');
$t->start;
$t->wait_certificate('a.test') or $t->give_up;

my ($exit, $out, $err);
sub check (@args) { ($exit, $out, $err) = $t->acmectl('dns', 'check', @args) }
sub value ($type)
{
    my (undef, $json) = $t->acmectl('dns', 'records', '--json', '--type',
        $type, -d => 'a.test');
    return decode_json($json)->[0]{value};
}
my ($caa, $persist) = (value('caa'), value('dns-persist-01'));

# nothing is there
check('--type', 'dns-persist-01', -d => 'a.test');
is $exit, 1, 'no record';
is $out, "BAD  dns-persist-01 of \"a.test\" at \"@{[$t->issuer_name('own')]}\": "
    . "there is no such record\n"
    . "     publish: _validation-persist.a.test. 600 IN TXT \"$persist\"\n",
    'what to do';
check('--type', 'caa', 'a.test');
is $exit, 0, 'no CAA records forbid nothing' or diag $out . $err;
like $out, qr/^ok   caa of "www\.a\.test" at .* any CA may issue/m, 'and why';

# all is there; CAA also counts for the names below
$t->dns->txt('_validation-persist.a.test', $_)
    for 'other.test; accounturi=x', $persist;
$t->dns->caa('a.test', { tag => 'issue', value => $caa });
$t->dns->cname("_acme-challenge.$_", "_acme-challenge.$_.dyn.test")
    for qw(a.test www.a.test);
check('--type', 'caa,dns-01', 'a.test');
is $exit, 0, 'as they should be' or diag $out . $err;
is scalar(() = $out =~ /^ok   /mg), 4, 'four of them';
check('--type', 'dns-persist-01', '--json', -d => 'a.test');
my ($one) = @{ decode_json($out) };
is $one->{ok}, JSON::PP::true, 'JSON: good' or diag $out;
is $one->{line}, qq(_validation-persist.a.test. 600 IN TXT "$persist"),
    '  and what was looked for';
check('-q', '--type', 'caa,dns-persist-01', -d => 'a.test');
is $exit, 0, 'quiet';
is $out . $err, '', '  says nothing';

# others' records
$t->dns->clear(caa => 'a.test');
$t->dns->caa('a.test', { tag => 'issue', value => $caa =~ s/;(?= val)/0;/r },
    { tag => 'issue', value => 'other.test' });
$t->dns->clear(txt => '_validation-persist.a.test');
$t->dns->txt('_validation-persist.a.test', "$persist; persistUntil=1");
$t->dns->cname('_acme-challenge.a.test', 'victim.dyn.test');
check('--type', 'caa,dns-01,dns-persist-01', -d => 'a.test');
is $exit, 1, 'not as they should be';
like $out, qr/^BAD  caa of "a\.test" at .*: the CAA records of a\.test /m, 'CAA';
like $out, qr/^BAD  dns-01 of "a\.test" .*leads to victim\.dyn\.test, where/m,
    'where it leads';
like $out, qr/^\ +publish:\ _acme-challenge\.a\.test\.\ 600\ IN\ CNAME
    \ _acme-challenge\.a\.test\.dyn\.test\.$/mx, 'where it should';
like $out, qr/^BAD  dns-persist-01 of .*: its persistUntil is over$/m, 'over';

# no answer at all
$t->dns->stop;
check('--type', 'caa', -d => 'a.test');
is $exit, 1, 'nobody answers';
like $out, qr/^BAD  caa of "a\.test" at .*DNS, "a\.test"/m, 'it says so';
is +($t->acmectl('dns', 'check', 'nobody'))[0], 1, 'no such lineage';

$t->done;
