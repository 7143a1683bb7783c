#!/usr/bin/perl
# /.httpd/certificate-status, as mod_md has it: what anybody may know of the
# certificate of a host, before redirects and access rules.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use JSON::PP;

use constant PATH => '/.httpd/certificate-status';

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
$t->ca->fault(where => 'newOrder', name => 'bad.test', do => 'error',
    type => 'rejectedIdentifier', status => 403, detail => 'secret reason',
    times => 'always');
$t->site(['a.test', 'www.a.test'], key => ['secp384r1', 'rsa2048'],
        extra => 'Redirect / https://elsewhere.test/')
    ->site('bad.test',
        extra => '<Location />' . "\nRequire all denied\n</Location>")
    ->site('plain.test', acme => undef, default => 1)->start;
$t->wait_certificate('a.test') or $t->give_up;

sub get ($host, %o) { return $t->http_get(PATH, host => $host, %o) }

my ($got, $told);
ok $t->wait_for(sub {
    $got = get('a.test');
    $told = eval { decode_json($got->{body}) };
    return $told && $told->{rsa}{serial} && $told->{secp384r1}{serial}
        && !$told->{renewal};
}, 20), 'both certificates' or $t->give_up($got->{raw});
is $got->{status}, 200, 'status';
is $got->{headers}{'content-type'}, 'application/json', 'as JSON';
for my $case ([rsa => 'rsa'], [secp384r1 => 'ecdsa']) {
    my ($key, $kind) = @$case;
    my $one = $told->{$key};
    my $seen = $t->peer_certificate('a.test', kind => $kind, tls => '1.2');
    is $one->{serial}, uc $seen->{serial}, "$key: the serial that is served";
    like $one->{'sha256-fingerprint'}, qr/^[0-9a-f]{64}$/, 'its fingerprint';
    like $one->{valid}{$_}, qr/^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/,
        "valid $_" for qw(from until);
}
is_deeply [sort keys %$told], [qw(rsa secp384r1 valid)], 'and no more';
ok $told->{valid}{until} eq $told->{rsa}{valid}{until}
    || $told->{valid}{until} eq $told->{secp384r1}{valid}{until},
    'as long as both are';

is get('WWW.a.test:80')->{body}, $got->{body}, 'by another of its names';
my $secure = Acme::Http::request(address => '127.0.0.1',
    port => $t->port('tls'), tls => 1, sni => 'bad.test',
    host => 'bad.test', path => PATH);
is $secure->{status}, 200, 'over TLS, with a placeholder';
is_deeply decode_json($secure->{body}),
    { secp256r1 => {}, renewal => { cert => {} } }, 'one that is not there';
is_deeply decode_json(get('bad.test')->{body}), decode_json($secure->{body}),
    'to whom all else is denied';
unlike $secure->{raw}, qr/reason|rejected/, 'what the CA said is not told';

is get('a.test', method => 'HEAD')->{body}, '', 'HEAD';
my $post = get('a.test', method => 'POST', body => '');
is $post->{status}, 405, 'POST';
like $post->{headers}{allow}, qr/\bGET\b/, 'what is allowed';
is get('plain.test')->{status}, 404, 'a host that has none of ours';
is get('127.0.0.1')->{status}, 404, 'nor has an address';
is $t->http_get(PATH . '/x', host => 'plain.test')->{status}, 404,
    'nothing below';
is $t->http_get('/.httpd/', host => 'plain.test')->{status}, 404,
    'nor beside it';

$t->configure(global => 'ACMECertificateStatus off');
ok $t->reload, 'reload';
is get('a.test')->{status}, 302, 'ACMECertificateStatus off: as configured';
is get('bad.test')->{status}, 403, 'for all';
$t->done;
