#!/usr/bin/perl
# acme_preflight where tls-alpn-01 proves the names: this server is asked for
# one of its own before an order, for names and addresses.  Where somebody else
# answers at its port, "require" makes no order, and "warn" says so.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Alpn qw(look);
use Acme::Impostor qw(impostor shared_port);
use Acme::Proc qw(stop_pid);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own', workers => 1);

sub orders ($name)
{
    return scalar grep { grep { $_ eq $name } @{ $_->{names} } } $t->ca->orders;
}

sub configure ($how, @sites)
{
    # nobody is there: what a name has in the DNS is not known
    $t->clear_config->configure(preflight => $how, challenge => 'tls-alpn-01',
        dns_resolver => '127.0.0.1:1', shared_port());
    $t->site(@$_) for @sites;
    return $t;
}

my @good = (['good.test', key => ['ecdsa', 'rsa']],
    ['ip.test', identifiers => ['ip.test', '127.0.0.1']]);

configure(require => @good)->start;
for my $kind (qw(ecdsa rsa)) {
    ok $t->wait_certificate('good.test', 30, kind => $kind),
        "good.test: all is well, $kind";
}
ok $t->wait_certificate('ip.test'), 'as for an address';
unlike $t->log, qr/not obtained|pre-flight, lineage "good|does not answer/,
    'nothing is said of it';
is orders('good.test'), 2, 'an order for each key';
ok $t->wait_for(sub { !look($t->port('tls'), 'good.test')->{digest} }, 5),
    'nothing is proved any more';
is_deeply [grep { m{^orders/} } $t->state_files], [], 'or pending';

# somebody else is at our port
my $pid = impostor($t, 1);
my $mark = $t->log_mark;
configure(require => @good, ['bad.test'])->reload;
my $why = qr/this server does not answer the challenge for bad\.test: \S+ /
    . 'answered as to anybody, without the protocol acme-tls/1';
ok $t->wait_log(qr/not obtained, lineage "bad\.test".*: pre-flight: $why/, 10),
    'an ordinary server there: why there is no certificate';
is orders('bad.test'), 0, 'and no order';
like +($t->acmectl('status'))[1], qr/^bad\.test: .*?pre-flight +$why/ms,
    'acmectl status';

configure(warn => @good, ['bad.test'])->reload;
ok $t->wait_log(qr/not obtained, lineage "bad\.test"(?!.*pre-flight)/, 15,
    since => $mark), 'with "warn" it is the CA who says no';
is orders('bad.test'), 1, 'to an order';
like $t->log_since($mark), qr/pre-flight, lineage "bad\.test": $why/,
    'it was said before';

stop_pid($pid);
is +($t->acmectl('renew', '--force', '--cert-name', 'bad.test'))[0], 0,
    'mended: a certificate';
unlike +($t->acmectl('status'))[1], qr/does not answer/,
    'and nothing to doubt';
$t->done;
