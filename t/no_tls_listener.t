#!/usr/bin/perl
# A server without a TLS listener can have a certificate for others' use; one
# without any lineage of ours is left alone.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->site('plain.test', tls => 0)->start;

ok $t->wait_for(sub { $t->live_version('plain.test') }, 20, 'a version')
    or $t->give_up;
my $leaf = $t->live_certificate('plain.test');
is_deeply $leaf->{names}, ['plain.test'], 'the files are there';
ok !$t->peer_certificate('plain.test'), 'nobody listens for TLS';
is $t->http_get('/', host => 'plain.test')->{body}, "ordinary content\n",
    'the plain port serves';
is $t->status('plain.test')->{state}, 'ok', 'status: ok';

# without our directives there is no process of ours
$t->clear_config->site('other.test', acme => undef);
$t->configure(plain_server => 1, state => undef);
ok $t->reload, 'reload without any directive of ours';
ok $t->wait_for(sub { !$t->supervisor_pids && !$t->store_pids
    && !$t->engine_pids }, 5), 'ends the helpers';

$t->done;
