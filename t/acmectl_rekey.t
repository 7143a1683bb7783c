#!/usr/bin/perl
# acmectl account rekey beside a running server: the account stays, its key is
# another at every CA that has it, the old one is no use, and the workers
# answer for the new one at once and never for the old one again.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Client;
use Acme::Proc qw(slurp);
use Acme::Test;
use Time::HiRes qw(sleep time);

use constant PATH => '/.well-known/acme-challenge/token';

my $t = Acme::Test->new(ca => 'own');
my $pebble = $t->add_ca('pebble');
my ($exit, $out, $err);
sub account (@args) { ($exit, $out, $err) = $t->acmectl('account', @args) }
sub shown ($ca)
{
    account("show", "--server", $ca->url);
    return { map { /^([^:]+): (.*)$/ } split /\n/, $out };
}
sub answer () { return $t->http_get(PATH, host => 'a.test')->{body} }

$t->issuer('own', ca => $t->ca);
$t->issuer('pebble', ca => $pebble);
$t->site('a.test', acme => 'own')->site('b.test', acme => 'pebble');
$t->site('c.test', acme => 'own')->start;
$t->wait_certificate($_) || $t->give_up for qw(a.test c.test);
$t->wait_for(sub { $t->peer_certificate('b.test',
    ca_file => $pebble->root_file) }, 30) or $t->give_up;

# what it does not take
account('rekey', 'ecdsa', 'rsa');
is $exit, 2, 'one key is enough';
account('rekey', 'ecdsa:111');
is $exit, 1, 'no such size';
account('rekey', '/no/such/file');
like $err, qr/neither a type of key/, 'no such file';

my @before = map { shown($_) } $t->ca, $pebble;
is $before[0]{Thumbprint}, $before[1]{Thumbprint}, 'one key for both CAs';
is answer(), "token.$before[0]{Thumbprint}", 'answered for it';

for my $type ('ecdsa:256', 'rsa:2048', 'ecdsa:384') {
    my @old = map { shown($_) } $t->ca, $pebble;
    account('rekey', '--server', $t->ca->url,
        $type eq 'ecdsa:256' ? () : $type);
    is $exit, 0, "rekey $type" or diag $err;
    my $began = time;
    my @new = map { shown($_) } $t->ca, $pebble;
    for my $n (0, 1) {
        is $new[$n]{'Account URI'}, $before[$n]{'Account URI'}, 'same account';
        is $new[$n]{'Key type'}, $type, 'its key';
        isnt $new[$n]{Thumbprint}, $old[$n]{Thumbprint}, 'is another';
        is $new[$n]{Thumbprint}, $new[0]{Thumbprint}, 'the same at both CAs';
    }
    my ($known) = $t->ca->accounts;
    is $known->{thumbprint}, $new[0]{Thumbprint}, 'our CA knows it';
    account('show', '-d', '--server', $pebble->url);
    like $out, qr/^Status: valid$/m, 'Pebble takes it';
    my $client = Acme::Client->new(url => $pebble->url,
        ca_file => $pebble->ca_file, key => slurp($t->state('keys',
            "$old[1]{Key}.replaced.pem")));
    my $refused;
    for (1 .. 9) {    # Pebble refuses some nonces, to see what becomes of it
        $refused = $client->post($client->directory->{newAccount},
            { onlyReturnExisting => JSON::PP::true })->{json}{type} // 'none';
        last if $refused !~ /badNonce/;
    }
    like $refused, qr/accountDoesNotExist/,
        'and has no account of the old key';

    # S36: all workers, within 2 s of the end, and not the old one after it
    my $right = "token.$new[0]{Thumbprint}";
    ok $t->wait_for(sub { answer() eq $right }, 2), 'the new one is answered';
    cmp_ok time - $began, '<', 4, 'soon';
    is_deeply [grep { $_ ne $right } map { answer() } 1 .. 40], [],
        'by every worker, from then on';
}

# renewals: at both CAs, with the account that there was
for my $n (0, 1) {
    my $name = ('a.test', 'b.test')[$n];
    my $old = $t->serial($name);
    my ($code, undef, $said) = $t->acmectl('renew', '--force', '--cert-name',
        $name);
    is $code, 0, "$name renewed" or diag $said;
    isnt $t->serial($name), $old, '  with another certificate';
}
is scalar($t->ca->accounts), 1, 'no other account was made';
ok $t->restart, 'restart';
$t->wait_helpers;
my $serial = $t->serial('c.test');
$t->acmectl('renew', '--force', '--cert-name', 'c.test');
isnt $t->serial('c.test'), $serial, 'a new server finds it as well';
is scalar($t->ca->accounts), 1, 'and makes none';

# a new site of a CA that had none takes the default, which has moved on
ok !-e $t->state('keys', 'rekey.json'), 'nothing is on the way any more';
my ($event) = reverse grep { $_->{event} eq 'account-rekeyed' } $t->events;
ok -e $t->state('keys', "$event->{subject}.pem"),
    'an event tells the key';
my @keys = grep { m{^keys/[0-9a-f]{32}\.pem$} } $t->state_files;
is scalar @keys, 1, 'one key is in use';
like $t->state_text('keys', 'default.json'), qr/\Q@{[$keys[0] =~ m{(\w+)\.pem}]}/,
    'which is the default';

$t->done;
