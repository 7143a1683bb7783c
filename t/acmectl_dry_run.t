#!/usr/bin/perl
# acmectl renew --dry-run beside a running server: every lineage is tried,
# nothing of it is kept and nobody told; one that fails is said, and a renewal
# afterwards knows nothing of any of it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $log = $t->dir . '/hooks.log';
my $program = $t->dir . '/event';
spew($program, "#!/bin/sh\necho event \$2 >> $log\n", 0755);

# what is in the log, and forgets it
sub ran ()
{
    my @lines = split /\n/, slurp($log) // '';
    unlink $log;
    return @lines;
}

# all that is in the state directory, but for locks, and of tracking
sub kept ()
{
    return { (map { $_ => slurp($_) } glob $t->dir . '/tracking/*'), map { my $path = $t->state($_);
            $_ => -l $path ? readlink $path : -f _ ? slurp($path) : '' }
        grep { !m{^locks/|\.sock$} } $t->state_files };
}

# the same, when a running server writes nothing any more
sub settled ()
{
    my ($kept, $seconds) = (kept(), 0);
    $t->wait_for(sub {
        sleep 1;
        my $now = kept();
        my $same = join("\0", %$now{sort keys %$now}) eq
            join "\0", %$kept{sort keys %$kept};
        $kept = $now;
        return ($seconds = $same ? $seconds + 1 : 0) == 2;
    }, 30, 'silence') or $t->give_up;
    return $kept;
}

my $say = 'echo $ACME_HOOK $ACME_LINEAGE:$RENEWED_DOMAINS:$FAILED_DOMAINS'
    . " >> $log";
$t->configure(event_cmd => "$program word",
    tracking => 'file:' . $t->dir . '/tracking',
    tracking_data => 'csr crt lineage',
    hook => [map { "$_ \"$say\"" } qw(pre deploy post)]);
$t->issuer('testca', ca => $t->ca, renewal_info => 'off');
$t->site('a.test', stateless => 'pending');
$t->site('b.test', challenge => 'tls-alpn-01', stateless => 'off');
$t->start;
my %first = map { $_ => $t->wait_certificate($_) || $t->give_up }
    qw(a.test b.test);
ok $t->wait_for(sub { my @told = (slurp($log) // '') =~ /^(?:post|event inst)/mg;
        @told >= 3 && !glob $t->state('due/*') }, 15), 'hooks were run';
spew($t->state('renewal-hooks/deploy/copy'), "#!/bin/sh\necho dir >> $log\n",
    0755);

# nothing is due
my $orders = $t->ca->orders;
my $proofs = $t->ca->challenge_posts;
my $before = settled();
ok $before->{ $t->dir . '/tracking/a.test.log' }, 'the first ones were tracked';
ran();
my ($exit, $out, $err) = $t->acmectl('renew', '--dry-run');
is $exit, 0, 'a dry run' or diag $err;
my $url = $t->ca->url;
my $issuer = $t->issuer_name('testca');
like $out, qr/^\Q$_\E: dry run succeeded, issuer "\Q$issuer\E", \Q$url\E: a certificate valid until \d{4}-/m,
    "$_ could be renewed, by whom" for qw(a.test b.test);
like $out, qr/^\Q$_\E: dry run: deploy hook "echo .*" is not run$/m,
    "$_: X041, which is not run" for qw(a.test b.test);
like $out, qr/^a\.test: dry run: deploy hook ".*renewal-hooks\/deploy\/copy" is not run$/m,
    'of a directory too';
my @ran = ran();
like shift @ran, qr/^pre [ab]\.test::$/, 'H11: pre is run, once';
is_deeply [map { join ' ', sort split /[ :]+/ } @ran], ['a.test b.test post'],
    'then post; nothing else is, and no event is told';
is $t->ca->challenge_posts - $proofs, 2,
    'both were proved, though the CA had known';
cmp_ok scalar($t->ca->orders) - $orders, '>=', 2, 'by orders';
is_deeply kept(), $before, 'nothing is kept';
is $t->serial($_), $first{$_}{serial}, "$_: what is served stays"
    for qw(a.test b.test);
is scalar($t->ca->accounts), 1, 'with the account that there is';

# one that fails
$t->ca->fault(where => 'validate', do => 'invalid', times => 'always',
    name => 'b.test', detail => 'nobody is there');
($exit, $out, $err) = $t->acmectl('renew', '--dry-run');
is $exit, 1, 'X015: one fails';
like $out, qr/^a\.test: dry run succeeded/m, 'the other does not';
unlike $out, qr/^b\.test:/m, 'of the one that fails nothing else is said';
like $err, qr/b\.test: dry run failed, issuer "\Q$issuer\E", .*nobody is there/,
    'but why';
is_deeply [grep { /^post/ } ran()], ['post :a.test:b.test'],
    'post hooks know as well';
is_deeply kept(), $before, 'nothing is kept of a failure';
is $t->status('b.test')->{state}, 'ok', 'which is none';
$t->ca->clear_faults;

# renewed in earnest
($exit, $out, $err) = $t->acmectl('renew', '--force', '--cert-name', 'b.test');
is $exit, 0, 'a renewal' or diag $err;
like $out, qr/renewed, .*version 2/, 'is the second one';
ok $t->wait_new_serial('b.test', $first{'b.test'}{serial}, 10), 'and served';
ok $t->wait_for(sub { (slurp($log) // '') =~ /^deploy b\.test/m }, 10),
    'its deploy hook is run';

($exit, $out) = $t->acmectl('renew', '--dry-run', '--cert-name', 'a.test',
    '--json');
my ($row, @more) = @{ decode_json($out) };
is "$exit $row->{name} $row->{ok} @more", '0 a.test 1 ', 'of one, in JSON';
is_deeply [map { $_->{stage} } @{ $row->{not_run} }], [qw(deploy deploy)],
    'with its hooks';

# several
($exit, $out, $err) = $t->acmectl('renew', '--dry-run', '-q', '--json',
    map { ('--cert-name', $_) } qw(b.test a.test c.test));
is $exit, 1, 'of three, one of which there is not';
is_deeply [map { "$_->{name} $_->{ok}" } sort { $a->{name} cmp $b->{name} }
    @{ decode_json($out) }], ['a.test 1', 'b.test 1'], 'the others are tried';
like $err, qr/no lineage "c\.test"/, 'it is named';

# X016, X175
for (['status', '--dry-run'],
    ['events', '--cert-name', 'a.test', '--cert-name', 'b.test'],
    ['renew', '--dry-run', '--no-wait'], ['renew', '--server', $url]) {
    is +($t->acmectl(@$_))[0], 2, "usage: @$_";
}

$t->done;
