#!/usr/bin/perl
# dns-persist-01: the record is looked up and judged before a challenge is
# answered, so that a missing or wrong one costs no failed validation and tells
# what to publish; a right one proves a name and its wildcard, and the renewal.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'pebble', nonce_reject => 0 });
my ($major, $minor) = $t->ca->version =~ /^(\d+)\.(\d+)/;
plan skip_all => 'Pebble ' . $t->ca->version . ' has no dns-persist-01'
    if !defined $minor || $major == 2 && $minor < 10;

my $owner = '_validation-persist.a.test';
my $domain = 'pebble.letsencrypt.org';

$t->issuer('pebble', ca => $t->ca, issuer_domain => $domain,
    challenge => 'dns-persist-01=draft-00');
$t->configure(dns_resolver => $t->dns->address);
$t->site(['a.test', '*.a.test'], acme => 'pebble');
$t->start;

# What the next attempt says; the record is TEXT.
sub attempt ($text)
{
    $t->dns->clear(txt => $owner);
    $t->dns->txt($owner, $text) if defined $text;
    my ($exit, $out, $err) = $t->acmectl('renew', '--cert-name', 'a.test');
    return $exit == 0 ? 'ok' : $err;
}

ok $t->wait_for(sub { ($t->status('a.test') // {})->{error} }, 10, 'an error')
    or $t->give_up;
my $error = $t->status('a.test')->{error}{text};
my ($line) = $error =~ /there is no such record; publish: (\S.*)$/
    or $t->give_up($error);
my (undef, $records) = $t->acmectl('dns', 'records', '--type',
    'dns-persist-01', 'a.test');
my ($wildcard) = $records =~ /^(.*)$/m;
is $line, $wildcard, 'the error has the line that acmectl prints';
my ($value) = $wildcard =~ /^\Q$owner\E\. 600 IN TXT "(.*)"$/;
like $value, qr{^\Q$domain\E; accounturi=https://\S+; policy=wildcard$},
    'for this account, and wildcards';
my $exact = $value =~ s/; policy=wildcard//r;

for my $case (
    ['ca.test; accounturi=https://ca.test/1', qr/it is not about this CA/],
    [$exact . '0; policy=wildcard', qr/it is not about this account/],
    [$value . ';', qr/it is malformed/],
    [$exact, qr/it is not for wildcards/],
    [$value . '; persistUntil=1', qr/its persistUntil is over/]) {
    my ($text, $why) = @$case;
    my $said = attempt($text);
    like $said, $why, "not answered with: $text";
    like $said, qr/; publish: \Q$owner\E\. /, '  and what should be there';
}
unlike $t->ca->log, qr/Pulled a task/, 'the CA has had nothing to look at';
is $t->ca->orders, 1, 'it was one order';

my $odd = " $domain ;POLICY = WildCard;  accountURI=" . $value =~ s/.*?uri=//r
    =~ s/;.*//r;
is attempt($odd), 'ok', "good, in odd letters: $odd" or $t->give_up;
ok $t->wait_certificate($_), "$_: a certificate" for qw(a.test x.a.test);
like $t->ca->log, qr/Pulled a task/, 'the CA has looked';

# a name so long that the line would be cut off in a message
my $long = join '.', ('n' x 60) x 3, 'test';
$t->dns->txt('_validation-persist.long.test', $exact);
$t->site('long.test', identifiers => ['long.test', $long], acme => 'pebble');
ok $t->reload, 'a long name';
ok $t->wait_log(qr/"\Q$long\E": there is no such record; acmectl dns records/),
    'is not published in part';

my $serial = $t->serial('a.test');
my ($exit, undef, $err) = $t->acmectl('renew', '--force', '--cert-name',
    'a.test');
is $exit, 0, 'renewed with the same record' or diag $err;
ok $t->wait_new_serial('a.test', $serial), 'another certificate';

$t->done;
