#!/usr/bin/perl
# Wildcards, proved by the DNS: alone, with the name above it, and beside a
# certificate for a name below it, each in the virtual hosts that it is for.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Hook;
use Acme::Test;

Acme::Test->need_root;
my $t = Acme::Test->new(host => 'httpd',
    ca => { type => 'pebble', authz_reuse => 0 });
my $hook = Acme::Hook->new($t, 'mod_md');

sub host ($names)
{
    my ($name, @aliases) = split ' ', $names;
    return join "\n", map {
        ("<VirtualHost 127.0.0.1:%%$_%%>", "ServerName $name",
            (@aliases ? "ServerAlias @aliases" : ()),
            ($_ eq 'TLS' ? 'SSLEngine on' : ()), '</VirtualHost>')
    } qw(HTTP TLS);
}

$t->raw_config(join "\n", 'Listen 127.0.0.1:%%HTTP%%',
    'Listen 127.0.0.1:%%TLS%%', 'ACMEStateDir %%STATE%%',
    'ACMECertificateAuthority %%CA_URL%%',
    'ACMECACertificateFile %%CA_FILE%%',
    'ACMECertificateAgreement accepted', 'ACMEDNSPropagation off',
    'ACMEChallengeDns01 ' . $hook->path, 'ACMEChallengeDns01Version 2',
    'ACMEDomain *.a.test', 'ACMEDomain own.a.test', 'ACMEDomain b.test',
    '<ACMEDomain c.test *.c.test>', '    ACMECAChallenges dns-01',
    '</ACMEDomain>', host('x.a.test'), host('own.a.test'),
    host('y.a.test *.a.test'), host('b.test *.b.test'), host('c.test'),
    host('z.c.test'), '');
$t->start;

my @seen = (
    ['x.a.test', 'a wildcard alone', '*.a.test'],
    ['other.a.test', '  in the virtual host with that alias', '*.a.test'],
    ['own.a.test', 'beside a name below it', 'own.a.test'],
    ['b.test', 'an alias puts it in', '*.b.test', 'b.test'],
    ['any.b.test', '  and is served with it', '*.b.test', 'b.test'],
    ['c.test', 'the name above it, by its section', '*.c.test', 'c.test'],
    ['z.c.test', '  and a virtual host below', '*.c.test', 'c.test'],
);
for my $case (@seen) {
    my ($name, $what, @names) = @$case;
    my $got = $t->wait_certificate($name, 60) or $t->give_up("$name: $what");
    is_deeply [sort @{ $got->{names} }], \@names, "$what: $name";
}
is scalar($t->ca->orders), 4, 'an order each';

$t->done;
