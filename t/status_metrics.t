#!/usr/bin/perl
# The status in numbers: as OpenMetrics, which a strict reader takes, and as
# Prometheus' own tool takes it; counted where it happens.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
$t->ca->fault(where => 'newOrder', name => 'bad.test', do => 'error',
    type => 'rejectedIdentifier', status => 403, times => 'always');
$t->site('a.test', status => 'on')->site('bad.test')
    ->site('plain.test', acme => undef, default => 1, status => 'on')->start;
$t->wait_certificate('a.test') or $t->give_up;
my $issuer = $t->issuer_name('testca');

sub metrics ($format, %o)
{
    return $t->http_get("/acme-status?format=$format", %o);
}

sub file ($text)
{
    spew($t->dir . '/metrics', $text);
    return $t->dir . '/metrics';
}

# name{labels} => value
sub samples ($text)
{
    return { map { /^([^#].*) (\S+)$/ ? ($1 => $2) : () } split /\n/, $text };
}

my ($got, $is);
ok $t->wait_for(sub {
    $is = samples(($got = metrics('openmetrics'))->{body});
    return ($is->{qq(acme_attempts_total{issuer="$issuer"})} // 0) == 2
        && ($is->{'acme_certificates{state="ok"}'} // 0) == 1;
}, 20, 'what was counted') or $t->give_up($got->{raw});
is $got->{headers}{'content-type'},
    'application/openmetrics-text; version=1.0.0; charset=utf-8', 'its type';
is $got->{headers}{'cache-control'}, 'no-store', 'kept by nobody';

my %expected = (
    'acme_engine_up' => 1,
    qq(acme_server_info{server="${\ $t->host}",version="0.1.0"}) => 1,
    'acme_certificates{state="waiting"}' => 1,
    'acme_certificates{state="unknown"}' => 0,
    qq(acme_certificate_info{lineage="a.test",state="ok",issuer="$issuer"})
        => 1,
    'acme_certificate_failures{lineage="bad.test"}' => 1,
    'acme_certificate_failures{lineage="a.test"}' => 0,
    qq(acme_failures_total{issuer="$issuer",class="problem"}) => 1,
    qq(acme_failures_total{issuer="$issuer",class="net"}) => 0,
    qq(acme_orders_total{issuer="$issuer"}) => 1,
    qq(acme_certificates_obtained_total{issuer="$issuer"}) => 1,
    qq(acme_ca_requests_unanswered_total{issuer="$issuer"}) => 0,
);
is $is->{$_}, $expected{$_}, $_ for sort keys %expected;
my $all = $is->{qq(acme_ca_request_duration_seconds_count{issuer="$issuer"})};
cmp_ok $all, '>', 5, 'requests';
is $is->{qq(acme_ca_request_duration_seconds_bucket{issuer="$issuer",)
    . 'le="+Inf"}'}, $all, 'all of them in some bucket';
my $expiry = 'acme_certificate_expiry_timestamp_seconds{lineage="a.test",'
    . 'key="ecdsa:256"}';
cmp_ok $is->{$expiry}, '>', time + 80 * 86400, 'when it ends';
ok !grep { /expiry.*bad\.test/ } keys %$is, 'or that there is none';

# readers that others have written
my $read = run(cmd => ['/usr/bin/python3', '-c', <<'PYTHON'],
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
print(len(list(text_string_to_metric_families(sys.stdin.read()))))
PYTHON
    stdin => file($got->{body}));
is $read->{exit}, 0, 'a strict reader of OpenMetrics takes it'
    or diag $read->{stderr};
is $read->{stdout}, "16\n", 'all families';
my $plain = metrics('prometheus');
is $plain->{headers}{'content-type'},
    'text/plain; version=0.0.4; charset=utf-8', 'the text format';
my $lint = run(cmd => [qw(promtool check metrics)], stdin => file($plain->{body}));
is $lint->{exit}, 0, 'promtool check metrics' or diag $lint->{stderr};
is $lint->{stdout} . $lint->{stderr}, '', 'has nothing to say';
is_deeply [sort keys %{ samples($plain->{body}) }], [sort keys %$is],
    'the same samples';

# a scraper says what it takes
is $t->http_get('/acme-status', headers => { Accept =>
        'application/openmetrics-text;version=1.0.0;q=0.5,'
        . 'text/plain;version=0.0.4;q=0.3,*/*;q=0.1' })->{headers}
    {'content-type'}, $got->{headers}{'content-type'}, 'by Accept';

# who may not, and what is none
is metrics('openmetrics', host => 'rebind.example')->{status}, 403, 'refused';
is metrics('metrics')->{status}, 400, 'no such format';
my $one = metrics('openmetrics&name=a.test');
is $one->{status}, 400, 'of one';
like $one->{body}, qr/"error":"metrics are of all certificates"/, 'in words';
$t->done;
