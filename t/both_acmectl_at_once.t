#!/usr/bin/perl
# nginx, Apache and three acmectl at once on one state directory: lineages are
# renewed by force, rolled back, deleted and repaired without a pause.  There
# is never a second order for a lineage beside one that is on its way, what is
# live is always a whole pair, and both servers always serve one.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Crash qw(in_parallel);
use Acme::Proc qw(spew);
use Acme::Test;
use Fcntl qw(O_DIRECTORY O_RDONLY);
use Net::SSLeay;

use constant { HANDS => 3, ROUNDS => 4 };

# Rolled back to its first version a lineage is due, so that each of the two
# servers wants to renew it.  What is deleted comes back at a reload, and is
# not always served.
my @names = qw(a.test b.test);
my @work = (
    [['rollback', '--to', 1, '--force', 'a.test'], ['relink', 'b.test'],
        ['renew', '--force', 'b.test'], ['rollback', 'b.test']],
    [['rollback', '--to', 1, '--force', 'b.test'],
        ['renew', '--force', 'a.test'], ['rollback', 'a.test'],
        ['relink', 'a.test']],
    [['delete', '--force', 'c.test'], ['reload'], ['renew', 'c.test'],
        ['rollback', '--to', 1, '--force', 'a.test']],
);

my $nginx = Acme::Test->new(host => 'nginx', ca => { type => 'own',
    authz_reuse => 1, issue_delay => 2, validity => 200, backdate => 120 });
my $httpd = Acme::Test->new(host => 'httpd');
my $ca = $nginx->ca;
my %verify = (verify => 0, ca_file => $ca->root_file);
my $busy = $nginx->dir . '/busy';

$nginx->issuer('testca', ca => $ca, renewal_info => 'off');
$httpd->configure(state => $nginx->state);
$httpd->issuer('testca', ca => $ca, renewal_info => 'off');
$nginx->site($_) for @names, 'c.test';
$nginx->start;
$nginx->wait_certificate($_) or $nginx->give_up for @names, 'c.test';
$ca->set(validity => 90 * 86_400, backdate => 0);
$httpd->site($_, acme => 'testca') for @names, 'c.test';
$httpd->start;
for my $name (@names) {
    $httpd->wait_certificate($name, 15, %verify) or $nginx->give_up;
}
my $before = $ca->orders;

# What the directory of a version that is or was live has; '' or what is wrong.
sub pair_at ($dir)
{
    my $ctx = Net::SSLeay::CTX_new_with_method(Net::SSLeay::TLS_method());
    my $pem = Net::SSLeay::FILETYPE_PEM();
    my $whole = Net::SSLeay::CTX_use_certificate_chain_file($ctx,
            "$dir/fullchain.pem") == 1
        && Net::SSLeay::CTX_use_PrivateKey_file($ctx, "$dir/privkey.pem",
            $pem) == 1
        && Net::SSLeay::CTX_check_private_key($ctx) == 1;

    Net::SSLeay::CTX_free($ctx);
    Net::SSLeay::ERR_clear_error();
    return $whole;
}

sub id ($of) { return join ' ', (stat $of)[0, 1] }

# By a descriptor: a lineage that is deleted and made anew has another
# directory of the same name.
sub look_at ($name)
{
    my $live = $nginx->state('live', $name);

    sysopen my $dir, $live, O_RDONLY | O_DIRECTORY or return '';
    return '' if pair_at("/proc/$$/fd/" . fileno $dir);
    return id($live) eq id($dir) ? "$name is no pair" : '';
}

sub watch ($told)
{
    my (@wrong, $looks);

    while (() = glob "$busy.*") {
        push @wrong, grep { $_ ne '' } map { look_at($_) } @names;
        for my $name (@names) {
            for my $host ($nginx, $httpd) {
                push @wrong, $host->host . " does not serve $name"
                    if !$host->serial($name, %verify);
            }
        }
        $looks++;
    }
    push @$told, ['whole pairs, always served', join ', ', @wrong],
        ['it was looked at', $looks > 5 ? '' : 'hardly'];
    return;
}

# What is at work elsewhere is waited for, or told of; there may be nothing to
# be done, and forced renewals have a limit.
my $fine = qr{at\ work\ on\ it|less\ than\ an\ hour|there\ is\ no\ lineage
    |asked\ for\ again|has\ no\ version|worked\ on|is\ damaged}x;

sub step ($how, $args)
{
    return (0 + !$nginx->reload, '', '') if $how eq 'reload';
    my $name = pop @$args;
    return $nginx->acmectl({ timeout => 90 }, $how, @$args, '--cert-name',
        $name);
}

sub work ($number, $told)
{
    my (%done, @wrong);

    for my $one (map { @{ $work[$number - 1] } } 1 .. ROUNDS) {
        my ($how, @args) = @$one;
        my ($exit, $out, $err) = step($how, [@args]);

        $done{"$how $exit"}++;
        push @wrong, "@$one: $exit $err"
            if $exit ne '0' && "$out$err" !~ $fine;
    }
    unlink "$busy.$number";
    push @$told, ["hand $number: " . join(', ', map { "$_: $done{$_}" }
        sort keys %done), join ', ', @wrong];
    return;
}

spew("$busy.$_", '') for 1 .. HANDS;
in_parallel(\&watch,
    map { my $n = $_; sub ($told) { work($n, $told) } } 1 .. HANDS);

# the last ones may be on their way
$nginx->wait_for(sub { !grep { $_->{status} ne 'valid' } $ca->orders }, 30,
    'the end of all orders');
my @orders = $ca->orders;
cmp_ok scalar(@orders), '>', $before + 3, 'there were orders: '
    . (@orders - $before);
is_deeply [map { "@{ $_->{names} }" } grep { @{ $_->{beside} } } @orders], [],
    'never two at once for a lineage';
is_deeply [grep { $_ ne 'valid' } map { $_->{status} } @orders], [],
    'none is left behind';

# afterwards
for my $name (@names) {
    my $live = $nginx->live_certificate($name);
    ok $_->wait_for(sub {
        $live = $nginx->live_certificate($name);
        return $_->serial($name, %verify) eq $live->{serial};
    }, 10), "$name: " . $_->host . ' serves what is live'
        for $nginx, $httpd;
}
$nginx->restart;
$httpd->restart;
ok $_->wait_certificate('c.test', 20, %verify), $_->host . ' has all of them'
    for $nginx, $httpd;

undef $httpd;    # its teardown
$nginx->done;
