#!/usr/bin/perl
# acmectl issue --webroot: files in the directories of a web server that knows
# nothing of us, written as their owner; which directory is whose; what is in
# the way is refused and left alone; what was made goes, after a kill too.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spawn spew);
use Acme::Test;
use Acme::Tool qw(built);
use File::Path qw(make_path);

my $tenant = 4242;
my $t = Acme::Test->new(ca => 'own');
my %root = map { $_ => $t->dir . "/docroot-$_" } qw(a b c);
for my $dir (values %root) {
    make_path($dir);
    chmod 0755, $t->dir, $dir;
    chown $tenant, $tenant, $dir if $> == 0;
}
$t->site(["$_.test", "www.$_.test"], acme => undef, root => $root{$_})
    for qw(a b c);
$t->start;
my $state = $t->dir . '/acmectl-state';
my @ca = ('--server', $t->ca->url, '--ca-file', $t->ca->ca_file,
    '--agree-tos');
my ($exit, $out, $err);

sub acmectl (@args)
{
    ($exit, $out, $err) =
        $t->acmectl({ env => { ACME_STATE_DIR => $state } }, @args);
    return $exit;
}

sub issue (@args) { return acmectl('issue', '-n', @ca, @args) }
sub left () { return grep { -e } map { "$_/.well-known" } sort values %root }
sub token ($root) { return (glob "$root/.well-known/acme-challenge/*")[0] }

# X132: each name's own; X133: the map wins
is issue('--webroot', '-w', $root{a}, '-d', 'a.test,www.a.test', '-w',
    $root{b}, '-d', 'b.test'), 0, 'two webroots' or diag $out, $err;
unlike $err, qr/no server runs/, 'which need no server of ours';
is_deeply [left()], [], 'nothing is left there';
is issue('-w', $root{a}, '-d', 'a.test', '--webroot-map',
    qq({"c.test, www.c.test":"$root{c}"})), 0, 'a map, whose names count'
    or diag $out, $err;
like join(' ', `openssl x509 -in $state/live/a.test-0001/cert.pem -noout -text`),
    qr/DNS:www\.c\.test/, 'are in the certificate';
is issue('-w', $root{a}, '-d', 'b.test', '--webroot-map',
    qq({"b.test":"$root{b}"}), '--duplicate'), 0, 'which goes before -w'
    or diag $out, $err;
isnt issue('-w', $root{a}, '-d', 'c.test', '--duplicate', '--cert-name',
    'wrong'), 0, 'another directory does not do';

# refused before anything is asked for
my $orders = $t->ca->orders;
for my $case (
    [['-d', 'a.test', '--webroot'], qr/--webroot needs the directory/],
    [['-w', "$root{a}/none", '-d', 'a.test'], qr/none" is no directory/],
    [['-d', 'a.test', '-w', $root{a}, '-d', 'b.test', '-w', $root{b}],
        qr/first has to stand before all/],
    [['--webroot-map', '[1]'], qr/--webroot-map is no JSON object/],
    [['--webroot-map', '{"a.test":1}'], qr/no path for "a\.test"/],
    [['--webroot-map', qq({"a..test":"$root{a}"})], qr/a\.\.test/],
    [['-w', $root{a}, '-d', '*.a.test'], qr/"\*\.a\.test"/],
    [['-w', $root{a}, '-d', 'a.test', '--challenge', 'tls-alpn-01'],
        qr/files below a webroot prove http-01 alone/],
    [['-w', $root{a}, '-d', 'a.test', '--standalone'],
        qr/--standalone and --webroot-path name two ways/],
    [['-w', $root{a}, '-d', 'a.test', '-a', 'manual'],
        qr/--webroot-path and --authenticator name two ways/],
    [['-a', 'apache', '-d', 'a.test'], qr/--authenticator "apache" is none/],
) {
    my ($args, $why) = @$case;
    is issue(@$args), 2, "refused: @$args";
    like $err, $why, '  and why';
}
is scalar($t->ca->orders), $orders, 'nothing is ordered';

# as whom, and killed: the next one clears up
$t->ca->fault(where => 'validate', do => 'slow-validation', seconds => 20);
my $pid = spawn(log => $t->dir . '/killed.log',
    cmd => [built('ACME_ACMECTL', 'acmectl'), '--state-dir', $state, 'issue',
        '-n', @ca, '-w', $root{b}, '-d', 'www.b.test']);
ok $t->wait_for(sub { token($root{b}) }, 20), 'a file is there';
my @file = stat token($root{b});
is sprintf('%o', $file[2]), '100644', 'which the web server can read';
SKIP: {
    skip 'needs root', 2 if $> != 0;
    is $file[4], $tenant, 'of the owner of the directory';
    is +(stat "$root{b}/.well-known")[4], $tenant, 'as what is above it';
}
ok $t->wait_for(sub { -d "$state/orders/www.b.test" }, 10), 'an order';
kill 'KILL', -$pid, $pid;
waitpid $pid, 0;
ok -e(token($root{b}) // ''), 'killed, it leaves its file';
$t->ca->clear_faults;
spew("$root{b}/.well-known/acme-challenge/theirs", 'theirs');
is issue('-w', $root{b}, '-d', 'www.b.test'), 0, 'the next one goes on'
    or diag $out, $err;
is_deeply [map { s{.*/}{}r } glob "$root{b}/.well-known/acme-challenge/*"],
    ['theirs'], 'and takes it away, and nothing else';
unlink "$root{b}/.well-known/acme-challenge/theirs";

# renewed with what was kept
is acmectl('renew', '--force', '--cert-name', 'www.b.test'), 0, 'renewed'
    or diag $out, $err;
is readlink "$state/live/www.b.test", '../archive/www.b.test/2',
    'with the same directory';
is_deeply [left()], [], 'which has nothing left in it, nor what was made';

is issue('-w', $root{b}, '-d', 'www.b.test,b.test', '--dry-run',
    '--duplicate'), 0, 'a dry run' or diag $out, $err;
is_deeply [left()], [], 'leaves nothing either';

# links, in the directory and on the way there
my $victim = $t->dir . '/victim';
make_path("$victim/acme-challenge");
symlink $victim, "$root{c}/.well-known" or die "symlink: $!\n";
isnt issue('-w', $root{c}, '-d', 'www.c.test', '--cert-name', 'link'), 0,
    'a link in the directory';
like $err, qr{docroot-c/\.well-known" is a symbolic link}, 'is refused by name';
is_deeply [glob "$victim/acme-challenge/*"], [], 'and not followed';
unlink "$root{c}/.well-known";
is issue('-w', $root{c}, '-d', 'www.c.test', '--cert-name', 'link'), 0,
    'without it' or diag $err;
rename $root{c}, "$root{c}-real" or die "rename: $!\n";
symlink $victim, $root{c} or die "symlink: $!\n";
isnt acmectl('renew', '--force', '--cert-name', 'link'), 0,
    'a link in its place';
like $err, qr{docroot-c" is a symbolic link}, 'is refused by name';
is_deeply [glob "$victim/.well-known/*"], [], 'and not followed';
SKIP: {
    skip 'needs root', 4 if $> != 0;
    chown 0, 0, $root{a};
    chmod 0777, $root{a};
    isnt issue('-w', $root{a}, '-d', 'www.a.test', '--cert-name', 'open'), 0,
        'root\'s, where everybody writes';
    like $err, qr/everybody can write.*chmod o-w/, 'is refused';
    chmod 0755, $root{a};
    make_path("$root{a}/.well-known");
    chown $tenant, $tenant, "$root{a}/.well-known";
    isnt issue('-w', $root{a}, '-d', 'www.a.test', '--cert-name', 'open'), 0,
        'another\'s directory in root\'s';
    like $err, qr/\.well-known" belongs to uid 4242/, 'is refused';
}

$t->done;
