#!/usr/bin/perl
# Which names a domain has, and which virtual hosts serve its certificate.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd', ca => 'own');

sub host ($names, $port = 'TLS')
{
    my ($name, @aliases) = split ' ', $names;
    return "<VirtualHost 127.0.0.1:%%$port%%>\nSSLEngine on\n"
        . ($name ne '-' ? "ServerName $name\n" : '')
        . (@aliases ? "ServerAlias @aliases\n" : '') . "</VirtualHost>\n";
}

# The plain virtual host proves all names, as no name leads to another one.
sub conf (@lines)
{
    return join "\n", (map { "Listen 127.0.0.1:%%$_%%" }
            qw(HTTP TLS PORT:main PORT:other)),
        'ServerName main.test', 'SSLEngine on',
        'ACMEStateDir %%STATE%%', 'ACMECertificateAuthority %%CA_URL%%',
        'ACMECACertificateFile %%CA_FILE%%',
        'ACMECertificateAgreement accepted',
        '<VirtualHost 127.0.0.1:%%HTTP%%>', 'ServerName plain.invalid',
        'SSLEngine off', '</VirtualHost>', @lines;
}

my @domains = ('ACMEDomain main.test', 'ACMEDomain auto.test',
    'ACMEDomain list.test www.list.test extra.test manual',
    'ACMEDomain one.test two.test', 'ACMEDomain x.below.test',
    'ACMEDomain late.test', 'ACMEDomain nameless.test manual',
    'ACMEDomain nowhere.test');
my @hosts = (
    host('Auto.Test WWW.auto.test shop.test'), host('m.auto.test shop.test'),
    host('deep.test m.auto.test'), host('list.test www.list.test'),
    host('one.test'), host('two.test'),
    host('elsewhere.invalid *.below.test'),
    host('exact.test *.below.test'), host('late.test exact.test'),
    host('- nameless.test', 'PORT:other'), host('auto.test', 'PORT:other'));

$t->raw_config(conf(@domains, @hosts))->start;

# what each of them sends, by name and port: the names in it
my @auto = qw(auto.test deep.test m.auto.test shop.test www.auto.test);
my @seen = (
    ['auto.test', 'tls', 'takes in names', @auto],
    ['deep.test', 'tls', 'by way of a third virtual host', @auto],
    ['auto.test', 'other', 'at another address too', @auto],
    ['list.test', 'tls', 'keeps to its list',
        qw(extra.test list.test www.list.test)],
    ['one.test', 'tls', 'of two virtual hosts', qw(one.test two.test)],
    ['two.test', 'tls', 'the other one', qw(one.test two.test)],
    ['x.below.test', 'tls', 'by a wildcard alone', 'x.below.test'],
    ['exact.test', 'tls', 'a name goes before a wildcard',
        qw(exact.test late.test)],
    ['nameless.test', 'other', 'no ServerName', 'nameless.test'],
    ['main.test', 'main', 'the main server', 'main.test'],
);
my %serial;

for my $case (@seen) {
    my ($name, $port, $what, @names) = @$case;
    my $got = $t->wait_certificate($name, 40, port => $t->port($port))
        or $t->give_up("$name: $what");

    is_deeply [sort @{ $got->{names} }], \@names, "$name: $what";
    $serial{"$name $port"} = $got->{serial};
}
is $serial{'auto.test tls'}, $serial{'auto.test other'},
    'one certificate at both addresses';
is $serial{'one.test tls'}, $serial{'two.test tls'},
    'one certificate for two virtual hosts';
is scalar($t->ca->orders), 7, 'an order each, none for nowhere.test';
is $t->status('nowhere.test'), undef, 'which nobody asks for';

# a name more makes a version, one less is no reason for it
s/ServerName one\.test\K/\nServerAlias more.test/,
    s/ServerAlias www\.list\.test// for @hosts;
s/www\.list\.test // for @domains;
$t->raw_config(conf(@domains, @hosts));
$t->reload or $t->give_up('graceful');
my $more = $t->wait_new_serial('two.test', $serial{'one.test tls'});
is_deeply [sort @{ $more->{names} // [] }],
    [qw(more.test one.test two.test)], 'a name more';
is $t->serial($_), $serial{"$_ tls"}, "$_ stays" for qw(list.test auto.test);
is $t->live_version('one.test'), 2, 'a version of the same lineage';
is scalar($t->ca->orders), 8, 'one more order';

$t->done;
