#!/usr/bin/perl
# Variables in logs, headers, maps and requests to others: what the server has,
# and its certificate and key as files that nginx can load.  The key itself is
# in none of them.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp);
use Acme::Test;
use POSIX qw(strftime);

my $t = Acme::Test->new(ca => 'own', workers => 1);
my $path = qr{/proc/self/fd/\d+};
my $all = '$acme_lineage|$acme_expires|$acme_challenge|$acme_certificate'
    . '|$acme_certificate_key';

$t->site('a.test', lineage => 'one', extra => <<~'END');
    location = /show {
        add_header X-Shown "$acme_lineage|$acme_expires|$acme_challenge|";
        add_header X-Files "$acme_certificate|$acme_certificate_key|";
        add_header X-Mapped $mapped;
        return 204;
    }
    location = /as-client {
        proxy_pass https://127.0.0.1:%%TLS%%/client;
        proxy_ssl_certificate $acme_certificate;
        proxy_ssl_certificate_key $acme_certificate_key;
        proxy_ssl_session_reuse off;
        proxy_set_header X-Key $acme_certificate_key;
    }
    location = /client {
        return 200 "$ssl_client_s_dn $ssl_client_serial $http_x_key";
    }
    ssl_verify_client optional_no_ca;
    error_page 495 =200 /client;    # it is made out for servers
    END
$t->site('b.test', acme => undef,
    extra => "location = /show { add_header X-Shown \"$all|\"; return 204; }");
$t->configure(global => <<~"END");
    map \$acme_certificate_key \$mapped { default \$acme_certificate_key; }
    log_format all '\$request_uri $all';
    access_log %%DIR%%/logs/all.log all;
    END
$t->start;

my $cert = $t->wait_certificate('a.test') or $t->give_up;

my $shown = $t->http_get('/show', host => 'a.test');
my ($lineage, $expires, $challenge) =
    split /\|/, $shown->{headers}{'x-shown'}, -1;
is $lineage, 'one', '$acme_lineage';
like $expires, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, '$acme_expires';
is $expires, strftime('%FT%TZ', gmtime $cert->{not_after}), 'is when the certificate ends';
is $challenge, '', '$acme_challenge is empty in other requests';
like $shown->{headers}{'x-files'}, qr/^$path\|$path\|$/, 'paths of two files';
like $shown->{headers}{'x-mapped'}, qr/^$path$/, 'in a map too';
is $t->http_get('/show', host => 'b.test')->{headers}{'x-shown'}, '|||||',
    'nothing in a server without a certificate';

my $got = $t->http_get('/.well-known/acme-challenge/token', host => 'a.test');
is $got->{status}, 200, 'a challenge';
ok $t->wait_for(sub { slurp($t->dir . '/logs/all.log')
    =~ m{^/\.well-known/acme-challenge/token one\|[^|]+\|http-01\|}m }, 5),
    '$acme_challenge in the log';

my $fds = sub { scalar(() = glob "/proc/@{[$t->worker_pids]}/fd/*") };
my $before = $fds->();
for (1 .. 10) {
    my $answer = $t->http_get('/as-client', host => 'a.test');
    like $answer->{body}, qr/ $cert->{serial} $path$/i,
        'as client: the certificate and its key, loaded from there';
}
ok $t->wait_for(sub { $fds->() <= $before }, 5), 'files go with the request';

my $second = do {
    $t->acmectl('renew', '--force');
    $t->wait_new_serial('a.test', $cert->{serial}) or $t->give_up;
};
like $t->http_get('/as-client', host => 'a.test')->{body},
    qr/ $second->{serial} $path$/i, 'the new one after a renewal';

my $secret = grep { /PRIVATE KEY/ } map { slurp($_) } glob $t->dir . '/logs/*';
is $secret, 0, 'no key in a log';

$t->done;
