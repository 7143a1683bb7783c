#!/usr/bin/perl
# Two nginx and one Apache behind the addresses of one name, with copies of one
# account key and nothing else in common: what one of them orders is validated
# whichever of them the CA reaches.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(new_key);
use Acme::Proc qw(slurp spew);
use Acme::Test;

use constant NAME => 'many.test';

my $one = Acme::Test->new(host => 'nginx', address => '127.0.0.2',
    ca => { type => 'pebble', authz_reuse => 0 });
my %port = (ports => { http => $one->port('http') });
my $two = Acme::Test->new(host => 'nginx', address => '127.0.0.3', %port);
my $three = Acme::Test->new(host => 'httpd', address => '127.0.0.4', %port);
my ($ca, $dns, $key) = ($one->ca, $one->dns, new_key());

sub address ($host) { return $host->server->address }

# The name has the addresses of these hosts from now on.
sub resolve (@hosts)
{
    $dns->clear(a => NAME);
    $dns->a(NAME, map { address($_) } @hosts);
    return;
}

# Requests of the CA that this host has answered.
sub asked ($host)
{
    return scalar grep { m{GET /\.well-known/acme-challenge/\S+ \S+ 200 } }
        split /\n/, slurp($host->dir . '/logs/access.log') // '';
}

sub counts ($host) { return (asked($host), $ca->proofs) }

sub is_asked ($host, $asked, $proofs)
{
    ok $ca->proofs == $proofs
        || $host->wait_for(sub { asked($host) > $asked }, 5, 'a request'),
        address($host) . ' was asked';
    return;
}

$one->start_ca;
for my $host ($three, $two, $one) {
    my $file = spew($host->dir . '/conf/account.pem', $key, 0600);
    my ($answers) = $host == $one ? $two : $three;
    my @before = counts($answers);

    resolve($answers);
    $host->issuer('pebble', ca => $ca, account_key => $file);
    $host->site(NAME, acme => 'pebble')->start;
    ok $host->wait_certificate(NAME, 30, verify => 0,
        ca_file => $ca->root_file), address($host) . ': a certificate';
    is_asked($answers, @before);
}
is scalar(keys %{ { map { $_->serial(NAME) => 1 } $one, $two, $three } }), 3,
    'each has one of its own';
my %account = map { ($_->acmectl('account', 'list'))[1]
    =~ m{(https://\S+my-account/\w+)} ? ($1 => 1) : ('?' => 1) }
    $one, $two, $three;
is keys %account, 1, 'one account' or diag join ' ', keys %account;
ok !$account{'?'}, 'as acmectl shows';

sub renews ($host, $what)
{
    my $old = $host->serial(NAME);
    my ($exit, $out, $err) = $host->acmectl('renew', '--force');

    is $exit, 0, address($host) . ": renewed, $what" or diag $out, $err;
    ok $host->wait_new_serial(NAME, $old, 10, verify => 0), 'and served';
    return;
}

my @before = counts($one);
resolve($one);
renews($three, 'asked was the first one');
is_asked($one, @before);
resolve($one, $two, $three);
renews($_, 'asked was any of them') for $one, $two;

undef $two;    # their teardown
undef $three;
$one->done;
