#!/usr/bin/perl
# Mistakes about the DNS are found when the configuration is tested: the name
# server, the key's file and what is in it, zones, times.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $conf = $t->dir . '/conf';
my $secret = 'c2VjcmV0IG9mIGFuIHVwZGF0ZSBrZXk=';
my $ca = $t->ca;

spew("$conf/good.key", "hmac-sha256:update:$secret\n", 0600);
spew("$conf/open.key", "hmac-sha256:update:$secret\n", 0644);
spew("$conf/bad.key", "update $secret\n", 0600);
spew("$conf/md5.key", "hmac-md5:update:$secret\n", 0600);

my @wrong = (
    [dns_update => '192.0.2.1', qr/it needs the primary name server and the/],
    [dns_update => "192.0.2.1:x $conf/good.key",
        qr/"192\.0\.2\.1:x" is no name server, such as/],
    [dns_update => "192.0.2.1 $conf/none.key",
        qr/cannot use TSIG key "\S+none\.key".*No such file/],
    [dns_update => "192.0.2.1 $conf/open.key", qr/open\.key"\ is\ open\ to\ every
        \ user\ \(mode\ 644\);\ chmod\ 600/x],
    [dns_update => "192.0.2.1 $conf/bad.key",
        qr/TSIG key "\S+bad\.key": it is no TSIG key such as: key/],
    [dns_update => "192.0.2.1 $conf/md5.key",
        qr/its algorithm must be hmac-sha256/],
    [dns_delegation => '*.a.test', qr/"\*\.a\.test": it is not the name of/],
    [dns_propagation => '0', qr/"0": it must be a time of 1 to/],
    [dns_propagation => '10 5 1', qr/it needs how long the DNS may take/],
    [dns_resolver => 'ns.test', qr/"ns\.test" is no name server, such as/],
    [dns_resolver => '192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4',
        qr/more than 3 name servers/],
);

sub test_with (%settings)
{
    $t->clear_config;
    $t->issuer('testca', ca => $ca);
    $t->configure(challenge => 'dns-01', %settings);
    $t->site('a.test');
    return $t->test_config;
}

my ($exit, $out) = test_with(dns_update => "192.0.2.1 $conf/good.key",
    dns_delegation => 'a.test b.test', dns_propagation => 'off',
    dns_resolver => '192.0.2.1 [2001:db8::1]:53');
is $exit, 0, 'all of them at their best' or diag $out;

for my $case (@wrong) {
    my ($setting, $words, $message) = @$case;

    ($exit, $out) = test_with(
        dns_update => "192.0.2.1 $conf/good.key", $setting => $words);
    ok $exit != 0 && $out =~ $message, "$setting $words"
        or diag "exit $exit: $out";
    unlike $out, qr/\Q$secret\E/, 'no secret is shown';
}
# who is to make the records, has to be clear
spew("$conf/hook", "#!/bin/sh\n", 0755);
my %means = (dns_update => "192.0.2.1 $conf/good.key",
    challenge_cmd => "uacme $conf/hook");
($exit, $out) = test_with(%means);
ok $exit != 0 && $out =~ $t->of(
    nginx => qr/"acme_(?:dns_update": .*acme_challenge_cmd|(?#
        )challenge_cmd": .*acme_dns_update) .*remove one of the two/,
    httpd => qr/ACME(?:DNSUpdate: .*ACMEChallengeCmd|(?#
        )ChallengeCmd: .*ACMEDNSUpdate)\) .*remove one of the two/),
    'a command and updates' or diag "exit $exit: $out";
($exit, $out) = test_with(%means, challenge_cmd => 'none');
is $exit, 0, 'no command and updates' or diag $out;
is_deeply [glob "$t->{dir}/var/*"], [], 'no file was made';
$t->done;
