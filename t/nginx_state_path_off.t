#!/usr/bin/perl
# state_path off: what that issuer's certificates are is gone when nginx has
# ended, but not before: no reload, crash or change of the binary takes it, and
# nothing of others goes.  What was killed is gone with the next start.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(process_table reap slurp);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $state = $t->dir . '/var/state';

sub files ($name)
{
    my @found = grep { m{/\Q$name\E(?:[./]|$)} } glob(
        "$state/{live,archive,renewal,record,orders,told,due}/*");
    return scalar @found;
}

my $configure = sub (@names) {
    $t->clear_config;
    $t->configure(main => join '', map { "env $_;\n" }
        qw(LD_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS)) if $ENV{ACME_PRELOAD};
    $t->issuer('volatile', ca => $t->ca, extra => 'state_path off;');
    $t->site('kept.test');
    $t->site($_, acme => 'volatile') for @names;
};
$configure->('gone.test', 'old.test');
$t->start;
my $kept = $t->wait_certificate('kept.test') or $t->give_up;
my $gone = $t->wait_certificate('gone.test') or $t->give_up;
$t->wait_certificate('old.test') or $t->give_up;
$configure->('gone.test');
my $is_kept = sub ($when) {
    ok $t->wait_for(sub {
        ($t->serial('gone.test') // '') eq $gone->{serial} }, 10),
        "$when: served";
    cmp_ok files('gone.test'), '>', 2, 'and there';
};

ok $t->reload, 'reload';
$t->wait_helpers;
$is_kept->('after a reload');
cmp_ok files('old.test'), '>', 2, 'so is one that is not configured any more';

my $store = $t->store_pid;
kill 'KILL', $store;
ok $t->wait_for(sub { my $new = $t->store_pid; $new && $new != $store }, 10),
    'another store, as one was killed';
$t->wait_helpers;
$is_kept->('after that');

my $old = $t->master_pid;
my @old = ($old, $t->worker_pids, $t->supervisor_pid);
kill 'USR2', $old;
$t->wait_for(sub {
    reap();
    my $new = $t->master_pid;
    return $new && $new != $old && $t->worker_pids == 2;
}, 10, 'a second master') or $t->give_up;
$t->wait_helpers;
kill 'QUIT', $old;
ok $t->wait_for(sub {
    reap();
    my $table = process_table();
    !grep { $table->{$_} } @old;
}, 10), 'another binary, and the old one has ended';
$is_kept->('after that');
is scalar($t->ca->orders), 3, 'three orders until now';

$t->stop;
is files($_), 0, "a stop: nothing of $_ is there any more"
    for qw(gone.test old.test);
cmp_ok files('kept.test'), '>', 2, 'but of the other one';
is_deeply [$t->acmectl('status')]->[1] =~ /^(\S+): /mg ? $1 : '',
    'kept.test', 'acmectl knows it alone';

$t->start;
my $new = $t->wait_certificate('gone.test') or $t->give_up;
isnt $new->{serial}, $gone->{serial}, 'a start: a new one';
is $t->serial('kept.test'), $kept->{serial}, 'and the old of the other';
is scalar($t->ca->accounts), 1, 'of one account';
$t->stop('QUIT');
is files('gone.test'), 0, 'QUIT: gone as well';

# killed: nobody could remove anything
$configure->('gone.test', 'old.test');
$t->start;
$gone = $t->wait_certificate('gone.test') or $t->give_up;
$t->wait_certificate('old.test') or $t->give_up;
$t->stop('KILL');
cmp_ok files($_), '>', 2, "$_ is there after a kill" for qw(gone.test old.test);
$configure->('gone.test');
$t->ca->stop;
$t->start;
$t->wait_helpers;
is $t->serial('gone.test'), undef, 'a start after that: nothing is served';
is $t->serial('kept.test'), $kept->{serial}, 'but what was to be kept';
ok $t->wait_for(sub { !files('old.test') }, 5), 'nothing is there of the other';

$t->done;
