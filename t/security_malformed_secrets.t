#!/usr/bin/perl
# A secret next to a fault in a file: the message says which file and what is
# wrong, and never a byte of its content, in the log, at -t, in acmectl's
# output or at the CA.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $secret = 'Canary7Q9zWNDZMtopsecret';
my @broken = (
    "{\"key\" \"$secret\"}", "{\"$secret\": }",
    "{\"key\": \"$secret}", "$secret\n",
    "{\"a\":\"$secret\",\"a\":1}", "[\"$secret\"",
    "-----BEGIN PRIVATE KEY-----\n$secret!\n-----END PRIVATE KEY-----\n",
    "-----BEGIN EC PRIVATE KEY-----\n$secret\n-----END PRIVATE KEY-----\n",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nProc-Type: $secret\n\n$secret\n",
);
my $all = '';

sub collect ()
{
    for my $verb (['status'], ['--json', 'status'], ['key', 'thumbprint'],
        ['-v', 'renew', '--force', '--cert-name', 'a.test']) {
        my ($exit, @text) = $t->acmectl(@$verb);
        like $exit, qr/^[012]$/, "acmectl @$verb ends by itself"
            if $exit !~ /^[012]$/;
        $all .= join "\n", @text;
    }
    return;
}

# an operator's account key
for my $n (0 .. $#broken) {
    my $file = spew($t->dir . "/conf/account$n.pem", $broken[$n], 0600);
    $t->start_ca;
    $t->clear_config->issuer('testca', ca => $t->ca)
        ->issuer('own', ca => $t->ca, account_key => $file)
        ->site('a.test')->site("own$n.test", acme => 'own');
    $all .= join ' ', $t->test_config;
    my $mark = $t->log_mark;
    $n ? $t->reload : $t->start;
    ok $t->wait_log(qr/account\Q$n\E\.pem/, 5, since => $mark),
        "account key $n: the log names the file";
}
$t->wait_certificate('a.test') or $t->give_up;
collect();

# every file of the state directory that may hold something
$t->stop;
my @files = grep { -f $t->state($_) && !/^locks|format$/ } $t->state_files;
my %keep = map { $_ => $t->state_text($_) } @files;
for my $n (0 .. $#broken) {
    spew($t->state($_), $broken[$n], 0600) for @files;
    $t->start;
    $t->wait_helpers;
    $t->wait_log(qr/damaged|malformed/, 5) if !$n;
    collect();
    $t->stop;
    spew($t->state($_), $keep{$_}, 0600) for @files;
}
$all .= $t->log;
cmp_ok scalar @files, '>', 8, 'many files were broken';
like $all, qr/damaged|malformed|line \d+/, 'there was a lot to say';
for my $piece ($secret, 'zWNDZM', 'Canary', 'topsecret') {
    unlike $all, qr/\Q$piece/i, "\"$piece\" was never said";
}
unlike join(' ', map { $_->{path} . ($_->{headers}{'user-agent'} // '') }
    $t->ca->requests), qr/Canary7Q/, 'nor sent to the CA';
my $left = join '', map { $t->state_text($_) // '' }
    grep { /^(?:record|ledger|servers)/ && -f $t->state($_) } $t->state_files;
unlike $left, qr/Canary7Q/, 'nor is it on record';

$t->done;
