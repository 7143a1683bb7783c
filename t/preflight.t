#!/usr/bin/perl
# acme_preflight: whether this server answers for the names is looked at before
# an order.  "require" makes none if it does not, "warn" says so once and goes
# on, "off" does not look; what is as it should be has nothing said of it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');

sub orders ($name)
{
    return scalar grep { $_->{names}[0] eq $name } $t->ca->orders;
}

sub looks ()
{
    my $log = slurp($t->dir . '/logs/access.log') // '';
    return scalar(() = $log =~ /pre-flight/g);
}

sub configure (%bad)
{
    # nobody is there: what a name has in the DNS is not known
    $t->clear_config->configure(preflight => 'require',
        dns_resolver => '127.0.0.1:1',
        global => { nginx => '', httpd => 'LogFormat "%r %{User-Agent}i"' });
    $t->site('good.test')->site('bad.test', %bad);
    $t->site('pending.test', stateless => 'pending');
    return $t;
}

# the server looks at what is nobody's, so the CA would not find it either
configure(stateless => 'off')->start;
ok $t->wait_certificate('good.test'), 'good.test: all is well';
ok $t->wait_certificate('pending.test'), 'tokens of orders alone: as well';
my $why = qr/this server does not answer the challenge for bad\.test: \S+ /
    . 'answered 404';
ok $t->wait_log(qr/pre-flight, lineage "bad\.test": $why/, 10), 'why not'
    or $t->give_up;
ok $t->wait_log(
    qr/not obtained, lineage "bad\.test".*$why.*next attempt at/, 10),
    'and when it is tried again';
is orders('bad.test'), 0, 'no order was made';
like +($t->acmectl('status'))[1], qr/^bad\.test: .*?pre-flight +$why/ms,
    'acmectl status';
unlike +($t->acmectl('status'))[1], qr/^good\.test: [^:]*pre-flight/m,
    'says nothing of what is well';
is_deeply [grep { m{orders/bad\.test} } $t->state_files], [],
    'nothing is pending';

my $mark = $t->log_mark;
configure(stateless => 'off', preflight => 'warn')->reload;
ok $t->wait_log(qr/not obtained, lineage "bad\.test"(?!.*pre-flight)/, 10,
    since => $mark), 'with "warn" it is the CA who says no';
is orders('bad.test'), 1, 'to an order';
unlike $t->log_since($mark), qr/pre-flight/,
    'what has been said is not said again';

my $looks = looks();
ok $looks > 0, 'the server was asked';
configure(preflight => 'off')->reload;
is +($t->acmectl('renew', '--force', '--cert-name', 'bad.test'))[0], 0,
    'mended: a certificate';
is looks(), $looks, 'with "off" nobody has looked';
unlike +($t->acmectl('status'))[1], qr/pre-flight/, 'and nothing is shown';
$t->done;
