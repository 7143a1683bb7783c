#!/usr/bin/perl
# The log is moved away and reopened: the helpers' lines are in the new file.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;

my $log = $t->server->log_file;
rename $log, "$log.1" or die "rename: $!\n";
my $old = $t->supervisor_pid;
kill 'USR1', $t->master_pid;
$t->wait_for(sub { -e $log }, 5, 'a new log') or $t->give_up;
# which in httpd is a reload: the old helpers go with the old log
$t->wait_for(sub { !grep { $_ == $old } $t->supervisor_pids }, 10)
    if $t->host eq 'httpd';
$t->wait_helpers;
is +($t->acmectl('renew', '--force'))[0], 0, 'a renewal';
ok $t->wait_log(qr/certificate renewed, lineage "a\.test"/, 5),
    'is in the new log';
unlike slurp("$log.1"), qr/certificate renewed/, 'not in the old one';

# a log that is gone, and not reopened, is no trouble
unlink $log;
ok $t->supervisor_pid && $t->engine_pid, 'the helpers live';
kill 'USR1', $t->master_pid;
$t->wait_for(sub { -e $log }, 5, 'a new log') or $t->give_up;

$t->done;
