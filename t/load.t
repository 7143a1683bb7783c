#!/usr/bin/perl
# More than twenty swaps and a reload while clients of every kind connect
# without a pause: no handshake and no request fails, no worker goes back to an
# older certificate, and memory is flat.  ACME_LOAD_SECONDS=1800
# goes on for that long, with a reload every half minute.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Load;
use Acme::Proc qw(nap slurp);
use Acme::Test;
use List::Util qw(head max sum0 uniq);

use constant {
    LIFE => 60,             # seconds of a certificate: a slow machine has half
    SWAPS => 24,
    WARM_UP => 8,           # seconds until buffers have their size
    READING => 0.5,         # seconds a thread may take for a certificate,
                            # and a new configuration for what came last
    RELOADS => 30,          # seconds between two, in a long run
    TOLD => 10,             # complaints of a kind
};
my %MOST_GROWTH = (nginx => 400, httpd => 1500);    # kB, two workers

my $seconds = $ENV{ACME_LOAD_SECONDS} // 0;
my @names = map { "$_.test" } 'a' .. 'd';
my @kinds = qw(ecdsa rsa);
my $first_swap = @names * @kinds;       # certificates before it

my $t = Acme::Test->new(ca => { type => 'own', validity => LIFE,
    authz_reuse => 1 });
$t->configure(global => Acme::Load->log_lines);
$t->site($_, key => ['ecdsa:256', 'rsa:2048']) for @names;
$t->start;
for my $name (@names) {
    $t->wait_certificate($name, 40, kind => $_) or $t->give_up for @kinds;
}

sub swaps { return $t->ca->certificates - $first_swap }

# By time; two lineages by force as well, as that is another way.
sub swap_until ($wanted, @forced)
{
    for my $name (@forced) {
        my ($exit, undef, $err)
            = $t->acmectl('renew', '--force', '--cert-name', $name);
        is $exit, 0, "$name renewed by force" or diag $err;
    }
    return $t->wait_for(sub { nap(0.5); swaps() >= $wanted }, 2 * LIFE,
        "$wanted swaps");
}

sub rss ($pid)
{
    return (slurp("/proc/$pid/status") // '') =~ /^VmRSS:\s+(\d+)/m ? $1 : 0;
}

sub memory { return sum0(map { rss($_) } $t->worker_pids) }

sub helpers_memory
{
    return sum0(map { rss($_) } $t->supervisor_pids, $t->store_pids,
        $t->engine_pids);
}

# pid => number of the configuration it serves
my (%generation, $generations);
sub new_generation ()
{
    $generations++;
    $generation{$_} //= $generations for $t->worker_pids;
    return 1;
}
new_generation();

my $load = Acme::Load->new($t, names => \@names,
    ca_file => $t->ca->root_file);
$load->start(Acme::Load->all_kinds);
my $end = time + $seconds;
my (@master, @helpers);

ok swap_until(SWAPS / 2, @names[0, 1]), 'half of the swaps';
ok $t->reload && new_generation(), 'a reload amid it';
while (time < $end) {
    nap(RELOADS);
    push @master, rss($t->master_pid);
    push @helpers, helpers_memory();
    ok $t->reload && new_generation(), 'and another one';
}
nap(WARM_UP);
my @workers = $t->worker_pids;
my $before = memory();
ok swap_until(max(SWAPS, swaps() + SWAPS / 2), @names[2, 3]),
    'the other half';
my $after = memory();
is_deeply [$t->worker_pids], \@workers, 'no worker was replaced by a swap';
$load->stop;

# --- what the clients saw --------------------------------------------------

my @seen = $load->seen;
my @failed = grep { $_->{error} ne '-' } @seen;
my @full = grep { !$_->{reused} && $_->{error} eq '-' } @seen;
is scalar @failed, 0, 'no handshake failed, and no request';
diag sprintf '%s %s %.3f: %s', $_->@{qw(tls kind start error)}
    for head(TOLD, @failed);

# the CA's certificates of a name and a kind are numbered in their order
my (%number, %last);
for my $one ($t->ca->certificates) {
    my ($name) = @{ $one->{names} };
    $number{"$name $one->{key}"}{ $one->{serial} }
        = ++$last{"$name $one->{key}"};
}
is scalar(grep { !$number{"$_->{name} $_->{kind}"}{ $_->{serial} } }
    grep { $_->{error} eq '-' } @seen), 0,
    'each certificate is one of that name and kind';

# Handshakes that began $late seconds after another one had shown a newer
# certificate.  Resumed sessions show none.
sub steps_back ($late, @handshakes)
{
    my @ended = sort { $a->{end} <=> $b->{end} } @handshakes;
    my ($newest, $back) = ({ number => 0 }, 0);

    for my $one (@handshakes) {
        while (@ended && $ended[0]{end} + $late <= $one->{start}) {
            my $other = shift @ended;
            $newest = $other if $other->{number} > $newest->{number};
        }
        next if $one->{number} >= $newest->{number};
        next if ++$back > TOLD;
        diag sprintf 'worker %d shows number %d of %s %s, %.3f s after'
            . ' worker %d has shown %d', @$one{qw(worker number name kind)},
            $one->{start} - $newest->{end}, @$newest{qw(worker number)};
    }
    return $back;
}

my (%of, %by_worker, %by_generation);
for my $one (@full) {
    my $what = "$one->{name} $one->{kind}";
    $one->{number} = $number{$what}{ $one->{serial} } // 0;
    push @{ $of{$what} }, $one;
    push @{ $by_worker{"$what " . ($one->{worker} // '')} }, $one;
    my $generation = $generation{ $one->{worker} // 0 } // 0;
    push @{ $by_generation{"$what $generation"} }, $one;
}
is scalar(grep { !$_->{worker} } @full), 0, 'the worker of each is known';
is sum0(map { steps_back(0, @$_) } values %by_worker), 0,
    'no worker goes back to an older one';
# one thread of a child reads what is new, the others go on meanwhile
is sum0(map { steps_back($t->of(nginx => 0, httpd => READING), @$_) }
    values %by_generation), 0, 'nor does one stay behind the others';
is sum0(map { steps_back(READING, @$_) } values %of), 0,
    'also those of a new configuration';
my $seen_swaps = sum0(map { uniq(map { $_->{number} } @$_) - 1 } values %of);
cmp_ok $seen_swaps, '>=', 20, 'the swaps were seen';
for my $sort (Acme::Load->all_kinds) {
    my @its = grep { $_->{tls} eq $sort->{tls} && $_->{resume} ==
        $sort->{resume} && $_->{kind} eq $sort->{kind} } @seen;
    my $reused = grep { $_->{reused} } @its;
    my $what = "TLS $sort->{tls}, $sort->{kind}, "
        . ($sort->{resume} ? 'with resumption' : 'each time anew');
    cmp_ok scalar @its, '>', 100, "$what: connections";
    ok $sort->{resume} ? $reused > @its / 2 : !$reused, $what
        or diag "$reused of " . @its;
}

SKIP: {
    skip 'a sanitizer keeps what is freed', 1 if $ENV{ACME_PRELOAD};
    my $most = $MOST_GROWTH{ $t->host };
    cmp_ok $after - $before, '<', $most,
        "memory of the workers is flat ($before, $after kB)";
    last if @master < 6;
    for my $each ([master => @master], [helpers => @helpers]) {
        my ($what, @kb) = @$each;
        cmp_ok $kb[-1] - $kb[@kb / 3], '<', $most,
            "and that of the $what, reload after reload (@kb kB)";
    }
}
diag sprintf '%d handshakes, %d of them full, %d swaps seen, %d failed',
    scalar @seen, scalar @full, $seen_swaps, scalar @failed;
diag "RSS of the workers: $before kB, at the end $after kB";

$t->done;
