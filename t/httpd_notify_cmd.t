#!/usr/bin/perl
# ACMENotifyCmd: told of each renewal with the lineage's name alone, again if
# it has not heard; of nothing else.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd', ca => 'own');
my $log = $t->dir . '/notify.log';
my $no = $t->dir . '/no';
my $program = $t->dir . '/notify';

spew($program, <<~"END", 0755);
    #!/bin/sh
    echo "\$#:\$*" >> $log
    ! test -e $no
    END

sub told () { return split /\n/, slurp($log) // '' }

$t->configure(global => "ACMENotifyCmd $program one \"two words\"");
$t->site('a.test')->start;
$t->wait_certificate('a.test') or $t->give_up;
ok $t->wait_for(sub { told() }, 10), 'told of the first certificate';
is_deeply [told()], ['3:one two words a.test'],
    'its own words and the name, nothing else';

# it fails: that is an error, and it is told again in a minute
spew($no, '');
unlink $log;
is +($t->acmectl('renew', '--force'))[0], 0, 'a renewal';
ok $t->wait_log(qr/notify hook failed, lineage "a\.test": .*exit status 1/),
    'the failure is an error in the log';
my ($hook) = grep { $_->{stage} eq 'notify' }
    @{ $t->status('a.test')->{hooks} // [] };
like $hook->{error}, qr/exit status 1/, 'and in the status';
unlink $no, $log;
ok $t->wait_for(sub { told() }, 75), 'and it is told again';
is_deeply [told()], ['3:one two words a.test'], '  with the same words';

$t->done;
