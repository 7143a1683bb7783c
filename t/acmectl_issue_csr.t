#!/usr/bin/perl
# acmectl issue --csr: a certificate for a key that stays elsewhere, in three
# files; nothing else is kept, and no file is written over.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
$t->site(['a.test'])->start;
$t->wait_certificate('a.test') or $t->give_up;
my @ca = ('--server', $t->ca->url, '--ca-file', $t->ca->ca_file,
    '--agree-tos', '--preflight', 'off');
my $dir = $t->dir . '/operator';    # as a user's home: not root's to trust
mkdir $dir, 0777;
chmod 0777, $dir;
my ($exit, $out, $err);

sub request ($file, $san, $form = 'PEM')
{
    my @san = $san ? ('-addext', "subjectAltName=$san") : ();
    system('openssl', 'req', '-new', '-key', "$dir/own.key", '-subj', '/',
        @san, '-outform', $form, '-out', "$dir/$file") == 0
        or die "openssl req\n";
    return "$dir/$file";
}

sub issue (@args)
{
    ($exit, $out, $err) = $t->acmectl('issue', '-n', @args);
    return $exit;
}

sub paths ($prefix)
{
    return map { ("--$_-path", "$dir/$prefix$_.pem") }
        qw(cert chain fullchain);
}

sub names ($file)
{
    return join ' ', sort +(`openssl x509 -in $dir/$file -noout -ext subjectAltName`
        =~ /DNS:([^\s,]+)/g);
}

system("openssl ecparam -name prime256v1 -genkey -noout -out $dir/own.key");
my $pem = request('own.csr', 'DNS:b.test,DNS:www.b.test');
request('own.der', 'DNS:c.test', 'DER');
my $bare = request('bare.csr', '');
my @before = $t->state_files;

# what does not go together, and what is no request
my @wrong = (
    [['--csr', $bare], qr/subjectAltName/, 'one without names'],
    [['--csr', "$dir/own.key"], qr/own\.key/, 'one that is none'],
    [['--csr', $pem, '-d', 'b.test,x.test'], qr/x\.test.*www\.b\.test|www\.b\.test.*x\.test/s,
        'other names than those of -d'],
    [['--csr', $pem, '--allow-subset-of-names'], qr/--allow-subset-of-names does not go/],
    [['--csr', $pem, '--key-type', 'rsa'], qr/--key-type does not go/],
    [['--csr', $pem, '--reuse-key'], qr/--reuse-key does not go/],
    [['--csr', $pem, '--must-staple'], qr/--must-staple does not go/],
    [['--csr', $pem, '--cert-name', 'b'], qr/--cert-name does not go/],
    [['--csr', $pem, '--deploy-hook', 'true'], qr/--deploy-hook does not go/],
    [['-d', 'b.test', '--cert-path', "$dir/x"], qr/--cert-path.*go with --csr/],
);
for my $case (@wrong) {
    my ($args, $why, $what) = @$case;
    is issue(@ca, @$args), 2, 'refused: ' . ($what // "@$args");
    like $err, $why, '  and why';
}
is issue(@ca, '--csr', "$dir/none.csr"), 1, 'a file that there is not';
like $err, qr/none\.csr/, '  is named';
($exit, $out, $err) = $t->acmectl('renew', '--csr', $pem);
is $exit, 2, 'of no other verb';
like $err, qr/"--csr" does not go with "renew"/, '  as it says';
spew("$dir/mine.pem", 'mine');
is issue(@ca, '--csr', $pem, '--chain-path', "$dir/mine.pem", '--cert-path',
    "$dir/n.pem", '--fullchain-path', "$dir/f.pem"), 1, 'a file that exists';
like $err, qr/mine\.pem" exists/, '  is named';
is slurp("$dir/mine.pem"), 'mine', '  and left alone';
ok !-e "$dir/n.pem" && !-e "$dir/f.pem", '  no other is left';
is_deeply [$t->state_files], \@before, 'nothing has come of any of them';

# a certificate
is issue(@ca, '--csr', $pem, '-d', 'www.b.test,b.test', paths('b-')), 0,
    'a request in PEM' or diag $out, $err;
is names('b-cert.pem'), 'b.test www.b.test', 'its names';
my $public = `openssl pkey -in $dir/own.key -pubout`;
is `openssl x509 -in $dir/b-cert.pem -noout -pubkey`, $public, 'its key';
is slurp("$dir/b-fullchain.pem"),
    slurp("$dir/b-cert.pem") . slurp("$dir/b-chain.pem"),
    'fullchain is the certificate and its chain';
like slurp("$dir/b-chain.pem"), qr/BEGIN CERTIFICATE/, 'which is not empty';
is sprintf('%o', (stat "$dir/b-cert.pem")[2] & 0777), '644', 'its mode';
is_deeply [grep { m{^(?!locks/).*csr-} } $t->state_files], [],
    'no lineage is kept';
unlike $t->acmectl('certificates'), qr/b\.test/, 'nor listed';
is issue(@ca, '--csr', $pem, '-d', 'www.b.test,b.test', paths('b-')), 1,
    'the same files again';
like $err, qr/b-cert\.pem" exists/, 'are not written over';

# in DER, without a word of files
my $old = "$dir/0000_chain.pem";
spew($old, 'old');
($exit, $out, $err) = $t->acmectl({ cwd => $dir }, 'issue', '-n', @ca,
    '--csr', 'own.der', '--json');
is $exit, 0, 'a request in DER' or diag $out, $err;
my $told = eval { decode_json($out) } // {};
is_deeply $told->{files}, { map { $_ => "0001_$_.pem" } qw(cert chain fullchain) },
    'its files have names of ours, with a number that is free';
is names('0001_cert.pem'), 'c.test', 'where the command was given';
is slurp($old), 'old', 'what was there is left alone';

# a dry run
my $orders = $t->ca->orders;
is issue(@ca, '--csr', $pem, '--dry-run', paths('dry-')), 0, 'a dry run'
    or diag $out, $err;
ok !-e "$dir/dry-cert.pem", 'writes nothing';
isnt scalar($t->ca->orders), $orders, 'but was an order';

# a file that cannot be made is found out before
$orders = $t->ca->orders;
is issue(@ca, '--csr', "$dir/own.der", paths('none/')), 1, 'files nowhere';
like $err, qr{none/cert\.pem}, '  are named';
is scalar($t->ca->orders), $orders, '  and nothing is ordered';

$t->done;
