#!/usr/bin/perl
# The reference in mod_acme_httpd/README.md: every directive that the server
# knows is in it, and no other, each as httpd's manual has it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp spew);
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd');
my %documented;

for my $part (split /^(?=##)/m, slurp('mod_acme_httpd/README.md')) {
    my ($head, $fields, $words) = $part
        =~ /\A### (ACME[^\n]*)\n\n((?:    [^\n]*\n)+)(.*)/s or next;
    my ($syntax) = $fields =~ /^    Syntax:(.*\n(?: {10}.*\n)*)/m;

    is_deeply [grep { $_ ne 'Options' } $fields =~ /^    (\w+):/gm],
        [qw(Description Syntax Default Context Module)], $head;
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

$t->done;
