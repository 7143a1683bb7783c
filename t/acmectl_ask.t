#!/usr/bin/perl
# Questions of acmectl, which only a terminal is asked; elsewhere the option
# that answers is named.  Of an account that is to be deactivated.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run spew);
use Acme::Test;
use Acme::Tool qw(built);

plan skip_all => 'no script(1) here, which makes terminals'
    if run(cmd => ['script', '--version'])->{exit} != 0;
my $t = Acme::Test->new(ca => 'pebble');
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;
my @command = (built('ACME_ACMECTL', 'acmectl'), '--state-dir', $t->state,
    'account', 'deactivate');

# With a terminal of its own, where somebody types.
sub at_terminal ($typed, @more)
{
    my $ran = run(stdin => spew($t->dir . '/typed', $typed),
        cmd => ['script', '-qec', join(' ', @command, @more), '/dev/null']);
    return ($ran->{exit}, $ran->{stdout});
}

my ($exit, undef, $err) = $t->acmectl('account', 'deactivate');
is $exit, 2, 'without a terminal there is no question';
like $err, qr/never be used again: that needs --confirm$/, 'but an option';

my $out;
for my $option ('-n', '-q') {
    ($exit, $out) = at_terminal('', $option);
    ok $exit eq '2' && $out =~ /needs --confirm/ && $out !~ /Go on/,
        "nor with $option" or diag "$exit: $out";
}
($exit, $out) = at_terminal("what\nn\n");
is $exit, 1, 'no';
is scalar(() = $out =~ /Go on\? \[y\/n\]/g), 2, 'asked until it is an answer';
like $out, qr/nothing was done/, 'and nothing was done';
like +($t->acmectl('account', 'show', '-d'))[1], qr/valid/, 'so it is';

($exit, $out) = at_terminal("yes\n");
is $exit, 0, 'yes' or diag $out;
like +($t->acmectl('account', 'list'))[1], qr/no account/, 'it is gone'
    or diag $out;
$t->stop;
$t->done;
