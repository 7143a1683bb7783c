#!/usr/bin/perl
# mod_md loaded as well: nothing against it, but for a name that both have.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd');
plan skip_all => 'there is no mod_md'
    if !-e $t->server->{modules} . '/mod_md.so';

my $at = qr/\S+test\.conf:\d+/;

sub conf (@lines)
{
    return join "\n", '<IfModule !mod_watchdog.c>',
        'LoadModule watchdog_module %%MODULES%%/mod_watchdog.so', '</IfModule>',
        'LoadModule md_module %%MODULES%%/mod_md.so',
        'Listen 127.0.0.1:%%HTTP%%', 'ACMEStateDir %%STATE%%',
        'ACMECertificateAgreement accepted', 'ACMEDomain a.test www.a.test',
        '<VirtualHost 127.0.0.1:%%HTTP%%>', 'ServerName a.test',
        '</VirtualHost>', @lines, '';
}

for my $case (
    ['its directive', 'MDomain www.A.test'],
    ['its section', "<MDomain b.test a.test>\n</MDomain>"],
    ['a member', "<MDomainSet b.test>\nMDMember x.test a.test\n</MDomainSet>"],
    ['a virtual host', '<VirtualHost 127.0.0.1:%%HTTP%%>', 'ServerName x.test',
        'MDomain x.test a.test', '</VirtualHost>'])
{
    my ($what, @lines) = @$case;
    my ($exit, $said) = $t->test_config(conf(@lines));
    is $exit, 1, "$what: refused";
    like $said, qr/the\ name\ "[wA.]*a\.test"\ is\ in\ ACMEDomain\ a\.test
        \ \($at\)\ and\ in\ mod_md's\ \S+\ \($at\),.*rename\ that/xi,
        '  with both places and the cure';
}
for my $case (['none of its', ()], ['other names', 'MDomain b.test auto'],
    ['a name below', 'MDomain x.a.test'])
{
    my ($what, @lines) = @$case;
    my ($exit, $said) = $t->test_config(conf(@lines));
    is $exit, 0, "$what: accepted" or diag $said;
}

$t->done;
