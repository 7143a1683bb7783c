#!/usr/bin/perl
# Little is left of the life of what is served: that is told once, not again
# by a restart; and a failure is critical then.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

# each certificate has a fiftieth of its life before it
my $t = Acme::Test->new(ca => { type => 'own', validity => 10_200,
    backdate => 10_000 });
$t->expect_log($t->of(nginx => qr/\[crit\].*not renewed/,
    httpd => qr/:crit\].*not renewed/));
$t->site('a.test')->start;
my $seen = $t->wait_certificate('a.test') or $t->give_up;

sub expiring ()
{
    return grep { $_->{event} eq 'expiring' } $t->events('a.test');
}

ok $t->wait_for(sub { expiring() }, 5), 'it expires';
my ($event) = expiring();
is lc $event->{serial}, lc $seen->{serial}, 'this one';
is $event->{issuer}, $t->issuer_name('testca'), 'of this CA';
like $event->{text}, qr/expires at \Q$event->{not_after}\E/, 'at that time';
$t->restart;
$t->wait_helpers;
sleep 3;
is scalar(expiring()), 1, 'once, whatever the restarts';

$t->ca->fault(where => 'newOrder', do => 'error', status => 500,
    times => 'always');
my $crit = $t->level('crit');
isnt +($t->acmectl('renew', '--force'))[0], 0, 'a failure';
ok $t->wait_log(qr/$crit.*certificate not renewed, lineage "a\.test"/),
    'is critical';
is +($t->events('a.test'))[-1]{event}, 'errored', 'and told';

is scalar(expiring()), 1, 'that it expires has been said';

$t->done;
