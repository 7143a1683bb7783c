#!/usr/bin/perl
# From nginx 1.25.5 on servers of stream{} have names, and one address may have
# several of them: each gets the certificate of its own, told apart by SNI.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $load = $t->server->need_module('stream');
my ($version) = run(cmd => [$t->server->binary, '-v'])->{stderr}
    =~ m{/1\.(\d+\.\d+)};
plan skip_all => "stream has no server_name in nginx 1.$version"
    if $version < 25.5;

$t->site('a.test')->configure(main => $load, last => <<~'END')->start;
    stream {
        acme_certificate testca;

        server {
            listen 127.0.0.1:%%PORT:s%% ssl default_server;
            server_name one.test a_b.one.test;
            return "one\n";
        }
        server {
            listen 127.0.0.1:%%PORT:s%% ssl;
            server_name .two.test;
            return "two\n";
        }
        server {
            listen 127.0.0.1:%%PORT:s%% ssl;
            server_name three.test;
            acme_certificate testca a.test;
            return "three\n";
        }
        server { listen 127.0.0.1:%%PORT:plain%%; return "plain\n"; }
    }
    END

my @port = (port => $t->port('s'));
my $one = $t->wait_certificate('one.test', 20, @port) or $t->give_up;
is_deeply $one->{names}, ['one.test'], 'a name, not one that no CA takes';
my $two = $t->wait_certificate('two.test', 20, @port) or $t->give_up;
is_deeply [sort @{ $two->{names} }], ['two.test', 'www.two.test'],
    '.x is x and www.x';
my $a = $t->wait_certificate('a.test') or $t->give_up;
is $t->serial('three.test', @port), $a->{serial}, 'names of the directive';
is $t->serial(undef, @port), $one->{serial}, 'without SNI the default';
is scalar($t->ca->orders), 3, 'none for a server without TLS';

$t->done;
