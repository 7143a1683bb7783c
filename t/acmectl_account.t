#!/usr/bin/perl
# acmectl account: what there is, what the CA says of it, other contacts, and
# its end, which the CA confirms before anything changes here; beside a running
# server, whose certificates stay.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
my $pebble = $t->add_ca('pebble');

my ($exit, $out, $err);
sub account (@args) { ($exit, $out, $err) = $t->acmectl('account', @args) }
sub contacts () { return join ' ', map { @{ $_->{contact} } } $t->ca->accounts }

$t->issuer('own', ca => $t->ca, contact => ['admin@own.test']);
$t->issuer('pebble', ca => $pebble);
$t->site('a.test', acme => 'own')->site('b.test', acme => 'pebble');
$t->start;
$t->wait_certificate('a.test') or $t->give_up;
$t->wait_for(sub { $t->peer_certificate('b.test',
    ca_file => $pebble->root_file) }, 30) or $t->give_up;
my $serial = $t->serial('b.test');

# what it does not take
for my $wrong (
    [[], qr/there are: account list, .*account deactivate, account import/],
    [['burn'], qr/"account burn"; there are: account list,/], [['list', 'x'], qr/unexpected "x"/],
    [['update'], qr/needs contacts, or the word clear/],
    [['update', '--server', $t->ca->url], qr/needs contacts/],
    [['update', 'nobody', '--server', $t->ca->url], qr/"nobody" is no address/],
    [['update', 'a@b.test', 'mailto:a..b@b.test', '--server', $t->ca->url],
        qr/"mailto:a\.\.b\@b\.test" is no address/],
    [['deactivate', '--server', $t->ca->url], qr/never be used.*--confirm/],
    [['show'], qr/there are 2 accounts.*--account ID or --server URL/]) {
    my ($args, $why) = @$wrong;
    account(@$args);
    is $exit, 2, "usage: account @$args";
    like $err, $why, '  and how it is meant';
}
account('show', '--account', '0' x 32);
is $exit, 1, 'an account that is not there';
like $err, qr/no such account/, 'is named';
is +($t->ca->accounts)[0]{status}, 'valid', 'nothing was asked for';

# showing
my ($mine) = $t->ca->accounts;
account('list');
like $out, qr/^[0-9a-f]{32}  \Q@{[$_->url]}\E$/m, 'listed'
    for $t->ca, $pebble;
account('--json', 'list');
is_deeply [sort map { $_->{directory} } @{ decode_json($out) }],
    [sort $t->ca->url, $pebble->url], 'as JSON too';
account('show', '--server', $t->ca->url);
is $exit, 0, 'show' or diag $err;
like $out, qr/\AAccount URI: \Q$mine->{url}\E\n/, 'begins with the URI';
like $out, qr/^Thumbprint: \Q$mine->{thumbprint}\E$/m, 'the thumbprint';
like $out, qr/^Contact: mailto:admin\@own\.test$/m, 'what was said of contacts';
unlike $out, qr/^Status/m, 'and nothing that only the CA knows';
account('show', '-d', '--offline', '--server', $t->ca->url);
ok $exit == 0 && $out !~ /^Status/m, 'nor with -d, offline' or diag $err;
my ($id) = $out =~ /^Key: (\S+)$/m;
account('show', '-k', $t->state("keys/$id.pem"), '--server', $t->ca->url);
like $out, qr/^Key: $id$/m, 'named by a file with its key' or diag $err;
account('show', '-d', '--server', $pebble->url);
is $exit, 0, 'show -d at Pebble' or diag $err;
like $out, qr/^Status: valid$/m, 'asks the CA';
account('--json', 'show', '-d', '--server', $t->ca->url);
is decode_json($out)->{status}, 'valid', 'as JSON too';

# contacts
account('update', 'new@own.test', 'mailto:two@own.test', '--server',
    $t->ca->url);
is $exit, 0, 'update' or diag $err;
is contacts(), 'mailto:new@own.test mailto:two@own.test', 'the CA has them';
account('update', 'x:nobody', '--server', $t->ca->url);
is $exit, 1, 'refused by the CA';
like $err, qr/unsupportedContact/, 'in its words';
is contacts(), 'mailto:new@own.test mailto:two@own.test', 'no change';
account('show', '--server', $t->ca->url);
like $out, qr/^Contact: mailto:two\@own\.test$/m, 'nor here';
ok $t->reload, 'reload';
$t->wait_helpers;
sleep 3;
is contacts(), 'mailto:new@own.test mailto:two@own.test',
    'the server has nothing new to say';
account('update', 'clear', '--server', $t->ca->url);
is $exit, 0, 'update clear' or diag $err;
is contacts(), '', 'none';
account('update', 'x@own.test', '--server', $pebble->url);
is $exit, 0, 'Pebble takes one' or diag $err;
account('show', '-d', '--server', $pebble->url);
like $out, qr/^Contact: mailto:x\@own\.test$/m, 'and shows it';

# the end
$t->ca->fault(where => 'account', do => 'error', status => 500, times => 1);
account('deactivate', '--confirm', '--server', $t->ca->url);
is $exit, 1, 'a CA in trouble has not confirmed it';
account('list');
like $out, qr/\Q@{[$t->ca->url]}\E/, 'nothing has changed here';
my @keys = grep { m{^keys/} } $t->state_files;
for my $ca ($t->ca, $pebble) {
    account('deactivate', '--confirm', '--server', $ca->url);
    is $exit, 0, 'deactivated' or diag $err;
    like $out, qr/^account https:\S+ deactivated$/, 'it says so';
}
is +($t->ca->accounts)[0]{status}, 'deactivated', 'the CA knows';
my %told;
$told{ $_->{event} }++ for grep { $_->{by} eq 'acmectl' } $t->events;
is $told{'account-deactivated'}, 2, 'events tell of it';
is $told{'account-updated'}, 3, 'and of contacts that were taken';
account('list');
is $out, "no accounts\n", 'put aside';
is scalar(grep { m{/deactivated\.json$} } $t->state_files), 2, 'not lost';
is_deeply [grep { m{^keys/} } $t->state_files], \@keys, 'keys stay';
is $t->serial('b.test'), $serial, 'the certificate is served';
for my $name (qw(a.test b.test)) {
    my (undef, undef, $said)
        = $t->acmectl('renew', '--force', '--cert-name', $name);
    like $said, qr/account of this key is deactivated/, "$name: no renewal";
}
ok $t->serial('a.test'), 'which is served as well';

$t->done;
