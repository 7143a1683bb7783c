#!/usr/bin/perl
# acmectl account create: found or made, with a key that is given or not;
# nothing without consent; contacts that a CA refuses; an external account
# binding; a lost key.  No server runs.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::Jws qw(b64 load_key public_jwk thumbprint);
use Acme::CA::X509 qw(new_key);
use Acme::Proc qw(run slurp spew);
use Acme::Test;
use Acme::Tool qw(built);
use JSON::PP;

my %mac = (a => b64('x' x 32), b => b64('y' x 32));
my $t = Acme::Test->new(ca => 'own');
my $pebble = $t->add_ca({ type => 'pebble', eab => { 'kid-a' => $mac{a} } });
my $conf = $t->dir . '/conf';
$t->start_ca;

my ($exit, $out, $err);
my @ca = ('--server', $t->ca->url, '--ca-file', $t->ca->ca_file);
sub account (@args) { ($exit, $out, $err) = $t->acmectl('account', @args) }
sub create (@args) { account('create', @ca, @args) }
sub files () { grep { /\.(?:pem|json)$/ } $t->state_files }
sub known () { scalar $t->ca->accounts }

# what it does not take, and what is needed
spew("$conf/half.pem", substr(new_key('ecdsa:256'), 0, 90), 0600);
for my $wrong (
    [2, [qw(--email a@b.test --no-contact)], qr/exclude another/],
    [2, [qw(--email nobody)], qr/"nobody" is no address/],
    [2, ['--email', 'a@b.test,x'], qr/"x" is no address/],
    [2, ['--email', 'mailto:a@b.test?subject=x'], qr/is no address/],
    [2, [qw(mailto:a..b@b.test)], qr/is no address/],
    [2, [], qr/--email ADDRESS, or --no-contact/],
    [2, [qw(--no-contact --eab-kid x)], qr/go together/],
    [2, [qw(--no-contact --eab-kid x --eab-hmac-key !)], qr/eab-hmac-key/],
    [1, [qw(--no-contact --key dsa:1)], qr/"dsa:1": No such file/],
    [1, ['--no-contact', '--key', "$conf/none"], qr/none/],
    [1, ['--no-contact', '--key', "$conf/half.pem"], qr/no private key found/],
    [1, ['--no-contact'], qr/no account without consent: .*http.*--agree-tos/]) {
    my ($code, $args, $why) = @$wrong;
    create(@$args);
    ok $exit == $code && $out eq '' && $err =~ $why, "refused: @$args"
        or diag "$exit: $out$err";
}
is known(), 0, 'and the CA has no account';
is join(' ', files()), '', 'nor is there a key here';

# made and found
create('--email', 'a@b.test,c@d.test', '--agree-tos');
is $exit, 0, 'made' or diag $err;
my ($account) = $t->ca->accounts;
like $out, qr/\AAccount URI: \Q$account->{url}\E\n/, 'its URI in the first line';
is_deeply $account->{contact}, ['mailto:a@b.test', 'mailto:c@d.test'], 'contacts';
my ($id) = $out =~ /^Key: (\S{32})$/m;
is scalar(grep { $_ eq "keys/$id.pem" } files()), 1, 'its key is here';
my $before = join ' ', files();
create();
is $exit, 0, 'once more' or diag $err;
like $out, qr/\AAccount URI: \Q$account->{url}\E\n.*had this account/s,
    'it is found, and nothing is asked';
is known(), 1, 'there is one';
is join(' ', files()), $before, 'and here as well';
$t->ca->forget_accounts;
create(qw(--no-contact --agree-tos));
($account) = $t->ca->accounts;
like $out, qr/\AAccount URI: \Q$account->{url}\E\n.*is new/s,
    'a CA that has forgotten it: made with the same key';
account('show', '--server', $t->ca->url);
like $out, qr/\AAccount URI: \Q$account->{url}\E\n/, 'and that is noted';
my %told;
$told{ $_->{event} }++ for $t->events;
is $told{'account-created'}, 2, 'events tell of both';

# with a key that is given
for my $form ('pem', 'jwk') {
    my $pem = new_key('ecdsa:384');
    my $file = spew("$conf/own.$form", $form eq 'pem' ? $pem
        : load_key($pem)->export_key_jwk('private'), 0600);
    my $text = slurp($file);
    create('--json', '-k', $file, qw(--no-contact --agree-tos));
    my $made = decode_json($out);
    is +($t->ca->accounts)[-1]{thumbprint},
        thumbprint(public_jwk(load_key($pem))), "the account of a given $form";
    ok $made->{made} && !$made->{used}, 'is new, and not used for orders';
    is slurp($file), $text, 'the file is as it was';
    create('-k', $file);
    ok $exit == 0 && $out =~ /\AAccount URI: \Q$made->{url}\E$/m, 'found again';
    like $out, qr/account of key $id; account merge --into $made->{id}/,
        'what is used, and how that is changed';
}
account('show');
ok $exit == 2 && $err =~ /there are 3 accounts.*--account ID/s
    && $err =~ /$id/, 'three of them: which one?';

# contacts that the CA does not like
$t->ca->fault(where => 'newAccount', do => 'error', status => 400, times => 2,
    skip => 1, type => 'invalidContact', detail => 'bad a@b.test');
create(qw(--key rsa:2048 --email a@b.test --agree-tos));
is $exit, 1, 'an address that is refused' or diag "$out$err";
like $err, qr/invalidContact.*a\@b\.test.*--email/s, 'is named, with the option';
$t->ca->clear_faults;

# a lost key
unlink $t->state("keys/$id.pem") or die;
create(qw(--no-contact --agree-tos));
ok $exit == 1 && $err =~ /is missing.*create --replace/, 'lost: told how'
    or diag "$exit: $out$err";
create(qw(--no-contact --agree-tos --replace));
ok $exit == 2 && $err =~ /--confirm/, 'a question';
create(qw(--no-contact --agree-tos --replace --confirm));
is $exit, 0, 'replaced' or diag $err;
my ($new) = $out =~ /^Key: (\S{32})$/m;
isnt $new, $id, 'by another key';
unlike $out, qr/Orders are made/, 'which is used';
account('list');
ok $out !~ /$id/ && $out =~ /$new/, 'the lost one is put aside';
create();
like $out, qr/^Key: $new$/m, 'and that is how it stays';

# one that is deactivated
account('deactivate', '--confirm', '--account', $new, @ca[2, 3]);
is $exit, 0, 'deactivated' or diag $err;
create(qw(--key ecdsa:256 --no-contact --agree-tos));
ok $exit == 1 && $err =~ /is deactivated.*create --replace/, 'its key is dead'
    or diag "$exit: $out$err";

# a binding, at Pebble
@ca = ('--server', $pebble->url, '--ca-file', $pebble->ca_file);
create(qw(--no-contact --agree-tos));
ok $exit == 1 && $err =~ /--eab-kid ID and --eab-file FILE/, 'a binding is wanted'
    or diag "$exit: $out$err";
my $file = spew("$conf/eab", $mac{b}, 0600);
my @eab = ('--eab-kid', 'kid-a', '--no-contact', '--agree-tos');
create(@eab, '--eab-file', $file);
ok $exit == 1 && $err =~ /external account binding/, 'another one is refused';
create(@eab, '--eab-hmac-key', $mac{a});
is $exit, 0, 'on the command line' or diag $err;
like $err, qr/others on this machine can see/, 'with a warning';
unlike $err . $out . join('', map { $t->state_text($_) } files()), qr/\Q$mac{a}\E/,
    'and kept nowhere';
spew($file, $mac{a}, 0600);
create(@eab, '--eab-file', $file, '--key', 'ecdsa:384', '--eab-alg', 'HS256');
is $exit, 0, 'in a file' or diag $err;

# where somebody sits
SKIP: {
    skip 'no script(1) here', 6
        if run(cmd => ['script', '--version'])->{exit} != 0;
    my @command = (built('ACME_ACMECTL', 'acmectl'), '--state-dir', $t->dir . '/typed-state',
        'account', 'create', '--server', $t->ca->url, '--ca-file', $t->ca->ca_file);
    my $at_terminal = sub ($typed, @more) {
        my $ran = run(stdin => spew($t->dir . '/typed', $typed),
            cmd => ['script', '-qec', join(' ', @command, @more), '/dev/null']);
        ($exit, $out) = ($ran->{exit}, $ran->{stdout});
    };
    my $n = known();

    $at_terminal->("who\nx\@y.test\nn\n");
    is $exit, 1, 'no consent';
    like $out, qr/E-mail address.*"who" is no address.*E-mail.*terms of service.*http.*nothing was done/s,
        'an address until it is one; the terms';
    is known(), $n, 'no account';
    ok !glob($t->dir . '/typed-state/keys/*.pem'), 'and no key';
    $at_terminal->("x\@y.test\nyes\n");
    is $exit, 0, 'consent' or diag $out;
    is_deeply +($t->ca->accounts)[-1]{contact}, ['mailto:x@y.test'], 'and the address';
}

$t->done;
