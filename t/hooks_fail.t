#!/usr/bin/perl
# A hook that fails: told of in the log and in the status, with the end of what
# it wrote, and the renewal is none the worse for it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $fails = 'deploy "echo out; echo no way >&2; exit 3"';
$t->configure(hook => [$fails, 'pre false'])->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;
ok $t->wait_log(qr/certificate obtained, lineage "a\.test"/), 'obtained';
like $t->log, qr/deploy hook failed, lineage "a\.test": .*exit status 3: .*no way/,
    'the log says how it failed';
like $t->log, qr/pre hook failed, lineage "a\.test": .*exit status 1/,
    'the other one too';

my %hook = map { $_->{stage} => $_ } @{ $t->status('a.test')->{hooks} };
like $hook{deploy}{error}, qr/exit status 3/, 'the status has it';
like $hook{deploy}{output}, qr/out.*no way/, 'with what it wrote';
is $t->status('a.test')->{state}, 'ok', 'of a lineage that is fine';
like +($t->acmectl('status'))[1], qr/^ +deploy hook +program .*exit status 3/m,
    'and so people see it';
my ($exit, $out) = $t->acmectl('renew', '--force', '--cert-name', 'a.test');
is $exit, 0, 'the renewal has not failed';
like $out, qr/certificate renewed/, 'and is one';

$t->done;
