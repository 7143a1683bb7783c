#!/usr/bin/perl
# Answers without an end: compressed, as a body, as headers, or a byte at a
# time.  Each ends in an error within bounds of time and memory, and the
# certificate in place is served all along.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::SecProc qw(status_of);
use Acme::Test;

# What the engine may grow by, in kB: 50 MB and more were sent.
use constant GROWTH => 12_000;

my %bomb = (
    'gzip.test' => ['gzip-bomb', {}, qr/bytes|encoding/],
    'content.test' => ['gzip-bomb', { encoding => 'content' }, qr/./],
    'body.test' => ['endless-body', {}, qr/more than \d+ bytes/],
    'head.test' => ['endless-headers', {}, qr/header/],
    'slow.test' => ['slow', { seconds => 20 }, qr/stopped in the middle/],
);
my $t = Acme::Test->new(ca => 'own');
$t->site('served.test')->start;
my $served = $t->wait_certificate('served.test') or $t->give_up;
my $engine = $t->engine_pid;
my $usual = status_of($engine)->{VmHWM} =~ s/\D//gr;

for my $name (sort keys %bomb) {
    my ($do, $o) = @{ $bomb{$name} };
    $t->ca->fault(where => 'newOrder', do => $do, %$o, name => $name,
        times => 'always');
    $t->site($name);
}
ok $t->reload, 'reload with names that the CA has bombs for';
$t->wait_helpers;
$engine = $t->engine_pid;
my $began = time;
for my $name (sort keys %bomb) {
    my $error;
    $t->wait_for(sub { $error = ($t->status($name) // {})->{error}{text} },
        40, "an error of $name");
    like $error // '', $bomb{$name}[2], "$name: $bomb{$name}[0]";
    is $t->serial('served.test'), $served->{serial}, '  others are served';
}
cmp_ok time - $began, '<', 45, 'all in bounded time';
is $t->engine_pid, $engine, 'the engine is still the same';
my $peak = status_of($engine)->{VmHWM} =~ s/\D//gr;
SKIP: {
    skip 'a sanitizer keeps what is freed', 1 if $ENV{ACME_PRELOAD};
    cmp_ok $peak - $usual, '<', GROWTH, "its memory too ($usual, $peak kB)";
}

$t->done;
