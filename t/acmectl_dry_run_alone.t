#!/usr/bin/perl
# acmectl renew --dry-run of a lineage whose server does not run, proved
# through another server of the state directory, whose workers answer nothing
# but what is in flight; at another CA with --server, where an account is
# made, which is all that is kept; one that is killed leaves nothing either.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;
use Acme::Tool qw(built);

my $edge = Acme::Test->new(ca => 'own');
my $other = Acme::Test->new;
$edge->add_ca({ type => 'own', name => 'second' });
my ($first, $second) = $edge->cas;
my @issuer = ('testca', ca => $first, renewal_info => 'off', ca_file => spew($edge->dir . '/both.pem',
    join '', map { slurp($_->ca_file) } $first, $second));
$edge->configure(stateless => 'pending')->issuer(@issuer);
$edge->site('edge.test')->start;
my %verify = (verify => 0, ca_file => $first->root_file);
$edge->wait_certificate('edge.test', 30, %verify) or $edge->give_up;
$other->configure(state => $edge->state)->issuer(@issuer);
$other->site('a.test', acme => 'testca')->start;
$other->wait_certificate('a.test', 30, %verify) or $edge->give_up;
$other->stop;

# all that is in the state directory, but for locks and who runs
sub kept ()
{
    return { map { my $path = $edge->state($_);
            $_ => -l $path ? readlink $path : -f _ ? slurp($path) : '' }
        grep { !m{^(?:locks|servers)/} } $edge->state_files };
}

sub try (@words)
{
    return $edge->acmectl('renew', '--dry-run', '--cert-name', 'a.test',
        @words);
}

ok $edge->wait_for(sub { $edge->status('edge.test')->{state} eq 'ok' }, 10),
    'all is settled';
my $before = kept();
my ($exit, $out, $err) = try();
is $exit, 0, 'a dry run' or diag $err;
like $out, qr/^a\.test: dry run succeeded, /, 'which says so';
unlike $err, qr/no server runs/, 'a server answers';
is_deeply kept(), $before, 'nothing is kept';

# X175: another CA
my $url = $second->url;
($exit, $out, $err) = try('--server', $url);
is $exit, 0, 'at another CA' or diag $err;
like $out, qr/succeeded, issuer "\S+ \(--server\)", \Q$url\E: /,
    'which is named';
is scalar($second->orders), 1, 'it was asked';
my @new = grep { !exists $before->{$_} } sort keys %{ kept() };
my ($port) = $url =~ /:(\d+)/;
is scalar(grep { /^accounts\// && !/$port/ } @new), 0, 'of accounts its alone';
is_deeply [grep { !/^(?:accounts|ledger)(?:\/|$)/ } @new], [],
    'is all that is new';
is scalar($second->accounts), 1, 'with the key that there is';
my $orders = $first->orders;
try('--server', $first->url);
is scalar($first->orders), $orders + 1, 'its own may be named as well';

# killed while the CA looks for the proof
$second->fault(where => 'validate', do => 'slow-validation', seconds => 20);
my $trial = $edge->state('orders', 'a.test~trial');
my $pid = $edge->spawn(log => $edge->dir . '/killed.log',
    cmd => [built('ACME_ACMECTL', 'acmectl'), '--state-dir', $edge->state,
        'renew', '--dry-run', '--cert-name', 'a.test', '--server', $url]);
ok $edge->wait_for(sub { -e "$trial/challenge.json" }, 10), 'at work';
kill 'KILL', $pid;
waitpid $pid, 0;
ok $edge->wait_for(sub { !-e $trial }, 10), 'killed: its store clears up';
$second->clear_faults;

$edge->stop;
($exit, undef, $err) = try();
is $exit, 1, 'with no server at all';
like $err, qr/no server runs on .*a\.test: dry run failed, /s, 'it fails';
is_deeply [grep { /^orders\/./ } $edge->state_files], [], 'and leaves nothing';

undef $other;    # its teardown
$edge->done;
