#!/usr/bin/perl
# daemon off, as under a service manager, works the same; master_process off
# is for developers: it serves and obtains.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own', daemon => 'off');
$t->site('a.test')->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;
ok $t->reload, 'daemon off: reload';
is $t->serial('a.test'), $first->{serial}, 'keeps the certificate';
$t->stop('QUIT');
ok !$t->supervisor_pids && !$t->engine_pids, 'nothing stays';

$t->configure(main => 'master_process off;');
$t->site('b.test')->start;
is $t->serial('a.test'), $first->{serial}, 'master_process off: serves';
ok $t->wait_certificate('b.test'), 'and obtains';
is $t->http_get('/.well-known/acme-challenge/x', host => 'a.test')->{status},
    200, 'and answers challenges';

$t->done;
