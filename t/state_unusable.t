#!/usr/bin/perl
# A state directory that cannot be used: a warning, the server starts and
# serves what it can, does not flood the log, and works after the cure and a
# reload.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(server_pair);
use Acme::Proc qw(slurp spew);
use Acme::Test;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => 'own');
my $var = $t->dir . '/var';
my ($warn, $error) = map { $t->level($_) } qw(warn error);
my $shown = $t->terminal_level('warn');
my $pair = server_pair('explicit');
my @files = map { $t->dir . "/conf/$_.pem" } qw(cert key);
my %case = (
    'a file in its place' => {
        spoil => sub { spew("$var/state", "a file\n") },
        cure => sub { unlink "$var/state" }, says => qr/no directory/,
    },
    'a parent of another user' => {
        spoil => sub { chown scalar getpwnam('www-data'), -1, $var },
        cure => sub { chown 0, -1, $var }, says => qr/"\Q$var\E"/,
    },
    'a newer format' => {
        spoil => sub { mkdir "$var/state", 0700;
            spew("$var/state/format", "999\n", 0600) },
        cure => sub { unlink "$var/state/format" }, says => qr/layout is version 999/,
    },
);
spew($files[0], $pair->{cert});
spew($files[1], $pair->{key}, 0600);
$t->site('explicit.test', certificate => \@files);
$t->site('a.test')->site('plain.test', acme => undef);

for my $what (sort keys %case) {
    my $case = $case{$what};

    $case->{spoil}->();
    my ($exit, $out) = $t->test_config;
    is $exit, 0, "$what: the configuration test passes";
    like $out, qr/$shown.*$case->{says}/, 'with a warning';

    my $mark = $t->log_mark;
    $t->start;
    like $t->said_since($mark), qr/$shown.*$case->{says}/, 'as the start';
    ok $t->serial('explicit.test'), 'the explicit certificate is served';
    ok !$t->peer_certificate('a.test', verify => 1), 'but nothing of ours';
    is $t->http_get('/', host => 'plain.test')->{body},
        "ordinary content\n", 'and everything else';
    sleep 2;
    my $lines = grep { /(?:$warn|$error).*acme/ }
        split /\n/, $t->log_since($mark);
    cmp_ok $lines, '<=', 3, 'the log is not flooded';

    $case->{cure}->();
    ok $t->reload, 'cured, reload';
    ok $t->wait_certificate('a.test', 20), 'it works';
    $t->stop;
    File::Path::remove_tree("$var/state");
}

$t->done;
