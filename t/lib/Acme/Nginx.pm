package Acme::Nginx;

# The nginx driver of Acme::Test: turns the host-neutral description of a
# test into an nginx.conf and runs the stock nginx with it.  What a test may
# rely on is documented in Acme::Test, what the drivers share is in
# Acme::Server.  Knows nothing of CAs beyond a URL and a file.

use v5.36;
use parent 'Acme::Server';
use Acme::Proc qw(run slurp);
use Acme::Tool qw(built);

# Log lines that fail a test which did not ask for them.
use constant ALARMING => qr/\[(?:alert|crit|emerg)\]/;

# For all sites or for one.
my @POLICY = qw(preflight challenge challenge_cmd dns_update dns_delegation
    dns_propagation dns_resolver hook event_cmd directory_hooks
    hook_validation hook_timeout warn_window mirror mirror_failure
    renew_mode renew_window check_interval initial_delay retry_delay
    retry_failover activation_delay
    tracking tracking_data tracking_required);

sub new ($class, $test, %o)
{
    return $class->SUPER::new($test, %o,
        binary => $ENV{ACME_NGINX_BINARY} || $ENV{ACME_NGINX}
            || '/usr/sbin/nginx',
        module => built('ACME_NGINX_MODULE', 'ngx_acme_module.so'));
}

sub name ($self) { return 'nginx' }
sub alarming ($self) { return ALARMING }
sub level ($self, $name) { return qr/\[$name\]/ }
sub terminal_level ($self, $name) { return $self->level($name) }
sub ours ($self) { return qr/acme: / }
sub issuer_name ($self, $name, @issuers) { return $name }

# --- configuration text ----------------------------------------------------

# The configuration of $model (see Acme::Test, configure) as text.
sub render ($self, $model)
{
    my $raw = $model->{raw};
    return $self->fill($self->text($raw)) if $model->{whole};

    my $http = defined $raw ? $self->raw_text($model)
        : join "\n", $self->global($model),
            map { $self->server($_) } @{ $model->{sites} };
    return $self->fill(
        $self->main($model) . "http {\n" . $self->logs_and_temps
        . $self->indent($http) . "}\n" . $self->text($model->{last}));
}

# At the end, where the numbers of the lines before stay.
sub raw_text ($self, $model)
{
    my $text = $self->text($model->{raw});
    my $off = $model->{plain_server} || $text =~ /acme_preflight/ ? ''
        : "\nacme_preflight off;\n";
    return $text . $off;
}

# ACME_NGINX_MODULE=static: $ACME_NGINX_BINARY has our module in it.
sub main ($self, $model)
{
    my $user = $> == 0 && !$self->{run_as} ? "user www-data;\n" : '';
    my $load = $model->{plain_server} || $self->{module} eq 'static' ? ''
        : "load_module %%MODULE%%;\n";
    my $main = $self->text($model->{main});
    my $first = $self->text($model->{first});

    return <<~"END";
        $first$load${user}worker_processes $self->{workers};
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
    push @lines, map { "$_;" } $self->directives($s,
        map { $_ => "acme_$_" } qw(stateless thumbprint placeholder user
            key_group),
        @POLICY);
    push @lines, map { $self->issuer_block($_) } @{ $model->{issuers} };
    push @lines, grep { length } $self->text($model->{global});
    return join "\n", @lines, '';
}

sub issuer_block ($self, $issuer)
{
    my @lines = ("uri $issuer->{uri};");

    push @lines, "contact $_;" for @{ $issuer->{contact} // [] };
    push @lines, 'accept_terms_of_service;' if $issuer->{terms};
    push @lines, "account_key $issuer->{account_key};"
        if defined $issuer->{account_key};
    push @lines, "ssl_trusted_certificate $issuer->{ca_file};"
        if defined $issuer->{ca_file};
    push @lines, "proxy $issuer->{proxy};" if defined $issuer->{proxy};
    push @lines, "proxy_trusted_certificate $issuer->{proxy_ca_file};"
        if defined $issuer->{proxy_ca_file};
    push @lines, "ssl_verify $issuer->{verify};"
        if defined $issuer->{verify};
    push @lines, "preferred_chain \"$issuer->{preferred_chain}\";"
        if defined $issuer->{preferred_chain};
    push @lines, map { "$_ $issuer->{$_};" }
        grep { defined $issuer->{$_} } qw(profile common_name_in_csr
            renewal_info issuer_domain challenge staging);
    push @lines, $self->eab_line($issuer) if $issuer->{eab};
    push @lines, grep { length } $self->text($issuer->{extra});
    return "acme_issuer $issuer->{name} {\n"
        . $self->indent(join "\n", @lines, '') . '}';
}

sub eab_line ($self, $issuer)
{
    my $eab = $issuer->{eab};
    my $key = $eab->{inline} ? "data:$eab->{key}"
        : $self->eab_file($issuer, "$eab->{key}\n");

    return join(' ', "external_account_key $eab->{kid} $key",
        $eab->{alg} // ()) . ';';
}

sub server ($self, $site)
{
    my $default = $site->{default} ? ' default_server' : '';
    my @lines;

    push @lines, "listen $self->{address}:%%HTTP%%$default;"
        if $site->{plain};
    push @lines, "listen $self->{address}:%%TLS%% ssl$default;"
        if $site->{tls};
    push @lines, 'server_name ' . join(' ', @{ $site->{names} }) . ';'
        if @{ $site->{names} };
    push @lines, certificate_line($site) if defined $site->{acme};
    push @lines, "ssl_certificate $site->{certificate}[0];",
        "ssl_certificate_key $site->{certificate}[1];"
        if $site->{certificate};
    push @lines, map { "$_;" } $self->directives($site,
        map { $_ => "acme_$_" } qw(must_staple stapling reuse_key
            allow_subset stateless thumbprint), @POLICY);
    push @lines, "root $site->{root};";
    push @lines, "location /acme-status { acme_status $site->{status}; }"
        if defined $site->{status};
    push @lines, grep { length } $self->text($site->{extra});
    return "server {\n" . $self->indent(join "\n", @lines, '') . "}\n";
}

sub certificate_line ($site)
{
    my $key = $site->{key} // [];
    return join(' ', 'acme_certificate', $site->{acme},
        @{ $site->{identifiers} // [] },
        (defined $site->{csr} ? "csr=$site->{csr}" : ()),
        (map { "key=$_" } ref $key ? @$key : $key),
        (defined $site->{lineage} ? "name=$site->{lineage}" : ()),
    ) . ';';
}

# The line that loads a module of nginx's own, e.g. stream: empty where it is
# in the binary, undef where there is none.
sub load_line ($self, $name)
{
    my $options = run(cmd => [$self->{binary}, '-V'])->{stderr};
    my ($dir) = $options =~ /--modules-path=(\S+)/;

    return '' if $options =~ /--with-$name(?![\w=])/;
    return if !defined $dir || !-e "$dir/ngx_${name}_module.so";
    return "load_module $dir/ngx_${name}_module.so;\n";
}

# The same, or the end of the test file.
sub need_module ($self, $name)
{
    return $self->load_line($name) // Test::More::plan(skip_all =>
        "no ngx_${name}_module of nginx: libnginx-mod-$name");
}

# --- running ---------------------------------------------------------------

sub command ($self, $log, @more)
{
    return ($self->{binary}, '-p', "$self->{dir}/", '-e', $log, @more);
}

sub start_command ($self)
{
    return $self->command($self->log_file, '-c', $self->{conf});
}

sub test_command ($self, $conf)
{
    return $self->command('stderr', '-t', '-c', $conf);
}

sub in_foreground ($self) { return $self->{daemon} eq 'off' }
sub signal ($self, $name) { return $name }
sub orphan_signal ($self) { return 'TERM' }
sub reload_signal ($self, %o) { return 'HUP' }
sub may_reload ($self) { return 1 }

sub refused ($self, $mark)
{
    return $self->{test}->log_since($mark) =~ /\[emerg\]/;
}

# --- processes -------------------------------------------------------------

# A server without master process has no workers to wait for.
sub workers_complete ($self)
{
    return 1
        if (slurp($self->{conf}) // '') =~ /^\s*master_process\s+off/m;
    return $self->worker_pids >= ($self->{test}->is_raw
        ? 1 : $self->{workers});
}

# Workers that take new connections.
sub worker_pids ($self)
{
    return $self->children('nginx: worker process');
}

sub still_there ($self, @pids)
{
    my %now = map { $_ => 1 } $self->worker_pids;
    return grep { $now{$_} } @pids;
}

1;
