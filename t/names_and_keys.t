#!/usr/bin/perl
# Several servers with several kinds of certificate: each client gets the one
# for the name it asks for, whichever protocol version and key it knows.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->site('default.test', default => 1);
$t->site('rsa.test', key => 'rsa:2048');
$t->site('p384.test', key => 'ecdsa:384');
$t->site(['wide.test', 'www.wide.test', 'm.wide.test']);
$t->site('chosen.test', identifiers => ['chosen.test', 'more.test'],
    lineage => 'of-our-choice');
$t->site($t->of(nginx => '.dot.test', httpd => ['dot.test', 'www.dot.test']));
$t->site('both.test', identifiers => ['both.test', 'other.test']);
$t->site('other.test', identifiers => ['other.test', 'both.test']);
$t->start;

my %names = (
    'default.test' => ['default.test'], 'rsa.test' => ['rsa.test'],
    'p384.test' => ['p384.test'],
    'm.wide.test' => ['m.wide.test', 'wide.test', 'www.wide.test'],
    'chosen.test' => ['chosen.test', 'more.test'],
    'dot.test' => ['dot.test', 'www.dot.test'],
    'www.dot.test' => ['dot.test', 'www.dot.test'],
    'both.test' => ['both.test', 'other.test'],
    'other.test' => ['both.test', 'other.test'],
);
my %got = map { $_ => $t->wait_certificate($_, 60) || $t->give_up }
    sort keys %names;
is_deeply [sort @{ $got{$_}{names} }], $names{$_}, "names for $_"
    for sort keys %names;

is "$got{$_}{key} $got{$_}{bits}", "ecdsa 256", "$_: the default key"
    for qw(default.test chosen.test);
is "$got{'rsa.test'}{key} $got{'rsa.test'}{bits}", 'rsa 2048', 'rsa:2048';
is "$got{'p384.test'}{key} $got{'p384.test'}{bits}", 'ecdsa 384', 'ecdsa:384';

for my $tls (qw(1.2 1.3)) {
    my $seen = $t->peer_certificate('rsa.test', tls => $tls, kind => 'rsa');
    is $seen && $seen->{serial}, $got{'rsa.test'}{serial},
        "TLS $tls, a client that knows RSA only";
    ok !$t->peer_certificate('rsa.test', tls => $tls, kind => 'ecdsa'),
        'and one that does not';
    $seen = $t->peer_certificate('default.test', tls => $tls,
        kind => 'ecdsa');
    is $seen && $seen->{serial}, $got{'default.test'}{serial},
        "TLS $tls, a client that knows ECDSA only";
    ok !$t->peer_certificate('default.test', tls => $tls, kind => 'rsa'),
        'and one that does not';
}

is $t->serial(undef), $got{'default.test'}{serial}, 'no SNI: the default';
is $t->serial('nobody.test'), $got{'default.test'}{serial},
    'unknown name: the default';
is $got{'both.test'}{serial}, $got{'other.test'}{serial},
    'equal sets of names share a certificate';
is $t->live_version($t->of(nginx => 'of-our-choice', httpd => 'chosen.test')),
    1, 'lineage of our choice, where there is one';
is $got{'default.test'}{depth}, 2, 'the chain is sent, without the root';
is scalar($t->ca->orders), 7, 'one order for each';
is scalar($t->ca->accounts), 1, 'one account';

$t->done;
