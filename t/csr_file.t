#!/usr/bin/perl
# A signing request of the operator's: obtained and renewed for his key, which
# is never seen; one that asks for more than is configured is not ordered.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp);
use Acme::Test;

my $t = Acme::Test->new(ca => { type => 'own', validity => 30 });
my $dir = $t->dir;
my $csr = "$dir/conf/own.csr";
my $state = $t->state;

sub openssl (@args)
{
    system("openssl @args >/dev/null 2>&1") == 0 or die "openssl @args\n";
    return;
}

sub request ($san)
{
    openssl("req -new -key $dir/conf/own.key -subj / -addext",
        "subjectAltName=$san -out $csr.new");
    rename "$csr.new", $csr or die "rename: $!\n";
    return;
}

openssl("ecparam -name prime256v1 -genkey -noout -out $dir/conf/own.key");
request('DNS:a.test,DNS:b.test');
openssl("req -x509 -key $dir/conf/own.key -subj /CN=first -days 9",
    "-out $dir/conf/own.pem");
my $public = `openssl pkey -in $dir/conf/own.key -pubout`;
$t->site(['a.test', 'b.test'], csr => $csr,
    certificate => ["$dir/conf/own.pem", "$dir/conf/own.key"]);
$t->start;

sub live ($file) { return (glob "$state/live/*")[0] . "/$file.pem" }

sub serial ()
{
    my ($exit, $out) = $t->acmectl('status');
    return $out =~ /serial +(\S+)/ ? $1 : '';
}

ok $t->wait_for(sub { serial() ne '' }, 30), 'obtained' or $t->give_up;
is `openssl x509 -in @{[live('cert')]} -noout -pubkey`, $public,
    'for the key of the request';
my ($exit, $out) = $t->acmectl('status');
like $out, qr/key +the operator's own/, 'acmectl tells';
unlike $out, qr/key file/, 'and names no file of it';
my $first = serial();
ok $t->wait_for(sub { serial() ne $first }, 40), 'renewed';
is `openssl x509 -in @{[live('cert')]} -noout -pubkey`, $public,
    'for the same key';
my %told = map { $_->{event} => 1 } $t->events;
ok $told{renewed} && !$told{installed},
    'events say that it is renewed, and not that we serve it';
is_deeply [grep { -e } map { ("$_/privkey.pem", "$_/privkey.rsa.pem") }
    glob "$state/archive/*/* $state/orders/*"], [],
    'no private key anywhere';

# a renewal has just ended, so no order is on its way
my $orders = () = $t->ca->requests('newOrder');
my $last = serial();
request('DNS:a.test,DNS:b.test,DNS:neighbour.test');
ok $t->wait_for(sub { $t->log =~ /too many: neighbour\.test/ }, 40),
    'a neighbour\'s name is refused by name';
sleep 5;
is serial(), $last, 'and nothing is obtained';
is scalar(my @all = $t->ca->requests('newOrder')), $orders,
    'nor ordered: none since the request is another one';
cmp_ok $orders, '==', 2, 'of the two that there were';

$t->done;
