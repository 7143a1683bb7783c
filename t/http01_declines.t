#!/usr/bin/perl
# Whatever is no challenge for a name of ours is left to the server, so that
# other ACME clients go on working; nothing of it is reflected or logged by us.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;

use constant PATH => '/.well-known/acme-challenge/';

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test')->site('plain.test', acme => undef, default => 1)->start;
$t->wait_certificate('a.test') or $t->give_up;

my $token = 'canary0123456789canary';
my ($thumbprint) = ($t->acmectl('key', 'thumbprint'))[1] =~ /^([\w-]{43}) /;

my @declined = (
    ['empty token', ''], ['129 characters', 'c' x 129],
    ['slash', "$token/"], ['slash inside', 'canary/0123'],
    ['encoded slash', "$token%2F"], ['encoded NUL', "$token%00"],
    ['dot', "$token.x"], ['equals sign', "$token="],
    ['plus', 'canary+0123'], ['tilde', "~$token"],
    ['space', "$token%20"], ['line end', "$token%0d%0aX-Canary:%201"],
    ['markup', '%3Cscript%3Ecanary'], ['8-bit', "$token%c3%bc"],
    ['dots upwards', "../acme-challenge-canary/$token"],
    ['POST', $token, method => 'POST', body => ''],
    ['PUT', $token, method => 'PUT', body => 'canary'],
    ['DELETE', $token, method => 'DELETE'],
    ['OPTIONS', $token, method => 'OPTIONS'],
    ['name of a server that is not ours', $token, host => 'plain.test'],
    ['name of nobody', $token, host => 'nobody.test'],
    ['subdomain', $token, host => 'www.a.test'],
    ['name with a space', $token, host => 'a.test x'],
    ['address', $token, host => '127.0.0.1'],
    ['no Host', $token, version => 'HTTP/1.0', headers => { Host => undef }],
);

for my $case (@declined) {
    my ($what, $rest, %o) = @$case;
    my $got = $t->http_get(PATH . $rest, host => 'a.test', %o);

    # httpd says what may be done with whatever is not there
    my $left = $got->{status} =~ /^4\d\d$/
        || $what eq 'OPTIONS' && $got->{body} eq '';
    ok $left && $got->{raw} !~ /canary|\Q$thumbprint/, $what
        or diag $got->{raw};
}

is $t->http_get('/.well-known/acme-challenge', host => 'a.test')->{status},
    404, 'the directory without its slash';
is $t->http_get('/.well-known/other', host => 'a.test')->{status}, 404,
    'another well-known place';

# files of another client are served
my $www = $t->www;
mkdir "$www/.well-known" and mkdir "$www/.well-known/acme-challenge";
spew("$www/.well-known/acme-challenge/$token", "theirs\n");
is $t->http_get(PATH . $token, host => 'plain.test')->{body}, "theirs\n",
    'a file of another client, on a server that is not ours';

my $line = $t->ours;
my $ours = () = $t->log =~ /$line/g;
$t->http_get(PATH . 'x' x $_, host => 'nobody.test') for 1 .. 20;
is scalar(() = $t->log =~ /$line/g), $ours, 'junk makes no line of ours';
$t->done;
