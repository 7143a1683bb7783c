#!/usr/bin/perl
# The CA suggests when to renew (RFC 9773): its window is shown, and one that
# it moves into the past is followed by a renewal, with nobody doing anything.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', ari => { retry_after => 1 } });
my $ca = $t->ca;
$t->site('a.test')->start;
my $cert = $t->wait_certificate('a.test') or $t->give_up;
my @pids = sort($t->master_pid, $t->worker_pids);

my $status;
ok $t->wait_for(sub { ($status = $t->status('a.test'))->{renewal_info} }, 10,
    'a window'), 'the CA is asked soon after the issuance';
my $window = $status->{renewal_info};
my ($start, $end, $pick) = @$window{qw(start end pick)};
cmp_ok $start, 'le', $pick, 'the pick lies in the window';
cmp_ok $pick, 'lt', $end, 'and not behind it';
is $status->{renew_at}, $pick, 'it is the time of the renewal';
like +($t->acmectl('status'))[1],
    qr/^  suggested +\Q$start\E to \Q$end\E, picked \Q$pick\E$/m,
    'acmectl certificates shows it';
my @asked = $ca->requests('renewalInfo');
is $asked[0]{method}, 'GET', 'asked with GET';
is $asked[0]{status}, 200, 'about the right certificate';

# A second is not enough for the next look: RFC 9773 4.3.2 says a minute.
my $mark = $t->log_mark;
$ca->set(ari => { retry_after => 1, only => $cert->{serial},
    explanation => 'https://ca.test/incident/7',
    start => time - 7200, end => time - 3600 });
sleep 5;
is scalar($ca->requests('renewalInfo')), @asked, 'not asked each second';
my $next = $t->wait_new_serial('a.test', $cert->{serial}, 90) or $t->give_up;
isnt $next->{serial}, $cert->{serial}, 'renewed within another minute';
is_deeply [sort($t->master_pid, $t->worker_pids)], \@pids, 'same processes';
like $t->log_since($mark), qr{renewal\ suggested,\ lineage\ "a\.test",\ .*
    ;\ see\ https://ca\.test/incident/7}x, 'the log says why';

my ($order) = reverse $ca->orders;
my ($id) = $asked[0]{path} =~ m{/([^/]+)$};
is $order->{payload}{replaces}, $id, 'the order says what it replaces';
ok $t->wait_for(sub {
    my $now = $t->status('a.test')->{renewal_info};
    return $now && $now->{pick} ge $start;
}, 10, 'another window'), 'the new one has a window of its own';
is scalar($ca->orders), 2, 'and is not renewed';

$t->done;
