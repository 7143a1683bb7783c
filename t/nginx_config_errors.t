#!/usr/bin/perl
# Mistakes in the text are found by nginx -t: each message names the
# directive, the value and the cure, and nothing is written.  What every
# directive has in common is in nginx_directives.t.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;

my $t = Acme::Test->new;
my $dir = $t->dir;

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

my $mac_key = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';

# An issuer block with more in it, and a server with a line; both optional.
sub issuer ($more = '', $uri = 'https://ca.test/dir')
{
    return "acme_issuer one {\nuri $uri;\naccept_terms_of_service;\n"
        . "$more\n}\n";
}

sub server ($line = 'acme_certificate one;', $name = 'a.test')
{
    return "server {\nlisten 127.0.0.1:%%HTTP%%;\n"
        . ($name ne '' ? "server_name $name;\n" : '') . "$line\n}\n";
}

my @wrong = (
    ['unknown issuer', server('acme_certificate nobody;'),
        qr/"acme_certificate".*"nobody".*:\d+; write an "acme_issuer nobody/],
    ['key of no known kind', issuer() . server('acme_certificate one key=dsa;'),
        qr/"acme_certificate".*"key=dsa".*use ecdsa/],
    ['key of no known size',
        issuer() . server('acme_certificate one key=rsa:1024;'),
        qr/"acme_certificate".*"key=rsa:1024".*use .*rsa\[:2048/],
    ['two keys',
        issuer() . server('acme_certificate one key=ecdsa key=ecdsa:384;'),
        qr/"acme_certificate".*ecdsa:256.*ecdsa:384/],
    ['bad name', issuer() . server('acme_certificate one "a b.test";'),
        qr/"acme_certificate".*"a b\.test".*character other than letters/],
    ['name with an underscore', issuer() . server('acme_certificate one a_b.test;'),
        qr/"acme_certificate".*"a_b\.test".*underscore/],
    ['no U-label',
        issuer() . server("acme_certificate one -b\xc3\xbccher.test;"),
        qr/"acme_certificate".*"-b\xc3\xbccher\.test" has no ASCII form .*xn--/],
    ['no UTF-8', issuer() . server("acme_certificate one b\xfccher.test;"),
        qr/"acme_certificate".* has no ASCII form .*encoding/],
    ['wildcard', issuer() . server('acme_certificate one *.a.test;'),
        qr/"acme_certificate".*"\*\.a\.test" cannot be .*acme_challenge_cmd/],
    ['port map of no port', "acme_port_map http:0;\n" . issuer() . server(),
        qr/"acme_port_map": "http:0": it must be "http:PORT"/],
    ['unknown challenge', "acme_challenge http-02;\n" . issuer() . server(),
        qr/"acme_challenge": unknown challenge "http-02"; known are http-01/],
    ['a program of no convention', "acme_challenge_cmd $dir/www/open.key;\n",
        qr/"acme_challenge_cmd": "\S+open\.key": it must be the convention/],
    ['a program that is missing', "acme_challenge_cmd certbot nowhere/hook;\n",
        qr{"acme_challenge_cmd": program "/\S+/nowhere/hook" does not exist}],
    ['a program that cannot be run',
        "acme_challenge_cmd uacme $dir/www/open.key;\n",
        qr/"acme_challenge_cmd": program \S+ is not executable; chmod \+x it/],
    ['a hook of no stage', "acme_hook renew /bin/true;\n",
        qr/"acme_hook": "renew": it must be pre, deploy or post/],
    ['an empty hook', "acme_hook deploy '  ';\n",
        qr/"acme_hook": "  ": the command is empty/],
    ['none beside a hook', "acme_hook pre /bin/true;\nacme_hook pre none;\n",
        qr/"acme_hook": "none": there is a command beside it/],
    ['a hook beside none', "acme_hook pre none;\nacme_hook pre /bin/true;\n",
        qr/"acme_hook": "\S+": there is "none" beside it/],
    ['five hooks', "acme_hook post /bin/true;\n" x 5,
        qr/"acme_hook": "\S+": it is one command too many; write a script/],
    ['too many words', 'acme_hook post /bin/true' . ' x' x 16 . ";\n",
        qr/"acme_hook": "x": it is one word too many; write a script/],
    ['a hook that is not in PATH',
        issuer() . "acme_hook pre 'no-such-program --all';\n" . server(),
        qr{pre hook "no-such-program --all": program "no-such-program" is not in PATH \(/usr/local/sbin:.*"acme_hook_validation off"}],
    ['a hook that is missing', issuer()
            . server("acme_hook deploy /nowhere/hook word;\nacme_certificate one;"),
        qr{deploy hook "/nowhere/hook word": program "/nowhere/hook" does not exist}],
    ['a hook that cannot be run',
        issuer() . "acme_hook post $dir/www/open.key;\n" . server(),
        qr{post hook "\S+": program "\S+" is not executable; chmod \+x it}],
    ['a hook with a relative path',
        issuer() . "acme_hook post bin/hook;\n" . server(),
        qr{post hook "bin/hook": program "bin/hook" has no absolute path}],
    ['an event command that is missing',
        issuer() . "acme_event_cmd /nowhere/tell;\n" . server(),
        qr{event hook "/nowhere/tell": program "\S+" does not exist}],
    ['an event command that is a line',
        issuer() . "acme_event_cmd '/bin/true word';\n" . server(),
        qr{event hook "/bin/true word": program "/bin/true word" does not exist}],
    ['no time at all', "acme_hook_timeout 0;\n",
        qr/"acme_hook_timeout": "0": it must be a time of 1 to 3600/],
    ['too long', "acme_hook_timeout 2h;\n",
        qr/"acme_hook_timeout": "2h": it must be a time of 1 to 3600/],
    ['all of the life', "acme_warn_window 100%;\n",
        qr/"acme_warn_window": "100%": it must be 1% to 99% of the life/],
    ['weeks', "acme_warn_window 2w;\n",
        qr/"acme_warn_window": "2w": it must be .* or days such as 7d/],
    (map { ["a renew window of $_", "acme_renew_window '$_';\n",
            qr/"acme_renew_window": "\Q$_\E": it must be 1% to 99%/] }
        '2w', '10 d', '100%', '0', '-1d', '99999d'),
    (map { ["acme_$_->[0] $_->[1]", "acme_$_->[0] $_->[1];\n",
            qr/"acme_$_->[0]": "$_->[1]": it must be a time of $_->[2]/] }
        ['check_interval', '0', '1s to 30d'],
        ['initial_delay', '31d', '0 to 30d'],
        ['retry_delay', 'soon', '1s to 1d'],
        ['activation_delay', '8d', '0 to 7d']),
    ['no failures', "acme_retry_failover 0;\n",
        qr/"acme_retry_failover": "0": it must be a number of failures/],
    ['a challenge command of too many words',
        'acme_challenge_cmd mod_md /bin/true' . ' x' x 17 . ";\n",
        qr/"acme_challenge_cmd": .*too many/],
    ['credentials open to others',
        "acme_challenge_cmd certbot /bin/true credentials=$dir/www/open.key;\n",
        qr/"acme_challenge_cmd": credentials file \S+ is open to every user/],
    ['a domain that is none', issuer('issuer_domain *.ca.test;') . server(),
        qr/"issuer_domain" of "acme_issuer" "one" "\*\.ca\.test": it must be/],
    ['port that is closed', "acme_port_map http:-;\n" . issuer('challenge http;')
            . server('acme_certificate one;'),
        qr/"a\.test" cannot be proved: none of its challenges/],
    ['bad lineage name', issuer() . server('acme_certificate one name=../up;'),
        qr{"acme_certificate".*"name=\.\./up".*"\.\./up" begins with a dot}],
    ['empty lineage name', issuer() . server('acme_certificate one name=;'),
        qr/"acme_certificate".*"name=".*empty/],
    ['one lineage name, two definitions',
        issuer() . server('acme_certificate one name=x;')
        . server('acme_certificate one name=x;', 'b.test'),
        qr/"acme_certificate".*"x" has two definitions.*another name/],
    ['unknown parameter', issuer() . server('acme_certificate one size=1;'),
        qr/"acme_certificate".*"size=1".*known are/],
    ['acme_certificate twice at http level',
        issuer() . "acme_certificate one;\nacme_certificate off;\n" . server(),
        qr/"acme_certificate" directive is duplicate/],
    ['issuer called off', "acme_issuer off {\nuri https://ca.test/dir;\n}\n",
        qr/"acme_issuer" cannot be called "off".*use another name/],
    ['off with more', issuer() . server('acme_certificate off a.test;'),
        qr/"acme_certificate" names the unknown issuer "off"/],
    ['name with two dots', issuer() . server('acme_certificate one .a..test;'),
        qr/"acme_certificate".*"\.a\.\.test"/],
    ['name with a wildcard at its end',
        issuer() . server('acme_certificate one www.a.*;'),
        qr/"acme_certificate".*"www\.a\.\*"/],
    ['dot alone', issuer() . server('acme_certificate one .;'),
        qr/"acme_certificate".*"\."/],
    ['resolver without a name server', issuer('resolver;') . server(),
        qr/"resolver" in "acme_issuer", or a wrong number.*resolver ADDRESS/],
    ['state_path without a path', issuer('state_path;') . server(),
        qr/"state_path" in "acme_issuer", or a wrong number.*state_path PATH/],
    ['zone without zone=', "acme_shared_zone own:1M;\n",
        qr/"own:1M" in "acme_shared_zone".*"zone=name:size"; or remove it/],
    ['zone without a name', "acme_shared_zone zone=:1M;\n",
        qr/"zone=:1M" in "acme_shared_zone".*"zone=name:size"/],
    ['zone without a size', "acme_shared_zone zone=own;\n",
        qr/"zone=own" in "acme_shared_zone".*"zone=name:size"/],
    ['zone of no size', "acme_shared_zone zone=own:large;\n",
        qr/size "large" in "acme_shared_zone".*32k or more/],
    ['zone too small', "acme_shared_zone zone=own:8k;\n",
        qr/size "8k" in "acme_shared_zone".*32k or more/],
    ['no names', issuer() . server('acme_certificate one;', ''),
        qr/"acme_certificate".* no name.*"server_name"/],
    ['a regular expression only',
        issuer() . server('acme_certificate one;', '~^a\.test$'),
        qr/"acme_certificate".* no name.*"server_name"/],

    ['issuer twice', issuer() . issuer() . server(),
        qr/duplicate "acme_issuer" "one", first in .*:\d+/],
    ['issuer without uri', "acme_issuer one { }\n" . server(),
        qr/"acme_issuer" "one" has no "uri".*add the URL/],
    ['http URL', issuer('', 'http://ca.test/dir') . server(),
        qr{"acme_issuer" "one".*"http://ca\.test/dir".*https}],
    ['malformed URL', issuer('', 'https:///dir') . server(),
        qr{"acme_issuer" "one".*https URL.*"https:///dir" has no usable host}],
    ['no URL at all', issuer('', 'letsencrypt-stagging') . server(),
        qr{"acme_issuer" "one".*short names.*"letsencrypt-stagging"}],
    ['unknown inner directive', issuer('urii x;') . server(),
        qr/unknown directive "urii" in "acme_issuer".*known are uri/],
    (map { ["a proxy $_", issuer("proxy $_;") . server(),
            qr/"proxy" "\Q$_\E" of "acme_issuer" "one" .*: it must be the http/] }
        'proxy.test:3128', 'ftp://proxy.test', 'http://proxy.test:x',
        'http://u:p@proxy.test', 'http://proxy.test/path'),
    ['a CA file of a proxy', issuer('proxy_trusted_certificate none.pem;')
            . server(), qr/none\.pem" does not exist/],
    ['CA file that is not there',
        issuer("ssl_trusted_certificate $dir/none.pem;") . server(),
        qr{"acme_issuer" "one".*none\.pem" does not exist}],
    ['CA file without certificate',
        issuer("ssl_trusted_certificate $dir/www/key.pem;") . server(),
        qr{"acme_issuer" "one".*key\.pem" has no PEM certificate}],
    ['CA file that never ends',
        issuer("ssl_trusted_certificate $dir/www/zero.pem;") . server(),
        qr{"acme_issuer" "one".*zero\.pem}],
    ['account key that is not there',
        issuer("account_key $dir/none.key;") . server(),
        qr{"acme_issuer" "one".*account key.*none\.key.*No such file}],
    ['account key that others can read',
        issuer("account_key $dir/www/open.key;") . server(),
        qr{"acme_issuer" "one".*open\.key" is open to every user.*chmod}],
    ['account key of no known kind', issuer('account_key rsa:1;') . server(),
        qr{"acme_issuer" "one".*"account_key".*"rsa:1": use .*rsa\[:2048}],

    ['external account key without a key',
        issuer('external_account_key kid;') . server(),
        qr/unknown directive "external_account_key".*external_account_key KID/],
    ['external account key that is not there',
        issuer("external_account_key kid $dir/none.mac;") . server(),
        qr{"acme_issuer" "one".*external account key.*none\.mac.*No such}],
    ['external account key that others can read',
        issuer("external_account_key kid $dir/www/open.key;") . server(),
        qr{"acme_issuer" "one".*open\.key" is open to every user.*chmod}],
    ['external account key that is no base64url',
        issuer('external_account_key kid data:a+b/cdefghijklmnopqrstu;')
        . server(), qr/"external_account_key".*"one".*MAC key is not base64url/],
    ['external account key that is too short',
        issuer('external_account_key kid data:c2hvcnQ;') . server(),
        qr/"external_account_key".*"one".*16 to 1024 bytes, not 5/],
    ['external account key of another algorithm',
        issuer("external_account_key kid data:$mac_key HS1;") . server(),
        qr/"external_account_key".*"HS1".*HS256, HS384 or HS512/],
    ['signing request that is not there', issuer() . server(
            "acme_certificate one csr=$dir/www/none.csr;"),
        qr{"acme_certificate".*signing request ".*none\.csr" does not exist}],
    ['signing request that is none', issuer() . server(
            "acme_certificate one csr=$dir/www/index.html;"),
        qr{"acme_certificate".*index\.html": it is no signing request}],
    ['signing request for other names', issuer() . server(
            "acme_certificate one csr=$dir/www/ab.csr;"),
        qr{"acme_certificate".*ab\.csr".*too many: b\.test it has a\.test, b\.test; configured are a\.test}],
    ['signing request and a key of each type', issuer() . server(
            "acme_certificate one csr=$dir/www/a.csr key=rsa key=ecdsa;"),
        qr{"acme_certificate".*a\.csr" is for one key}],
    ['signing request and acme_reuse_key', issuer() . server(
            "acme_certificate one csr=$dir/www/a.csr;\nacme_reuse_key on;"),
        qr{"acme_certificate".*a\.csr" is not ours to keep}],
    ['signing request and acme_allow_subset', issuer() . server(
            "acme_certificate one csr=$dir/www/a.csr;\nacme_allow_subset on;"),
        qr{"acme_certificate".*a\.csr" is for all of its names}],
    ['signing request without ssl_certificate', issuer() . server(
            "listen 127.0.0.1:%%TLS%% ssl;\n"
            . "acme_certificate one csr=$dir/www/a.csr;"),
        qr{"csr=" in .*:\d+: only you have the key.*/live/a\.test/fullchain}],
    ['unknown fallback', issuer() . server('acme_certificate one,nobody;'),
        qr/"acme_certificate".*"nobody".*:\d+; write an "acme_issuer nobody/],
    ['empty fallback', issuer() . server('acme_certificate one,;'),
        qr/"acme_certificate" names the unknown issuer ""/],
    ['an issuer as its own fallback', issuer() . server('acme_certificate one,one;'),
        qr/"acme_certificate".*"a\.test" names an issuer twice/],
    ['too many issuers', issuer() . server('acme_certificate one,letsencrypt,'
            . 'zerossl,google,sslcom,actalis;'),
        qr/"acme_certificate" names more than 5 issuers in .*:\d+; remove/],

    ['unknown acme_user', "acme_user nobody-here;\n" . issuer() . server(),
        qr/"acme_user".*"nobody-here".*useradd/],
    ['acme_stateless any without a key of one\'s own',
        issuer() . server('acme_stateless any;'),
        qr/every name that reaches this server; name the file of a key/],
    ['acme_stateless any without any account',
        server('acme_stateless any;'),
        qr/"any" has no account to answer for/],
    ['acme_thumbprint too short', server('acme_thumbprint ' . 'x' x 42 . ';'),
        qr/"acme_thumbprint": "x{42}" is no thumbprint.* 43 characters.*file:/],
    ['acme_thumbprint with a wrong character',
        server('acme_thumbprint ' . 'x' x 42 . '=;'),
        qr/"x{42}=" is no thumbprint/],
    ['acme_status for what is no host',
        server('location / { acme_status on a/b; }'),
        qr/"acme_status": .*a\/b/],
);

for my $case (@wrong) {
    my ($what, $text, $message) = @$case;
    my ($exit, $out) = $t->test_config($text);
    my @emerg = grep { /\[emerg\]/ } split /\n/, $out;

    ok $exit != 0 && @emerg == 1 && $emerg[0] =~ $message, $what
        or diag "exit $exit: $out";
}
is_deeply [glob "$dir/var/* $dir/var/.*[a-z]*"], [], 'no file was made';

$t->done;
