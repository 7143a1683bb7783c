#!/usr/bin/perl
# A server without a certificate of its own, on the state directory of
# another, answers the CA for the other's names; and one that has lost its
# last acme_certificate wants none any more.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $front = Acme::Test->new(ca => 'own');
my $back = Acme::Test->new;
$back->configure(state => $front->state)->issuer('testca', ca => $front->ca);

# the CA looks for challenges at the first one's port only
$front->site('plain.test', acme => undef)->start;
ok $front->wait_helpers, 'the processes run';
$back->site('a.test', acme => 'testca')->start;
ok $back->wait_certificate('a.test', 30,
    ca_file => $front->ca->root_file, verify => 0), 'answered';
is scalar($front->ca->challenge_posts('a.test')), 1, 'at once';

$back->clear_config->configure(state => $front->state);
$back->issuer('testca', ca => $front->ca)->site('b.test', acme => undef);
ok $back->reload, 'the last one goes';
ok $front->wait_for(sub { $front->status('a.test')->{state} eq 'dormant' },
    5, 'dormancy'), 'its certificate is nobody\'s now';

undef $back;
$front->done;
