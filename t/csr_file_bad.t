#!/usr/bin/perl
# A signing request of the operator's that is bad when it is due: nothing is
# asked of the CA, the certificate stays; when the file is good again, here in
# DER, the order follows.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', validity => 40 });
my $dir = $t->dir . '/conf';

sub openssl (@args)
{
    my $ran = run(cmd => ['openssl', @args]);
    die "openssl @args: $ran->{stderr}" if $ran->{exit};
    return;
}

openssl(qw(ecparam -name prime256v1 -genkey -noout -out), "$dir/own.key");
openssl(qw(req -new -subj / -addext subjectAltName=DNS:a.test -outform DER),
    '-key', "$dir/own.key", '-out', "$dir/own.csr");
openssl(qw(req -x509 -subj /CN=first -days 9), '-key', "$dir/own.key", '-out',
    "$dir/own.pem");
my $good = slurp("$dir/own.csr");
$t->site('a.test', csr => "$dir/own.csr",
    certificate => ["$dir/own.pem", "$dir/own.key"])->start;
ok $t->wait_for(sub { ($t->live_version('a.test') // 0) == 1 }, 30),
    'obtained by a request in DER' or $t->give_up;

my $orders = () = $t->ca->requests('newOrder');
spew("$dir/own.csr", substr($good, 0, 100));
ok $t->wait_log(qr/not renewed, lineage "a\.test".*\Q$dir\/own.csr\E/, 40),
    'bad when it is due: the file is named' or diag $t->log;
my $status = $t->status('a.test');
like $status->{error}{text}, qr/\Qown.csr\E/, 'status says why';
is scalar(my @now = $t->ca->requests('newOrder')), $orders,
    'nothing was ordered';
is $t->live_version('a.test'), 1, 'what there was is live';

spew("$dir/own.csr", $good);
ok $t->wait_for(sub { $t->live_version('a.test') > 1 }, 60),
    'put right: renewed, and nobody had to ask' or diag $t->log;
cmp_ok scalar(my @all = $t->ca->requests('newOrder')), '>', $orders,
    'by an order of then';

$t->done;
