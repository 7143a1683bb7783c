#!/usr/bin/perl
# Renewal information of Pebble: its own window, then one in the past.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'pebble');
$t->site('a.test')->start;
if (!$t->ca->has('ari')) {
    my $version = $t->ca->version;
    $t->wait_certificate('a.test');
    $t->teardown;
    plan skip_all => "Pebble $version has no renewal information";
}
my $cert = $t->wait_certificate('a.test') or $t->give_up;
my $window;
$t->wait_for(sub { $window = $t->status('a.test')->{renewal_info} }, 10,
    'a window') or $t->give_up;
my ($days) = map { ($_ - $cert->{not_before}) / 86_400 } seconds($window);
cmp_ok $days, '>', 58, 'picked around two thirds of the life';
cmp_ok $days, '<', 62, 'not later';

ok $t->ca->set_renewal_info($cert->{pem}, '{"suggestedWindow":'
    . '{"start":"2025-01-02T04:00:00.25Z","end":"2025-01-03T04:00:00+01:00"},'
    . '"explanationURL":"https://ca.test/why"}'), 'Pebble has another';
$t->look_again('a.test');
my $next = $t->wait_new_serial('a.test', $cert->{serial}) or $t->give_up;
isnt $next->{serial}, $cert->{serial}, 'renewed';
like $t->log, qr{renewal suggested, lineage "a\.test".*; see https://ca\.test},
    'the log says why';

$t->done;

sub seconds ($window)
{
    require Time::Local;
    my ($y, $m, $d, $H, $M, $S) = $window->{pick} =~ /(\d+)/g;
    return Time::Local::timegm($S, $M, $H, $d, $m - 1, $y);
}
