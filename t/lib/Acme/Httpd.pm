package Acme::Httpd;

# The Apache driver of Acme::Test: turns the host-neutral description of a
# test into an httpd.conf and runs the stock httpd with it.  What a test may
# rely on is documented in Acme::Test, what the drivers share is in
# Acme::Server.  Knows nothing of CAs beyond a URL and a file.
#
# httpd has no named issuers: one issuer becomes settings of the server,
# several become settings of each domain.

use v5.36;
use parent 'Acme::Server';
use Acme::Proc qw(run slurp spew);
use Acme::Tool qw(built);

# Log lines that fail a test which did not ask for them.
use constant ALARMING => qr/\[[\w-]+:(?:alert|crit|emerg)\]/;

use constant THREADS => 8;      # of a child

my @MODULES = qw(authz_core dir mime alias rewrite headers);
my %SIGNAL = (QUIT => 'WINCH', INT => 'TERM');
my %SETTING = (
    challenge => 'ACMECAChallenges', challenge_cmd => 'ACMEChallengeCmd',
    dns_update => 'ACMEDNSUpdate',
    dns_delegation => 'ACMEDNSDelegation', preflight => 'ACMEPreflight',
    dns_propagation => 'ACMEDNSPropagation', dns_resolver => 'ACMEDNSResolver',
    hook => 'ACMEHook', event_cmd => 'ACMEEventCmd',
    directory_hooks => 'ACMEDirectoryHooks',
    hook_validation => 'ACMEHookValidation',
    hook_timeout => 'ACMEHookTimeout', warn_window => 'ACMEWarnWindow',
    mirror => 'ACMEMirror', mirror_failure => 'ACMEMirrorFailure',
    renew_mode => 'ACMERenewMode', renew_window => 'ACMERenewWindow',
    check_interval => 'ACMECheckInterval',
    initial_delay => 'ACMEInitialDelay', retry_delay => 'ACMERetryDelay',
    retry_failover => 'ACMERetryFailover',
    activation_delay => 'ACMEActivationDelay',
    tracking => 'ACMETracking', tracking_data => 'ACMETrackingData',
    tracking_required => 'ACMETrackingRequired',
);
my %SITE = (must_staple => 'ACMEMustStaple', stapling => 'ACMEStapling',
    reuse_key => 'ACMEReuseKey',
    allow_subset => 'ACMEAllowSubset',
    csr => 'ACMECSRFile', %SETTING);
my %PLACEHOLDER = (self_signed => 'serve', off => '503');

# Options of its own: mpm => 'event'|'prefork', single => 1 (one process),
# no_ssl => 1, http2 => 1.
sub new ($class, $test, %o)
{
    $o{mpm} //= 'event';
    return $class->SUPER::new($test, %o,
        binary => $ENV{ACME_HTTPD_BINARY} || '/usr/sbin/apache2',
        modules => $ENV{ACME_HTTPD_MODULES} || module_dir(),
        module => built('ACME_HTTPD_MODULE', 'mod_acme_httpd.so'));
}

# Where the stock modules are.
sub module_dir ()
{
    state $dir = run(cmd => ['apxs', '-q', 'LIBEXECDIR'])->{stdout};
    return $dir =~ m{^(/\S+)} ? $1 : '/usr/lib/apache2/modules';
}

sub name ($self) { return 'httpd' }
sub alarming ($self) { return ALARMING }
sub level ($self, $name) { return qr/\[[\w-]+:$name\]/ }
sub terminal_level ($self, $name) { return qr/^/m }     # shows none
sub ours ($self) { return qr/\[acme_httpd:/ }

# As log and status call it: by the host of its CA, or the short name; a
# second one of the same host gets a number.
sub issuer_name ($self, $name, @issuers)
{
    my %number;
    for my $issuer (@issuers) {
        my $base = $issuer->{uri} =~ m{^https?://([^/:]+)} ? $1
            : $issuer->{uri};
        my $n = ++$number{$base};
        return $n > 1 ? "$base-$n" : $base if $issuer->{name} eq $name;
    }
    die "no issuer $name\n";
}

# --- configuration text ----------------------------------------------------

# The configuration of $model (see Acme::Test, configure) as text.
sub render ($self, $model)
{
    my $raw = $model->{raw};
    return $self->fill($self->text($raw)) if $model->{whole};

    # the first one of an address is its default
    my @sites = sort { ($b->{default} // 0) <=> ($a->{default} // 0) }
        @{ $model->{sites} };
    my @parts = defined $raw ? $self->raw_text($model)
        : ($self->listeners(@sites), $self->acme($model),
            $self->text($model->{global}), map { $self->hosts($_) } @sites);
    return $self->fill(join "\n", $self->main($model), @parts, '');
}

# At the end, where the numbers of the lines before stay.
sub raw_text ($self, $model)
{
    my $text = $self->text($model->{raw});
    my $off = $model->{plain_server} || $text =~ /ACMEPreflight/i ? ''
        : "\nACMEPreflight off\n";
    return $text . $off;
}

sub main ($self, $model)
{
    my $user = $> == 0 && !$self->{run_as}
        ? "User www-data\nGroup www-data" : '';
    my $level = join ' ', 'warn', $self->{no_ssl} ? () : 'ssl:error',
        $model->{plain_server} ? () : "acme_httpd:$self->{level}";

    return join "\n", $self->load_modules($model), <<~"END",
        ServerRoot %%DIR%%
        ServerName localhost
        $user
        PidFile %%PID%%
        DefaultRuntimeDir %%DIR%%/run
        Mutex file:%%DIR%%/run default
        ErrorLog %%LOG%%
        LogLevel $level
        TransferLog %%DIR%%/logs/access.log
        TypesConfig /dev/null
        AddType text/html .html
        KeepAliveTimeout 2
        GracefulShutdownTimeout 2
        END
        $self->children_lines, $self->tls_lines, $self->text($model->{main});
}

sub load_modules ($self, $model)
{
    my @stock = ("mpm_$self->{mpm}", @MODULES,
        ($self->{no_ssl} ? () : ('socache_shmcb', 'ssl')),
        ($self->{http2} ? 'http2' : ()));

    return (map { "LoadModule ${_}_module %%MODULES%%/mod_$_.so" } @stock),
        $model->{plain_server} ? ()
            : 'LoadModule acme_httpd_module %%MODULE%%';
}

# As many children as workers were asked for, at any load.
sub children_lines ($self)
{
    my $n = $self->{workers};
    my @lines = ("StartServers $n", 'ServerLimit ' . 4 * $n);

    # after a graceful prefork may be content with its spare ones
    return @lines, "MaxRequestWorkers $n", "MinSpareServers $n",
        'MaxSpareServers ' . ($n + 1) if $self->{mpm} eq 'prefork';
    return @lines, 'ThreadsPerChild ' . THREADS,
        'MaxRequestWorkers ' . $n * THREADS, 'MinSpareThreads 1',
        'MaxSpareThreads ' . $n * THREADS;
}

sub tls_lines ($self)
{
    return ($self->{http2} ? 'Protocols h2 http/1.1' : (),
        $self->{no_ssl} ? () : 'SSLProtocol -all +TLSv1.2 +TLSv1.3');
}

sub listeners ($self, @sites)
{
    my @ports = ((grep { $_->{plain} } @sites) ? 'HTTP' : (),
        (grep { $self->has_tls($_) } @sites) ? 'TLS' : ());

    return map { "Listen $self->{address}:%%$_%%" } @ports ? @ports : 'HTTP';
}

sub has_tls ($self, $site)
{
    return $site->{tls} && !$self->{no_ssl};
}

# --- ours ------------------------------------------------------------------

sub acme ($self, $model)
{
    return if $model->{plain_server};

    my $s = $model->{settings};
    my @issuers = @{ $model->{issuers} };
    my @lines;
    push @lines, "ACMEStateDir $s->{state}" if defined $s->{state};
    push @lines, "ACMEStateless $s->{stateless}" if defined $s->{stateless};
    push @lines, "ACMEThumbprint $s->{thumbprint}"
        if defined $s->{thumbprint};
    push @lines, "ACMEPlaceholder $PLACEHOLDER{ $s->{placeholder} }"
        if defined $s->{placeholder};
    push @lines, "ACMEUser $s->{user}" if defined $s->{user};
    push @lines, "ACMEKeyGroup $s->{key_group}" if defined $s->{key_group};
    push @lines, $self->directives($s, %SETTING);
    push @lines, 'ACMECertificateAgreement accepted' if $s->{terms};
    push @lines, $self->issuer_lines($issuers[0]) if @issuers == 1;
    return @lines, $self->domains($model);
}

sub issuer_lines ($self, $issuer)
{
    my @lines = ("ACMECertificateAuthority $issuer->{uri}");

    die "httpd has no way not to verify a CA\n" if defined $issuer->{verify};
    push @lines, "ACMECACertificateFile $issuer->{ca_file}"
        if defined $issuer->{ca_file};
    push @lines, "ACMEHttpProxy $issuer->{proxy}" if defined $issuer->{proxy};
    push @lines, "ACMEHttpProxyCACertificateFile $issuer->{proxy_ca_file}"
        if defined $issuer->{proxy_ca_file};
    push @lines, join ' ', 'ACMEContactEmail', @{ $issuer->{contact} }
        if @{ $issuer->{contact} // [] };
    push @lines, 'ACMECertificateAgreement accepted' if $issuer->{terms};
    push @lines, "ACMEAccountKey $issuer->{account_key}"
        if defined $issuer->{account_key};
    push @lines, $self->profile_lines($issuer->{profile})
        if defined $issuer->{profile};
    push @lines, "ACMEIssuerDomain $issuer->{issuer_domain}"
        if defined $issuer->{issuer_domain};
    push @lines, "ACMECAChallenges $issuer->{challenge}"
        if defined $issuer->{challenge};
    push @lines, "ACMEPreferredChain \"$issuer->{preferred_chain}\""
        if defined $issuer->{preferred_chain};
    push @lines, "ACMERenewViaARI $issuer->{renewal_info}"
        if defined $issuer->{renewal_info};
    push @lines, "ACMEStaging $issuer->{staging}"
        if defined $issuer->{staging};
    push @lines, "ACMECommonNameInCSR $issuer->{common_name_in_csr}"
        if defined $issuer->{common_name_in_csr};
    push @lines, $self->eab_line($issuer) if $issuer->{eab};
    return @lines, grep { length } $self->text($issuer->{extra});
}

# "NAME" or, as nginx has it, "NAME require".
sub profile_lines ($self, $profile)
{
    my ($name, $require) = split ' ', $profile;
    return "ACMEProfile $name", $require ? 'ACMEProfileMandatory on' : ();
}

sub eab_line ($self, $issuer)
{
    my $eab = $issuer->{eab};
    return "ACMEExternalAccountBinding $eab->{kid} $eab->{key}"
        if $eab->{inline};
    my $alg = defined $eab->{alg} ? qq(, "alg": "$eab->{alg}") : '';
    return 'ACMEExternalAccountBinding ' . $self->eab_file($issuer,
        qq({"kid": "$eab->{kid}", "hmac": "$eab->{key}"$alg}\n));
}

# What several sites want is one domain.
sub domains ($self, $model)
{
    my %issuer = map { $_->{name} => $_ } @{ $model->{issuers} };
    my (%seen, @found);

    for my $site (grep { defined $_->{acme} } @{ $model->{sites} }) {
        my @settings = map { "ACMEPrivateKeys $_" }
            grep { defined } ref $site->{key} ? "@{ $site->{key} }"
                : $site->{key};
        push @settings, $self->directives($site, %SITE);
        my $what = join ' ', sort @{ $site->{identifiers}
            // $site->{names} };
        next if $seen{"@settings $site->{acme} $what"}++;
        my @list = grep { $_ } map { $issuer{$_} } split /,/, $site->{acme};
        unshift @settings, $self->issuer_lines({ %{ $list[0] },
                uri => join ' ', map { $_->{uri} } @list })
            if keys %issuer > 1 && @list;
        push @found, $self->domain($site, @settings);
    }
    return @found;
}

# By its first name: the others are those of the virtual host.
sub domain ($self, $site, @settings)
{
    my $names = $site->{identifiers} ? "@{ $site->{identifiers} } manual"
        : $site->{names}[0] // '';

    return "ACMEDomain $names" if !@settings;
    return ("<ACMEDomain $names>",
        $self->indent(join "\n", @settings), '</ACMEDomain>');
}

# --- virtual hosts ---------------------------------------------------------

sub hosts ($self, $site)
{
    my @tls = ('SSLEngine on');
    push @tls, "SSLCertificateFile $site->{certificate}[0]",
        "SSLCertificateKeyFile $site->{certificate}[1]"
        if $site->{certificate};

    return ($site->{plain} ? $self->host('HTTP', $site) : (),
        $self->has_tls($site) ? $self->host('TLS', $site, @tls) : ());
}

sub host ($self, $port, $site, @lines)
{
    my ($name, @aliases) = @{ $site->{names} };

    push @lines, map { "ACME\u$_ $site->{$_}" } grep { defined $site->{$_} }
        qw(stateless thumbprint);
    unshift @lines, "ServerAlias @aliases" if @aliases;
    unshift @lines, "ServerName $name" if defined $name;
    push @lines, "DocumentRoot $site->{root}",
        $self->status_lines($site),
        grep { length } $self->text($site->{extra});
    return ("<VirtualHost $self->{address}:%%$port%%>",
        $self->indent(join "\n", @lines), '</VirtualHost>');
}

sub status_lines ($self, $site)
{
    return if !defined $site->{status};
    return ('<Location /acme-status>', '    SetHandler acme-status',
        "    ACMEStatus $site->{status}", '</Location>');
}

# --- running ---------------------------------------------------------------

sub command ($self, $conf, @more)
{
    return ($self->{binary}, '-d', $self->{dir}, '-f', $conf, @more);
}

sub start_command ($self)
{
    return $self->command($self->{conf}, $self->{single} ? '-X'
        : $self->in_foreground ? '-DFOREGROUND' : ('-k', 'start'));
}

sub test_command ($self, $conf)
{
    return $self->command($conf, '-t');
}

sub in_foreground ($self)
{
    return $self->{single} || $self->{daemon} eq 'off';
}

# One process knows no other end than TERM.
sub signal ($self, $name)
{
    return 'TERM' if $self->{single} && $name ne 'KILL';
    return $SIGNAL{$name} // $name;
}

sub orphan_signal ($self) { return 'KILL' }
sub reload_signal ($self, %o) { return $o{hard} ? 'HUP' : 'USR1' }

# As apache2ctl does: httpd itself would end.
sub may_reload ($self)
{
    my ($exit, $output) = $self->test_file($self->{conf});
    return 1 if $exit eq '0';
    spew($self->output_file,
        (slurp($self->output_file) // '') . $output);
    return 0;
}

sub refused ($self, $mark)
{
    die "httpd ended at a reload\n" if !$self->master_pid;
    return 0;
}

# --- processes -------------------------------------------------------------

sub workers_complete ($self)
{
    return 1 if $self->{single};
    return $self->worker_pids >= ($self->{test}->is_raw
        ? 1 : $self->{workers});
}

# Children that take new connections: neither those that a reload has told to
# end nor mod_cgid's daemon.
sub worker_pids ($self)
{
    my %listening = map { ("socket:[" . (split)[9] . ']' => 1) }
        grep { (split)[3] eq '0A' } split /\n/, slurp('/proc/net/tcp') // '';

    return grep {
        my @fds = glob "/proc/$_/fd/*";
        $> && !@fds || grep { $listening{ readlink($_) // '' } } @fds;
    } $self->children;
}

sub still_there ($self, @pids)
{
    return grep { Acme::Server::alive($_) } @pids;
}

1;
