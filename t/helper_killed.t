#!/usr/bin/perl
# Engine and store are killed in the middle of an order: the workers go on
# serving, both are back in seconds, and the order is gone on with.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
$t->site('first.test')->start;
my $first = $t->wait_certificate('first.test') or $t->give_up;
my @workers = $t->worker_pids;
my %kill = (
    engine => sub { $t->engine_pid }, store => sub { $t->store_pid },
);

for my $kind (sort keys %kill) {
    my $name = "$kind.test";

    $t->ca->fault(where => 'validate', do => 'slow-validation',
        seconds => 3, name => $name);
    $t->site($name);
    ok $t->reload, "reload with another name";
    $t->wait_for(sub { $t->ca->challenge_posts($name) }, 10) or $t->give_up;

    my $old = $kill{$kind}->();
    kill 'KILL', $old;
    is $t->serial('first.test'), $first->{serial},
        "$kind killed: the workers serve";
    ok $t->wait_for(sub {
        my $new = $kill{$kind}->();
        return $new && $new != $old && $t->wait_helpers(1);
    }, 5), 'all helpers are back in seconds';
    ok $t->wait_log(qr/$kind died of signal 9/), 'the log says so';

    ok $t->wait_certificate($name, 20), 'the certificate arrives';
    is scalar(grep { $_->{names}[0] eq $name } $t->ca->orders), 1,
        'from one order';
    is $t->ca->challenge_posts($name), 1, 'its challenge answered once';
}
is $t->live_version('first.test'), 1, 'the other name was left alone';

$t->done;
