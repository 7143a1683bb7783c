#!/usr/bin/perl
# acme_thumbprint VALUE: a node that has nothing else of ours answers for the
# account of another host, for every name, with no process and no directory.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

use constant PATH => '/.well-known/acme-challenge/token';
use constant { ONE => '1-' . 'x' x 41, TWO => '2_' . 'y' x 41 };

my $t = Acme::Test->new(workers => 2);
my $default = $t->of(nginx => '/var/lib/nginx/acme',
    httpd => '/var/lib/apache2/acme');
my $was = -e $default;
$t->configure(state => undef, thumbprint => ONE);
$t->site('a.test')->site('two.test', thumbprint => TWO);
$t->site('off.test', stateless => 'off');
my ($exit, $out) = $t->test_config;
is $exit, '0', 'the configuration is fine' or diag $out;
$t->start;
like $out . $t->said_since(0), qr/
    whoever\ holds\ the\ account\ key\ with\ this\ thumbprint\ can\ get\ a
    \ certificate\ for\ every\ name/x, 'with a warning';

is $t->http_get(PATH, host => $_)->{body}, 'token.' . ONE, "$_: answered"
    for qw(a.test nobody.test 192.0.2.1);
is $t->http_get(PATH, host => 'two.test')->{body}, 'token.' . TWO,
    'two.test: the thumbprint of its own';
is $t->http_get(PATH, host => 'off.test')->{status}, 404, 'off.test: none';
is $t->http_get(PATH . '%2F', host => 'a.test')->{status}, 404,
    'what is no token is declined';
my $head = $t->http_get(PATH, host => 'a.test', method => 'HEAD');
is "$head->{status} $head->{body}", '200 ', 'HEAD';
is $t->http_get('/', host => 'a.test')->{body}, "ordinary content\n",
    'the rest is the server\'s';

is_deeply [$t->supervisor_pids, $t->store_pids, $t->engine_pids], [],
    'no process runs';
is -e $default, $was, 'no state directory was made';
ok $t->reload, 'reload';
is $t->http_get(PATH, host => 'a.test')->{body}, 'token.' . ONE, 'the same';

$t->done;
