# The DNS server of tests takes signed updates, refuses others, is what the CA
# asks, and its secondary follows when it is told to.
use v5.36;
use lib 't/lib';
use Acme::Proc qw(run spew wait_until);
use Acme::Test;
use Acme::Tool qw(find_tool);
use Test::More;

my $t = Acme::Test->new(ca => 'pebble', knot => { secondary => 1, zones => {
    'a.test' => { '@' => ['A 127.0.0.1'], www => ['TXT "there"'] },
} });
my $knot = $t->dns;
my $update = find_tool('knsupdate') // BAIL_OUT('no knsupdate');
my $question = '_acme-challenge.a.test';

# What the server says of an update signed with that key.
sub update ($key)
{
    my $script = spew("$t->{dir}/update", join "\n",
        'server ' . $knot->ip . ' ' . $knot->port, 'zone a.test.',
        "add $question. 60 TXT \"value\"", 'send', '');
    my $got = run(cmd => [$update, '-k', $key, $script]);

    return $got->{exit} == 0 ? 'ok' : $got->{stdout} . $got->{stderr};
}

$t->site('a.test')->start;
ok $t->wait_certificate('a.test'), 'the CA resolves names here' or $t->give_up;
is_deeply [$knot->txt('www.a.test')], ['there'], 'what the zone was made with';

my $file = "$t->{dir}/key";
like update($knot->key_file($file, 'update', format => 'line',
    secret => 'AAAA')), qr/BADSIG/, 'a wrong secret';
is_deeply [$knot->txt($question)], [], 'nothing was changed';
is update($knot->key_file($file, 'update', format => 'line')), 'ok',
    'the right one';
is_deeply [$knot->txt($question)], ['value'], 'it was';
is $knot->updates, 2, 'both are counted';

is_deeply [$knot->ask(secondary => $question, 'TXT')], [],
    'the secondary is behind';
$knot->follow;
ok wait_until(5, sub { $knot->ask(secondary => $question, 'TXT') }),
    'until it is told to follow';
$knot->add('a.test', 'more', 'TXT', '"by hand"');
is_deeply [$knot->txt('more.a.test')], ['by hand'], 'a record by hand';
$t->done;
