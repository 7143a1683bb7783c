#!/usr/bin/perl
# A node in front that has only the thumbprint gets the CA's requests; the host
# behind it, which has the key, orders and gets its certificate.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;

# the CA looks for challenges at the edge's port only
my $edge = Acme::Test->new;
my $back = Acme::Test->new(ca => { type => 'own',
    http_port => $edge->port('http') });
my $file = $edge->dir . '/conf/thumbprint';

my $default = $edge->of(nginx => '/var/lib/nginx/acme',
    httpd => '/var/lib/apache2/acme');
my $was = -e $default;

$edge->site('front.test');
$edge->configure(state => undef, thumbprint => "file:$file");
$edge->start;
is_deeply [$edge->store_pids, $edge->engine_pids], [], 'nobody orders there';
$back->site('a.test')->start;
ok $back->wait_log(qr/not obtained, lineage "a\.test".*; next attempt at/),
    'the edge does not know whom to answer for';
my ($thumbprint) = ($back->acmectl('key', 'thumbprint'))[1]
    =~ /^([\w-]{43}) /;
spew($file, $thumbprint);
ok $edge->wait_for(sub {
    $edge->http_get('/.well-known/acme-challenge/x', host => 'a.test')->{body}
        eq "x.$thumbprint" }, 5), 'now it does';
is +($back->acmectl('renew'))[0], 0, 'the next attempt';
ok $back->wait_certificate('a.test', 10), 'is a success';
is -e $default, $was, 'nothing is kept at the edge';

undef $edge;    # its teardown
$back->done;
