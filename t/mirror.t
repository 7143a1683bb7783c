#!/usr/bin/perl
# The mirror: run after the deploy hooks with each version that is live; one
# that fails is due until it has the version (retry), or is only told of
# (ignore).

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $log = $t->dir . '/mirror.log';
my $no = $t->dir . '/no';
my $program = $t->dir . '/mirror';
my $due = $t->state('due-mirror', 'a.test.json');

spew($program, <<~"END", 0755);
    #!/bin/sh
    echo "\$ACME_HOOK \$1 \$ACME_LINEAGE \$ACME_VERSION \$RENEWED_LINEAGE" >> $log
    echo "no room for it" >&2
    test ! -e $no
    END

# what is in the log, and forgets it
sub ran ()
{
    my @lines = split /\n/, slurp($log) // '';
    unlink $log;
    return @lines;
}

sub mirrored ($version)
{
    return join ' ', 'mirror', 'a;b $c', 'a.test', $version,
        $t->state('live', 'a.test');
}

my %settings = (mirror => "$program 'a;b \$c'",
    hook => "deploy \"sleep 1; echo deployed >> $log\"");
$t->configure(%settings);
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;
ok $t->wait_for(sub { (slurp($log) // '') =~ /^mirror/m }, 15), 'is run';
is_deeply [ran()], ['deployed', mirrored(1)],
    'after the deploy hooks, with its words as they are';
ok $t->wait_for(sub { !-e $due }, 5), 'and nothing is due any more';

# one that fails
spew($no, '');
my ($exit, $out, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'a renewal whose mirror fails is a renewal' or diag $err;
ok $t->wait_log(qr/mirror hook failed, lineage "a\.test": .*status 1/, 10),
    'that is told';
ok $t->wait_log(qr/mirror is run again in 60 seconds, lineage "a\.test"/, 5),
    'and when it is tried again';
is_deeply [ran()], ['deployed', mirrored(2)], 'once for now';
ok -e $due, 'it is due';
my ($run) = grep { $_->{stage} eq 'mirror' }
    @{ $t->state_json('told', 'a.test.json')->{hooks} };
like "$run->{error} $run->{output}", qr/exit status 1.*no room for it/s,
    'what it said is kept';

# the cure may be in the configuration: a change of it tries again at once
unlink $no;
$t->configure(%settings, hook_timeout => 100);
$t->reload;
ok $t->wait_for(sub { !-e $due }, 15), 'it has the version after a reload';
is_deeply [ran()], [mirrored(2)], 'without another deploy';

# ignore
spew($no, '');
$t->site('b.test');
$t->configure(mirror => "$program word", mirror_failure => 'ignore');
my $mark = $t->log_mark;
$t->reload;
$t->wait_certificate('b.test') or $t->give_up;
ok $t->wait_for(sub { (slurp($log) // '') =~ /^mirror word b\.test/m }, 15),
    'is tried';
ok $t->wait_for(sub { !-e $t->state('due-mirror', 'b.test.json') }, 10),
    'nothing is due, though it fails';
like $t->log_since($mark), qr/mirror hook failed, lineage "b\.test"/,
    'which is told';
unlike $t->log_since($mark), qr/mirror is run again/, 'and all';

$t->configure(mirror_failure => 'perhaps');
($exit, $out) = $t->test_config;
isnt $exit, 0, 'a policy that there is not';
like $out, qr/"perhaps": it must be retry or ignore/, 'is refused';

$t->done;
