#!/usr/bin/perl
# Which names a certificate has beside those in its line: ACMEMembers,
# ACMEMatchNames and ACMEBaseServer.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd', ca => 'own');

sub host ($names, @more)
{
    my ($name, @aliases) = split ' ', $names;
    return join "\n", '<VirtualHost 127.0.0.1:%%TLS%%>', 'SSLEngine on',
        "ServerName $name", (@aliases ? "ServerAlias @aliases" : ()), @more,
        '</VirtualHost>';
}

sub section ($names, @lines)
{
    return join "\n", "<ACMEDomain $names>", @lines, '</ACMEDomain>';
}

# What is proved is proved at the plain one, which has no such name.
sub conf (@lines)
{
    return join "\n", 'Listen 127.0.0.1:%%HTTP%%', 'Listen 127.0.0.1:%%TLS%%',
        'ACMEStateDir %%STATE%%', 'ACMECertificateAuthority %%CA_URL%%',
        'ACMECACertificateFile %%CA_FILE%%', 'ACMECAChallenges http-01',
        'ACMECertificateAgreement accepted',
        '<VirtualHost 127.0.0.1:%%HTTP%%>', 'ServerName plain.invalid',
        '</VirtualHost>', @lines, '';
}

sub tested (@lines) { return $t->test_config(conf(@lines)) }

# ---- what is refused, and by which word it is not

my @alias = (host('a.test www.a.test'));
my ($exit, $said) = tested('ACMEMembers manual', 'ACMEDomain a.test', @alias);
is $exit, 1, 'ACMEMembers manual, for the server: an alias is refused';
like $said, qr/"www\.a\.test" of .* is not among the names of .*"manual"/,
    '  by name';
for my $case (
    ['auto in the domain', 'ACMEMembers manual', 'ACMEDomain a.test auto'],
    ['auto in the section', 'ACMEMember manual',
        section('a.test', 'ACMEMembers auto')],
    ['auto by default', 'ACMEDomain a.test'],
    ['a member', section('a.test manual', 'ACMEMember www.a.test')],
    ['manual, then auto', section('a.test', 'ACMEMembers manual',
        'ACMEMembers auto')])
{
    my ($what, @lines) = @$case;
    ($exit, $said) = tested(@lines, @alias);
    is $exit, 0, "$what: it is not" or diag $said;
}
($exit) = tested(section('a.test', 'ACMEMembers manual'), @alias);
is $exit, 1, 'manual in a section';

my @shared = (host('a.test x.test'), host('b.test x.test'));
for my $members ('auto', 'manual') {
    my @both = ("ACMEMembers $members", 'ACMEDomain a.test',
        'ACMEDomain b.test', @shared);
    ($exit) = tested(@both);
    is $exit, 1, "$members: an alias of two domains is refused";
    ($exit, $said) = tested('ACMEMatchNames servernames', @both);
    is $exit, 0, '  but not with servernames' or diag $said;
}
my @below = ('ACMEDomain a.test', 'ACMEDomain b.test',
    host('a.test'), host('b.test a.test'));
($exit) = tested(@below);
is $exit, 1, "another domain's name as an alias is refused";
($exit, $said) = tested('ACMEMatchNames servernames', @below);
is $exit, 0, '  but not with servernames' or diag $said;

my @wild = ('ACMEChallengeDns01 /bin/true', 'ACMECAChallenges http-01 dns-01',
    'ACMEDomain *.a.test', 'ACMEDomain www.a.test', host('x.a.test'),
    host('www.a.test'));
for my $match ('all', 'servernames') {
    ($exit, $said) = tested("ACMEMatchNames $match", @wild);
    is $exit, 0, "$match: a name below another one's wildcard is accepted"
        or diag $said;
}

# ---- what they are issued for

$t->raw_config(conf('ServerName main.test', 'SSLEngine off',
    'ACMEMatchNames servernames',
    section('a.test', 'ACMEMembers x.test y.test'),
    'ACMEDomain b.test manual', 'ACMEDomain main.test',
    host('a.test www.a.test z.test'), host('b.test z.test')))->start;
my $seen = $t->wait_certificate('a.test') or $t->give_up;
is_deeply [sort @{ $seen->{names} }],
    [qw(a.test www.a.test x.test y.test z.test)],
    'those of the section, and free aliases';
$seen = $t->wait_certificate('b.test') or $t->give_up;
is_deeply $seen->{names}, ['b.test'], 'no alias that another one has';
ok $t->wait_for(sub { $t->live_version('main.test') }, 15),
    'the main server has one';
($exit, $said) = tested('ServerName main.test', 'ACMEBaseServer off',
    'ACMEDomain main.test');
like $said, qr/ACMEDomain main\.test .*no virtual host has any of these names/,
    'but not with ACMEBaseServer off';
($exit, $said) = tested('ServerName main.test', 'ACMEBaseServer on',
    'ACMEDomain main.test');
unlike $said, qr/no virtual host/, 'on: as without it';

$t->done;
