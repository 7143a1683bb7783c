#!/usr/bin/perl
# Certificates proved by tls-alpn-01 alone: by Pebble and by a CA that offers
# nothing else, for names and addresses, with several key types, and renewed
# while the old one is served.  No http-01 is asked for or needed.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp);
use Acme::Test;

my %only = (nginx => 'acme_challenge tls-alpn-01;',
    httpd => 'ACMECAChallenges tls-alpn-01');

sub wait_address ($t)
{
    return $t->wait_for(sub { $t->peer_certificate(undef, verify => 1,
        verify_name => '127.0.0.1') }, 30, 'a certificate for the address');
}

subtest 'Pebble' => sub {
    my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 });
    $t->configure(global => \%only);
    $t->site(['a.test', 'b.test']);
    $t->site('127.0.0.1', default => 1, identifiers => ['127.0.0.1']);
    $t->start;
    my $cert = $t->wait_certificate('a.test') or $t->give_up;
    is_deeply $cert->{names}, ['a.test', 'b.test'], 'names';
    ok wait_address($t), 'an address';
    is +($t->acmectl('renew', '--force', '--cert-name', 'a.test'))[0], 0,
        'a renewal';
    ok $t->wait_new_serial('a.test', $cert->{serial}, 10), 'is served';
    unlike slurp($t->dir . '/logs/access.log') // '', qr/acme-challenge/,
        'and nobody came for http-01';
    $t->done;
};

# Of the challenges that were answered.
sub answered ($t)
{
    my %types = map { $_->{type} => 1 }
        grep { $_->{posts} } $t->ca->challenges;
    return join ' ', sort keys %types;
}

my $t = Acme::Test->new(ca => 'own');
$t->configure(global => \%only);
$t->site('a.test', identifiers => ['a.test', 'b.test', '127.0.0.1'],
    key => ['ecdsa', 'rsa']);
$t->start;
my %cert;
for my $kind (qw(ecdsa rsa)) {
    $cert{$kind} = $t->wait_certificate('a.test', 30, kind => $kind)
        or $t->give_up;
    is_deeply $cert{$kind}{names}, ['127.0.0.1', 'a.test', 'b.test'],
        "names and an address, $kind";
}
is answered($t), 'tls-alpn-01', 'nothing else was answered, as configured';
is_deeply [grep { /challenge\.json/ } $t->state_files], [],
    'nothing is pending any more';

$t->ca->set(challenges => ['tls-alpn-01']);
$t->clear_config->site('c.test')->reload;
ok $t->wait_certificate('c.test'),
    'without the directive: what the CA offers';

$t->ca->set(challenges => ['http-01', 'dns-01']);
$t->clear_config->configure(global => \%only)->site('d.test')->reload;
ok $t->wait_log(qr/"d\.test" could be proved by tls-alpn-01.*CA offers/, 10),
    'a CA that does not offer it';
is scalar(grep { $_->{names}[0] eq 'd.test' } $t->ca->orders), 1,
    'is asked once';
$t->done;
