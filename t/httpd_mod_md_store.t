#!/usr/bin/perl
# A server that has run with mod_md changes over: what mod_md has obtained is
# served at once, with its history, its account is used, nothing is ordered,
# and its store stays as it was.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp spew);
use Acme::Test;
use Digest::SHA qw(sha256_hex);
use File::Find;

my $t = Acme::Test->new(host => 'httpd', ca => 'pebble');
plan skip_all => 'there is no mod_md'
    if !-e $t->server->{modules} . '/mod_md.so';

my $store = $t->dir . '/var/md';
my ($sed) = slurp('mod_acme_httpd/README.md')
    =~ /^sed -E -i\.orig '(.*)' FILE$/m or BAIL_OUT('the README has no sed');

sub host ($port, @names)
{
    return "<VirtualHost *:%%$port%%>\nServerName $names[0]\n"
        . (@names > 1 ? "ServerAlias @names[1 .. $#names]\n" : '')
        . ($port eq 'TLS' ? "SSLEngine on\n" : '') . "</VirtualHost>\n";
}

sub conf (@more)
{
    return join "\n", 'Listen 127.0.0.1:%%HTTP%%',
        'Listen 127.0.0.1:%%TLS%%', @more, <<'CONF',
MDStoreDir %%DIR%%/var/md
MDCertificateAuthority %%CA_URL%% https://127.0.0.1:1/dir
MDCACertificateFile %%CA_FILE%%
MDCertificateAgreement accepted
MDContactEmail admin@a.test
MDPortMap http:%%HTTP%% https:%%TLS%%
MDRetryDelay 1s
MDomain a.test www.a.test
<MDomainSet b.test>
    MDPrivateKeys P-384 RSA 2048
</MDomainSet>
CONF
        (map { host($_, 'a.test', 'www.a.test'), host($_, 'b.test') }
            qw(HTTP TLS));
}

# After the documented sed.
sub ours ()
{
    my $file = spew($t->dir . '/md.conf', conf());
    run(cmd => ['sed', '-E', '-i.orig', $sed, $file])->{exit} eq '0'
        or BAIL_OUT('sed');
    return slurp($file);
}

# Everything in the store but what is ours: bytes, modes, owners, times.
sub fingerprint ()
{
    my %seen;

    find({ no_chdir => 1, wanted => sub {
        return $File::Find::prune = 1 if $_ eq "$store/acme";
        my @stat = lstat;
        $seen{$_} = join ' ', @stat[2, 4, 5, 7], $_ eq $store ? () : $stat[9],
            -f _ ? sha256_hex(slurp($_)) : '';
    } }, $store);
    return \%seen;
}

sub staged ()
{
    return 3 == (() = glob "$store/staging/*/pubcert*.pem");
}

# --- with mod_md: obtained, then renewed ------------------------------------

$t->configure(plain_server => 1);
my $load = "<IfModule !mod_watchdog.c>\n"
    . "LoadModule watchdog_module %%MODULES%%/mod_watchdog.so\n</IfModule>\n"
    . 'LoadModule md_module %%MODULES%%/mod_md.so';
$t->raw_config(conf($load));
$t->start;
$t->wait_for(\&staged, 60, 'what mod_md obtains') or $t->give_up;
$t->wait_for(sub { $t->reload(hard => 1); sleep 1;
    return -e "$store/domains/a.test/pubcert.pem"
        && -e "$store/domains/b.test/pubcert.pem" }, 30, 'its activation')
    or $t->give_up;
my %first = map { my ($name, $kind) = split /\//;
    $_ => $t->serial($name, kind => $kind) }
    qw(a.test/rsa b.test/rsa b.test/ecdsa);

# A certificate of an older time, as mod_md archives it.
$t->stop;
mkdir "$store/archive/a.test.2" or die "$store/archive/a.test.2: $!\n";
chmod 0700, "$store/archive/a.test.2";
for (qw(pubcert.pem privkey.pem md.json)) {
    spew("$store/archive/a.test.2/$_", slurp("$store/domains/a.test/$_"),
        0600);
}
my $left = "$store/domains/gone.test";
mkdir $left, 0700;
spew("$left/pubcert.pem", 'not wanted', 0600);

my ($account) = glob "$store/accounts/*/account.json";
my ($url) = slurp($account) =~ /"url":\s*"([^"]+)"/;
my $orders = $t->ca->orders;
my $before = fingerprint();

# --- by hand, somewhere else ------------------------------------------------

{
    my $elsewhere = $t->dir . '/var/imported';
    my ($exit, $out, $err) = $t->acmectl('import', 'mod_md', $store, '--ca-file',
        $t->ca->ca_file, '--state-dir', $elsewhere);
    is $exit, 1, 'acmectl import tells of what is no use' or diag $out, $err;
    like $err, qr/^acmectl: gone\.test: .*privkey\.pem/m, '  which is one';
    like $out, qr/^a\.test: taken over, .*\(2 versions/m, 'a.test is taken over';
    like $out, qr/^b\.test: taken over/m, 'and b.test';
    like $out, qr/^account \Q$url\E: taken over/m, 'and the account';
    is readlink "$elsewhere/live/a.test", '../archive/a.test/2',
        'with its history';
    ok -s "$elsewhere/live/b.test/privkey.rsa.pem", 'with all its keys';
    is_deeply fingerprint(), $before, 'the store is as it was';
}

# --- with ours --------------------------------------------------------------

$t->configure(plain_server => 0);
my $state = "$store/acme";
my $mark = $t->log_mark;
$t->raw_config(ours());
my ($exit, $said) = $t->test_config;
is $exit, 0, 'the configuration after the sed' or diag $said;
ok !-e $state, 'its test has made nothing';
$t->start;
for (sort keys %first) {
    my ($name, $kind) = split /\//;
    is $t->serial($name, kind => $kind), $first{$_},
        "$_: the same certificate";
}
is $t->ca->orders, $orders, 'nothing is ordered';
is readlink "$state/live/a.test", '../archive/a.test/2',
    'the archived one is version 1';
ok -s "$state/archive/a.test/1/privkey.pem", '  with its key';
$said = $t->log_since($mark);
like $said, qr/certificate\ taken\ over,\ lineage\ "a\.test",\ from\ "domains\/a\.test"/x,
    'said in the log';
like $said, qr/account "ACME-\S+" taken over from mod_md's "\Q$store\E"/,
    'of the account, too';
like $said, qr/not taken over .*: 1 of its domains, .*\(gone\.test\)/,
    'and what is not';

my ($done, $out, $err) = $t->acmectl('--state-dir', $state, 'renew',
    '--force', '--cert-name', 'a.test');
is $done, 0, 'renewed' or diag $out, $err;
$t->wait_new_serial('a.test', $first{'a.test/rsa'}, 30, kind => 'rsa') or $t->give_up;
my @accounts = glob "$state/accounts/*/*/*/account.json";
is @accounts, 1, 'by one account';
like slurp($accounts[0]), qr/\Q$url\E/, '  which is mod_md\'s';
is $t->ca->orders, $orders + 1, 'by one order';
is_deeply fingerprint(), $before, 'the store is as it was';

my $renewed = $t->serial('a.test', kind => 'rsa');
$mark = $t->log_mark;
$t->restart;
is $t->serial('a.test', kind => 'rsa'), $renewed, 'taken over once only';
unlike $t->log_since($mark), qr/taken over/, '  nor told again';

$t->done;
