#!/usr/bin/perl
# The configuration files of acmectl: what they may say, who says it first, and
# what is not believed.  And its log file.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;
use File::Path qw(make_path);

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;

my $dir = $t->dir . '/home';
make_path("$dir/.config", "$dir/xdg");
my $ini = $t->dir . '/my.ini';
my $state = $t->state;

# Without ACME_STATE_DIR, and with a home of its own.
sub acmectl (@args)
{
    my %env = ref $args[0] ? %{ shift @args } : ();
    my @out = $t->acmectl({ env => { ACME_STATE_DIR => undef, HOME => $dir,
        XDG_CONFIG_HOME => undef, %env } }, @args);
    return @out;
}

sub is_json ($what, @args)
{
    my ($exit, $out, $err) = acmectl(@args);
    ok $exit eq '0' && $out =~ /^\{.*"schema"/s, $what
        or diag "$exit: $out$err";
}

# what is read
spew($ini, "# ours\n\n state-dir = $state\r\njson=true\nno-wait = off\n"
    . "ttl = 60\n");
is_json('--config', '--config', $ini, 'status');
is_json('options of other verbs are passed over', "-c$ini", 'status');
spew("$dir/.config/acmectl.ini", "state-dir = $state\n");
my ($exit, $out) = acmectl('status');
like $out, qr/^state directory \Q$state\E$/m, 'that of ~/.config';
spew("$dir/xdg/acmectl.ini", "json = yes\nstate-dir = $state\n");
is_json('that of XDG_CONFIG_HOME', { XDG_CONFIG_HOME => "$dir/xdg" },
    'status');

# who is first
spew("$dir/.config/acmectl.ini", "state-dir = /nowhere/ini\n");
my $err;
(undef, undef, $err) = acmectl('status');
like $err, qr{/nowhere/ini}, 'the file alone';
(undef, undef, $err) = acmectl({ ACME_STATE_DIR => '/nowhere/env' }, 'status');
like $err, qr{/nowhere/env}, 'ACME_STATE_DIR before it';
(undef, undef, $err) = acmectl({ ACME_STATE_DIR => '/nowhere/env' },
    '--state-dir', '/nowhere/option', 'status');
like $err, qr{/nowhere/option}, 'the command line before both';
(undef, undef, $err) = acmectl('-c', spew($ini, "json = true\n"), 'status');
unlike $err, qr{/nowhere/ini}, '--config in place of the others';

# what is wrong with it
my @wrong = (
    ["frobnicate = 1\n", qr/my\.ini:1: there is no option "frobnicate"/],
    ["\n\ncert-name = a.test\n", qr/my\.ini:3: "cert-name" .*take the line/],
    ["domains = a.test\n", qr/"domains" /], ["json\n", qr/"json" is no line/],
    ["json = maybe\n", qr/json = maybe: it is true or false/],
    ["lines = many\n", qr/my\.ini:1: --lines "many" is no number between 0/],
    ["type = mx\n", qr/--type "mx" is none of caa, dns-01/],
    ["state-dir =\n", qr/state-dir wants a value/],
);
for my $case (@wrong) {
    spew($ini, $case->[0]);
    ($exit, $out, $err) = acmectl('--config', $ini, 'status');
    ok $exit eq '2' && $out eq '' && $err =~ $case->[1],
        "refused: $case->[0]" or diag "$exit: $out$err";
}
spew($ini, "json = true\n");
for my $mode (0620, 0602) {
    chmod $mode, $ini;
    ($exit, undef, $err) = acmectl('-c', $ini, 'status');
    ok $exit eq '1' && $err =~ /"\Q$ini\E" is not believed: others/,
        sprintf 'others may write it: %o', $mode or diag $err;
}
($exit, undef, $err) = acmectl('-c', $t->dir, 'status');
ok $exit eq '1' && $err =~ /is no file of options/, 'a directory';
($exit, undef, $err) = acmectl('-c', "$ini.none", 'status');
ok $exit eq '1' && $err =~ /cannot read "\Q$ini.none\E"/, 'none there';
SKIP: {
    skip 'only root can give files away', 1 if $> != 0;
    chmod 0600, $ini;
    chown 65534, 65534, $ini;
    ($exit, undef, $err) = acmectl('-c', $ini, 'status');
    ok $exit eq '1' && $err =~ /not believed/, "somebody else's";
}

# --log-file
my $log = $t->dir . '/acmectl.log';
my @log = ('--state-dir', $state, '--log-file', $log);
for my $n (1 .. 4) {
    acmectl(@log, '--max-log-backups', 2, 'status', '--cert-name', "no$n.test");
}
like slurp($log), qr/^\S+Z \[\d+\] acmectl: .*"no4\.test"\n\z/, 'the last one';
like slurp("$log.1"), qr/no3/, 'the one before';
like slurp("$log.2"), qr/no2/, 'and before';
ok !-e "$log.3", 'no more than two';
is +(stat $log)[2] & 0777, 0600, 'nobody else can read it';
acmectl(@log, '--max-log-backups', 0, 'status', '--cert-name', 'no5.test');
like slurp($log), qr/no4.*\n.*no5/, '0: one file for all';
acmectl(@log, 'renew', '--force', '--cert-name', 'a.test');
symlink $ini, "$log.link";
($exit, undef, $err) = acmectl(@log, '--log-file', "$log.link", 'status');
ok $exit eq '1' && $err =~ /"\Q$log.link\E" is no file/, 'not through a link';

$t->done;
