#!/usr/bin/perl
# Servers of nginx's mail{}, with TLS from the start and after STARTTLS: clients
# get a managed certificate of the server_name, and the next one without a
# reload.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(server_pair);
use Acme::Proc qw(run spew);
use Acme::Test;
use Acme::Tls qw(parse_certificate);

my $t = Acme::Test->new(ca => 'own', ca_start => 0);
my $load = $t->server->need_module('mail');
my $pair = server_pair('explicit');
my ($cert, $key) = map { $t->dir . "/conf/$_.pem" } qw(cert key);
spew($cert, $pair->{cert});
spew($key, $pair->{key}, 0600);

# the module before ours, the block before http
$t->site('mx.test')->configure(first => $load, main => <<~"END")->start;
    mail {
        server_name mail.test;
        auth_http 127.0.0.1:%%PORT:nobody%%/;
        timeout 3s;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:mail:1m;
        ssl_session_tickets off;
        acme_certificate testca;

        server { listen 127.0.0.1:%%PORT:imaps%% ssl; protocol imap; }
        server {
            listen 127.0.0.1:%%PORT:imap%%;
            protocol imap;
            starttls on;
        }
        server { listen 127.0.0.1:%%PORT:plain%%; protocol pop3; }
        server {
            listen 127.0.0.1:%%PORT:smtp%%;
            protocol smtp;
            server_name mx.test;
            starttls only;
            smtp_auth login plain;
        }
        server {
            listen 127.0.0.1:%%PORT:pop3%%;
            protocol pop3;
            server_name pop.test;
            starttls on;
            ssl_certificate $cert;
            ssl_certificate_key $key;
        }
    }
    END

# What a client sees that stays until it is sent away: nginx may miss what comes
# right behind a handshake, and waits for it then.
my $leave = $t->dir . '/leave';
spew($leave, "a logout\r\nquit\r\n");

sub client ($port, @more)
{
    my $ran = run(stdin => $leave, cmd => ['openssl', 's_client', '-ign_eof',
        '-connect', '127.0.0.1:' . $t->port($port),
        ($port =~ /s$/ ? () : ('-starttls', $port)), @more]);
    return $ran->{stdout};
}

sub shown ($port)
{
    my ($pem) = client($port, '-verify_return_error', '-CAfile',
        $t->ca->root_file) =~ /(-----BEGIN.*?-----END[^\n]*\n)/s;
    return $pem ? parse_certificate($pem) : undef;
}

sub wait_shown ($port, $old = '')
{
    return $t->wait_for(sub {
        my $got = shown($port);
        $got && $got->{serial} ne $old ? $got : undef;
    }, 20, "a certificate at $port");
}

is shown('imap'), undef, 'before the first certificate: no TLS';
like client('pop3'), qr/issuer=.*explicit/, 'but for an explicit one';
$t->ca->start;
$t->acmectl('renew');

my $imap = wait_shown('imap') or $t->give_up;
is_deeply $imap->{names}, ['mail.test'], 'STARTTLS of IMAP';
is wait_shown('imaps')->{serial}, $imap->{serial}, 'TLS from the start';
my $smtp = wait_shown('smtp') or $t->give_up;
is_deeply $smtp->{names}, ['mx.test'], 'STARTTLS of SMTP';
is $t->serial('mx.test'), $smtp->{serial},
    'http and mail share what is defined alike';
is_deeply wait_shown('pop3')->{names}, ['pop.test'],
    'an explicit one gives way';
is scalar($t->ca->orders), 3, 'and nobody else has one';

# a session is of one certificate
my $session = $t->dir . '/session';
client('imap', '-tls1_2', '-sess_out', $session);
like client('imaps', '-tls1_2', '-sess_in', $session), qr/^Reused, /m,
    'a session is resumed';
like client('smtp', '-tls1_2', '-sess_in', $session), qr/^New, /m,
    'not with another certificate';

my @pids = sort($t->master_pid, $t->worker_pids);
my ($exit, $out, $err) = $t->acmectl('renew', '--force',
    '--cert-name', 'mail.test');
is $exit, 0, 'renewed by force' or diag $out, $err;
my $second = wait_shown('imap', $imap->{serial});
ok $second, 'the new one is served';
is wait_shown('imaps')->{serial}, $second->{serial}, 'by both';
is_deeply [sort($t->master_pid, $t->worker_pids)], \@pids,
    'no process was replaced';

ok $t->reload, 'reload';
is wait_shown('imap')->{serial}, $second->{serial}, 'keeps it';

$t->done;
