#!/usr/bin/perl
# dns-persist-01: a record that one of the zone's name servers has not got yet
# is not enough, as the CA may ask that one; real name servers.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

Acme::Test->need_root;      # port 53
my $t = Acme::Test->new(ca => { type => 'pebble', nonce_reject => 0 },
    knot => { secondary => 1, zones => { 'a.test' => { } } });
my ($major, $minor) = $t->ca->version =~ /^(\d+)\.(\d+)/;
plan skip_all => 'Pebble ' . $t->ca->version . ' has no dns-persist-01'
    if !defined $minor || $major == 2 && $minor < 10;

my $knot = $t->dns;
$t->issuer('pebble', ca => $t->ca, issuer_domain => 'pebble.letsencrypt.org',
    challenge => 'dns-persist-01=draft-00');
$t->configure(dns_resolver => $knot->address);
$t->site('a.test', acme => 'pebble')->start;

sub attempt () { return $t->acmectl('renew', '--cert-name', 'a.test') }

ok $t->wait_for(sub { ($t->status('a.test') // {})->{error} }, 10, 'an error')
    or $t->give_up;
my ($value) = $t->status('a.test')->{error}{text}
    =~ /publish: _validation-persist\.a\.test\. 600 IN TXT (".*")$/
    or $t->give_up;
$knot->add('a.test', '_validation-persist', 'TXT', $value);
my ($exit, undef, $error) = attempt();
is $exit, 1, 'one of two name servers has it';
my $second = $knot->address('secondary');
like $error, qr/dns-persist-01 of "a\.test": the name server \Q$second\E has (?#
    )not got the record/, '  which the error says';
unlike $t->ca->log, qr/Pulled a task/, '  and the CA was not asked to look';
$knot->follow;
($exit, undef, $error) = attempt();
is $exit, 0, 'both have it' or diag $error;
ok $t->peer_certificate('a.test', verify => 1), 'it is served';

# what cannot be asked is not held against the record
$knot->stop('secondary');
($exit, undef, $error) = $t->acmectl('renew', '--force', '--cert-name',
    'a.test');
is $exit, 0, 'one does not answer' or diag $error;
$t->done;
