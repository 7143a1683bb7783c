#!/usr/bin/perl
# Text of a CA that would forge a log line, steer a terminal or turn text
# around: harmless in the log, in acmectl's text and in its JSON.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $bad = "canary \e]0;owned\a\e[31m\n2026/01/01 00:00:00 [alert] 1#1: forged"
    . "\r\x{9b}31m \x{202e}gnp.exe \x{2066} \x{2028}line \x{7f} <script>";
my %fault = (
    'detail.test' => { where => 'newOrder', do => 'canary' },
    'type.test' => { where => 'newOrder', do => 'error', status => 403,
        type => "urn:x:$bad", detail => $bad },
    'sub.test' => { where => 'newOrder', do => 'error', status => 403,
        type => 'rejectedIdentifier', detail => 'canary', subproblems => [
            { type => $bad, detail => $bad, identifier =>
                { type => 'dns', value => $bad } }] },
    'invalid.test' => { where => 'validate', do => 'invalid',
        detail => $bad },
    'url.test' => { where => 'newOrder', do => 'url', field => 'finalize',
        to => "https://canary.test/$bad" },
    'status.test' => { where => 'newOrder', do => 'member',
        field => 'status', value => $bad },
    'location.test' => { where => 'newOrder', do => 'header',
        header => 'Location', value => "https://canary.test/\e]0;x\a" },
);
my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
for my $name (sort keys %fault) {
    $t->ca->fault(%{ $fault{$name} }, name => $name, times => 'always');
    $t->site($name);
}
# they quote such a line, harmlessly: looked at below
$t->expect_log(qr{certificate not obtained});
$t->start;
for my $name (sort keys %fault) {
    ok $t->wait_for(sub { ($t->status($name) // {})->{error} }, 30),
        "$name: an error is on record";
}

# what could do harm, as bytes
my $harmful = qr/[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]
    |\xe2\x80[\xa8-\xae\x8e\x8f]|\xe2\x81[\xa6-\xa9]/x;
my ($exit, $text) = $t->acmectl('status');
my (undef, $json) = $t->acmectl('--json', 'status');
my (undef, $out, $err) = $t->acmectl('renew', '--force', '--cert-name',
    'detail.test');
my (undef, $events) = $t->acmectl('events', '--lines', 1000);
my $journal = $t->state_text('events.jsonl');
my %shown = (log => $t->log, status => $text, JSON => $json,
    events => $events, journal => $journal,
    renew => $out . $err);
for my $where (sort keys %shown) {
    like $shown{$where}, qr/canary/, "$where has the CA's words";
    unlike $shown{$where}, $harmful, '  in harmless form';
    unlike $shown{$where}, qr/^\s*2026\S* \S+ \[alert\] 1#1: forged/m,
        '  and no line of its own';
}
unlike $json, qr/\\u(?:00[01]|007f|202e|2066|2028)/i,
    'JSON hides nothing harmful behind an escape';
unlike $t->state_text('record', "$_.json") // '', $harmful,
    "record of $_ as well" for sort keys %fault;

$t->done;
