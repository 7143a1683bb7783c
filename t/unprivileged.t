#!/usr/bin/perl
# The whole server as an unprivileged user: works the same, with files that
# only that user can read, and says what it means.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => 'own', run_as => 'nobody');
$t->site('a.test')->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;

my (%modes, %directories, %owners);
for my $file ($t->state_files) {
    my @stat = lstat $t->state($file) or next;    # a record is written
    my $mode = sprintf '%04o', $stat[2] & 07777;
    $owners{ getpwuid $stat[4] }++;
    # certificates are public, and in a directory that is not
    $modes{$mode}++ if -f _ && $file !~ m{^archive/.*/\w+\.pem$}
        || $file =~ /privkey/;
    $directories{$mode}++ if -d _;
}
is_deeply [keys %owners], ['nobody'], 'all of it is that user\'s';
is_deeply [keys %modes], ['0600'], 'no file can be read by others';
is_deeply [keys %directories], ['0700'], 'and no directory entered';

my ($exit, $out, $err) = $t->acmectl({ user => 'nobody' }, 'status');
is $exit, 0, 'status, as that user' or diag $err;
like $out, qr/not root's: every process of its owner can read the keys/,
    'says what it means';
($exit, $out, $err) = $t->acmectl({ user => 'nobody' }, 'renew', '--force');
is $exit, 0, 'renew, as that user' or diag $err;
ok $t->wait_new_serial('a.test', $first->{serial}, 5), 'is served';
($exit, $out, $err) = $t->acmectl('renew');
is $exit, 0, 'root may as well' or diag $err;
is +($t->acmectl({ user => 'www-data' }, 'status'))[0], 1,
    'nobody else may';
my $live = $t->serial('a.test');
$t->restart;
is $t->serial('a.test'), $live, 'a restart keeps it';

$t->done;
