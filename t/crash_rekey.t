#!/usr/bin/perl
# account rekey at two CAs dies at its durable steps, one after the other, its
# store or acmectl itself.  The server renews at once at either CA, whatever
# each of them knows; the next account rekey completes the change, and nothing
# of it is left.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Crash qw(in_parallel sample temp_files);
use Acme::Test;
use Acme::Tool qw(built);
use JSON::PP qw(decode_json);
use Time::HiRes qw(time);

use constant { CHILDREN => 3, KILLS => 30 };

my $began = time;
in_parallel(map { my $n = $_; sub ($told) { run_child($n, $told) } }
    0 .. CHILDREN - 1);
note int(time - $began), ' s';
done_testing;

# --- of one child ----------------------------------------------------------

my ($t, $crash, $told, @cas);

# What the server itself writes is no step here: it is started before.
sub run_child ($number, $to)
{
    $told = $to;
    $t = Acme::Test->new(ca => 'own');
    @cas = ($t->ca, $t->add_ca('own'));
    for my $n (0, 1) {
        $t->issuer("ca$n", ca => $cas[$n]);
        $t->site("$_$n.test", acme => "ca$n") for qw(a b);
    }
    $t->start;
    eval { work($number); 1 } or tell_('to the end', "$@");
    $t->teardown;
    tell_('clean teardown', join '; ', @{ $t->{problems} });
    return;
}

sub tell_ ($label, $wrong)
{
    push @$told, [$label, $wrong, $wrong eq '' ? ()
        : $t->log =~ s/\A.*?(?=(?:.*\n){15}\z)//sr];
    return;
}

sub serial ($name)
{
    my ($n) = $name =~ /(\d)/;
    return $t->serial($name, ca_file => $cas[$n]->root_file);
}

sub work ($number)
{
    for my $name (map { ("a$_.test", "b$_.test") } 0, 1) {
        $t->wait_for(sub { serial($name) }, 30) or die "no certificate\n";
    }
    $crash = Acme::Crash->new($t);
    $crash->arm('count');
    my ($exit, undef, $err) = rekey();
    die "rekey: $err" if $exit ne '0';
    $crash->disarm;
    my @steps = $crash->steps;
    push @$told, [@steps . ' steps', @steps > 20 ? '' : "@steps"] if !$number;

    my @kills = sample(KILLS, $t->of(nginx => 0, httpd => 0.5), @steps);
    for my $n (grep { $_ % CHILDREN == $number } 0 .. $#kills) {
        kill_at($kills[$n], $n, $steps[$kills[$n] - 1]);
    }
    return;
}

sub rekey ()
{
    return $t->acmectl({ env => $crash->environment_of_all }, 'account',
        'rekey', '--server', $cas[0]->url);
}

sub prints () { return map { ($_->accounts)[0]{thumbprint} } @cas }

# '' or what is wrong with a renewal at the CA with that number.
sub renew ($n)
{
    my $name = (qw(a b))[$n] . "$n.test";
    my $before = serial($name);

    unlink $t->state('record', "$name.json");    # once an hour otherwise
    my ($exit, undef, $err) = $t->acmectl('renew', '--force', '--cert-name',
        $name);
    return "$name: $err" if $exit ne '0';
    return serial($name) eq $before ? "$name: not served" : '';
}

sub kill_at ($step, $n, $what)
{
    my $how = qw(die die-after)[$n % 2];
    my ($old) = prints();
    my $fired;

    $crash->arm($how, at => $step, signal => 'KILL');
    my ($exit) = rekey();
    $fired = $crash->fired;
    $what = $crash->step($step);
    $crash->disarm;
    # an hour later nobody's are removed
    utime time - 7200, time - 7200,
        map { $t->state($_) } temp_files($t->state);
    my $wrong = $fired ? '' : 'no such step';
    $wrong ||= 'acmectl says that all is well' if $exit eq '0' && $n % 2 == 0
        && $what !~ m{^(?:touch|sync|unlink)};
    $wrong ||= renew($_) for $n % 2, 1 - $n % 2;

    ($exit, undef, my $err) = rekey();
    $wrong ||= "again: $err" if $exit ne '0';
    my @after = prints();
    $wrong ||= "two keys: @after" if $after[0] ne $after[1];
    $wrong ||= 'the same key' if $after[0] eq $old;
    $wrong ||= 'not answered' if !$t->wait_for(sub {
        $t->http_get('/.well-known/acme-challenge/x', host => 'a0.test')
            ->{body} eq "x.$after[0]" }, 3);
    $wrong ||= remains($after[0]);
    $wrong ||= renew(1 - $n % 2) if !$wrong && $n % 5 == 0;
    tell_("$how at $step ($what)", $wrong);
    return;
}

# What should not be there: another account, another key in use, an unfinished
# file.
sub remains ($thumbprint)
{
    my ($exit, $out) = $t->acmectl('--json', 'account', 'list');
    my @listed = @{ decode_json($out) };
    my ($id) = map { $_->{id} } @listed;
    my $default = $t->state_json('keys', 'default.json') // {};

    return 'accounts: ' . $out if @listed != 2
        || grep { $_->{id} ne $id } @listed;
    return 'the default key is another' if !grep { $_ eq $id } values %$default;
    return 'rekey.json' if -e $t->state('keys', 'rekey.json');
    return "left over: $_" for temp_files($t->state);
    for my $ca (@cas) {
        return 'another account' if $ca->accounts != 1;
    }
    return '';
}
