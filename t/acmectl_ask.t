#!/usr/bin/perl
# Questions of acmectl, which only a terminal is asked; elsewhere the option
# that answers is named.  Of an account that is to be deactivated, of a lineage
# that a revocation is to delete, of a password.

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
my @command = (built('ACME_ACMECTL', 'acmectl'), '--state-dir', $t->state);

# With a terminal of its own, where somebody types.
sub typed ($typed, @more)
{
    my $ran = run(stdin => spew($t->dir . '/typed', $typed),
        cmd => ['script', '-qec', join(' ', @command, @more), '/dev/null']);
    return ($ran->{exit}, $ran->{stdout});
}

sub at_terminal ($typed, @more)
{
    return typed($typed, 'account', 'deactivate', @more);
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

# a lineage that is of nobody else
for my $name ('b.test', 'c.test') {
    is +($t->acmectl('issue', '-n', '-d', $name, '--server', $t->ca->url,
        '--ca-file', $t->ca->ca_file, '--agree-tos', '--preflight', 'off'))[0],
        0, "issued: $name";
}
($exit, $out) = typed("n\n", 'revoke', '--cert-name', 'b.test');
is $exit, 0, 'revoked' or diag $out;
like $out, qr/deletes "b\.test", 1 version with the private keys\. Go on\?/,
    '  and asked whether it goes';
is $t->live_version('b.test'), 1, '  no: it stays';
($exit, $out) = typed("y\n", 'revoke', '--cert-name', 'c.test');
is $exit, 0, 'another one' or diag $out;
ok !-l $t->state('live', 'c.test'), '  yes: it goes';
($exit, $out) = typed("n\n", 'delete', '--cert-name', 'b.test');
is $exit, 1, 'delete: no';
is $t->live_version('b.test'), 1, '  it stays';
($exit, $out) = typed('', 'delete', '--cert-name', 'b.test', '--yes');
is $exit, 0, '  --yes: nobody is asked';
unlike $out, qr/Go on/, '  nothing' or diag $out;

# a password, which is not shown and typed twice; what is typed before the
# question is not an answer to it
my $file = $t->dir . '/a.p12';
sub password (@typed)
{
    my $script = join "\n", 'set timeout 20',
        "spawn -noecho @command export --cert-name a.test --format pkcs12"
            . " --output $file",
        (map { "expect \"$_->[0]: \"\nsend \"$_->[1]\\r\"" } @typed),
        'expect eof', 'exit [lindex [wait] 3]';
    my $ran = run(cmd => ['expect', '-c', $script]);
    return ($ran->{exit}, $ran->{stdout});
}
my @asked = ('Password for the file', 'The same once more');
($exit, $out) = password([$asked[0], 'se cret'], [$asked[1], 'other']);
is $exit, 1, 'two passwords that are not the same' or diag $out;
like $out, qr/two passwords/, '  told';
ok !-e $file, '  no file';
($exit, $out) = password(map { [$_, 'se cret'] } @asked);
is $exit, 0, 'a password' or diag $out;
unlike $out, qr/se cret/, '  which is not shown';
my $opened = run(cmd => ['openssl', 'pkcs12', '-in', $file, '-noout',
    '-passin', 'pass:se cret']);
is $opened->{exit}, 0, '  opens the file' or diag $opened->{stderr};

($exit, $out) = at_terminal("yes\n");
is $exit, 0, 'yes' or diag $out;
like +($t->acmectl('account', 'list'))[1], qr/no account/, 'it is gone'
    or diag $out;
$t->stop;
$t->done;
