#!/usr/bin/perl
# What brings clients to https: plain requests are sent there, HSTS and
# upgrade-insecure-requests are told there; never before there is a
# certificate, and never where challenges are.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own', ca_start => 0);
my %directive = (
    redirect => { nginx => 'acme_require_https', httpd => 'ACMERequireHttps' },
    hsts => { nginx => 'acme_hsts', httpd => 'ACMEHSTS' },
    uir => { nginx => 'acme_upgrade_insecure', httpd => 'ACMEUpgradeInsecure' },
);
my %header = (nginx => 'add_header %s "%s" always;',
    httpd => 'Header always set %s "%s"');

use constant { CSP => 'Content-Security-Policy', DAY => 24 * 3600,
    UPGRADE => 'upgrade-insecure-requests' };

# Directives as text; "" says nothing.
sub said (%words)
{
    my $end = $t->of(nginx => ';', httpd => '');
    return join '', map { $t->of(%{ $directive{$_} }) . " $words{$_}$end\n" }
        sort keys %words;
}

sub own ($name, $value)
{
    return sprintf $t->of(%header) . "\n", $name, $value;
}

sub conf ($site, $global = '')
{
    $t->clear_config->configure(terms => 1, placeholder => 'self_signed',
        renew_mode => 'manual', global => $global);
    return $t->site(['a.test', 'www.a.test'], extra => $site)
        ->site('other.test', acme => undef, extra => $site);
}

sub plain ($path, %o) { return $t->http_get($path, host => 'a.test', %o) }

sub secure ($path = '/', %o)
{
    return plain($path, port => $t->port('tls'), tls => 1, sni => 'a.test', %o);
}

sub hsts (@o) { return secure(@o)->{headers}{'strict-transport-security'} }
sub csp (@o) { return secure(@o)->{headers}{ lc CSP } }

sub is_sent ($answer, $status, $to, $what)
{
    is "$answer->{status} " . ($answer->{headers}{location} // 'nowhere'),
        "$status $to", "$what: $status";
    is $answer->{headers}{'strict-transport-security'}, undef,
        '  without HSTS, which is for https';
    return;
}

# --- nothing to come to ----------------------------------------------------

my $page = spew($t->www . '/page.html', 'x' x 10);
conf(said(redirect => 'temporary', hsts => '7 subdomains', uir => 'on'))->start;
is plain('/page.html')->{status}, 200, 'no certificate: nobody is sent away';
for my $name (qw(strict-transport-security content-security-policy)) {
    is secure()->{headers}{$name}, undef, "  no $name";
}
$t->ca->start;
is +($t->acmectl('renew', '--cert-name', 'a.test'))[0], 0,
    'now there is one';
$t->wait_certificate('a.test') or $t->give_up;

# --- redirects -------------------------------------------------------------

is_sent plain('/'), 302, 'https://a.test/', 'temporary';
is_sent plain('/a%20b/?q=1&r=%2F'), 302, 'https://a.test/a%20b/?q=1&r=%2F',
    'a query';
is_sent plain('/%0d%0aX:1'), 302, 'https://a.test/%0d%0aX:1', 'no new line';
is_sent plain('http://www.a.test/x?y', host => 'a.test'), 302,
    'https://www.a.test/x?y', 'a whole URL';
is_sent plain('/', host => 'WWW.A.test'), 302, 'https://www.a.test/',
    'another name';
is_sent plain('/', host => 'a.test:' . $t->port('http')), 302,
    'https://a.test/', 'a port';
is_sent plain('/', method => 'HEAD'), 302, 'https://a.test/', 'HEAD';
is_sent plain('/', method => 'POST', body => 'x'), 307, 'https://a.test/',
    'POST';
is plain('/.well-known/acme-challenge/' . 'x' x 43)->{status}, 200,
    'challenges are answered';
is plain("/.well-known/$_")->{status}, 404, "nor is $_ sent away"
    for 'acme-challenge/x.y', 'security.txt';
is plain('/page.html', host => 'other.test')->{status}, 200,
    'what has no certificate is not sent away';
is plain('/', version => 'HTTP/1.0', headers => { Host => undef })->{headers}
    {location}, undef, 'nor who names no host';
is secure('/page.html')->{status}, 200, 'https is as it was';

# --- headers ---------------------------------------------------------------

is hsts($_), 'max-age=7; includeSubDomains', "HSTS: $_"
    for '/page.html', '/nothing-there';
is csp($_), UPGRADE, "upgrade: $_" for '/page.html', '/nothing-there';
is plain('/page.html', host => 'other.test')->{headers}{ lc CSP }, undef,
    'not in the clear';

conf(said(redirect => 'permanent', uir => 'on')
    . own(CSP, "default-src 'self'"))->reload;
is_sent plain('/x'), 301, 'https://a.test/x', 'permanent';
is_sent plain('/x', method => 'POST', body => 'x'), 308, 'https://a.test/x',
    'POST';
is hsts(), 'max-age=15768000', 'permanent: HSTS for half a year';
is csp(), "default-src 'self'; " . UPGRADE, 'a policy that is there gets it';

conf(said(redirect => 'permanent', hsts => 'off', uir => 'on')
    . own(CSP, 'default-src x; ' . UPGRADE))->reload;
is hsts(), undef, 'but not with HSTS off';
is csp(), 'default-src x; ' . UPGRADE, 'one that has it, not again';

conf(said(hsts => '7') . own('Strict-Transport-Security', 'max-age=5'))->reload;
is hsts(), 'max-age=5', "the administrator's own header counts";

# --- nearer and wider ------------------------------------------------------

conf(said(hsts => '9', redirect => 'off'),
    said(redirect => 'permanent', hsts => '8', uir => 'on'))->reload;
is plain('/page.html')->{status}, 200, 'a server says no';
is hsts(), 'max-age=9', '  and another time';
is csp(), UPGRADE, '  and nothing of the rest';

# --- the port --------------------------------------------------------------

my $https = $t->port('tls');
conf(said(redirect => 'permanent'), $t->of(
    nginx => "acme_port_map http:%%HTTP%% https:%%TLS%%;\n",
    httpd => "ACMEPortMap http:%%HTTP%% https:%%TLS%%\n"))->reload;
is_sent plain('/x', host => 'a.test:' . $t->port('http')), 301,
    "https://a.test:$https/x", 'who names a port is sent to that of https';
is_sent plain('/x', host => 'a.test'), 301, 'https://a.test/x',
    'who does not, to the public one';

# --- what grows ------------------------------------------------------------

# As if it had begun so long ago, by what is kept with the lineage.
sub begun ($ago)
{
    my $path = $t->state('renewal', 'a.test.json');
    my $settings = $t->state_json('renewal', 'a.test.json');
    $settings->{hsts_since} = stamp(time - $ago);
    spew("$path.new", encode_json($settings), 0600);
    rename "$path.new", $path or die "rename: $!\n";
    return;
}

sub stamp ($time)
{
    my ($s, $m, $h, $d, $mon, $y) = gmtime $time;
    return sprintf '%d-%02d-%02dT%02d:%02d:%02dZ', $y + 1900, $mon + 1, $d, $h,
        $m, $s;
}

sub is_hsts ($value, $what)
{
    my $seen;
    ok $t->wait_for(sub { ($seen = hsts()) eq $value }, 8), $what
        or diag "$seen, not $value";
    return;
}

conf(said(hsts => 'auto'))->reload;
is_hsts('max-age=60', 'auto begins with a minute');
my $since = $t->state_json('renewal', 'a.test.json')->{hsts_since};
like $since, qr/^\d{4}-/, '  and when is kept';
begun(5 * DAY);
is_hsts('max-age=900', 'days later it is more, without a reload');
begun(11 * DAY);
is_hsts('max-age=43200', 'and more');
$t->restart;
is_hsts('max-age=43200', '  also after a restart');
begun(20 * DAY);
is_hsts('max-age=31536000',
    'a year, as the certificate came after the last step');
conf('')->reload;
is hsts(), undef, 'off again';
ok $t->wait_for(sub {
    !defined $t->state_json('renewal', 'a.test.json')->{hsts_since} }, 8),
    '  and forgotten';

$t->done;
