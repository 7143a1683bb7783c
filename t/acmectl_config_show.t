#!/usr/bin/perl
# acmectl config show: whose word counts for each option; config test: all that
# is wrong, by file and line.  And that a file's word does not change what a
# lineage has kept.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;
use File::Path qw(make_path);
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;
my $state = $t->state;
my $home = $t->dir . '/home';
make_path("$home/.config");
my $own = "$home/.config/acmectl.ini";
my $ini = $t->dir . '/my.ini';

sub acmectl (@args)
{
    my %env = ref $args[0] ? %{ shift @args } : ();
    return $t->acmectl({ env => { ACME_STATE_DIR => undef, HOME => $home,
        XDG_CONFIG_HOME => undef, %env } }, @args);
}

# option => [value, from]
sub shown (@args)
{
    my ($exit, $out, $err) = acmectl(ref $args[0] ? shift @args : (),
        'config', 'show', '--json', @args);
    is $exit, 0, "config show @args" or diag $err;
    return { map { $_->{option} => [@$_{qw(value from)}] }
        @{ decode_json($out || '[]') } };
}

# of every command
spew($own, "# ours\nverbose = true\nemail = me\@a.test, you\@a.test\n"
    . "reuse-key = no\nstate-dir = $state\n");
my $all = shown();
is_deeply $all->{'state-dir'}, [$state, "$own:5"], 'a file, by its line';
is_deeply $all->{verbose}, [1, "$own:2"], 'a switch';
is_deeply $all->{email}, ['me@a.test you@a.test', "$own:3"], 'a list';
is_deeply $all->{'reuse-key'}, ['false', "$own:4"], 'what is said to be off';
is_deeply $all->{server}, ['letsencrypt', 'built-in'], 'what is assumed';
is_deeply $all->{'lock-timeout'}, [30, 'built-in'], 'a number';
ok !exists $all->{'cert-name'}, 'nothing that is for one command';
$all = shown({ ACME_STATE_DIR => $t->dir }, '--server', 'zerossl', '-v');
is_deeply $all->{'state-dir'}, [$t->dir, 'environment'], 'the environment';
is_deeply $all->{server}, ['zerossl', 'command line'], 'the command line';
is $all->{verbose}[0], 1, '  alone counts';
like +(acmectl('config', 'show'))[1], qr/^email +me\@a\.test you\@a\.test +\Q$own\E:3$/m,
    'as text';
is +(acmectl('config', 'show', '--cert-name', 'no.test'))[0], 1, 'no such lineage';

# of one lineage
my @ca = ('-n', '--ca-file', $t->ca->ca_file, '--agree-tos', '--preflight',
    'off');
my ($exit, $out, $err) = acmectl('issue', @ca, '--server', $t->ca->url, '-d',
    'new.test', '-m', 'kept@a.test', '--key-type', 'rsa:2048');
is $exit, 0, 'issued' or diag $out, $err;
spew($ini, "state-dir = $state\nserver = https://elsewhere.test/dir\n"
    . "email = me\@a.test\nkey-type = ecdsa:384\nprofile = short\n"
    . "must-staple = yes\n");
my $of = shown('-c', $ini, '--cert-name', 'new.test', '-d', 'b.test');
my %expect = (
    server => [$t->ca->url, 'lineage'],
    email => ['mailto:kept@a.test', 'lineage'],
    'key-type' => ['rsa:2048', 'lineage'],
    'agree-tos' => ['true', 'lineage'],
    preflight => ['off', 'lineage'],
    profile => ['short', "$ini:5"],
    'must-staple' => ['true', "$ini:6"],
    domains => ['b.test', 'command line'],
    'reuse-key' => ['false', 'built-in'],
);
is_deeply $of->{$_}, $expect{$_}, "of a lineage: $_" or diag explain $of->{$_}
    for sort keys %expect;
ok !exists $of->{json}, 'nothing but what lineages have';
$of = shown('-c', $ini, '--cert-name', 'a.test');
is $of->{server}[0], $t->ca->url, 'of a server: its CA';
like $of->{server}[1], qr/^(?:nginx|httpd):\//, '  by its configuration';

# and that is what is done
($exit, $out, $err) = acmectl('-c', $ini, 'issue', '-n', '-d', 'new.test',
    '--force');
is $exit, 0, 'a renewal with that file' or diag $out, $err;
my ($kept) = @{ $t->state_json('renewal', 'new.test.json')->{declared} };
is $kept->{issuer}{directory}, $t->ca->url, 'it is of the same CA';
is_deeply $kept->{keys}, ['rsa:2048'], '  with the same type of key';
is_deeply $kept->{issuer}{contact}, ['mailto:kept@a.test'], '  and contact';

# test
sub tested (@args)
{
    my ($code, $text, $said) = acmectl('config', 'test', '--json', @args);
    my $json = decode_json($text || '{}');
    return ($code, $json, join "\n", @{ $json->{problems} // [] });
}

my ($json, $problems);
($exit, $json, $problems) = tested();
is "$exit $problems", '0 ', 'all in order';
is_deeply $json->{files}, [$own], '  which file that is';
is_deeply $json->{state_dirs}, [{ state_dir => $state, lineages => 2,
    servers => 1 }], '  and what there is';
is +(acmectl('-q', 'config', 'test'))[1], '', 'quietly';
my $changed = join ',', $t->state_files;

spew($ini, "state-dir = $state\nfrobnicate = 1\njson = perhaps\n"
    . "cert-name = a.test\nlines = many\nno line\n");
($exit, undef, $problems) = tested('-c', $ini);
is $exit, 1, 'a file that is wrong';
like $problems, $_, "  told: $_" for qr/my\.ini:2: there is no option "frob/,
    qr/my\.ini:3: json = perhaps/, qr/my\.ini:4: "cert-name"/,
    qr/my\.ini:5: --lines "many"/, qr/my\.ini:6: "no line"/;
spew($ini, "state-dir = $state\nkey-type = dsa\n");
($exit, undef, $problems) = tested('-c', $ini);
ok $exit == 1 && $problems =~ /--key-type "dsa" is none of/,
    'a value that cannot be' or diag $problems;
chmod 0666, $ini;
($exit, undef, $problems) = tested('-c', $ini);
ok $exit == 1 && $problems =~ /not believed/, 'a file that others can change';
($exit, undef, $problems) = tested('--state-dir', '/nonexistent/acme');
ok $exit == 1 && $problems =~ m{"/nonexistent/acme"}, 'no state directory';

my $settings = $t->state('renewal', 'new.test.json');
my $good = slurp($settings);
for my $case (
    ['{ "declared": [', qr/new\.test\.json.*line/],
    [$good =~ s{("ca_file": ")[^"]+}{$1/no/such}r, qr{new\.test\.json: .*/no/such}],
    [$good =~ s{"must_staple"}{"hooks": { "deploy": [["/no/hook"]] }, "must_staple"}r,
        qr{new\.test\.json: .*/no/hook}],
) {
    spew($settings, $case->[0]);
    ($exit, undef, $problems) = tested();
    ok $exit == 1 && $problems =~ $case->[1], "settings: $case->[1]"
        or diag $problems;
}
spew($settings, $good);
is join(',', $t->state_files), $changed, 'nothing was changed by any of it';

$t->done;
