package Bench;

# What the programs of make bench share: contests in alternating rounds, CPU
# and memory of processes, certificates without a CA.  Knows nothing of what
# is compared.

use v5.36;
use Acme::CA::X509 qw(issue new_key new_root);
use Acme::Proc qw(run slurp spew);
use Digest::SHA qw(sha256_hex);
use Exporter 'import';
use File::Path qw(make_path);
use JSON::PP;
use List::Util qw(max);
use MIME::Base64 qw(decode_base64);
use Net::SSLeay;
use Time::HiRes qw(time);

our @EXPORT_OK = qw(children_s contest cpu_us finish forget_lineages lineages memory_mb
    names numbers opening skip stopwatch tool);

use constant KEYS => 50;        # of a kind

$| = 1;

=head1 ARGUMENTS AND OUTPUT

numbers(a => 1, b => 2): those defaults, replaced by arguments a=5 b=7
opening(TITLE): what is measured, on what machine, at what load
skip(WHAT, WHY): says so
tool(NAME): its path, undef if it is not installed
finish($t): teardown; what it complains about is shown

=cut

sub numbers (%number)
{
    for my $argument (@ARGV) {
        my ($name, $value) = $argument =~ /^(\w+)=(\d+)$/;
        die "usage: $0 " . join(' ', map { "[$_=$number{$_}]" }
            sort keys %number) . "\n"
            if !defined $name || !exists $number{$name};
        $number{$name} = $value;
    }
    return %number;
}

sub opening ($title)
{
    my ($model) = (slurp('/proc/cpuinfo') // '') =~ /^model name\s*: (.*)/m;
    my $cpus = () = (slurp('/proc/cpuinfo') // '') =~ /^processor/mg;
    my ($load) = (slurp('/proc/loadavg') // '') =~ /^(\S+)/;

    say "# $title";
    say "# $cpus x ", $model // 'unknown CPU', ", load $load before us";
    say '# with so much beside us take what is of CPU, not what is of time'
        if ($load // 0) > 1;
    return;
}

sub skip ($what, $why)
{
    say "$what: skipped, $why";
    return;
}

sub tool ($name)
{
    my ($path) = grep { -x } map { "$_/$name" }
        split(/:/, $ENV{PATH} // ''), qw(/usr/local/bin /usr/bin /usr/sbin);
    return $path;
}

sub finish ($t)
{
    $t->teardown;
    say "# problem: $_" for @{ $t->{problems} };
    return;
}

=head1 CONTESTS

contest(WHAT, ours => CODE, against => { NAME => CODE, .. }, goals =>
{ METRIC => '<= 1.01' or { NAME => '..' } }, limits => { METRIC => '<= 50' },
rounds => 7, seconds => 30)

CODE returns { METRIC => number }.  A round runs each of them once, the next
one in the opposite order; the ratio is ours / theirs of the same round.  No
new round begins after so many seconds.  One line per metric that both have.
Goals are for the median of the ratios, limits for that of ours.

=cut

sub contest ($what, %o)
{
    my %code = (%{ $o{against} }, ours => $o{ours});
    my @order = (sort(keys %{ $o{against} }), 'ours');
    my $end = time + ($o{seconds} // 30);
    my %got;

    for my $round (1 .. $o{rounds} // 7) {
        for my $who (@order) {
            my $result = $code{$who}->();
            push @{ $got{$who}{$_} }, $result->{$_} for keys %$result;
        }
        @order = reverse @order;
        last if time >= $end;
    }
    state $headed = heading();
    for my $metric (sort keys %{ $got{ours} }) {
        my $limit = ($o{limits} // {})->{$metric};
        my $goal = ($o{goals} // {})->{$metric};
        my @rivals = grep { $got{$_}{$metric} } sort keys %{ $o{against} };
        row($what, $metric, $_, $got{$_}{$metric}, $got{ours}{$metric},
            ref $goal ? $goal->{$_} : $goal) for @rivals;
        row($what, $metric, $limit // '', undef, $got{ours}{$metric}, $limit)
            if defined $limit || !@rivals;
    }
    return \%got;
}

sub heading ()
{
    printf "%-27s %-12s %9s %9s  %-23s %s\n", '', 'against', 'theirs',
        'ours', 'ratio min median max', 'goal';
    return 1;
}

sub row ($what, $metric, $rival, $theirs, $ours, $goal = undef)
{
    my $label = "$what $metric";

    printf "%-27s %-12s %9s %9s", $label, $rival,
        $theirs ? short(median(@$theirs)) : '', short(median(@$ours));
    if ($theirs) {
        my @ratio = sort { $a <=> $b }
            map { $ours->[$_] / ($theirs->[$_] || 1e-9) } 0 .. $#$ours;
        printf '  %7.3f %7.3f %7.3f', $ratio[0], median(@ratio), $ratio[-1];
        print "  $goal: ", meets(median(@ratio), $goal) ? 'yes' : 'NO'
            if $goal;
        printf "  (%d rounds)", scalar @ratio;
    } elsif ($goal) {
        printf '  %23s  %s', '', meets(median(@$ours), $goal) ? 'yes' : 'NO';
    }
    print "\n";
    return;
}

sub meets ($ratio, $goal)
{
    my ($sign, $bound) = split ' ', $goal;
    return $sign eq '<=' ? $ratio <= $bound : $ratio >= $bound;
}

sub median (@values)
{
    my @sorted = sort { $a <=> $b } @values;
    return ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2;
}

sub short ($number)
{
    return sprintf $number >= 100 ? '%.0f' : $number >= 10 ? '%.1f' : '%.3f',
        $number;
}

sub stopwatch ($code)
{
    my $begin = time;
    $code->();
    return time - $begin;
}

=head1 PROCESSES

cpu_us(PIDS): microseconds on a CPU so far, of all their threads and, to
    10 ms, of threads that ended and children they have waited for
children_s(): seconds of CPU of the children that we have waited for
memory_mb(FIELD, PIDS): the sum of VmRSS, or of Pss

=cut

sub cpu_us (@pids)
{
    my $sum = 0;

    for my $pid (@pids) {
        my $threads = 0;
        $threads += (split ' ', slurp($_) // '0')[0] / 1000
            for glob "/proc/$pid/task/*/schedstat";
        my @ticks = (split ' ', (slurp("/proc/$pid/stat") // '')
            =~ s/.*\) //sr)[11 .. 14];
        next if !defined $ticks[3];
        my ($own, $children) = map { $_ * 10_000 }
            $ticks[0] + $ticks[1], $ticks[2] + $ticks[3];
        $sum += max($threads, $own) + $children;
    }
    return $sum;
}

sub children_s ()
{
    my (undef, undef, $user, $system) = times;
    return $user + $system;
}

sub memory_mb ($field, @pids)
{
    my $sum = 0;
    for my $pid (@pids) {
        my $text = slurp($field eq 'Pss' ? "/proc/$pid/smaps_rollup"
            : "/proc/$pid/status") // '';
        $sum += $1 if $text =~ /^$field:\s+(\d+) kB/m;
    }
    return $sum / 1024;
}

=head1 CERTIFICATES

names(COUNT): that many host names
lineages(STATE, { LINEAGE => { names => [..], key => 'ecdsa:256' }, .. }): a
    state directory as our store would have left it, with an account key
    and for each of these a valid certificate and an intermediate, in
    live/LINEAGE.  Ours and theirs are given the same files.  Some keys are of
    several: that saves time, and no server looks at it.
forget_lineages(STATE): leaves the account key only

=cut

sub names ($count)
{
    return map { sprintf 'n%05d.bench.test', $_ } 1 .. $count;
}

sub lineages ($state, $wanted)
{
    my $root = new_root('bench root');
    my $ca = { key => new_key(), subject => 'bench intermediate' };
    $ca->{pem} = issue(issuer => $root, key => $ca->{key}, ca => 1,
        subject => $ca->{subject}, from => -3600);

    make_path("$state/live", "$state/keys", { mode => 0700 });
    chmod 0700, $state;
    spew("$state/format", "1\n", 0600);
    account_key($state);
    lineage($state, $_, $ca, $wanted->{$_}) for keys %$wanted;
    return;
}

sub some_key ($spec)
{
    state %made;
    state $turn = 0;
    my $kept = $made{$spec} //= [];

    push @$kept, pkcs8(new_key($spec)) if @$kept < KEYS;
    return $kept->[$turn++ % @$kept];
}

sub account_key ($state)
{
    my $key = pkcs8(new_key());
    my $public = run(cmd => ['openssl', 'pkey', '-pubout', '-outform', 'DER',
        '-in', spew("$state/keys/new", $key, 0600)])->{stdout};
    my $id = substr sha256_hex($public), 0, 32;

    rename "$state/keys/new", "$state/keys/$id.pem" or die "rename: $!\n";
    spew("$state/keys/default.json", qq({"ecdsa:256":"$id"}\n), 0600);
    return;
}

sub lineage ($state, $name, $ca, $wanted)
{
    my $dir = "$state/archive/$name/1";
    my $key = some_key($wanted->{key} // 'ecdsa:256');
    my $leaf = issue(issuer => $ca, key => $key, from => -3600,
        names => $wanted->{names} // [$name]);

    make_path($dir, { mode => 0700 });
    spew("$dir/privkey.pem", $key, 0600);
    spew("$dir/cert.pem", $leaf);
    spew("$dir/chain.pem", $ca->{pem});
    spew("$dir/fullchain.pem", $leaf . $ca->{pem});
    spew("$dir/meta.json", encode_json({ pairs => [{
        key => $wanted->{key} // 'ecdsa:256',
        sha256_key => sha256_hex(der($key)),
        sha256_chain => sha256_hex(der($leaf) . der($ca->{pem})),
    }] }), 0600);
    symlink "../archive/$name/1", "$state/live/$name" or die "symlink: $!\n";
    return;
}

sub forget_lineages ($state)
{
    run(cmd => ['rm', '-rf', map { "$state/$_" }
        qw(live archive renewal record orders)], timeout => 60);
    return;
}

sub pkcs8 ($pem)
{
    my $key = Acme::CA::X509::evp($pem);
    my $text = Net::SSLeay::PEM_get_string_PrivateKey($key);
    Net::SSLeay::EVP_PKEY_free($key);
    return $text;
}

sub der ($pem)
{
    return decode_base64($pem =~ s/-----[^-]+-----//gr);
}

1;
