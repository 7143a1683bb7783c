#!/usr/bin/perl
# account rekey of a key that two CAs know: all or nothing.  The second CA
# refuses, or acmectl is killed when only the first has the new key; orders in
# flight; a key that is a file of the operator's.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use Acme::CA::X509 qw(new_key);

my $t = Acme::Test->new(ca => 'own');
my $other = $t->add_ca('own');
my $third = $t->add_ca('own');
my ($first, $second) = sort { $a->url cmp $b->url } $t->ca, $other;
my ($exit, $out, $err);
sub account (@args) { ($exit, $out, $err) = $t->acmectl(@args) }
sub prints () { return map { ($_->accounts)[0]{thumbprint} } $first, $second }
sub serial ($name, $ca) { return $t->serial($name, ca_file => $ca->root_file) }
my @args = ('account', 'rekey', '--server', $first->url);

my $file = $t->dir . '/conf/mine.pem';
open my $handle, '>', $file or die;
print $handle new_key('ecdsa:256');
close $handle or die;
chmod 0600, $file;
$t->issuer('one', ca => $first);
$t->issuer('two', ca => $second);
$t->issuer('mine', ca => $third, account_key => $file);
# by force a name is renewed once an hour: another one each time
$t->site($_, acme => 'one') for qw(a.test d.test e.test);
$t->site('b.test', acme => 'two')->site('c.test', acme => 'mine');
$t->start;
my %ca = ((map { $_ => $first } qw(a.test d.test e.test)), 'b.test' => $second, 'c.test' => $third);
for my $name (sort keys %ca) {
    $t->wait_for(sub { serial($name, $ca{$name}) }, 30) or $t->give_up;
}
my ($old) = prints();
my @keys = grep { m{^keys/} } $t->state_files;

# the operator's own
account('account', 'rekey', '--server', $third->url);
is $exit, 1, 'a key of the operator';
like $err, qr/\Q$file\E.*"account_key".*"ACMEAccountKey"/, 'is his to change';

# the second one refuses
$second->fault(where => 'keyChange', do => 'error', status => 500);
account(@args);
is $exit, 1, 'one CA says no';
like $err, qr/\Q@{[$second->url]}\E: .*key is not changed.*rolled back/s,
    'which, and what became of it';
is_deeply [prints()], [$old, $old], 'both have the old key';
is_deeply [grep { m{^keys/} } $t->state_files], \@keys, 'so has the state';
is scalar($first->requests('keyChange')), 2, 'the first had the new one';

# its answer is lost
$second->clear_faults;
$second->fault(where => 'keyChange', do => 'drop-after', times => 1);
account(@args);
is $exit, 0, 'an answer that was lost was a yes' or diag $err;
my ($new) = prints();
isnt $new, $old, 'another key';
is_deeply [prints()], [$new, $new], 'at both';

# killed after the first
$second->fault(where => 'keyChange', do => 'hang');
my $done = $first->requests('keyChange');
account({ timeout => 5 }, @args);
is $exit, 'timeout', 'killed when the second was asked';
is scalar(@{[$first->requests('keyChange')]}), $done + 1, 'after the first';
my ($half) = prints();
isnt $half, $new, 'which has a third key';
is_deeply [prints()], [$half, $new], 'the second does not';
$second->clear_faults;
for my $name ('a.test', 'b.test') {
    my $serial = serial($name, $ca{$name});
    account('renew', '--force', '--cert-name', $name);
    is $exit, 0, "$name is renewed all the same" or diag $err;
    isnt serial($name, $ca{$name}), $serial, '  with another certificate';
}

# the CA has the new key, and the state directory was not told
my @now = $second->accounts;
account(@args);
is $exit, 0, 'completed by the next one' or diag $err;
is_deeply [prints()], [$half, $half], 'with the key that the first has';
ok !-e $t->state('keys', 'rekey.json'), 'nothing is left';

# killed when the CA had changed its mind, before anybody here knew
$first->fault(where => 'keyChange', do => 'latency', seconds => 20, times => 1);
account({ timeout => 4 }, @args);
is $exit, 'timeout', 'killed while the answer was on its way';
$first->clear_faults;
my ($unknown) = prints();
isnt $unknown, $half, 'the CA has the new key';
my $serial = serial('d.test', $first);
account('renew', '--force', '--cert-name', 'd.test');
is $exit, 0, 'the server finds that out' or diag $err;
isnt serial('d.test', $first), $serial, 'and renews';
is_deeply [prints()], [$unknown, $half], 'with what there is';
is $t->http_get('/.well-known/acme-challenge/x', host => 'a.test')->{body},
    "x.$unknown", 'its answers are for that key';
account(@args);
is $exit, 0, 'and the next one completes it' or diag $err;
is_deeply [prints()], [$unknown, $unknown], 'at both';
is scalar($_->accounts), 1, 'no other account anywhere' for $first, $second;

# orders in flight
$first->fault(where => 'finalize', do => 'hang');
$t->acmectl('renew', '--force', '--no-wait', '--cert-name', 'e.test');
$t->wait_for(sub { -e $t->state('orders', 'e.test', 'order.json') }, 10,
    'an order');
account(@args);
is $exit, 1, 'not while an order is in flight';
like $err, qr/lineage "e\.test".*--force/s, 'it is named';
is_deeply [prints()], [$unknown, $unknown], 'nothing was changed';
ok !-e $t->state('keys', 'rekey.json'), 'nor begun';
$first->clear_faults;
account(@args, '--force');
is $exit, 0, 'with --force' or diag $err;
isnt +(prints())[0], $unknown, 'another key';
ok -l $t->state('live', 'e.test'), 'the certificate stays';

$t->done;
