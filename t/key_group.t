#!/usr/bin/perl
# A group that may read certificates and keys: the one that is configured, and
# the one that an administrator has given files to; it stays so with each new
# version, and nobody else gets anything.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run wait_until);
use Acme::Test;

Acme::Test->need_root;
# Debian's, with users of these names; nothing runs as them
for my $name ('games', 'man') {
    plan skip_all => "no user and group $name here"
        if !getpwnam $name || !getgrnam $name;
}

sub mode ($path)
{
    my @stat = stat $path or return "none: $path";
    return sprintf '%04o %s', $stat[2] & 07777, scalar getgrgid $stat[5];
}

sub reads ($user, $path)
{
    my $ran = run(cmd => ['head', '-c', 11, $path], user => $user);
    return $ran->{exit} == 0 && $ran->{stdout} =~ /-----BEGIN /;
}

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;
chmod 0755, $t->dir, $t->dir . '/var';

# As it should be, of what is live.
sub check_group ($group, $what)
{
    my $dir = $t->state('archive', 'a.test', $t->live_version('a.test'));
    my $key = $t->state('live', 'a.test', 'privkey.pem');

    $t->key_readers($group);
    is mode("$dir/privkey.pem"), "0640 $group", "$what: the key";
    is mode($dir), "0750 $group", '  its directory';
    ok reads($group, $key), '  the group reads it';
    ok !reads('www-data', $key), '  nobody else does';
    return;
}

sub renew ()
{
    my $old = $t->serial('a.test');
    my ($exit, $out, $err) = $t->acmectl('renew', '--force', '--cert-name',
        'a.test');
    ok $exit eq '0' && $t->wait_new_serial('a.test', $old), 'renewed'
        or diag "$exit: $out$err";
    return;
}

# by hand
my $key = $t->state('archive', 'a.test', 1, 'privkey.pem');
is mode($key), '0600 root', 'nobody, if nothing is said';
for my $dir ('', 'live', 'archive', 'archive/a.test', 'archive/a.test/1') {
    chown 0, scalar(getgrnam 'games'), $t->state . "/$dir";
    chmod 0750, $t->state . "/$dir";
}
chown 0, scalar(getgrnam 'games'), $key;
chmod 0646, $key;
renew();
check_group('games', 'given by hand, without the bits of others');
chmod 0600, $key;

# configured
$t->configure(key_group => 'man')->reload;
ok wait_until(10, sub { mode($t->state) eq '0750 man' }), 'another group';
check_group('man', 'configured');
is_deeply [grep { mode($t->state($_)) !~ /^0[67]00 root/ }
    grep { !m{^(?:live|archive)\b} } $t->state_files], [],
    'nothing else is for others';
$t->site('b.test')->reload;
$t->wait_certificate('b.test') or $t->give_up;
ok reads('man', $t->state('live', 'b.test', 'privkey.pem')), 'a new lineage';
my ($ill, $findings) = $t->acmectl('doctor');
is $ill, 0, 'doctor has nothing against it' or diag $findings;

# and not any more; forced renewals are an hour apart
$t->configure(key_group => undef)->reload;
my ($exit, $out, $err) = $t->acmectl('renew', '--force', '--cert-name',
    'b.test');
is $exit, 0, 'not configured any more: renewed' or diag $out, $err;
is mode($t->state('archive', 'b.test', 2, 'privkey.pem')), '0640 man',
    'as the version before has it';
$t->stop;
$t->start;
check_group('man', 'after a start');
$t->done;
