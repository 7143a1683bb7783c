#!/usr/bin/perl
# An account that the CA has forgotten is made again, with the same key, by the
# renewal that finds out; one that was deactivated there needs another key:
# the log says so, the certificate is served on, and a new key helps at once.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test')->start;
my $old = $t->wait_certificate('a.test') or $t->give_up;
my ($before) = $t->ca->accounts;

sub renew () { return $t->acmectl('renew', '--force', '--cert-name', 'a.test') }

$t->ca->forget_accounts;
my ($exit, undef, $err) = renew();
is $exit, 0, 'forgotten: renewed all the same' or diag $err;
my ($after) = $t->ca->accounts;
isnt $after->{url}, $before->{url}, 'with another account';
is $after->{thumbprint}, $before->{thumbprint}, 'of the same key';

# in the middle, after it has been looked at
$t->ca->fault(where => 'newOrder', do => 'error',
    type => 'accountDoesNotExist', status => 400, times => 1);
unlink glob $t->state('record') . '/*';     # a forced renewal once an hour
$t->restart;
($exit, undef, $err) = renew();
is $exit, 0, 'in the middle of it: too' or diag $err;

$t->ca->set_accounts('deactivated');
unlink glob $t->state('record') . '/*';
$t->restart;
my $served = $t->serial('a.test');
($exit, undef, $err) = renew();
is $exit, 1, 'deactivated: not renewed';
like $err, qr/account of this key is deactivated.*account_key.*ACMEAccountKey/,
    'another key is needed';
is $t->status('a.test')->{state}, 'waiting', 'status: waiting';
is $t->serial('a.test'), $served, 'what there is, is served';

$t->clear_config->issuer('testca', ca => $t->ca, account_key => 'rsa:2048');
$t->site('a.test')->site('b.test');
ok $t->reload, 'reload with another key';
ok $t->wait_certificate('b.test'), 'a certificate with that';

$t->done;
