#!/usr/bin/perl
# Virtual hosts of one certificate may share a connection, those of different
# ones may not: the stock rule (SSLVHostSNIPolicy) with certificates of ours.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd', ca => 'own');
my @both = (identifiers => ['a.test', 'b.test']);
$t->site('a.test', @both)->site('b.test', @both)->site('c.test')->start;
$t->wait_certificate($_) or $t->give_up for qw(a.test c.test);

sub status ($sni, $host)
{
    return $t->http_get('/', port => $t->port('tls'), tls => 1, sni => $sni,
        host => $host)->{status};
}

sub check ($when)
{
    is status(@$_), 200, "$when: SNI $_->[0], Host $_->[1]"
        for ['a.test', 'a.test'], ['a.test', 'b.test'], ['b.test', 'a.test'],
        ['c.test', 'c.test'];
    is status(@$_), 421, "$when: SNI $_->[0], Host $_->[1]"
        for ['a.test', 'c.test'], ['c.test', 'b.test'];
    return;
}

check('obtained');
is +($t->acmectl('renew', '--force', '--cert-name', 'a.test'))[0], 0,
    'one of them is renewed';
check('renewed');
ok $t->reload, 'reload';
check('reloaded');

# what stock files would be answered with
my %policy = (strict => '200 421 421', authonly => '200 200 200',
    insecure => '200 200 200');
for my $policy (sort keys %policy) {
    $t->configure(main => "SSLVHostSNIPolicy $policy");
    my ($exit) = $t->test_config;
    SKIP: {
        skip "$policy: this httpd is older", 1 if $exit;
        $t->restart;
        is join(' ', map { status('a.test', $_) } qw(a.test b.test c.test)),
            $policy{$policy}, "$policy: as with stock files";
    }
}

$t->done;
