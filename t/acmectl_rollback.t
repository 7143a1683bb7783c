#!/usr/bin/perl
# acmectl rollback: an older version is live again, served by a server that
# runs within two seconds, and stays so; what is expired, revoked or damaged is
# not made live.  acmectl versions: what there is to go back to.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(issue new_key new_root);
use Acme::Proc qw(slurp spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $log = $t->dir . '/hooks.log';

$t->configure(hook => "deploy \"echo \$RENEWED_LINEAGE >> $log\"");
$t->site($_) for qw(a.test b.test);
$t->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;
$t->wait_certificate('b.test') or $t->give_up;
my ($exit, $out, $err) = $t->acmectl('renew', '--cert-name', 'a.test',
    '--force');
is $exit, 0, 'a second version' or diag $err;
my $second = $t->wait_new_serial('a.test', $first->{serial}) or $t->give_up;
$t->wait_for(sub { !glob $t->state('due') . '/*' }, 10, 'the hooks');
my $orders = $t->ca->orders;

sub ran () { return scalar split /\n/, slurp($log) // '' }

sub versions ($name)
{
    my (undef, $text) = $t->acmectl('versions', '--json', '--cert-name',
        $name);
    return map { $_->{version} . ($_->{live} ? '*' : '') }
        @{ decode_json($text)->{lineages}[0]{versions} };
}

# what it does not take
for my $wrong (
    [[], qr/by --cert-name NAME/],
    [['--cert-name', 'a.test', '--checkpoints', '-1'], qr/"-1" is no number/],
    [['--cert-name', 'a.test', '--checkpoints', 'two'], qr/"two" is no number/],
    [['--cert-name', 'a.test', '--checkpoints', '0'], qr/"0" is no number/],
    [['--cert-name', 'a.test', '--to', 'x'], qr/"x" is no number/],
    [['--cert-name', 'a.test', '--to', '1', '--checkpoints', '1'],
        qr/one of them/],
    [['--cert-name', '../a.test'], qr/--cert-name/],
    [['--cert-name', 'a.test', 'b.test'], qr/unexpected "b\.test"/]) {
    my ($args, $why) = @$wrong;
    ($exit, undef, $err) = $t->acmectl('rollback', @$args);
    is $exit, 2, "usage: rollback @$args";
    like $err, $why, '  and how it is meant';
}
($exit, undef, $err) = $t->acmectl('rollback', '--cert-name', 'x.test');
is $exit, 1, 'a lineage that is not there';
like $err, qr/there is no lineage "x\.test"/, '  is named';
($exit, $out, $err) = $t->acmectl('rollback', '--cert-name', 'b.test');
is $exit, 0, 'one version: nothing to go back to';
like $err, qr/no older version/, '  is a warning';
($exit, undef, $err) = $t->acmectl('rollback', '--cert-name', 'a.test',
    '--to', '7');
is $exit, 1, 'a version that is not there';
is_deeply [versions('a.test')], ['2*', '1'], 'nothing has moved';

# back and forth
my $before = ran();
($exit, $out, $err) = $t->acmectl('rollback', '--cert-name', 'a.test');
is $exit, 0, 'rolled back' or diag $err;
like $out, qr/version 1 is live \(serial \Q@{[lc $first->{serial}]}\E/,
    'to the one before';
like $out, qr/next renewal comes at about \d/, 'it says when the next comes';
ok $t->wait_for(sub { $t->serial('a.test') eq $first->{serial} }, 5),
    'it is served';
my @events = grep { $_->{event} eq 'rolled-back' } $t->events('a.test');
my ($ours) = grep { $_->{by} eq 'acmectl' } @events;
is $ours->{version}, 1, 'an event tells of it';
is lc $ours->{serial}, lc $first->{serial}, '  and of the certificate';
ok $t->wait_for(sub { ran() > $before }, 15), 'the deploy hooks are run';
ok $t->wait_for(sub { !glob $t->state('due') . '/*' }, 10), '  once';
is ran(), $before + 1, '  alone';
is_deeply [versions('a.test')], ['2', '1*'], 'versions: which is live';
$t->restart;
is $t->serial('a.test'), $first->{serial}, 'it stays so';
is scalar($t->ca->orders), $orders, 'nothing is ordered';

($exit, $out, $err) = $t->acmectl('rollback', '--cert-name', 'a.test',
    '--to', '2', '--json');
is $exit, 0, 'forth again' or diag $err;
my $result = decode_json($out);
is_deeply [@$result{qw(name ok from to)}], ['a.test', JSON::PP::true, 1, 2],
    '  in JSON';
ok $t->wait_for(sub { $t->serial('a.test') eq $second->{serial} }, 5),
    '  and served';
($exit, $out, $err) = $t->acmectl('rollback', '--cert-name', 'a.test',
    '--checkpoints', '5');
is $exit, 0, 'more than there are';
like $err, qr/only 1 older version; going back to the oldest/, '  a warning';
is $t->live_version('a.test'), 1, '  and the oldest';

# what must not be live
$t->acmectl('rollback', '--cert-name', 'a.test', '--to', '2');
$t->wait_for(sub { $t->serial('a.test') eq $second->{serial} }, 5);
my $root = new_root('old root');
my $key = new_key();
my $dir = $t->state('archive', 'a.test', 1);
my $expired = issue(issuer => $root, key => $key, names => ['a.test'],
    from => -7200, seconds => 3600);
rename "$dir/$_.pem", "$dir/$_.kept" for qw(privkey fullchain);
spew("$dir/privkey.pem", $key, 0600);
spew("$dir/fullchain.pem", $expired . $root->{pem}, 0644);
($exit, undef, $err) = $t->acmectl('rollback', '--cert-name', 'a.test');
is $exit, 1, 'an expired one';
like $err, qr/version 1 is not made live: it expired at .*--force/,
    '  needs --force';
is $t->live_version('a.test'), 2, '  and is not live';
spew("$dir/privkey.pem", new_key(), 0600);
($exit, undef, $err) = $t->acmectl('rollback', '--cert-name', 'a.test',
    '--to', '1', '--force');
is $exit, 1, 'a damaged one, by force too';
like $err, qr/cannot be live: .*is not the key/, '  and why';
($exit, $out, $err) = $t->acmectl('rollback', '--cert-name', 'a.test');
is $exit, 0, 'it is passed over';
like $err, qr/version 1 is passed over.*no older version/s, '  to no other';
($exit, $out) = $t->acmectl('checkpoints', '--cert-name', 'a.test');
like $out, qr/version 1\n\s+not good\s+it is damaged/, 'versions shows that';
rename "$dir/$_.kept", "$dir/$_.pem" for qw(privkey fullchain);
is $t->serial('a.test'), $second->{serial}, 'a good one is served all along';

# somebody has the lineage
my $lock = $t->state('locks', 'lineage-a.test');
open my $held, '+<', $lock or die "$lock: $!\n";
flock $held, 2 or die "flock: $!\n";
($exit, undef, $err) = $t->acmectl('rollback', '--cert-name', 'a.test',
    '--lock-timeout', '1');
is $exit, 3, 'somebody is at work on it';
like $err, qr/somebody is at work on it.*--lock-timeout/, '  which is said';
is $t->live_version('a.test'), 2, '  nothing has moved';
close $held;

# no server
$t->stop;
$before = ran();
($exit, $out) = $t->acmectl('rollback', '--cert-name', 'a.test');
is $exit, 0, 'without a server';
like $out, qr/no server runs; it is served from the next start on/,
    '  it says so';
$t->start;
is $t->serial('a.test'), $first->{serial}, 'and so it is';
ok $t->wait_for(sub { ran() > $before }, 15), 'its hooks are run then';

$t->done;
