#!/usr/bin/perl
# What nginx's own ACME module has left in an issuer's state_path is taken over
# once and not touched: its account key and the certificates that are still
# wanted and good.  Nothing is ordered for them.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Foreign qw(fingerprint);
use Acme::Proc qw(slurp spew user_ids);
use Acme::Test;
use File::Path qw(remove_tree);
use POSIX qw(mkfifo);

my $t = Acme::Test->new(ca => 'own');
my $state = $t->dir . '/var/state';
my $old = $t->dir . '/acme_old';
my $default = $t->dir . '/acme_second';
my @owner = $> == 0 ? user_ids('www-data') : ();

# as that module writes them: the worker's files in a directory of the worker's
sub leave ($dir, %file)
{
    mkdir $dir, 0700;
    for my $name (keys %file) {
        spew("$dir/$name", $file{$name}, 0600);
    }
    chown @owner, $dir, map { "$dir/$_" } keys %file if @owner;
    return;
}

sub pair ($as, $lineage = $as)
{
    return ("$as-1f2e3d.crt" => slurp("$state/live/$lineage/fullchain.pem"),
        "$as-1f2e3d.key" => slurp("$state/live/$lineage/privkey.pem"));
}

sub sites ()
{
    $t->clear_config;
    $t->issuer('first', ca => $t->ca,
        extra => { nginx => 'state_path acme_old/;' });
    $t->issuer('second', ca => $t->ca, account_key => 'rsa:2048');
    $t->site('a.test', acme => 'first');
    $t->site('.b.test', acme => 'first', key => ['rsa', 'ecdsa']);
    $t->site('d.test', acme => 'second', key => 'ecdsa:384');
    return;
}

sites();
$t->start;
my %served = map {
    $_ => ($t->wait_certificate($_, 20) or $t->give_up)->{serial} }
    qw(a.test b.test d.test);
my ($ec, $rsa) = map { $t->wait_certificate('b.test', 20, kind => $_)
    or $t->give_up } qw(ecdsa rsa);
$served{'b.test'} = $ec->{serial};
my @accounts = map { $_->{id} } $t->ca->accounts;
my $orders = $t->ca->orders;
$t->stop;

my %key = map { slurp($_) =~ /BEGIN/ ? ($_ => slurp($_)) : () }
    glob "$state/keys/*.pem";
my ($rsa_key) = grep { length($_) > 1000 } values %key;
my ($ec_key) = grep { length($_) < 1000 } values %key;
my %left = (pair('a.test'), pair('www.b.test', 'b.test'),
    'other.test-1f2e3d.crt' => 'not wanted', 'account.key' => $ec_key,
    'account.url' => "https://elsewhere.test/1\n");
my $live = "$state/live/b.test";
$left{'b.test-77.crt'} = slurp("$live/fullchain.ecdsa.pem");
$left{'b.test-77.key'} = slurp("$live/privkey.ecdsa.pem");
leave($old, %left);
leave($default, pair('d.test'), 'account.key' => $rsa_key);
remove_tree($state);

# by hand, somewhere else
{
    my $elsewhere = $t->dir . '/var/imported';
    my @ca = ('--server', $t->ca->url, '--ca-file', $t->ca->ca_file);
    my $before = fingerprint($old);
    my ($exit, $out, $err) = $t->acmectl('import', 'nginx-acme', $old, @ca,
        '--state-dir', $elsewhere);
    is $exit, 1, 'acmectl import tells of what is no use' or diag $out, $err;
    like $err, qr/^acmectl: other\.test: .*\.key" is not there/m,
        '  which is one';
    like $out, qr/^\Q$_\E: taken over/m, "$_ is taken over"
        for qw(a.test b.test www.b.test);
    like $out, qr/^account .*: taken over/m, 'and the account';
    is fingerprint($old), $before, 'the directory is as it was';
}

my $mark = $t->log_mark;
sites();
$t->start;
is $t->serial($_, kind => 'ecdsa'), $served{$_}, "$_: served at once" for sort keys %served;
is $t->serial('b.test', kind => 'rsa'), $rsa->{serial}, 'of each type';
$t->wait_helpers;
ok $t->wait_log(qr/certificate taken over, lineage "a\.test", from "\Q$old\E\/a\.test-1f2e3d\.crt", valid until 2/,
    10, since => $mark), 'said in the log';
is_deeply [sort map { $_->{id} } $t->ca->accounts], [sort @accounts],
    'no new account';
is scalar($t->ca->orders), $orders, 'no order';

my ($exit, $out, $err) = $t->acmectl('renew', '--force', '--cert-name', 'a.test');
is $exit, 0, 'renewed with that account' or diag $out, $err;
is_deeply [sort map { $_->{id} } $t->ca->accounts], [sort @accounts],
    'and no other';
is_deeply { map { $_ => slurp("$old/$_") } keys %left }, \%left,
    'what was there is as it was';
my $renewed = $t->wait_new_serial('a.test', $served{'a.test'}) or $t->give_up;
ok $t->reload, 'reload';
$t->restart;
is $t->serial('a.test'), $renewed->{serial}, 'taken over once only';

# what cannot be trusted, or is no good, is left where it is
$t->stop;
remove_tree($state);
unlink glob "$old/b.test-*";
chmod 0755, $old;
chmod 0666, "$old/a.test-1f2e3d.key";
unlink "$old/account.key", "$default/account.key";
mkfifo("$old/account.key", 0600);
symlink "$old/account.url", "$default/account.key";
spew("$default/d.test-1f2e3d.key", $ec_key, 0600);
chown @owner, "$default/d.test-1f2e3d.key", "$old/account.key" if @owner;
$orders = $t->ca->orders;
$mark = $t->log_mark;
$t->start;
for (qw(a.test d.test)) {
    my $new = $t->wait_certificate($_, 20) or $t->give_up;
    isnt $new->{serial}, $served{$_}, "$_: ordered anew";
}
is $t->serial('b.test', kind => 'rsa'), $rsa->{serial}, 'what is good is not';
my $said = $t->log_since($mark);
like $said, qr/no account key taken over from "\Q$old\E", issuer "first": "account\.key" is no regular file/,
    'a FIFO as account key' or diag $said;
like $said, qr/not taken over: "a\.test-1f2e3d\.key" could have been written by others; chmod go-w/,
    'a key that is open to others' or diag $said;

# an account key of another type than the issuer's
$t->stop;
remove_tree($state);
unlink "$default/account.key";
leave($default, 'account.key' => $ec_key);
$mark = $t->log_mark;
$t->start;
ok $t->wait_log(qr{\[error\].*account key "\Q$default\E/account\.key" not taken over: its type is ecdsa:256 and that of issuer "second" is rsa:2048, so .*say "account_key ecdsa:256"},
    10, since => $mark), 'an account key of another type: said, with the cure';
$t->wait_certificate('a.test', 20) or $t->give_up;

$t->done;
