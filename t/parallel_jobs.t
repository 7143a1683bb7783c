#!/usr/bin/perl
# Certificates are obtained side by side, but no CA sees more than four at
# once; a failing one does not hold up the others, and a renewal that a person
# asks for does not wait for them.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my @cas = ($t->ca, $t->add_ca('own'));
my @names = map { [map { "$_.test" } @$_] } ['a' .. 'f'], ['u' .. 'z'];
$t->issuer('one', ca => $cas[0])->issuer('two', ca => $cas[1]);
$t->start_ca;
$_->fault(where => 'validate', do => 'slow-validation', seconds => 5,
    times => 100) for @cas;
for my $i (0, 1) {
    $t->site($_, acme => ('one', 'two')[$i]) for @{ $names[$i] };
}
$t->start;

my @most = (0, 0);
ok $t->wait_for(sub {
    for my $i (0, 1) {
        my $now = $cas[$i]->challenge_posts;
        $most[$i] = $now if !$cas[$i]->certificates;
    }
    return $most[0] == 4 && $most[1] == 4;
}, 15), 'four at each CA' or diag "@most";
sleep 1;
is scalar($_->challenge_posts), 4, 'and no more' for @cas;
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
