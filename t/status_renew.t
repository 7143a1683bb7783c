#!/usr/bin/perl
# A renewal asked for over HTTP: only where "admin" is said, with a field that
# pages of other sites cannot send, and once in a while.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test', status => 'on')->site('b.test')
    ->site('plain.test', acme => undef, default => 1, status => 'admin')
    ->start;
$t->wait_certificate($_) or $t->give_up for qw(a.test b.test);

# POST; with a field of ours unless `headers` says else
sub renew ($name, %o)
{
    return $t->http_get("/acme-status/renew?name=$name", method => 'POST',
        body => '', headers => { 'X-ACME-Admin' => 1 }, %o);
}

my $port = $t->port('http');
is renew('a.test', headers => {})->{status}, 403, 'without the field';
is renew('a.test', headers => { 'X-ACME-Admin' => 1,
        Origin => "http://evil.test:$port" })->{status}, 403,
    'from a page of another site';
is renew('a.test', headers => { 'X-ACME-Admin' => 1,
        'Sec-Fetch-Site' => 'cross-site' })->{status}, 403,
    'so the browser says';
is renew('a.test', headers => { 'X-ACME-Admin' => 1,
        'X-Forwarded-For' => '127.0.0.1' })->{status}, 403, 'by a proxy';
is renew('a.test', host => "rebind.test:$port")->{status}, 403,
    'under a name of somebody else';
is renew('a.test', method => 'GET')->{status}, 405, 'GET';
is renew('none.test')->{status}, 404, 'one that there is not';
is $t->http_get('/acme-status/renew', method => 'POST', body => '',
    headers => { 'X-ACME-Admin' => 1 })->{status}, 400, 'without a name';

my $mark = $t->log_mark;
my $yes = renew('a.test', headers => { 'X-ACME-Admin' => 1,
        'Sec-Fetch-Site' => 'same-origin',
        Origin => "http://127.0.0.1:$port" });
is $yes->{status}, 202, 'asked for' or diag $yes->{raw};
is decode_json($yes->{body})->{name}, 'a.test', 'the one named';
my $no = renew('a.test');
is $no->{status}, 429, 'again';
cmp_ok $no->{headers}{'retry-after'}, '>', 0, 'and when';
ok $t->wait_for(sub { ($t->live_version('a.test') // 0) == 2 }, 20),
    'it is renewed';
ok $t->wait_log(qr/a renewal is asked for by a request, lineage "a\.test"/, 5,
    since => $mark), 'which the log says';
ok $t->wait_for(sub {
    (renew('a.test')->{headers}{'retry-after'} // 0) > 3000;
}, 10), 'for an hour it is the last one';

is renew('b.test')->{status}, 202, 'another one';
ok $t->wait_for(sub { ($t->live_version('b.test') // 0) == 2 }, 20),
    'is renewed';

# a new configuration, with the memory of workers empty: the engine remembers
ok $t->reload, 'reload';
$t->wait_helpers;
$mark = $t->log_mark;
is renew('a.test')->{status}, 202, 'asked for again';
ok $t->wait_log(qr/asked for has failed, lineage "a\.test": .* less than an /,
    20, since => $mark), 'is too soon';
is $t->live_version('a.test'), 2, 'not renewed';
is scalar($t->ca->orders), 4, 'and nothing was ordered';
$t->done;
