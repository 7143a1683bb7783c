#!/usr/bin/perl
# An SSLCertificateFile stays, and the log says what to remove; without it
# ours is served after a graceful restart.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(server_pair);
use Acme::Proc qw(spew);
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd', ca => 'own');
my $pair = server_pair('explicit');
my @files = map { $t->dir . "/conf/$_.pem" } qw(cert key);
spew($files[0], $pair->{cert});
spew($files[1], $pair->{key}, 0600);

sub warnings ($mark)
{
    return grep { /SSLCertificateFile/ } split /\n/, $t->log_since($mark);
}

$t->site('a.test', certificate => \@files)->start;
my $explicit = $t->peer_certificate('a.test') or $t->give_up;
like $explicit->{issuer}, qr/explicit/, 'the explicit one';
is $t->http_get('/', host => 'a.test', port => $t->port('tls'), tls => 1,
    sni => 'a.test')->{status}, 200, 'no 503';

my @warned = warnings(0);
is scalar @warned, 1, 'one warning at the start';
my $level = $t->level('warn');
like $warned[0], qr/^.*$level.*"a\.test" in \S+:\d+ keeps its /,
    'that says which';
like $warned[0], qr/ACMEDomain in \S+:\d+; remove SSLCertificateFile/,
    'and what to do';

ok $t->wait_log(qr/certificate obtained, lineage "a\.test"/), 'obtained';
is $t->serial('a.test'), $explicit->{serial}, 'still the explicit one';
my $mark = $t->log_mark;
ok $t->reload, 'a graceful restart';
is $t->serial('a.test'), $explicit->{serial}, 'keeps it';
is scalar(warnings($mark)), 1, 'and warns again';

$t->clear_config->site('a.test');
$mark = $t->log_mark;
ok $t->reload, 'SSLCertificateFile removed';
my $ours = $t->peer_certificate('a.test', verify => 1) or $t->give_up;
isnt $ours->{serial}, $explicit->{serial}, 'ours is served';
is scalar(warnings($mark)), 0, 'no warning any more';
is scalar($t->ca->orders), 1, 'one order in all';

$t->done;
