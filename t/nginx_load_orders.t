#!/usr/bin/perl
# nginx's modules for stream and mail may be loaded before ours, after it or
# not at all; the blocks of the configuration come in any order.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my ($stream, $mail) = map { $t->server->need_module($_) } qw(stream mail);
my $streams = <<~'END';
    stream {
        server {
            listen 127.0.0.1:%%PORT:s%% ssl;
            acme_certificate testca a.test;
            return "hello\n";
        }
    }
    END
my $mails = <<~'END';
    mail {
        server {
            listen 127.0.0.1:%%PORT:m%% ssl;
            protocol imap;
            auth_http 127.0.0.1:1/;
            acme_certificate testca a.test;
        }
    }
    END

my @orders = (
    ['neither is there'],
    ['both before ours', first => $stream . $mail, last => $streams . $mails],
    ['both behind ours', main => $stream . $mail . $mails . $streams],
    ['one before, one behind', first => $mail, main => $stream . $streams,
        last => $mails],
    ['stream alone', first => $stream, main => $streams],
    ['mail alone', main => $mail, last => $mails],
);
my $serial;

for (@orders) {
    my ($what, %where) = @$_;
    $t->clear_config->site('a.test')->configure(%where);
    my $is = $serial ? 'restart' : 'start';
    $t->$is;
    $serial //= ($t->wait_certificate('a.test') // {})->{serial}
        or $t->give_up;
    my $all = join '', values %where;
    for my $port ('tls', ('s') x ($all =~ /stream \{/),
        ('m') x ($all =~ /mail \{/)) {
        ok $t->wait_for(sub {
            ($t->serial('a.test', port => $t->port($port)) // '') eq $serial
        }, 5), "$what: port $port";
    }
}
is scalar($t->ca->orders), 1, 'one certificate for all';

$t->done;
