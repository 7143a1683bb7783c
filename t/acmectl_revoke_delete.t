#!/usr/bin/perl
# acmectl revoke of lineages that no server declares any more: they are deleted
# with it, unless they are to be kept; and of one that a server declares, if
# that is asked for twice.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'pebble');
my @all = qw(a.test b.test c.test d.test);
$t->site($_) for @all;
$t->start;
my %old = map { $_ => $t->wait_certificate($_) || $t->give_up } @all;
$t->clear_config->site($_) for 'd.test';
$t->reload;
$t->wait_for(sub {
    !grep { @{ $t->status($_)->{declared} } } qw(a.test b.test c.test);
}, 10, 'the reload') or $t->give_up;

sub is_revoked ($name)
{
    is $t->ca->certificate_status($old{$name}{serial})->{Status}, 'Revoked',
        '  the CA knows';
    return;
}

my ($exit, $out, $err) = $t->acmectl('revoke', '-n', '--cert-name', 'a.test');
is $exit, 0, 'nobody declares it, nobody is asked' or diag $err;
is_revoked('a.test');
like $out, qr/^a\.test: deleted$/m, '  it is deleted';
ok !-l $t->state('live', 'a.test') && !-e $t->state('archive', 'a.test'),
    '  all of it';

($exit, $out, $err) = $t->acmectl('revoke', '--cert-name', 'b.test',
    '--no-delete-after-revoke');
is $exit, 0, 'it is to be kept' or diag $err;
is_revoked('b.test');
like $out, qr/^b\.test: its files are kept; no server wants it$/m,
    '  which it says';
is $t->live_version('b.test'), 1, '  and so it is';

($exit, $out, $err) = $t->acmectl('revoke', '--json', '--cert-path',
    $t->state('live', 'c.test', 'cert.pem'));
is $exit, 0, 'by its file' or diag $err;
is_revoked('c.test');
ok !-l $t->state('live', 'c.test'), '  deleted as well';
my ($revoked, $deleted) = @{ decode_json($out) };
is "$revoked->{name} $revoked->{ok}", 'c.test 1', '  in JSON';
is "$deleted->{name} $deleted->{text} $deleted->{deleted}", 'c.test deleted 1',
    '  and that it was deleted';
is_deeply [map { "$_->{lineage} by $_->{by}" }
    grep { $_->{event} eq 'deleted' } $t->events], ['a.test by acmectl',
    'c.test by acmectl'], '  events: what was deleted';

($exit, $out, $err) = $t->acmectl('revoke', '--cert-name', 'd.test',
    '--delete-after-revoke', '--force');
is $exit, 0, 'what a server declares, by force' or diag $err;
is_revoked('d.test');
like $out, qr/d\.test: deleted; a server that runs goes on serving/,
    '  it says what happens';
ok $t->serial('d.test'), '  and that is so';
$t->restart;
ok $t->wait_new_serial('d.test', $old{'d.test'}{serial}),
    '  and another one by now, which the server has obtained';

$t->done;
