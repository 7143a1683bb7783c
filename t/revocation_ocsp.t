#!/usr/bin/perl
# The CA's responder says that a certificate is revoked: it is renewed with
# another key, though renewals keep theirs, and served until then.  The reason
# keyCompromise bars the key.  What is no answer of its CA is no reason to do
# anything; where there is a list, that has the word then.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(
    ca => { type => 'own', ari => {}, ocsp => {}, crl => {} });
my $ca = $t->ca;
$t->site('a.test', reuse_key => 'on')->start;
my $cert = $t->wait_certificate('a.test') or $t->give_up;
my $serial = $cert->{serial};
ok !$ca->requests('ocsp'), 'the responder is not asked at once';

# Looks until the responder is asked; where the log was.
sub look ($what, %ocsp)
{
    my $asked = $ca->requests('ocsp');
    my $mark = $t->log_mark;

    $ca->set(ocsp => \%ocsp);
    $t->look_again('a.test');
    ok $t->wait_for(sub { $ca->requests('ocsp') > $asked }, 20, 'a look'),
        "$what: asked";
    return $mark;
}

# What has come of it, says the record.
sub looked ($what, $failed = 0)
{
    my $is;
    ok $t->wait_for(sub {
        $is = decode_json($t->state_text('record', 'a.test.json'))
            ->{revocation};
        ($is->{next_look} // '') !~ /^2026-01-01/;
    }, 10, 'the next look'), "$what: another look later";
    is !!$is->{failures}, !!$failed, "$what: counted as it should be";
    is $t->status('a.test')->{state}, 'ok', "$what: all is well";
    return;
}

# an answer of the issuer, and of whom it has chosen
for my $who ([ 'the issuer' ], [ 'its delegate' => delegate => 1 ]) {
    my ($what, @ocsp) = @$who;

    look($what, @ocsp);
    looked($what);
    ok !$ca->requests('crl'), "$what: the list is not needed";
}

# none of them, and a list that has none either
$ca->set(crl => { status => 404 });
for my $bad (
    [ 'none there' => status => 404 ],
    [ 'garbage' => body => '<html>' ],
    [ 'unknown' => unknown => 1 ],
    [ 'signed by another' => revoked => { $serial => 'superseded' },
        by_root => 1 ],
) {
    my ($what, @ocsp) = @$bad;
    my $mark = look($what, @ocsp);

    ok $t->wait_log(qr/not known whether the certificate is revoked/,
        10, since => $mark), "$what: said";
    looked($what, 1);
}
my $asked = $ca->requests('crl');
ok $asked, 'the list was asked for instead';
$ca->set(crl => {});
look('a list that is good', status => 500);
looked('the list');
is scalar($ca->orders), 1, 'nothing was ordered';

# revoked
$ca->set(issue_delay => 4);
my $mark = look('revoked', revoked => { $serial => 'keyCompromise' },
    delegate => 1);
ok $t->wait_log(
    qr/revoked by its CA, .*, reason keyCompromise, learned by OCSP;/,
    10, since => $mark), 'said';
my ($exit, $out) = $t->acmectl('status', '--cert-name', 'a.test');
like $out, qr/revoked +yes, the CA says by OCSP, reason keyCompromise;/,
    'shown to people';
my $shown = $t->status('a.test')->{certificates}[0];
is "$shown->{revoked_by} $shown->{revocation_reason}",
    'ocsp keyCompromise', 'shown to programs';
is $t->serial('a.test'), $serial, 'served until there is another';
my $next = $t->wait_new_serial('a.test', $serial, 60) or $t->give_up;
isnt $next->{key_digest}, $cert->{key_digest}, 'the next has another key';
ok !$t->status('a.test')->{certificates}[0]{revoked}, 'and is not revoked';
is scalar(grep { m{^revoked/key-} } $t->state_files), 1,
    'the old key is barred';
is scalar($ca->orders), 2, 'one more order';

$t->done;
