#!/usr/bin/perl
# Answers of OCSP are stapled: of each key type that of the certificate that
# is shown, from the first handshake after a start on, to TLS 1.2 and 1.3; with
# a new certificate its own.  Not where nobody wants it, nor where the
# certificate names no responder.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use Acme::Tls qw(peer);

my $t = Acme::Test->new(ca => { type => 'own', ocsp => { minutes => 90 } });
my $ca = $t->ca;
$t->site('a.test', stapling => 'on', key => ['ecdsa:256', 'rsa:2048']);
$t->site('b.test')->start;

sub shown ($name, %o)
{
    return peer(port => $t->port('tls'), name => $name, staple => 1,
        ca_file => $ca->root_file, %o);
}

sub stapled ($what, $name, %o)
{
    my $seen;
    my $ok = $t->wait_for(sub { ($seen = shown($name, %o))->{staple} },
        $o{within} // 0, $what);
    my $is = $seen->{staple} // {};

    ok $ok && defined $is->{status} && $is->{status} == 0 && $is->{verified},
        "$what: good" or diag explain $seen->{error}, $is;
    return $seen;
}

$t->wait_certificate($_) or $t->give_up for qw(a.test b.test);
my %first;
for my $kind (qw(ecdsa rsa)) {
    for my $tls ('1.2', '1.3') {
        my $seen = stapled("$kind, TLS $tls", 'a.test', kind => $kind,
            tls => $tls, within => 30);
        is $seen->{key}, $kind, '... with the certificate of that key';
        is $seen->{staple}{next} - $seen->{staple}{this}, 90 * 60,
            '... as its responder said it';
        $first{$kind} = $seen->{serial};
    }
}
is shown('b.test')->{staple}, undef, 'another site, where it is off: none';
is scalar(grep { m{^staples/} } $t->state_files), 2, 'kept, of each key';

# what acmectl tells of it (X144, M03)
my ($exit, $out, $err) = $t->acmectl('check', '-v', '--connect');
is $exit, 0, 'all is well' or diag $out, $err;
like $out, qr/a\.test, $_: the live certificate, stapled$/m, "$_: told"
    for qw(ecdsa rsa);
like $out, qr/b\.test, ecdsa: the live certificate$/m, 'not of the other';
($exit, $out) = $t->acmectl('status', '--cert-name', 'a.test');
is scalar(() = $out =~ /^  stapled +until 20\S+Z$/mg), 2, 'status, too';
($exit, $out) = $t->acmectl('doctor');
unlike $out, qr/staples/, 'nothing is wrong with the files, says doctor';

# a start without a responder: the first handshake has it
$t->stop;
$ca->set(ocsp => { status => 500 });
$t->start;
for my $kind (qw(ecdsa rsa)) {
    my $seen = shown('a.test', kind => $kind);
    ok $seen->{staple} && $seen->{staple}{verified},
        "$kind: the first handshake after a start has it";
    is $seen->{serial}, $first{$kind}, '... with its certificate';
}

# another certificate: never with the old one's answer
($exit, $out, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'renewed' or diag $out, $err;
for my $kind (qw(ecdsa rsa)) {
    my $seen;
    ok $t->wait_for(sub {
        ($seen = shown('a.test', kind => $kind))->{serial} ne $first{$kind};
    }, 30), "$kind: another certificate";
    is $seen->{staple}, undef, '... without an answer while there is none';
}
my $status = $t->status('a.test')->{certificates}[0]{staple};
like $status->{problem}, qr/OCSP: HTTP status 500/, 'said why';
$ca->set(ocsp => { minutes => 90, delegate => 1 });
$t->look_again('a.test');
stapled("$_: by a delegate", 'a.test', kind => $_, within => 30)
    for qw(ecdsa rsa);

$t->done;
