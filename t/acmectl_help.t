#!/usr/bin/perl
# What is made of the tables of verbs and options: help, the manual page in
# man/, the completions.  No state directory.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp spew);
use Acme::Test;
use Acme::Tool qw(built);

my $t = Acme::Test->new;
my ($exit, $out, $err) = $t->acmectl('--help');
my @verbs = $out =~ /^  (\w+(?: \w+)?)   /mg;
ok $exit eq '0' && @verbs > 10, 'all verbs' or diag "$exit: $out$err";

# each verb tells of itself, and of all options that its usage has
for my $verb (@verbs) {
    ($exit, $out, $err) = $t->acmectl('help', split / /, $verb);
    my ($usage, $options) = split /^options:$/m, $out;
    my %has = map { $_ => 1 } ($options // '') =~ /^  (?:-\w, )?--([\w-]+)/mg;
    my @named = $usage =~ /^(?:usage: |\s+)acmectl .*$/mg;
    my @missing = grep { !$has{$_} } map { /--([\w-]+)/g } @named;
    ok $exit eq '0' && @named && !@missing, "help $verb"
        or diag "$exit: not explained: @missing\n$out$err";
    my ($same) = ($t->acmectl(split(/ /, $verb), '--help'))[1];
    is $same, $out, "  and $verb --help";
    unlike $out, qr/`|^.{80}/m, '  readable in 79 columns';
}
for my $topic (qw(all options states configuration files account)) {
    ($exit, $out) = $t->acmectl('help', $topic);
    ok $exit eq '0' && length $out > 100, "help $topic";
}
($exit, $out, $err) = $t->acmectl('help', 'frobnicate');
ok $exit eq '2' && $err =~ /no help about "frobnicate".*states/,
    'a topic that there is not' or diag "$exit: $out$err";

($exit, $out) = $t->acmectl('help', 'man');
is $out, slurp('man/acmectl.8'), 'man/acmectl.8 is that of the tables (make man)';
my $page = spew($t->dir . '/acmectl.8', $out);
SKIP: {
    my $ran = run(cmd => ['sh', '-c', 'command -v groff >/dev/null || exit 42; '
        . 'groff -mdoc -Tutf8 -ww -z "$0"', $page]);
    skip 'no groff here', 1 if $ran->{exit} == 42;
    is "$ran->{exit}$ran->{stderr}", '0', 'groff takes it';
}

# as bash would call it, with the cursor behind the last word
my $script = spew($t->dir . '/complete', ($t->acmectl('completion', 'bash'))[1]
    . 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _acmectl; '
    . 'echo "${COMPREPLY[@]}"' . "\n");
for my $case (
    ['account', 'account'], ['ren', 'renew'],
    ['account re', 'rekey'], ['account rekey --for', '--force'],
    ['--json renew --dr', '--dry-run'],
    ['revoke --cert-name renew --cert-p', '--cert-path'],
    ['revoke --reason key', 'keycompromise'], ['status --dry', ''],
    ['renew --cert-name ', '']) {
    my ($line, $want) = @$case;
    my $ran = run(cmd => ['bash', $script, 'acmectl', split / /, $line, -1]);
    is $ran->{stdout}, "$want\n", "bash completes: $line"
        or diag $ran->{stderr};
}
SKIP: {
    my $zsh = spew($t->dir . '/_acmectl', ($t->acmectl('completion', 'zsh'))[1]);
    my $ran = run(cmd => ['sh', '-c',
        'command -v zsh >/dev/null || exit 42; exec zsh -n "$0"', $zsh]);
    skip 'no zsh here', 1 if $ran->{exit} == 42;
    is "$ran->{exit}$ran->{stderr}", '0', 'zsh reads its script';
}
($exit, undef, $err) = $t->acmectl('completion', 'fish');
ok $exit eq '2' && $err =~ /bash, or zsh/, 'of another shell: no';

$t->done;
