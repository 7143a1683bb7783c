#!/usr/bin/perl
# Graceful restarts in a row, a hard one, one while the engine hangs, and a
# graceful end: there is one set of helpers, and an order is made once.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(nap);
use Acme::Test;
use Time::HiRes qw(time);

my $t = Acme::Test->new(host => 'httpd', ca => 'own');
$t->start_ca;
$t->ca->fault(where => 'validate', do => 'slow-validation', seconds => 3);

sub helpers ()
{
    return ($t->supervisor_pids, $t->store_pids, $t->engine_pids);
}

# One of each, all of them new, and still so a second later.
sub one_set (@old)
{
    my %old = map { $_ => 1 } @old;
    my $one = sub {
        my @kinds = ([$t->supervisor_pids], [$t->store_pids],
            [$t->engine_pids]);
        return !grep { @$_ != 1 || $old{ $_->[0] } } @kinds;
    };
    return if !$t->wait_for($one, 10, 'one set of new helpers');
    nap(1);
    return $one->();
}

$t->site('a.test')->start;
$t->wait_for(sub { $t->ca->challenge_posts }, 10) or $t->give_up;
my $master = $t->master_pid;
my @before = helpers();
for (1 .. 5) {
    kill 'USR1', $master;
    nap(0.2);
}
ok one_set(@before), 'five within a second: one set of helpers';
my $first = $t->wait_certificate('a.test') or $t->give_up;
is $t->master_pid, $master, 'the same parent';
is scalar($t->ca->orders), 1, 'the order was made once';
is scalar($t->ca->accounts), 1, 'the account as well';

@before = helpers();
ok $t->reload(hard => 1), 'HUP';
ok one_set(@before), 'one set of helpers';
is $t->serial('a.test'), $first->{serial}, 'the certificate is kept';

@before = helpers();
kill 'STOP', $t->engine_pid;
my $begin = time;
ok $t->reload, 'a graceful restart while the engine hangs';
cmp_ok time - $begin, '<', 5, 'is not held up';
ok one_set(@before), 'one set of helpers';
is $t->serial('a.test'), $first->{serial}, 'the certificate is kept';
is +($t->acmectl('renew', '--force'))[0], 0, 'and can be renewed';

unlike $t->log, qr/long lost child|AH00045|AH00046|still did not exit/,
    'no process was missed';
$t->stop('QUIT');
is_deeply [helpers()], [], 'a graceful end is one for all';
is scalar($t->ca->orders), 2, 'two orders in all';

$t->done;
