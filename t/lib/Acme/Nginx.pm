package Acme::Nginx;

# The nginx driver of Acme::Test: turns the host-neutral description of a
# test into an nginx.conf and runs the stock nginx with it.  A driver for
# another server has the same public methods; what a test may rely on is
# documented in Acme::Test.  Knows nothing of CAs beyond a URL and a file.

use v5.36;
use Acme::Proc qw(nap process_table reap run slurp spawn spew user_ids
    wait_until);
use Acme::Tool qw(built);
use Scalar::Util ();

# Log lines that fail a test which did not ask for them.
use constant ALARMING => qr/\[(?:alert|crit|emerg)\]/;

# new($test, and optionally daemon => 'on'|'off', run_as => USER,
#     workers => n, log_level => 'info')
sub new ($class, $test, %o)
{
    my $dir = $test->dir;
    my $self = bless {
        test => $test, dir => $dir, daemon => $o{daemon} // 'on',
        run_as => $o{run_as}, workers => $o{workers} // 2,
        level => $o{log_level} // 'info',
        binary => $ENV{ACME_NGINX_BINARY} || $ENV{ACME_NGINX}
            || '/usr/sbin/nginx',
        module => built('ACME_NGINX_MODULE', 'ngx_acme_module.so'),
        conf => "$dir/conf/nginx.conf",
    }, $class;
    Scalar::Util::weaken($self->{test});
    return $self;
}

sub name ($self) { return 'nginx' }
sub binary ($self) { return $self->{binary} }
sub module ($self) { return $self->{module} }
sub conf_file ($self) { return $self->{conf} }
sub pid_file ($self) { return "$self->{dir}/run/nginx.pid" }
sub log_file ($self) { return "$self->{dir}/logs/error.log" }
sub output_file ($self) { return "$self->{dir}/logs/server.out" }
sub alarming ($self) { return ALARMING }

# Whom the workers run as.
sub worker_user ($self)
{
    return $self->{run_as} // ($> == 0 ? 'www-data' : scalar getpwuid $>);
}

# --- configuration text ----------------------------------------------------

# The configuration of $model (see Acme::Test, configure) as text.
sub render ($self, $model)
{
    return $self->fill($model->{raw}) if $model->{whole};

    my $http = defined $model->{raw} ? $model->{raw}
        : join "\n", $self->global($model),
            map { $self->server($_) } @{ $model->{sites} };
    return $self->fill(
        $self->main($model) . "http {\n" . $self->logs_and_temps
        . indent($http) . "}\n");
}

sub main ($self, $model)
{
    my $user = $> == 0 && !$self->{run_as} ? "user www-data;\n" : '';
    my $load = $model->{plain_server} ? '' : "load_module %%MODULE%%;\n";
    my $main = $model->{main} // '';

    return <<~"END";
        $load${user}worker_processes $self->{workers};
        daemon $self->{daemon};
        pid %%PID%%;
        error_log %%LOG%% $self->{level};
        $main
        events { worker_connections 256; }
        END
}

sub logs_and_temps ($self)
{
    return join '', "    access_log %%DIR%%/logs/access.log;\n",
        map { "    ${_}_temp_path %%DIR%%/tmp/$_;\n" }
            qw(client_body proxy fastcgi uwsgi scgi);
}

sub global ($self, $model)
{
    my $s = $model->{settings};
    # as in Debian's nginx.conf; nginx 1.22 itself leaves 1.3 out
    my @lines = 'ssl_protocols TLSv1.2 TLSv1.3;';

    push @lines, "acme_state_path $s->{state};" if defined $s->{state};
    push @lines, 'acme_accept_terms_of_service;' if $s->{terms};
    push @lines, "acme_$_ $s->{$_};"
        for grep { defined $s->{$_} } qw(stateless placeholder user);
    push @lines, map { issuer_block($_) } @{ $model->{issuers} };
    push @lines, $model->{global} if length($model->{global} // '');
    return join "\n", @lines, '';
}

sub issuer_block ($issuer)
{
    my @lines = ("uri $issuer->{uri};");

    push @lines, "contact $_;" for @{ $issuer->{contact} // [] };
    push @lines, 'accept_terms_of_service;' if $issuer->{terms};
    push @lines, "account_key $issuer->{account_key};"
        if defined $issuer->{account_key};
    push @lines, "ssl_trusted_certificate $issuer->{ca_file};"
        if defined $issuer->{ca_file};
    push @lines, "ssl_verify $issuer->{verify};"
        if defined $issuer->{verify};
    push @lines, $issuer->{extra} if length($issuer->{extra} // '');
    return "acme_issuer $issuer->{name} {\n"
        . indent(join "\n", @lines, '') . '}';
}

sub server ($self, $site)
{
    my $default = $site->{default} ? ' default_server' : '';
    my @lines;

    push @lines, "listen 127.0.0.1:%%HTTP%%$default;" if $site->{plain};
    push @lines, "listen 127.0.0.1:%%TLS%% ssl$default;" if $site->{tls};
    push @lines, 'server_name ' . join(' ', @{ $site->{names} }) . ';'
        if @{ $site->{names} };
    push @lines, certificate_line($site) if defined $site->{acme};
    push @lines, "ssl_certificate $site->{certificate}[0];",
        "ssl_certificate_key $site->{certificate}[1];"
        if $site->{certificate};
    push @lines, "root $site->{root};";
    push @lines, $site->{extra} if length($site->{extra} // '');
    return "server {\n" . indent(join "\n", @lines, '') . "}\n";
}

sub certificate_line ($site)
{
    my $key = $site->{key} // [];
    return join(' ', 'acme_certificate', $site->{acme},
        @{ $site->{identifiers} // [] },
        (map { "key=$_" } ref $key ? @$key : $key),
        (defined $site->{lineage} ? "name=$site->{lineage}" : ()),
    ) . ';';
}

sub indent ($text)
{
    return $text =~ s/^(?=.)/    /gmr;
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
        MODULE => $self->{module}, PID => $self->pid_file,
        LOG => $self->log_file, CONF => $self->{conf},
        USER => $self->worker_user,
        ($ca ? (CA_URL => $ca->url, CA_FILE => $ca->ca_file) : ()),
    );

    $text =~ s/%%PORT:(\w+)%%/$test->port($1)/ge;
    $text =~ s{%%(\w+)%%}{
        $value{$1} // die "unknown placeholder %%$1%%\n" }ge;
    return $text;
}

# --- running ---------------------------------------------------------------

sub write_config ($self, $text, $path = $self->{conf})
{
    return spew($path, $text);
}

sub command ($self, $log, @more)
{
    return [$self->{binary}, '-p', "$self->{dir}/", '-e', $log, @more];
}

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
    my $cmd = $self->command($self->log_file, '-c', $self->{conf});
    my @how = (cmd => $cmd, env => $self->environment,
        user => $self->{run_as}, cwd => $self->{dir});

    if ($self->{daemon} eq 'off') {
        $self->{child} = spawn(@how, log => $self->output_file,
            dies_with_us => 15);
    } else {
        my $ran = run(@how);
        return "exit $ran->{exit}, signal $ran->{signal}: $ran->{stderr}"
            if $ran->{exit} || $ran->{signal};
    }
    return wait_until(10, sub { $self->is_up }) ? ''
        : 'not up after 10 s: ' . (slurp($self->output_file) // '');
}

sub is_up ($self)
{
    reap();
    return $self->written_pid && $self->workers_complete;
}

# A server without master process has no workers to wait for.
sub workers_complete ($self)
{
    return 1
        if (slurp($self->{conf}) // '') =~ /^\s*master_process\s+off/m;
    return $self->worker_pids >= ($self->{test}->is_raw
        ? 1 : $self->{workers});
}

# reload: true when new workers took over, false when the configuration was
# refused.
sub reload ($self)
{
    my %old = map { $_ => 1 } $self->worker_pids;
    my $mark = $self->{test}->log_mark;
    my $accepted;

    kill 'HUP', $self->master_pid // die "no server to reload\n";
    wait_until(15, sub {
        reap();
        my @new = grep { !$old{$_} } $self->worker_pids;
        my $refused = $self->{test}->log_since($mark) =~ /\[emerg\]/;
        $accepted = !$refused && @new >= (keys %old || 1);
        return $accepted || $refused;
    }) or die "no new workers 15 s after a reload\n";
    # the old ones still accept until the master's word reaches them
    wait_until(5, sub { !grep { $old{$_} } $self->worker_pids })
        if $accepted;
    return $accepted;
}

# signal 'TERM' (fast), 'QUIT' (graceful), 'KILL'.  True when the master
# went by itself in time.
sub stop ($self, $signal = 'TERM', $seconds = 10)
{
    my $pid = $self->master_pid or return 1;
    my @workers = $self->worker_pids;

    kill $signal, $pid;
    my $went = wait_until($seconds, sub { reap(); !alive($pid) });
    if (!$went) {
        kill 'KILL', $pid;
        wait_until(2, sub { reap(); !alive($pid) });
    }
    # stock workers outlive a master that was killed
    kill 'TERM', grep { alive($_) } @workers
        if !$went || $signal eq 'KILL';
    return $went;
}

# ($exit, $output) of a configuration test; leaves the log of the running
# server alone.
sub test_config ($self, $text)
{
    my $conf = "$self->{dir}/conf/test.conf";

    $self->write_config($text, $conf);
    my $ran = run(
        cmd => $self->command('stderr', '-t', '-c', $conf),
        env => $self->environment, user => $self->{run_as},
        cwd => $self->{dir}, timeout => 20,
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

# Workers that take new connections.
sub worker_pids ($self)
{
    my $master = $self->master_pid or return;
    my $table = process_table();
    return map { $_->{pid} }
        grep { $_->{ppid} == $master
            && $_->{title} eq 'nginx: worker process' }
        sort { $a->{pid} <=> $b->{pid} } values %$table;
}

1;
