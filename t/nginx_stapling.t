#!/usr/bin/perl
# acme_stapling of all of http{} and of stream{}, turned off in one server; and
# beside ssl_stapling of nginx's own, which counts for an explicit certificate
# as long as that is shown.  Where nothing is said of acme_stapling, ssl_stapling
# means it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(server_pair);
use Acme::Proc qw(spew);
use Acme::Test;
use Acme::Tls qw(peer);

my $t = Acme::Test->new(ca => { type => 'own', ocsp => {} });
my $ca = $t->ca;
my $load = $t->server->need_module('stream');
my $pair = server_pair('explicit');
my ($cert, $key, $answer) = map { $t->dir . "/conf/$_" }
    qw(cert.pem key.pem answer.der);
spew($cert, $pair->{cert} . $pair->{root});
spew($key, $pair->{key}, 0600);

sub shown ($name, %o)
{
    return peer(port => $t->port('tls'), name => $name, staple => 1,
        ca_file => $ca->root_file, %o);
}
sub wait_staple ($name, %o)
{
    return $t->wait_for(sub { shown($name, %o)->{staple} }, 30,
        "a staple for $name");
}

$t->site('a.test');
$t->site('off.test', stapling => 'off');
$t->configure(main => $load, global => 'acme_stapling on;', last => <<~'END');
    stream {
        acme_stapling on;
        server {
            listen 127.0.0.1:%%PORT:s%% ssl;
            acme_certificate testca s.test;
            return "s\n";
        }
    }
    END
$t->start;
$t->wait_certificate($_) or $t->give_up for qw(a.test off.test);
my $staple = wait_staple('a.test') or $t->give_up;
is $staple->{status}, 0, 'of http{}: stapled';
is shown('off.test')->{staple}, undef, 'off in a server: not';
is +(wait_staple('s.test', port => $t->port('s')) // {})->{status}, 0,
    'in stream{}: stapled';

# nginx sends what is in the file, which is about another certificate
spew($answer, $t->state_text('staples', 'a.test.der'));
$ca->set(issue_delay => 5);
$t->site('own.test', certificate => [$cert, $key],
    extra => "ssl_stapling on;\nssl_stapling_file $answer;");
ok $t->reload, 'ssl_stapling beside it';
my $seen = shown('own.test', ca_file => undef);
like $seen->{issuer}, qr/explicit/, 'the explicit certificate, with';
like $seen->{staple}{error}, qr/another/, "nginx's answer";
ok $t->wait_certificate('own.test'), 'ours, with';
is +(wait_staple('own.test') // {})->{status}, 0, 'its own';

$t->configure(global => 'ssl_stapling on;');
$t->site('none.test', extra => 'ssl_stapling off;');
$t->site('only.test', extra => 'ssl_stapling on;');
ok $t->reload, 'ssl_stapling alone';
$t->wait_certificate($_) or $t->give_up for qw(none.test only.test);
is +(wait_staple($_) // {})->{status}, 0, "$_: stapled"
    for qw(a.test only.test);
is shown($_)->{staple}, undef, "$_: not" for qw(off.test none.test);
$t->configure(global => '');
ok $t->reload, 'in one server alone';
is shown('only.test')->{staple}{status}, 0, '... stapled';
is shown('a.test')->{staple}, undef, '... the others not';

$t->done;
