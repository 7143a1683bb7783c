#!/usr/bin/perl
# acmectl certificates: the words of Certbot's verb, for each certificate, for
# those that are not valid, and for lineages that have none.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew wait_until);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => { type => 'own',
    profiles => { short => { description => 'x', validity => 3 } } });
$t->issuer('brief', ca => $t->ca, profile => 'short');
$t->site(['a.test', 'www.a.test'])->site('b.test', key => 'rsa:2048')
    ->site('c.test')->site('d.test', acme => 'brief')->start;
my %certificate = map { $_ => $t->wait_certificate($_) || $t->give_up }
    qw(a.test b.test c.test d.test);
my $live = $t->state('live');
my ($exit, $out, $err);

sub certificates (@args)
{
    ($exit, $out, $err) = $t->acmectl('certificates', @args);
    return [$out =~ /^  Certificate Name: (.*)$/mg];
}

is_deeply certificates(), [sort keys %certificate], 'all of them';
is "$exit$err", '0', 'without a complaint';
my ($of_a) = $out =~ /^(  Certificate Name: a\.test\n(?:    .*\n)+)/m;
is $of_a =~ s/: \S+ \S+ \(VALID: (?:89|90) days\)/: END/r, <<~"END",
      Certificate Name: a.test
        Serial Number: @{[lc $certificate{'a.test'}{serial}]}
        Key Type: ecdsa:256
        Domains: a.test www.a.test
        Expiry Date: END
        Certificate Path: $live/a.test/fullchain.pem
        Private Key Path: $live/a.test/privkey.pem
    END
    'Certbot\'s labels';
like $of_a, qr/Date: \d{4}(?:-\d\d){2} [\d:]{8}\+00:00 \(/, 'and its time';

# some of them
is_deeply certificates('--cert-name', 'b.test'), ['b.test'], '--cert-name';
is_deeply certificates('-d', 'WWW.a.test'), ['a.test'], '-d';
is_deeply certificates('-d', 'b.test, a.test'), ['a.test', 'b.test'],
    '-d, several';
certificates('-d', 'e.test');
ok $exit eq '1' && $err =~ /no lineage has the name "e\.test"/,
    'a name that none has' or diag "$exit: $err";
($exit, $out) = $t->acmectl('certificates', '--json', '-d', 'www.a.test');
is_deeply [map { $_->{name} } @{ decode_json($out)->{lineages} }], ['a.test'],
    'as JSON too';
is +($t->acmectl('-q', 'certificates'))[1], '', '-q: nothing';

# those that nobody may rely on
$t->stop;
spew("$live/c.test/fullchain.pem", 'rubbish');
is_deeply certificates(), ['a.test', 'b.test', 'd.test'],
    'without a server; what is damaged is no certificate';
like $out, qr/^Without a certificate, or damaged.*\n  c\.test: damaged, /m,
    'and listed apart' or diag $out;
ok wait_until(10, sub { certificates('-d', 'd.test'); $out =~ /INVALID/ })
    && $out =~ /Expiry Date: .* \(INVALID: EXPIRED\)$/m, 'expired'
    or diag $out;
unlink $t->state('renewal', 'a.test.json');
is_deeply certificates('-d', 'www.a.test'), ['a.test'],
    'one that nobody wants any more is found by the names it has';

$t->done;
