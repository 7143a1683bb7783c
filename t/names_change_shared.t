#!/usr/bin/perl
# Two servers share a lineage, and each changes its names: what one of them
# still calls by its first name the other one finds again by another.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $one = Acme::Test->new(ca => 'own');
my $two = Acme::Test->new;
my $ca = $one->ca;
$two->configure(state => $one->state)->issuer('testca', ca => $ca);

my %verify = (ca_file => $ca->root_file, verify => 0);

# what a server wants in place of what it wanted
sub wants ($server, @names)
{
    $server->clear_config->configure(state => $one->state);
    $server->issuer('testca', ca => $ca)->site(\@names, acme => 'testca');
    $server->reload or $one->give_up('reload');
    return;
}

$one->site(['a.test', 'b.test'])->start;
my $first = $one->wait_certificate('a.test') or $one->give_up;
$two->site(['a.test', 'b.test'], acme => 'testca')->start;
is $two->serial('b.test'), $first->{serial}, 'both serve it';

wants($two, 'b.test');
is $two->serial('b.test'), $first->{serial}, 'without its first name';
is scalar @{ $one->status('a.test')->{declared} }, 2, 'two declare it still';
is_deeply [sort @{ $one->status('a.test')->{names} }], ['a.test', 'b.test'],
    'the union of both is wanted';
is $one->status('b.test'), undef, 'there is no other lineage';

# a name more for one of them is there for both
wants($two, 'c.test', 'b.test');
ok $two->wait_certificate('c.test', 40, %verify), 'a name more';
my $more = $one->wait_new_serial('a.test', $first->{serial}) or $one->give_up;
is $more->{serial}, $two->serial('c.test'), 'in the certificate of both';

# who has begun it goes
wants($one, 'd.test');
ok $one->wait_certificate('d.test', 40), 'other names';
$two->restart;
is $two->serial('b.test'), $two->serial('c.test'), 'the other goes on';
is $one->live_version('a.test'), 2, 'with the lineage as it is called';
is scalar($ca->orders), 3, 'an order for each new name';

undef $two;    # its teardown
$one->done;
