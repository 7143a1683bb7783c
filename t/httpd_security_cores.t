#!/usr/bin/perl
# No other process of a child's user can read its memory or descriptors,
# whoever started httpd: children give up core files, and only
# CoreDumpDirectory, which is warned of, keeps them.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::SecProc qw(descriptors memory_opens trace_refused);
use Acme::Test;

Acme::Test->need_root;

# What another process of that user achieves with the children.
sub achieved ($t)
{
    my $user = $t->server->worker_user;
    my @pids;
    $t->wait_for(sub { @pids = $t->worker_pids }, 10, 'a child');
    my %seen = $t->run_as($user, sub { map { $_->[0] => 1 } grep { $_->[1] }
        map { (['memory', memory_opens($_)],
            ['descriptors', scalar %{ descriptors($_) }],
            ['trace', !trace_refused($_)]) } @pids });

    ok scalar @pids, '  a child is there';
    return join ' ', sort keys %seen;
}

for my $case (['event', undef], ['prefork', undef], ['event', 'nobody'],
    ['prefork', 'nobody']) {
    my ($mpm, $user) = @$case;
    my $what = "$mpm, started by " . ($user // 'root');
    my $t = Acme::Test->new(ca => 'own', mpm => $mpm, run_as => $user);

    $t->site('a.test');
    unlike +($t->test_config)[1], qr/CoreDumpDirectory/, "$what: no warning";
    $t->start;
    $t->wait_certificate('a.test') or $t->give_up;
    is achieved($t), '', '  its children are closed';
    ok $t->reload, '  reload';
    is achieved($t), '', '  and those after it';

    $t->configure(main => 'CoreDumpDirectory %%DIR%%/tmp');
    my ($exit, $out) = $t->test_config;
    is $exit, 0, '  with core files, -t succeeds';
    like $out,
        qr/${\$t->terminal_level('warn')}.*CoreDumpDirectory.*private keys/,
        '  and warns';
    ok $t->reload, '  it takes effect';
    my $open = achieved($t);
    is $open, 'descriptors memory trace', '  the same attempts succeed now';
    $t->teardown;
    is_deeply $t->{problems}, [], '  clean teardown';
}

done_testing;
