#!/usr/bin/perl
# dns-persist-01 (S33): a CA that calls itself by another's name, or means
# another account than ours, would have its own customer authorized for good:
# such a challenge is refused, not answered, and its texts get into no record.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my %own = (ca => $t->ca, challenge => 'dns-persist-01=draft-01');
my @case = (
    # what the CA says, what the operator has said, the error, what is shown
    [{}, undef, qr/domain name of the CA is not known here;.*issuer_domain/,
        'own.test'],
    [{ domains => ['letsencrypt.org', 'evil.test'] }, 'own.test',
        qr/refused: the CA is "own\.test", but its server calls it/,
        'letsencrypt.org, evil.test'],
    [{ domains => ['xown.test', 'own.test.evil.test'] }, 'own.test',
        qr/refused: the CA is "own\.test"/, 'xown.test'],
    [{ domains => ["own.test; accounturi=https://evil.test/1"] }, 'own.test',
        qr/refused: the CA is "own\.test"/, 'nothing that could'],
    [{ account => 'https://evil.test/acct/1' }, 'own.test',
        qr/refused: the account is \S+, but the CA wants a record of/,
        'https://evil.test/acct/1'],
    [{ account => $t->ca->base . '/account/2' }, 'own.test',
        qr/refused: the account is/, '/account/2'],
);

$t->ca->{challenges} = ['dns-persist-01'];
$t->issuer('own', %own)->site('a.test', acme => 'own');
my ($exit, $out) = $t->test_config;
isnt $exit, 0, 'no name of the CA: an error of the configuration';
like $out, qr/"a\.test" cannot be proved to .*issuer_domain \(ACMEIssuerDomain\)/,
    'that tells the cure';
$t->start_ca;
$t->ca->set(persist => { domains => ['evil.test'] });
$t->clear_config->issuer('own', %own, issuer_domain => 'own.test')
    ->site('a.test', acme => 'own');
$t->start;
$t->wait_log(qr/its server calls it: evil\.test/) or $t->give_up;

for my $case (@case) {
    my ($claims, $domain, $error, $shown) = @$case;
    my %more = defined $domain ? (issuer_domain => $domain)
        : (challenge => 'dns-persist-01=draft-01 http-01');
    my $mark = $t->log_mark;

    $t->ca->set(persist => $claims);
    $t->clear_config->issuer('own', %own, %more)
        ->site('a.test', acme => 'own');
    ok $t->reload, 'a new configuration' or $t->give_up;
    $t->wait_helpers;
    $t->acmectl('renew', '--cert-name', 'a.test');
    my $status = $t->status('a.test') // {};
    my $said = $status->{error}{text} // '';
    like $said, $error, 'refused: ' . join ' ', map { ref ? @$_ : $_ } %$claims;
    like $said, qr/dns-persist-01 of "a\.test".*\Q$shown\E/, '  and why';
    ok $status->{wait_for_config}, '  until somebody changes something';
    unlike $t->log_since($mark), qr/publish/, '  nothing is to be published';
}
is_deeply [grep { $_->{posts} } $t->ca->challenges], [], 'none was answered';

$t->done;
