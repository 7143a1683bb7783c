#!/usr/bin/perl
# Challenges are answered on the plain port for the names we manage, without
# any state and in no other form than RFC 8555 8.3 asks for.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

use constant PATH => '/.well-known/acme-challenge';

my $t = Acme::Test->new(ca => 'own');
$t->site(['a.test', 'b.test'])->start;
$t->wait_certificate('a.test') or $t->give_up;

my ($thumbprint) = ($t->acmectl('key', 'thumbprint'))[1] =~ /^([\w-]{43}) /;
my $token = 'AZaz09_-' x 4;
my $mark = $t->log_mark;

my $answer = $t->http_get(PATH . "/$token", host => 'a.test');
is $answer->{status}, 200, 'answered';
is $answer->{body}, "$token.$thumbprint", 'with the thumbprint acmectl shows';
is $answer->{headers}{'content-type'}, 'text/plain', 'as plain text';
is $answer->{headers}{'x-content-type-options'}, 'nosniff', 'nosniff';
is $answer->{headers}{'cache-control'}, 'no-store', 'no-store';
is $answer->{headers}{'accept-ranges'}, undef, 'no ranges';
my $page = $t->http_get(PATH . "/$token", host => 'a.test', headers => {
    Origin => 'https://elsewhere.test', Referer => 'https://elsewhere.test/',
    'Access-Control-Request-Method' => 'GET' });
is join(' ', grep { /^access-control/ } keys %{ $page->{headers} }), '',
    'nothing for scripts of other sites';

# What a CA, or something on its way, may send as well.
my %also = (
    'the other name' => { host => 'b.test' },
    'upper case in Host' => { host => 'A.TEST' },
    'Host with a port' => { host => 'a.test:80' },
    'Host with a dot at the end' => { host => 'a.test.' },
    'HTTP/1.0' => { version => 'HTTP/1.0' },
    'a query' => { path => PATH . "/$token?x=1" },
    'an absolute request target' => { host => 'other.test',
        path => "http://a.test" . PATH . "/$token" },
    'Range' => { headers => { Range => 'bytes=0-3' } },
    'conditions' => { headers => { 'If-None-Match' => '*',
        'If-Modified-Since' => 'Sat, 21 Nov 2037 00:00:00 GMT' } },
    'a body' => { body => 'ignored' },
);
for my $what (sort keys %also) {
    my %o = (host => 'a.test', path => PATH . "/$token", %{ $also{$what} });
    my $got = $t->http_get(delete $o{path}, %o);
    ok $got->{status} == 200 && $got->{body} eq "$token.$thumbprint",
        $what or diag $got->{raw};
}

my $longest = 'x' x 128;
for my $fine ('x', $longest) {
    is $t->http_get(PATH . "/$fine", host => 'a.test')->{body},
        "$fine.$thumbprint", 'token of ' . length($fine) . ' characters';
}

my $head = $t->http_get(PATH . "/$token", host => 'a.test', method => 'HEAD');
is $head->{status}, 200, 'HEAD';
is $head->{headers}{'content-length'}, length "$token.$thumbprint",
    'with the length';
is $head->{body}, '', 'and no body';

# one connection, two requests
my $twice = $t->http_get('', raw => join '',
    map { 'GET ' . PATH . "/$_ HTTP/1.1\r\nHost: a.test\r\n"
        . "Connection: $_\r\n\r\n" } qw(keep-alive close));
unlike $twice->{raw}, qr/^Connection: close.*^Connection: /ms,
    'the connection is kept';
like $twice->{raw}, qr/keep-alive\.\Q$thumbprint\E/, 'the first answer';

# nginx tells at level info how clients close connections
is join("\n", grep { !/\[info\] .*recv\(\) failed/ }
    split /\n/, $t->log_since($mark)), '', 'no line in the log for all that';
$t->done;
