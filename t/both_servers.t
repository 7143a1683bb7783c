#!/usr/bin/perl
# nginx and Apache on one state directory: Apache serves what nginx obtains,
# a renewal reaches both, and what they contradict each other about is shown.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $nginx = Acme::Test->new(host => 'nginx', ca => 'own');
my $httpd = Acme::Test->new(host => 'httpd');
my $ca = $nginx->ca;
my %verify = (verify => 0, ca_file => $ca->root_file);
$httpd->configure(state => $nginx->state)->issuer('testca', ca => $ca);

# of other users than nginx's, workers and engine
$httpd->configure(user => 'nobody', global => "User daemon\nGroup daemon\n")
    if $> == 0;

# the CA looks for challenges at nginx only, and takes its time
$nginx->start_ca;
$ca->fault(where => 'validate', do => 'slow-validation', seconds => 3);
$nginx->site('a.test')->start;
$nginx->wait_for(sub { $ca->challenge_posts }, 10) or $nginx->give_up;
$httpd->site('a.test', acme => 'testca')->start;
my $first = $nginx->wait_certificate('a.test') or $nginx->give_up;
ok $httpd->wait_certificate('a.test', 2, %verify),
    'Apache serves what nginx has obtained';
is $httpd->serial('a.test'), $first->{serial}, 'the same one';
is scalar($ca->orders), 1, 'from one order';
is $httpd->http_get('/.well-known/acme-challenge/x', host => 'a.test')
    ->{body}, $nginx->http_get('/.well-known/acme-challenge/x',
        host => 'a.test')->{body}, 'both give the CA the same answer';

my ($exit, $out, $err) = $nginx->acmectl('renew', '--force');
is $exit, 0, 'renewed while both run' or diag $out, $err;
my @second = map { $_->wait_new_serial('a.test', $first->{serial}, 4,
    verify => 0) } $nginx, $httpd;
is scalar @second, 2, 'both serve another one';
is $second[1]{serial}, $second[0]{serial}, 'the same one';
is scalar($ca->orders), 2, 'from one order';
is scalar($ca->accounts), 1, 'of one account';
is_deeply [map { /^(\w+):/ } sort @{ $nginx->status('a.test')->{declared} }],
    ['httpd', 'nginx'], 'status: declared by both';
ok !$nginx->status('a.test')->{asked}, 'the same CA, whoever asks it';
is $nginx->live_version('a.test'), 2, 'version 2';

$httpd->clear_config->configure(state => $nginx->state);
$httpd->issuer('other', uri => 'https://127.0.0.1:1/dir');
$httpd->site('a.test', acme => 'other')->reload;
ok $nginx->wait_for(sub { $nginx->status('a.test')->{state} eq 'conflict' },
    5), 'contradictory declarations: status conflict';
like $nginx->status('a.test')->{conflict}, qr{https://127\.0\.0\.1:1/dir},
    'says about what';
is $_->serial('a.test'), $second[0]{serial}, 'both go on serving'
    for $nginx, $httpd;
is scalar($ca->orders), 2, 'no order for that';

undef $httpd;    # its teardown
$nginx->done;
