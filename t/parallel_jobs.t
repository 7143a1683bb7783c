#!/usr/bin/perl
# Certificates are obtained side by side, but no CA is asked by more than four
# at once; one that takes its time does not hold up the others, nor a renewal
# that a person asks for.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my @cas = ($t->ca, $t->add_ca('own'));
my @names = map { [map { "$_.test" } @$_] } ['a' .. 'f'], ['u' .. 'z'];
$t->issuer('one', ca => $cas[0])->issuer('two', ca => $cas[1]);
$t->start_ca;
$_->fault(where => 'newOrder', do => 'latency', seconds => 4, times => 100)
    for @cas;
for my $i (0, 1) {
    $t->site($_, acme => ('one', 'two')[$i]) for @{ $names[$i] };
}
$t->start;

sub each_ca ($what, $count) { return !grep { $what->($_) != $count } @cas }

my $asked = sub ($ca) { scalar $ca->requests('newOrder') };
ok $t->wait_for(sub { each_ca($asked, 4) }, 15), 'four ask each CA'
    or diag join ' ', map { $asked->($_) } @cas;
sleep 1;
is $asked->($_), 4, 'and no more' for @cas;

# those that wait for a CA leave their place to others
for my $ca (@cas) {
    $ca->clear_faults;
    $ca->fault(where => 'validate', do => 'slow-validation', seconds => 5,
        times => 100);
}
ok $t->wait_for(sub {
    return each_ca(sub ($ca) { scalar $ca->challenge_posts }, 6)
}, 15), 'all wait for validation at once';
is scalar($_->certificates), 0, 'as none has ended' for @cas;

$_->clear_faults for @cas;
for my $i (0, 1) {
    my %verify = (ca_file => $cas[$i]->root_file, verify => 0);
    ok $t->wait_certificate($_, 30, %verify), $_ for @{ $names[$i] };
    is scalar($cas[$i]->orders), 6, 'one order each';
    is scalar($cas[$i]->accounts), 1, 'one account';
    my $fetched = $cas[$i]->requests('directory');
    cmp_ok $fetched, '<=', 4, 'the directory once per connection';
}

# one that takes its time
my $ca = $cas[0];
$ca->fault(where => 'validate', do => 'slow-validation', seconds => 5);
$t->site('slow.test', acme => 'one')->reload;
ok $t->wait_for(sub { $ca->challenge_posts('slow.test') }, 10), 'one waits';
is +($t->acmectl('renew', '--force', '--cert-name', 'a.test'))[0], 0,
    'another one is renewed';
is scalar(grep { "@{ $_->{names} }" eq 'slow.test' } $ca->certificates), 0,
    'meanwhile';
ok $t->wait_certificate('slow.test', 20, ca_file => $ca->root_file,
    verify => 0), 'which ends well too';

$t->done;
