#!/usr/bin/perl
# What acmectl import does not take over, or not as it is: files that others
# could have written, links that lead elsewhere, versions that are none, names
# that are another lineage's, settings without a counterpart.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Foreign qw(blueprint certbot_account certbot_tree fingerprint pair);
use Acme::Proc qw(run slurp spew);
use Acme::Test;
use JSON::PP;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => 'none');
my ($exit, $out, $err);
my $number = 0;

# A tree of Certbot's and a place for a state directory, anew.
sub fresh ($params = '', $versions = 2)
{
    my $le = $t->dir . '/var/le' . ++$number;

    certbot_tree($le, 'a.test', $versions, "account = one\n$params");
    certbot_account($le, 'one');
    return ($le, $t->dir . "/var/state$number");
}

sub import_it ($le, $state, @more)
{
    ($exit, $out, $err) = $t->acmectl('import', 'certbot', $le, '--state-dir',
        $state, @more);
    return $exit;
}

# --- what is no use ------------------------------------------------------------

my $nobody = (getpwnam 'nobody')[2];
my @bad = (
    ['a key that another user has', qr{privkey2\.pem" belongs to uid $nobody},
        sub ($le) { chown $nobody, -1, "$le/archive/a.test/privkey2.pem" }],
    ['settings that others can write', qr{a\.test\.conf" could have been written by others},
        sub ($le) { chmod 0666, "$le/renewal/a.test.conf" }],
    ['a directory that others can write', qr{archive/a\.test" could have been},
        sub ($le) { chmod 0777, "$le/archive/a.test" }],
    ['a key that is a link elsewhere', qr{privkey2\.pem" leads out of},
        sub ($le) { unlink "$le/archive/a.test/privkey2.pem";
            symlink '/etc/shadow', "$le/archive/a.test/privkey2.pem" }],
    ['a live link that leads elsewhere', qr{live/a\.test/cert\.pem" leads out},
        sub ($le) { unlink "$le/live/a.test/cert.pem";
            symlink '../../../../etc/passwd', "$le/live/a.test/cert.pem" }],
    ['live files that are no links', qr{live/a\.test/privkey\.pem.*link},
        sub ($le) { unlink "$le/live/a.test/privkey.pem";
            spew("$le/live/a.test/privkey.pem", 'x', 0600) }],
    ['links to two versions', qr{versions 2 and 1},
        sub ($le) { unlink "$le/live/a.test/privkey.pem";
            symlink '../../archive/a.test/privkey1.pem',
                "$le/live/a.test/privkey.pem" }],
    ['an archive elsewhere', qr{archive_dir "/elsewhere/a\.test" is not below},
        sub ($le) { my $text = slurp("$le/renewal/a.test.conf");
            spew("$le/renewal/a.test.conf",
                $text =~ s{archive_dir = .*}{archive_dir = /elsewhere/a.test}r) }],
    ['a live version that is not complete', qr{version 2, which is live, is not},
        sub ($le) { unlink "$le/archive/a.test/chain2.pem" }],
    ['settings that are none', qr{line 1: neither},
        sub ($le) { spew("$le/renewal/a.test.conf", "what?\n") }],
    ["another one's key", qr{the key is not that of the certificate},
        sub ($le) { my ($key) = pair('x.test');
            spew("$le/archive/a.test/privkey2.pem", $key, 0600) }],
    ['a device', qr{fullchain2\.pem},
        sub ($le) { unlink "$le/archive/a.test/fullchain2.pem";
            run(cmd => ['mkfifo', "$le/archive/a.test/fullchain2.pem"]) }],
);
for my $case (@bad) {
    my ($what, $why, $spoil) = @$case;
    my ($le, $state) = fresh();
    certbot_tree($le, 'good.test', 1);
    $spoil->($le);
    my $before = fingerprint($le);
    is import_it($le, $state), 1, $what;
    like $err, qr/^acmectl: a\.test: .*$why/m, '  is told' or diag $out;
    ok !-e "$state/live/a.test" && !-e "$state/renewal/a.test.json",
        '  nothing of it is here';
    ok -l "$state/live/good.test", '  another one is';
    is fingerprint($le), $before, '  it is as it was';
}

# --- blueprints that are none -----------------------------------------------------

for my $case (
    ['an anchor', qr/line 1, column 7: anchors are not read/, "name: &a a.test\n"],
    ['an alias', qr/line 1, column 7: aliases are not read/, "name: *a\n"],
    ['a bomb', qr/line 1, column 4: anchors are not read/,
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"],
    ['a key that is there twice', qr/line 2, column 1: the same key is there twice/,
        "name: a.test\nname: b.test\n"],
    ['a key that is a list', qr/a key is no text/, "? [a]\n: b\n"],
    ['a list', qr/it is no mapping/, "- a\n"],
    ['a text', qr/it is no mapping/, "hunter2\n"],
    ['two documents', qr/a second document/, "a: b\n---\nc: d\n"],
    ['no end', qr/line \d+, column \d+: /, "password: [hunter2\n"],
    ['a tab', qr/line 2, column \d+: /, "password:\n\t- hunter2\n"],
    ['no UTF-8', qr/byte \d+: /, "password: hunter2\xff\n"],
    ['a NUL', qr/a text has a NUL in it/, qq(password: "hunter2\\0"\n)],
    ['a well', qr/nested too deeply/, 'a: ' . '[' x 5000 . ']' x 5000 . "\n"],
    ['too many nodes', qr/there is too much in it/, 'a: [' . 'b,' x 20_000 . "]\n"],
    ['too much', qr/y\.yaml/, '# ' . 'x' x 70_000 . "\n"],
    ['no names', qr/neither a common_name nor a san/,
        "name: y\ncertificate: {type: DV}\n"],
    ['no name', qr/it has no name/, "certificate: {common_name: a.test}\n"],
    ['a name that leads elsewhere', qr{"\.\./x"},
        "name: ../x\ncertificate: {common_name: a.test}\n"],
) {
    my ($what, $why, $text) = @$case;
    my ($blue, $state) = map { $t->dir . "/var/$_" . ++$number } qw(blue state);
    blueprint($blue, "$blue.ssl", 'good.test');
    spew("$blue/y.yaml", $text, 0644);
    ($exit, $out, $err) = $t->acmectl('import', 'blueprint', $blue,
        '--state-dir', $state);
    is $exit, 1, "a blueprint: $what";
    like $err, qr/^acmectl: (?:y|\.\.\/x): .*$why/m, '  is told' or diag $out;
    unlike $err, qr/hunter2/, '  not what it says';
    ok -l "$state/live/good.test", '  another one is taken over';
}

# --- what else is wrong --------------------------------------------------------

my ($le, $state) = fresh();
chown $nobody, -1, $le;
is import_it($le, $state), 1, "another user's directory";
like $err, qr/le\d+" belongs to uid $nobody|belongs to/, '  is refused';
ok !-e $state, '  and nothing made';
is +($t->acmectl('import', @$_))[0], 2, "import @$_" for [], ['certbot'],
    ['nobody', $le], ['certbot', $le, '--new-name', 'b.test'];
is import_it($t->dir . '/none', $state), 1, 'no directory';
is import_it($t->www, $state), 1, 'another one';
like $err, qr/is no configuration directory of Certbot's/, '  which is told';

# --- names ---------------------------------------------------------------------

($le, $state) = fresh();
is import_it($le, $state, '--cert-name', 'none.test'), 1, 'none of that name';
is import_it($le, $state), 0, 'one' or diag $err;
my ($other) = fresh();
certbot_tree($other, 'b.test', 1);
my $before = fingerprint($state, qr{/locks$});
is import_it($other, $state), 1, 'a name that is another one\'s';
like $err, qr/a\.test: there is another lineage .*--cert-name a\.test --new-name a\.test-0001/,
    '  is told with the cure';
is fingerprint($state, qr{/locks$}), $before, '  and nothing else taken over';
is import_it($other, $state, '--cert-name', 'a.test', '--new-name',
    'a.test-0001'), 0, '  which works' or diag $err;
is slurp("$state/live/a.test-0001/cert.pem"),
    slurp("$other/live/a.test/cert.pem"), '  as it should';
is import_it($other, $state, '--cert-name', 'b.test'), 0, 'and another alone';

# --- accounts ------------------------------------------------------------------

($le, $state) = fresh();
certbot_account($le, 'two');
is import_it($le, $state), 0, 'several accounts';
like $out, qr{^account https://acme\.test/one: taken over$}m,
    'that of the lineage is taken over';
like $out, qr{^account https://acme\.test/two: there is the account "https://acme\.test/one"}m,
    'not the other one';
($le, $state) = fresh();
spew("$le/accounts/acme.test/dir/one/private_key.json", '{}', 0400);
is import_it($le, $state), 0, 'an account that is no use';
like $out, qr/^not taken over: accounts: .*private_key\.json/m, '  is told';
ok -l "$state/live/a.test", '  the rest is here';

# --- settings ------------------------------------------------------------------

($le, $state) = fresh(<<'CONF');
authenticator = manual
manual_auth_hook = /bin/true
pref_challs = dns-01,
autorenew = False
preferred_chain = "A, Root"   # of theirs
required_profile = short
key_type = ecdsa
elliptic_curve = secp384r1
user_agent = mine
installer = None
new_in_certbot_9 = x
CONF
spew("$le/renewal/a.test.conf", "renew_before_expiry = 5 weeks\n"
    . slurp("$le/renewal/a.test.conf"));
is import_it($le, $state), 0, 'settings' or diag $err;
my $of = decode_json(slurp("$state/renewal/a.test.json"))->{declared}[0];
is_deeply [$of->{keys}, $of->{timing}, $of->{proof}, @{ $of->{issuer} }{
    qw(preferred_chain profile profile_required terms_accepted)}],
    [['ecdsa:384'], { mode => 'manual', window => '3024000s' },
        { challenge => ['dns-01'], command => ['certbot', '/bin/true', 'timeout=120'] },
        'A, Root', 'short', JSON::PP::true, JSON::PP::true],
    'are taken over' or diag explain $of;
like $out, qr/not taken over: user_agent mine: /, 'or told';
like $out, qr/not taken over: new_in_certbot_9 x: it is not known/,
    'also what is new';
unlike $out, qr/installer/, 'not what says nothing';

# a name that only the DNS can prove
$le = $t->dir . '/var/wild';
$state = $t->dir . '/var/wildstate';
certbot_tree($le, '*.w.test', 1);
rename "$le/$_/*.w.test", "$le/$_/w.test" for qw(archive live);
rename "$le/renewal/*.w.test.conf", "$le/renewal/w.test.conf";
my $conf = slurp("$le/renewal/w.test.conf");
spew("$le/renewal/w.test.conf", $conf =~ s/\*\.w\.test/w.test/gr, 0644);
for my $kind (qw(cert privkey chain fullchain)) {
    unlink "$le/live/w.test/$kind.pem";
    symlink "../../archive/w.test/${kind}1.pem", "$le/live/w.test/$kind.pem";
}
is import_it($le, $state), 0, 'a wildcard' or diag $err;
like $out, qr/^w\.test: taken over \(/m, '  is here';
like $out, qr/not taken over: renewal: .*\*\.w\.test.*acmectl issue --cert-name w\.test/,
    '  and what its renewal lacks is told' or diag $out;
ok !-e "$state/renewal/w.test.json", '  nobody renews it';

$t->done;
