#!/usr/bin/perl
# Directories of hooks: for renewals alone, in all three stages; one that is
# configured as well is run once; switched off; not where others could write.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $log = $t->dir . '/hooks.log';

sub ran ($lineage)
{
    unlink $log, grep { -e } $t->state('record', "$lineage.json");
    my ($exit, $out, $err) = $t->acmectl('renew', '--force', '--cert-name',
        $lineage);
    is $exit, 0, "$lineage is renewed" or diag $err;
    $t->wait_for(sub { (slurp($log) // '') =~ /^post-end/m }, 10);
    return [split /\n/, slurp($log) // ''];
}

# There from before the first certificate on.
$t->configure(hook => ['post "echo post-end >> ' . $log . '"']);
$t->site('a.test', hook => ['deploy ' . $t->state('renewal-hooks/deploy/one'),
    'deploy ' . $t->state('renewal-hooks/deploy/../deploy/one'),
    'deploy ' . $t->state('renewal-hooks/deploy/one') . ' word',
    "post \"echo post-end >> $log\""], hook_validation => 'off');
$t->site('b.test', directory_hooks => 'off');
$t->start;
$t->stop;
for my $stage (qw(pre deploy post)) {
    spew($t->state("renewal-hooks/$stage/one"),
        "#!/bin/sh\necho dir $stage \$1 >> $log\n", 0755);
}
unlink $log;
system('rm', '-rf', map { $t->state($_) } qw(live archive record orders due));
$t->start;
$t->wait_certificate($_) or $t->give_up for qw(a.test b.test);
$t->wait_for(sub { (slurp($log) // '') =~ /^post-end/m }, 10);
unlike slurp($log), qr/^dir (?:pre|post)/m,
    'X040: a first certificate runs none of a directory';

is_deeply ran('a.test'), ['dir pre', 'dir deploy', 'dir deploy word',
    'dir post', 'post-end'],
    'X038: a renewal does, once what is the path of one; not so with words';
is_deeply ran('b.test'), ['post-end'], 'X039: switched off';

# what others could write to
SKIP: {
    skip 'needs root', 3 if $> != 0;
    my $dir = $t->state('renewal-hooks/deploy');

    chmod 01777, $dir;
    spew("$dir/planted", "#!/bin/sh\necho planted >> $log\n", 0755);
    $t->expect_log(qr/hooks of a directory are not run/, qr/hook failed/);
    $t->clear_config->configure(hook => ["post \"echo post-end >> $log\""]);
    $t->site('a.test')->reload;
    is_deeply ran('a.test'), ['dir pre', 'dir post', 'post-end'],
        'nothing is run of a directory that others can write to';
    like $t->log, qr/${\$t->level('error')}.*hooks of a directory are not run: directory "\Q$dir\E" can be written to by others/,
        'it is told';
}

$t->done;
