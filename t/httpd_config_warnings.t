#!/usr/bin/perl
# What apache2 -t warns of and accepts, with nothing but "Syntax OK" where
# there is nothing to say; and that a graceful tells the error log as much.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run spew);
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd');
my $dir = $t->dir;

# Text of the server, the lines of the domain, names of the virtual host.
sub conf (%o)
{
    my ($name, @aliases) = split ' ', $o{names} // 'a.test';
    my $state = $o{state} // '%%STATE%%';
    my $terms = $o{terms} // 'ACMECertificateAgreement accepted';
    my $domain = $o{domain} // 'ACMEDomain a.test';
    my $text = $o{text} // '';

    return <<~"END";
        Listen 127.0.0.1:%%HTTP%%
        ACMEStateDir $state
        ACMECertificateAuthority https://127.0.0.1:%%PORT:none%%/dir
        $terms
        $text
        $domain
        <VirtualHost 127.0.0.1:%%HTTP%%>
        ServerName $name
        ${\ (@aliases ? "ServerAlias @aliases" : '')}
        </VirtualHost>
        END
}

# Every path below, with mode, owner, size, mtime and ctime.
sub listing ($top)
{
    my @found;
    require File::Find;
    File::Find::find({ no_chdir => 1, wanted => sub {
        push @found, join ' ', $_, (lstat)[2, 4, 5, 7, 9, 10];
    } }, $top);
    return [sort @found];
}

spew("$dir/var/file", "not a directory\n");
spew("$dir/www/eab.json", '{"kid":"kid","hmac":"' . 'A' x 43 . '"}');
chmod 0600, "$dir/www/eab.json";
system('openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
    . ' -subj / -addext subjectAltName=DNS:a.test -days 9'
    . " -keyout $dir/www/own.key -out $dir/www/own.crt 2>/dev/null") == 0
    or die "openssl\n";
mkdir "$dir/var/open";
chmod 0777, "$dir/var/open";
my $before = listing("$dir/var");

my $at = qr{\S+/test\.conf:\d+};
my $host = "<VirtualHost 127.0.0.1:%%HTTP%%>\nServerName b.test\n";
my $end = '</VirtualHost>';
spew("$dir/www/account.key", "read later\n", 0600);
my @cases = (
    ['nothing to complain about', conf(), undef],
    ['stapling of others', conf(text => "ACMEStapling on\nACMEStapleOthers on"),
        qr/ACMEStapleOthers: only certificates of an ACMEDomain are stapled/],
    ['stapling of others, in a section', conf(text => 'ACMEStapleOthers on',
            domain => "<ACMEDomain a.test>\nACMEStapling on\n</ACMEDomain>"),
        qr/ACMEStapleOthers: only certificates of an ACMEDomain are stapled/],
    ['stapling in a virtual host without a domain',
        conf(text => "${host}ACMEStapling on\n$end"),
        qr/ACME settings in .* have no effect without an ACMEDomain there/],
    ['words of mod_md that do nothing here', conf(text => join "\n",
            'ACMEStapling off', 'ACMEStapleOthers on', 'ACMEStoreLocks 5s',
            'ACMEStaplingKeepResponse 7d', 'ACMEStaplingRenewWindow 33%',
            'ACMECertificateProtocol acme'), undef],
    ['other words of mod_md', conf(terms => 'ACMECertificateAgreement '
            . 'https://ca.test/terms', text => "ACMEDriveMode stick\n"
            . "ACMEPortMap 80:80 443:-\nACMECAChallenges http-01\n"
            . 'ACMERenewWindow 90mi'), undef],
    ['a module without a domain', conf(domain => ''), undef],
    ['aliases', conf(names => 'a.test www.a.test m.a.test'), undef],
    ['a manual domain with all of them',
        conf(names => 'a.test www.a.test',
            domain => 'ACMEDomain www.a.test a.test x.test manual'), undef],
    ['directives in conditions', conf(text => "<IfModule core.c>\n"
        . "ACMEDomain b.test\n<virtualhost 127.0.0.1:%%HTTP%%>\n"
        . "<IfModule core.c>\nservername b.test\n</IfModule>\n"
        . "</VirtualHost>\n</IfModule>"), undef],
    ['modes in any case', conf(domain => 'ACMEDomain a.test AUTO'), undef],
    ['two domains, two virtual hosts',
        conf(text => "ACMEDomain b.test\n$host$end"), undef],
    ['settings of a virtual host with its domain',
        conf(text => "${host}ACMEPrivateKeys RSA\nACMEDomain b.test\n$end"),
        undef],
    ['ACMEPlaceholder of a virtual host',
        conf(text => "${host}ACMEPlaceholder serve\n$end"), undef],
    ['a section', conf(domain => "<ACMEDomain a.test>\n"
        . "ACMEPrivateKeys RSA 3072\n<IfModule ssl_module>\n"
        . "ACMEContactEmail a\@a.test\n</IfModule>\n</ACMEDomain>"), undef],
    ['terms accepted in the section only', conf(terms => '',
        domain => "<ACMEDomain a.test>\nACMECertificateAgreement accepted\n"
            . '</ACMEDomain>'), undef],

    ['all that a domain can be told', conf(domain => "<ACMEDomain a.test>\n"
        . "ACMEExternalAccountBinding www/eab.json\nACMEProfile short\n"
        . "ACMEProfileMandatory on\nACMEPreferredChain \"Some Root\"\n"
        . "ACMERenewViaARI off\nACMECommonNameInCSR on\n"
        . "ACMEMustStaple off\nACMEReuseKey on\nACMEAllowSubset off\n"
        . '</ACMEDomain>'), undef],
    ['what the server is told, taken back for a domain', conf(
        text => 'ACMEExternalAccountBinding kid ' . 'A' x 43
            . "\nACMEProfile short",
        domain => "<ACMEDomain a.test>\nACMEExternalAccountBinding none\n"
            . "ACMEProfile none\n</ACMEDomain>"), undef],
    ['an external account key in the configuration',
        conf(text => 'ACMEExternalAccountBinding kid ' . 'A' x 43),
        qr/ACMEExternalAccountBinding "kid" can be read .*mode 600.*"hmac"/],
    ['terms not accepted', conf(terms => ''),
        qr/terms of service .*"127\.0\.0\.1".* "ACMECertificateAgreement acc/],
    ['a domain in no virtual host', conf(names => 'b.test'),
        qr/ACMEDomain a\.test \($at\): no virtual host .*ServerName/],
    ['an alias of one label', conf(names => 'a.test intranet'),
        qr/"intranet" of the virtual host in $at is not put .*\($at\)/],
    ['an alias that is an address', conf(names => 'a.test 10.0.0.1'),
        qr/"10\.0\.0\.1" of the virtual host in $at is not put into/],
    ['an alias that is no name', conf(names => 'a.test a_b.test'),
        qr/"a_b\.test" of the virtual host in $at is not put into/],
    ['a U-label', conf(names => "a.test b\xc3\xbccher.test"),
        qr/"b\\xc3\\xbccher\.test" of .* send "xn--bcher-kva\.test"; add/],
    ['a U-label and its A-label',
        conf(names => "a.test b\xc3\xbccher.test xn--bcher-kva.test"), undef],
    ['no U-label', conf(names => "a.test -b\xc3\xbccher.test"),
        qr/"-b\\xc3\\xbccher\.test" of the virtual host in $at is not put into/],
    ['a wildcard alias', conf(names => 'a.test *.a.test'),
        qr/"\*\.a\.test" of the virtual host in $at is not put .*DNS alone/],
    ['settings of a virtual host without a domain',
        conf(text => "${host}ACMEPrivateKeys RSA\n$end"),
        qr/ACME settings in the virtual host in $at have no effect .*move/],
    ['https is required where there is none',
        conf(domain => "<ACMEDomain a.test>\nACMERequireHttps temporary\n"
            . '</ACMEDomain>'),
        qr/ACMERequireHttps sends .* virtual host in $at to .*a\.test .*SSLEngine on/],
    ['https is required, and there',
        conf(text => "ACMERequireHttps permanent\n"
            . "<VirtualHost 127.0.0.1:%%TLS%%>\nServerName a.test\n"
            . "SSLEngine on\n</VirtualHost>\n"), undef],
    ['HSTS that grows with a certificate that is not ours', conf(domain =>
            "<ACMEDomain a.test>\nACMEHSTS auto\n"
            . "ACMECertificateFile www/own.crt\n"
            . "ACMECertificateKeyFile www/own.key\n</ACMEDomain>"),
        qr/ACMEHSTS auto of .* in $at stays .* a minute, .* write a time/],
    ['a core dump directory', conf(text => 'CoreDumpDirectory %%DIR%%/tmp'),
        qr/CoreDumpDirectory .*core files.*private keys/],
    ['ACMEStateless pending and off', conf(text =>
            "ACMEStateless off\n${host}ACMEStateless Pending\n$end"), undef],
    ['ACMEStateless any', conf(text => "ACMEStateless any\n"
            . "ACMEAccountKey %%DIR%%/www/account.key"),
        qr/the main server: ACMEStateless: "any": whoever .* every name/],
    ['ACMEThumbprint, once for all that inherit it',
        conf(text => 'ACMEThumbprint ' . 'x' x 43 . "\n$host$end"),
        qr/the main server: ACMEThumbprint: whoever .* every name/],
    ['ACMEThumbprint of a virtual host',
        conf(text => "${host}ACMEThumbprint " . 'x' x 43 . "\n$end"),
        qr/the virtual host in $at: ACMEThumbprint: whoever .* every name/],
    ['ACMEThumbprint, not for all', conf(text => 'ACMEThumbprint '
            . 'x' x 43 . "\n${host}ACMEStateless pending\n$end"),
        qr/ every name/],
    ['ACMEThumbprint for nothing', conf(text => "${host}ACMEThumbprint "
            . 'x' x 43 . "\nACMEStateless pending\n$end"),
        qr/has no effect/],
    ['a file as state directory', conf(state => '%%DIR%%/var/file'),
        qr{ACMEStateDir "$dir/var/file" cannot be used: .*directory}],
    ['a parent that others can write', conf(state => 'var/open/state'),
        qr{ACMEStateDir "$dir/var/open/state" cannot be .*"$dir/var/open"}],
    ['no parent', conf(state => '%%DIR%%/var/no/such/state'),
        qr{ACMEStateDir "$dir/var/no/such/state" cannot be used: }],
);

for my $case (@cases) {
    my ($what, $text, $message) = @$case;
    my ($exit, $out) = $t->test_config($text);
    my @lines = split /\n/, $out;

    ok $exit eq '0' && pop @lines eq 'Syntax OK'
        && @lines == ($message ? 1 : 0)
        && (!$message || $lines[0] =~ $message), $what
        or diag "exit $exit: $out";
}
$t->test_config(conf(names => 'a.test www.a.test'));
my $ran = run(env => $t->server->environment, cmd => [
    $t->server->test_command("$dir/conf/test.conf"), '-e', 'info']);
like $ran->{stderr}, qr/^"www\.a\.test" of .* in $at is put into .*\($at\)$/m,
    '-e info tells what auto takes in';
is_deeply listing("$dir/var"), $before, 'no file was made or touched';
is_deeply [glob "$dir/run/*"], [], 'nor at runtime';

# A server that runs on such a configuration.
my $warning = qr/"intranet" of the virtual host in \S+:\d+ is not put into/;
my $conf = conf(names => 'a.test intranet');
$t->raw_config($conf)->start;
$t->wait_helpers or $t->give_up;
my $mark = $t->log_mark;
ok $t->reload, 'graceful';
like $t->log_since($mark), qr/\[acme_httpd:warn\][^\n]*$warning/,
    'the warning is in the error log';
$t->stop;

$before = listing("$dir/var");
ok -e $t->state('format'), 'a state directory';
my ($exit, $out) = $t->test_config(conf(names => 'b.test',
    domain => 'ACMEDomain b.test'));
is "$exit $out", "0 Syntax OK\n", 'another configuration for it is fine';
is_deeply listing("$dir/var"), $before, 'and has not touched it';

$t->done;
