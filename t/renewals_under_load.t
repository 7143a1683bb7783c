#!/usr/bin/perl
# Ten renewals, one after the other, while clients that verify what they get
# connect without a pause: each is served, no handshake and no request fails,
# and at the end every process is the one that it was.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Load;
use Acme::Test;
use List::Util qw(uniq);

use constant MOST => 30;    # seconds for a renewal

my @names = map { "$_.test" } 'a' .. 'j';

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
$t->configure(global => Acme::Load->log_lines);
$t->site($_) for @names;
$t->start;
my %old;
for my $name (@names) {
    my $cert = $t->wait_certificate($name, MOST) or $t->give_up;
    $old{$name} = $cert->{serial};
}

sub processes
{
    return join ' ', sort { $a <=> $b } $t->master_pid, $t->worker_pids,
        $t->supervisor_pids, $t->store_pids, $t->engine_pids;
}
my $before = processes();

my $load = Acme::Load->new($t, names => \@names,
    ca_file => $t->ca->root_file);
$load->start(grep { $_->{kind} eq 'ecdsa' } Acme::Load->all_kinds);

# Full handshakes of each client that have shown it.
sub showed ($name, $serial)
{
    return grep { $_->{serial} eq $serial && !$_->{reused} }
        grep { $_->{name} eq $name } $load->seen;
}

for my $name (@names) {
    $t->wait_for(sub { showed($name, $old{$name}) }, MOST, "load of $name")
        or $t->give_up;
    my ($exit, undef, $err)
        = $t->acmectl('renew', '--force', '--cert-name', $name);
    is $exit, 0, "$name is renewed" or diag $err;
    my $new = $t->wait_new_serial($name, $old{$name}, MOST) or $t->give_up;
    ok $t->wait_for(sub { showed($name, $new->{serial}) }, MOST,
        "the new one of $name"), 'and the clients get it';
}
is processes(), $before, 'no process was replaced';
$load->stop;

my @seen = $load->seen;
my @failed = grep { $_->{error} ne '-' } @seen;
is scalar @failed, 0, 'no handshake failed, and no request';
diag sprintf '%s %.3f %s', $_->@{qw(tls start error)} for @failed;
for my $name (@names) {
    my @serials = uniq map { $_->{serial} }
        grep { $_->{name} eq $name } @seen;
    is scalar @serials, 2, "$name: two certificates in all";
}
is scalar($t->ca->orders), 2 * @names, 'and no order but for those';

$t->done;
