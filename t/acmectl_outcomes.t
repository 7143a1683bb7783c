#!/usr/bin/perl
# Outcomes of acmectl renew and issue that are known exactly (the X rows of the
# capabilities) and that no other test is about.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;
my @ca = ('-n', '--server', $t->ca->url, '--ca-file', $t->ca->ca_file,
    '--agree-tos', '--preflight', 'off');
my ($exit, $out, $err);

sub acmectl (@args)
{
    ($exit, $out, $err) = $t->acmectl(@args);
    return $exit;
}

sub orders () { return scalar $t->ca->orders }

# X004: settings that cannot be read
is acmectl('issue', @ca, '-d', "$_.test"), 0, "issued: $_" or diag $err
    for qw(b bad);
is acmectl('issue', @ca, '-d', 'manual.test', '--no-autorenew'), 0,
    'issued, and never renewed by itself' or diag $err;
my $bad = $t->state('renewal', 'bad.test.json');
my $good = slurp($bad);
spew($bad, '{ "declared": [');
$t->expect_log(qr/"bad\.test", which acmectl has issued, is not renewed/);
is acmectl('renew'), 1, 'X004: settings that cannot be read';
like $out, qr/^a\.test: nothing was due.*^b\.test: nothing was due/ms,
    '  the others are looked at' or diag $out;
like $err, qr/bad\.test: .*^acmectl: 1 of 4 lineages failed$/ms,
    '  and counted' or diag $err;
spew($bad, $good);

# X008, X007: --no-autorenew
my $before = orders();
is acmectl('renew'), 0, 'X008: renew';
like $out, qr/^manual\.test: left alone/m, '  leaves alone what it is not for';
is orders(), $before, '  and orders nothing';
is acmectl('renew', '--cert-name', 'manual.test'), 0, '  unless it is named';
like $out, qr/^manual\.test: nothing was due/m, '  and due';
is acmectl('renew', '--force'), 0, 'X007: by force' or diag $err;
is $t->live_version($_), 2, "  every one: $_" for qw(a.test b.test manual.test);

# X010, X011, X014
is acmectl('renew', '-d', 'a.test'), 2, 'X010: renew -d';
is acmectl('renew', '--key-type', 'rsa:4096'), 2, 'X014: renew --key-type';
like $err, qr/does not go with "renew"/, '  is no option of it';
is acmectl('issue', @ca, '--cert-name', 'b.test', '--key-type', 'ecdsa:384'),
    0, '  but of issue' or diag $err;
is $t->status('b.test')->{certificates}[0]{key}, 'ecdsa:384',
    '  and the key is of that type';

# X051: a failed issuance
my %files = map { $_ => slurp($t->state('live', 'b.test', $_)) }
    qw(cert.pem chain.pem fullchain.pem privkey.pem);
$t->ca->fault(where => 'newOrder', do => 'reject', name => 'b.test',
    times => 'always');
is acmectl('issue', @ca, '--cert-name', 'b.test', '--key-type', 'rsa:2048'),
    1, 'X051: an issuance that fails' or diag $out;
$t->ca->clear_faults;
is_deeply { map { $_ => slurp($t->state('live', 'b.test', $_)) } keys %files },
    \%files, '  changes no file';
is $t->live_version('b.test'), 3, '  and no version';

# X052, X053: what the files are
is $files{'fullchain.pem'}, $files{'cert.pem'} . $files{'chain.pem'},
    'X052: fullchain is the certificate and its chain';
is readlink($t->state('live', 'b.test')), '../archive/b.test/3',
    'X053: live is a relative link';

# X064: versions without settings, whose names say that they are meant
rename $bad, "$bad.away";
is acmectl('issue', @ca, '-d', 'bad.test'), 0, 'X064: issue' or diag $err;
is $t->live_version('bad.test'), 2, '  keeps what there is';
ok -e $bad, '  and has settings for it again';
ok !-e $t->state('live', 'bad.test-0001'), '  with no lineage beside it';
unlink "$bad.away";

# X076: names that are none
my $long = 'a' x 64;
for my $case (
    ['http://a.b', qr{http://a\.b}], ["$long.test", qr/63|label/],
    ['a..test', qr/empty|label/], [join('.', ('a' x 50) x 6), qr/253|long/],
    ['-a.test', qr/-a\.test/], ['a b.test', qr/./],
) {
    is acmectl('issue', @ca, '-d', $case->[0]), 2, "X076: $case->[0]";
    like $err, $case->[1], '  and why';
}
is acmectl('issue', @ca, '-d', 'UPPER.test.'), 0, '  a dot at the end';
is_deeply $t->live_certificate('upper.test')->{names}, ['upper.test'],
    '  goes, and letters are lowered';

# X080: a wildcard may be left out as any name
is acmectl('issue', @ca, '-d', 'a.test,*.a.test', '--allow-subset-of-names',
    '--duplicate'), 2, 'X080: a wildcard that nothing can prove';
like $err, qr/"\*\.a\.test"/, '  is refused';

$t->done;
