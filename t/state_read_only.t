#!/usr/bin/perl
# A state directory that may not be written any more, though its certificates
# are intact: they are served, the log names the trouble, nothing is ordered.

use v5.36;
use lib 't/lib';
use Test::More;
use POSIX qw(mkfifo);
use Acme::Proc qw(spew);
use Acme::Test;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => 'own');
my $ours = $t->ours;
my %case = (
    'the next layout' => {
        spoil => sub { spew($t->state('format'), "2\n", 0600) },
        cure => sub { spew($t->state('format'), "1\n", 0600) },
        says => qr/$ours.*layout/,
    },
    'a FIFO for a directory' => {
        spoil => sub { rmdir $t->state('ledger');
            mkfifo($t->state('ledger'), 0600) },
        cure => sub { unlink $t->state('ledger') },
        says => qr/$ours.*ledger/,
    },
);
$t->site('a.test')->start;
my $serial = ($t->wait_certificate('a.test') or $t->give_up)->{serial};
my $orders = $t->ca->orders;

for my $what (sort keys %case) {
    my $case = $case{$what};

    $t->stop;
    $case->{spoil}->();
    my $mark = $t->log_mark;
    $t->start;
    is $t->serial('a.test'), $serial, "$what: the certificate is served";
    ok $t->wait_log($case->{says}, 5, since => $mark), 'the log names it';
    $case->{cure}->();
    ok $t->reload, 'cured, reload';
    is $t->serial('a.test'), $serial, 'and it is served still';
}
is $t->ca->orders, $orders, 'nothing was ordered';

$t->done;
