#!/usr/bin/perl
# Programs for dns-01 that fail: each is told in words of its own, the order
# is kept and tried again, what was made is taken away, no failed validation
# is caused, and nothing stays behind: no process, no directory.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Hook;
use Acme::Proc qw(process_table spew);
use Acme::Test;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 });
my $hook = Acme::Hook->new($t, 'certbot', body => <<'END');
    open my $fh, '<', "$log.how" or die;
    my $how = <$fh> // '';
    exit 5 if $how eq 'stays' && $operation eq 'remove';
    return if $how eq '' || $operation eq 'remove';
    note(how => $how);
    if ($how eq 'fails') { print STDERR "no such zone\n"; exit 4 }
    exec 'sleep', '4711.5' if $how eq 'hangs';
    exec 'yes' if $how eq 'floods';
    system 'setsid sleep 4711.5 </dev/null &' if $how eq 'leaves';
END
my $how = "$hook->{log}.how";

sub try_with ($what)
{
    spew($how, $what);
    return ($t->acmectl('renew', '--force', '--cert-name', 'a.test'))[0, 2];
}

sub sleepers ()
{
    return grep { $_->{title} eq 'sleep 4711.5' } values %{ process_table() };
}

spew($how, 'fails');
$t->configure(dns_propagation => 'off',
    global => $hook->directive('timeout=2'));
$t->site(['a.test', 'b.test'])->start;
ok $t->wait_log(qr/not obtained, lineage "a\.test".*: dns-01 of "[ab]\.test":/
    . qr/ program "\Q$hook->{path}\E" failed with exit status 4: no such zone/,
    15), 'it fails';
is scalar($hook->calls), 1, 'the second name is not begun';

my ($exit, $err) = try_with('hangs');
is $exit, 1, 'it hangs';
like $err, qr/had not ended after 2 s and was killed/, 'for 2 s';
is scalar(sleepers()), 0, 'and is gone';
($exit, $err) = try_with('floods');
is $exit, 1, 'it floods';
like $err, qr/wrote more than 65536 bytes to its standard output/,
    'too much';

my $moved = "$hook->{path}.moved";
rename $hook->{path}, $moved or die;
($exit, $err) = try_with('');
is $exit, 1, 'it is gone';
like $err, qr/program "\Q$hook->{path}\E" does not exist/, 'which is told';
rename $moved, $hook->{path} or die;
chmod 0644, $hook->{path};
($exit, $err) = try_with('');
is $exit, 1, 'it cannot be executed';
like $err, qr/is not executable; chmod \+x it/, 'which is told';
chmod 0755, $hook->{path};

is scalar($hook->changes), 0, 'no record was made, none was taken away';
unlike $t->ca->log, qr{/chalZ/}, 'and the CA was not asked to look';
is $t->ca->orders, 1, 'of one order';

$hook->forget;
($exit, $err) = try_with('leaves');
is $exit, 0, 'it leaves a process behind' or diag $err;
like $t->ca->log, qr{/chalZ/}, 'now it was asked';
is scalar(sleepers()), 0, 'which is gone';
like $t->log, qr/left 1 process running, killed now/, 'and told of';
ok $t->peer_certificate('a.test', verify => 1), 'the certificate is served';
is_deeply [sort map { "$_->[0] $_->[1]" } $hook->changes],
    ['add _acme-challenge.a.test', 'add _acme-challenge.b.test',
    'remove _acme-challenge.a.test', 'remove _acme-challenge.b.test'],
    'each record was made and taken away';

spew($how, 'stays');
$t->site('c.test')->reload;
ok $t->wait_certificate('c.test', 15), 'it does not clean up: all goes on';
like $t->log, qr/warn\].* the TXT record "_acme-challenge\.c\.test" may still (?#
    )be there, lineage "c\.test": program .* failed with exit status 5/,
    'but this is told';
is_deeply [grep { -e } map { $_->{env}{ACME_HOOK_DIR} } $hook->calls], [],
    'no directory is left';
$t->done;
