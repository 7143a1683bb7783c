#!/usr/bin/perl
# Certificates in the page of mod_status, for people and for programs, as
# mod_md has them; what a CA says is text there.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
$t->ca->fault(where => 'newOrder', name => 'bad.test', do => 'error',
    type => 'rejectedIdentifier', status => 403,
    detail => qq(<script>alert("1")</script>\e[1m\x{202e}\r\nX: y),
    instance => 'https://127.0.0.1/"><script>', times => 'always');
my $page = { httpd => "LoadModule status_module %%MODULES%%/mod_status.so\n"
        . "<Location /server-status>\nSetHandler server-status\n</Location>" };
$t->configure(global => $page);
$t->site(['a.test', 'www.a.test'])->site('bad.test')
    ->site('plain.test', acme => undef, default => 1)->start;
my $a = $t->wait_certificate('a.test') or $t->give_up;

sub auto ()
{
    my $text = $t->http_get('/server-status?auto')->{body};
    return { map { /^(Managed[^:]+): ?(.*)$/ ? ($1 => $2) : () }
            split /\n/, $text };
}

my $auto;
ok $t->wait_for(sub {
    $auto = auto();
    return $auto->{ManagedCertificatesOK}
        && $auto->{ManagedCertificatesErrored}
        && defined $auto->{'ManagedDomain[0]ActivityRenew'}
        && $auto->{ManagedCertificatesRenew} == 1;  # all is over
}, 20), 'what programs read' or $t->give_up;
my %count = map { $_ => $auto->{"ManagedCertificates$_"} }
    qw(Total OK Renew Errored Ready);
is_deeply \%count, { Total => 2, OK => 1, Renew => 1, Errored => 1,
    Ready => 0 }, 'the counters add up';

my $status = $t->status('a.test');
my %expected = (Domain => 'a.test', 'Names[0]' => 'a.test',
    'Names[1]' => 'www.a.test', Status => 'good',
    ValidUntil => substr($status->{not_after}, 0, 10),
    CAName => '127.0.0.1', CAURL => $t->ca->url, CheckAtType => 'secp256r1',
    CheckAtName => 'crt.sh', CheckAtFingerprint => $status->{fingerprint},
    CheckAtURL => "https://crt.sh?q=$status->{fingerprint}");
is $auto->{"ManagedDomain[0]$_"}, $expected{$_}, "[0]$_"
    for sort keys %expected;
like $auto->{'ManagedDomain[0]ActivityRenew'}, qr/^\d+$/, 'when next';

like $auto->{'ManagedDomain[1]Status'}, qr/^incomplete: there is no certificate yet/,
    'one that fails';
is $auto->{'ManagedDomain[1]ActivityLastProblem'}, 'rejectedIdentifier',
    'why';
like $auto->{'ManagedDomain[1]ActivityLastDetail'},
    qr/403 .*<script>alert.*\\x0d\\x0aX: y/, 'in one line';
like $auto->{'ManagedDomain[1]ActivityNextRun'}, qr/^\d+$/, 'when again';

my $html = $t->http_get('/server-status')->{body};
my ($table) = $html =~ m{<h3>Managed Certificates</h3>(.*?</table>)}s;
ok $table, 'what people read' or $t->give_up($html);
is_deeply [$table =~ m{<th class="(\w+)">\g1</th>}g],
    [qw(Domain Names Status Valid CA CheckAt Activity)], 'columns';
my @rows = $table =~ m{(<tr class="(?:even|odd)">.*?</tr>)}gs;
is scalar(@rows), 2, 'a row each';
like $rows[0], qr{<td>a\.test www\.a\.test</td><td>good</td>}, 'the good one';
like $rows[0], qr{<a href="\Q$expected{CheckAtURL}\E" rel}, 'where to look';
like $rows[1], qr{&lt;script&gt;alert\(&quot;1&quot;\)}, 'markup is text';
unlike $html, qr/<script|\e|\xe2\x80\xae|"><s/, 'all of it';

# another site, or none of it
$t->configure(global => { httpd => "$page->{httpd}\n"
        . 'ACMECertificateCheck "<Mine>" https://check.test/f=' });
ok $t->reload, 'reload';
ok $t->wait_for(sub {
    auto()->{'ManagedDomain[0]CheckAtURL'}
}, 10);
$auto = auto();
is $auto->{'ManagedDomain[0]CheckAtURL'},
    "https://check.test/f=$status->{fingerprint}", 'ACMECertificateCheck';
like $t->http_get('/server-status')->{body},
    qr{<a href="https://check\.test/f=\w+"[^>]*>&lt;Mine&gt;\[}, 'its name';

$t->configure(global => { httpd => "$page->{httpd}\nACMEServerStatus off" });
ok $t->reload, 'reload';
my $off = $t->http_get('/server-status');
is $off->{status}, 200, 'a page';
unlike $off->{body}, qr/Managed|www\.a\.test|md_status/, 'ACMEServerStatus off';
is_deeply auto(), {}, 'for programs, too';
$t->done;
