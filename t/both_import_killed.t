#!/usr/bin/perl
# acmectl import is killed at every durable step: whoever looks sees a lineage
# with all of its versions and settings, or none of it; and the same command
# does the rest, once.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Crash qw(temp_files);
use Acme::Foreign qw(certbot_account certbot_tree fingerprint);
use Acme::Proc qw(run);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'none');
my $crash = Acme::Crash->new($t);
my $le = $t->dir . '/var/le';
my $state = $t->dir . '/var/new';

certbot_tree($le, 'before.test', 1);
certbot_tree($le, 'a.test', 2, "account = one\n");
certbot_account($le, 'one');
my $before = fingerprint($le);
my @import = ('import', 'certbot', $le, '--cert-name', 'a.test');
my $fresh = "$state.fresh";
$t->acmectl('import', 'certbot', $le, '--cert-name', 'before.test',
    '--state-dir', $fresh);
$crash->below($state);

# All of acmectl is in one process, but steps count of stores alone.
sub acmectl (@how)
{
    return $t->acmectl({ env => { ACME_STATE_DIR => $state,
        %{ $crash->environment_of_all } } }, @how);
}

# What is there of a lineage, as one sees it: "", "all", or something else.
sub seen ($name)
{
    my $live = readlink "$state/live/$name";
    my $settings = -e "$state/renewal/$name.json";
    my @versions = glob "$state/archive/$name/[0-9]";

    return '' if !$live && !$settings;
    return 'all' if $live && $settings && $live =~ m{/2$} && @versions == 2;
    # from here on the next that is at work on it does the rest
    return 'all' if -e "$state/archive/$name/2/pending" && @versions == 2;
    return join ' ', $live // 'no live', $settings ? 'settings' : (), @versions;
}

my ($step, @wrong) = (0);
for ($step = 1; ; $step++) {
    run(cmd => ['cp', '-a', $fresh, $state]);
    $crash->arm('die', at => $step, signal => 'KILL');
    acmectl(@import);
    my $fired = $crash->fired;
    $crash->disarm;
    my $seen = seen('a.test');
    push @wrong, "$step: $seen" if $seen !~ /^(?:all)?$/;
    my ($exit, $out, $err) = acmectl(@import);
    push @wrong, "$step: again: $exit $err" if $exit ne '0';
    push @wrong, "$step: not all of it" if seen('a.test') ne 'all'
        || -e "$state/archive/a.test/2/pending"
        || -e "$state/archive/a.test/3";
    push @wrong, "$step: left over: $_"
        for grep { m{^(?:archive|live)/} } temp_files($state);
    ($exit, $out) = acmectl('account', 'list', '--json');
    push @wrong, "$step: accounts: $out"
        if @{ decode_json($out) } != 1 || $out !~ m{https://acme\.test/one};
    run(cmd => ['rm', '-r', $state]);
    last if !$fired;
}
is join("\n", @wrong), '', 'killed at each of ' . ($step - 1) . ' steps';
cmp_ok $step, '>', 20, '  of which there are some';
is fingerprint($le), $before, 'what is taken over is as it was';

$t->done;
