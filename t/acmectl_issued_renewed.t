#!/usr/bin/perl
# What acmectl has issued and no server has declared is renewed by the servers
# that run on the state directory, once, whichever of them does it, and with
# what acmectl has kept of it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $one = Acme::Test->new(ca => { type => 'own', validity => 14 });
my $two = Acme::Test->new;
my $ca = $one->ca;
$two->configure(state => $one->state)->issuer('testca', ca => $ca);
$one->site('a.test', renew_mode => 'manual')->start;
$two->site('a.test', acme => 'testca', renew_mode => 'manual')->start;

my $hook = $one->dir . '/hook.out';
my @ca = ('-n', '--server', $ca->url, '--ca-file', $ca->ca_file,
    '--agree-tos', '--preflight', 'off');

sub issue (@args)
{
    my ($exit, $out, $err) = $one->acmectl('issue', @ca, @args);
    is $exit, 0, "issued: @args" or diag $out, $err;
    return;
}

sub orders ($name)
{
    return scalar grep { $_ eq $name }
        map { map { $_->{value} } @{ $_->{payload}{identifiers} } }
        $ca->orders;
}

sub wait_version ($name, $n)
{
    return $one->wait_for(sub { ($one->live_version($name) // 0) >= $n }, 30);
}

# settings that cannot be read, and a hook that not only root can change
issue('-d', 'left.test', '--no-autorenew');
issue('-d', 'bad.test', '--no-autorenew');
spew($one->state('renewal', 'bad.test.json'), '{ "declared": [ {');
$_->expect_log(qr/lineage "bad\.test", which acmectl has issued, is not renewed/)
    for $one, $two;
my $script = $one->dir . '/script';
spew($script, "#!/bin/sh\necho \$RENEWED_LINEAGE >>$hook\n");
chmod 0755, $script;
issue('-d', 'tampered.test', '--deploy-hook', $script);
unlink $hook;
chmod 0777, $script;
$_->expect_log(qr/deploy hook ".*script": .*others can|tampered/) for $one, $two;
issue('-d', 'new.test', '--deploy-hook', "echo \$RENEWED_LINEAGE >>$hook");

ok wait_version('new.test', 2), 'renewed, by nobody but the servers'
    or $one->give_up;
$_->reload for $one, $two;
my $version = $one->live_version('new.test');
ok wait_version('new.test', $version + 1), 'and again, behind a reload';
my @before = (orders('new.test'), $one->live_version('new.test'));
is $before[0], $before[1], 'each time by one of them, with one order'
    or diag "@before";
is $one->live_version('left.test'), 1, 'what is not to be renewed is not';
is orders('left.test'), 1, '  nor ordered';
is $one->status('new.test')->{state}, 'ok', 'status: ok';
is_deeply $one->status('new.test')->{declared}, ['acmectl:issue'],
    '  and whose it is';
ok wait_version('tampered.test', 2), 'another one is renewed too';
SKIP: {
    skip 'a hook of whom who is not root is his own', 1 if $> != 0;
    unlike slurp($hook), qr/tampered\.test/,
        '  but not its hook run, which not only root can change';
}
cmp_ok scalar(() = slurp($hook) =~ /new\.test$/mg), '>=', 2,
    'its hook is run for each';

undef $two;    # its teardown
$one->done;
