#!/usr/bin/perl
# acmectl enhance: what is said of a lineage is done by servers that run, at
# once, unless a directive of theirs says something else; what is there already,
# what is not supported and what contradicts itself have outcomes of their own.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
spew($t->www . '/page.html', 'page');
$t->site('a.test')->site('b.test', extra => {
    nginx => 'acme_require_https temporary; acme_hsts off;',
    httpd => "ACMERequireHttps temporary\nACMEHSTS off" })->start;
$t->wait_certificate($_) or $t->give_up for qw(a.test b.test);

sub enhance (@args) { return $t->acmectl('enhance', @args) }

sub of ($name, @args)
{
    my ($exit, $out) = enhance('--cert-name', $name, '--json', @args);
    return $exit eq '0' ? decode_json($out)->[0] : "exit $exit";
}

sub plain ($host) { return $t->http_get('/page.html', host => $host) }

sub secure ($host)
{
    my $answer = $t->http_get('/page.html', host => $host, tls => 1,
        sni => $host, port => $t->port('tls'));
    return join ' | ', map { $answer->{headers}{$_} // '' }
        qw(strict-transport-security content-security-policy);
}

sub comes ($host, $value, $what)
{
    my $seen;
    ok $t->wait_for(sub { ($seen = secure($host)) eq $value }, 5), $what
        or diag $seen;
    return;
}

# --- what it does not take -------------------------------------------------

for my $wrong (
    [2, ['--redirect'], qr/by --cert-name NAME/],
    [2, ['--cert-name', 'a.test', '--hsts', '--auto-hsts'],
        qr/--hsts and --auto-hsts contradict/],
    [2, ['--cert-name', 'a.test', '--uir', '--no-uir'], qr/contradict/],
    [2, ['--cert-name', 'a.test', '--redirect', '--no-redirect'],
        qr/contradict/],
    [2, ['--cert-name', 'a.test', '--auto-hsts', '--no-hsts'], qr/contradict/],
    [2, ['--cert-name', '../x', '--uir'], qr/--cert-name/],
    [1, ['--cert-name', 'x.test', '--uir'], qr/no lineage "x\.test"/],
    [1, ['--cert-name', 'a.test', '--cert-name', 'x.test', '--uir'],
        qr/no lineage "x\.test"/],
    [1, ['--cert-name', 'a.test', '--staple-ocsp'],
        qr/acme_stapling .*ACMEStapling.*supported are redirect, hsts/]) {
    my ($code, $args, $why) = @$wrong;
    my ($exit, undef, $err) = enhance(@$args);
    is $exit, $code, "refused: enhance @$args";
    like $err, $why, '  and why';
}
is_deeply of('a.test'), { name => 'a.test', redirect => JSON::PP::false,
    hsts => JSON::PP::false, auto_hsts => JSON::PP::false,
    uir => JSON::PP::false }, 'nothing of it was done';

# --- on, at once -----------------------------------------------------------

my ($exit, $out, $err) = enhance('--cert-name', 'a.test', '--cert-name',
    'b.test', '--redirect', '--hsts', '--uir');
is "$exit$err", 0, 'all of it';
like $out, qr/^a\.test: kept; servers that run do so within two seconds/m,
    'says when';
my $upgrade = 'upgrade-insecure-requests';
comes('a.test', "max-age=31536000 | $upgrade", 'it is done, without a reload');
is plain('a.test')->{status}, 301, '  plain requests are sent away';
comes('b.test', " | $upgrade", 'what a directive says goes before');
is plain('b.test')->{status}, 302, '  here too';

my $before = slurp($t->state('renewal', 'a.test.json'));
($exit, $out, $err) = enhance('--cert-name', 'a.test', '--redirect', '--uir');
is $exit, 0, 'again';
like $err, qr/a\.test: redirect is on already.*a\.test: uir is on already/s,
    '  is a warning';
is slurp($t->state('renewal', 'a.test.json')), $before, '  and nothing else';
($exit, $out, $err) = enhance('--cert-name', 'a.test', '--no-auto-hsts');
is $exit, 0, 'to take back what is not on';
like $err, qr/a\.test: auto-hsts is not on/, '  is a warning, too';

# --- what grows ------------------------------------------------------------

is +(enhance('--cert-name', 'a.test', '--auto-hsts'))[0], 0, 'growing instead';
comes('a.test', "max-age=60 | $upgrade", 'it begins');
my $now = of('a.test');
is $now->{auto_hsts_max_age}, 60, 'it is shown';
like $now->{auto_hsts_since}, qr/^\d{4}-.*Z$/, '  since when';
$t->reload;
is_deeply of('a.test'), $now, 'a reload changes nothing of it';
comes('a.test', "max-age=60 | $upgrade", '  as it is done');

# --- shown -----------------------------------------------------------------

($exit, $out) = enhance();
is $exit, 0, 'all lineages';
is $out =~ s/\d{4}-[\w:-]+Z/TIME/gr, <<~'END', '  and what there is';
    a.test
        redirect: permanent
        hsts: not on
        auto-hsts: on, max-age=60, since TIME; max-age=300 from TIME
        uir: on
    b.test
        redirect: permanent
        hsts: max-age=31536000
        auto-hsts: not on
        uir: on
    supported: redirect, hsts, auto-hsts, uir
    END

# --- off again -------------------------------------------------------------

($exit, $out, $err) = enhance('--cert-name', 'a.test', '--no-redirect',
    '--no-hsts', '--no-uir');
is "$exit$err", 0, 'taken back';
comes('a.test', ' | ', 'it is done no more');
is plain('a.test')->{status}, 200, '  of nothing';
is_deeply [sort keys %{ $t->state_json('renewal', 'a.test.json') }],
    ['declared'], '  and nothing is left of it';

# --- without a server ------------------------------------------------------

$t->stop;
($exit, $out, $err) = enhance('--cert-name', 'a.test', '--uir');
is $exit, 0, 'without a server that runs';
like $out, qr/servers do so when they run/, '  it is for later';

$t->done;
