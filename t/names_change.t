#!/usr/bin/perl
# Names come and go, change places and certificates.  What is valid for a name
# is served from the first handshake after the reload on, with a CA that is
# not there, and an order is placed only for what no certificate covers.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my %serial;

sub sites (@sites)
{
    $t->clear_config;
    $t->site($_) for 'default.test', @sites;
    return;
}

# Each name's certificate is the one that it had under another name before.
sub still_served ($what, %from)
{
    for my $name (sort keys %from) {
        my $seen = $t->peer_certificate($name, verify => 1);
        is $seen && $seen->{serial}, $serial{ $from{$name} },
            "$what: $name is served";
    }
    return;
}

# A reload and a restart that the CA has no part in.
sub without_ca ($what, %from)
{
    $t->ca->freeze;
    $t->reload or $t->give_up('reload');
    still_served($what, %from);
    $t->restart;
    still_served("$what, after a restart", %from);
    $t->ca->thaw;
    return;
}

sub wait_all (@names)
{
    for my $name (@names) {
        my $seen = $t->wait_certificate($name, 60) or $t->give_up($name);
        $serial{$name} = $seen->{serial};
    }
    return;
}

sites(['a.test', 'b.test', 'c.test'], 'm.test', 'n.test',
    ['s.test', 't.test']);
$t->start;
wait_all(map { "$_.test" } qw(a b c m n s t));
is scalar($t->ca->orders), 5, 'an order each';

# the first name goes, the others change places
sites(['c.test', 'b.test'], 'm.test', 'n.test', ['s.test', 't.test']);
without_ca('another first name',
    map { ("$_.test" => "$_.test") } qw(b c m n s t));
is $t->live_version('a.test'), 1, 'the lineage stays who it was';
is $t->status('c.test'), undef, 'and there is no other';

# a new first name
sites(['x.test', 'c.test', 'b.test'], 'm.test', 'n.test',
    ['s.test', 't.test']);
without_ca('a name more', map { ("$_.test" => "$_.test") } qw(b c));
wait_all('x.test');
is $t->live_version('a.test'), 2, 'is a version of it';
is scalar($t->ca->orders), 6, 'for one order, and none before';
is $t->serial('b.test'), $serial{'x.test'}, 'b.test has it too';

# two become one
sites(['x.test', 'c.test', 'b.test'], ['m.test', 'n.test'],
    ['s.test', 't.test']);
without_ca('two in one', map { ("$_.test" => "$_.test") } qw(m n));
$t->wait_new_serial('n.test', $serial{'n.test'}, 60) or $t->give_up;
wait_all('m.test', 'n.test');
is $serial{'n.test'}, $serial{'m.test'}, 'both have the new one then';
is $t->live_version('m.test'), 2, 'of the first one\'s lineage';
is scalar($t->ca->orders), 7, 'one order for them';
like $t->state_text('live', 'n.test', 'cert.pem'), qr/BEGIN CERTIFICATE/,
    'nothing of the other is lost';

# one becomes two
sites(['x.test', 'c.test', 'b.test'], ['m.test', 'n.test'], 't.test',
    's.test');
without_ca('one in two', 's.test' => 's.test', 't.test' => 's.test');
$t->wait_new_serial('t.test', $serial{'t.test'}, 60) or $t->give_up;
wait_all('t.test');
is $t->live_version('t.test'), 1, 'the second is a lineage';
is $t->serial('s.test'), $serial{'s.test'}, 'the first has what it had';
is scalar($t->ca->orders), 8, 'one order for them';

# a name of the administrator's goes before (httpd has none)
my $chosen = $t->of(nginx => 'chosen', httpd => 't.test');
$t->clear_config->site('default.test');
$t->site('t.test', $t->host eq 'nginx' ? (lineage => 'chosen') : ());
without_ca('another lineage', 't.test' => 't.test');
ok $t->wait_for(sub { $t->live_version($chosen) }, 60,
    "a certificate of $chosen"), 'has a certificate of its own';

$t->done;
