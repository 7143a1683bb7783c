#!/usr/bin/perl
# The directive reference, in README.md and as a manual page: each directive of
# the source with syntax, default, context and an example that nginx -t takes.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp spew);
use Acme::Test;
use Acme::Tool qw(top_dir);

my $t = Acme::Test->new;
my $dir = $t->dir;
my $source = slurp('ngx_acme_module/ngx_acme_conf.c');
my $text = slurp('ngx_acme_module/README.md');

# the files of the examples
spew("$dir/tsig.key", <<~'END', 0600);
    key "k" { algorithm hmac-sha256; secret "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0"; };
    END
spew("$dir/thumbprint", 'x' x 43 . "\n", 0600);
spew("$dir/dns-hook", "#!/bin/sh\n", 0755);

# What is said of the context, by what the command table says.
sub context ($name)
{
    my ($flags) = $source =~ /ngx_string\("$name"\),\s+([\w|]+),/;

    return join ', ', ('http') x ($flags =~ /HTTP_MAIN_CONF/),
        ('server') x ($flags =~ /HTTP_SRV_CONF/),
        ('location') x ($flags =~ /HTTP_LOC_CONF/);
}

my $make = 'cd ' . top_dir() . ' && build/man-page ngx_acme_module 5'
    . ' ngx_acme_module/README.md';
my $page = run(cmd => ['sh', '-c', $make]);
is "$page->{exit}$page->{stderr}", '0', 'the manual page is made';
my $groff = run(cmd => ['sh', '-c', 'command -v groff >/dev/null || exit 0; '
    . "$make | groff -man -Tutf8 -ww 2>&1 >/dev/null"]);
is $groff->{stdout}, '', 'and sound';

sub accepted ($example, $context)
{
    my %place = (http => '', server => '', location => '');
    my $issuer = "acme_issuer one { uri https://ca.test/; "
        . 'accept_terms_of_service; }';

    $example =~ s{/etc/nginx}{$dir}g;
    $example =~ s/acme-client/root/;
    $example =~ s/http:8080 https:8443/http:%%HTTP%%/;
    $place{ $context =~ /server$/ ? 'server' : $context } = $example;
    $place{server} .= ' acme_certificate one;'
        if $example !~ /^acme_certificate /;
    my ($exit, $out) = $t->test_config("acme_accept_terms_of_service;\n"
        x ($example !~ /^acme_accept/) . "$issuer\n$place{http}\n"
        . "server { listen 127.0.0.1:%%HTTP%%; server_name example.com;\n"
        . "$place{server}\nlocation / { $place{location} } }\n");
    return $exit eq '0' || diag $out;
}

for my $name (sort $source =~ /ngx_string\("(acme_\w+)"\)/g) {
    my ($section) = $text =~ /^### $name\n(.*?)(?=^##)/ms;
    my ($head) = ($section // '') =~ /\A\n((?:    .*\n)+)/;
    like $page->{stdout}, qr/^\.SS "$name"\n\.RS 4\n\.nf\n\\fBSyntax: +$name\b/m,
        "$name: in the manual page";
    my %row = ($head // '') =~ /^    (\w+): +(.*)$/mg;

    like $row{Syntax} // '', qr/^$name\b.*[;}\]]$|^$name /, "$name: syntax";
    ok length $row{Default}, "$name: default";
    is $row{Context}, context($name), "$name: context";
    if ($row{Example}) {
        ok accepted($row{Example}, $row{Context}), "$name: example";
    }
    else {
        like $section, qr/^(?:    |```nginx\n(?:.*\n)*?)\s*$name\b.*[;{]/m,
            "$name: an example";
    }
}

$t->done;
