#!/usr/bin/perl
# Ten reloads at once, beside a proxy cache with its manager and loader: one
# service is there afterwards, old workers leave while it lives on, and the
# order that was on its way is gone on with.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(process_table reap);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own', ca_start => 0);
$t->configure(global =>
    'proxy_cache_path %%DIR%%/tmp/cache keys_zone=c:1m max_size=1m;');
$t->site('a.test', extra => <<~'END')->start;
    location /cached {
        proxy_pass http://127.0.0.1:%%HTTP%%/index.html;
        proxy_set_header Host a.test;
        proxy_cache c;
        proxy_cache_valid 200 1m;
        add_header X-Cache $upstream_cache_status;
    }
    END
$t->wait_helpers;

sub manager () { return $t->server->children('nginx: cache manager process') }

sub one_service ($when)
{
    ok $t->wait_for(sub {
        reap();
        return 1 == grep({ $_ } $t->supervisor_pids)
            && 1 == grep({ $_ } $t->store_pids)
            && 1 == grep({ $_ } $t->engine_pids)
            && $t->worker_pids == 2 && manager() == 1;
    }, 20), "$when: one of each process";
    return;
}

one_service('a start');
my @before = ($t->worker_pids, $t->supervisor_pid, $t->store_pid,
    $t->engine_pid, manager());
my $master = $t->master_pid;

for (1 .. 10) {
    kill 'HUP', $master;
    select undef, undef, undef, 0.02;
}
$t->wait_for(sub {
    reap();
    my $table = process_table();
    !grep { $table->{$_} } @before;
}, 20, 'the end of what was there before') or $t->give_up;
pass 'old workers and our old processes have left';
one_service('after ten reloads');
is $t->master_pid, $master, 'of the same master';

$t->ca->start;
$t->acmectl('renew');
my $first = $t->wait_certificate('a.test') or $t->give_up;
is scalar($t->ca->orders), 1, 'one order';
$t->http_get('/cached', host => 'a.test');
is $t->http_get('/cached', host => 'a.test')->{headers}{'x-cache'}, 'HIT',
    'the cache works';

my @old = $t->worker_pids;
ok $t->reload, 'reload';
$t->wait_for(sub {
    reap();
    my $table = process_table();
    !grep { $table->{$_} } @old;
}, 10, 'the end of the old workers') or $t->give_up;
one_service('while our processes live');
is $t->serial('a.test'), $first->{serial}, 'the same certificate';

my $manager = (manager())[0];
$t->stop('QUIT');
ok !process_table()->{$manager}, 'a stop: nothing stays';
$t->done;
