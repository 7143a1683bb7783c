#!/usr/bin/perl
# A CA that says when it can be asked again, in either form, with 503 or 429:
# the time is in the log and in the status, and is kept.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;
use Time::Local qw(timegm);

my $t = Acme::Test->new(ca => 'own');
my %says = (
    'later.test' => { do => '503', retry_after => 3600 },
    'date503.test' => { do => '503', retry_after => 5400, as_date => 1 },
    'seconds429.test' => { do => '429', retry_after => 1800 },
    'date.test' => { do => '429', retry_after => 7200, as_date => 1 },
);
$t->start_ca;
$t->ca->fault(where => 'newOrder', %{ $says{$_} }, name => $_,
    times => 'always') for sort keys %says;

for my $name (sort keys %says) {
    # what one was told counts for all of one state directory
    $t->clear_config->configure(state => "%%DIR%%/var/$name");
    $t->site($name);
    my $asked = time;
    $t->server->master_pid ? $t->reload : $t->start;

    my $line;
    $t->wait_for(sub { ($line) = grep { /not obtained, lineage "\Q$name"/ }
        split /\n/, $t->log }, 10) or $t->give_up;
    like $line, qr/told to answer $says{$name}{do}/, "$name: the CA's words";
    my ($when) = $line =~ /next attempt at (\S+) \(the CA asked for it\)/;
    my @f = ($when // '1970-01-01T00:00:00Z') =~ /\d+/g;
    my $at = timegm(@f[5, 4, 3, 2], $f[1] - 1, $f[0]);
    cmp_ok $at, '>=', $asked + $says{$name}{retry_after} - 2,
        'not before its time';
    cmp_ok $at, '<=', time + $says{$name}{retry_after} + 12,
        'and not much later';
}

ok $t->reload, 'a reload';
$t->wait_helpers;
sleep 2;
is scalar($t->ca->requests('newOrder')), 4, 'does not make it ask sooner';

# nor does another name
$t->site('other.test')->reload;
sleep 2;
is scalar($t->ca->requests('newOrder')), 4, 'nor does another name';

$t->done;
