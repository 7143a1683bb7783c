#!/usr/bin/perl
# Pre-flight looks at what is outside, too: who answers at the addresses that a
# name has, and whether its CAA records allow the CA.  acmectl selftest shows
# it, before anything is ordered.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use IO::Socket::INET;
use JSON::PP;

Acme::Test->need_root;      # port 80

# Loopback addresses that no other test has; somebody else's server is at one.
my $net = join '.', 127, 64 + int(rand 128), int(rand 256);
my ($ours, $theirs, $silent) = map { "$net.$_" } 7, 9, 11;

my $t = Acme::Test->new(ca => { type => 'own', caa => ['ca.test'] }, dns => 1);

sub serve ($socket)
{
    while (my $client = $socket->accept) {
        sysread $client, my $request, 4096;
        print $client "HTTP/1.1 404 No\r\nContent-Length: 2\r\n"
            . "Connection: close\r\n\r\n\e[31m";
    }
}

my $other = IO::Socket::INET->new(LocalAddr => $theirs, LocalPort => 80,
    Listen => 8) or plan skip_all => "cannot listen at $theirs:80: $!";
my $stuck = IO::Socket::INET->new(LocalAddr => $silent, LocalPort => 80,
    Listen => 8) or plan skip_all => "cannot listen at $silent:80: $!";
$t->spawn(code => sub { serve($other) }, log => $t->dir . '/logs/other');

sub configure ($how)
{
    $t->clear_config->configure(preflight => $how,
        dns_resolver => $t->dns->address,
        global => { nginx => "server { listen $ours:80; }",
            httpd => "Listen $ours:80" });
    $t->site("$_.test") for qw(good elsewhere gone caa slow);
    return $t;
}

sub orders ($name)
{
    return scalar grep { $_->{names}[0] eq $name } $t->ca->orders;
}

$t->start_ca;
$t->dns->default_ipv4('');
$t->dns->a($_->[0], $_->[1]) for ['good.test', $ours],
    ['elsewhere.test', $theirs], ['caa.test', $ours], ['slow.test', $silent];
$t->dns->caa('caa.test', { tag => 'issue', value => 'other.test' });
$t->dns->caa('good.test', { tag => 'issue', value => 'ca.test' });
configure('require')->start;

my %why = (
    elsewhere => "elsewhere\\.test resolves to \Q$theirs\E, which answered 404 "
        . 'from another server',
    gone => qr/gone\.test has no address in the DNS/,
    caa => qr/the CAA records of caa\.test allow "other\.test", not "ca\.test"/,
);
ok $t->wait_certificate('good.test'), 'good.test: a certificate';
for my $name (sort keys %why) {
    ok $t->wait_log(qr/not obtained, lineage "$name\.test".*: $why{$name}/, 10),
        "$name.test: why there is none";
    is orders("$name.test"), 0, 'no order was made';
}
ok $t->wait_certificate('slow.test'),
    'what may be so from here alone does not count';
like $t->log, qr/"slow\.test": slow\.test .*\Q$silent\E, which did not answer/,
    'but is said';
unlike $t->log, qr/\e/, 'nothing of a body is shown';

my ($exit, $out) = $t->acmectl('selftest', '--json');
is $exit, 1, 'acmectl selftest: not all is well';
my %row = map { $_->{name} => $_ } @{ decode_json($out) };
is_deeply { map { $_ => $row{"$_.test"}{verdict} }
        qw(good elsewhere gone caa slow) },
    { good => 'good', elsewhere => 'bad', gone => 'bad', caa => 'bad',
        slow => 'doubt' }, 'verdicts';
like $row{'elsewhere.test'}{reachability}{text}, qr/^$why{elsewhere}$/,
    'and reasons';
is $row{'good.test'}{$_}{verdict}, 'good', "good.test: $_"
    for qw(binding reachability caa);
is $row{'good.test'}{challenge}, 'http-01', 'and its challenge';
($exit, $out) = $t->acmectl('selftest', '-d', 'good.test');
is $exit, 0, 'of one name';
is $out =~ s/ +/ /gr, "name challenge binding reachability CAA DNSSEC verdict\n"
    . "good.test http-01 good good good good good\n", 'as a table';
is +($t->acmectl('selftest', '-d', 'nobody.test'))[0], 1,
    'a name that is no certificate\'s';
is orders($_), $_ =~ /good|slow/ ? 1 : 0, "$_: no order for it"
    for map { "$_.test" } qw(good elsewhere gone caa slow);
$t->done;
