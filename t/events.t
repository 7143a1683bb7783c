#!/usr/bin/perl
# What happens is told, each thing once and in order: a first certificate, a
# renewal, a failure, an account; and nothing by a reload or a restart.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->site(['a.test', 'www.a.test'])->start;
$t->wait_certificate('a.test') or $t->give_up;

sub told ()
{
    return join ', ', map {
        $_->{event} . ($_->{subject} ? " $_->{subject}" : '')
    } $t->events('a.test');
}

my $challenges = 'challenge-setup http-01:a.test, '
    . 'challenge-setup http-01:www.a.test';
my $first = "renewing, $challenges, renewed, installed";
ok $t->wait_for(sub { told() =~ /installed/ }, 5), 'it is served';
is told(), $first, 'each step, once';

my @all = $t->events;
is $all[0]{event}, 'account-created', 'before that, an account';
is $all[0]{lineage}, undef, 'which is of no certificate';
my ($renewed) = grep { $_->{event} eq 'renewed' } @all;
my $leaf = $t->live_certificate('a.test');
is lc $renewed->{serial}, lc $leaf->{serial}, 'the serial';
is $renewed->{version}, 1, 'version';
is $renewed->{key}, 'ecdsa:256', 'key';
is $renewed->{issuer}, $t->issuer_name('testca'), 'issuer';
like $renewed->{text}, qr/obtained/, 'the first one is obtained';
my $host = $t->host;
like $_->{by}, qr{^$host:/}, "$_->{event}: by this server" for @all;
like $_->{at}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, "$_->{event}: when"
    for @all;

my $file = $t->state('events.jsonl');
is sprintf('%04o', (stat $file)[2] & 07777), '0600', 'for nobody else to read';

ok $t->reload, 'reload';
$t->wait_helpers;
$t->restart;
$t->wait_helpers;
sleep 2;
is told(), $first, 'reload and restart tell nothing';

# authorizations are made anew for each order
is +($t->acmectl('renew', '--force'))[0], 0, 'renew';
ok $t->wait_for(sub { told() =~ /installed.*installed/ }, 5), 'served';
is told(), "$first, $first", 'and the same again';
like +($t->events('a.test'))[-2]{text}, qr/renewed/, 'this one is renewed';
is +($t->events('a.test'))[-1]{version}, 2, 'version 2';

$t->ca->fault(where => 'newOrder', do => 'error', status => 403,
    type => 'rejectedIdentifier', detail => "not \e[2J\n you");
$t->site('b.test')->reload;
ok $t->wait_for(sub { $t->events('b.test') >= 2 }, 10), 'a failure';
is join(', ', map { $_->{event} } $t->events('b.test')),
    'renewing, errored', 'is told';
my $error = ($t->events('b.test'))[-1];
is $error->{problem}, 'rejectedIdentifier', 'with its type';
like $error->{text}, qr/not \\x1b\[2J\\x0a you/, "and the CA's words, harmless";
is $error->{next_attempt}, $t->status('b.test')->{next_attempt},
    'and when it is tried again';

$t->done;
