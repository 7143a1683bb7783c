#!/usr/bin/perl
# Hooks that hang, stay in the background, write what nobody should see in a
# log or terminal, or are replaced while they run: bounded in time, nothing is
# left of them, all that is shown is printable, and certificates are served.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(process_table slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $dir = $t->dir;
my $sleep = 900_000 + $$;           # known by that

sub hook ($name, $text)
{
    return spew("$dir/$name", "#!/bin/sh\n$text\n", 0755);
}

my @hooks = (
    hook('hangs', "trap '' TERM HUP INT; (setsid sleep $sleep &)\n"
        . "while :; do sleep $sleep; done"),
    hook('leaves', "(setsid sleep $sleep >&- 2>&- &)\nexit 0"),
    hook('floods', 'head -c 1000000 /dev/urandom'),
    hook('writes', "printf '\\033]0;owned\\007\\n[emerg] forged line\\n\\342\\200\\256x' "
        . ">&2\nexit 1"),
);
my $replaced = hook('replaced', "echo first >> $dir/runs\n"
    . "printf '#!/bin/sh\\necho second >> $dir/runs\\n' > $dir/new\n"
    . "chmod 755 $dir/new\nmv $dir/new $dir/replaced\n");

$t->expect_log(qr/hook failed/, qr/forged line/);
$t->configure(hook_timeout => '1s', hook => ["pre $hooks[0]",
    map { "deploy $_" } @hooks[1 .. 3], $replaced]);
$t->site('a.test')->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;
ok $t->wait_for(sub { -e "$dir/runs" }, 20), 'one after the other';
ok $t->wait_for(sub { !-e $t->state('due', 'a.test.json') }, 10),
    'all are done with';

like $t->log, qr/pre hook failed.*hangs" had not ended after 1 s and was killed/,
    'the time limit';
like $t->log, qr/leaves" left 1 process running, killed now/,
    'what stays in the background';
is_deeply [grep { $_->{title} =~ /\b$sleep\b/ } values %{ process_table() }],
    [], 'nothing is left of them';
like $t->log, qr/writes" failed with exit status 1: .*\\x1b\]0;owned\\+x07/,
    'what one wrote is shown as text';

my ($exit, $out) = $t->acmectl('status');
my $told = $t->state_text('told', 'a.test.json');
my %output = map { $_->{command} =~ s{.*/}{}r => $_->{output} // '' }
    @{ $t->state_json('told', 'a.test.json')->{hooks} };
ok length($output{floods}) > 100 && length($output{floods}) <= 1024,
    'the end of a megabyte is remembered';
like $output{writes}, qr/owned.*forged line/, 'as are words';
for (['the log', $t->log], ['told', $told], ['acmectl status', $out],
    ['floods', $output{floods}],
        ['writes', $output{writes}]) {
    my ($what, $text) = @$_;
    unlike $text, qr/[\x00-\x08\x0b-\x1f\x7f]/, "$what: no control bytes";
    unlike $text, qr/\xe2\x80\xae|\x{202e}/, "$what: no right-to-left";
    unlike $text, qr/^\[emerg\] forged/m, "$what: no line of its own";
}

is slurp("$dir/runs"), "first\n", 'the one that replaced itself';
($exit) = $t->acmectl('renew', '--force', '--cert-name', 'a.test');
is $exit, 0, 'a renewal with all that';
ok $t->wait_for(sub { slurp("$dir/runs") eq "first\nsecond\n" }, 20),
    'the new program is run then';
isnt $t->serial('a.test'), $first->{serial}, 'the new one is served';

$t->done;
