#!/usr/bin/perl
# The status document over HTTP, from the memory of workers: what acmectl
# tells but for paths, commands and words of programs (S47), for clients on this
# host only, who come under a name of this host.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;
use JSON::PP;

use constant PATH => '/acme-status';

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
my $evil = qq(<script>alert("1")</script>\e[31m\x{202e}\n' onload=x);
$t->ca->fault(where => 'newOrder', name => 'bad.test', do => 'error',
    type => 'rejectedIdentifier', status => 403, detail => $evil,
    times => 'always');
my $hook = $t->dir . '/hook';
$t->configure(hook => qq(deploy "echo 'of-a-program'; false $hook"));
$t->site('a.test', status => 'on')
    ->site('bad.test')
    ->site('plain.test', acme => undef, default => 1, status => 'on')
    ->site([qw(status.test 192.0.2.7 other.test)], acme => undef,
        status => 'on Status.Test 192.0.2.7')
    ->start;
$t->wait_certificate('a.test') or $t->give_up;

sub get (%o) { return $t->http_get(delete $o{path} // PATH, %o) }

# what acmectl tells, but for what is of servers, of acmectl and for root
my $all;
sub told ()
{
    my ($exit, $out) = $t->acmectl('status', '--json');
    my $document = decode_json($all = $out);
    delete @$document{qw(state_dir servers server lineages_omitted)};
    for my $lineage (@{ $document->{lineages} }) {
        delete $lineage->{files};
        s/:.*// for @{ $lineage->{declared} };
        for my $hook (@{ $lineage->{hooks} // [] }) {
            delete @$hook{qw(command output)};
            $hook->{failed} = JSON::PP::true if defined delete $hook->{error};
        }
    }
    return $document;
}

my ($got, $served, $told);
ok $t->wait_for(sub {
    $got = get();
    $told = told();
    $served = eval { decode_json($got->{body}) } or return;
    return $told->{lineages}[1]{error} && $told->{lineages}[0]{hooks}
        && JSON::PP->new->canonical->encode($told->{lineages})
            eq JSON::PP->new->canonical->encode($served->{lineages});
}, 20, 'the same as from acmectl') or diag $got->{raw};
is $got->{status}, 200, 'status';
is $got->{headers}{'content-type'}, 'application/json', 'as JSON';
like $got->{headers}{'cache-control'}, qr/no-store/, 'kept by nobody';
my $server = delete $served->{server};
delete $served->{recent};
ok $t->wait_for(sub {
    "@{[sort map { $_->{event} }
        @{ decode_json(get()->{body})->{recent} }]}" eq 'errored renewed';
}, 10), 'what has happened' or diag get()->{body};
is_deeply [map { $_->{name} } @{ delete $served->{issuers} }],
    [$t->issuer_name('testca')], 'and what was counted';
is $server->{name}, $t->host, 'whose it is';
like $server->{since}, qr/^\d{4}-\d\d-\d\dT/, 'since when';
is_deeply $served, $told, 'the document of acmectl status --json';
ok $told->{lineages}[0]{hooks}[0]{failed}, 'with a hook that failed';
for my $private ($t->dir, 'of-a-program', 'false', 'live/a.test') {
    like $all, qr/\Q$private/, "acmectl tells: $private";
    unlike $got->{body}, qr/\Q$private/, 'which is for root alone';
}
unlike $got->{body}, qr/[\e\n]./s, 'no control characters of the CA';
unlike $got->{body}, qr/\xe2\x80\xae/, 'none that turns text round';
is $got->{headers}{'x-content-type-options'}, 'nosniff',
    'and a browser takes markup in it for text';

is get(path => PATH . '/')->{status}, 200, 'with a slash';
for my $path (PATH . '?name=a.test', PATH . '/a.test',
    PATH . '?x=1&name=%61.test')
{
    is_deeply decode_json(get(path => $path)->{body}), $told->{lineages}[0],
        "$path: one lineage";
}
my @none = map { get(path => PATH . $_)->{status} } '/no.test',
    '?name=no.test', '?name=', '/a.test/x', '/' . 'a' x 600, '/%00';
is "@none[0 .. 4]", '404 404 404 404 404', 'none of that name';
like $none[5], qr/^4\d\d$/, 'nor of none';

my $head = get(method => 'HEAD');
is "$head->{status} $head->{body}", '200 ', 'HEAD';
is $head->{headers}{'content-length'}, length $got->{body}, 'as long';

# unchanged
my $etag = $got->{headers}{etag};
my $again = get(headers => { 'If-None-Match' => qq("x", $etag) });
is "$again->{status} $again->{body}", '304 ', 'not modified';
is $again->{headers}{etag}, $etag, 'with its tag';
is get(headers => { 'If-None-Match' => '"x"' })->{status}, 200, 'or modified';

for my $method (qw(POST PUT DELETE OPTIONS PATCH)) {
    my $no = get(method => $method, body => '');
    is $no->{status}, 405, "$method is not allowed";
    is $no->{headers}{allow}, 'GET, HEAD', 'what is';
}

# who may not, and why
my @refused = (
    ['name of somebody (DNS rebinding)', host => 'rebind.example'],
    ['name of ours', host => 'a.test'],
    ['address of somebody', host => '192.0.2.8'],
    ['name that begins so', host => '127.0.0.1.rebind.example'],
    ['no Host', version => 'HTTP/1.0', headers => { Host => undef }],
    map { ["by way of a proxy: $_", headers => { $_ => 'for=127.0.0.1' }] }
        qw(Forwarded X-Forwarded-For X-Forwarded-Host X-Real-IP Via),
);
for my $case (@refused) {
    my ($what, %o) = @$case;
    my $no = get(%o);
    is $no->{status}, 403, "refused: $what";
    like decode_json($no->{body})->{error}, qr/^the status is (?:not )?for /,
        'and why' if $what ne 'name of ours';
    unlike $no->{raw}, qr/serial|etag/i, 'nothing is told';
}
for my $host ('localhost', 'LOCALHOST:1', '127.0.0.9', '[::1]:80', '[::1]') {
    is get(host => $host)->{status}, 200, "Host: $host is this one";
}

# names that the administrator gives
for my $case (['STATUS.test' => 200], ['192.0.2.7:80' => 200],
    ['other.test' => 403])
{
    my ($host, $status) = @$case;
    is get(host => $host, headers => { 'X-Forwarded-For' => '192.0.2.1' })
        ->{status}, $status, "with names, by a proxy: Host $host";
}

# whoever is not told what is not there either
is get(path => PATH . '/renew', method => 'POST', body => '',
    headers => { 'X-ACME-Admin' => 1 })->{status}, 403,
    'renewals without "admin"';

# it changes
my $serial = $told->{lineages}[0]{serial};
is +($t->acmectl('renew', '--force', '--cert-name', 'a.test'))[0], 0, 'renew';
ok $t->wait_for(sub {
    decode_json(get(path => PATH . '/a.test')->{body})->{serial} ne $serial;
}, 10), 'another certificate';
is get(headers => { 'If-None-Match' => $etag })->{status}, 200,
    'is another document';
$t->done;
