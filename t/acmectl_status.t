#!/usr/bin/perl
# acmectl status --json: the document of common/STATUS.md for certificates that
# are good, refused by the CA for reasons of single names, not wanted any more
# and revoked.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
$t->ca->fault(where => 'newOrder', name => 'bad.test', do => 'error',
    type => 'rejectedIdentifier', status => 403, detail => 'two of them',
    times => 'always',
    subproblems => [
        map { +{
            type => 'urn:ietf:params:acme:error:caa',
            detail => "no $_",
            identifier => { type => 'dns', value => $_ },
        } } qw(bad.test www.bad.test)]);
$t->site('a.test')->site('gone.test')->site(['bad.test', 'www.bad.test'])
    ->start;
my $a = $t->wait_certificate('a.test') or $t->give_up;
$t->wait_certificate('gone.test') or $t->give_up;
ok $t->wait_for(sub { ($t->status('bad.test') // {})->{error} }, 20, 'an error')
    or $t->give_up;

my ($exit, $out) = $t->acmectl('status', '--json');
is $exit, 0, 'status --json';
my $document = decode_json($out);
is $document->{schema}, 1, 'schema';
is_deeply [map { "$_->{name} $_->{state}" } @{ $document->{lineages} }],
    ['a.test ok', 'bad.test waiting', 'gone.test ok'], 'states';
is "$document->{counts}{ok} $document->{counts}{waiting}", '2 1', 'counted';

my ($good, $bad) = @{ $document->{lineages} };
my $time = qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/;
is uc $good->{certificates}[0]{serial}, uc $a->{serial}, 'the one served';
like $good->{$_}, $time, $_
    for qw(not_before not_after renew_at last_attempt);
is $good->{renew_why}, 'two thirds of its life', 'why then';
like $good->{state_text}, qr/^valid until \S+; to be renewed at \S+:/,
    'in words';
is $t->state_text($good->{files}{certificate}) =~ /BEGIN CERT/, 1, 'its file';

like $bad->{next_attempt}, $time, 'failed: when again';
is $bad->{error}{type}, 'rejectedIdentifier', 'why';
is_deeply [map { "$_->{identifier} $_->{type} $_->{detail}" }
        @{ $bad->{error}{subproblems} }],
    ['bad.test caa no bad.test', 'www.bad.test caa no www.bad.test'],
    'for each name';
like $bad->{state_text}, qr/no certificate yet; the last attempt failed/,
    'in words';

($exit, $out) = $t->acmectl('status', '--json', '--cert-name', 'a.test');
is_deeply [map { $_->{name} } @{ decode_json($out)->{lineages} }], ['a.test'],
    'one of them';

$t->clear_config->issuer('testca', ca => $t->ca)->site('a.test')
    ->site(['bad.test', 'www.bad.test']);
ok $t->reload, 'a name less';
ok $t->wait_for(sub { $t->status('gone.test')->{state} eq 'dormant' }, 5),
    'it is dormant';
$t->stop;
spew($t->state('revoked', "$good->{fingerprint}.json"), '{"by":"acmectl"}',
    0600);
my $now = $t->status('a.test');
is "$now->{state} $now->{renew_why}", 'revoked revoked', 'which is shown';
is $now->{certificates}[0]{revoked_by}, 'acmectl', 'and by whom';

$t->done;
