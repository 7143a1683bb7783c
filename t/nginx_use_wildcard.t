#!/usr/bin/perl
# acme_use_wildcard: a server whose names a managed wildcard covers has that
# certificate, wherever the wildcard stands in the configuration; others have
# their own, and so does who asks for names, another CA or another key.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Hook;
use Acme::Test;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => { type => 'pebble', nonce_reject => 0 });
my $hook = Acme::Hook->new($t, 'certbot');
my @on = (extra => 'acme_use_wildcard on;');

$t->configure(dns_propagation => 'off', global => $hook->directive);
$t->site('one.a.test', @on);
$t->site(['two.a.test', 'a.test'], @on);
$t->site(['three.a.test', 'other.test'], @on);
$t->site('deep.four.a.test', @on);
$t->site('five.a.test', @on, key => 'rsa');
$t->site('six.a.test', @on, identifiers => ['six.a.test']);
$t->site('seven.a.test');
$t->site('wild.a.test', @on, identifiers => ['*.a.test', 'a.test'],
    lineage => 'wild');
$t->start;

my $wild = $t->wait_certificate('wild.a.test') or $t->give_up;
is $t->serial($_), $wild->{serial}, "$_ has the wildcard's"
    for qw(one.a.test two.a.test a.test);
for my $name (qw(three.a.test deep.four.a.test five.a.test six.a.test
    seven.a.test)) {
    my $own = $t->wait_certificate($name, 20) or $t->give_up;
    isnt $own->{serial}, $wild->{serial}, "$name has its own";
}
my (undef, $out) = $t->acmectl('status');
is_deeply [sort $out =~ /^(\S+): /mg],
    [qw(deep.four.a.test five.a.test seven.a.test six.a.test three.a.test
        wild)], 'and there are no others';
my ($exit) = $t->test_config;
is $exit, 0, 'the configuration is sound';
$t->done;
