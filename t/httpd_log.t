#!/usr/bin/perl
# Our lines go where httpd's go, into a program or into syslog, and LogLevel
# is obeyed.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run spew);
use Acme::Syslog;
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd', ca => 'own');
my $notice = $t->level('notice');
my $info = qr/\[acme_httpd:info\]/;

$t->configure(main => 'ErrorLog "|/usr/bin/tee -a %%DIR%%/logs/error.log"');
$t->site('a.test')->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;
ok $t->wait_log(qr/${notice}.*certificate obtained, lineage "a\.test"/),
    'ErrorLog as a program: a line of the engine arrives';
my $mark = $t->log_mark;
ok $t->reload, 'graceful';
is +($t->acmectl('renew', '--force'))[0], 0, 'renewed';
ok $t->wait_log(qr/certificate renewed, lineage "a\.test"/, 5,
    since => $mark), 'so does one of the next engine';
$t->ca->unreachable;
$t->site(['b.test', 'www.b.test'])->reload;
ok $t->wait_log(qr/not obtained, lineage "b\.test"/), 'a failure';
like $t->log_since($mark), $info, 'and lines of level info';

$t->configure(main => 'LogLevel acme_httpd:warn');
$mark = $t->log_mark;
ok $t->reload, 'LogLevel acme_httpd:warn, to a file';
isnt +($t->acmectl('renew', '--cert-name', 'b.test'))[0], 0, 'a renewal';
ok $t->wait_log(qr/not obtained, lineage "b\.test"/, 10, since => $mark),
    'its failure is worth a line';
unlike $t->log_since($mark), $info, 'as those of level info are not';
$t->stop;

# --- syslog: a /dev of our own, where there may be none --------------------

my $syslog = Acme::Syslog->new($t);
my $httpd = $t->server->binary;
my $program = $t->dir . '/tmp/httpd';
my $dev = $t->dir . '/tmp/dev';
mkdir $dev;
spew($program, <<~"END", 0755);
    #!/bin/sh -e
    mount -t tmpfs none $dev
    for i in null zero random urandom; do
        : >$dev/\$i
        mount --bind /dev/\$i $dev/\$i
    done
    ln -s @{[$syslog->path]} $dev/log
    mount --move $dev /dev
    exec "\$@"
    END
my @command = ('unshare', '-m', '--', $program);

SKIP: {
    my $ran = run(cmd => [@command, 'true']);
    skip "no /dev of our own: $ran->{stderr}", 3 if $ran->{exit};

    spew("$program-syslog", "#!/bin/sh\nexec @command $httpd \"\$@\"\n", 0755);
    local $t->server->{binary} = "$program-syslog";
    $t->ca->reachable;
    $t->site('c.test');
    $t->configure(main => "ErrorLog syslog:local3\nLogLevel notice");
    $t->start;
    $t->wait_certificate('c.test') or $t->give_up;
    my $from = qr/<157>.* apache2\[\d+\]: /;    # local3.notice
    ok $t->wait_for(sub {
        $syslog->text =~ /^$from.*certificate obtained, lineage "c\.test"/m;
    }, 5, 'syslog'), 'syslog: a line of the engine arrives';
    like $syslog->text, qr/^$from.*resuming normal operations/m,
        'as those of httpd do';
    $t->stop;
}

$t->done;
