#!/usr/bin/perl
# Whatever the CA says instead of a window: the one that is known stays, and
# the certificate is none the worse for it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', ari => {
    explanation => 'https://ca.test/why' } });
my $ca = $t->ca;
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;
my $window;
$t->wait_for(sub { $window = $t->status('a.test')->{renewal_info} }, 10,
    'a window') or $t->give_up;
is $window->{url}, 'https://ca.test/why', 'a window, with its explanation';

my $backwards = { start => '2026-11-22T00:00:00Z',
    end => '2026-11-21T00:00:00Z' };
my @faults = (
    [ 'unknown' => do => 'error', status => 404, type => 'malformed' ],
    [ 'replaced' => do => 'error', status => 409, type => 'alreadyReplaced' ],
    [ 'busy' => do => '503', retry_after => 3 ],
    [ 'no JSON' => do => 'body', body => '<html>' ],
    [ 'no window' => do => 'member', field => 'suggestedWindow' ],
    [ 'wrong type' => do => 'member', field => 'suggestedWindow',
        value => [1, 2] ],
    [ 'ends before it begins' => do => 'member', field => 'suggestedWindow',
        value => $backwards ],
);

for my $fault (@faults) {
    my ($what, @rule) = @$fault;
    my $asked = $ca->requests('renewalInfo');

    $ca->fault(where => 'renewalInfo', times => 'always', @rule);
    $t->look_again('a.test');
    ok $t->wait_for(sub { $ca->requests('renewalInfo') > $asked }, 15,
        'a look'), "$what: asked";
    ok $t->wait_log(qr/no renewal information, lineage "a\.test"/),
        "$what: said";
    my $now = $t->status('a.test');
    is_deeply [@{ $now->{renewal_info} }{qw(start end pick url)}],
        [@$window{qw(start end pick url)}], "$what: as it was";
    is "$now->{state} $now->{failures}", 'ok 0', "$what: no failure";
    $ca->clear_faults;
}
is scalar($ca->orders), 1, 'nothing was ordered';
$t->look_again('a.test');
ok $t->wait_certificate('a.test'), 'it is served';

$t->done;
