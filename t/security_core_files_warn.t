#!/usr/bin/perl
# Core files of workers hold the keys: who configures them is told so, at -t
# and at start, and only then are workers left open to their user.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::SecProc qw(memory_opens);
use Acme::Test;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => 'own');
my $user = $t->server->worker_user;
my $cores = { nginx => "worker_rlimit_core 1m;\n",
    httpd => "CoreDumpDirectory %%DIR%%/tmp\n" };
my $directive = $t->of(nginx => 'worker_rlimit_core',
    httpd => 'CoreDumpDirectory');
my $warns = qr/${\$t->terminal_level('warn')}.*$directive.*private keys/;

$t->site('a.test');
my ($exit, $out) = $t->test_config;
is $exit, 0, 'the test succeeds';
unlike $out, qr/$directive|core file/, 'no cores, no warning';

$t->configure(main => $cores);
($exit, $out) = $t->test_config;
is $exit, 0, 'with core files it succeeds as well';
like $out, $warns, 'with a warning';

$t->start;
like $t->said_since(0), $warns, 'and another one at start';
my @workers = $t->worker_pids;
ok $t->run_as($user, sub { memory_opens($workers[0]) }),
    'it does not exaggerate';
my @helpers = grep { $_ } $t->engine_pid, $t->store_pid;
is $t->run_as($user, sub { scalar grep { memory_opens($_) } @helpers }), 0,
    'engine and store stay closed';

$t->done;
