#!/usr/bin/perl
# acmectl deploy: a key and a certificate from elsewhere become the live
# version, served at once, with the deploy hooks; what does not belong together
# or to the lineage is refused in a word.  Without files the hooks are run
# again.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(issue new_key new_root);
use Acme::Proc qw(slurp spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
my $log = $t->dir . '/hooks.log';
my @name = ('--cert-name', 'a.test');

$t->configure(hook => "deploy \"echo \$RENEWED_LINEAGE >> $log\"");
$t->site(['a.test', 'www.a.test'])->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;
$t->wait_for(sub { -s $log && !glob $t->state('due') . '/*' }, 10,
    'the hooks') or $t->give_up;
my $orders = $t->ca->orders;

my $root = new_root('other root');
my $other_root = new_root('one more root');
my $between = { key => new_key(), subject => 'between' };
$between->{pem} = issue(issuer => $root, ca => 1, from => -3600,
    seconds => 400 * 86_400, %$between);
my $key = new_key();

sub file ($name, $text, $mode = 0600)
{
    return spew($t->dir . "/$name", $text, $mode);
}

sub made (%o)
{
    return issue(issuer => $between, key => $key, from => -3600,
        names => ['a.test', 'www.a.test'], seconds => 90 * 86_400, %o);
}

sub deploy (@how) { return $t->acmectl('deploy', @name, @how) }
sub ran () { return scalar split /\n/, slurp($log) // '' }

my $key_file = file('key', $key);
my $good = file('good', made() . $between->{pem});

# what it does not take
for my $wrong (
    [['--private-key', $key_file], qr/--private-key and --certificate go toge/],
    [['--certificate', $good], qr/--private-key and --certificate go together/],
    [['--chain', $good], qr/--chain is what is behind/]) {
    my ($args, $why) = @$wrong;
    my ($exit, undef, $err) = deploy(@$args);
    is $exit, 2, "usage: deploy @$args";
    like $err, $why, '  and how it is meant';
}
my ($exit, undef, $err) = $t->acmectl('deploy');
is $exit, 2, 'no lineage';
($exit, undef, $err) = $t->acmectl('deploy', '--cert-name', 'x.test',
    '--private-key', $key_file, '--certificate', $good);
is $exit, 1, 'a lineage that is not there';

# what must not be live (X179 to X182)
for my $bad (
    ['KeyMismatch', $good, ['--private-key', file('other', new_key())]],
    ['ExpiredCertificate', file('expired',
        made(from => -7200, seconds => 3600) . $between->{pem}), ['--force']],
    ['ExpiredCertificate', file('soon',
        made(from => -70 * 86_400, seconds => 90 * 86_400)
        . $between->{pem}), []],
    ['DefinitionMismatch', file('names',
        made(names => ['a.test']) . $between->{pem}), []],
    ['InvalidTrustChain', file('chain', made() . $other_root->{pem}),
        ['--force']],
    ['InvalidCertificate', file('early', made(from => 86_400,
        seconds => 90 * 86_400) . $between->{pem}), ['--force']]) {
    my ($word, $certificate, $more) = @$bad;
    my ($exit, undef, $err) = deploy('--private-key', $key_file,
        '--certificate', $certificate, @$more);
    is $exit, 1, $certificate =~ s{.*/}{}r . ": $word";
    like $err, qr/a\.test: $word: .*nothing was deployed/, '  which is said';
}
my $rsa = new_key('rsa:2048');
($exit, undef, $err) = deploy('--private-key', file('rsa', $rsa),
    '--certificate', file('rsa.cert', made(key => $rsa)), '--chain',
    file('between', $between->{pem}));
is $exit, 1, 'a key of another type';
like $err, qr/DefinitionMismatch: its key is rsa:2048, wanted is ecdsa:256/,
    '  which is said';
chmod 0644, $key_file;
($exit, undef, $err) = deploy('--private-key', $key_file, '--certificate',
    $good);
is $exit, 1, 'a key that others can read';
like $err, qr/\Q$key_file\E/, '  is refused by name';
chmod 0600, $key_file;
is $t->live_version('a.test'), 1, 'nothing has moved';
is $t->serial('a.test'), $first->{serial}, 'the first one is served';

# one that is good
my $before = ran();
($exit, my $out, $err) = deploy('--private-key', $key_file, '--certificate',
    $good);
is $exit, 0, 'a good one' or diag $err;
like $out, qr/version 2 is live \(serial/, '  is live';
my $serial = uc $t->live_certificate('a.test')->{serial};
isnt $serial, $first->{serial}, '  another one';
ok $t->wait_for(sub { $t->serial('a.test', verify => 0) eq $serial }, 5),
    '  and served';
ok $t->wait_for(sub { ran() > $before && !glob $t->state('due') . '/*' }, 15),
    'the deploy hooks are run';
is ran(), $before + 1, '  once';
my ($event) = grep { ($_->{version} // 0) == 2 && $_->{event} eq 'renewed' }
    $t->events('a.test');
is $event->{by}, 'acmectl', 'an event tells of it';
($exit, $out) = deploy('--private-key', $key_file, '--certificate', $good,
    '--json');
is $exit, 0, 'once more (X184)';
like decode_json($out)->{text}, qr/live already; nothing to do/,
    '  there is nothing to do';
is $t->live_version('a.test'), 2, '  and nothing is done';
sleep 1;
is scalar($t->ca->orders), $orders, 'nothing was ordered';

# hooks again
($exit, $out) = deploy();
is $exit, 0, 'without files';
like $out, qr/have been run; nothing to do/, '  there is nothing to do';
is ran(), $before + 1, '  and nothing is done';
($exit, $out) = deploy('--force');
is $exit, 0, 'by force';
like $out, qr/run by a server within seconds/, '  a server does it';
ok $t->wait_for(sub { ran() > $before + 1 }, 15), '  and has done it';

# by force, what is renewed then
($exit, $out) = deploy('--force', '--private-key', $key_file,
    '--certificate', $t->dir . '/names');
is $exit, 0, 'a name is missing, by force';
like $out, qr/it lacks "www\.a\.test": the next renewal comes at once/,
    '  it says what follows';
ok $t->wait_for(sub { ($t->live_version('a.test') // 0) == 4 }, 15),
    '  and so it is';
ok $t->wait_certificate('a.test', 5), '  all of its names are served';

$t->done;
