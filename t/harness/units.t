#!/usr/bin/perl
# The units of systemd that make install installs: systemd takes them, and what
# they run is acmectl's.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp);
use Acme::Tool qw(built);
use Cwd qw(getcwd);
use File::Temp qw(tempdir);

my $root = tempdir('acme-units-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $units = "$root/usr/lib/systemd/system";
my $made = run(cmd => ['make', '-s', '-C', getcwd, 'install-units', "O=$root/out",
    "DESTDIR=$root", 'PREFIX=/usr', 'ACME_HTTPD_STATE_DIR=/srv/acme']);
is $made->{exit}, 0, 'make install-units' or diag $made->{stderr};

my %text = map { $_ => slurp("$units/acmectl-renew.$_") } qw(service timer);
unlike $text{service}, qr/\@/, 'nothing is left to be replaced';
like $text{service}, qr{^ConditionPathExists=\|/var/lib/nginx/acme$}m,
    'looks for the default state directory of nginx';
like $text{service}, qr{^ConditionPathExists=\|/srv/acme$}m,
    '  or that of Apache, of this build';
like $text{timer}, qr/^RandomizedDelaySec=[1-9]/m, 'not at midnight everywhere';

my ($program, @args) = $text{service} =~ m{^ExecStart=(/usr/sbin/acmectl) (.+)$}m
    or BAIL_OUT 'no ExecStart';
my $ran = run(cmd => [built('ACME_ACMECTL', 'acmectl'),
    split(' ', $args[0]), '--state-dir', '/nonexistent/acme']);
like $ran->{stderr}, qr{no state directory "/nonexistent/acme"},
    'acmectl takes the options';

# systemd wants to see the program, in the place where it will be
my $here = $text{service} =~ s{/usr/sbin/acmectl}{/bin/true}r;
open my $fh, '>', "$units/acmectl-renew.service" or die $!;
print $fh $here;
close $fh;
my $verify = run(cmd => ['systemd-analyze', 'verify', '--man=no',
    map { "$units/acmectl-renew.$_" } qw(service timer)]);
is $verify->{exit}, 0, 'systemd takes them' or diag $verify->{stderr};
unlike $verify->{stderr}, qr/acmectl-renew/, '  without a remark';

done_testing;
