#!/usr/bin/perl
# A mod_wsgi daemon, of another user or of the server's own, and a CGI
# script, by mod_cgid or mod_cgi, take whatever they can read: their own
# memory, that of others, descriptors.  No account key is in it, and no TLS
# key; nor does root find one in the processes that these are forked from.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::SecProc qw(found_in found_in_file pem_line private_scalar);
use Acme::Test;

Acme::Test->need_root;
plan skip_all => 'the memory of a sanitized process has terabytes'
    if $ENV{ACME_PRELOAD};
my $tenant = do { local $/; <DATA> };

# name => bytes: each key as a number and as text
sub forms (%pem)
{
    return map { ("$_ number" => private_scalar($pem{$_}),
        "$_ text" => pem_line($pem{$_})) } keys %pem;
}

# The tenant's code at $path, not in the process $not:
# { pid, loot => FILE, daemon => PID }.
sub visit ($t, $path, $not = 0)
{
    return $t->wait_for(sub {
        my $answer = $t->http_get($path, host => 'a.test', timeout => 20);
        my ($pid, $ppid, $loot) = ($answer->{body} // '')
            =~ /^(\d+) (\d+) (\S+)$/ or return;
        my $daemon = $path =~ /cgi/ ? $ppid : $pid;
        return $daemon == $not ? undef
            : { pid => $pid, loot => $loot, daemon => $daemon };
    }, 20, $path) || $t->give_up;
}

# The same after its daemon was killed and has come back.
sub another ($t, $path)
{
    my $old = visit($t, $path);
    kill 'KILL', $old->{daemon};
    return visit($t, $path, $old->{daemon});
}

sub looted ($seen, $secrets)
{
    my @found = found_in_file($seen->{loot}, $secrets);
    unlink $seen->{loot};
    return \@found;
}

sub look ($t, $when, $cgi, $account, $tls)
{
    my %all = (%$account, %$tls);
    my $child = ($t->worker_pids)[0];

    # root first: what is where it belongs is found by the same search
    is_deeply [grep { /number/ } found_in($child, $tls)], ['TLS number'],
        "$when: a child has the TLS key";
    is_deeply [found_in($child, $account)], [], '  and no account key';
    is_deeply [found_in($t->master_pid, $account)], [],
        '  no account key in the parent';
    is_deeply [found_in($t->master_pid, $tls, shared => 0)], [],
        '  no TLS key in what is its own';

    for my $group (qw(foreign same)) {
        my $seen = visit($t, "/$group/");
        my @forked = found_in($seen->{daemon}, \%all);
        is_deeply \@forked, [], "  daemon of mod_wsgi, $group user: no key";
        is_deeply looted($seen, { %all, canary => 'canary@a.test' }),
            ['canary'], '  its application sees what it inherited: no key';
    }

    my $seen = visit($t, '/cgi/tenant');
    is_deeply looted($seen, { %all, environment => 'canary-of-its-own' }),
        ['environment'], "  script of $cgi: no key";
    is_deeply [found_in($seen->{daemon}, \%all)], [], "  nor in its daemon"
        if $cgi eq 'cgid';
    return;
}

sub serve ($mpm, $cgi)
{
    my $t = Acme::Test->new(ca => 'own', mpm => $mpm, workers => 1);
    my $dir = $t->dir;
    my $modules = $t->server->{modules};

    plan skip_all => 'needs mod_wsgi (libapache2-mod-wsgi-py3)'
        if !-e "$modules/mod_wsgi.so";
    mkdir "$dir/loot" or die "$dir/loot: $!\n";
    chmod 01777, "$dir/loot";
    mkdir "$dir/cgi" or die "$dir/cgi: $!\n";
    spew("$dir/cgi/tenant", $tenant, 0755);
    $t->configure(global => <<~"END");
        LoadModule wsgi_module %%MODULES%%/mod_wsgi.so
        LoadModule env_module %%MODULES%%/mod_env.so
        LoadModule ${cgi}_module %%MODULES%%/mod_$cgi.so
        @{[$cgi eq 'cgid' ? 'ScriptSock %%DIR%%/run/cgid' : '']}
        ServerAdmin canary\@a.test
        SetEnv LOOT $dir/loot
        SetEnv OWN canary-of-its-own
        WSGISocketPrefix %%DIR%%/run/wsgi
        WSGIDaemonProcess foreign user=nobody group=nogroup threads=1 home=/
        WSGIDaemonProcess same threads=1 home=/
        WSGIScriptAlias /foreign $dir/cgi/tenant \\
            process-group=foreign \\
            application-group=%{GLOBAL}
        WSGIScriptAlias /same $dir/cgi/tenant \\
            process-group=same \\
            application-group=%{GLOBAL}
        ScriptAlias /cgi $dir/cgi
        <Directory $dir/cgi>
            Require all granted
        </Directory>
        END
    $t->site('a.test')->start_ca;
    $t->ca->fault(where => 'validate', do => 'slow-validation', seconds => 3);
    $t->start;
    $t->wait_for(sub { $t->ca->challenge_posts }, 15, 'at work')
        or $t->give_up;
    return $t;
}

for my $pair (['event', 'cgid'], ['prefork', 'cgi']) {
    my ($mpm, $cgi) = @$pair;
    my $t = serve($mpm, $cgi);
    my ($made) = grep { m{^keys/\w+\.pem$} } $t->state_files;
    my %account = forms(account => $t->state_text($made));
    is_deeply [grep { /number/ } found_in($t->engine_pid, \%account)],
        ['account number'], "$mpm: the engine has the account key";
    $t->wait_certificate('a.test') or $t->give_up;
    my %tls = forms(TLS => $t->state_text('live/a.test/privkey.pem'));
    look($t, "$mpm, at work", $cgi, \%account, \%tls);
    ok $t->reload, 'reload';
    $t->wait_helpers;
    ok $t->serial('a.test'), '  it is served';
    look($t, "$mpm, after a reload", $cgi, \%account, \%tls);

    # those that the parent forks while it serves
    for my $path ('/foreign/', '/same/', $cgi eq 'cgid' ? '/cgi/tenant' : ()) {
        my $new = another($t, $path);
        is_deeply looted($new, { %account, %tls }), [],
            "$mpm, daemon started again: no key for $path";
        is_deeply [found_in($new->{daemon}, { %account, %tls })], [],
            '  nor in the daemon';
    }
    $t->teardown;
    is_deeply $t->{problems}, [], 'clean teardown';
}
done_testing;

__DATA__
#!/usr/bin/python3
# Writes all that it can read to a file, as an application of mod_wsgi or as a
# CGI script.

import ctypes, os, stat, sys

MOST = 64 << 20         # of one mapping or file
PR_SET_DUMPABLE = 4


def memory(pid, out):
    with open(f'/proc/{pid}/maps') as maps, \
            open(f'/proc/{pid}/mem', 'rb', 0) as mem:
        for line in maps:
            fields = line.split()
            start, end = (int(part, 16) for part in fields[0].split('-'))
            if fields[1][0] != 'r' or '[v' in line:
                continue
            try:
                mem.seek(start)
                copy(mem, min(end - start, MOST), out)
            except OSError:
                pass


def copy(source, left, out):
    while left > 0:
        data = source.read(min(left, 1 << 20))
        if not data:
            return
        if data.count(0) != len(data):
            out.write(data)
        left -= len(data)


def descriptors(pid, out):
    for number in os.listdir(f'/proc/{pid}/fd'):
        path = f'/proc/{pid}/fd/{number}'
        try:
            if os.readlink(path) != out.name \
                    and stat.S_ISREG(os.stat(path).st_mode):
                with open(path, 'rb', 0) as source:
                    copy(source, MOST, out)
        except OSError:
            pass


def texts(pid, out):
    for name in ('environ', 'cmdline'):
        with open(f'/proc/{pid}/{name}', 'rb') as source:
            out.write(source.read())


def loot(directory):
    path = f'{directory}/{os.getpid()}'

    # who has changed its user may not open its own memory before that
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    with open(path, 'wb') as out:
        for pid in ['self'] + [p for p in os.listdir('/proc') if p.isdigit()]:
            if pid == str(os.getpid()):
                continue
            for take in (memory, descriptors, texts):
                try:
                    take(pid, out)
                except OSError:
                    pass
    return f'{os.getpid()} {os.getppid()} {path}\n'


def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [loot(environ['LOOT']).encode()]


if os.environ.get('GATEWAY_INTERFACE') and 'mod_wsgi' not in sys.modules:
    print('Content-Type: text/plain\n\n' + loot(os.environ['LOOT']), end='')
