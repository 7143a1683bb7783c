#!/usr/bin/perl
# The CA for tests of the CA that is configured.  Nobody is asked for anything:
# renewals are made by hand.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(wait_until);
use Acme::Test;

my $t = Acme::Test->new;
$t->configure(renew_mode => 'manual', terms => 1);

sub directory ($name)
{
    my $settings = $t->state_json('renewal', "$name.json") or return '';
    return $settings->{declared}[0]{issuer}{directory};
}

$t->issuer('tests', uri => 'letsencrypt', staging => 'on');
$t->issuer('plain', uri => 'letsencrypt', staging => 'off');
$t->site('a.test', acme => 'tests')->site('b.test', acme => 'plain')->start;
ok wait_until(10, sub { directory('a.test') && directory('b.test') }),
    'they are declared';
is directory('a.test'),
    'https://acme-staging-v02.api.letsencrypt.org/directory', 'on: there';
unlike directory('b.test'), qr/staging/, 'off: not there';
like $t->status('a.test')->{test_ca}, qr/1|true/, 'it is known for one';
$t->done;
