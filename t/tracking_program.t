#!/usr/bin/perl
# Tracking records that a program keeps: its words, what it reads, whose name
# for the record counts; where one is required and cannot be had, nothing is
# ordered; else it is only told.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $log = $t->dir . '/track.log';
my $no = $t->dir . '/no';
my $program = spew($t->dir . '/track', <<~"END", 0755);
    #!/bin/sh
    { echo "\$ACME_HOOK \$*"; head -c 30; echo; } >> $log
    case \$2 in create)
        test -e $no && { echo "out of order" >&2; exit 1; }
        echo "REC-\$3"; echo "a second line";;
    esac
    END

# the first words of each run, what it read
sub runs ()
{
    my @lines = split /\n/, slurp($log) // '';
    return map { [split / /, $_] } grep { /^tracking / } @lines;
}

sub closed ($name)
{
    return $t->wait_for(sub {
        grep { $_->[2] =~ /^close/ && $_->[3] eq $name } runs();
    }, 15);
}

spew($no, '');
$t->configure(tracking => "cmd:$program 'a;b'", tracking_data => 'crt',
    tracking_required => 'on');
$t->site('a.test')->start;
ok $t->wait_log(qr/a\.test.*a tracking record is required: .*status 1: (?#
    )out of order/, 15), 'one that is required' or $t->give_up;
is scalar($t->ca->orders), 0, 'holds the order up';
is_deeply [map { $_->[2] } runs()], ['create'], 'and is asked for once';

unlink $no, $log;
$t->configure(tracking_data => 'csr');
$t->reload;
$t->wait_certificate('a.test') or $t->give_up;
ok closed('a.test'), 'is had when it can be';
is_deeply [map { join ' ', @$_ } runs()], [
    'tracking a;b create a.test renewal',
    'tracking a;b save a.test REC-a.test csr',
    'tracking a;b update a.test REC-a.test',
    'tracking a;b close-success a.test REC-a.test',
    ], 'its words; the name that it has given counts';
like slurp($log), qr/^-----BEGIN CERTIFICATE REQUEST$/m, 'data is to be read';

# not required
spew($no, '');
unlink $log;
$t->configure(tracking_required => 'off');
$t->site('b.test')->reload;
$t->wait_certificate('b.test') or $t->give_up;
pass 'without a record, where none is required';
ok $t->wait_log(qr/tracking hook failed, lineage "b\.test": .*out of order/,
    5), 'it is told';
ok $t->wait_for(sub {
    my ($told) = grep { $_->{stage} eq 'tracking' }
        @{ ($t->state_json('told', 'b.test.json') // {})->{hooks} // [] };
    $told && $told->{error} =~ /out of order/;
}, 10), 'and kept';

# words that are none
for my $case (
    [tracking => 'dir', qr/"dir": it must be file:.DIRECTORY or cmd:/],
    [tracking => 'cmd:/nowhere/x', qr/"\/nowhere\/x" does not exist/],
    [tracking_data => 'key', qr/"key": it must be csr, crt, lineage/],
    [tracking_required => 'perhaps', qr/"perhaps"/]) {
    my ($key, $value, $error) = @$case;
    my %was = (tracking => 'none', tracking_data => 'csr',
        tracking_required => 'off');
    $t->configure(%was, $key => $value);
    my ($exit, $out) = $t->test_config;
    isnt $exit, 0, "$key $value";
    like $out, $error, 'is refused';
}
$t->done;
