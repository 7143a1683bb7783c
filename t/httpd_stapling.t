#!/usr/bin/perl
# SSLUseStapling of mod_ssl, which staples only what it reads from files: for
# managed certificates it means ours, unless ACMEStapling says otherwise, and
# mod_ssl says nothing about placeholders.  Other virtual hosts keep it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;
use Acme::Tls qw(peer);

my $t = Acme::Test->new(ca => { type => 'own', ocsp => {} });
my $ca = $t->ca;

sub shown ($name, %o)
{
    return peer(port => $t->port('tls'), name => $name, staple => 1,
        ca_file => $ca->root_file, %o);
}

$t->configure(global => "SSLUseStapling on\nSSLStaplingCache shmcb:"
    . $t->dir . '/stapling(128000)');
$t->site('a.test');
$t->site('off.test', stapling => 'off');
$t->site('none.test', extra => 'SSLUseStapling off');
my $mark = $t->log_mark;
$t->start;
my $placeholder = shown('a.test', ca_file => undef);
is $placeholder->{staple}, undef, 'a placeholder has none';
$t->wait_certificate($_) or $t->give_up for qw(a.test off.test none.test);
my $staple = $t->wait_for(sub { shown('a.test')->{staple} }, 30, 'a staple')
    or $t->give_up;
is "$staple->{status} $staple->{verified}", '0 1', 'ours is stapled';
is shown($_)->{staple}, undef, "$_: not" for qw(off.test none.test);

# the same certificate as a file, for which mod_ssl asks the responder itself
my @files = map { $t->dir . "/conf/$_.pem" } qw(fullchain privkey);
spew($files[0], $t->state_text('live', 'none.test', 'fullchain.pem'));
spew($files[1], $t->state_text('live', 'none.test', 'privkey.pem'), 0600);
$t->site('own.test', acme => undef, certificate => [@files]);
ok $t->reload, 'reloaded';
is shown('a.test')->{staple}{status}, 0, 'ours is stapled at once';
is shown('own.test', ca_file => undef)->{staple}{status}, 0,
    'the file by mod_ssl';
is shown($_)->{staple}, undef, "$_: not" for qw(off.test none.test);
unlike $t->log_since($mark), qr/\[ssl:error\]/, 'mod_ssl finds nothing wrong';
$t->done;
