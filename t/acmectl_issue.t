#!/usr/bin/perl
# acmectl issue: certificates that no server has asked for.  Which lineage is
# meant, what is kept of it, what is refused.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
$t->site(['a.test', 'www.a.test'])->start;
my $served = $t->wait_certificate('a.test') or $t->give_up;
my @ca = ('--server', $t->ca->url, '--ca-file', $t->ca->ca_file,
    '--agree-tos', '--preflight', 'off');
my $hook = $t->dir . '/hook.out';
my ($exit, $out, $err);

sub issue (@args)
{
    ($exit, $out, $err) = $t->acmectl('issue', '-n', @args);
    return $exit;
}

sub names ($lineage)
{
    my $certificate = $t->live_certificate($lineage) // return 'none';
    return join ' ', sort @{ $certificate->{names} };
}

# a new one, which the running server answers for
is issue('-d', 'New.test,www.new.test', @ca, '--key-type', 'rsa:2048',
    '--deploy-hook', "echo \$RENEWED_LINEAGE >>$hook", '-m', 'me@new.test'),
    0, 'two names' or diag $out, $err;
like $out, qr/^new\.test: .*version 1/m, 'it is told';
is names('new.test'), 'new.test www.new.test', 'the certificate has them';
is slurp($hook), $t->state('live', 'new.test') . "\n", 'the hook was run';
my ($of_new) = grep { $_->{by} =~ /^acmectl:/ }
    @{ $t->state_json('renewal', 'new.test.json')->{declared} };
is_deeply $of_new->{keys}, ['rsa:2048'], 'what was said is kept'
    or diag explain $of_new;

# the same names: the same lineage
my $orders = $t->ca->orders;
is issue('-d', 'www.new.test', '-d', 'new.test', @ca, '--keep'), 0, 'again';
like $out, qr/new\.test: nothing was due/, 'is not due' or diag $out, $err;
is scalar($t->ca->orders), $orders, 'nothing is ordered';
is issue('-d', 'www.new.test', '-d', 'new.test', @ca, '--force'), 0,
    'with --force';
is $t->live_version('new.test'), 2, 'another version of it';
is $t->status('new.test')->{certificates}[0]{key}, 'rsa:2048',
    'with a key of the type that was kept';

# fewer names: another one
is issue('-d', '*.new.test', @ca), 2, 'a wildcard';
like $err, qr/"\*\.new\.test"/, 'needs the DNS';
is issue('-d', 'www.new.test', @ca), 0, 'one of the names';
is names('www.new.test'), 'www.new.test', 'is a certificate of its own';
is $t->live_version('new.test'), 2, 'and nothing to the other';

# more names
is issue('-d', 'new.test,www.new.test,m.new.test', @ca), 2, 'more names';
like $err, qr/"new\.test" is to have other names: \+m\.new\.test: .*--expand/,
    'are a question' or diag $err;
is issue('-d', 'new.test,www.new.test,m.new.test', @ca, '--expand'), 0,
    'answered';
is names('new.test'), 'm.new.test new.test www.new.test',
    'the lineage has them';

# a lineage that is named
is issue('--cert-name', 'new.test', '-d', 'x.test', @ca), 2, 'other names';
like $err, qr/: \+x\.test -new\.test .*--renew-with-new-domains/,
    'are a question as well' or diag $err;
is issue('--cert-name', 'www.new.test', '-d', 'x.test,y.test', @ca,
    '--renew-with-new-domains'), 0, 'answered' or diag $err;
is names('www.new.test'), 'x.test y.test', 'it has exactly these';
is issue('--cert-name', 'nobody', @ca), 2, 'one that there is not';
like $err, qr/no lineage "nobody".*-d/, 'needs names';
is issue('--cert-name', 'extra', '-d', 'z.test', @ca), 0, 'a new one';
is names('extra'), 'z.test', 'has that name';
is issue('-d', 'z.test', @ca, '--duplicate'), 0, 'another with these names';
is names('z.test'), 'z.test', 'has its first name';

# what a server wants
is issue('-d', 'a.test,www.a.test', @ca), 0, 'the names of a server';
like $out, qr/^a\.test: nothing was due/m, 'are its own business' or diag $out, $err;
for my $change (['-d', 'a.test,www.a.test,m.a.test', '--expand'],
    ['--cert-name', 'a.test', '-d', 'a.test', '--renew-with-new-domains']) {
    is issue(@$change, @ca), 1, "refused: @$change";
    like $err, qr/names of "a\.test" are those of \w+:.*--duplicate/, 'and why';
}
is $t->serial('a.test'), $served->{serial}, 'it serves what it did';

# by a CA for tests, which is not even asked
is issue('--cert-name', 'extra', '--server', 'https://acme.staging.test/dir'),
    1, 'another CA, for tests';
like $err, qr/"extra" has a certificate that clients trust.*--break-my-certs/,
    'may not replace one that is not';

# what is not kept
is issue('-d', 'fails.test', @ca, '--eab-kid', 'x'), 2,
    'a binding without a key';
my @wrong = (
    [['-d', 'b.test', '--key-type', 'dsa'], qr/--key-type "dsa" is none of ecdsa:256/],
    [['-d', 'b.test', '--key-type', 'rsa:1023'], qr/--key-type: .*rsa/],
    [['-d', 'b.test', '--challenge', 'http-02'], qr/http-02/],
    [['-d', 'b.test', '--deploy-hook', '/no/such'], qr{/no/such}],
    [['-d', 'b..test'], qr/b\.\.test/], [[], qr/needs the names.*-d/],
    [['--cert-name', '../x', '-d', 'b.test'], qr{\.\./x}],
    [['-d', 'b.test', '--staging'], qr/--staging is for CAs whose/],
    [['-d', 'b.test', '--manual-cleanup-hook', '/bin/true'], qr/auth-hook/],
    [['-d', 'b.test', '--dns-update', 'onlyserver'], qr/--dns-update: /],
    [['-d', 'b.test', '--ca-file', '/no/such'], qr{/no/such}],
    [['-d', 'b.test', '--email', 'me@b'], qr/contact "me\@b" is no address/],
);
for my $case (@wrong) {
    my ($args, $why) = @$case;
    is issue(@ca, @$args), 2, "refused: @$args";
    like $err, $why, '  and why';
}
is_deeply [grep { /\bb\.test|fails/ } $t->state_files], [],
    'nothing is left of any of them';

# and renewed without a word
is +($t->acmectl('renew', '--force', '--cert-name', 'extra'))[0], 0,
    'acmectl renew renews what was issued';
is $t->live_version('extra'), 2, 'with what was kept';

# a dry run
$orders = $t->ca->orders;
my @files = $t->state_files;
is issue('-d', 'dry.test', @ca, '--dry-run'), 0, 'a dry run' or diag $err;
is_deeply [grep { m{^(?!locks/).*dry\.test} } $t->state_files], [], 'keeps nothing';
isnt scalar($t->ca->orders), $orders, 'but was an order';

$t->done;
