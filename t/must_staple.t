#!/usr/bin/perl
# must_staple (RFC 7633): asked for in the signing request; a certificate
# that has it without being asked is refused, one that lacks it is served with
# a warning; for a CA that is known not to issue it -t finds the mistake.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $ca = $t->ca;

sub configure ($name, %o)
{
    $t->clear_config;
    $t->issuer('testca', ca => $ca);
    $t->site($name, %o);
    return;
}

configure('a.test', must_staple => 'on');
$t->start;
my $cert = $t->wait_certificate('a.test') or $t->give_up;
ok $cert->{must_staple}, 'the certificate has it';
unlike $t->log, qr/must-staple/, 'nothing to be said';

$ca->set(must_staple => 'never');
configure('b.test', must_staple => 'on');
ok $t->reload, 'a CA that ignores it';
$cert = $t->wait_certificate('b.test') or $t->give_up;
ok !$cert->{must_staple}, 'the certificate is served without it';
like $t->log, qr/lacks the must-staple extension.* "b\.test"/, 'with a warning';

$ca->set(must_staple => 'always');
configure('c.test');
ok $t->reload, 'a CA that puts it in unasked';
ok $t->wait_log(qr/"c\.test".*must-staple extension, which was not asked/, 15),
    'the certificate is refused';
ok -e $t->state('record/c.test.refused.pem'), 'and kept as evidence';
ok !defined $t->live_version('c.test'), 'never live';

$ca->set(must_staple => 'copy');
configure('d.test');
ok $t->reload, 'a CA that does as it is told';
$cert = $t->wait_certificate('d.test') or $t->give_up;
ok !$cert->{must_staple}, 'without it by default';

$t->clear_config;
$t->issuer('testca', terms => 1,
    uri => 'https://acme-v02.api.letsencrypt.org/directory');
$t->site('e.test', must_staple => 'on');
my ($exit, $output) = $t->test_config;
isnt $exit, 0, "Let's Encrypt does not issue it: an error of -t";
like $output, qr/issues\ no\ certificates\ with\ must-staple.*\ turn
    \ acme_must_staple\ or\ ACMEMustStaple\ off\ for\ "e\.test"/x,
    'with its cure';

$t->done;
