#!/usr/bin/perl
# Hooks around renewals: pre before the order, deploy with the certificate
# live, post at the end, each once, told what Certbot's are; the first
# certificate has none from directories.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $log = $t->dir . '/hooks.log';

# what is in the log, and forgets it
sub ran ()
{
    my @lines = split /\n/, slurp($log) // '';
    unlink $log;
    return @lines;
}

sub directory_hook ($name, $text, $mode = 0755)
{
    spew($t->state('renewal-hooks', $name), "#!/bin/sh\n$text\n", $mode);
}

my $say = 'echo $ACME_HOOK $ACME_LINEAGE:$RENEWED_LINEAGE:'
    . "\$RENEWED_DOMAINS:\$FAILED_DOMAINS >> $log";
$t->configure(hook => [(map { "$_ \"$say\"" } qw(pre deploy post)),
        "deploy /bin/sh -c \"echo words >> $log\""]);
$t->site(['a.test', 'www.a.test'])->start;
my $live = $t->state('live', 'a.test');
my $first = $t->wait_certificate('a.test') or $t->give_up;

ok $t->wait_for(sub { (slurp($log) // '') =~ /^post/m }, 10), 'post was run';
is_deeply [ran()], ['pre a.test:::',
    "deploy a.test:$live:a.test www.a.test:", 'words',
    'post ::a.test www.a.test:'], 'the first certificate: in order';

# X035-X037: directories first, by bytes, what cannot be run is not
for my $name (qw(A a 10 9 _x)) {
    directory_hook("deploy/$name", "echo dir $name >> $log");
}
directory_hook('deploy/plain', "echo plain >> $log", 0644);
directory_hook('deploy/old~', "echo old >> $log");
directory_hook('pre/only', "echo pre dir >> $log");

my ($exit, $out, $err) = $t->acmectl('renew');
is $exit, 0, 'renew: nothing is due' or diag $err;
is_deeply [ran()], [], 'X034: no hook is run';

($exit, $out, $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'by force' or diag $err;
ok $t->wait_for(sub { (slurp($log) // '') =~ /^post/m }, 10), 'post was run';
is_deeply [ran()], ['pre dir', 'pre a.test:::',
    'dir 10', 'dir 9', 'dir A', 'dir _x', 'dir a',
    "deploy a.test:$live:a.test www.a.test:", 'words',
    'post ::a.test www.a.test:'], 'a renewal: directories too';
isnt $t->serial('a.test'), $first->{serial}, 'which is served';

my $status = $t->state_json('told', 'a.test.json');
is_deeply [sort map { "$_->{stage} " . ($_->{error} // '') }
        @{ $status->{hooks} }],
    [('deploy ') x 7, ('post ') x 1, ('pre ') x 2], 'all is remembered';
ok !-e $t->state('due', 'a.test.json'), 'nothing is due any more';

$t->done;
