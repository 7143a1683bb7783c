#!/usr/bin/perl
# A file with an external account key that cannot be used: the message names
# the file and says what is wrong, never its content; nothing is asked of the
# CA, and a repaired file is taken at the next reload.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::Jws qw(b64);
use Acme::Test;

my $secret = 'Canary7Q9zWNDZMtopsecretCanary42';
my $key = b64($secret);
my $t = Acme::Test->new(ca => { type => 'own', eab => { 'kid' => $key } });
my @broken = (
    ['empty', '', { nginx => qr/16 to 1024 bytes/, httpd => qr/line 1/ }],
    ['no base64', "$secret $secret\n",
        { nginx => qr/not base64url/, httpd => qr/line 1/ }],
    ['JSON with a fault', "{\"kid\": \"kid\" \"hmac\": \"$secret\"}",
        { nginx => qr/not base64url/, httpd => qr/line 1/ }],
    ['JSON without a key', "{\"kid\": \"$secret\"}",
        { nginx => qr/not base64url/, httpd => qr/"kid" and "hmac"/ }],
    ['a short key', $t->of(nginx => 'YWJj',
        httpd => '{"kid": "kid", "hmac": "YWJj"}'),
        { nginx => qr/not 3/, httpd => qr/not 3/ }],
);

for my $case (@broken) {
    my ($what, $text, $why) = @$case;
    my $mark = $t->log_mark;

    $t->clear_config->issuer('testca', ca => $t->ca,
        eab => { kid => 'kid', key => $key, text => $text });
    $t->site('a.test');
    $case == $broken[0] ? $t->start : $t->reload;
    ok $t->wait_log(qr/external account key ".*testca\.eab".*$why->{$t->host}/,
        20, since => $mark), "$what: named" or diag $t->log_since($mark);
    is $t->status('a.test')->{state}, 'waiting', 'waits for a change';
}
is scalar(grep { !$_->{payload}{onlyReturnExisting} }
    $t->ca->requests('newAccount')), 0, 'no account was asked for';

unlink $t->dir . '/conf/testca.eab';
$t->clear_config->issuer('testca', ca => $t->ca,
    eab => { kid => 'kid', key => $key });
$t->site('a.test')->reload;
ok $t->wait_certificate('a.test'), 'repaired: the certificate arrives';
unlike $t->log, qr/Canary7Q|\Q$key\E/, 'nothing of it in the log';

$t->done;
