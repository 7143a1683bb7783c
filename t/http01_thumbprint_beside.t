#!/usr/bin/perl
# A thumbprint of another host's key beside certificates of our own: our names
# and orders in flight go first, whatever becomes of store and engine.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;

use constant PATH => '/.well-known/acme-challenge/token';

my $t = Acme::Test->new(ca => 'own');
my $file = spew($t->dir . '/conf/thumbprint', '1' x 43);
$t->site('a.test')->site('edge.test', acme => undef,
    thumbprint => "file:$file")->site('plain.test', acme => undef)->start;
$t->wait_certificate('a.test') or $t->give_up;
my ($thumbprint) = ($t->acmectl('key', 'thumbprint'))[1] =~ /^([\w-]{43}) /;

sub get ($host) { return $t->http_get(PATH, host => $host)->{body} }

is get('edge.test'), 'token.' . '1' x 43, 'a name that is not ours';
is get('a.test'), "token.$thumbprint", 'one that is';
unlike get('plain.test'), qr/token\./,
    'another server answers for its names as ever';

kill 'KILL', my $store = $t->store_pid;
$t->expect_log(qr/store died|engine died/);
ok $t->wait_for(sub { ($t->store_pid // $store) != $store }, 5),
    'another store';
spew($file, '2' x 43);
ok $t->wait_for(sub { get('edge.test') eq 'token.' . '2' x 43 }, 5),
    'the file is watched all the time';
is get('a.test'), "token.$thumbprint", 'our account is the same';

# the names of the second one are ours from now on
$t->clear_config->site(['a.test', 'edge.test'],
    thumbprint => "file:$file")->reload;
ok $t->wait_for(sub { get('edge.test') eq "token.$thumbprint" }, 5),
    'a name that becomes ours gets our account';
is get('other.test'), 'token.' . '2' x 43, 'all others the thumbprint';
ok $t->wait_for(sub {
    my $seen = $t->peer_certificate('edge.test', verify => 1);
    $seen && "@{ $seen->{names} }" =~ /edge/ }, 15), 'and a certificate';

$t->done;
