#!/usr/bin/perl
# Each directive without its words, with too many, with a wrong one, twice, and
# where it does not belong: nginx -t names file, line and directive, and what
# is wrong with what.  The directives are those of the source.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $t = Acme::Test->new;
my $source = slurp('ngx_acme_module/ngx_acme_conf.c');
my $tsig = spew($t->dir . '/tsig', <<~'END', 0600);
    key "k" { algorithm hmac-sha256; secret "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0"; };
    END

# name => [right words, wrong words, what is said of these, and "again" (more
# than once is right), "many" (so is any number of words)]
my $of_time = qr/it must be a time of/;
my $of_flag = qr/it must be "on" or "off"/;
my $on_or_off = qr/it must be on or off/;
my %http = (
    acme_state_path => ['state', '""', qr/empty value "".*path/],
    acme_issuer => ['two { uri https://ca.test/; }', '"" { }',
        qr/empty name ""; give/],
    acme_accept_terms_of_service => ['', undef, undef, 'again'],
    acme_user => ['root', 'no-such-user', qr/no user "no-such-user"; make it/],
    acme_key_group => ['root', 'no-such-group',
        qr/no group "no-such-group"; make it/],
    acme_shared_zone => ['zone=a:1m', 'a', qr/invalid value "a".*zone=name/],
    acme_stateless => ['off', 'x', qr/"x" is none of "on"/],
    acme_thumbprint => ['x' x 43, 'x', qr/"x" is no thumbprint/],
    acme_port_map => ['http:8080', 'x:1', qr/"x:1": it must be "http:PORT"/],
    acme_require_https => ['permanent', 'x', qr/"x": it must be off, temp/],
    acme_hsts => ['auto', '60 x', qr/"x": only "subdomains" and/],
    acme_upgrade_insecure => ['on', 'x', $on_or_off],
);
my %location = (
    acme_status => ['on', 'x', qr/"x" is none of "on"/, 'many'],
);
my %all = (
    acme_certificate => ['one', 'no-issuer', qr/unknown issuer "no-issuer"/,
        'many'],
    acme_challenge => ['http-01', 'x', qr/unknown challenge "x"/],
    acme_challenge_cmd => ['certbot /bin/true', 'x y', qr/"x": it must be/],
    acme_preflight => ['off', 'x', qr/"x": it must be/],
    acme_dns_update => ["127.0.0.1 $tsig", '127.0.0.1 /none',
        qr{TSIG key "/none": No such file}],
    acme_dns_delegation => ['off', '-', qr/"-"/],
    acme_dns_propagation => ['off', 'x', qr/"x": it must be/],
    acme_dns_resolver => ['127.0.0.1', 'x', qr/"x"/],
    acme_hook => ['pre /bin/true', 'x /bin/true', qr/"x": it must be pre/,
        'again'],
    acme_event_cmd => ['/bin/true', '""', qr/"": the command is empty/],
    acme_directory_hooks => ['on', 'x', $on_or_off],
    acme_hook_validation => ['on', 'x', $on_or_off],
    acme_hook_timeout => ['10s', 'x', $of_time],
    acme_warn_window => ['10%', 'x', qr/"x": it must be 1% to 99%/],
    acme_renew_mode => ['auto', 'x', qr/"x": it must be auto/],
    acme_renew_window => ['33%', 'x', qr/"x": it must be 1% to 99%/],
    (map { $_ => ['10s', 'x', $of_time] } qw(acme_check_interval
        acme_initial_delay acme_retry_delay acme_activation_delay)),
    acme_retry_failover => ['3', 'x', qr/"x": it must be a number/],
    acme_mirror => ['/bin/true', '""', qr/"": the command is empty/],
    acme_mirror_failure => ['retry', 'x', qr/"x": it must be/],
    acme_tracking => ['file:/tmp', 'x', qr/"x": it must be file:/],
    acme_tracking_data => ['csr', 'x', qr/"x": it must be csr/],
    acme_tracking_required => ['on', 'x', $on_or_off],
    (map { $_ => ['on', 'x', $of_flag] } qw(acme_must_staple acme_stapling
        acme_reuse_key acme_use_wildcard acme_allow_subset)),
    acme_placeholder => ['off', 'x', qr/"x".*it must be "off" or/],
);
my %issuer = (
    uri => ['https://ca.test/dir', 'x', qr/short names.*"x"/],
    contact => ['a@ca.test', '""', qr/empty contact ""; write/, 'again many'],
    accept_terms_of_service => ['', undef, undef, 'again'],
    account_key => ['ecdsa', 'rsa:1', qr/"rsa:1": use/],
    challenge => ['http-01', 'x', qr/unknown challenge "x"/],
    external_account_key => ['k data:' . 'A' x 43, 'k data:x',
        qr/MAC key/],
    profile => ['p', 'p x', qr/"x" in "profile", it must be "require"/],
    preferred_chain => ['x', '""', qr/empty value "" of .*; write one/],
    issuer_domain => ['ca.test', '*.x', qr/"\*\.x": it must be/],
    ssl_trusted_certificate => ['/etc/hostname', '/none', qr{"/none" does not}],
    proxy => ['http://p.test', 'x', qr/"x" .*it must be the http/],
    proxy_trusted_certificate => ['/etc/hostname', '/none',
        qr{"/none" does not}],
    (map { $_ => ['on', 'x', $of_flag] } qw(ssl_verify renewal_info
        common_name_in_csr)),
    staging => ['off', 'on', qr/"staging on" .*no staging CA of .* is known/],
    state_path => ['p', '""', qr/"" of "state_path".*a path or "off"/],
    resolver => ['127.0.0.1', '[', qr/"\["/, 'many'],
    resolver_timeout => ['1s', 'x', qr/"x".*it must be a time from 1s/],
);

# Each of the source is in a table.
my ($words, $flags) = map { [/"(\w+)"/g] }
    $source =~ /static const char  \*(?:flag_)?names\[\] = \{(.*?)\}/sg;
is_deeply [sort keys %http, keys %location, keys %all],
    [sort $source =~ /ngx_string\("(acme_\w+)"\)/g], 'all directives';
is_deeply [sort keys %issuer], [sort @$words, @$flags,
    grep { $_ ne 'profile' } $source =~ /value\[0\]\.data, "(\w+)"/g],
    'and all of acme_issuer';

# --- where they are written ------------------------------------------------

my %place = (
    http => sub ($lines) { return site('', $lines) },
    server => sub ($lines) { return site($lines) },
    location => sub ($lines) { return site("location / {\n$lines\n}") },
    issuer => sub ($lines) { return site('', "acme_issuer x {\n"
        . ($lines =~ /^uri/ ? '' : "uri https://ca.test/;\n")
        . "$lines\n}") },
    stream => sub ($lines) { return site(), last => "stream {\n$lines\n}" },
    mail => sub ($lines) { return site(), last => "mail {\n$lines\n}" },
    main => sub ($lines) { return site(), last => $lines },
);

sub site ($lines = '', $http = '')
{
    return "acme_issuer one {\nuri https://ca.test/;\n"
        . "accept_terms_of_service;\n}\n$http\nserver {\n"
        . "listen 127.0.0.1:%%HTTP%%;\nserver_name a.test;\n$lines\n}\n";
}

my $load = join '', map { $t->server->load_line($_) // '' } qw(stream mail);

# nginx -t refuses it with one line, which leads to where it is.
sub refused ($what, $where, $name, $words, $regex, $before = '')
{
    my $end = $words =~ /\}$/ ? '' : ';';
    my ($http, @more) = $place{$where}->("$before$name $words$end");
    $t->configure(main => $load, last => '', @more);
    my ($exit, $out) = $t->test_config($http);
    my @emerg = grep { /\[emerg\]/ } split /\n/, $out;
    my ($line) = ($emerg[0] // '') =~ /test\.conf:(\d+)/;
    my @lines = split /\n/, slurp($t->dir . '/conf/test.conf');

    ok $exit ne '0' && @emerg == 1 && $emerg[0] =~ $regex
        && $emerg[0] =~ /\b(?:$name|acme_issuer|acme_certificate)\b/
        && $lines[$line - 1] =~ /$name|acme_issuer|acme_certificate/,
        "$where: $name $what" or diag "$words: exit $exit: $out";
    return;
}

sub check ($where, $name, $right, $wrong, $said, $often = '')
{
    my $number = qr/number of arguments|wrong number|too (?:few|many)/;
    my $block = $right =~ /\}$/;

    refused('without a word', $where, $name, $block ? '{ }' : '', $number)
        if $right ne '';
    refused('with too many words', $where, $name, "$right " . 'x ' x 20,
        defined $said ? qr/$number|$said/ : $number)
        if !$block && $often !~ /many/;
    refused('with a wrong word', $where, $name, $wrong, $said)
        if defined $wrong;
    refused('twice', $where, $name, $right, qr/duplicate/,
        "$name $right" . ($block ? '' : ';') . "\n") if $often !~ /again/;
    return;
}

check('http', $_, @{ $http{$_} }) for sort keys %http;
check('server', $_, @{ $all{$_} }) for sort keys %all;
check('location', $_, @{ $location{$_} }) for sort keys %location;
check('issuer', $_, @{ $issuer{$_} }) for sort keys %issuer;

# out of context
my $misplaced = qr/is not allowed here|unknown directive/;
refused('at the main level', 'main', $_, $all{$_}[0], $misplaced),
    refused('in a location', 'location', $_, $all{$_}[0], $misplaced)
    for sort keys %all;
for my $name (sort keys %http) {
    refused('in a location', 'location', $name, $http{$name}[0], $misplaced);
    refused('in a server', 'server', $name, $http{$name}[0], $misplaced)
        if $name !~ /stateless|thumbprint|require|hsts|upgrade/;
}
refused('in http', 'http', 'acme_status', 'on', $misplaced);

# stream and mail
for my $block (grep { defined $t->server->load_line($_) } qw(stream mail)) {
    refused('with a wrong word', $block, $_, @{ $all{$_} }[1, 2])
        for grep { $_ ne 'acme_certificate' } sort keys %all;
    refused("in $block", $block, $_, ($http{$_} // $location{$_})->[0],
        $misplaced) for sort keys %http, keys %location;
}

$t->done;
