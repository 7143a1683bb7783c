#!/usr/bin/perl
# Servers of nginx's stream{}: TLS clients get a managed certificate, and the
# next one without a reload.  One definition in http{} and stream{} is one
# certificate; what stream{} says is for its servers.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(server_pair);
use Acme::Proc qw(run spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own', ca_start => 0);
my $load = $t->server->need_module('stream');
my $pair = server_pair('explicit');
my ($cert, $key) = map { $t->dir . "/conf/$_.pem" } qw(cert key);
spew($cert, $pair->{cert});
spew($key, $pair->{key}, 0600);
my $explicit = "ssl_certificate $cert; ssl_certificate_key $key;";

$t->site('a.test')->configure(main => $load, last => <<~"END")->start;
    stream {
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:stream:1m;
        ssl_session_tickets off;
        acme_certificate testca s.test key=ecdsa key=rsa;

        server { listen 127.0.0.1:%%PORT:s%% ssl; return "hello\\n"; }
        server { listen 127.0.0.1:%%PORT:plain%%; return "plain\\n"; }
        server {
            listen 127.0.0.1:%%PORT:a%% ssl;
            acme_certificate testca a.test;
            return "a\\n";
        }
        server {
            listen 127.0.0.1:%%PORT:x%% ssl;
            acme_certificate testca x.test;
            $explicit
            return "x\\n";
        }
        server {
            listen 127.0.0.1:%%PORT:off%% ssl;
            acme_certificate off;
            $explicit
            return "off\\n";
        }
    }
    END

sub client ($port, @more)
{
    return run(cmd => ['openssl', 's_client', '-connect',
        '127.0.0.1:' . $t->port($port), '-CAfile', $t->ca->root_file, @more]);
}

is client('s', '-ign_eof')->{exit}, 1, 'before the first certificate: no TLS';
like $t->peer_certificate('x.test', port => $t->port('x'))->{issuer},
    qr/explicit/, 'but for an explicit one';
$t->ca->start;
$t->acmectl('renew');

my $s = $t->wait_certificate('s.test', 20, port => $t->port('s'))
    or $t->give_up;
is_deeply $s->{names}, ['s.test'], 'a certificate';
for my $kind (qw(ecdsa rsa)) {
    ok $t->peer_certificate('s.test', port => $t->port('s'), verify => 1,
        kind => $kind, tls => $_), "$kind, TLS $_" for '1.2', '1.3';
}
like client('s', '-ign_eof', '-verify_return_error')->{stdout}, qr/^hello$/m,
    'and what the server has to say';
is $t->peer_certificate('s.test', port => $t->port('plain')), undef,
    'a server without TLS has none';
my $x = $t->wait_certificate('x.test', 20, port => $t->port('x'));
ok $x, 'the explicit one gives way';
like $t->peer_certificate('x.test', port => $t->port('off'))->{issuer},
    qr/explicit/, 'off';

my $a = $t->wait_certificate('a.test') or $t->give_up;
is $t->serial('a.test', port => $t->port('a')), $a->{serial},
    'http and stream share what is defined alike';
is scalar($t->ca->orders), 2 + 1 + 1, 'an order for each certificate and key';

# a session is of one certificate
my $session = $t->dir . '/session';
client('s', '-tls1_2', '-ign_eof', '-sess_out', $session);
like client('s', '-tls1_2', '-ign_eof', '-sess_in', $session)->{stdout},
    qr/^Reused, /m, 'a session is resumed';
like client('a', '-tls1_2', '-ign_eof', '-sess_in', $session)->{stdout},
    qr/^New, /m, 'not with another certificate';

my @pids = sort($t->master_pid, $t->worker_pids);
my ($exit, $out, $err) = $t->acmectl('renew', '--force',
    '--cert-name', 's.test');
is $exit, 0, 'renewed by force' or diag $out, $err;
ok $t->wait_new_serial('s.test', $s->{serial}, 10, port => $t->port('s'),
    verify => 1, kind => $s->{key}), 'the new one is served';
is_deeply [sort($t->master_pid, $t->worker_pids)], \@pids,
    'no process was replaced';

ok $t->reload, 'reload';
is $t->serial('a.test', port => $t->port('a')), $a->{serial}, 'keeps them';
is $t->serial('x.test', port => $t->port('x')), $x->{serial}, 'as it does';

# found when all blocks are read
$t->expect_log(qr/"acme_certificate" names the unknown issuer "nobody"/);
$t->configure(last => <<~'END');
    stream {
        server {
            listen 127.0.0.1:%%PORT:s%% ssl;
            acme_certificate nobody s.test;
            return "hello\n";
        }
    }
    END
ok !$t->reload, 'a reload with a mistake is refused';
is $t->serial('x.test', port => $t->port('x')), $x->{serial},
    'and nothing is lost';

$t->done;
