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
    'date.test' => { do => '429', retry_after => 7200, as_date => 1 },
    'soon.test' => { do => '429', retry_after => 2 },
);
$t->start_ca;
$t->ca->fault(where => 'newOrder', %{ $says{$_} }, name => $_,
    times => 'always') for sort keys %says;
$t->site('later.test')->start;

for my $name (qw(later.test date.test)) {
    my $asked = time;
    if ($name ne 'later.test') {
        $t->clear_config->issuer('other', ca => $t->ca);
        $t->configure(state => '%%DIR%%/var/second');
        $t->site($name, acme => 'other');
        $t->reload;
    }
    my $seconds = $says{$name}{retry_after};
    my ($line) = $t->wait_for(sub { grep {
        /not obtained, lineage "\Q$name"/ } split /\n/, $t->log }, 10)
        or $t->give_up;
    ($line) = grep { /not obtained, lineage "\Q$name"/ } split /\n/, $t->log;
    like $line, qr/told to answer $says{$name}{do}/, "$name: the CA's words";
    my ($when) = $line =~ /next attempt at (\S+) \(the CA asked for it\)/;
    my @f = ($when // '1970-01-01T00:00:00Z') =~ /\d+/g;
    my $at = timegm(@f[5, 4, 3, 2], $f[1] - 1, $f[0]);
    cmp_ok $at, '>=', $asked + $seconds - 2, 'not before its time';
    cmp_ok $at, '<=', time + $seconds + 12, 'and not much later';
}
ok $t->reload, 'a reload';
$t->wait_helpers;
sleep 3;
is scalar($t->ca->requests('newOrder')), 2, 'does not make it ask sooner';

$t->done;
