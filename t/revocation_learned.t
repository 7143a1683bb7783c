#!/usr/bin/perl
# A certificate is on its CA's revocation list: it is renewed with another
# key, though renewals keep theirs, and served until then.  What is no list of
# its CA is no reason to do anything.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', ari => {}, crl => {} });
my $ca = $t->ca;
$t->site('a.test', reuse_key => 'on')->start;
my $cert = $t->wait_certificate('a.test') or $t->give_up;
ok !$ca->requests('crl'), 'the list is not asked for at once';

# Looks until the list is asked for; what is in the log since.
sub look ($what, %crl)
{
    my $asked = $ca->requests('crl');
    my $mark = $t->log_mark;

    $ca->set(crl => \%crl);
    $t->look_again('a.test');
    ok $t->wait_for(sub { $ca->requests('crl') > $asked }, 20, 'a look'),
        "$what: asked";
    return $mark;
}

for my $bad (
    [ 'none there' => status => 404 ],
    [ 'garbage' => body => '<html>' ],
    [ 'over' => revoked => [$cert->{serial}], seconds => -3600 ],
    [ 'of another issuer' => revoked => [$cert->{serial}], by_root => 1 ],
) {
    my ($what, @crl) = @$bad;
    my $mark = look($what, @crl);

    ok $t->wait_log(qr/not known whether the certificate is revoked/,
        10, since => $mark), "$what: said";
    my $now = $t->status('a.test');
    is "$now->{state} $now->{failures}", 'ok 0', "$what: all is well";
}
look('another one is on it', revoked => ['4A4B']);
sleep 1;
is scalar($ca->orders), 1, 'nothing was ordered';

$ca->set(issue_delay => 4);
my $mark = look('revoked', revoked => [$cert->{serial}]);
ok $t->wait_log(qr/certificate is revoked by its CA, lineage "a\.test"/,
    10, since => $mark), 'said';
my ($event) = grep { $_->{event} eq 'revoked' } $t->events('a.test');
is lc $event->{serial}, lc $cert->{serial}, 'an event tells of it';
like $event->{text}, qr/by its list \(CRL\), reason keyCompromise/,
    '  and of who says so';
my $status = $t->status('a.test');
ok $status->{certificates}[0]{revoked}, 'shown';
my ($exit, $out) = $t->acmectl('status', '--cert-name', 'a.test');
like $out, qr/yes, the CA says by its list \(CRL\), reason keyCompromise;/,
    'and who says so';
is $t->wait_certificate('a.test')->{serial}, $cert->{serial},
    'served until there is another';
my $next = $t->wait_new_serial('a.test', $cert->{serial}, 60) or $t->give_up;
isnt $next->{key_digest}, $cert->{key_digest}, 'the next has another key';
ok !$t->status('a.test')->{certificates}[0]{revoked}, 'and is not revoked';
is scalar($ca->orders), 2, 'one more order';

$t->done;
