package Bench::Many;

# Servers with many TLS names, each with a certificate of its own: ours, the
# same virtual hosts with files, and with mod_md; their configuration test,
# start and reload.  One worker; the CA cannot be reached.

use v5.36;
use Acme::Proc qw(nap reap run slurp spawn spew wait_until);
use Acme::Test;
use Bench qw(children_s cpu_us skip);
use Exporter 'import';
use File::Path qw(make_path);

our @EXPORT_OK = qw(clear_server files_server has_mod_md helpers
    mod_md_server our_server reloaded settled started stored tested
    write_config MOST NOWHERE);

use constant {
    MOST => 300,        # seconds for a start or a reload
    NOWHERE => 'https://127.0.0.1:1/directory',
    QUIET => 5,         # looks, half a second apart, with nothing done
};

=head1 SERVERS

Not started; the configuration is written.

server(HOST, %options): one without names, for the options of Acme::Test
our_server(HOST, \@names, %options): with an ACME certificate for each.  kind:
    'server' (default), each says so; 'http', the level above does; 'variable',
    with "ssl_certificate $acme_certificate" for all; 'hooks', a hook and an
    event command for all; 'stream'; 'clear', the level above says so and no
    server speaks TLS
files_server(HOST, LIVE, \@names): the pairs of LIVE/NAME
clear_server(HOST, \@names): no TLS, without our module
mod_md_server(LIVE, \@names): with what its store has after a renewal
has_mod_md(HTTPD): says so if it has not
stored(FROM, TO): a state directory again

=cut

sub server ($host, %o)
{
    my $t = Acme::Test->new(host => $host, workers => 1, patience => MOST,
        log_level => 'error', %o);

    # one more listens in the clear, and tells that the server is up
    $t->site('up', acme => undef, default => 1);
    return $t;
}

sub write_config ($t, $global = '')
{
    $t->configure(global => $t->host eq 'httpd' ? $global
        : "server_names_hash_max_size 131072;\n$global");

    # each listener takes a connection, and each connection memory
    my $text = $t->config_text;
    $text =~ s/worker_connections \K\d+/65536/ if $text =~ /^stream/m;
    $t->server->write_config($text);
    return $t;
}

sub our_server ($host, $names, %o)
{
    my $kind = $o{kind} // 'server';
    my $t = server($host);
    my %global = (
        http => 'acme_certificate bench;', clear => 'acme_certificate bench;',
        variable => "ssl_certificate \$acme_certificate;\n"
            . 'ssl_certificate_key $acme_certificate_key;');
    my %site = (http => { acme => undef, tls => 1 },
        clear => { acme => undef, plain => 1 });

    $t->issuer('bench', uri => NOWHERE);
    $t->configure(hook => 'deploy /bin/true', event_cmd => '/bin/true')
        if $kind eq 'hooks';
    if ($kind eq 'stream') {
        stream($t, @$names);
    } else {
        $t->site($_, acme => 'bench', plain => 0, %{ $site{$kind} // {} })
            for @$names;
    }
    return write_config($t, $global{$kind} // '');
}

# Each at an address of its own: nginx tells them apart so before 1.25.5.
sub stream ($t, @names)
{
    my $n = 0;
    my $servers = join '', map {
        $n++;
        'server { listen 127.' . join('.', 1 + ($n >> 16), $n >> 8 & 255,
            $n & 255) . ":%%TLS%% ssl; acme_certificate bench $_; "
            . "return x; }\n"
    } @names;

    $t->configure(first => $t->server->load_line('stream'),
        last => "stream {\n$servers}\n");
    return;
}

sub files_server ($host, $live, $names)
{
    my $t = server($host);

    $t->configure(plain_server => 1);
    $t->site($_, acme => undef, plain => 0, certificate =>
        ["$live/$_/fullchain.pem", "$live/$_/privkey.pem"]) for @$names;
    return write_config($t);
}

sub clear_server ($host, $names)
{
    my $t = server($host);

    $t->configure(plain_server => 1);
    $t->site($_, acme => undef) for @$names;
    return write_config($t);
}

# more: TEXT for all of the server; sites => 0: domains without virtual hosts
sub mod_md_server ($live, $names, %o)
{
    my $t = server('httpd');

    for my $name (@$names) {
        my $dir = $t->dir . "/var/md/domains/$name";
        make_path($dir, { mode => 0700 });
        spew("$dir/pubcert.secp256r1.pem",
            slurp("$live/$name/fullchain.pem"), 0600);
        spew("$dir/privkey.secp256r1.pem",
            slurp("$live/$name/privkey.pem"), 0600);
    }
    $t->configure(plain_server => 1,
        main => join "\n", 'LoadModule md_module %%MODULES%%/mod_md.so',
            $o{main} // ());
    my $https = $o{sites} // 1 ? '%%TLS%%' : '-';
    if ($o{sites} // 1) {
        $t->site($_, acme => undef, tls => 1, plain => 0) for @$names;
    }
    return write_config($t, join "\n", 'MDStoreDir %%DIR%%/var/md',
        'MDCertificateAuthority ' . NOWHERE,
        'MDCertificateAgreement accepted', 'MDContactEmail admin@bench.test',
        'MDPrivateKeys secp256r1', "MDPortMap http:%%HTTP%% https:$https",
        $o{more} // (), map { "MDomain $_" } @$names);
}

sub has_mod_md ($t)
{
    return 1 if -e $t->server->{modules} . '/mod_md.so';
    skip('mod_md', 'it is not installed');
    return 0;
}

sub stored ($from, $to)
{
    my $ran = run(cmd => ['cp', '-a', "$from/.", $to], timeout => MOST);
    die "cp: $ran->{stderr}\n" if $ran->{exit};
    return;
}

=head1 THEIR LIFE

tested($t): seconds of CPU of a configuration test
started($t): until it answers
reloaded($t): until there is a worker that was not there, and no other
settled($t): until its helpers have nothing to do
helpers($t): their pids

=cut

sub tested ($t)
{
    my $before = children_s();
    my $pid = spawn(cmd => [$t->server->test_command($t->server->conf_file)],
        log => $t->dir . '/logs/test.out', cwd => $t->dir);

    waitpid $pid, 0;
    die slurp($t->dir . '/logs/test.out') if $?;
    return children_s() - $before;
}

sub started ($t)
{
    my $server = $t->server;
    my $pid = spawn(cmd => [$server->start_command], cwd => $t->dir,
        log => $server->output_file);

    wait_until(MOST, sub {
        $t->http_get('/', host => 'up', timeout => MOST)->{status} == 200;
    }) or die $t->host . " did not start\n" . $t->log;
    waitpid $pid, 0;
    wait_until(10, sub { $server->is_up }) or die "no worker\n";
    return;
}

sub reloaded ($t)
{
    my %old = map { $_ => 1 } $t->worker_pids;

    kill $t->server->reload_signal, $t->master_pid;
    wait_until(MOST, sub {
        reap();
        my @now = $t->worker_pids;
        return @now && !grep { $old{$_} } @now;
    }) or die $t->host . " did not reload\n" . $t->log;
    return;
}

sub settled ($t)
{
    my ($last, $quiet) = (-1, 0);

    wait_until(MOST, sub {
        my $now = cpu_us(helpers($t));
        nap(0.5);
        $quiet = $now - $last < 5_000 ? $quiet + 1 : 0;
        $last = $now;
        return $quiet >= QUIET;
    }) or die $t->host . ": its helpers do not come to rest\n";
    return;
}

sub helpers ($t)
{
    return map { $t->helpers($_) } qw(supervisor store engine);
}

1;
