#!/usr/bin/perl
# acme_use_wildcard between blocks: a server of http{} uses a wildcard that
# stream{} has, and one of mail{} that of http{}, in whatever order blocks and
# modules come.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Hook;
use Acme::Test;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => { type => 'pebble', nonce_reject => 0 });
my $hook = Acme::Hook->new($t, 'certbot');
my $load = join '', map { $t->server->need_module($_) } qw(stream mail);
my $blocks = <<~"END";
    stream {
        server {
            listen 127.0.0.1:%%PORT:s%% ssl;
            acme_certificate testca a.test *.a.test;
            return "hello\\n";
        }
    }
    mail {
        acme_use_wildcard on;
        acme_certificate testca;
        server {
            listen 127.0.0.1:%%PORT:m%% ssl;
            server_name mail.b.test;
            protocol imap;
            auth_http 127.0.0.1:1/;
        }
    }
    END

for (['before', first => $load, main => $blocks],
    ['behind', main => $load, last => $blocks])
{
    my ($what, %where) = @$_;

    $t->clear_config->configure(%where, dns_propagation => 'off',
        global => $hook->directive);
    $t->site('one.a.test', extra => 'acme_use_wildcard on;');
    $t->site('b.test', identifiers => ['b.test', '*.b.test']);
    $what eq 'before' ? $t->start : $t->restart;

    my $a = $t->wait_certificate('a.test', 30, port => $t->port('s'))
        or $t->give_up;
    my $b = $t->wait_certificate('b.test') or $t->give_up;
    is $t->serial('one.a.test'), $a->{serial}, "$what http: http has stream's";
    is $t->serial('mail.b.test', port => $t->port('m')), $b->{serial},
        'mail has that of http';
    my (undef, $out) = $t->acmectl('status');
    is_deeply [sort $out =~ /^(\S+): /mg], ['a.test', 'b.test'],
        'there are no others';
}
$t->done;
