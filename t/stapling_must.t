#!/usr/bin/perl
# A certificate with must-staple is stapled by itself, from its first handshake
# on, and so is each that follows it: no client ever sees one without.  When
# its responder says nothing it is live all the same, and acmectl says so.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(nap slurp);
use Acme::Test;
use Acme::Tls qw(peer);

my $t = Acme::Test->new(ca => { type => 'own', ocsp => {}, authz_reuse => 1 });
my $ca = $t->ca;
$t->site('a.test', must_staple => 'on')->start;

sub shown ()
{
    return peer(port => $t->port('tls'), name => 'a.test', staple => 1,
        ca_file => $ca->root_file);
}

# "SERIAL STATUS": 0 is good, none where nothing came.
my $seen = $t->dir . '/logs/client';
my $client = $t->spawn(log => $seen, code => sub {
    while (1) {
        my $got = shown();
        syswrite STDOUT, "$got->{serial} "
            . ($got->{staple}{status} // 'none') . "\n"
            if !$got->{error} && $got->{must_staple};
        nap(0.02);
    }
});

my $first = $t->wait_certificate('a.test') or $t->give_up;
ok $first->{must_staple}, 'a certificate with must-staple';
is +($t->acmectl('renew', '--force'))[0], 0, 'and another one';
my $second = $t->wait_new_serial('a.test', $first->{serial}) or $t->give_up;
nap(1);
kill 'TERM', $client;
my %count;
$count{$_}++ for split /\n/, slurp($seen);
is_deeply [sort keys %count], [sort map { "$_->{serial} 0" } $first, $second],
    'none was seen without' or diag explain \%count;
is +($t->acmectl('check', '--connect'))[0], 0, 'says acmectl, too';

# a responder that knows nothing does not stop it
$ca->set(ocsp => { unknown => 1 });
my $mark = $t->log_mark;
unlink $t->state('record', 'a.test.json');
is +($t->acmectl('renew', '--force'))[0], 0, 'one that nobody answers for';
ok $t->wait_new_serial('a.test', $second->{serial}, 40), 'is live all the same';
ok $t->wait_log(qr/has no answer of its responder yet, lineage "a\.test":/, 5,
    since => $mark), 'said';
is shown()->{staple}, undef, 'and nothing is stapled';
my ($exit, $out) = $t->acmectl('check', '--connect');
is $exit, 1, 'acmectl check fails';
like $out, qr/^a\.test: not_stapled, /, 'and says why';

$t->done;
