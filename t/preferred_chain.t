#!/usr/bin/perl
# preferred_chain: of the chains that a CA offers (RFC 8555 7.4.2) the one is
# served whose topmost certificate has that issuer; the CA's own choice where
# there is none, or where it is no chain at all.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use Acme::Tls qw(parse_certificate);

# The CN of the issuer of the last certificate that the server sends.
sub top ($cert)
{
    return $cert->{chain}[-1]{issuer} =~ m{/CN=([^/]*)} ? $1 : '';
}

subtest 'Pebble' => sub {
    my $t = Acme::Test->new(ca => { type => 'pebble', alternates => 2,
        chain_length => 2 });
    $t->start_ca;
    my ($cn) = parse_certificate($t->ca->root_pem(2))->{subject}
        =~ m{/CN=([^/]*)};
    $t->issuer('testca', ca => $t->ca, preferred_chain => $cn);
    $t->site('a.test')->start;
    ok $t->wait_for(sub { $t->peer_certificate('a.test',
        ca_file => $t->ca->root_file(2)) }, 30),
        'the chain verifies against the root asked for';
    is top($t->peer_certificate('a.test')), $cn, 'as its issuer is';
    $t->done;
};

my $t = Acme::Test->new(ca => { type => 'own', alternates => 1 });
my $ca = $t->ca;

sub configure ($cn, @names)
{
    $t->clear_config;
    $t->issuer('testca', ca => $ca, preferred_chain => $cn);
    $t->site($_) for @names;
    return;
}

configure('ca other root', 'a.test');
$t->start;
ok $t->wait_for(sub { $t->peer_certificate('a.test',
    ca_file => $ca->root_file(1)) }, 30), 'the second chain is served'
    or $t->give_up;
is top($t->peer_certificate('a.test')), 'ca other root', 'to its root';

my $mark = $t->log_mark;
configure('ca root', 'b.test');
ok $t->reload, 'the first one is preferred';
is top($t->wait_certificate('b.test') // $t->give_up), 'ca root',
    'and served';
unlike $t->log_since($mark), qr/preferred chain/, 'nothing to be said';

$mark = $t->log_mark;
configure('Ca Root', 'c.test');
ok $t->reload, 'a chain that is not there';
is top($t->wait_certificate('c.test') // $t->give_up), 'ca root',
    'the default is served';
my @said = $t->log_since($mark)
    =~ /not the preferred chain "Ca Root", lineage "c\.test": none/g;
is scalar @said, 1, 'with a warning, once';

$ca->fault(where => 'certificate', do => 'body', skip => 1,
    body => "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
$mark = $t->log_mark;
configure('ca other root', 'd.test');
ok $t->reload, 'an alternate that is no chain';
is top($t->wait_certificate('d.test') // $t->give_up), 'ca root',
    'the default is served';
like $t->log_since($mark), qr/not the preferred chain.*"d\.test": alternate/,
    'the log says what was wrong';
is +($ca->struck)[0], 1, 'it was looked at';

$t->done;
