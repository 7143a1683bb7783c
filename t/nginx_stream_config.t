#!/usr/bin/perl
# Mistakes in stream{} and mail{} are found by nginx -t, with the file, the
# line, the value and the cure.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new;
my $load = join '', map { $t->server->need_module($_) } qw(stream mail);
my $dir = $t->dir;
my ($version) = `@{[$t->server->binary]} -v 2>&1` =~ m{/1\.(\d+\.\d+)};

system('openssl req -new -newkey rsa:2048 -nodes -keyout /dev/null -subj /'
    . " -addext subjectAltName=DNS:a.test -out $dir/www/a.csr 2>/dev/null") == 0
    or die "openssl\n";

my $http = <<~'END';
    acme_issuer one {
    uri https://ca.test/dir;
    accept_terms_of_service;
    }
    server {
    listen 127.0.0.1:%%HTTP%%;
    server_name a.test;
    acme_certificate one name=x;
    }
    END

sub stream ($line, $outside = '')
{
    return "stream {\n$outside\nserver {\nlisten 127.0.0.1:%%TLS%% ssl;\n"
        . "return x;\n$line\n}\n}\n";
}

sub mail ($line, $outside = '')
{
    return "mail {\n$outside\nserver {\nlisten 127.0.0.1:%%TLS%% ssl;\n"
        . "protocol imap;\nauth_http 127.0.0.1:1/;\n$line\n}\n}\n";
}

my @wrong = (
    ['unknown issuer', stream('acme_certificate nobody a.test;'),
        qr/"acme_certificate".*"nobody".*:\d+; write an "acme_issuer nobody/],
    ['twice', stream("acme_certificate one a.test;\nacme_certificate off;"),
        qr/"acme_certificate" directive is duplicate/],
    ['no words', mail('acme_certificate;'),
        qr/number of arguments in "acme_certificate"/],
    ['bad name', mail('acme_certificate one a_b.test;'),
        qr/"acme_certificate".*"a_b\.test".*:\d+: .*underscore/],
    ['no name in mail', mail('acme_certificate one;'),
        qr/"acme_certificate".*:\d+ has no name .*"server_name" or add names/],
    ['no name, inherited', mail('', 'acme_certificate one;'),
        qr/"acme_certificate".*:\d+ has no name .*"server_name" or add names/],
    ['one lineage name, two definitions',
        stream('acme_certificate one b.test name=x;'),
        qr/"acme_certificate".*"x" has two definitions.*another name/],
    ['signing request without ssl_certificate',
        stream("acme_certificate one a.test csr=$dir/www/a.csr;"),
        qr{"csr=" in .*:\d+: only you have the key.*/live/a\.test\S*/fullchain}],
    ['a certificate with variables in stream',
        stream("acme_certificate one a.test;\nssl_certificate /x/\$pid.pem;\n"
            . 'ssl_certificate_key /x/$pid.key;'),
        qr{"acme_certificate" in .*:\d+: .*"ssl_certificate /x/\$pid\.pem".*name a file}],
    ['the same, inherited', stream('acme_certificate one a.test;',
            "ssl_certificate /x/\$pid.pem;\nssl_certificate_key /x/\$pid.key;"),
        qr{"acme_certificate" in .*:\d+: .*"ssl_certificate /x/\$pid\.pem".*name a file}],
    ['off, and no other certificate', stream('acme_certificate off;',
            'acme_certificate one a.test;'),
        qr/no "ssl_certificate" is defined/],
    ['an issuer in stream', stream('', "acme_issuer two {\nuri x;\n}"),
        qr/"acme_issuer" directive is not allowed here/],
    ['an answer in stream', stream('acme_stateless any;'),
        qr/"acme_stateless" directive is not allowed here/],
    ['status in an upstream', "stream {\nupstream u {\nacme_status on;\n}\n}\n",
        qr/"acme_status" directive is not allowed here/],
    ['a hook of no stage', mail('acme_hook renew /bin/true;'),
        qr/"acme_hook": "renew": it must be pre, deploy or post/],
    ['a flag', stream('acme_must_staple maybe;'),
        qr/"maybe" in "acme_must_staple"/],
);

push @wrong, ['no name in stream', stream('acme_certificate one;'),
    qr/"acme_certificate".*:\d+ has no name .*before nginx 1\.25\.5; add names/]
    if $version < 25.5;

sub refused ($what, $message)
{
    my ($exit, $out) = $t->test_config($http);
    my @emerg = grep { /\[emerg\]/ } split /\n/, $out;

    ok $exit != 0 && @emerg == 1 && $emerg[0] =~ $message, $what
        or diag "exit $exit: $out";
    return;
}

for my $case (@wrong) {
    my ($what, $text, $message) = @$case;
    for my $place (qw(main last)) {
        $t->configure(first => $load, main => '', last => '',
            $place => $text);
        refused("$what, " . ($place eq 'main' ? 'before' : 'behind')
            . ' http', $message);
    }
}

# nothing wrong: issuers that http{} does not name
for my $place (qw(main last)) {
    $t->configure(first => $load, main => '', last => '', $place =>
        stream('', "acme_certificate LetsEncrypt-Staging,one b\xc3\xbccher.test "
            . "key=rsa name=other;\nacme_hook deploy /bin/true;")
        . mail('acme_certificate zerossl mail.test;', "acme_reuse_key on;")
            =~ s/%%TLS%%/%%PORT:mail%%/r);
    my ($exit, $out) = $t->test_config($http);
    is $exit, 0, "short names of issuers, $place" or diag $out;
    my @warn = $out =~ /\[warn\].*"(.*?)" in .*:\d+ are not accepted/g;
    is_deeply [sort @warn], ['letsencrypt-staging', 'zerossl'],
        'each said once, with a file and a line' or diag $out;
}

$t->raw_config($load . "load_module %%MODULE%%;\nevents { }\npid %%PID%%;\n"
    . stream('acme_certificate letsencrypt a.test;'), whole => 1);
my ($exit, $out) = $t->test_config;
like $out, qr/\[emerg\].*"acme_certificate" in .*:\d+ has no "http" block beside it; write one/,
    'no http';
is_deeply [glob "$dir/var/* $dir/var/.*[a-z]*"], [], 'no file was made';

$t->done;
