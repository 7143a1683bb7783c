#!/usr/bin/perl
# acmectl install --print: the lines of other servers' configurations that use
# the files of a lineage; nothing is changed.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;
my @how = ('install', '--print', '--cert-name', 'a.test');
my $live = $t->state('live', 'a.test');

for my $wrong (
    [['--print'], qr/by --cert-name NAME/],
    [['--cert-name', 'a.test'], qr/no configuration; with --print it shows/],
    [['--print', '--cert-name', 'a.test', 'iis'], qr/"iis" is none.*nginx/]) {
    my ($args, $why) = @$wrong;
    my ($exit, undef, $err) = $t->acmectl('install', @$args);
    is $exit, 2, "usage: install @$args";
    like $err, $why, '  and how it is meant';
}
my ($exit, undef, $err) = $t->acmectl('install', '--print', '--cert-name',
    'x.test');
is $exit, 1, 'a lineage that is not there';

my %lines = (
    nginx => qr{ssl_certificate "\Q$live\E/fullchain\.pem";
ssl_certificate_key "\Q$live\E/privkey\.pem";},
    apache => qr{SSLCertificateFile "\Q$live\E/fullchain\.pem"
SSLCertificateKeyFile "\Q$live\E/privkey\.pem"},
    haproxy => qr{crt-store
    load crt "\Q$live\E/fullchain\.pem" key "\Q$live\E/privkey\.pem"},
    postfix => qr{smtpd_tls_cert_file = \Q$live\E/fullchain\.pem
smtpd_tls_key_file = \Q$live\E/privkey\.pem},
    dovecot => qr{ssl_cert = <\Q$live\E/fullchain\.pem
ssl_key = <\Q$live\E/privkey\.pem});
for my $program (sort keys %lines) {
    ($exit, my $out) = $t->acmectl(@how, $program);
    is $exit, 0, $program;
    like $out, $lines{$program}, '  its lines';
    is scalar(() = $out =~ /^# /mg), 1, '  and no other\'s';
}
($exit, my $out) = $t->acmectl(@how);
like $out, $_, 'all of them' for values %lines;
($exit, $out) = $t->acmectl(@how, '--json', 'httpd');
is_deeply [keys %{ decode_json($out) }], ['httpd'], 'in JSON';
($exit, $out) = $t->acmectl(@how, $t->host);
$t->stop;

# a server without our module takes them
my $plain = Acme::Test->new;
$plain->configure(plain_server => 1)->site('a.test', acme => undef,
    certificate => [$out =~ m{"(/[^"]+)"}g])->start;
is $plain->serial('a.test', verify => 0), uc $t->status('a.test')->{serial},
    'a server without the module serves it';

undef $plain;
$t->done;
