#!/usr/bin/perl
# Whatever a CA answers to a renewal, at whatever step, ends in a recorded
# error that says what and where, or in the new certificate; the old one is
# served all the time, and the CA is not stormed.  (429 and 503:
# ca_retry_after.t; JSON: security_ca_json.t; bombs: security_ca_bombs.t.)

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

use constant REQUESTS => 45;    # a case may cost: an attempt, or two

my $after = 'finalize,order';
# where, do, arguments, result, step; result 'ok': the certificate comes all
# the same; 'later': the CA is waited for, which is no failure
my @case = (
    # drops and half answers
    (map { [$_->[0], 'drop', {}, 'net', $_->[1]] }
        [newOrder => 'order'], [authz => 'authorize'],
        [challenge => 'authorize'], [finalize => 'finalize'],
        [certificate => 'download']),
    (map { [$_->[0], 'drop-half', {}, 'net', $_->[1]] }
        [newOrder => 'order'], [authz => 'authorize'],
        [certificate => 'download']),
    # the second attempt may have begun: it gets no further than to the order
    [order => 'drop-after', {}, 'net', 'authorize|order'],

    # deep, huge, of the wrong type
    [authz => 'nested', {}, 'wire', 'authorize'],
    [finalize => 'nested', { depth => 100_000 }, 'wire', 'finalize'],
    [certificate => 'endless-body', {}, 'wire', 'download'],
    [certificate => 'body', { body => '{}', type => 'application/json' },
        'wire', 'download'],
    [certificate => 'body', { body => '' }, 'wire', 'download'],
    [$after => 'member', { field => 'status', value => [] }, 'wire',
        'authorize'],
    [newOrder => 'status', { status => 302 }, 'wire', 'order'],

    # contradictory
    [$after => 'member', { field => 'certificate' }, 'wire', 'finalize'],
    [finalize => 'foreign-name', {}, 'wire', 'finalize'],
    [authz => 'foreign-name', {}, 'wire', 'authorize'],
    [authz => 'member', { field => 'status', value => 'revoked' },
        'problem', 'authorize'],
    [order => 'member', { field => 'status', value => 'invalid' },
        'problem', 'authorize'],
    [newOrder => 'location', { to => 'http://nowhere.test/' }, 'wire', 'order'],

    # certificates that must not be served
    [issue => 'wrong-key', {}, 'refused', 'download'],
    [issue => 'wrong-names', {}, 'refused', 'download'],
    [issue => 'expired', {}, 'refused', 'download'],
    [issue => 'not-yet-valid', {}, 'refused', 'download'],
    [issue => 'is-ca', {}, 'refused', 'download'],
    [issue => 'chain-broken', {}, 'refused', 'download'],
    [issue => 'chain-order', {}, 'refused', 'download'],
    [issue => 'chain-long', {}, 'wire', 'download'],
    [issue => 'chain-garbage', {}, 'wire', 'download'],

    # stuck, and late
    [$after => 'processing', {}, 'later', 'finalize'],
    [newOrder => 'slow', { seconds => 20 }, 'net', 'order'],
    [certificate => 'slow', { seconds => 20 }, 'net', 'download'],

    # odd, but no reason to fail
    [challenge => 'status', { status => 409 }, 'ok'],
    # the order tells that it is ready
    [authz => 'pending', {}, 'ok'],
    ['newOrder,authz,challenge,finalize' => 'bad-nonce-header',
        { value => 'c2FtZQ', times => 3 }, 'ok'],
    [newOrder => 'no-nonce', {}, 'ok'],
    [issue => 'chain-root', {}, 'ok'],
    [newOrder => 'date', { offset => -31_536_000 }, 'ok'],
    [$after => 'date', { value => 'Thu, 01 Jan 2099 00:00:00 GMT' }, 'ok'],
);
my $t = Acme::Test->new(ca => 'own');
my $number = 0;
my %case = map { sprintf('f%02d.test', ++$number) => $_ } @case;
$t->site($_) for sort keys %case;
$t->start;
my %old = map { $_ => $t->wait_certificate($_, 60) || $t->give_up }
    sort keys %case;

for my $name (sort keys %case) {
    my ($where, $do, $o) = @{ $case{$name} };
    $t->ca->fault(where => [split /,/, $where], do => $do, times => 'always',
        %$o, name => $name);
}
my $mark = () = $t->ca->requests;
$t->acmectl('renew', '--force', '--no-wait');



# What its first attempt has come to: the next one may have begun.
my %record;

# The last one of the attempt that was not its end.
sub last_step ($record)
{
    my @steps = map { $_->{step} } @{ $record->{steps} // [] };
    return (grep { !/^(?:failed|done)$/ } @steps)[-1];
}

sub ended ($name)
{
    my $result = $case{$name}[3];
    my $record = $record{$name}
        // $t->state_json('record', "$name.json") // {};

    $record{$name} //= $record if !$record->{attempt_open}
        && $record->{ $result eq 'later' ? 'next_attempt' : 'error' };
    return $record{$name} || $result eq 'ok' && $t->live_version($name) == 2;
}

$t->wait_for(sub { !grep { !ended($_) } keys %case }, 120, 'all to end');

my %asked;
$asked{$_}++ for map { @{ $_->{identifiers} // [] } }
    ($t->ca->requests)[$mark .. scalar(() = $t->ca->requests) - 1];

for my $name (sort keys %case) {
    my ($where, $do, $o, $result, $step) = @{ $case{$name} };
    my $record = $record{$name} // {};
    my $error = $record->{error} // {};
    my $what = "$where: $do " . join ' ', map { "$_ " . ($o->{$_} // '') }
        sort keys %$o;

    cmp_ok $asked{$name} // 0, '<=', REQUESTS, "$what: no storm";
    if ($result eq 'ok') {
        is $t->live_version($name), 2, '  the certificate came';
        ok !$record->{failures}, '  at once';
        next;
    }
    is $error->{result} // 'later', $result, "  result: $result";
    like last_step($record), qr/^(?:$step)$/, "  step: $step";
    like $error->{what} // '', qr/^[ -~]{10,}$/, '  and words'
        if $result ne 'later';
    ok $record->{next_attempt}, '  when again';
    is $t->serial($name), $old{$name}{serial}, '  the old one is served';
    is $t->live_version($name), 1, '  and live';
}

my ($rooted) = grep { $case{$_}[1] eq 'chain-root' } keys %case;
my $chain = $t->state_text('live', $rooted, 'fullchain.pem');
is scalar(() = $chain =~ /BEGIN CERTIFICATE/g), 2,
    'a root that came along is not served';

$t->done;
