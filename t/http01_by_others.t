#!/usr/bin/perl
# Where the challenges of a certificate are named and http-01 is none of them,
# its paths are the server's: another ACME client may use them for that name.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;

use constant PATH => '/.well-known/acme-challenge';

my $t = Acme::Test->new(ca => 'own');

sub sites ($challenges)
{
    $t->clear_config;
    $t->site('a.test', challenge => $challenges)->site('b.test');
    return;
}

sub get ($host)
{
    return $t->http_get(PATH . '/foreign', host => $host)->{body};
}

mkdir $t->www . $_ for '/.well-known', PATH;
spew($t->www . PATH . '/foreign', "theirs\n");
sites('tls-alpn-01');
$t->start;
$t->wait_certificate($_) or $t->give_up for qw(a.test b.test);
my ($thumbprint) = ($t->acmectl('key', 'thumbprint'))[1] =~ /^([\w-]{43}) /;

is get('a.test'), "theirs\n", 'left to the server';
is get('b.test'), "foreign.$thumbprint", 'others are answered';
sites('tls-alpn-01 http-01');
ok $t->reload, 'http-01 is named, too';
is get('a.test'), "foreign.$thumbprint", '  and answered';

$t->done;
