#!/usr/bin/perl
# acmectl issue --manual: a person at a terminal puts up what he is told, or a
# program does; what nobody can do unattended is not tried unattended.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp spawn spew);
use Acme::Test;
use Acme::Tool qw(built);
use File::Path qw(make_path);
use POSIX qw(mkfifo);

plan skip_all => 'no script(1) here, which makes terminals'
    if run(cmd => ['script', '--version'])->{exit} != 0;
my $t = Acme::Test->new(ca => 'own');
$t->site(['a.test', 'b.test', 'c.test'], acme => undef)->start;
my $dir = $t->www . '/.well-known/acme-challenge';
make_path($dir);
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

# With a terminal of its own, and a person: what is on the screen goes to
# $person, who returns what he types.
my $screen = $t->dir . '/screen';

sub at_terminal ($shows, $person, @args)
{
    my $keys = $t->dir . '/keys';
    my $command = join ' ', map { "'$_'" } built('ACME_ACMECTL', 'acmectl'),
        '--state-dir', $state, 'issue', @ca, @args;

    my $end = $t->dir . '/end';

    unlink $keys, $screen, $end;
    mkfifo($keys, 0600) or die "mkfifo: $!\n";
    spawn(log => $screen, stdin => $keys, env => { COMMAND => $command },
        cmd => ['sh', '-c', "script -qec \"\$COMMAND\" /dev/null; "
            . "echo \$? >$end.new; mv $end.new $end"]);
    open my $typing, '>', $keys or die "keys: $!\n";
    $typing->autoflush(1);
    $t->wait_for(sub { (slurp($screen) // '') =~ $shows }, 20)
        and print {$typing} $person->(slurp($screen));
    $t->wait_for(sub { -e $end }, 20, 'the end');
    return 0 + (slurp($end) // -1);
}

# X046
is acmectl('issue', '-n', @ca, '--manual', '-d', 'a.test'), 2,
    'nobody there, and no program';
like $err, qr/--manual needs a person.*--manual-auth-hook/, 'is refused';
is scalar($t->ca->orders), 0, 'before anything is ordered';

# a person, and a file
my $shown = qr{http://a\.test/\.well-known/acme-challenge/(?<token>[\w-]+)
    .*?(?<text>\g{token}\.[\w-]{43})\s.*Enter}xs;
my $file;
is at_terminal($shown, sub ($screen) {
    $screen =~ $shown or die "nothing is shown\n";
    $file = "$dir/$+{token}";
    spew($file, $+{text});
    chmod 0644, $file;
    return "\n";
}, '--manual', '-d', 'a.test'), 0, 'a person' or diag slurp($screen);
like slurp($screen), qr/Not needed any more, for "a\.test"/, 'is told the end';
ok -e "$state/live/a.test/cert.pem", 'there is a certificate';
my $order = $t->ca->orders;
is acmectl('renew'), 0, 'not due, so renewed by nobody';
is acmectl('renew', '--force', '--cert-name', 'a.test'), 1,
    'due, it cannot be renewed without him';
like $err, qr/a\.test: .*proved by hand.*issue --manual --cert-name a\.test.*--manual-auth-hook/s,
    'as it says' or diag $err;
is scalar($t->ca->orders), $order, 'and nothing is ordered';

# one who does not do it
is at_terminal(qr/Enter/, sub ($) { return "\cD" }, '--manual', '-d',
    'b.test'), 1, 'a person who goes';
like slurp($screen), qr/b\.test: .*not done by hand/s, 'has not done it';

# a record
is at_terminal(qr/_acme-challenge\.b\.test\. 300 IN TXT "[\w-]{43}".*Enter/s,
    sub ($) { return "\n" }, '--manual', '--preferred-challenges', 'dns',
    '--dns-propagation', 'off', '-d', 'b.test'), 1,
    'a record, which this CA cannot look up';
like slurp($screen), qr/TXT "[\w-]{43}"/, 'as a zone has it'
    or diag slurp($screen);

# X044: a program, and a file
my $saw = $t->dir . '/saw';
my $auth = spew($t->dir . '/auth', <<"EOT", 0755);
#!/bin/sh
printf %s "\$CERTBOT_VALIDATION" >"$dir/\$CERTBOT_TOKEN"
chmod 644 "$dir/\$CERTBOT_TOKEN"
echo "\$CERTBOT_DOMAIN \$CERTBOT_REMAINING_CHALLENGES \$CERTBOT_ALL_DOMAINS" >>$saw
echo made
EOT
my $cleanup = spew($t->dir . '/cleanup', <<"EOT", 0755);
#!/bin/sh
rm "$dir/\$CERTBOT_TOKEN"
echo "\$CERTBOT_AUTH_OUTPUT" >>$saw
EOT
unlink $file;
my @hooks = ('--manual-auth-hook', $auth, '--manual-cleanup-hook', $cleanup);
is acmectl('issue', '-n', @ca, '--manual', @hooks, '-d', 'b.test,c.test'), 0,
    'a program' or diag $out, $err;
is slurp($saw), "b.test 1 b.test,c.test\nc.test 0 b.test,c.test\nmade\nmade\n",
    'is told what there is to know';
is_deeply [glob "$dir/*"], [], 'and takes its files away';
is acmectl('renew', '--force', '--cert-name', 'b.test'), 0,
    'and renews unattended' or diag $err;
is acmectl('issue', '-n', @ca, '--manual', @hooks, '--force', '--cert-name',
    'a.test'), 0, 'also what was proved by hand' or diag $err;

$t->done;
