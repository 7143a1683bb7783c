#!/usr/bin/perl
# acmectl renew for a lineage whose server does not run: it does the work
# itself, and another server of the state directory answers the challenge.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $edge = Acme::Test->new(ca => 'own');
my $other = Acme::Test->new;
$edge->site('edge.test')->start;
$edge->wait_certificate('edge.test') or $edge->give_up;
$other->configure(state => $edge->state)->issuer('testca', ca => $edge->ca);
$other->site('a.test', acme => 'testca')->start;
my %verify = (verify => 0, ca_file => $edge->ca->root_file);
my $first = $other->wait_certificate('a.test', 30, %verify)
    or $edge->give_up;
$other->stop;

my ($exit, $out, $err) = $edge->acmectl('renew', '--cert-name', 'a.test');
like "$exit $out", qr/^0 a\.test: nothing was due, valid until \S+Z\n\z/,
    'nothing is due' or diag $err;
is scalar($edge->ca->orders), 2, 'no order';

($exit, $out, $err) = $edge->acmectl('renew', '--force', '--cert-name',
    'a.test');
is $exit, 0, 'by force' or diag $err;
like $out, qr/^a\.test: certificate renewed, .*version 2/, 'it is renewed';
is $edge->live_version('a.test'), 2, 'version 2 is live';
is scalar($edge->ca->orders), 3, 'one order';
is scalar($edge->ca->accounts), 1, 'with the account there is';
ok !grep({ /^orders\/a\.test/ } $edge->state_files), 'nothing is left of it';

($exit, undef, $err) = $edge->acmectl('renew', '--force', '--cert-name',
    'a.test');
is $exit, 1, 'a second time within the hour';
like $err, qr/less than an hour ago/, 'is refused';

$other->start;
isnt $other->serial('a.test'), $first->{serial}, 'the server starts with it';
is $other->serial('a.test'), uc $edge->status('a.test')->{serial},
    'at the first handshake';

# declared by nobody any more
$other->clear_config->configure(state => $edge->state);
$other->issuer('testca', ca => $edge->ca);
$other->site('edge.test', acme => 'testca')->reload;
is $edge->status('a.test')->{state}, 'dormant', 'status: dormant';
($exit, undef, $err) = $edge->acmectl('renew', '--cert-name', 'a.test');
is $exit, 1, 'what nobody declares';
like $err, qr/no server declares it/, 'is not renewed';

undef $other;    # its teardown
$edge->done;
