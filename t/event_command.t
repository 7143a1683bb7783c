#!/usr/bin/perl
# The command that is told of events: mod_md's words and JSON to read, in
# order; its "no" holds up a renewal, is not repeated every second, and what it
# has to hear of is told again.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
my $log = $t->dir . '/events.log';
my $no = $t->dir . '/no';
my $program = $t->dir . '/event';

spew($program, <<~"END", 0755);
    #!/bin/sh
    printf '%s|' "\$1" "\$2" "\$3" >> $log
    cat >> $log
    echo >> $log
    ! grep -qx "\$2" $no 2>/dev/null
    END

# [event, lineage, what it could read] each
sub told ()
{
    return map { [(split /\|/, $_, 4)[1, 2, 3]] }
        grep { /\S/ } split /\n/, slurp($log) // '';
}

sub words () { return map { $_->[0] } told() }

spew($no, "renewing\n");
$t->configure(event_cmd => "$program word");
$t->site('a.test')->start;
ok $t->wait_log(qr/event command refuses "renewing"/, 15), 'a veto';
sleep 3;
is_deeply [words()], ['renewing', 'errored'], 'is asked for once';
is scalar($t->ca->orders), 0, 'and no order made';
is $t->status('a.test')->{state}, 'failing', 'the status is failing';
like $t->status('a.test')->{error}{text},
    qr/failed with exit status 1/, 'and says why';

unlink $no, $log;
my ($exit, $out, $err) = $t->acmectl('renew', '--cert-name', 'a.test');
is $exit, 0, 'renew, allowed' or diag $err;
ok $t->wait_for(sub { scalar grep { $_ eq 'installed' } words() }, 10),
    'told until it is installed';
is_deeply [words()], ['renewing', 'challenge-setup:http-01:a.test', 'renewed',
    'installed'], 'in this order';
is_deeply [map { $_->[1] } told()], [('a.test') x 4], 'of the lineage';
my ($renewed) = map { decode_json($_->[2]) }
    grep { $_->[0] eq 'renewed' } told();
is "$renewed->{event} $renewed->{lineage} $renewed->{version}",
    'renewed a.test 1', 'JSON says more';

# a challenge that is refused
unlink $log;
spew($no, "challenge-setup:http-01:a.test\n");
($exit, $out, $err) = $t->acmectl('renew', '--force', '--cert-name',
    'a.test');
is $exit, 1, 'a challenge that it refuses';
like $err, qr/refuses "challenge-setup:http-01:a\.test"/, 'is told';
is scalar(grep { $_ eq 'renewing' } words()), 0,
    'it has let one begin less than an hour ago';
is scalar($t->ca->challenge_posts), 1, 'the CA is not asked to validate';
is $t->serial('a.test'), uc $t->status('a.test')->{serial}, 'a.test is served';

$t->done;
