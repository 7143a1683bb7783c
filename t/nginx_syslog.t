#!/usr/bin/perl
# error_log to a syslog server: the supervisor keeps nginx's connection, so
# that the helpers' lines arrive and nothing else has its number.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Syslog;
use Acme::Test;

Acme::Test->need_root;      # to look at descriptors
my $t = Acme::Test->new(ca => 'own');
my $syslog = Acme::Syslog->new($t);

sub sockets ($pid)
{
    return grep { /^socket:/ } map { readlink // '' } glob "/proc/$pid/fd/*";
}

sub helpers { return [$t->supervisor_pid, $t->store_pid, $t->engine_pid] }

$t->configure(main => 'error_log syslog:server=unix:' . $syslog->path
    . ',nohostname info;');
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;
$t->wait_helpers or $t->give_up;
my $helpers = helpers();

# said before the helpers are started
like $syslog->text, qr/ nginx: .* using the "\w+" event method/,
    'nginx had connected';

# who gets a number that is free again is chance, so what it leads to counts
my %masters = map { $_ => 1 } sockets($t->master_pid);
is scalar(grep { $masters{$_} } sockets($t->supervisor_pid)), 1,
    'the supervisor has that connection';
ok !(grep { $masters{$_} } sockets($t->store_pid), sockets($t->engine_pid)),
    'store and engine have not';

ok $t->wait_for(sub {
    $syslog->text =~ / nginx: .* certificate obtained, lineage "a\.test"/;
}, 5, 'syslog'), 'the line of a certificate arrives';
is +($t->acmectl('renew', '--force'))[0], 0, 'a renewal';
ok $t->wait_for(sub {
    $syslog->text =~ / nginx: .* certificate renewed, lineage "a\.test"/;
}, 5, 'syslog'), 'has its line';
like $t->log, qr/certificate renewed/, 'which the file has as well';
is_deeply helpers(), $helpers, 'all of it by the same processes';

$t->done;
