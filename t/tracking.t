#!/usr/bin/perl
# Tracking records in a directory: opened before the order, with the signing
# request and the certificate, closed by what has become of it; a deployment
# that has failed leaves its record open, one alone has its own.

use v5.36;
use lib 't/lib';
use Test::More;
use JSON::PP qw(decode_json);
use Acme::Proc qw(run slurp spew);
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $dir = $t->dir . '/tracking';
my $seen = 0;

sub unseen ()
{
    my @all = map { decode_json($_) }
        split /\n/, slurp("$dir/a.test.log") // '';
    return @all[$seen .. $#all];
}

# The lines since the last call, when the last of them has that action.
sub written ($action)
{
    my @new;
    ok $t->wait_for(sub {
        @new = unseen();
        @new && $new[-1]{action} eq $action;
    }, 15), "$action is written" or $t->give_up;
    $seen += @new;
    return @new;
}

# "action", or "save TYPE", of each
sub actions (@lines)
{
    return map { join ' ', grep { defined } @$_{qw(action data_type)} } @lines;
}

sub ids (@lines) { my %id = map { $_->{id} => 1 } @lines; return keys %id }

my %settings = (tracking => "file:$dir",
    tracking_data => 'csr crt lineage');
$t->configure(%settings);
$t->site(['a.test', 'www.a.test'])->start;
$t->wait_certificate('a.test') or $t->give_up;
my @lines = written('close-success');
is_deeply [actions(@lines)],
    ['create', 'save lineage', 'save csr', 'save crt', 'update',
        'close-success'], 'T04: what a renewal leaves';
is scalar(ids(@lines)), 1, 'all of one record';
is sprintf('%o', (stat $dir)[2] & 07777), '700', 'the directory is private';
is sprintf('%o', (stat "$dir/a.test.log")[2] & 07777), '600', 'as its files';
is_deeply [@{ $lines[0] }{qw(name type)}], ['a.test', 'renewal'],
    'T02: its type';
is_deeply $lines[0]{content}{names}, ['a.test', 'www.a.test'], 'T12: names';
is scalar(@{ $lines[0]{content}{issuers} }), 1, 'CAs';
my $server = $t->host;
like $lines[0]{content}{servers}[0], qr/\A\Q$server\E:/, 'servers';
is $lines[1]{content}, slurp($t->state('renewal', 'a.test.json')),
    'the settings of the lineage';
my $csr = spew($t->dir . '/csr.pem', $lines[2]{content});
like run(cmd => ['openssl', 'req', '-in', $csr, '-noout', '-text'])->{stdout},
    qr/DNS:a\.test, DNS:www\.a\.test/, 'the signing request';
is $lines[3]{content}, slurp($t->state('live', 'a.test', 'fullchain.pem')),
    'the certificate with its chain';
like $lines[4]{content}, qr/\Acertificate obtained: version 1, serial [0-9A-F]/i,
    'and its version';

# a failure
$t->ca->fault(where => 'newOrder', do => 'error', status => 400,
    type => 'rejectedIdentifier', detail => "not\e[31m ours", times => 1);
my ($exit) = $t->acmectl('renew', '--force');
is $exit, 1, 'a renewal that fails';
@lines = written('close-failure');
is_deeply [actions(@lines)], ['create', 'save lineage', 'close-failure'],
    'X188: is closed as that';
like $lines[-1]{content}, qr/not.*ours/, 'with the reason';
unlike $lines[-1]{content}, qr/\e/, 'and nothing for terminals';

# deploy hooks: one of two fails
my $no = spew($t->dir . '/no', '');
$t->configure(hook => ['deploy true', "deploy \"test ! -e $no\""]);
$t->reload;
($exit, undef, my $err) = $t->acmectl('renew', '--force');
is $exit, 0, 'a renewal' or diag $err;
ok $t->wait_for(sub { ((unseen())[-1]{content} // '') =~ /failed/ }, 15),
    'X185: a hook that has failed is in it';
@lines = written('update');
like $lines[-1]{content},
    qr/\Adeployed; run: true; failed: test ! -e \Q$no\E \(.*status 1/,
    'beside the one that has not, and it is open';
my ($open) = ids(@lines);
unlink $no or die;
$t->clear_config;
$t->configure(%settings, hook => ['deploy true', "deploy \"test ! -e $no\""]);
$t->site(['a.test', 'new.a.test'])->reload;
@lines = written('close-success');
my ($old) = grep { $_->{id} eq $open } @lines;
is $old->{action}, 'close-failure', 'closes what was open';
is $lines[-1]{content}, "deployed; run: true; run: test ! -e $no",
    'X186: and then its own';

$t->done;
