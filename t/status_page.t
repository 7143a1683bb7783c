#!/usr/bin/perl
# The status as a page for people: chosen by what a client accepts, safe to be
# looked at whatever a CA has said, whole without script; and its button.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use JSON::PP;

use constant BROWSER => 'text/html,application/xhtml+xml,*/*;q=0.8';

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
$t->ca->fault(where => 'newOrder', name => 'bad.test', do => 'error',
    type => 'rejectedIdentifier', status => 403,
    detail => qq(</td><script>alert("1")</script>\e[31m\x{202e}' onload=x),
    instance => 'https://127.0.0.1/"><script>', times => 'always');
$t->site(['a.test', 'www.a.test'], status => 'on')->site('bad.test')
    ->site('plain.test', acme => undef, default => 1, status => 'admin')
    ->start;
$t->wait_certificate('a.test') or $t->give_up;

sub page ($path = '', %o)
{
    return $t->http_get("/acme-status$path",
        headers => { Accept => BROWSER, %{ delete $o{headers} // {} } }, %o);
}

my $page;
ok $t->wait_for(sub {
    $page = page();
    $page->{body} =~ /does not issue for a name/
        && $page->{body} =~ m{<b>1</b> <span class="state good">ok<};
}, 20, 'what went wrong') or $t->give_up($page->{raw});
is $page->{status}, 200, 'a page';
my $h = $page->{headers};
is $h->{'content-type'}, 'text/html; charset=utf-8', 'of HTML';
is $h->{'cache-control'}, 'no-store', 'kept by nobody';
is $h->{'x-content-type-options'}, 'nosniff', 'which is not guessed at';
is $h->{'referrer-policy'}, 'same-origin', 'whose address is nobody\'s';
like $h->{vary}, qr/\bAccept\b/, 'others get something else';
is $h->{etag}, undef, 'there is time in it';
my $csp = $h->{'content-security-policy'};
like $csp, qr/^default-src 'none'; /, 'nothing of elsewhere';
like $csp, qr/frame-ancestors 'none'/, 'in no frame';
unlike $csp, qr/unsafe|http|\*/, 'and nothing inline but ours';
unlike $page->{body}, qr/\b(?:src|href)="(?!\?|https:)/,
    'it needs nothing else';

like $page->{body}, qr/bad\.test.*a\.test/s, 'what is wrong comes first';
like $page->{body}, qr/1 of 2 certificates needs attention/, 'in a sentence';
like $page->{body}, qr{Next attempt <time datetime="20}, 'when it is tried';
like $page->{body}, qr/&lt;\/td&gt;&lt;script&gt;alert/, 'the CA\'s words';
for my $text ($page->{body}, page('?name=bad.test')->{body}) {
    is scalar(() = $text =~ /<script/g), 1, 'are text';
    unlike $text, qr/\e|\xe2\x80\xae|"><script/, 'and nothing else';
}
like page('?name=bad.test')->{body}, qr/rejectedIdentifier/, 'all of it';
like page('?name=a.test')->{body}, qr{<code>$_</code>},
    'the certificate that is served' for lc $t->serial('a.test');
is page('/www.a.test')->{status}, 200, 'by a name of it';
like page('/a.test')->{body}, qr/<a href="\.\/\?">/, 'with the way back';

# the filter without script
unlike page('?q=WWW')->{body}, qr/<th[^>]*><a[^>]*>bad\.test</, 'filtered';
like page('?q=WWW')->{body}, qr/<th[^>]*><a[^>]*>a\.test</, 'by any name';
like page()->{body}, qr{Lately.*>a\.test</a> certificate obtained, by}s,
    'what has happened';
like page('?state=ok&q=')->{body}, qr/1 of 2</, 'by state';
like page('?q=%22%3E%3Cscript%3E')->{body},
    qr/value="&quot;&gt;&lt;script&gt;"/, 'what is looked for is text';

# which form
my @forms = (
    [200, 'application/json', '', {}],
    [200, 'application/json', '', { Accept => '*/*' }],
    [200, 'application/json', '?format=json', { Accept => BROWSER }],
    [200, 'text/html', '?format=html', {}],
    [200, 'text/html', '/a.test?format=html', {}],
    [400, 'application/json', '?format=xml', {}],
    [400, 'text/html', '?format=xml', { Accept => BROWSER }],
    [400, 'text/html', '?page=x', { Accept => BROWSER }],
    [400, 'text/html', '?page=0', { Accept => BROWSER }],
    [400, 'text/html', '?state=good', { Accept => BROWSER }],
    [404, 'text/html', '?name=%3Cscript%3E', { Accept => BROWSER }],
    [404, 'text/html', '?name=' . 'a' x 600, { Accept => BROWSER }],
    [404, 'application/json', '?name=' . 'a' x 600, {}],
    [200, 'text/html', '?page=99&q=' . 'a' x 600, { Accept => BROWSER }],
);
for my $case (@forms) {
    my ($status, $type, $path, $headers) = @$case;
    my $got = $t->http_get("/acme-status$path", headers => $headers);
    my $name = substr("$path ", 0, 30) . ($headers->{Accept} // '');
    is $got->{status}, $status, "status of $name";
    like $got->{headers}{'content-type'}, qr/^\Q$type/, "form of $name";
    unlike $got->{body}, qr/<script>.*<script>/s, 'no script of others'
        if $type eq 'text/html';
}
is page('', method => 'PUT', body => '')->{status}, 405, 'PUT';
is page('', method => 'HEAD')->{body}, '', 'HEAD';

# who may not
for my $no (page('', host => 'rebind.example'),
    page('', headers => { 'X-Forwarded-For' => '127.0.0.1' }))
{
    is $no->{status}, 403, 'refused';
    like $no->{body}, qr/That did not work: the status is not for/, 'and why';
    unlike $no->{body}, qr/a\.test/, 'nothing is told';
}

# the button
like page('?name=a.test')->{body},
    qr/<form class="renew" method="post" action="\?renew=a\.test">/, 'renew';
unlike page('', host => 'a.test')->{body}, qr/<form class="renew"/,
    'not elsewhere';
my $here = 'http://127.0.0.1:' . $t->port('http');

sub press (%headers)
{
    return page('?renew=a.test', method => 'POST', body => '', headers =>
        { 'Content-Type' => 'application/x-www-form-urlencoded', %headers });
}
for my $case (['no Origin'], ['Origin null', Origin => 'null'],
    ['another site', Origin => 'http://evil.test'],
    ['another port', Origin => 'http://127.0.0.1:1'],
    ['so it says', Origin => $here, 'Sec-Fetch-Site' => 'cross-site'],
    ['a neighbour', Origin => $here, 'Sec-Fetch-Site' => 'same-site'])
{
    my ($what, %headers) = @$case;
    is press(%headers)->{status}, 403, "not pressed: $what";
}
is page('?renew=a.test', headers => { Origin => $here })->{status}, 200,
    'a link is a look';
my $yes = press(Origin => $here, 'Sec-Fetch-Site' => 'same-origin');
is $yes->{status}, 303, 'pressed' or diag $yes->{raw};
like $yes->{headers}{location}, qr/\?name=a\.test$/, 'go on to see';
my $no = press(Origin => $here);
is $no->{status}, 429, 'again';
like $no->{body}, qr/it (?:was|is) asked for/, 'in words';
ok $t->wait_for(sub { ($t->live_version('a.test') // 0) == 2 }, 20),
    'it is renewed';
ok $t->wait_for(sub {
    page('?name=a.test')->{body} =~ /Asked for here/;
}, 10), 'the page says so';
$t->done;
