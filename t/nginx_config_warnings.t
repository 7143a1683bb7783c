#!/usr/bin/perl
# What nginx -t warns of and accepts; it writes nothing, neither where there
# is no state directory yet nor where there is one.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;

my $t = Acme::Test->new;
my $dir = $t->dir;

# http-level text, the server's names, more of the issuer, more of the file.
sub conf (%o)
{
    my $terms = $o{terms} // 'accept_terms_of_service;';
    my $issuer = $o{issuer} // '';
    my $text = $o{http} // '';
    my $names = $o{names} // 'a.test';

    return "acme_state_path " . ($o{state} // '%%STATE%%') . ";\n$text\n"
        . "acme_issuer one {\nuri https://127.0.0.1:%%PORT:none%%/dir;\n$terms\n$issuer\n}\n"
        . "server {\nlisten 127.0.0.1:%%TLS%% ssl;\nserver_name $names;\n"
        . "acme_certificate one;\n}\n";
}

# Every path below, with type, mode, owner, size, mtime and ctime.
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
spew("$dir/www/mac.key", 'A' x 43 . "\n");
chmod 0600, "$dir/www/mac.key";
mkdir "$dir/var/open";
chmod 0777, "$dir/var/open";

my $before = listing("$dir/var");
my @fine = (
    ['nothing to complain about', conf(), undef],
    ['regular expression left out', conf(names => 'a.test ~^b\.test$'),
        qr/server_name "\^b\\\.test\$" is not put.*regular expression/],
    ['wildcard left out', conf(names => 'a.test *.a.test'),
        qr/server_name "\*\.a\.test" is not put into.*:\d+.*DNS alone/],
    ['catch-all left out', conf(names => '_ a.test'),
        qr/server_name "_" is not put into.*underscore/],
    ['one label left out', conf(names => 'a.test localhost'),
        qr/server_name "localhost" is not put into.*:\d+: it has no dot/],
    ['one label that is all there is', conf(names => 'localhost'), undef],
    ['a U-label', conf(names => "b\xc3\xbccher.test"),
        qr/"b\xc3\xbccher\.test" is in no .* send "xn--bcher-kva\.test"; add/],
    ['a U-label with a dot', conf(names => ".b\xc3\xbccher.test"),
        qr/"\.b\xc3\xbccher\.test" is in no .* send "\.xn--bcher-kva\.test"/],
    ['a U-label and its A-label',
        conf(names => "b\xc3\xbccher.test XN--bcher-kva.test"), undef],
    ['no U-label', conf(names => "a.test -b\xc3\xbccher.test"),
        qr/"-b\xc3\xbccher\.test" is not put into.* has no ASCII form/],
    ['terms not accepted', conf(terms => ''),
        qr/terms of service of .*"one".*"acme_accept_terms_of_service"/],
    ['terms accepted for all',
        conf(terms => '', http => 'acme_accept_terms_of_service;'), undef],
    ['all that an issuer can be told', conf(http => 'acme_must_staple off;'
            . "acme_reuse_key on;\nacme_allow_subset off;",
        issuer => "external_account_key kid $dir/www/mac.key hs384;\n"
            . "profile short require;\npreferred_chain \"Some Root\";\n"
            . "renewal_info off;\ncommon_name_in_csr on;"), undef],
    ['an external account key in the configuration', conf(issuer =>
            'external_account_key kid data:' . 'A' x 43 . ';'),
        qr/"external_account_key" of .*"one" can be read .*file of mode 600/],
    ['ssl_verify off', conf(issuer => 'ssl_verify off;'),
        qr/"ssl_verify off" in "acme_issuer" "one".*trusted_certificate/],
    ['https is required of a name that has none', conf(http =>
            "server { server_name b.test; acme_require_https permanent; }"),
        qr/"acme_require_https" has no effect on the server in .*:\d+: no "acme/],
    ['https is required by port 80, or of all', conf(http =>
            "acme_require_https permanent;\nserver { server_name b.test; }\n"
            . "server { server_name a.test; acme_require_https temporary; }"),
        undef],
    ['acme_stateless pending and off', conf(http =>
            "acme_stateless off;\nserver { acme_stateless Pending; }"),
        undef],
    ['acme_stateless any', conf(http => 'acme_stateless any;',
            issuer => "account_key $dir/www/mac.key;"),
        qr/"acme_stateless" in \S+:\d+: "any": whoever .* every name/],
    ['acme_thumbprint, once for all that inherit it', conf(http =>
            'acme_thumbprint ' . 'x' x 43 . ';server { }'),
        qr/"acme_thumbprint" in \S+:\d+: whoever .* every name/],
    ['acme_thumbprint in a file', conf(http =>
            "acme_thumbprint file:$dir/www/mac.key;"), qr/ every name/],
    ['acme_thumbprint, not for all', conf(http => 'acme_thumbprint '
            . 'x' x 43 . ";\nserver { acme_stateless pending; }"),
        qr/ every name/],
    ['acme_thumbprint for nothing', conf(http => 'server { acme_thumbprint '
            . 'x' x 43 . "; acme_stateless pending; }"), qr/has no effect/],
    ['a file as state directory', conf(state => "$dir/var/file"),
        qr{"acme_state_path" "$dir/var/file" cannot be used: .*directory}],
    ['a parent that others can write', conf(state => "$dir/var/open/state"),
        qr{"acme_state_path" "$dir/var/open/state" cannot be used: .*"$dir/var/open"}],
    ['no parent', conf(state => "$dir/var/no/such/state"),
        qr{"acme_state_path" "$dir/var/no/such/state" cannot be used: }],
);

for my $case (@fine) {
    my ($what, $text, $message) = @$case;
    my ($exit, $out) = $t->test_config($text);
    my @warn = grep { /\[warn\]/ } split /\n/, $out;

    ok $exit == 0 && @warn == ($message ? 1 : 0)
        && (!$message || $warn[0] =~ $message), $what
        or diag "exit $exit: $out";
}

$t->configure(main => 'worker_rlimit_core 1m;');
my ($exit, $out) = $t->test_config(conf());
is $exit, 0, 'worker_rlimit_core';
like $out, qr/\[warn\].*"worker_rlimit_core" makes workers dumpable/,
    'is warned of';
$t->configure(main => '');
is_deeply listing("$dir/var"), $before, 'no file was made or touched';

# with a state directory that a server has made
$t->raw_config(conf(issuer => 'ssl_verify off;'))->start;
$t->wait_helpers or $t->give_up;
$t->stop;
$before = listing("$dir/var");
ok -e $t->state('format'), 'a state directory';
($exit, $out) = $t->test_config(conf(names => 'b.test'));
is $exit, 0, 'another configuration for it is fine';
is_deeply listing("$dir/var"), $before, 'and has not touched it';

$t->done;
