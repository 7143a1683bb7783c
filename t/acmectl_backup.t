#!/usr/bin/perl
# acmectl backup and restore: a server on what was restored serves the same
# certificates, with the account it had, without an order.  Hostile archives
# are refused by name, and nothing is written.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp);
use Acme::Test;
use Acme::Tool qw(built);
use JSON::PP;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $long = 'l' x 190;
$t->site('a.test', key => ['ecdsa:256', 'rsa:2048'])->site('b.test')
    ->site('c.test', lineage => $long);
$t->start;
my %serial = map { $_ => ($t->wait_certificate($_) // $t->give_up)->{serial} }
    'a.test', 'b.test', 'c.test';
$t->wait_certificate('a.test', 30, kind => 'rsa') or $t->give_up;
is +($t->acmectl('renew', '--force', '--cert-name', 'b.test'))[0], 0,
    'another version';
$serial{'b.test'} = ($t->wait_new_serial('b.test', $serial{'b.test'})
    // $t->give_up)->{serial};
my $orders = $t->ca->orders;

my ($exit, $out, $err);
sub ctl (@args) { ($exit, $out, $err) = $t->acmectl(@args) }
my $file = $t->dir . '/backup.tar';
sub names ($of) { return split /\n/, `tar tf '$of'` }

# into a file of its own
umask 0;
ctl('backup', $file);
is $exit, 0, 'beside a running server' or diag $err;
like $out, qr/^\S+: 3 lineages with 5 versions, 2 files of account keys$/,
    'what is in it';
like $err, qr/"\Q$file\E" holds private keys/, 'a warning';
is sprintf('%04o', (stat $file)[2] & 07777), '0600', 'only for root';
my %has = map { $_ => 1 } names($file);
ok $has{$_}, $_ for 'format', 'keys/default.json', 'live/a.test',
    'archive/b.test/2/privkey.pem', 'renewal/a.test.json',
    'archive/' . $t->of(nginx => $long, httpd => 'c.test')
    . '/1/fullchain.pem', 'record/a.test~rsa.json';
ok !(grep { m{^(?:locks|servers|orders|events|renewal-hooks)} } keys %has),
    'nothing that is of a moment, and no program';
ctl('backup', $file);
is $exit, 1, 'no file is written over';
like $err, qr/exists, and is left alone/, 'said';
{
    # the terminal is one end of a pair
    my $tty = $t->dir . '/tty';
    system("script -qec 'ACME_STATE_DIR=" . $t->state . ' '
        . built('ACME_ACMECTL', 'acmectl') . " backup -' $tty >/dev/null");
    is $? >> 8, 2, 'nor is a terminal written to';
    unlike slurp($tty), qr/PRIVATE/, 'not a byte';
}
ctl('backup', '--no-keys', "$file.public");
is $exit, 0, 'without keys';
ok !(grep { m{privkey|^keys/} } names("$file.public")), 'there are none';
ctl('backup', '--no-accounts', "$file.certs");
my @certs = names("$file.certs");
ok !(grep { m{^(?:keys|accounts)/} } @certs), 'without accounts';
ok +(grep { m{privkey} } @certs), 'but with the keys of certificates';
for my $bad ([], [$file, $file], ['/nowhere/x']) {
    ctl('backup', @$bad);
    is $exit, @$bad == 1 ? 1 : 2, "backup @$bad";
}
open my $lock, '+>>', $t->state('locks/lineage-b.test') or die $!;
flock $lock, 2 or die $!;
ctl('--lock-timeout', 1, 'backup', "$file.locked");
is $exit, 3, 'somebody is at work on a lineage';
like $err, qr/lineage-b\.test" is held by/, 'who';
ok !-e "$file.locked", 'no half of a backup';
close $lock;

# what is not taken back
my $new = $t->dir . '/restored';
sub restore (@args) { ctl('restore', '--state-dir', $new, @args) }
ctl('restore', $file);
is $exit, 1, 'not below a server that runs';
like $err, qr/runs on it: stop it first/, 'said';
$t->stop;
ctl('restore', $file);
is $exit, 1, 'not into one that has lineages';
like $err, qr/lineage "a\.test" in it already; with --force/, 'said';
chmod 0644, $file;
restore($file);
is $exit, 1, 'not from a file that others can read';
like $err, qr/may have been written or read by others/, 'said';
chmod 0600, $file;

# hostile archives, made by tar
my $evil = $t->dir . '/evil';
sub evil ($what, $why, $make)
{
    system("rm -rf $evil; mkdir -p $evil/keys") == 0 or die;
    system("echo 1 > $evil/format") == 0 or die;
    system("cd $evil && umask 077 && { $make; }") == 0 or die "$make\n";
    system("cd $evil && umask 077 && test -e ../evil.tar || tar cf "
        . "../evil.tar --format=gnu *") == 0 or die;
    restore("$evil.tar");
    is $exit, 1, "refused: $what";
    like $err, $why, '  named';
    ok !-e $new, '  nothing was made';
    unlink "$evil.tar";
    return;
}
evil('a way up', qr{"\.\./up" in the archive},
    'echo x > ../up; tar cPf ../evil.tar format ../up');
evil('an absolute path', qr{"/etc/hostname" in the archive},
    'tar cPf ../evil.tar format /etc/hostname');
evil('a file of another place', qr{"events\.jsonl" in the archive: no backup},
    'echo x > events.jsonl');
evil('a way up below archive/',
    qr{"archive/\.\./1/privkey\.pem" in the archive},
    'mkdir -p archive/x/1; echo > archive/1; echo > privkey.pem; '
    . 'tar cPf ../evil.tar --transform s,^p,archive/../1/p, format '
    . 'privkey.pem');
evil('a program', qr{"renewal-hooks/deploy/x" in the archive: no backup},
    'mkdir -p renewal-hooks/deploy; echo > renewal-hooks/deploy/x');
evil('a link in the place of a key', qr{a link that no backup has},
    'ln -s /etc/shadow keys/' . 'a' x 32 . '.pem');
evil('a live link elsewhere', qr{"live/a\.test" in the archive: it is a link},
    'mkdir live; ln -s /etc live/a.test');
evil('a hard link', qr{"keys/y": it is neither a file},
    'ln format keys/y');
evil('a device', qr{"keys/null": it is neither a file},
    'mknod keys/null c 1 3');
evil('a FIFO', qr{"keys/fifo": it is neither a file}, 'mkfifo keys/fifo');
evil('a special mode', qr{"format" in the archive: it has a special mode},
    'chmod 4755 format');
evil('a terabyte of nothing', qr{it is neither a file|too large},
    'truncate -s 1T keys/x.pem; tar cSf ../evil.tar format keys');
evil('another key than it is called', qr{another key than its name},
    'openssl ecparam -genkey -name prime256v1 -noout > keys/'
    . 'a' x 32 . '.pem 2>/dev/null');
evil('of a newer program', qr{a newer program}, 'echo 2 > format');
evil('no tar', qr{no tar archive}, 'head -c 4096 /dev/urandom > ../evil.tar');
evil('half of one', qr{ends too early}, "head -c 20000 $file > ../evil.tar");
evil('none of ours', qr{no file "format"},
    'rm format; cp ' . $t->state . '/keys/*.pem keys');

# back, into a new directory
restore($file);
is $exit, 0, 'restored' or diag $err;
like $out, qr/5 versions, 3 of them live, and 1 account keys restored/,
    'what there was';
is sprintf('%04o', (stat $new)[2] & 07777), '0700', 'a private directory';
ok !(grep { (stat $_)[2] & 0077 } glob "$new/archive/*/*/privkey*"),
    'with private keys';
my @doctor = $t->acmectl('doctor', '--state-dir', $new);
is $doctor[0], 0, 'it is sound' or diag "@doctor";
restore('--force', $file);
is $exit, 0, 'once more' or diag $err;
is scalar(() = glob "$new/archive/b.test/*"), 2, 'adds nothing';
restore('--force', "$file.public");
is $exit, 1, 'certificates without keys';
like $err, qr{left out:\narchive/a\.test/1: its key is not in the backup}m,
    'are left out';
is +($t->acmectl('check', '--state-dir', $new))[0], 0, 'and nothing is lost';

$t->configure(state => $new);
$t->start;
for my $name (sort keys %serial) {
    is +($t->wait_certificate($name) // {})->{serial}, $serial{$name},
        "$name is served";
}
is +($t->acmectl('renew', '--force', '--cert-name', 'a.test', '--state-dir',
    $new))[0], 0, 'a renewal';
is scalar($t->ca->orders), $orders + 2, 'no order but those';
is scalar($t->ca->accounts), 1, 'of the account there was';
$t->done;
