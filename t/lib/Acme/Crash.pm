package Acme::Crash;

# Durable steps of the store process, numbered, and what may happen at one of
# them: t/preload/steps.c does it, preloaded into the server or acmectl; this
# tells it what, and looks at what is on the disk.
#
#     my $crash = Acme::Crash->new($t);       # before $t->start
#     $crash->arm('die', at => 17, signal => 'KILL');
#     ...
#     $crash->disarm;

use v5.36;
use Acme::Proc qw(run slurp);
use Acme::Tls qw(load_pem);
use Acme::Tool qw(built);
use Exporter 'import';
use Fcntl qw(O_RDWR O_CREAT);
use File::Find ();
use Net::SSLeay;
use POSIX ();
use Storable ();
use Test::More ();

our @EXPORT_OK = qw(in_parallel live_pair sample temp_files);

# as struct shared has them
my %FIELD = do {
    my $at = 0;
    map { $_ => 4 * $at++ } qw(action at number count fired released held
        strays pid);
};
use constant { BELOW => 36, ABOUT => 36 + 256, LINE => 36 + 256 + 128,
    LINES => 1024, LINE_SIZE => 160 };
my %ACTION = (count => 0, die => 1, 'die-after' => 2, fail => 3,
    'fail-since' => 4, hold => 5, 'hold-each' => 6,
    'full-since' => 7);

# The server of $t and acmectl run with it from now on.  What asks the CA at
# times of its own when to renew is off: its steps would be among the others,
# now here, now there.
sub new ($class, $t)
{
    my $path = $t->dir . '/steps';
    my $library = built('ACME_STEPS_LIBRARY', 'steps.so');

    die "$library is not built: make test does that\n" if !-r $library;
    sysopen my $fh, $path, O_RDWR | O_CREAT, 0600 or die "$path: $!\n";
    truncate $fh, LINE + (LINES + 1) * LINE_SIZE or die "$path: $!\n";
    $ENV{ACME_PRELOAD}
        = join ':', grep { length } $ENV{ACME_PRELOAD} // '', $library;
    $ENV{ACME_STEPS} = $path;
    my $self = bless { t => $t, fh => $fh }, $class;
    $self->below($t->state);
    $t->issuer('testca', ca => $t->ca, renewal_info => 'off') if $t->ca;
    return $self;
}

# For acmectl, which the harness does not preload anything into.
sub environment ($self)
{
    return { LD_PRELOAD => $ENV{ACME_PRELOAD} };
}

# The same, where acmectl itself writes, too.
sub environment_of_all ($self)
{
    return { %{ $self->environment }, ACME_STEPS_ALSO => 'acmectl' };
}

sub put ($self, $at, $bytes)
{
    sysseek $self->{fh}, $at, 0;
    syswrite($self->{fh}, $bytes) == length $bytes or die "steps: $!\n";
    return;
}

sub bytes ($self, $at, $size)
{
    sysseek $self->{fh}, $at, 0;
    my $bytes;
    sysread $self->{fh}, $bytes, $size;
    return $bytes;
}

sub set ($self, $field, $value)
{
    return $self->put($FIELD{$field}, pack 'L', $value);
}

sub get ($self, $field)
{
    return unpack 'L', $self->bytes($FIELD{$field}, 4);
}

# The state directory that is watched.
sub below ($self, $directory)
{
    return $self->put(BELOW, pack 'Z256', $directory);
}

# arm(ACTION, at => N, signal => NAME or errno => NAME, about => TEXT): from
# now on the steps count, from 1 on; only those with TEXT in their path.
# 'count' | 'die' (before the step) | 'die-after' | 'fail' | 'fail-since'
# (that step and all later ones) | 'full-since' (so, but for those that need no
# room: renames, removals) | 'hold' | 'hold-each' (release lets go on)
sub arm ($self, $action, %o)
{
    my $number = $o{signal}
        ? { KILL => POSIX::SIGKILL(), ABRT => POSIX::SIGABRT(),
            SEGV => POSIX::SIGSEGV() }->{ $o{signal} }
        : $o{errno} ? do { no strict 'refs'; &{"POSIX::$o{errno}"}() } : 0;

    $self->set(action => 0);
    $self->set($_ => 0) for qw(count fired released held strays);
    $self->put(ABOUT, pack 'Z128', $o{about} // '');
    $self->set(at => $o{at} // 0);
    $self->set(number => $number);
    $self->set(action => $ACTION{$action} // die "no action $action\n");
    return $self;
}

# What is held goes on.
sub disarm ($self)
{
    $self->set(action => 0);
    $self->set(released => 0xffffffff);
    return $self;
}

sub count ($self) { return $self->get('count') }
sub fired ($self) { return $self->get('fired') }
sub pid ($self) { return $self->get('pid') }
sub held ($self) { return $self->get('held') }
sub release ($self, $step) { return $self->set(released => $step) }

# A change by a process that has no business with the directory, or undef.
sub stray ($self)
{
    return if !$self->get('strays');
    return unpack 'Z*', $self->bytes(LINE + LINES * LINE_SIZE, LINE_SIZE);
}

# The steps since arm, as "rename live/a.test"; a random name is without its
# digits.
sub steps ($self)
{
    my $count = $self->count;
    $count = LINES if $count > LINES;
    my @lines = unpack '(Z' . LINE_SIZE . ')*',
        $self->bytes(LINE, $count * LINE_SIZE);
    return map { s/\.[0-9a-f]{16}(?=\.tmp)/.*/gr } @lines;
}

# What the step with that number was this time: two jobs of the store may do
# theirs in one order now and in the other then.
sub step ($self, $number)
{
    return ($self->steps)[$number - 1] // 'none';
}

# Runs each code in a child of its own, with a list of what it has to say:
# [LABEL, WHAT IS WRONG or '', and more to show]; they become tests here.  A
# restart takes seconds in which nothing happens, so several go on at once.
sub in_parallel (@codes)
{
    my @reader;

    for my $code (@codes) {
        pipe my $reader, my $writer or die "pipe: $!\n";
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            my @told;
            eval { $code->(\@told); 1 } or push @told, ['to the end', "$@"];
            syswrite $writer, Storable::freeze(\@told);
            POSIX::_exit(0);
        }
        close $writer;
        push @reader, [$pid, $reader];
    }
    for my $child (@reader) {
        my ($pid, $reader) = @$child;
        my $told = Storable::thaw(do { local $/; readline $reader });
        waitpid $pid, 0;
        for my $one (@{ $told // [['a child', 'has died']] }) {
            Test::More::is($one->[1], '', $one->[0])
                or Test::More::diag($one->[2] // ());
        }
    }
    return;
}

# The numbers of at most $most of @steps: all that stand close to the switch,
# and the others evenly, each kind of step before a kind comes twice.
# $shift (0 to 1) gives another choice.
sub sample ($most, $shift, @steps)
{
    my ($switch) = grep { $steps[$_] =~ m{^rename live/} } 0 .. $#steps;
    my %taken = map { $_ => 1 }
        grep { defined $switch && abs($_ - $switch) <= 3 } 0 .. $#steps;
    my (%seen, @first, @more);

    for my $i (grep { !$taken{$_} } 0 .. $#steps) {
        push @{ $seen{ $steps[$i] }++ ? \@more : \@first }, $i;
    }
    foreach my $some (\@first, \@more) {
        my $room = $most - keys %taken;
        my $every = $room > 0 ? @$some / $room : @$some + 1;
        $every = 1 if $every < 1;
        for (my $i = $shift * $every; $i < @$some; $i += $every) {
            $taken{ $some->[$i] } = 1 if keys %taken < $most;
        }
    }
    return map { $_ + 1 } sort { $a <=> $b } keys %taken;
}

# --- what is there ---------------------------------------------------------

# Of the lineage below the directory: {number, serial} of the pair that is
# live, undef if there is none, and dies if it is not a whole one.
sub live_pair ($directory, $lineage)
{
    my $target = readlink "$directory/live/$lineage" // return;
    my $at = "$directory/live/$target";
    my $ctx = Net::SSLeay::CTX_new_with_method(Net::SSLeay::TLS_method());
    my $pem = Net::SSLeay::FILETYPE_PEM();
    my $whole = Net::SSLeay::CTX_use_certificate_chain_file($ctx,
            "$at/fullchain.pem") == 1
        && Net::SSLeay::CTX_use_PrivateKey_file($ctx, "$at/privkey.pem",
            $pem) == 1
        && Net::SSLeay::CTX_check_private_key($ctx) == 1;

    Net::SSLeay::CTX_free($ctx);
    Net::SSLeay::ERR_clear_error();
    die "$target is no pair\n" if !$whole;
    for my $name (qw(cert chain meta)) {
        my $file = "$at/$name" . ($name eq 'meta' ? '.json' : '.pem');
        die "$target has no $name\n" if !-e $file;
    }
    return { number => $target =~ m{/(\d+)$},
        serial => (load_pem("$at/fullchain.pem"))[0]{serial} };
}

sub temp_files ($directory)
{
    my @found;
    File::Find::find({ no_chdir => 1, wanted => sub {
        push @found, substr $_, length "$directory/" if m{/\.[^/]*\.tmp$};
    } }, $directory);
    return sort @found;
}

1;
