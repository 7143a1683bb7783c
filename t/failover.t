#!/usr/bin/perl
# Two CAs for one name: the second is asked when the first is down or refuses,
# not when the name cannot be proved; what it gave is kept, and the next
# renewal begins with the first again.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own', ca_start => 0);
my $first = $t->ca;
my $other = $t->add_ca('own');
my $roots = spew("$t->{dir}/ca/both.pem",
    join '', map { slurp($_->ca_file) } $first, $other);
$t->issuer('testca', ca => $first, ca_file => $roots);
$t->issuer('other', ca => $other, ca_file => $roots,
    account_key => 'rsa:2048');
$t->site('a.test', acme => 'testca,other');
$other->start;
$t->start;

my $name = $t->issuer_name('other');
my %of = (testca => $first->root_file, other => $other->root_file);

# The live certificate's CA.
sub from ($serial_before)
{
    return $t->wait_for(sub {
        for my $ca (sort keys %of) {
            my $seen = $t->peer_certificate('a.test', verify => 0,
                ca_file => $of{$ca}) or next;
            return if $seen->{serial} eq $serial_before;
            return $seen->{issuer} =~ /ca2/ ? 'other' : 'testca';
        }
        return;
    }, 10) // 'none';
}

$t->wait_log(qr/not obtained, lineage "a\.test"/) or $t->give_up;
is scalar($other->requests), 0, 'down once: the other is not asked yet';
$t->acmectl('renew');
my ($exit) = $t->acmectl('renew');
is $exit, 0, 'down three times: acmectl renew obtains it';
is from(''), 'other', 'from the other CA';
my $serial = $t->serial('a.test');
is $t->status('a.test')->{asked}{name}, $name, 'which the status tells';
my ($event) = grep { $_->{event} eq 'failed-over' } $t->events('a.test');
is $event->{issuer}, $name, 'and an event';
is $event->{subject}, $t->issuer_name('testca'), '  instead of whom';
my (undef, $out) = $t->acmectl('status');
like $out, qr/asked instead \s*\Q$name\E, since \d/, 'and acmectl';
is $t->status('a.test')->{state}, 'ok', 'and all is well';

# back again: nothing is replaced for that alone
$first->start;
$t->reload;
$t->wait_helpers;
sleep 2;
is $t->serial('a.test'), $serial, 'the first is back: nothing is replaced';
($exit) = $t->acmectl('renew', '--force');
is $exit, 0, 'a renewal';
is from($serial), 'testca', 'begins with the first again';
ok !$t->status('a.test')->{asked}, 'so the status says nothing of the other';

isnt(($first->accounts)[0]{thumbprint}, ($other->accounts)[0]{thumbprint},
    'each with a key of its own') if $t->server->name eq 'nginx';

# refused
$first->fault(where => 'newOrder', do => 'reject', times => 'always');
$t->site('b.test', acme => 'testca,other')->reload;
ok $t->wait_certificate('b.test', 10, verify => 0), 'refused: it is obtained';
ok $t->wait_log(qr/obtained, lineage "b\.test", issuer "\Q$name\E"/),
    'from the other';
$first->clear_faults;

# not proved
my $orders = $other->requests('newOrder');
$first->fault(where => 'validate', do => 'invalid', times => 'always');
$t->site('c.test', acme => 'testca,other')->reload;
ok $t->wait_log(qr/not obtained, lineage "c\.test".*validate a name/),
    'a name that cannot be proved';
$t->acmectl('renew', '--cert-name', 'c.test') for 1 .. 3;
is scalar($other->requests('newOrder')), $orders,
    'is not taken to the other CA';

$t->done;
