#!/usr/bin/perl
# The reference in mod_acme_httpd/README.md, and as a manual page: every
# directive that the server knows is in it, and no other, each as httpd's manual
# has it, with the sections that it may stand in.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp spew);
use Acme::Test;
use Acme::Tool qw(top_dir);

my $t = Acme::Test->new(host => 'httpd');
my (%documented, %context);
my $source = slurp('mod_acme_httpd/acme_httpd_conf.c');
my $make = 'cd ' . top_dir() . ' && build/man-page mod_acme_httpd 5'
    . ' mod_acme_httpd/README.md';
my $page = run(cmd => ['sh', '-c', $make]);
is "$page->{exit}$page->{stderr}", '0', 'the manual page is made';
my $groff = run(cmd => ['sh', '-c', 'command -v groff >/dev/null || exit 0; '
    . "$make | groff -man -Tutf8 -ww 2>&1 >/dev/null"]);
is $groff->{stdout}, '', 'and sound';

for my $part (split /^(?=##)/m, slurp('mod_acme_httpd/README.md')) {
    my ($head, $fields, $words) = $part
        =~ /\A### (ACME[^\n]*)\n\n((?:    [^\n]*\n)+)(.*)/s or next;
    my ($syntax) = $fields =~ /^    Syntax:(.*\n(?: {10}.*\n)*)/m;

    is_deeply [grep { $_ ne 'Options' } $fields =~ /^    (\w+):/gm],
        [qw(Description Syntax Default Context Module)], $head;
    like $page->{stdout}, qr/^\.SS "\Q$head\E"\n\.RS 4\n\.nf\n\\fBDescr/m,
        '  in the manual page, too';
    ($context{$head}) = $fields =~ /^    Context: +(.*)$/m;
    $documented{$_} = 1 for split(/, /, $head),
        $syntax =~ /^(?: +)<?(ACME\w+)/gm,
        $words =~ /`(ACME\w+)` is another name of this directive/g;
}

my $conf = spew($t->dir . '/conf/list.conf', join "\n",
    (map { "LoadModule ${_}_module "
            . $t->server->{modules} . "/mod_$_.so" } qw(mpm_event authz_core)),
    'LoadModule acme_httpd_module ' . $t->server->module,
    'ServerName list.test', 'ErrorLog /dev/null', '');
my $list = run(cmd => [$t->server->binary, '-L', '-f', $conf])->{stdout};
my %known = map { $_ => 1 } $list =~ /^<?(ACME\w+) \(mod_acme_httpd\.c\)/gm;
cmp_ok scalar(keys %known), '>', 60, 'the server knows many';
is_deeply [grep { !$documented{$_} } sort keys %known], [],
    'all of them are documented';
is_deeply [grep { !$known{$_} } sort keys %documented], [],
    'all that are documented are there';

# What the table says of sections.
for my $head (grep { !/,/ } sort keys %context) {
    my ($place) = $source =~ /"$head",\s+\w+,\s+(\w+),/ or next;
    is !!($context{$head} =~ /ACMEDomain section/), $place ne 'NULL',
        "$head: in <ACMEDomain>, or not";
    is !!($context{$head} =~ /ACMEIssuer section/), $place eq 'IN_ISSUER',
        '  in <ACMEIssuer>, or not';
}
$t->done;
