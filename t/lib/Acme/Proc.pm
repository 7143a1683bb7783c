package Acme::Proc;

# Knows how to run, watch and end processes of one test, and how to read
# /proc.  Ends processes only by pid, and only descendants of this one.
# Refuses to know what the processes are for.

use v5.36;
use Exporter 'import';
use Fcntl qw(O_WRONLY O_CREAT O_APPEND);
use POSIX ();
use Time::HiRes qw(time);

our @EXPORT_OK = qw(
    run spawn stop_pid nap wait_until reap adopt_orphans as_user user_ids
    process_table descendants related slurp spew touches
);

use constant { PR_SET_PDEATHSIG => 1, PR_SET_CHILD_SUBREAPER => 36 };

my %PRCTL = (
    x86_64 => 157, aarch64 => 167, riscv64 => 167, i686 => 172,
    armv7l => 172, ppc64le => 171, s390x => 172,
);

sub prctl ($option, $value)
{
    my $number = $PRCTL{ (POSIX::uname())[4] } or return 0;
    return syscall($number, $option, $value, 0, 0, 0) == 0;
}

# From now on a process whose parent (below us) went becomes our child, so
# that nothing started by a test can hide behind init.
sub adopt_orphans ()
{
    state $done = 0;
    return if $done == $$;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    $done = $$;
    return;
}

# --- small things ----------------------------------------------------------

sub nap ($seconds = 0.02)
{
    select undef, undef, undef, $seconds;
    return;
}

# The first true value of $code within $seconds, else nothing.
sub wait_until ($seconds, $code)
{
    my $end = time + $seconds;
    my $pause = 0.002;

    while (1) {
        my $value = $code->();
        return $value if $value;
        return if time >= $end;
        nap($pause);
        $pause *= 1.5 if $pause < 0.03;
    }
}

sub slurp ($path)
{
    open my $fh, '<:raw', $path or return;
    local $/;
    return scalar <$fh> // '';
}

sub spew ($path, $text, $mode = 0644)
{
    my $temp = "$path.$$.tmp";
    open my $fh, '>:raw', $temp or die "cannot write $temp: $!\n";
    print {$fh} $text or die "cannot write $temp: $!\n";
    close $fh or die "cannot write $temp: $!\n";
    chmod $mode, $temp;
    rename $temp, $path or die "cannot write $path: $!\n";
    return $path;
}

# --- becoming somebody else ------------------------------------------------

sub user_ids ($name)
{
    my (undef, undef, $uid, $gid) = getpwnam $name
        or die "no such user: $name\n";
    return ($uid, $gid);
}

# Irreversible; for children only.
sub as_user ($name)
{
    my ($uid, $gid) = user_ids($name);
    return if $> == $uid && $< == $uid;

    $) = "$gid $gid";
    POSIX::setgid($gid);
    POSIX::setuid($uid);
    die "cannot become $name\n"
        if $> != $uid || $< != $uid || $) !~ /^$gid\b/;
    return;
}

# --- starting and ending ---------------------------------------------------

sub start_child (%o)
{
    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;

    eval {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP QUIT CHLD PIPE ALRM);
        POSIX::setpgid(0, 0);
        open STDIN, '<', $o{stdin} // '/dev/null' or die "stdin: $!\n";
        redirect($o{out}, \*STDOUT, 1);
        redirect($o{err} // $o{out}, \*STDERR, 2);
        while (my ($name, $value) = each %{ $o{env} // {} }) {
            defined $value ? ($ENV{$name} = $value) : delete $ENV{$name};
        }
        as_user($o{user}) if $o{user};
        prctl(PR_SET_PDEATHSIG, $o{dies_with_us}) if $o{dies_with_us};
        chdir($o{cwd} // '/') or die "chdir: $!\n";
        if ($o{code}) {
            $o{code}->();
            POSIX::_exit(0);
        }
        no warnings 'exec';
        exec { $o{cmd}[0] } @{ $o{cmd} };
        die "cannot run $o{cmd}[0]: $!\n";
    };
    syswrite STDERR, $@;
    POSIX::_exit(127);
}

# A file name or a handle.
sub redirect ($to, $handle, $fd)
{
    if (ref $to) {
        POSIX::dup2(fileno $to, $fd);
        return;
    }
    sysopen my $fh, $to // '/dev/null', O_WRONLY | O_CREAT | O_APPEND, 0644
        or die "cannot write $to: $!\n";
    POSIX::dup2(fileno $fh, $fd);
    return;
}

# spawn(cmd => [...] or code => sub, log => FILE, user =>, env =>): a pid.
# The process gets a KILL when we die in a way that runs no cleanup.
sub spawn (%o)
{
    $o{dies_with_us} //= POSIX::SIGKILL();
    $o{out} = delete $o{log};
    return start_child(%o);
}

# run(cmd => [...], timeout => 30, user =>, env =>, stdin => FILE): waits
# and returns {exit, signal, stdout, stderr, timed_out}.  Output goes through
# files, so a daemon left behind that holds them blocks nothing.
sub run (%o)
{
    open my $out, '+>:raw', undef or die "temporary file: $!\n";
    open my $err, '+>:raw', undef or die "temporary file: $!\n";
    my $pid = start_child(%o, out => $out, err => $err);
    my $status;
    my $done = wait_until($o{timeout} // 30, sub {
        my $got = waitpid $pid, POSIX::WNOHANG();
        $status = $? if $got == $pid;
        return $got != 0;
    });

    if (!$done) {
        kill 'KILL', -$pid, $pid;
        waitpid $pid, 0;
        $status = $?;
    }
    my ($stdout, $stderr) = map {
        seek $_, 0, 0;
        local $/;
        <$_> // '';
    } $out, $err;

    return {
        exit => $status >> 8, signal => $status & 127, stdout => $stdout,
        stderr => $stderr, timed_out => !$done,
    };
}

# True when $pid ended within $seconds of the signal; then it gets a KILL.
sub stop_pid ($pid, $signal = 'TERM', $seconds = 5)
{
    kill $signal, $pid;
    return 1 if wait_until($seconds, sub { gone($pid) });
    kill 'KILL', $pid;
    wait_until(2, sub { gone($pid) });
    return 0;
}

# A zombie is gone; ours are reaped on the way.
sub gone ($pid)
{
    waitpid $pid, POSIX::WNOHANG();
    my $stat = process_stat($pid);
    return !$stat || $stat->{state} eq 'Z';
}

# --- /proc -----------------------------------------------------------------

sub process_stat ($pid)
{
    my $text = slurp("/proc/$pid/stat") // return;
    my ($comm, $state, $ppid, $pgrp, $session)
        = $text =~ /^\d+ \((.*)\) (\S) (\d+) (\d+) (\d+)/s or return;
    my @rest = split ' ', substr $text, rindex($text, ')') + 2;

    return {
        pid => $pid, comm => $comm, state => $state, ppid => $ppid,
        session => $session, start => $rest[19],
    };
}

# pid => {pid, ppid, comm, state, start, title}, without zombies.
sub process_table ()
{
    my %table;

    opendir my $dir, '/proc' or die "cannot read /proc: $!\n";
    for my $pid (grep { /^\d+$/ } readdir $dir) {
        my $entry = process_stat($pid) or next;
        next if $entry->{state} eq 'Z';
        $entry->{title} = slurp("/proc/$pid/cmdline") // '';
        $entry->{title} =~ s/\0+$//;
        $entry->{title} =~ s/\0/ /g;
        $table{$pid} = $entry;
    }
    return \%table;
}

# Collects orphans that ended.  Children that somebody waits for by pid are
# left to them.
sub reap (@not)
{
    my %not = map { $_ => 1 } @not;

    opendir my $dir, '/proc' or return;
    for my $pid (grep { /^\d+$/ && !$not{$_} } readdir $dir) {
        my $entry = process_stat($pid) or next;
        waitpid $pid, POSIX::WNOHANG()
            if $entry->{ppid} == $$ && $entry->{state} eq 'Z';
    }
    return;
}

sub descendants ($table, $root = $$)
{
    my (%children, @found);

    push @{ $children{ $_->{ppid} } }, $_ for values %$table;
    my @todo = @{ $children{$root} // [] };
    while (my $entry = shift @todo) {
        push @found, $entry;
        push @todo, @{ $children{ $entry->{pid} } // [] };
    }
    return @found;
}

# Whatever runs below us or has something to do with $dir.
sub related ($dir, @not)
{
    my $table = process_table();
    my %found = map { $_->{pid} => $_ } descendants($table);

    for my $entry (values %$table) {
        $found{ $entry->{pid} } //= $entry if touches($entry, $dir);
    }
    delete @found{ $$, @not };
    return sort { $a->{pid} <=> $b->{pid} } values %found;
}

# By its command line, working directory, program or an open file.
sub touches ($entry, $dir)
{
    my $proc = "/proc/$entry->{pid}";

    return 1 if index($entry->{title}, "$dir/") >= 0;
    for my $link ("$proc/cwd", "$proc/exe", glob "$proc/fd/*") {
        my $target = readlink $link // next;
        return 1 if $target eq $dir || index($target, "$dir/") == 0;
    }
    return 0;
}

1;
