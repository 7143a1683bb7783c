#!/usr/bin/perl
# ssl_certificate $acme_certificate, as nginx's own ACME module has it: at http
# level for all servers, in a server, shared by several, beside an explicit
# pair.  Handshakes have our certificate and evaluate no variable.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(server_pair);
use Acme::Proc qw(spew user_ids);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own', ca_start => 0);
my $pair = server_pair('explicit');
my ($cert, $key) = map { $t->dir . "/conf/$_.pem" } qw(cert key);
spew($cert, $pair->{cert});
spew($key, $pair->{key}, 0600);
my $open = $t->dir . '/conf/open.pem';    # workers can read it
spew($open, $pair->{key}, 0600);
chown user_ids('www-data'), $open if $> == 0;

my $own = "ssl_certificate \$acme_certificate;\n"
    . 'ssl_certificate_key $acme_certificate_key;';
my %server = (
    'inherits.test' => '',
    'says.test' => $own,
    'shares.test' => $own,
    'braces.test' => $own =~ s/\$(\w+)/"\${$1}"/gr,
    'explicit.test' => "ssl_certificate $cert;\nssl_certificate_key $key;",
    'beside.test' => "$own\nssl_certificate $cert;\nssl_certificate_key $key;",
    'mapped.test' => "ssl_certificate \$file;\nssl_certificate_key $open;",
);

for my $name (sort keys %server) {
    $t->site($name, extra => $server{$name}, $name eq 'shares.test'
        ? (identifiers => ['says.test', $name]) : $name eq 'says.test'
        ? (identifiers => [$name, 'shares.test']) : ());
}
$t->site('none.test', acme => undef, tls => 1);
$t->site('plain.test', tls => 0);
$t->configure(global => "$own\nmap \$ssl_server_name \$file { default $cert; }");

my ($exit, $out) = $t->test_config;
is $exit, 0, 'a good configuration';
like $out, qr/\[warn\].*"ssl_certificate \$acme_certificate".*\.conf:\d+ has no certificate: add "acme_certificate"/,
    'with one server that has no certificate';
is scalar(() = $out =~ /has no certificate/g), 1, 'and no other';

$t->start;
for my $name (qw(inherits.test says.test braces.test)) {
    ok !$t->peer_certificate($name), "$name: nothing at first";
    like $t->tls_error, qr/handshake failure/, 'by our alert, not an error';
}
for my $name (qw(explicit.test beside.test mapped.test)) {
    my $shown = $t->peer_certificate($name) or $t->give_up;
    like $shown->{issuer}, qr/explicit/, "$name: the explicit one at first";
}

$t->ca->start;
$t->acmectl('renew');
my %serial;
for my $name (sort keys %server) {
    my $got = $t->wait_certificate($name) or $t->give_up;
    ok +(grep { $_ eq $name } @{ $got->{names} }), "$name: has ours";
    $serial{$name} = $got->{serial};
}
is $serial{'shares.test'}, $serial{'says.test'}, 'one for two servers';
is scalar($t->ca->orders), keys(%server), 'one order for these, and for plain.test';

my ($done, undef, $err) = $t->acmectl('renew', '--force', '--cert-name',
    'inherits.test');
is $done, 0, 'renewed' or diag $err;
ok $t->wait_new_serial('inherits.test', $serial{'inherits.test'}),
    'and served without a reload';

my $mark = $t->log_mark;
ok !$t->peer_certificate('none.test'), 'without a certificate: no handshake';
ok $t->reload, 'reload';
is $t->serial('says.test'), $serial{'says.test'}, 'keeps it';
is scalar(() = $t->log_since($mark) =~ /cannot load certificate/g), 1,
    'only the server without one had its variable evaluated';

$t->done;
