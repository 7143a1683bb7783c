#!/usr/bin/perl
# A challenge.json planted with somebody else's key authorization, account or
# thumbprint: what we answer is always computed from an account key of the
# state directory.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;
use JSON::PP;

use constant PATH => '/.well-known/acme-challenge/';

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test')->site('plain.test', acme => undef)->start;
$t->wait_certificate('a.test') or $t->give_up;
my ($thumbprint, $id) = ($t->acmectl('key', 'thumbprint'))[1]
    =~ /^([\w-]{43}) .* (\w+)$/m or $t->give_up;

my $token = 'planted0123456789abcdef';
my $foreign = 'F' x 43;
my %good = (name => 'victim.test', token => $token);
my @plant = (
    { %good, account => $id,
        key_authorization => "$token.$foreign",
        keyAuthorization => "$token.$foreign", thumbprint => $foreign },
    { %good, account => 'f' x length $id },
    { %good, account => '../../../tmp/x' },
    { %good, account => $foreign },
    { %good, account => { kty => 'oct' } },
);

sub plant ($lineage, $content)
{
    my $dir = $t->state("orders/$lineage");
    mkdir $dir, 0700;
    spew("$dir/challenge.json", encode_json($content), 0600);
    my ($own) = (stat $t->state)[4];
    chown $own, -1, $dir, "$dir/challenge.json";
    utime undef, undef, $t->state('orders');
    return;
}

sub answers ()
{
    my @all = map { $t->http_get(PATH . $token, host => $_) }
        qw(a.test victim.test plain.test);
    return join "\n", map { $_->{raw} } @all;
}

my $number = 0;
for my $planted (@plant) {
    my %list = (account => $planted->{account}, challenges => [$planted]);
    plant('plant' . ++$number, $_)
        for $planted, { %$planted, %list }, \%list;
}
# one that is as it should be shows that the others were looked at, too
plant('good', { account => $id, challenges => [{ name => 'proof.test',
    token => $token }] });
ok $t->wait_for(sub {
    $t->http_get(PATH . $token, host => 'proof.test')->{body}
        eq "$token.$thumbprint" }, 6), 'planted orders are read'
    or diag $t->http_get(PATH . $token, host => 'proof.test')->{raw};
my $all = answers();
unlike $all, qr/$foreign/, 'no answer has what was planted';
like $t->http_get(PATH . $token, host => 'a.test')->{body},
    qr/^\Q$token.$thumbprint\E\s*$/, 'names of ours: our own thumbprint';

ok $t->reload, 'reload';
unlike answers(), qr/$foreign/, 'nor after a reload';
like $t->log, qr/orders left out/, 'and the log says what was left out';

$t->done;
