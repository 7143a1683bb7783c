#!/usr/bin/perl
# JSON that is too deep, ambiguous or of the wrong kind, anywhere in the
# exchange: an error on record, and the engine lives.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use JSON::PP;

my @wrong = (
    [newOrder => nested => {}],
    [newOrder => nested => { depth => 17 }],
    [newOrder => nested => { depth => 200_000 }],
    [order => nested => {}],
    [authz => nested => {}],
    [finalize => nested => {}],
    [newOrder => 'duplicate-member' => { member => 'finalize' }],
    [authz => 'duplicate-member' => { member => 'identifier' }],
    [newOrder => body => { body => "{\"status\":\"pending\0\"}" }],
    [newOrder => body => { body => '{"status":"pend\u0000ing"}' }],
    [newOrder => body => { body => '' }],
    [newOrder => body => { body => '[]' }],
    [newOrder => body => { body => '"text"' }],
    [newOrder => body => { body => '<html>' }],
    [newOrder => body => { body => "{\"status\":\"\xff\xfe\"}" }],
    [newOrder => body => { body => '{"status":' . '9' x 5000 . '}' }],
    [newOrder => body => { body => '[' . '[],' x 200_000 . '[]]' }],
    (map { [newOrder => member => { field => $_->[0], value => $_->[1] }] }
        [status => 7], [finalize => {}], [finalize => undef],
        [finalize => 'x' x 3000], [authorizations => 'one'],
        [authorizations => [1, 2]], [authorizations => { a => 1 }],
        [status => [[]]]),
    (map { [authz => member => { field => $_->[0], value => $_->[1] }] }
        [status => 1], [identifier => 'a.test'], [challenges => {}],
        [challenges => [1, 'x', undef]], [identifier => { type => 1 }]),
);
my $t = Acme::Test->new(ca => 'own');
$t->start_ca;

my %want;
for my $n (1 .. @wrong) {
    my ($where, $do, $o) = @{ $wrong[$n - 1] };
    my $name = "n$n.test";
    $t->ca->fault(where => $where, do => $do, %$o, name => $name,
        times => 'always');
    $t->site($name);
    $want{$name} = "$where: $do " . substr JSON::PP->new->canonical->ascii
        ->encode($o), 0, 60;
}
$t->site('good.test')->start;
$t->wait_helpers;
my $engine = $t->engine_pid;
my %state;
$t->wait_for(sub {
    my ($exit, $out) = $t->acmectl('certificates', '--json');
    %state = map { $_->{name} => $_ }
        @{ decode_json($out || '{}')->{lineages} // [] };
    return !grep { !($state{$_} // {})->{error} } keys %want;
}, 45, 'all errors');

for my $name (sort keys %want) {
    my $text = ($state{$name} // {})->{error}{text} // '';
    ok length $text, $want{$name};
    unlike $text, qr/[^ -~]/, '  in printable text' if $text =~ /[^ -~]/;
}
ok $t->wait_certificate('good.test'), 'another name gets its certificate';
is $t->engine_pid, $engine, 'the engine is still the same';
unlike $t->log, qr/died of signal|failed and is started/, 'and did not die';

$t->done;
