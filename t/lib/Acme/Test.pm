package Acme::Test;

# One integration test: a private directory, ports, a CA, DNS, a server of
# either kind, and a teardown that looks closely.  Says nothing of how a
# server is configured: that is its driver's (Acme::Nginx, Acme::Httpd).

use v5.36;
use Acme::DNS;
use Acme::Http qw(request);
use Acme::Knot;
use Acme::Port;
use Acme::Proc qw(adopt_orphans as_user nap process_table descendants reap
    run slurp spew stop_pid touches user_ids wait_until);
use Acme::Tls qw(load_pem peer);
use Acme::Tool qw(built);
use Acme::Watch qw(alarming_lines exposed_keys left_processes
    sanitizer_reports);
use File::Basename qw(basename);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use JSON::PP;
use POSIX ();
use Scalar::Util qw(weaken);
use Storable qw(freeze thaw);
use Test::More ();

use constant LEAVE_SECONDS => 3;    # helpers, after the master went

my %DRIVER = (nginx => 'Acme::Nginx', httpd => 'Acme::Httpd');
my %CA = (pebble => 'Acme::Pebble', own => 'Acme::CA');

my %live;       # tests of this process that are not torn down yet

=head1 SYNOPSIS

    my $t = Acme::Test->new(ca => 'pebble');
    $t->site('a.test', key => 'rsa:2048');
    $t->start;
    my $cert = $t->wait_certificate('a.test') or $t->give_up;
    is_deeply $cert->{names}, ['a.test'], 'the name asked for';
    $t->done;

=head1 MAKING ONE

new(%options):

    host       'nginx' | 'httpd'; default: the one that the test file's name
               begins with (nginx_, httpd_), $ACME_TEST_HOST, nginx
    ca         'none' | 'own' | 'pebble', or { type => ..., options of
               Acme::CA or Acme::Pebble }; default none
    ca_start   0: the CA is made, not started ($t->ca->start later)
    dns        1: a DNS server even where the CA needs none
    knot       {zones => .., more options of Acme::Knot}: it is the DNS, for
               the CA as well; skips the test where there is none
    daemon     'on' (default) | 'off'
    run_as     the whole server as this user, not as root
    workers    how many (2)
    log_level  'info'
    address    another loopback address than 127.0.0.1 to listen at
    ports      { http => PORT }: another test's, at another address
    patience   seconds for a start (10)

and for httpd, which nginx does not heed:

    mpm        'event' (default) | 'prefork'
    single     1: one process for everything (-X)
    no_ssl     1: without mod_ssl            http2  1: with mod_http2

Directory and processes are gone after done, die, SIGINT and SIGTERM.
ACME_TEST_KEEP=1 keeps the directory and prints where it is.

=cut

sub new ($class, %o)
{
    my $self = bless { pid => $$, problems => [], expected => [],
        ports => { %{ $o{ports} // {} } }, run_as => $o{run_as}, cas => [], spawned => [] }, $class;
    my $host = $o{host} // default_host();
    my $driver = $DRIVER{$host} // die "no such host: $host\n";
    my $lack = $o{knot} && Acme::Knot->missing;

    Test::More::plan(skip_all => $lack) if $lack;
    adopt_orphans();
    catch_signals();
    $self->make_directories;
    weaken($live{$self} = $self);
    $self->port($_) for qw(http tls);
    $self->{model} = { issuers => [], sites => [], settings => {} };

    eval "require $driver" or die $@;
    $self->{server} = $driver->new($self,
        map { $_ => $o{$_} } qw(daemon run_as workers log_level address
            patience mpm single no_ssl http2));
    $self->{dns} = Acme::DNS->new(dir => "$self->{dir}/ca") if $o{dns};
    $self->{dns} = Acme::Knot->new(dir => "$self->{dir}/ca", %{ $o{knot} })
        if $o{knot};
    $self->{ca_start} = $o{ca_start} // 1;
    $self->add_ca($o{ca}) if ($o{ca} // 'none') ne 'none';
    return $self;
}

sub default_host ()
{
    return $1 if basename($0) =~ /^(nginx|httpd)_/;
    return $ENV{ACME_TEST_HOST} || 'nginx';
}

# Skips a test file that makes no sense without root.
sub need_root ($class)
{
    Test::More::plan(skip_all => 'needs root') if $> != 0;
    return;
}

sub make_directories ($self)
{
    my $top = $ENV{ACME_TEST_TMP} || '/tmp';
    my $dir = $self->{dir} = tempdir("$top/acme-test-XXXXXX");
    my @writable = map { "$dir/$_" } qw(logs run tmp var);

    chmod 0755, $dir or die "chmod $dir: $!\n";
    for my $path (@writable, map { "$dir/$_" } qw(conf www ca san)) {
        mkdir $path or die "mkdir $path: $!\n";
        chmod 0755, $path;
    }
    chmod 01777, "$dir/san";
    spew("$dir/www/index.html", "ordinary content\n");
    if ($self->{run_as}) {
        my ($uid, $gid) = user_ids($self->{run_as});
        chown $uid, $gid, @writable;
    }
    return;
}

# add_ca('own' | 'pebble' | { type => ..., %options }): made now, started by
# start.  The first one is $t->ca.
sub add_ca ($self, $spec)
{
    my %o = ref $spec ? %$spec : (type => $spec);
    my $class = $CA{ delete $o{type} } // die "no such CA\n";

    eval "require $class" or die $@;
    $self->{dns} //= Acme::DNS->new(dir => "$self->{dir}/ca")
        if $class eq 'Acme::Pebble';
    my $number = @{ $self->{cas} };
    $o{name} //= ($class eq 'Acme::CA' ? 'ca' : 'pebble')
        . ($number ? $number + 1 : '');
    my $ca = $class->new(
        dir => "$self->{dir}/ca", dns => $self->{dns},
        http_port => $self->port('http'), tls_port => $self->port('tls'),
        %o);
    push @{ $self->{cas} }, $ca;
    return $ca;
}

=head1 CONFIGURING

Nothing is configured twice: the sites, issuers and settings below are kept
as data and rendered by the driver at start, reload and test_config.

site(NAME or [NAMES], %options) adds a server with a plain and a TLS port:

    acme         issuer name, or several ("a,b": httpd has all of the first
                 one's settings but the URL for each); default 'testca' where there is a CA, undef
                 for a site without acme_certificate
    identifiers  [names] on the certificate line; default: the server's
    key          'rsa:2048' or [list]        lineage  its name
    certificate  [FILE, KEY] an explicit pair
    must_staple, stapling, reuse_key, allow_subset         'on' or 'off'
    preflight    'off', 'warn' or 'require'
    csr          FILE, a signing request; wants a certificate as well
    challenge, challenge_cmd, dns_update, dns_delegation, dns_propagation,
    dns_resolver, hook, event_cmd, directory_hooks, hook_validation,
    hook_timeout, warn_window, mirror, mirror_failure, renew_mode,
    renew_window, check_interval, initial_delay, retry_delay, retry_failover,
    activation_delay, tracking, tracking_data, tracking_required
                 the words of those directives; a list is one of them each
    stateless    'on', 'any', 'pending' or 'off'
    thumbprint   VALUE or file:PATH
    status       the words of acme_status, ACMEStatus for /acme-status
    tls, plain   0: no such listener         default  1: default server
    extra        text of the server's own    root     docroot

httpd has no named issuers: one of them becomes settings of the whole server,
several become settings of each ACMEDomain.  Sites of the same names, issuer
and key are one ACMEDomain there, key is one, and lineages have no names.

issuer(NAME, %options): uri and ca_file (or ca => handle for both), contact
=> [..], terms (1), account_key, verify, profile ('NAME' or 'NAME require'),
preferred_chain, issuer_domain, proxy, proxy_ca_file, challenge,
common_name_in_csr ('on'), renewal_info ('off'), staging ('on'), extra, eab => { kid, key =>
base64url, alg } in a file conf/NAME.eab, or with inline => 1 in the
configuration, or with text => the file's whole content.  With a CA and no
issuer() of that name there is one called 'testca' for it.

configure(site => .., sites => [..], issuer => {..}, issuers => [..],
global => TEXT, main => TEXT, and settings: state, terms, stateless,
thumbprint, placeholder, user, key_group, challenge, dns_update, dns_delegation,
dns_propagation, dns_resolver, preflight, hook, event_cmd, directory_hooks,
hook_validation, hook_timeout, warn_window, mirror, mirror_failure,
renew_mode, renew_window, check_interval, initial_delay, retry_delay,
retry_failover, activation_delay, tracking, tracking_data,
tracking_required, plain_server): all at once; each sites
entry has {names => [..]} and the options of site. preflight is "off" unless it
is given (undef: the server's default): nobody knows the names of tests, and the
DNS of the machine is not asked for them.  global is text at http level (of
the whole server in httpd), main at the top of the file, plain_server leaves
our module out; in nginx, first is text before the line that loads it and last
is text behind the http block.

What is text of the server's own (extra, global, main, raw) is either text or
{ nginx => TEXT, httpd => TEXT }.

raw_config(TEXT, whole => 1): the escape hatch for tests of one server:
TEXT goes where sites and issuers would, or is the whole file.  It may use
%%STATE%% %%HTTP%% %%TLS%% %%CA_URL%% %%CA_FILE%% %%MODULE%% %%DIR%%
%%WWW%% %%LOG%% %%PID%% %%USER%% and %%PORT:name%%; %%MODULES%% is where the
modules of a stock httpd are.

=cut

sub site ($self, $names, %o)
{
    my $names_list = ref $names ? $names : [$names];
    my $acme = exists $o{acme} ? $o{acme}
        : @{ $self->{cas} } ? 'testca' : undef;

    push @{ $self->{model}{sites} }, {
        tls => defined $acme || $o{certificate} ? 1 : 0, plain => 1,
        root => '%%WWW%%', %o, names => $names_list, acme => $acme,
    };
    return $self;
}

sub issuer ($self, $name, %o)
{
    my $ca = delete $o{ca};
    my %from_ca = $ca ? (uri => $ca->url, ca_file => $ca->ca_file) : ();

    push @{ $self->{model}{issuers} },
        { terms => 1, %from_ca, %o, name => $name };
    return $self;
}

sub configure ($self, %o)
{
    for my $issuer (grep { $_ } $o{issuer}, @{ $o{issuers} // [] }) {
        my %copy = %$issuer;
        $self->issuer(delete $copy{name} // 'testca', %copy);
    }
    for my $site (grep { $_ } $o{site}, @{ $o{sites} // [] }) {
        my %copy = %$site;
        $self->site(delete $copy{names} // [], %copy);
    }
    for my $key (qw(global main first last plain_server)) {
        $self->{model}{$key} = $o{$key} if exists $o{$key};
    }
    for my $key (qw(state terms stateless thumbprint placeholder user
        key_group preflight challenge challenge_cmd dns_update dns_delegation
        dns_propagation dns_resolver hook event_cmd directory_hooks
        hook_validation hook_timeout warn_window mirror mirror_failure
        renew_mode renew_window check_interval initial_delay retry_delay
        retry_failover activation_delay
        tracking tracking_data tracking_required)) {
        $self->{model}{settings}{$key} = $o{$key} if exists $o{$key};
    }
    return $self;
}

# Forgets sites, issuers and settings, to describe another configuration
# before a reload.
sub clear_config ($self)
{
    my $plain = $self->{model}{plain_server};
    $self->{model} = { issuers => [], sites => [], settings => {},
        plain_server => $plain };
    return $self;
}

sub raw_config ($self, $text, %o)
{
    $self->{model}{raw} = $text;
    $self->{model}{whole} = $o{whole};
    return $self;
}

sub is_raw ($self) { return defined $self->{model}{raw} }

# The configuration as the server will read it.
sub config_text ($self)
{
    my %model = %{ $self->{model} };

    $model{settings} = { %{ $model{settings} } };
    $model{settings}{state} //= '%%STATE%%'
        if !$model{plain_server} && !exists $model{settings}{state};
    $model{settings}{preflight} //= 'off'
        if !$model{plain_server} && !exists $model{settings}{preflight};
    $model{issuers} = $model{plain_server} ? [] : [$self->issuers];
    return $self->{server}->render(\%model);
}

sub issuers ($self)
{
    my @issuers = @{ $self->{model}{issuers} };
    my $ca = $self->ca;

    push @issuers, { name => 'testca', uri => $ca->url,
        ca_file => $ca->ca_file, terms => 1 }
        if $ca && !grep { $_->{name} eq 'testca' } @issuers;
    return @issuers;
}

=head1 RUNNING

start        CA, DNS, server; dies if the server does not come up
             (may_fail => 1: returns false then, and failure() says why)
stop         the server, 'TERM' or another signal; a master or a helper
             that stays is a problem of the test
reload       true when new workers took over, false when refused; hard => 1
             is httpd's restart
restart      stop and start
test_config  ($exit, $output) of the server's -t for the configuration, or
             for a text of the same kind as in raw_config
done         teardown, its verdict as a test, done_testing
give_up      ends the test here, as failed, with the end of the log

=cut

sub start ($self, %o)
{
    $self->start_ca;
    $self->{server}->write_config($self->config_text);
    $self->{failure} = $self->{server}->start;
    return 1 if $self->{failure} eq '';
    return 0 if $o{may_fail};
    die "the server did not start: $self->{failure}\n" . $self->log;
}

sub failure ($self) { return $self->{failure} // '' }

# Once, even if a test stopped its CA in between.
sub start_ca ($self)
{
    return if $self->{ca_started}++;
    $self->{dns}->start if $self->{dns};
    return if !$self->{ca_start};
    $_->start for @{ $self->{cas} };
    return;
}

sub stop ($self, $signal = 'TERM', $seconds = 10)
{
    $self->problem("server not gone $seconds s after $signal")
        if !$self->{server}->stop($signal, $seconds);
    $self->check_leftovers;
    return $self;
}

sub restart ($self)
{
    return $self->stop->start;
}

sub reload ($self, %o)
{
    $self->{server}->write_config($self->config_text);
    return $self->{server}->reload(%o);
}

sub test_config ($self, $text = undef)
{
    local $self->{model}{raw} = $text if defined $text;
    return $self->{server}->test_config($self->config_text);
}

sub done ($self)
{
    $self->teardown;
    Test::More::ok(!@{ $self->{problems} }, 'clean teardown');
    Test::More::diag("  $_") for @{ $self->{problems} };
    $self->{told} = 1;
    Test::More::done_testing();
    return;
}

sub give_up ($self, $why = 'cannot go on')
{
    Test::More::fail($why);
    $self->done;
    exit 1;
}

=head1 WAITING AND LOOKING

wait_for(CODE, SECONDS, WHAT): CODE's first true value; false after SECONDS
wait_log(qr/../, SECONDS, since => mark): true when the log has it
log, log_mark, log_since(mark): the server's log
expect_log(qr/../, ..): alarming lines that this test provokes
said_since(mark): that, and what start has shown on the terminal
level('warn'): what the server writes before a message of that level, a regex
terminal_level('warn'): the same for said_since and test_config
ours: what it writes in every line of our module, a regex
issuer_name(NAME): what log, status and acmectl call an issuer
wait_certificate(NAME, SECONDS, %opt): waits for one that verifies against
    the CA's root, and returns it
wait_new_serial(NAME, OLD SERIAL, SECONDS)
peer_certificate(NAME, %opt): what a TLS client sees now (Acme::Tls, peer);
    undef when the handshake failed, tls_error says why; NAME undef: no SNI
    options: tls => '1.2'|'1.3', kind => 'rsa'|'ecdsa' (accept only that),
    verify => 1 (against the CA's root) or ca_file => FILE
serial(NAME, %opt): its serial, or undef
http_get(PATH, host =>, method =>, headers => {}, raw => BYTES): on the plain
    port: {status, reason, headers, body, raw}

=cut

sub wait_for ($self, $code, $seconds, $what = 'something')
{
    my $value = wait_until($seconds, sub { reap(); $code->() });
    Test::More::diag("waited $seconds s in vain for $what") if !$value;
    return $value;
}

sub wait_log ($self, $regex, $seconds = 10, %o)
{
    return $self->wait_for(
        sub { $self->log_since($o{since} // 0) =~ $regex },
        $seconds, "a log line with $regex");
}

sub log ($self) { return $self->log_since(0) }
sub log_mark ($self) { return (-s $self->{server}->log_file) // 0 }

sub log_since ($self, $mark)
{
    my $text = slurp($self->{server}->log_file) // '';
    return length $text > $mark ? substr $text, $mark : '';
}

sub said_since ($self, $mark)
{
    return $self->{server}->terminal . $self->log_since($mark);
}

sub expect_log ($self, @regexes)
{
    push @{ $self->{expected} }, @regexes;
    return $self;
}

sub level ($self, $name) { return $self->{server}->level($name) }
sub ours ($self) { return $self->{server}->ours }

sub terminal_level ($self, $name)
{
    return $self->{server}->terminal_level($name);
}

sub issuer_name ($self, $name)
{
    my %order;
    $order{ $_ // '' } //= keys %order
        for map { $_->{acme} } @{ $self->{model}{sites} };
    return $self->{server}->issuer_name($name, sort {
        ($order{ $a->{name} } // 1e9) <=> ($order{ $b->{name} } // 1e9)
    } $self->issuers);
}

sub peer_certificate ($self, $name, %o)
{
    $o{ca_file} //= $self->ca->root_file if delete $o{verify};
    my $seen = peer(address => $self->{server}->address,
        port => $self->port('tls'), name => $name, %o);
    $self->{tls_error} = $seen->{error};
    return $seen->{error} ? undef : $seen;
}

sub tls_error ($self) { return $self->{tls_error} }

sub serial ($self, $name, %o)
{
    my $seen = $self->peer_certificate($name, %o);
    return $seen ? $seen->{serial} : undef;
}

sub wait_certificate ($self, $name, $seconds = 30, %o)
{
    return $self->wait_for(
        sub { $self->peer_certificate($name, verify => 1, %o) },
        $seconds, "a certificate for $name");
}

sub wait_new_serial ($self, $name, $old, $seconds = 30, %o)
{
    return $self->wait_for(sub {
        my $seen = $self->peer_certificate($name, %o);
        return $seen && $seen->{serial} ne $old ? $seen : undef;
    }, $seconds, "another certificate for $name");
}

sub http_get ($self, $path, %o)
{
    return request(address => $self->{server}->address,
        port => $self->port('http'), path => $path, %o);
}

=head1 PROCESSES

master_pid, worker_pids, supervisor_pid, store_pid, engine_pid: as running
now; the plural forms (engine_pids) give all of a kind, the newest first
wait_helpers(SECONDS): true when supervisor, store and engine are there
spawn(cmd => [..] or code => sub, log => FILE, user =>): a pid that teardown
    ends
run_as(USER, CODE): runs CODE in a child as USER, returns its value
run(cmd => [..], ..): Acme::Proc, run: {exit, signal, stdout, stderr}
acmectl(ARGS): (exit, stdout, stderr), with this test's state directory; a
    first argument {user =>, timeout =>, env =>, stdin =>} is for run

=cut

sub master_pid ($self) { return $self->{server}->master_pid }
sub worker_pids ($self) { return $self->{server}->worker_pids }
sub supervisor_pid ($self) { return ($self->helpers('supervisor'))[0] }
sub store_pid ($self) { return ($self->helpers('store'))[0] }
sub engine_pid ($self) { return ($self->helpers('engine'))[0] }
sub supervisor_pids ($self) { return $self->helpers('supervisor') }
sub store_pids ($self) { return $self->helpers('store') }
sub engine_pids ($self) { return $self->helpers('engine') }

# Known by the name the kernel has (15 bytes) or by the title.
sub helpers ($self, $kind)
{
    my $comm = $kind eq 'supervisor' ? 'acme-super' : "acme-$kind";

    reap();
    return map { $_->{pid} }
        sort { $b->{start} <=> $a->{start} || $b->{pid} <=> $a->{pid} }
        grep { $_->{comm} =~ /^$comm/ || $_->{title} =~ /\bacme $kind\b/ }
        descendants(process_table());
}

sub wait_helpers ($self, $seconds = 5)
{
    return $self->wait_for(sub {
        $self->supervisor_pid && $self->store_pid && $self->engine_pid;
    }, $seconds, 'supervisor, store and engine');
}

sub spawn ($self, %o)
{
    my $pid = Acme::Proc::spawn(%o);
    push @{ $self->{spawned} }, $pid;
    return $pid;
}

sub run_as ($self, $user, $code)
{
    pipe my $reader, my $writer or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        my $answer = eval { as_user($user); [1, $code->()] };
        syswrite $writer, freeze($answer // [0, "$@"]);
        POSIX::_exit(0);
    }
    close $writer;
    my $frozen = do { local $/; <$reader> };
    waitpid $pid, 0;
    die "the child of run_as died\n" if !length($frozen // '');
    my ($ok, @value) = @{ thaw($frozen) };
    die @value if !$ok;
    return wantarray ? @value : $value[-1];
}

sub acmectl ($self, @args)
{
    my %o = ref $args[0] ? %{ shift @args } : ();
    my $ran = run(
        %o, cmd => [built('ACME_ACMECTL', 'acmectl'), @args],
        env => { ACME_STATE_DIR => $self->state, %{ $o{env} // {} } },
    );
    $self->problem("acmectl: $1")
        if $ran->{stderr} =~ /(.*(?:Sanitizer:|runtime error:).*)/;
    return ($ran->{timed_out} ? 'timeout'
        : $ran->{signal} ? "signal $ran->{signal}" : $ran->{exit},
        $ran->{stdout}, $ran->{stderr});
}

=head1 FILES AND NUMBERS

key_readers(GROUP): keys may be readable by it when teardown looks

dir, www (docroot), state(parts): paths; state itself the server makes
slurp(PATH), state_text(PARTS), state_json(PARTS): undef if not there
state_files: every path below the state directory, relative
live_version(LINEAGE): the number live/ points at
live_certificate(LINEAGE): its leaf, parsed
status(LINEAGE): what acmectl certificates --json tells of it
events(LINEAGE): those of the state directory (undef: all), the oldest first
port(NAME): a loopback port of this test; 'http' and 'tls' exist
host: 'nginx' or 'httpd'; of(nginx => .., httpd => ..): what is this host's
ca, cas, dns, server: the handles
problem(TEXT): one more reason for teardown to fail

=cut

sub key_readers ($self, $group) { $self->{key_readers} = $group }
sub dir ($self) { return $self->{dir} }
sub www ($self) { return "$self->{dir}/www" }
sub ca ($self) { return $self->{cas}[0] }
sub cas ($self) { return @{ $self->{cas} } }
sub dns ($self) { return $self->{dns} }
sub server ($self) { return $self->{server} }
sub host ($self) { return $self->{server}->name }
sub of ($self, %values) { return $values{ $self->host } }

sub state ($self, @parts)
{
    return join '/', "$self->{dir}/var/state", @parts;
}

sub state_text ($self, @parts) { return slurp($self->state(@parts)) }

sub state_json ($self, @parts)
{
    my $text = $self->state_text(@parts) // return;
    return decode_json($text);
}

sub state_files ($self)
{
    my $top = $self->state;
    my @found;
    require File::Find;
    File::Find::find({ no_chdir => 1, wanted => sub {
        push @found, substr $_, length("$top/") if $_ ne $top;
    } }, $top) if -d $top;
    return sort @found;
}

# Restarts the server, which then looks at the renewal information of the
# lineage's (ECDSA) certificate within 2 seconds for each lineage.
sub look_again ($self, $lineage)
{
    my $file = $self->state('record', "$lineage.json");

    $self->stop;
    my $text = slurp($file);
    $text =~ s/("next_look": ")[^"]+/${1}2026-01-01T00:00:00Z/g
        or die "no look is planned: $text\n";
    spew($file, $text, 0600);
    return $self->start;
}

sub live_version ($self, $lineage)
{
    my $target = readlink $self->state('live', $lineage) // return;
    return $target =~ m{/(\d+)$} ? $1 : undef;
}

sub live_certificate ($self, $lineage)
{
    return (load_pem($self->state('live', $lineage, 'fullchain.pem')))[0];
}

sub status ($self, $lineage)
{
    my ($exit, $out) = $self->acmectl('certificates', '--json');
    my $status = $exit eq '0' ? decode_json($out) : { lineages => [] };
    my ($found) = grep { $_->{name} eq $lineage } @{ $status->{lineages} };
    return $found;
}

sub events ($self, $lineage = undef)
{
    my @lines = map { split /^/, $self->state_text($_) // '' }
        'events.2.jsonl', 'events.1.jsonl', 'events.jsonl';
    my @events = map { eval { decode_json($_) } // () } @lines;
    return @events if !defined $lineage;
    return grep { ($_->{lineage} // '') eq $lineage } @events;
}

sub port ($self, $name)
{
    return $self->{ports}{$name} //= Acme::Port->reserve;
}

sub problem ($self, $text)
{
    push @{ $self->{problems} }, $text;
    return;
}

# --- teardown --------------------------------------------------------------

# Nothing in here dies: each part is tried, complaints are collected.
sub teardown ($self)
{
    return if $self->{pid} != $$ || $self->{torn_down}++;
    delete $live{$self};

    $self->attempt(sub { $self->stop }) if $self->{server};
    $self->attempt(sub { $self->check_files }) if $self->{server};
    $self->attempt(sub { stop_pid($_) }) for @{ $self->{spawned} };
    for my $part (@{ $self->{cas} }, $self->{dns} // ()) {
        $self->attempt(sub {
            $self->check_part($part);
            $part->stop or $self->problem(ref($part) . ' did not stop');
        });
    }
    $self->attempt(sub { $self->check_leftovers });
    $self->show_log
        if @{ $self->{problems} } || !Test::More->builder->is_passing;
    $self->attempt(sub { $self->remove_directory });
    return;
}

sub attempt ($self, $code)
{
    eval { $code->(); 1 } or $self->problem("teardown: $@");
    return;
}

sub own_pids ($self)
{
    return @{ $self->{spawned} },
        map { $_->pids } @{ $self->{cas} }, $self->{dns} // ();
}

# With its server's: what another test of this process must not count.
sub all_pids ($self)
{
    my $table = process_table();
    delete $table->{$$};
    my @found = grep { touches($table->{$_}, $self->{dir}) } keys %$table;
    return $self->own_pids, @found,
        map { $_->{pid} } map { descendants($table, $_) } @found;
}

# Whoever is left of the server is named, then ended.
sub check_leftovers ($self)
{
    my @left = left_processes($self->{dir}, LEAVE_SECONDS, $self->own_pids,
        map { $_->all_pids } grep { $_ && $_ != $self } values %live);
    my %ours = map { $_->{pid} => 1 } descendants(process_table());

    for my $entry (@left) {
        $self->problem(sprintf 'process left: %d (%s) %s',
            @$entry{qw(pid comm title)});
        kill 'KILL', $entry->{pid} if $ours{ $entry->{pid} };
    }
    reap($self->own_pids);
    return;
}

sub check_files ($self)
{
    my $server = $self->{server};
    my @output = ($server->log_file, $server->output_file,
        glob "$self->{dir}/san/*");

    $self->problem($_) for
        alarming_lines($self->log, $server->alarming,
            @{ $self->{expected} }),
        sanitizer_reports(@output),
        exposed_keys($self->state, $self->{key_readers}
            // $self->{model}{settings}{key_group});
    return;
}

# A CA of ours may have something to complain about as well.
sub check_part ($self, $part)
{
    my @complaints = $part->can('complaints') ? $part->complaints : ();
    $self->problem(ref($part) . ": $_") for @complaints;
    return;
}

sub show_log ($self)
{
    my @lines = split /\n/, $self->log;
    my $from = @lines > 40 ? @lines - 40 : 0;
    Test::More::diag("  | $_") for @lines[$from .. $#lines];
    return;
}

sub remove_directory ($self)
{
    if ($ENV{ACME_TEST_KEEP}) {
        Test::More::diag("kept: $self->{dir}");
        return;
    }
    remove_tree($self->{dir}, { safe => 0, error => \my $errors });
    $self->problem("cannot remove $self->{dir}") if -e $self->{dir};
    return;
}

sub catch_signals ()
{
    for my $signal (qw(INT TERM HUP)) {
        $SIG{$signal} = sub { exit 1 };
    }
    return;
}

sub DESTROY ($self)
{
    return if $self->{pid} != $$ || $self->{torn_down};
    local ($@, $?, $!);
    $self->finish;
    return;
}

# A test that ended without done: its problems still make it fail.
sub finish ($self)
{
    $self->teardown;
    return if $self->{told}++ || !@{ $self->{problems} };
    Test::More::diag("not a clean teardown:");
    Test::More::diag("  $_") for @{ $self->{problems} };
    Test::More::fail('clean teardown')
        if !Test::More->builder->{Done_Testing};
    return;
}

END {
    my $status = $?;
    for my $test (grep { $_ } values %live) {
        $test->finish;
        $status ||= 1 if @{ $test->{problems} };
    }
    $? = $status;
}

1;
