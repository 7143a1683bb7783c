#!/usr/bin/perl
# The engine, the runner and the whole service are killed while a program for
# dns-01 runs: the program ends, it is run again by the next one, and what it
# has made is taken away; so too where the order fails, or a reload comes in
# between.  Programs that root must not run are the server's user's.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Hook;
use Acme::Proc qw(process_table spew user_ids);
use Acme::Test;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 });
my $hook = Acme::Hook->new($t, 'certbot', body => <<'END');
    note(how => 'begun');
    return if !-e "$log.hold" || $operation eq 'remove';
    unlink "$log.hold";
    HTTP::Tiny->new->post("http://127.0.0.1:$management/set-txt",
        { content => encode_json({ host => "$name.", value => $value }) });
    note(how => 'made');
    exec 'sleep', '4712.5';
END

sub hold ()
{
    $hook->forget;
    spew("$hook->{log}.hold", '', 0666);
    return;
}

sub made ()
{
    return $t->wait_for(sub { grep { ($_->{how} // '') eq 'made' }
        $hook->calls }, 15, 'a program that holds its record');
}

sub sleepers ()
{
    return grep { $_->{title} eq 'sleep 4712.5' } values %{ process_table() };
}

sub is_through ($name, $what)
{
    ok $t->wait_certificate($name, 20), "$what: it goes on" or $t->give_up;
    $t->wait_for(sub { grep { $_->[0] eq 'remove' } $hook->changes }, 5);
    is_deeply [map { "$_->[0] $_->[1]" } $hook->changes],
        ["add _acme-challenge.$name", "remove _acme-challenge.$name"],
        "$what: it was run again, and its record is taken away";
    is_deeply [$t->dns->query("_acme-challenge.$name", 'TXT')], [],
        "$what: no record is left";
    is_deeply [grep { -e } map { $_->{env}{ACME_HOOK_DIR} } $hook->calls], [],
        "$what: no directory";
    is scalar(sleepers()), 0, "$what: no process";
    return;
}

hold();
$t->configure(dns_propagation => 'off',
    global => $hook->directive);
$t->site('a.test')->start;
made() or $t->give_up;
my ($handler, $runner) = $t->helpers('runner');
ok $runner, 'there is a runner';
kill 'KILL', $t->engine_pid;
ok $t->wait_for(sub { !sleepers() }, 5), 'engine killed: the program ends';
is_through('a.test', 'engine killed');
isnt(($t->helpers('runner'))[-1], $runner, 'with another runner');

hold();
$t->site('b.test')->reload;
made() or $t->give_up;
kill 'KILL', ($t->helpers('runner'))[-1];
ok $t->wait_for(sub { !sleepers() }, 5), 'runner killed: the program ends';
is_through('b.test', 'runner killed');
ok $t->wait_log(qr/runner died of signal 9/), 'which the log has';

hold();
$t->site('f.test')->reload;
made() or $t->give_up;
kill 'KILL', ($t->helpers('runner'))[0];
ok $t->wait_for(sub { !sleepers() }, 5), 'its handler killed: it ends';
is_through('f.test', 'handler killed');

hold();
$t->site('c.test')->reload;
made() or $t->give_up;
$t->reload;
is_through('c.test', 'reload');

# the order fails: the CA finds nothing at that name
hold();
$t->dns->servfail('_acme-challenge.d.test');
unlink "$hook->{log}.hold";
$t->site('d.test')->reload;
ok $t->wait_log(qr/not obtained, lineage "d\.test"/, 15), 'an order fails';
is_deeply [map { "$_->[0] $_->[1]" } $hook->changes],
    ['add _acme-challenge.d.test', 'remove _acme-challenge.d.test'],
    'and the record is taken away';
is +($hook->calls)[-1]{env}{ACME_RESULT}, 'failed', 'as of one that failed';

# the server's user
$t->stop;
my $mark = $t->log_mark;
my $other = Acme::Hook->new($t, 'certbot', name => 'others',
    owner => 'nobody');
$t->clear_config->configure(dns_propagation => 'off',
    global => $other->directive);
$t->site('e.test');
my ($exit, $out) = $t->test_config;
is $exit, 0, 'a program that is not root\'s';
like $out, qr/as the server's user, not as root: "\Q$other->{path}\E" belongs/,
    'is warned of';
$other->forget;
$t->start;
ok $t->wait_certificate('e.test', 20), 'but it is run' or $t->give_up;
$t->wait_for(sub { $other->calls == 2 }, 5);
my ($uid) = user_ids($t->server->worker_user);
is $_->{uid}, $uid, 'by the server\'s user' for $other->calls;
is scalar(() = $t->log_since($mark) =~ /is run as uid $uid, not as root/g), 1,
    'the log says so once';
is_deeply [grep { -e } map { $_->{env}{ACME_HOOK_DIR} } $other->calls], [],
    'no directory is left';
$t->done;
