package Acme::SecProc;

# Looks into other processes as an attacker or as root would: memory, file
# descriptors, what the kernel says of them.  Changes nothing in them but the
# attempt to trace.

use v5.36;
use Acme::Proc qw(slurp);
use Crypt::PK::ECC;
use Exporter 'import';
use POSIX ();

our @EXPORT_OK = qw(private_scalar pem_line found_in found_in_file
    memory_opens trace_refused descriptors status_of areas);

use constant { PTRACE_ATTACH => 16, PTRACE_DETACH => 17 };

my %PTRACE = (x86_64 => 101, aarch64 => 117, riscv64 => 117, i686 => 26,
    armv7l => 26, ppc64le => 26, s390x => 26);

# The secret number of an EC key, as bytes, from its PEM text.
sub private_scalar ($pem)
{
    return Crypt::PK::ECC->new(\$pem)->export_key_raw('private');
}

# The line of the PEM text of an EC key (PKCS#8) that no other key has.
sub pem_line ($pem)
{
    return (split /\n/, $pem)[2];
}

# Which of the secrets (name => bytes) are in the memory of $pid, sorted: in
# the order of bytes of a DER file or in that of a big number.  shared => 0
# leaves out memory shared with others.  Dies if the memory cannot be read.
sub found_in ($pid, $secrets, %o)
{
    my %found;

    open my $mem, '<:raw', "/proc/$pid/mem" or die "mem of $pid: $!\n";
    for my $map (mappings($pid)) {
        next if $map->{shared} && !($o{shared} // 1);
        $found{$_} = 1 for held_by($secrets, pieces($mem, $map));
    }
    return sort keys %found;
}

# The same of a file.
sub found_in_file ($path, $secrets)
{
    open my $fh, '<:raw', $path or die "$path: $!\n";
    return sort +held_by($secrets, pieces($fh, { from => 0, to => -s $fh }));
}

sub held_by ($secrets, @pieces)
{
    return grep {
        my $secret = $secrets->{$_};
        my $number = reverse $secret;
        grep { index($_, $secret) >= 0 || index($_, $number) >= 0 } @pieces;
    } keys %$secrets;
}

# Readable ones, without the kernel's own and without program text.
sub mappings ($pid)
{
    my @found;
    for my $line (split /\n/, slurp("/proc/$pid/maps") // '') {
        my ($from, $to, $mode, $name)
            = $line =~ /^(\w+)-(\w+) (\S+) \S+ \S+ \d+\s*(.*)/ or next;
        next if $mode !~ /^r/ || $name =~ /^\[v/
            || $mode !~ /w/ && $name =~ m{^/};
        no warnings 'portable';    # of 64 bits
        push @found, { from => hex($from), to => hex($to), name =>
            "$from $mode $name", shared => $mode =~ /s$/ ? 1 : 0 };
    }
    return @found;
}

# Overlapping, so that nothing is cut in two.
sub pieces ($mem, $map)
{
    my $step = 4 << 20;
    my @pieces;
    for (my $at = $map->{from}; $at < $map->{to}; $at += $step) {
        my $size = $map->{to} - $at;
        $size = $step + 64 if $size > $step + 64;
        sysseek $mem, $at, 0 or next;
        my $bytes;
        push @pieces, $bytes if sysread $mem, $bytes, $size;
    }
    return @pieces;
}

# Whether the caller may read the memory of $pid.
sub memory_opens ($pid)
{
    open my $mem, '<:raw', "/proc/$pid/mem" or return 0;
    for my $map (mappings($pid)) {
        sysseek $mem, $map->{from}, 0 or next;
        return 1 if sysread $mem, my ($byte), 1;
    }
    return 0;
}

# True when the caller may not trace $pid; if it may, that is undone.
sub trace_refused ($pid)
{
    my $number = $PTRACE{ (POSIX::uname())[4] } or return 1;
    return 1 if syscall($number, PTRACE_ATTACH, $pid, 0, 0) == -1;
    waitpid $pid, 0x40000000;    # __WALL
    syscall($number, PTRACE_DETACH, $pid, 0, 0);
    return 0;
}

# number => what it is open on
sub descriptors ($pid)
{
    my %fd;
    for my $link (glob "/proc/$pid/fd/*") {
        my ($number) = $link =~ /(\d+)$/;
        $fd{$number} = readlink $link // next;
    }
    return \%fd;
}

# name => value of /proc/PID/status
sub status_of ($pid)
{
    return { map { /^(\w+):\s*(.*)/ ? ($1, $2) : () }
        split /\n/, slurp("/proc/$pid/status") // '' };
}

# Shared mappings of memory without a name in any directory: [{name, flags}]
sub areas ($pid)
{
    my (@areas, $in);
    for my $line (split /\n/, slurp("/proc/$pid/smaps") // '') {
        if ($line =~ /^[\da-f]+-[\da-f]+ (\S{4})/) {
            $in = $1 =~ /s$/ && $line =~ m{/(?:dev/zero|memfd:\S+) \(deleted\)}
                ? { name => $line } : undef;
            push @areas, $in if $in;
        } elsif ($in && $line =~ /^VmFlags: (.*)/) {
            $in->{flags} = { map { $_ => 1 } split ' ', $1 };
        }
    }
    return @areas;
}

1;
