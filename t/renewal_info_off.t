#!/usr/bin/perl
# renewal_info off, ACMERenewViaARI off: the CA is not asked when to renew,
# nor told what is replaced; on again, it is.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', ari => {} });
my $ca = $t->ca;

sub configure ($switch)
{
    $t->clear_config;
    $t->issuer('testca', ca => $ca, renewal_info => $switch);
    $t->site('a.test');
    return;
}

configure('off');
$t->start;
my $cert = $t->wait_certificate('a.test') or $t->give_up;
is +($t->acmectl('renew', '--force'))[0], 0, 'a renewal';
my $second = $t->wait_new_serial('a.test', $cert->{serial}) or $t->give_up;
$ca->set(ari => { only => $second->{serial}, start => time - 7200,
    end => time - 3600 });
sleep 5;
is scalar($ca->requests('renewalInfo')), 0, 'off: not asked';
ok !(grep { exists $_->{payload}{replaces} } $ca->orders), 'not told';
ok !$t->status('a.test')->{renewal_info}, 'no window is shown';
is scalar($ca->orders), 2, 'and not renewed';

configure('on');
ok $t->reload, 'on';
ok $t->wait_new_serial('a.test', $second->{serial}, 20),
    'the window in the past counts';
ok $t->wait_for(sub { $t->status('a.test')->{renewal_info} }, 10, 'a window'),
    'a window is shown';

configure('off');
ok $t->reload, 'off again';
ok $t->wait_for(sub { !$t->status('a.test')->{renewal_info} }, 10, 'none'),
    'it is gone';
is scalar($ca->orders), 3, 'no reason to order';

$t->done;
