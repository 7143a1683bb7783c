#!/usr/bin/perl
# A configuration of mod_md's, with what its documentation shows, after the
# sed of mod_acme_httpd/README.md: it runs.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp spew);
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd', ca => 'pebble');
my $dir = $t->dir;
my ($sed) = slurp('mod_acme_httpd/README.md') =~ /^sed -E -i\.orig '(.*)' FILE$/m
    or BAIL_OUT('the README has no sed');

spew("$dir/message", "#!/bin/sh\necho \"\$*\" >> $dir/message.log\n", 0755);
spew("$dir/md.conf", <<'END');
# MDomain in a comment stays.
MDBaseServer off
MDStoreDir %%STATE%%
MDCertificateProtocol ACME
MDCertificateAuthority %%CA_URL%%
MDCACertificateFile %%CA_FILE%%
MDCertificateAgreement https://letsencrypt.org/documents/LE-SA-v1.5.pdf
MDContactEmail admin@mydomain.test
MDPrivateKeys secp256r1 rsa3072
MDCAChallenges tls-alpn-01 http-01
MDPortMap 80:%%HTTP%% 443:%%TLS%%
MDRenewMode automatic
MDRenewWindow 33%
MDWarnWindow 36h
MDCheckInterval 12h
MDInitialDelay 0s
MDRetryDelay 1mi
MDRetryFailover 13
MDStoreLocks 5s
MDMatchNames all
MDMembers auto
MDMustStaple off
MDRenewViaARI on
MDServerStatus on
MDCertificateStatus on
MDCertificateCheck crt.sh https://crt.sh?q=
MDStapling off
MDStapleOthers on
MDStaplingKeepResponse 7d
MDStaplingRenewWindow 33%
MDExternalAccountBinding none
MDRequireHttps temporary
MDMessageCmd %%DIR%%/message
MDNotifyCmd %%DIR%%/message notified
mdomain mydomain.test auto

<MDomain another.test>
    MDMember www.another.test
    MDPrivateKeys P-384
    MDRequireHttps permanent
    MDChallengeDns01 %%DIR%%/message dns
</MDomain>

<MDomainSet yet.test manual>
  mdrenewmode always
</MDomainSet>
END
run(cmd => ['sed', '-E', '-i.orig', $sed, "$dir/md.conf"])->{exit} eq '0'
    or BAIL_OUT('sed');
my $ours = slurp("$dir/md.conf");
is scalar(() = $ours =~ /^\s*<?\/?ACME\w/gmi),
    scalar(() = slurp("$dir/md.conf.orig") =~ /^\s*<?\/?MD\w/gmi),
    'each directive is converted';
unlike $ours, qr/^\s*<?\/?MD/mi, 'and none is left';

sub hosts (@names)
{
    my $lines = "ServerName $names[0]\n" . (@names > 1
        ? "ServerAlias @names[1 .. $#names]\n" : '') . "DocumentRoot %%WWW%%";
    return "<VirtualHost *:%%HTTP%%>\n$lines\n</VirtualHost>\n"
        . "<VirtualHost *:%%TLS%%>\n$lines\nSSLEngine on\n</VirtualHost>\n";
}

$t->raw_config("Listen 127.0.0.1:%%HTTP%%\nListen 127.0.0.1:%%TLS%%\n$ours"
    . hosts('mydomain.test', 'www.mydomain.test') . hosts('another.test'));
my ($exit, $said) = $t->test_config;
is $exit, 0, 'it is accepted' or diag $said;
$t->start;

my $seen = $t->wait_certificate('mydomain.test', 60) or $t->give_up;
is_deeply [sort @{ $seen->{names} }], [qw(mydomain.test www.mydomain.test)],
    'the alias is in it';
for my $kind ('rsa', 'ecdsa') {
    ok $t->wait_for(sub {
        return $t->peer_certificate('mydomain.test', kind => $kind,
            verify => 1);
    }, 60, $kind), "$kind: one for each key";
}
my $another = $t->wait_certificate('another.test', 60) or $t->give_up;
is_deeply [sort @{ $another->{names} }], [qw(another.test www.another.test)],
    'the section has its members';
is $another->{bits}, 384, '  and its key';
ok $t->wait_for(sub { $t->live_version('yet.test') }, 60),
    'always: also without a virtual host';

is $t->http_get('/', host => 'mydomain.test')->{status}, 302,
    'sent to https: for now';
is $t->http_get('/', host => 'another.test')->{status}, 301,
    '  for good, by its section';
ok $t->wait_for(sub {
    my $log = slurp("$dir/message.log") // '';
    return $log =~ /^renewing mydomain\.test$/m
        && $log =~ /^challenge-setup:tls-alpn-01:mydomain\.test mydomain\.test$/m
        && $log =~ /^renewed mydomain\.test$/m
        && $log =~ /^notified mydomain\.test$/m;
}, 20, 'messages'), 'programs are told as mod_md does it';
is_deeply $t->status('mydomain.test')->{timing}, { mode => 'auto',
    window => '33%', check_interval => '43200s', initial_delay => '0s',
    retry_delay => '60s', retry_failover => '13' }, 'its times are kept';

$t->done;
