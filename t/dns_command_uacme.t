#!/usr/bin/perl
# The hook that Debian's uacme comes with, as it is, changes a real name
# server (knot), which the CA asks.  Only what finds that server, where there
# is no resolver that knows it, is ours.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Hook;
use Acme::Proc qw(spew);
use Acme::Test;

my $script = '/usr/share/uacme/nsupdate.sh';

Acme::Test->need_root;
plan skip_all => "no $script: apt-get install uacme" if !-e $script;
for my $tool (qw(dig nsupdate)) {
    plan skip_all => "no $tool: apt-get install bind9-dnsutils"
        if !-x "/usr/bin/$tool";
}

my $t = Acme::Test->new(ca => { type => 'pebble', authz_reuse => 0 },
    knot => { update_types => ['TXT', 'ANY'], zones => {
        map { $_ => { '@' => ['A 127.0.0.1'], '*' => ['A 127.0.0.1'] } }
            qw(a.test b.test) } });
my $knot = $t->dns;
my $bin = $t->dir . '/bin';
mkdir $bin, 0755 or die;
chmod 0755, $bin;
my $key = $knot->key_file("$bin/key");
my $ip = $knot->ip;
spew("$bin/dig", <<~"END", 0755);
    #!/bin/sh
    for word; do
        shift
        case \$word in \@*) ;; *) set -- "\$@" "\$word" ;; esac
    done
    exec /usr/bin/dig \@$ip "\$@"
    END
spew("$bin/nsupdate", <<~"END", 0755);
    #!/bin/sh
    sed 's/^ *server .*/server $ip/' | /usr/bin/nsupdate -k $key "\$@"
    END
spew("$bin/hook", <<~"END", 0755);
    #!/bin/sh
    PATH=$bin:\$PATH exec /bin/sh $script "\$@"
    END

$t->configure(dns_resolver => $knot->address, global => {
    nginx => "acme_challenge_cmd uacme $bin/hook timeout=30;\n"
        . 'acme_challenge dns-01;',
    httpd => "ACMEChallengeCmd uacme $bin/hook timeout=30\n"
        . 'ACMECAChallenges dns-01' });
$t->site(['a.test', 'b.test']);
$t->start;
my $cert = $t->wait_certificate('a.test') or $t->give_up;
is_deeply $cert->{names}, ['a.test', 'b.test'], 'both names are proved';
is $knot->updates, 4, 'by updates of the name server';
for my $name (qw(a.test b.test)) {
    is_deeply [$knot->txt("_acme-challenge.$name")], [],
        "the record of $name is gone";
}

# a key that the server does not know
$knot->key_file("$bin/key", 'update', name => 'other');
$t->site('c.a.test')->reload;
ok $t->wait_log(qr/not obtained, lineage "c\.a\.test".*: the challenge is /
    . qr/declined: program "\Q$bin\E.hook" failed with exit status \d+: /
    . qr/.*BADKEY/, 20), 'a wrong key is told of';
$t->done;
