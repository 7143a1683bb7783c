#!/usr/bin/perl
# A CA that sends us to another port, host or CA: no request arrives there,
# and the recorded error names the URL.  Nothing that a CA says makes us sign
# for another one, or look around in the local network.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');
my $other = $t->add_ca('own');
$t->start_ca;
my $ca = $t->ca;
my $metadata = 'https://169.254.169.254/latest/meta-data/';
my @directory = (
    ['newOrder at another port', url => (field => 'newOrder')],
    ['newOrder at another host', url => (field => 'newOrder',
        to => 'https://localhost:' . $ca->port . '/new-order')],
    ['newOrder at another CA', url => (field => 'newOrder',
        to => $other->base . '/new-order')],
    ['newNonce at another port', url => (field => 'newNonce')],
    ['newAccount at another CA', url => (field => 'newAccount',
        to => $other->base . '/new-account')],
    ['newOrder without TLS', url => (field => 'newOrder',
        to => 'http-decoy/new-order')],
    ['newOrder in a file', url => (field => 'newOrder',
        to => 'file:///etc/passwd')],
    ['newOrder with credentials', url => (field => 'newOrder',
        to => 'https://me:pw@127.0.0.1:' . $ca->port . '/new-order'),
        qr/user|password|credentials/],
    ['redirect without TLS', redirect => (to => 'http-decoy/dir')],
    # httpd knows only of CAs in use; it is their certificates that keep us
    ['redirect to another CA', redirect => (to => $other->url),
        $t->of(httpd => qr/SSL certificate problem/)],
    ['redirect to itself', redirect => (to => 'self'), qr/redirects/],
    ['redirect to a file', redirect => (to => 'file:///etc/passwd')],
    ['redirect to the metadata service without TLS',
        redirect => (to => 'http://169.254.169.254/latest/')],
);
my @order = (
    [newOrder => location => ()],
    [newOrder => location => (to => 'https://localhost:' . $ca->port . '/o')],
    [newOrder => location => (to => $other->base . '/order/1')],
    [newOrder => location => (to => $metadata)],
    [newOrder => url => (field => 'authorizations')],
    [newOrder => url => (field => 'finalize', to => $other->base . '/f/1')],
    [newOrder => url => (field => 'finalize', to => $metadata)],
    [newOrder => url => (field => 'finalize', to => 'http-decoy/f')],
    [authz => url => (field => 'challenge')],
    [authz => url => (field => 'challenge', to => $other->base . '/c/1')],
    ['finalize,order', url => (field => 'certificate')],
    ['finalize,order', url => (field => 'certificate', to => $metadata)],
);

# Where a rule points, as the error will say it.
sub target (%o)
{
    my $to = $o{to} // 'decoy/elsewhere';
    return $ca->url if $to eq 'self';
    return $to =~ s{^decoy}{$ca->decoy_url}er
        =~ s{^http-decoy}{$ca->decoy_http_url}er;
}

# a lineage each, all in one server
my %want;
my $number = 0;
for my $case (@order) {
    my ($where, $do, %o) = @$case;
    my $name = 'n' . ++$number . '.test';
    my $what = "$where: $do " . ($o{field} // '') . ' ' . target(%o);
    $want{$name} = [$what, qr/\Q${\target(%o)}\E/];
    $ca->fault(where => [split /,/, $where], do => $do, %o, name => $name,
        times => 'always');
    $t->site($name);
}
$t->issuer('testca', ca => $ca)->issuer('other', ca => $other)->start;

sub error_of ($name)
{
    my $error;
    $t->wait_for(sub { $error = ($t->status($name) // {})->{error}{text} },
        20, "an error of $name");
    return $error // '';
}

for my $name (sort keys %want) {
    my ($what, $text) = @{ $want{$name} };
    like error_of($name), $text, "$what: recorded";
}
$ca->clear_faults;

# The directory is read once by each engine: one reload each.
for my $case (@directory) {
    my ($what, $do, @rest) = @$case;
    my $text = @rest % 2 ? pop @rest : undef;
    my %o = @rest;
    my $name = 'd' . ++$number . '.test';

    $ca->clear_faults;
    $ca->fault(where => 'directory', do => $do, %o, times => 'always');
    $t->clear_config->issuer('testca', ca => $ca)
        ->issuer('other', ca => $other)->site($name)->reload;
    like error_of($name), $text // qr/\Q${\target(%o)}\E/, $what;
}

is scalar($ca->requests('decoy', 'decoy_http')), 0,
    'no request arrived at another place';
is scalar($other->requests), 0, 'nor at the other CA';
my @directories = grep { $_->{status} == 302 } $ca->requests('directory');
cmp_ok scalar(@directories), '<=', 4 + 6, 'few redirects were followed';

# the ways are open: a redirect within the rules is followed
$ca->clear_faults;
$ca->fault(where => 'directory', do => 'redirect', to => $ca->base
    . '/dir-2', times => 1);
$t->clear_config->issuer('testca', ca => $ca)->site('good.test')->reload;
ok $t->wait_certificate('good.test'), 'an honest redirect is followed';

$t->done;
