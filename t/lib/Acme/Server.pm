package Acme::Server;

# What the drivers of Acme::Test have in common: how a server of any kind is
# started, reloaded, tested and ended, and how its configuration is filled
# in.  A driver (Acme::Nginx, Acme::Httpd) knows the text and the commands:
#
#     name
#     alarming, level, ours    its log: what fails a test, lines of a level,
#                              lines that we wrote
#     terminal_level           as level, for -t and what start shows
#     render, issuer_name      the host-neutral description as text
#     start_command, test_command, in_foreground
#     signal, orphan_signal, reload_signal
#     may_reload, refused, still_there, worker_pids, workers_complete

use v5.36;
use Acme::Proc qw(process_table reap run slurp spawn spew wait_until);
use Scalar::Util ();

# new($test, and optionally daemon => 'on'|'off', run_as => USER,
#     workers => n, log_level => 'info', address => ADDRESS, and what one driver knows)
sub new ($class, $test, %o)
{
    my $self = bless { %o, test => $test, dir => $test->dir }, $class;

    $self->{daemon} //= 'on';
    $self->{workers} //= 2;
    $self->{address} //= '127.0.0.1';
    $self->{patience} //= 10;
    $self->{level} = $o{log_level} // 'info';
    $self->{conf} = "$self->{dir}/conf/" . $self->name . '.conf';
    Scalar::Util::weaken($self->{test});
    return $self;
}

sub address ($self) { return $self->{address} }
sub binary ($self) { return $self->{binary} }
sub module ($self) { return $self->{module} }
sub conf_file ($self) { return $self->{conf} }
sub pid_file ($self) { return "$self->{dir}/run/" . $self->name . '.pid' }
sub log_file ($self) { return "$self->{dir}/logs/error.log" }
sub output_file ($self) { return "$self->{dir}/logs/server.out" }

# Whom the workers run as.
sub worker_user ($self)
{
    return $self->{run_as} // ($> == 0 ? 'www-data' : scalar getpwuid $>);
}

# --- configuration text ----------------------------------------------------

# Plain text, or that of this host: { nginx => .., httpd => .. }.
sub text ($self, $text)
{
    return (ref $text ? $text->{ $self->name } : $text) // '';
}

# "NAME VALUE" for each of the settings that $of has; a list is one directive
# each.
sub directives ($self, $of, %name)
{
    my @lines;

    for my $key (grep { defined $of->{$_} } sort keys %name) {
        my $value = $of->{$key};
        push @lines, map { "$name{$key} $_" } ref $value ? @$value : $value;
    }
    return @lines;
}

sub indent ($self, $text)
{
    return $text =~ s/^(?=.)/    /gmr;
}

# A secret file of an issuer.
sub eab_file ($self, $issuer, $text)
{
    return spew("$self->{dir}/conf/$issuer->{name}.eab",
        $issuer->{eab}{text} // $text, 0600);
}

# %%STATE%%, %%HTTP%%, %%TLS%%, %%MODULE%%, %%CA_URL%%, ... and
# %%PORT:name%% for a port of the test.
sub fill ($self, $text)
{
    my $test = $self->{test};
    my $ca = $test->ca;
    my %value = (
        DIR => $self->{dir}, STATE => $test->state, WWW => $test->www,
        HTTP => $test->port('http'), TLS => $test->port('tls'),
        MODULE => $self->{module}, MODULES => $self->{modules},
        PID => $self->pid_file, LOG => $self->log_file,
        CONF => $self->{conf}, USER => $self->worker_user,
        ($ca ? (CA_URL => $ca->url, CA_FILE => $ca->ca_file) : ()),
    );

    $text =~ s/%%PORT:(\w+)%%/$test->port($1)/ge;
    $text =~ s{%%(\w+)%%}{
        $value{$1} // die "unknown placeholder %%$1%%\n" }ge;
    return $text;
}

sub write_config ($self, $text, $path = $self->{conf})
{
    return spew($path, $text);
}

# --- running ---------------------------------------------------------------

sub environment ($self)
{
    my $preload = $ENV{ACME_PRELOAD} // '';
    return {} if $preload eq '';

    my $log = "log_path=$self->{dir}/san/report";
    return {
        LD_PRELOAD => $preload,
        map { $_ => join ':', grep { length } $ENV{$_} // '', $log }
            qw(ASAN_OPTIONS UBSAN_OPTIONS),
    };
}

# Returns '' or what went wrong.
sub start ($self)
{
    my @how = (cmd => [$self->start_command], env => $self->environment,
        user => $self->{run_as}, cwd => $self->{dir});

    if ($self->in_foreground) {
        $self->{child} = spawn(@how, log => $self->output_file,
            dies_with_us => 15);
    } else {
        my $ran = run(@how);
        $self->{terminal} = $ran->{stdout} . $ran->{stderr};
        return "exit $ran->{exit}, signal $ran->{signal}: $self->{terminal}"
            if $ran->{exit} || $ran->{signal};
    }
    return wait_until($self->{patience}, sub { $self->is_up }) ? ''
        : "not up after $self->{patience} s: "
            . (slurp($self->output_file) // '');
}

# What the last start wrote there, if nothing has happened since.
sub terminal ($self) { return $self->{terminal} // '' }

sub is_up ($self)
{
    reap();
    return $self->written_pid && $self->workers_complete;
}

# reload: true when new workers took over, false when the configuration was
# refused.
sub reload ($self, %o)
{
    my %old = map { $_ => 1 } $self->worker_pids;
    my $mark = $self->{test}->log_mark;
    my $accepted;
    # not the spare ones of prefork
    my ($enough) = sort { $a <=> $b } scalar keys %old || 1, $self->{workers};

    $self->{terminal} = '';
    return 0 if !$self->may_reload;
    kill $self->reload_signal(%o), $self->master_pid
        // die "no server to reload\n";
    wait_until(15, sub {
        reap();
        my @new = grep { !$old{$_} } $self->worker_pids;
        my $refused = $self->refused($mark);
        $accepted = !$refused && @new >= $enough;
        return $accepted || $refused;
    }) or die "no new workers 15 s after a reload\n";
    # the old ones still accept until the master's word reaches them
    wait_until(5, sub { reap(); !$self->still_there(keys %old) })
        if $accepted;
    return $accepted;
}

# signal 'TERM' (fast), 'QUIT' (graceful), 'KILL'.  True when the master
# went by itself in time.
sub stop ($self, $signal = 'TERM', $seconds = 10)
{
    my $pid = $self->master_pid or return 1;
    my @workers = $self->worker_pids;

    kill $self->signal($signal), $pid;
    my $went = wait_until($seconds, sub { reap(); !alive($pid) });
    if (!$went) {
        kill 'KILL', $pid;
        wait_until(2, sub { reap(); !alive($pid) });
    }
    # stock workers outlive a master that was killed
    kill $self->orphan_signal, grep { alive($_) } @workers
        if !$went || $signal eq 'KILL';
    return $went;
}

# ($exit, $output) of a configuration test; leaves the log of the running
# server alone.
sub test_config ($self, $text)
{
    my $conf = "$self->{dir}/conf/test.conf";

    $self->write_config($text, $conf);
    return $self->test_file($conf);
}

sub test_file ($self, $conf)
{
    my $ran = run(
        cmd => [$self->test_command($conf)], env => $self->environment,
        user => $self->{run_as}, cwd => $self->{dir}, timeout => 20,
    );
    return ($ran->{timed_out} ? 'timeout' : $ran->{exit} || $ran->{signal},
        $ran->{stdout} . $ran->{stderr});
}

# --- processes -------------------------------------------------------------

sub alive ($pid)
{
    return exists process_table()->{$pid};
}

# From its first moment on, where it is our child.
sub master_pid ($self)
{
    my $pid = $self->written_pid // $self->{child};
    return $pid && alive($pid) ? $pid : undef;
}

sub written_pid ($self)
{
    my ($pid) = (slurp($self->pid_file) // '') =~ /^(\d+)$/m;
    return $pid && alive($pid) ? $pid : undef;
}

# Children of the master with this title, or with its own.
sub children ($self, $title = undef)
{
    my $master = $self->master_pid or return;
    my $table = process_table();
    my $wanted = $title // ($table->{$master} // {})->{title} // '';
    return map { $_->{pid} }
        grep { $_->{ppid} == $master && $_->{title} eq $wanted }
        sort { $a->{pid} <=> $b->{pid} } values %$table;
}

1;
