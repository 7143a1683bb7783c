#!/usr/bin/perl
# An account key is in the engine, while it has something to sign, and nowhere
# else: not in the memory of the master, of workers or of other children of the
# server, neither one that we made nor an operator's own.  TLS keys are where they are served from, and
# never in what a child of the master would inherit.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::X509 qw(new_key);
use Acme::Proc qw(process_table spew);
use Acme::SecProc qw(found_in private_scalar);
use Acme::Test;

Acme::Test->need_root;
plan skip_all => 'the memory of a sanitized process has terabytes'
    if $ENV{ACME_PRELOAD};
my $t = Acme::Test->new(ca => 'own', workers => 1);
my $pem = new_key();
my $file = spew($t->dir . '/conf/account.pem', $pem, 0600);
my $helper = { nginx => "proxy_cache_path %%DIR%%/tmp/c keys_zone=z:1m;\n",
    httpd => "LoadModule cgid_module %%MODULES%%/mod_cgid.so\n"
        . "ScriptSock %%DIR%%/run/cgid\n" };

$t->start_ca;
$t->issuer('testca', ca => $t->ca);
$t->issuer('operator', ca => $t->ca, account_key => $file);
$t->ca->fault(where => 'validate', do => 'slow-validation', seconds => 3,
    times => 2);
$t->configure(global => $helper);
$t->site('a.test')->site('b.test', acme => 'operator')->start;
$t->wait_for(sub { $t->ca->challenge_posts == 2 }, 15, 'two jobs at work')
    or $t->give_up;
my ($made) = grep { m{^keys/\w+\.pem$} } $t->state_files;
my %account = (made => private_scalar($t->state_text($made)),
    operator => private_scalar($pem));
is_deeply [found_in($t->engine_pid, \%account)], [sort keys %account],
    'the engine has the account keys';
$t->wait_certificate($_) or $t->give_up for qw(a.test b.test);
my %tls = map { $_ => private_scalar($t->state_text("live/$_/privkey.pem")) }
    qw(a.test b.test);

# name => pid of everything the server has but our own helpers
sub servers ()
{
    my %ours = map { $_ => 1 } $t->supervisor_pids;
    my %workers = map { $_ => 1 } $t->worker_pids;
    my $table = process_table();
    my @children = grep { $_->{ppid} == $t->master_pid && !$ours{ $_->{pid} } }
        values %$table;
    return master => $t->master_pid,
        map { (($workers{ $_->{pid} } ? 'worker' : $_->{title})
            . " $_->{pid}" => $_->{pid}) } @children;
}

sub look ($when)
{
    my %pid = (servers(), supervisor => $t->supervisor_pid);
    for my $name (sort keys %pid) {
        is_deeply [found_in($pid{$name}, \%account)], [],
            "$when: no account key in $name";
        is_deeply [found_in($pid{$name}, \%tls, shared => 0)], [],
            "$when: no TLS key in the private memory of $name"
            if $name !~ /worker/;
    }
    return;
}

cmp_ok scalar(my %all = servers()), '>=', 3, 'a child besides the workers';
look('at work');
is_deeply [found_in(($t->worker_pids)[0], \%tls)], [sort keys %tls],
    'the worker has the TLS keys';

ok $t->reload, 'reload';
$t->wait_helpers;
ok $t->serial($_), "$_ is served" for sort keys %tls;
look('after a reload');

$t->done;
