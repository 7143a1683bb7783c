#!/usr/bin/perl
# Two servers on one state directory: what one renews the other only serves,
# and that is all that it tells.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $one = Acme::Test->new(ca => 'own');
my $two = Acme::Test->new;
$two->configure(state => $one->state)->issuer('testca', ca => $one->ca);
$one->site('a.test')->start;
$one->wait_certificate('a.test') or $one->give_up;
$two->site('a.test', acme => 'testca')->start;
$two->wait_helpers;
my %verify = (ca_file => $one->ca->root_file, verify => 0);
my $seen = $two->wait_certificate('a.test', 5, %verify) or $one->give_up;
sleep 2;

# What each has told of it, by the first word of its `by`.
sub told ()
{
    my %told;
    push @{ $told{ $_->{by} } }, $_->{event} for $one->events('a.test');
    return \%told;
}

my ($first) = map { $_->{by} } $one->events('a.test');
my @all = qw(renewing challenge-setup renewed installed);
is_deeply told(), { $first => \@all }, 'at its start the second tells nothing';

# by whichever of the two
is +($one->acmectl('renew', '--force', '--cert-name', 'a.test'))[0], 0,
    'renewed';
ok $_->wait_new_serial('a.test', $seen->{serial}, 5, verify => 0),
    'both serve it' for $one, $two;
ok $one->wait_for(sub {
    3 == grep { $_->{event} eq 'installed' } $one->events }, 5),
    'both say so';
sleep 2;
my $told = told();
is scalar(keys %$told), 2, 'by their names';
my @new = map { $_ eq $first ? [@{ $told->{$_} }[4 .. $#{ $told->{$_} }]]
    : $told->{$_} } sort keys %$told;
is_deeply [sort { @$a <=> @$b } @new], [['installed'], \@all],
    'one has renewed it, the other only serves it';

undef $two;
$one->done;
