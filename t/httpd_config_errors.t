#!/usr/bin/perl
# Mistakes in the text are found by apache2 -t: each message names the
# directive, the value, the cure and the place, and nothing is written.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd');
my $dir = $t->dir;
my $at = qr/test\.conf:\d+/;            # a place, in our own messages

spew("$dir/www/key.pem", "no certificate in here\n");
spew("$dir/www/open.key", "anything\n");
chmod 0666, "$dir/www/open.key";
symlink '/dev/zero', "$dir/www/zero.pem";
request('a', 'DNS:a.test');
request('ab', 'DNS:a.test,DNS:b.test');

sub request ($name, $san)
{
    system('openssl req -new -newkey rsa:2048 -nodes -keyout /dev/null'
        . " -subj / -addext subjectAltName=$san -out $dir/www/$name.csr"
        . ' 2>/dev/null') == 0 or die "openssl\n";
    return;
}

# A virtual host with these names, and more in it.
sub host ($names = 'a.test', $more = '')
{
    my ($name, @aliases) = split ' ', $names;
    return "<VirtualHost 127.0.0.1:%%TLS%%>\n"
        . ($name ? "ServerName $name\n" : '')
        . (@aliases ? "ServerAlias @aliases\n" : '')
        . "$more\n</VirtualHost>\n";
}

sub section ($more, $names = 'a.test')
{
    return "<ACMEDomain $names>\n$more\n</ACMEDomain>\n";
}

sub issuer ($name, $more = 'ACMECertificateAuthority https://ca.test/dir')
{
    return "<ACMEIssuer $name>\n$more\n</ACMEIssuer>\n";
}

# Reported with the line of the directive.
my $many = join ' ', map { "a$_\@a.test" } 1 .. 17;
my @values = (
    ['ACMEStateDir', '', qr/one argument/],
    ['ACMEStateDir', 'one two', qr/one argument/],
    ['ACMEUser', 'nobody-there', qr/"nobody-there": .*useradd/],
    ['ACMEKeyGroup', 'nobody-there', qr/"nobody-there": .*groupadd/],
    ['ACMEStateless', 'x',
        qr/"x" is none of "on".*"any".*"pending".*"off"/],
    ['ACMEThumbprint', 'x' x 42, qr/"x{42}" is no thumbprint.* 43 .*file:/],
    ['ACMEThumbprint', 'x' x 42 . '=', qr/"x{42}=" is no thumbprint/],
    ['ACMEPortMap', 'http', qr/"http": it must be "http:PORT"/],
    ['ACMEPortMap', 'http:80 https:x', qr/"https:x": it must be "http:PORT"/],
    ['ACMECAChallenges', '', qr/it needs a challenge such as http-01/],
    ['ACMECAChallenges', 'http-01 tls-sni-01', qr/"tls-sni-01" was withdrawn/],
    ['ACMECAChallenges', 'http-01 http', qr/"http": it is there twice/],
    ['ACMEChallengeCmd', '/bin/true', qr/"\/bin\/true": it must be the conv/],
    ['ACMEChallengeCmd', 'certbot nowhere/hook',
        qr{program "/\S+/nowhere/hook" does not exist}],
    ['ACMEChallengeCmd', "uacme $dir/www/open.key",
        qr/program \S+ is not executable; chmod \+x it/],
    ['ACMEChallengeCmd', 'certbot /bin/true credentials=www/open.key',
        qr/credentials file \S+ is open to every user/],
    ['ACMEChallengeDns01', 'nowhere/hook setup',
        qr{program "/\S+/nowhere/hook" does not exist}],
    ['ACMEChallengeDns01Version', '3', qr/"3": it must be 1 or 2/],
    ['ACMEIssuerDomain', '192.0.2.1', qr/"192\.0\.2\.1": it must be the dom/],
    ['ACMEPlaceholder', 'x', qr/"x": it must be "503".* or "serve"/],
    ['ACMEServerStatus', 'maybe', qr/must be On or Off/],
    ['ACMECertificateStatus', 'maybe', qr/must be On or Off/],
    ['ACMECertificateCheck', 'x javascript:y',
        qr/"javascript:y": it must be an http or https URL/],
    ['ACMEStatus', 'yes', qr/"yes" is none of "on" .*"admin" .*"off"/],
    ['ACMEStatus', 'on a/b', qr{"a/b" has a character}],
    ['ACMECertificateAuthority', 'foo',
        qr/"foo": .*https URL.*letsencrypt, letsencrypt-staging/],
    ['ACMECertificateAuthority', 'http://ca.test/dir',
        qr{"http://ca\.test/dir": .*https URL}],
    ['ACMECertificateAuthority', 'https:///dir',
        qr{"https:///dir": .*https URL}],
    ['ACMECertificateAuthority', 'https://ca.test:x/dir',
        qr{"https://ca\.test:x/dir"}],
    ['ACMECertificateAuthority', '',
        qr/needs the URL of a CA.*short name such as letsencrypt/],
    ['ACMECertificateAuthority', 'letsencrypt foo', qr/"foo": .*https URL/],
    ['ACMECertificateAuthority', 'google zerossl sslcom actalis letsencrypt x',
        qr/"x": there are more than 5 CAs/],
    ['ACMEExternalAccountBinding', '', qr/takes 1-2 arguments/],
    ['ACMEExternalAccountBinding', '%%DIR%%/none.json',
        qr/external account key.*none\.json.*No such file/],
    ['ACMEExternalAccountBinding', 'www/open.key',
        qr{"$dir/www/open\.key" is open to every user.*chmod}],
    ['ACMEExternalAccountBinding', 'kid a+b',
        qr/"kid": the MAC key is not base64url; copy it/],
    ['ACMEProfile', '', qr/one argument/],
    ['ACMEPreferredChain', 'Some Root', qr/one argument/],
    ['ACMECSRFile', '', qr/one argument/],
    ['ACMEHook', '', qr/needs pre, deploy or post, and a command/],
    ['ACMEHook', 'renew /bin/true',
        qr/"renew": it must be pre, deploy or post/],
    ['ACMEHook', 'deploy', qr/too few parameters: it needs a command/],
    ['ACMEHook', 'deploy "  "', qr/"  ": the command is empty/],
    ['ACMEHook', 'post /bin/true' . ' x' x 16,
        qr/"x": it is one word too many; write a script/],
    ['ACMEEventCmd', '', qr/too few parameters/],
    ['ACMEMessageCmd', '', qr/too few parameters/],
    ['ACMENotifyCmd', '', qr/few parameters: it needs a command/],
    ['ACMENotifyCmd', '/bin/true' . ' x' x 16, qr/"x": it is one word too many/],
    ['ACMEStoreLocks', '', qr/one argument/],
    ['ACMEStoreLocks', 'maybe', qr/"maybe": it must be on, off or a time/],
    ['ACMEStoreLocks', '5%', qr/"5%": it must be on, off or a time/],
    ['ACMECertificateProtocol', 'CMP', qr/"CMP": it must be ACME/],
    ['ACMEStapling', 'maybe', qr/must be On or Off/],
    ['ACMEStapleOthers', 'maybe', qr/must be On or Off/],
    ['ACMEStaplingKeepResponse', '7w', qr/"7w": it must be a time such as/],
    ['ACMEStaplingKeepResponse', '7%', qr/"7%": it must be a time such as/],
    ['ACMEStaplingRenewWindow', '100%', qr/"100%": it must be 1% to 99%/],
    ['ACMEDirectoryHooks', 'perhaps', qr/"perhaps": it must be on or off/],
    ['ACMEHookValidation', '1', qr/"1": it must be on or off/],
    ['ACMEHookTimeout', 'soon',
        qr/"soon": it must be a time of 1 to 3600 seconds/],
    ['ACMEHookTimeout', '1 2', qr/too many or too few parameters/],
    ['ACMEHookTimeout', '2h', qr/"2h": it must be a time of 1 to 3600/],
    ['ACMEWarnWindow', '100%', qr/"100%": it must be 1% to 99% of the life/],
    ['ACMEWarnWindow', '2w', qr/"2w": it must be .* or days such as 7d/],
    ['ACMEMembers', '', qr/needs names, or auto or manual/],
    ['ACMEMembers', 'b.test', qr/"b\.test": outside of <ACMEDomain> it must/],
    ['ACMEMember', 'auto b.test', qr/"auto": outside of <ACMEDomain> it must/],
    ['ACMEMatchNames', '', qr/one argument/],
    ['ACMEMatchNames', 'aliases', qr/"aliases": it must be all or servern/],
    ['ACMEBaseServer', 'maybe', qr/must be On or Off/],
    ['ACMECertificateFile', 'www/key.pem',
        qr/stands in <ACMEDomain> alone; .*SSLCertificateFile/],
    ['ACMECertificateKeyFile', 'www/key.pem',
        qr/stands in <ACMEDomain> alone; .*SSLCertificateKeyFile/],
    ['ACMERequireHttps', '', qr/too few parameters: it must be off, temp/],
    ['ACMERequireHttps', 'off off', qr/too many .*: it must be off, temp/],
    ['ACMERequireHttps', 'yes', qr/"yes": it must be off, temporary or perm/],
    ['ACMEHSTS', '', qr/too few parameters: off, auto, or a time/],
    ['ACMEHSTS', 'x', qr/"x": it must be off, auto, or a time of at most ten/],
    ['ACMEHSTS', '1w', qr/"1w": it must be off, auto, or a time/],
    ['ACMEHSTS', 'auto subdomains', qr/"subdomains": .* nothing behind off/],
    ['ACMEHSTS', '60 all', qr/"all": only "subdomains" and "preload"/],
    ['ACMEHSTS', '60 preload preload', qr/"preload": it is there twice/],
    ['ACMEHSTS', '60 subdomains preload', qr/"preload": .* "31536000 subdom/],
    ['ACMEUpgradeInsecure', '', qr/too few parameters: it must be on or off/],
    ['ACMEUpgradeInsecure', 'maybe', qr/"maybe": it must be on or off/],
    ['ACMERenewMode', '', qr/few parameters: it must be auto, always or man/],
    ['ACMERenewMode', 'auto now', qr/many or too few .* auto, always or man/],
    ['ACMERenewMode', 'never', qr/"never": it must be auto, always or manual/],
    ['ACMEDriveMode', 'never', qr/"never": it must be auto, always or manual/],
    ['ACMERenewWindow', '', qr/few parameters: it must be 1% to 99%/],
    ['ACMERenewWindow', '10 d', qr/many or too few .* 1% to 99%/],
    (map { ['ACMERenewWindow', "\"$_\"", qr/"\Q$_\E": it must be 1% to 99%/] }
        '2w', '1month', '10 d', '100%', '110%', '0', '-1d', '99999d'),
    (map { ["ACME$_->[0]", $_->[1], qr/"\Q$_->[1]\E": it must be a time of $_->[2], such as/],
            ["ACME$_->[0]", '', qr/too few parameters/] }
        ['CheckInterval', '0', '1s to 30d'],
        ['InitialDelay', '31d', '0 to 30d'], ['RetryDelay', 'soon', '1s to 1d'],
        ['RetryDelay', '2d', '1s to 1d'],
        ['ActivationDelay', '8d', '0 to 7d']),
    (map { ['ACMERetryFailover', $_,
            qr/"$_": it must be a number of failures, 1 to 1000/] }
        '0', '1001', '3s'),
    (map { [$_, 'maybe', qr/must be On or Off/] } qw(ACMEProfileMandatory
        ACMERenewViaARI ACMECommonNameInCSR ACMEMustStaple ACMEReuseKey
        ACMEAllowSubset ACMEStaging)),
    ['ACMECACertificateFile', '%%DIR%%/none.pem',
        qr{"$dir/none\.pem" does not exist}],
    ['ACMECACertificateFile', 'www/key.pem',
        qr{"www/key\.pem": "$dir/www/key\.pem" has no PEM certificate}],
    ['ACMECACertificateFile', '%%WWW%%/zero.pem', qr{zero\.pem"}],
    ['ACMEHttpProxy', '', qr/one argument/],
    (map { ['ACMEHttpProxy', $_, qr/"\Q$_\E": it must be the http or https/] }
        'proxy.test:3128', 'ftp://proxy.test', 'http://proxy.test:x',
        'http://proxy.test:0', 'http://proxy.test:70000', 'http://:3128',
        'http://u:p@proxy.test', 'http://proxy.test/path',
        'http://proxy.test/?q', 'socks5://proxy.test'),
    ['ACMEHttpProxyCACertificateFile', '', qr/one argument/],
    ['ACMEHttpProxyCACertificateFile', '%%DIR%%/none.pem',
        qr{"$dir/none\.pem" does not exist}],
    ['ACMEHttpProxyCACertificateFile', 'www/key.pem',
        qr{"www/key\.pem": "$dir/www/key\.pem" has no PEM certificate}],
    ['ACMECertificateAgreement', 'no', qr/"no": it must be "accepted"/],
    ['ACMEContactEmail', '', qr/argument/],
    ['ACMEContactEmail', $many,
        qr/"a17\@a\.test": .*more than 16 contacts; remove/],
    ['ACMEContactEmail', 'a@' . 'x' x 5000, qr/more than \d+ bytes/],
    ['ACMEAccountKey', '%%DIR%%/none.key',
        qr/account key.*none\.key.*No such file/],
    ['ACMEAccountKey', 'www/open.key',
        qr{"$dir/www/open\.key" is open to every user.*chmod}],
    ['ACMEAccountKey', 'rsa:1000', qr/"rsa:1000": .*use .*rsa\[:2048/],
    ['ACMEPrivateKeys', '', qr/needs a key type: Default, P-256/],
    ['ACMEPrivateKeys', 'RSA 1000', qr/"RSA 1000": .*RSA \[2048/],
    ['ACMEPrivateKeys', 'RSA abc', qr/"abc": no such key type/],
    ['ACMEPrivateKeys', 'P-999', qr/"P-999": .*P-256/],
    ['ACMEPrivateKeys', 'P-256 P-384', qr/"P-384": one curve and one RSA/],
    ['ACMEPrivateKeys', 'RSA 2048 RSA 3072',
        qr/"RSA 3072": one curve and one RSA/],
    ['ACMEPrivateKeys', 'Default P-256', qr/"Default": it stands alone/],
);

my @domains = (
    ['no names', 'ACMEDomain', qr/ACMEDomain needs the names/],
    ['nothing but a mode', 'ACMEDomain manual',
        qr/ACMEDomain needs the names/],
    ['an empty name', 'ACMEDomain a.test "" b.test', qr/ACMEDomain "": /],
    ['no domain name', 'ACMEDomain "a b.test"', qr/"a b\.test": .*letters/],
    ['an underscore', 'ACMEDomain a_b.test', qr/"a_b\.test": .*underscore/],
    ['no U-label', "ACMEDomain -b\xc3\xbccher.test",
        qr/"-b\\xc3\\xbccher\.test" has no ASCII form .*hyphen.*xn--/],
    ['no UTF-8', "ACMEDomain b\xfccher.test",
        qr/no ASCII form .*encoding/],
    ['a wildcard', "ACMECAChallenges http-01\nACMEDomain a.test *.a.test\n" . host(),
        qr/"\*\.a\.test" cannot be proved: .*ACMEChallengeCmd/],
    ['a port that is closed', "ACMEPortMap http:- https:-\nListen 127.0.0.1:1\n"
            . "Listen 127.0.0.1:2\nACMECAChallenges http-01\n"
            . "ACMEDomain a.test\n" . host('a.test', 'SSLEngine on'),
        qr/"a\.test" cannot be proved: none of its challenges/],
    ['none beside a hook', section("ACMEHook pre /bin/true\nACMEHook pre none"),
        qr/ACMEHook: "none": there is a command beside it/],
    ['five hooks', section("ACMEHook post /bin/true\n" x 5),
        qr/ACMEHook: "\S+": it is one command too many; write a script/],
    ['two event commands', section("ACMEEventCmd /bin/true\n" x 2),
        qr/ACMEEventCmd: "\S+": it is one command too many/],
    ['a hook that is not in PATH',
        section('ACMEHook pre "no-such-program --all"') . host(),
        qr{pre hook "no-such-program --all": program "no-such-program" is not in PATH \(/usr/local/sbin:.*"ACMEHookValidation off"}],
    ['a hook that is missing',
        section('ACMEHook deploy /nowhere/hook word') . host(),
        qr{deploy hook "/nowhere/hook word": program "/nowhere/hook" does not exist}],
    ['a hook that cannot be run',
        section("ACMEHook post $dir/www/open.key") . host(),
        qr{post hook "\S+": program "\S+" is not executable; chmod \+x it}],
    ['an event command that is a line',
        section('ACMEEventCmd "/bin/true word"') . host(),
        qr{event hook "/bin/true word": program "/bin/true word" does not exist}],
    ['a URL', 'ACMEDomain https://a.test/', qr{"https://a\.test/": }],
    ['a section without names', section('', ''),
        qr/ACMEDomain needs the names/],
    ['a section without ">"', "<ACMEDomain a.test\n</ACMEDomain>",
        qr/ACMEDomain> .*closing ">"/],
    ['a section that is not closed', '<ACMEDomain a.test>',
        qr/<ACMEDomain> was not closed/],
    ['no section at all', '</ACMEDomain>',
        qr/<\/ACMEDomain> without matching/],
    ['a foreign directive', section('DocumentRoot %%WWW%%'),
        qr/DocumentRoot not allowed in <ACMEDomain>.*<\/ACMEDomain>/],
    ['a virtual host', section(host()),
        qr/<VirtualHost> not allowed in <ACMEDomain>/],
    ['a section in a section', section(section('', 'b.test')),
        qr/<ACMEDomain> not allowed in <ACMEDomain>/],
    ['a domain in a section', section('ACMEDomain b.test'),
        qr/ACMEDomain not allowed in <ACMEDomain>/],
    ['a directive of the server', section('ACMEStateDir %%STATE%%'),
        qr/ACMEStateDir not allowed in <ACMEDomain>/],
    ['a bad value', section('ACMEPrivateKeys P-999'), qr/"P-999"/],
    ['a bad member', section('ACMEMembers b.test b..test'),
        qr/ACMEMembers "b\.\.test": /],
    ['a certificate file that is not there',
        section('ACMECertificateFile www/none.pem'),
        qr/ACMECertificateFile "www\/none\.pem": there is no such file/],
    ['a key file that is none', section('ACMECertificateKeyFile www'),
        qr/ACMECertificateKeyFile "www": there is no such file/],
    ['an issuer without a name', issuer(''), qr/<ACMEIssuer> needs one name/],
    ['an issuer with two', issuer('a b'), qr/<ACMEIssuer> needs one name/],
    ['an issuer with a bad name', issuer('https://ca.test/'),
        qr/<ACMEIssuer> needs one name, of letters/],
    ['an issuer without ">"', "<ACMEIssuer a\n</ACMEIssuer>",
        qr/<ACMEIssuer> needs .*closing ">"/],
    ['an issuer that is not closed', '<ACMEIssuer a>',
        qr/<ACMEIssuer> was not closed/],
    ['an issuer twice', issuer('a') . issuer('A'),
        qr/<ACMEIssuer\ A>:\ .*of\ that\ name\ already\ \(\S+$at\);\ give\ one/x],
    ['an issuer without a CA', issuer('a', 'ACMEProfile x'),
        qr/<ACMEIssuer a>: which CA is it\? .*"ACMECertificateAuthority"/],
    ['an issuer with two CAs',
        issuer('a', 'ACMECertificateAuthority google zerossl'),
        qr/"zerossl": an <ACMEIssuer> is one CA/],
    ['an issuer that names another',
        issuer('b') . issuer('a', 'ACMECertificateAuthority b'),
        qr/"b": it must be the https URL of a CA's ACME directory, or one of/],
    ['a bad value in an issuer', issuer('a', 'ACMEAccountKey dsa'), qr/"dsa"/],
    ['an unknown directive in an issuer', issuer('a', 'ACMENothing on'),
        qr/ACMENothing not allowed in <ACMEIssuer>/],
    ['a directive of a domain in an issuer', issuer('a', 'ACMEPrivateKeys RSA'),
        qr/ACMEPrivateKeys not allowed in <ACMEIssuer>.*<\/ACMEIssuer>/],
    ['a domain in an issuer', issuer('a', section('')),
        qr/<ACMEDomain> not allowed in <ACMEIssuer>/],
    ['an issuer in a domain', section(issuer('a')),
        qr/<ACMEIssuer> not allowed in <ACMEDomain>/],
    ['an issuer in a virtual host', host('a.test', issuer('a')),
        qr/<ACMEIssuer> cannot occur within <VirtualHost>/],
    ['an issuer in a directory', "<Directory />\n" . issuer('a')
        . '</Directory>', qr/<ACMEIssuer not allowed in <Directory> context/],
    ['an issuer that is not there', issuer('a')
        . 'ACMECertificateAuthority nobody',
        qr/"nobody": .* the name of an <ACMEIssuer>, or one of/],
    (map { ["$_->[0] in a virtual host", host('a.test', "@$_"),
            qr/$_->[0] cannot occur within <VirtualHost>/] }
        ['ACMEMatchNames', 'all'], ['ACMEBaseServer', 'on']),
    ['ACMEStateDir', host('a.test', 'ACMEStateDir %%STATE%%'),
        qr/ACMEStateDir cannot occur within <VirtualHost>/],
    ['ACMEStoreDir', host('a.test', 'ACMEStoreDir %%STATE%%'),
        qr/ACMEStoreDir cannot occur within <VirtualHost>/],
    ['ACMEUser', host('a.test', 'ACMEUser nobody'),
        qr/ACMEUser cannot occur within <VirtualHost>/],
    ['ACMEKeyGroup', host('a.test', 'ACMEKeyGroup root'),
        qr/ACMEKeyGroup cannot occur within <VirtualHost>/],
);

# Reported for the whole.
my @together = (
    ['ACMEStaging of a CA that has none known',
        "ACMECertificateAuthority https://ca.test/dir\nACMEStaging on\n"
            . "ACMEDomain a.test\n" . host('a.test'),
        qr{no staging CA of https://ca\.test/dir is known}],
    ['ACMEStateless any without a key of one\'s own',
        "ACMECAChallenges http-01\nACMEDomain a.test\n" . host('a.test', 'ACMEStateless any'),
        qr/$at: ACMEStateless: "any" would .*every name .*; name the file of/],
    ['ACMEStateless any without any account',
        host('a.test', 'ACMEStateless any'),
        qr/$at: ACMEStateless: "any" has no account to answer for/],
    ['a name of two domains',
        "ACMEDomain a.test b.test\nACMEDomain c.test B.test\n" . host(),
        qr/"b\.test" is in .* a\.test \(\S+$at\) .* c\.test .*$at.*remove it/],
    ['a domain twice', "ACMEDomain a.test\nACMEDomain a.test\n" . host(),
        qr/"a\.test" is in .*$at.* and in .*$at/],
    ['a virtual host of two domains',
        "ACMEDomain a.test\nACMEDomain b.test\n" . host('a.test b.test'),
        qr/the\ virtual\ host\ in\ \S+$at\ has\ names\ of\ two\ certificates:
            .*"a\.test".*$at.*"b\.test".*$at.*one\ ACMEDomain/x],
    ['an alias that a manual domain has not',
        "ACMEDomain a.test manual\n" . host('a.test www.a.test'),
        qr/"www\.a\.test" of .*$at .*not among .*a\.test .*$at.*"auto"/],
    ['the same, written in another case',
        "ACMEDomain a.test manual\n" . host('A.test WWW.A.test'),
        qr/"www\.a\.test" of .*not among/i],
    ['a server name that a manual domain has not',
        "ACMEDomain a.test manual\n" . host('b.test a.test'),
        qr/"b\.test" of .*not among/],
    ['an alias of two domains',
        "ACMEDomain a.test\nACMEDomain b.test\n" . host('a.test x.test')
            . host('b.test x.test'),
        qr/$at has names of two certificates: .*"x\.test"/],
    ['domains that a third virtual host joins',
        "ACMEDomain a.test\nACMEDomain b.test\n" . host('x.test y.test')
            . host('a.test x.test') . host('b.test y.test'),
        qr/$at has names of two certificates: .*"[xy]\.test".*"[xy]\.test"/],
    ['a program to notify that is not there',
        "ACMENotifyCmd /nowhere/notify\nACMEDomain a.test\n" . host(),
        qr{ACMEDomain a\.test .*notify hook "/nowhere/notify": program "\S+" does not exist}],
    ['a CA as its own fallback, by a name',
        issuer('one', 'ACMECertificateAuthority google')
            . "ACMEDomain a.test\nACMECertificateAuthority one google\n"
            . host(),
        qr/ACMEDomain a\.test .*$at.*"a\.test" names an issuer twice/],
    ['a CA as its own fallback',
        "ACMEDomain a.test\nACMECertificateAuthority google GOOGLE\n" . host(),
        qr/ACMEDomain a\.test .*$at.*"a\.test" names an issuer twice/],
    ['a signing request that is not there',
        "ACMECSRFile $dir/www/none.csr\nACMEDomain a.test\n" . host(),
        qr/ACMEDomain a\.test \(\S+$at\): signing request ".*none\.csr" does not exist/],
    ['a signing request for other names',
        "ACMECSRFile $dir/www/ab.csr\nACMEDomain a.test\n" . host(),
        qr/ACMEDomain a\.test .*too many: b\.test it has a\.test, b\.test; configured are a\.test/],
    ['a signing request for two certificates',
        "ACMECSRFile $dir/www/a.csr\nACMEDomain a.test\nACMEDomain b.test\n"
            . "ACMECAChallenges http-01\n" . host() . host('b.test'),
        qr/ACMEDomain b\.test .*a\.csr" is used by .*"a\.test" too; move/],
    ['a signing request and a key of each type',
        "ACMEPrivateKeys P-256 RSA\n"
            . section("ACMECSRFile $dir/www/a.csr") . host(),
        qr/ACMEDomain a\.test .*a\.csr" is for one key/],
    ['a signing request and ACMEReuseKey',
        section("ACMECSRFile $dir/www/a.csr\nACMEReuseKey on") . host(),
        qr/ACMEDomain a\.test .*a\.csr" is not ours to keep/],
    ['a signing request and ACMEAllowSubset',
        section("ACMECSRFile $dir/www/a.csr\nACMEAllowSubset on") . host(),
        qr/ACMEDomain a\.test .*a\.csr" is for all of its names/],
    ['a signing request without SSLCertificateFile',
        section("ACMECSRFile $dir/www/a.csr\nACMECAChallenges http-01")
            . host('a.test', 'SSLEngine on'),
        qr/\S+$at serves ACMEDomain a\.test .*only you have.*live\/a\.test\/fullchain/],
    ['a misspelt name',
        "ACMEDomain example.test\n" . host('example.test', 'SSLEngine on')
            . host('exmaple.test', 'SSLEngine on'),
        qr/$at has SSLEngine on but no certificate: .*SSLCertificateFile/],
);

# The line that a message names first.
sub named_line ($out)
{
    my ($number) = $out =~ m{(?:line |/test\.conf:)(\d+)} or return '';
    return (split /\n/, slurp("$dir/conf/test.conf"))[$number - 1] // '';
}

sub refused ($what, $text, $message, %o)
{
    my $test = $o{test} // $t;
    my ($exit, $out) = $test->test_config("ACMEStateDir %%STATE%%\n$text");

    ok $exit eq '1' && $out =~ $message && $out =~ m{/test\.conf\b}
        && (!$o{line} || named_line($out) =~ $o{line}), $what
        or diag "exit $exit: $out";
    return;
}

for my $case (@values) {
    my ($name, $value, $message) = @$case;
    my $shown = length $value < 40 ? $value : substr($value, 0, 40) . '...';

    refused("$name $shown", "ACMEDomain a.test\n$name $value\n" . host(),
        qr/^$name\b.*$message/ms, line => qr/^$name /);
}
refused(@$_) for @domains;
refused(@$_) for @together;
refused('mod_ssl is not loaded', "ACMEDomain a.test\n" . host(),
    qr/ACMEDomain a\.test \(\S+$at\) needs mod_ssl.*LoadModule.*a2enmod/,
    test => Acme::Test->new(host => 'httpd', no_ssl => 1));

# Where none of it can be: it is for servers, not for files or requests.
my @directives = ('ACMEStateDir %%STATE%%', 'ACMEStoreDir %%STATE%%',
    'ACMEUser nobody', 'ACMEKeyGroup root', 'ACMEStateless on', 'ACMEThumbprint ' . 'x' x 43,
    'ACMEPlaceholder serve',
    'ACMECertificateAuthority letsencrypt', 'ACMECACertificateFile none',
    'ACMECertificateAgreement accepted', 'ACMEContactEmail a@a.test',
    'ACMEAccountKey rsa', 'ACMEExternalAccountBinding none',
    'ACMEProfile short', 'ACMEProfileMandatory on', 'ACMEPreferredChain x',
    'ACMERenewViaARI off', 'ACMEStaging on', 'ACMECommonNameInCSR on', 'ACMEMustStaple on',
    'ACMEReuseKey on', 'ACMEAllowSubset on', 'ACMECSRFile x', 'ACMEPrivateKeys rsa',
    'ACMEHook pre none', 'ACMEEventCmd none', 'ACMEMessageCmd none',
    'ACMEDirectoryHooks off', 'ACMEHookValidation off', 'ACMEHookTimeout 9',
    'ACMEMembers auto', 'ACMEMember auto', 'ACMEMatchNames all',
    'ACMEBaseServer on', 'ACMECertificateFile x', 'ACMECertificateKeyFile x',
    'ACMENotifyCmd none', 'ACMEStoreLocks on', 'ACMECertificateProtocol ACME',
    'ACMEStapling on', 'ACMEStapleOthers on', 'ACMEStaplingKeepResponse 7d',
    'ACMEStaplingRenewWindow 33%',
    'ACMERequireHttps off', 'ACMEHSTS auto', 'ACMEUpgradeInsecure on',
    'ACMEHttpProxy none',
    'ACMEHttpProxyCACertificateFile none',
    'ACMEWarnWindow 9%', 'ACMERenewMode auto', 'ACMEDriveMode auto',
    'ACMERenewWindow 9%', 'ACMECheckInterval 9h', 'ACMEInitialDelay 9',
    'ACMERetryDelay 9', 'ACMERetryFailover 9', 'ACMEActivationDelay 0',
    'ACMEDomain a.test', section(''));
my %context = (Directory => '%%WWW%%', Location => '/', Files => '*',
    If => 'true');

for my $where (sort keys %context) {
    for my $line (@directives) {
        my ($name) = $line =~ /(\w+)/;
        refused("$name in <$where>",
            "<$where $context{$where}>\n$line\n</$where>\n" . host(),
            qr/$name>? (?:not allowed|cannot occur)/);
    }
}
is_deeply [glob "$dir/var/* $dir/run/*"], [], 'no file was made';

$t->expect_log(qr/\.htaccess: <?ACME\w+>? not allowed here/);
$t->raw_config("Listen 127.0.0.1:%%HTTP%%\nDocumentRoot %%WWW%%\n"
    . "<Directory %%WWW%%>\nAllowOverride All\n</Directory>")->start;
is $t->http_get('/')->{status}, 200, 'a .htaccess can be there';
for my $line (@directives, 'ACMEStatus admin') {
    my ($name) = $line =~ /(\w+)/;
    my $mark = $t->log_mark;

    spew("$dir/www/.htaccess", $t->server->fill("$line\n"));
    is $t->http_get('/')->{status}, 500, "$name in a .htaccess";
    like $t->log_since($mark), qr/\.htaccess: <?$name>? not allowed here/,
        'and the log says so';
}

$t->done;
