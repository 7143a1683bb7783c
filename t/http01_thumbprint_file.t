#!/usr/bin/perl
# acme_thumbprint file:PATH: read again when it changes, without a reload; what
# it had stays while it cannot be used.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;

use constant PATH => '/.well-known/acme-challenge/token';

my $t = Acme::Test->new;
my $file = $t->dir . '/conf/thumbprint';
my $default = $t->of(nginx => '/var/lib/nginx/acme',
    httpd => '/var/lib/apache2/acme');
my $was = -e $default;
$t->configure(state => undef, thumbprint => "file:$file")->site('a.test');

sub answer () { return $t->http_get(PATH, host => 'a.test')->{body} }

sub becomes ($thumbprint, $what)
{
    ok $t->wait_for(sub { answer() eq "token.$thumbprint" }, 5, $what), $what
        or diag answer();
    return;
}

my ($exit, $out) = $t->test_config;
is $exit, '0', 'no file: no reason not to start';
$t->start;
like $out . $t->said_since(0),
    qr/\Q$file\E.*does not exist; challenges are not answered with it until/,
    'but a warning';
is $t->http_get(PATH, host => 'a.test')->{status}, 404, 'and no answer';
spew($file, '1' x 43 . "\n");
becomes('1' x 43, 'the file is there');
spew($file, "\n" . '2' x 43);
becomes('2' x 43, 'replaced by another');
open my $fh, '>', $file or die $!;
print {$fh} '3' x 43;
close $fh;
becomes('3' x 43, 'written over');

my $mark = $t->log_mark;
spew($file, "no thumbprint at all\n");
ok $t->wait_log(qr/"\Q$file\E".* is no thumbprint .*the one it had before/, 5,
    since => $mark), 'spoilt: the log says so';
becomes('3' x 43, 'the one it had is answered with');
$mark = $t->log_mark;
spew($file, '4' x 43);
chmod 0666, $file;
ok $t->wait_log(qr/"\Q$file\E".* writable by others/, 5, since => $mark),
    'open to all: the log says so';
becomes('3' x 43, 'the one it had is answered with');
chmod 0644, $file;
becomes('4' x 43, 'the mode is right');
$mark = $t->log_mark;
select undef, undef, undef, 2.5;
is $t->log_since($mark) =~ s/.*read again.*\n//r, '', 'said once';

ok $t->reload, 'reload';
is answer(), 'token.' . '4' x 43, 'right from the first request on';
my ($watcher) = $t->helpers('watcher');
ok $watcher, 'a process watches the file';
$t->expect_log(qr/watcher died of signal 9/);
kill 'KILL', $watcher;
spew($file, '5' x 43);
becomes('5' x 43, 'and comes again when it was killed');
is_deeply [$t->store_pids, $t->engine_pids], [], 'no other processes';
is -e $default, $was, 'no state directory';

$t->done;
