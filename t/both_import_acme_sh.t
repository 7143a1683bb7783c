#!/usr/bin/perl
# acmectl import acme.sh, of a home as acme.sh leaves one: its settings are
# read and never run.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Foreign qw(fingerprint pair);
use Acme::Proc qw(slurp spew);
use Acme::Test;
use File::Path qw(make_path);
use JSON::PP;
use MIME::Base64 qw(encode_base64);

my $t = Acme::Test->new(ca => 'none');
my $home = $t->dir . '/var/acme.sh';
my $state = $t->dir . '/var/new';
my $planted = $t->dir . '/var/planted';

sub wrapped ($text)
{
    return '__ACME_BASE64__START_' . encode_base64($text, '')
        . '__ACME_BASE64__END_';
}

sub lineage ($dir, $name, %conf)
{
    my ($key, $cert, $chain) = pair($name);

    make_path("$home/$dir", { mode => 0755 });
    spew("$home/$dir/$name.key", $key, 0600);
    spew("$home/$dir/$name.cer", $cert, 0644);
    spew("$home/$dir/fullchain.cer", $cert . $chain, 0644);
    spew("$home/$dir/$name.conf",
        join('', map { "$_='$conf{$_}'\n" } sort keys %conf), 0644);
    return;
}

lineage('a.test_ecc', 'a.test', Le_Domain => 'a.test', Le_Alt => 'no',
    Le_Webroot => '/var/www', Le_API => 'https://acme.test/dir',
    Le_Keylength => 'ec-256', Le_RenewHook => wrapped("echo 'it is' \$1, done"),
    Le_RealKeyPath => '/etc/nginx/a.key', Le_RenewalDays => '60',
    Le_PreHook => "\$(touch $planted)");
make_path("$home/dnsapi");
spew("$home/dnsapi/dns_my.sh", "#!/bin/sh\n", 0755);
lineage('*.b.test', '*.b.test', Le_Domain => '*.b.test', Le_Webroot => 'dns_my',
    Le_Alt => 'b.test,www.c.test', Le_API => 'https://acme.test/dir',
    Le_Keylength => '2048', Le_ForceNewDomainKey => '1');
lineage('bad.test', 'bad.test', Le_Domain => "bad.test' more 'x");
spew("$home/account.conf", "LOG_FILE='x'\n");
chmod 0700, $home;
my $before = fingerprint($home);

my ($exit, $out, $err) = $t->acmectl('import', 'acme.sh', $home,
    '--state-dir', $state);
is $exit, 1, 'one is no use';
like $err, qr/^acmectl: bad\.test: line 1: text behind a quoted/m, '  it is told';
like $out, qr/^$_: taken over, and renewed from here/m, "$_ is taken over"
    for 'a.test', 'b.test';
like $out, qr/not taken over: Le_Webroot \/var\/www: /, 'no webroot is needed';
like $out, qr/not taken over: Le_RealKeyPath \/etc\/nginx\/a\.key: /,
    'nothing is copied to other places';
unlike $out, qr/Le_RenewalDays/, 'what is usual is not told';
like $out, qr/^    \Q$home\E\/acme\.sh --uninstall-cronjob$/m,
    'how it is kept from renewing';
my ($a, $b) = map { decode_json(slurp("$state/renewal/$_.test.json"))
    ->{declared}[0] } qw(a b);
is_deeply $a->{hooks}, { deploy => [["echo 'it is' \$1, done"]],
    pre => [["\$(touch $planted)"]] }, 'hooks are texts' or diag explain $a;
is_deeply [$a->{keys}, $a->{reuse_key}], [['ecdsa:256'], JSON::PP::true],
    'keys stay as with acme.sh';
is_deeply [@$b{qw(names keys reuse_key)}, @{ $b->{proof}{command} }[0 .. 2]],
    [[qw(*.b.test b.test www.c.test)], ['rsa:2048'], JSON::PP::false,
        'acme.sh', 'dns_my', $home], 'or its script changes the DNS'
    or diag explain $b;
ok !-e $planted, 'nothing was run';
is fingerprint($home), $before, 'its home is as it was';

$t->done;
