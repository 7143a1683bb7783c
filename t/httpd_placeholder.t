#!/usr/bin/perl
# Before the first certificate mod_ssl has a self-signed one: https requests
# are refused with 503, challenges and plain http are answered, and all of it
# ends when the certificate arrives, without a reload and without a trace.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Http;
use Acme::Proc qw(spew);
use Acme::Test;

use constant PATH => '/.well-known/acme-challenge/some-token';

my $t = Acme::Test->new(host => 'httpd', ca => 'own');
$t->configure(main => 'LogLevel ssl:warn');
$t->site('first.test')->start;
my $first = $t->wait_certificate('first.test') or $t->give_up;
$t->ca->unreachable;

sub https ($path, %o)
{
    return $t->http_get($path, port => $t->port('tls'), tls => 1,
        sni => 'a.test', host => 'a.test', %o);
}

# a connection that stays, and one more answer to a request on it
sub connection ()
{
    return Acme::Http::connect_to(port => $t->port('tls'), tls => 1,
        sni => 'a.test');
}

sub ask ($socket, $path)
{
    Acme::Http::send_all($socket,
        "GET $path HTTP/1.1\r\nHost: a.test\r\n\r\n");
    my $answer = Acme::Http::read_all($socket, time + 5, 'GET');
    return Acme::Http::parse_response($answer)->{status};
}

spew($t->www . '/sorry.html', "please wait\n");
$t->configure(global => 'KeepAliveTimeout 60');
$t->site(['a.test', 'www.a.test'])
    ->site('sorry.test', extra => 'ErrorDocument 503 /sorry.html');
my $mark = $t->log_mark;
$t->restart;

my $shown = $t->peer_certificate('a.test') or $t->give_up;
is $shown->{issuer}, $shown->{subject}, 'self-signed';
is_deeply $shown->{names}, ['a.test', 'www.a.test'],
    'for the names of the virtual host';
ok !$t->peer_certificate('a.test', verify => 1), 'nobody believes it';

# but for a session cache, and an OpenSSL older than that it was built with
unlike $t->log_since($mark), qr/\[ssl:(?:warn|error)\](?!.*AH018(?:73|82))/,
    'mod_ssl has nothing to say against it';
is_deeply [glob $t->dir . '/run/acme-*'], [], 'no file of it is left';

my $refused = https('/');
is $refused->{status}, 503, 'https is refused';
like $refused->{headers}{'retry-after'}, qr/^\d+$/, 'with Retry-After';
is https('/', method => 'POST', body => 'x')->{status}, 503, 'for a POST';
is $t->http_get('/', host => 'a.test')->{status}, 200, 'plain http is served';
is https('/', host => 'first.test', sni => 'first.test')->{status}, 200,
    'a name that has its certificate as well';
is $t->serial('first.test'), $first->{serial}, 'with the one it had';

my $sorry = https('/', host => 'sorry.test', sni => 'sorry.test');
is "$sorry->{status} $sorry->{body}", "503 please wait\n", 'ErrorDocument';
ok $sorry->{headers}{'retry-after'}, 'with Retry-After';

my ($idle, $used) = (connection(), connection());
is https(PATH)->{status}, 200, 'a challenge is answered over https';
is ask($used, PATH), 200, 'on a connection that is kept';

my @pids = sort($t->master_pid, $t->worker_pids);
$t->ca->reachable;
is +($t->acmectl('renew'))[0], 0, 'the CA is back';
ok $t->wait_certificate('a.test', 5), 'the real one takes over';
is https('/')->{status}, 200, 'no 503 any more';
is ask($used, '/'), 200, 'nor on the connection that was kept';
is ask($idle, '/'), 200, 'nor on one that has waited';
is_deeply [sort($t->master_pid, $t->worker_pids)], \@pids, 'no reload';

$t->ca->unreachable;
$t->configure(placeholder => 'self_signed');
$t->site('b.test')->reload;
my $b = $t->peer_certificate('b.test') or $t->give_up;
is $b->{issuer}, $b->{subject}, 'ACMEPlaceholder serve: self-signed';
is https('/', host => 'b.test', sni => 'b.test')->{status}, 200, 'and served';

$t->stop;
is_deeply [glob $t->dir . '/run/*'], [], 'nothing is left after the end';
$t->done;
