#!/usr/bin/perl
# What of a store of mod_md's is not taken over: what others than root could
# have written, what is damaged, what does not fit.  It is told, and ordered.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp spew user_ids);
use Acme::Test;
use File::Path qw(make_path remove_tree);
use MIME::Base64 qw(encode_base64url);
use POSIX qw(mkfifo);

my $t = Acme::Test->new(host => 'httpd', ca => 'own');
my $store = $t->dir . '/var/md';
my $state = $t->dir . '/var/state';
my @names = map { "$_.test" } qw(good another linked written open text);
my @other = $> == 0 ? user_ids('www-data') : ();

sub sites (@settings)
{
    $t->clear_config;
    $t->configure(@settings);
    $t->issuer('first', ca => $t->ca, account_key => 'rsa:3072');
    $t->site($_, acme => 'first', key => 'rsa') for @names;
    return;
}

sub put ($name, $text, $mode = 0600)
{
    return spew("$store/$name", $text, $mode);
}

# As mod_md writes it.
sub leave ()
{
    make_path((map { "$store/$_" } 'archive', 'staging/good.test',
        'accounts/ACME-one-0000', map { "domains/$_" } @names),
        { mode => 0700 });
    chmod 0755, $store;
    for my $name (@names) {
        put("domains/$name/pubcert.pem",
            slurp("$state/live/$name/fullchain.pem"));
        put("domains/$name/privkey.pem",
            slurp("$state/live/$name/privkey.pem"));
        put("domains/$name/md.json",
            qq({"name": "$name", "ca": {"url": "@{[$t->ca->url]}"}}));
    }
    put('staging/good.test/pubcert.pem', 'new');
    my $secret = "\0pass" x 9 . "\xff\n1";
    put('md_store.json', sprintf(qq({"store": {"version": 3.0}, "key": "%s"}),
            encode_base64url($secret)));
    put('accounts/ACME-one-0000/account.json',
        qq({"status": "valid", "ca-url": "@{[$t->ca->url]}"}));
    return;
}

sites();
$t->start;
my %served = map {
    $_ => ($t->wait_certificate($_, 30) or $t->give_up)->{serial} } @names;
$t->stop;
leave();
put('accounts/ACME-one-0000/account.pem', slurp((grep
    { length(slurp $_) > 1000 } glob "$state/keys/*.pem")[0]));
remove_tree($state);

# --- each in its own way ------------------------------------------------------

put('domains/another.test/privkey.pem',
    slurp("$store/domains/good.test/privkey.pem"));
rename "$store/domains/linked.test/privkey.pem", "$store/key.pem";
symlink '../../key.pem', "$store/domains/linked.test/privkey.pem";
chmod 0770, "$store/domains/open.test";
put('domains/text.test/pubcert.pem', "no certificate\n");
chown @other, "$store/domains/written.test/privkey.pem" if @other;

my $mark = $t->log_mark;
my $orders = $t->ca->orders;
sites(state => $store);
$t->start;
is $t->serial('good.test'), $served{'good.test'}, 'good.test: taken over';
my %why = (
    'another.test' => qr/.*it is ordered: .* for another key/,
    'linked.test' => qr/domains\/linked\.test: .*"privkey\.pem"/,
    'open.test' => qr/"domains\/open\.test" .*others can write/,
    'text.test' => qr/"domains\/text\.test\/pubcert\.pem" is no use/,
    'written.test' => qr/domains\/written\.test: .*belongs to uid/,
);
delete $why{'written.test'} if !@other;
for my $name (sort keys %why) {
    my $new = $t->wait_certificate($name, 30) or $t->give_up;
    isnt $new->{serial}, $served{$name}, "$name: ordered";
    like $t->log_since($mark), qr/not .*taken over.*$why{$name}/,
        '  and told why';
}
is $t->ca->orders, $orders + keys(%why) + !@other, 'no other order';
like $t->log_since($mark), qr/staging\/good\.test, a renewal that waited/,
    'what waits for a restart is left there, and told';
like $t->log_since($mark),
    qr/account "ACME-one-0000" taken over/, 'an unencrypted key is fine';

# --- accounts ---------------------------------------------------------------

sub start_anew ()
{
    $t->stop;
    remove_tree("$store/acme");
    $mark = $t->log_mark;
    sites(state => $store);
    $t->start;
    return;
}

my $key = "$store/accounts/ACME-one-0000/account.pem";
run(cmd => ['openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt',
    'ec_paramgen_curve:P-256', '-out', $key]);
start_anew();
ok $t->wait_log(qr/"ACME-one-0000" not taken over.*: its type is ecdsa:256/,
    5, since => $mark), 'a key of another type';
unlink $key;
mkfifo($key, 0600);
start_anew();
ok $t->wait_log(qr/an account is not taken over.*"account\.pem" is no regular/,
    5, since => $mark), 'a FIFO';
put('md_store.json', '{"key": 1');
start_anew();
is $t->serial('good.test'), $served{'good.test'},
    'certificates need no md_store.json that can be read';
chmod 0777, $store;
start_anew();
ok $t->wait_log(qr/"\Q$store\E" is writable by others/, 5, since => $mark),
    'a store that others can write: nothing is done there';
chmod 0755, $store;

# --- where mod_md has it if nothing is said -----------------------------------

SKIP: {
    skip 'this machine has a state directory of its own', 1
        if -e '/var/lib/apache2/acme';
    $t->stop;
    my $default = $t->dir . '/md';
    rename $store, $default or die "$default: $!\n";
    remove_tree("$default/acme");
    sites(state => undef);
    $t->start;
    is $t->serial('good.test'), $served{'good.test'}, 'below ServerRoot';
}

$t->done;
