#!/usr/bin/perl
# The narrower word goes before the wider: what is said for the server, in
# a virtual host and in <ACMEDomain>; and how keys, paths and the
# configuration file are spelled.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::Jws qw(load_key public_jwk thumbprint);
use Acme::CA::X509 qw(new_key);
use Acme::Proc qw(run spew);
use Acme::Test;

my $t = Acme::Test->new(host => 'httpd', ca => 'own');
my $two = $t->add_ca('own');
my $dir = $t->dir;
my $other = "ACMECertificateAuthority ${\ $two->url }\n"
    . "ACMECACertificateFile ${\ $two->ca_file }\n";
my @hosts;

# A virtual host, with more in it.
sub host ($name, $more = '')
{
    push @hosts, "<VirtualHost 127.0.0.1:%%TLS%%>\nSSLEngine on\n"
        . "ServerName $name\n$more\n</VirtualHost>\n";
}

# One with a domain of its own; another virtual host may serve it.
sub section ($name, @settings)
{
    return join "\n", "<ACMEDomain $name>", @settings, '</ACMEDomain>', '';
}

my $own_key = new_key('ecdsa:384');
spew("$dir/conf/own.key", $own_key, 0600);
my $server = <<'END';
Listen 127.0.0.1:%%HTTP%%
Listen 127.0.0.1:%%TLS%%
ACMEStoreDir var/state
ACMECertificateAuthority %%CA_URL%%
ACMECACertificateFile %%CA_FILE%%
ACMECertificateAgreement Accepted
ACMEContactEmail server@a.test
ACMEPrivateKeys P-384
ACMEAccountKey rsa:2048
<VirtualHost 127.0.0.1:%%HTTP%%>
ServerName plain.invalid
</VirtualHost>
ACMEDomain server.test
END

my %want = ('server.test' => [$t->ca, 'ecdsa 384']);
host('server.test', "ACMEDomain host.test\n" . $other
    . "ACMEPrivateKeys RSA 3072\nACMEAccountKey conf/own.key\n"
    . section('both.test', 'ACMEPrivateKeys P-521')
    . section('back.test', 'ACMECertificateAuthority %%CA_URL%%',
        'ACMECACertificateFile %%CA_FILE%%', 'ACMEAccountKey ecdsa',
        'ACMEContactEmail one@b.test two@b.test'));
host('host.test');
host('both.test');
host('back.test');
$want{'host.test'} = [$two, 'rsa 3072'];
$want{'both.test'} = [$two, 'ecdsa 521'];
$want{'back.test'} = [$t->ca, 'rsa 3072'];

my %spelled = ('Default' => 'ecdsa 256', 'p-256' => 'ecdsa 256',
    'secp384r1' => 'ecdsa 384', 'RSA' => 'rsa 2048', 'rsa2048' => 'rsa 2048',
    'RSA 2048' => 'rsa 2048', 'ecdsa:256' => 'ecdsa 256');
my $number = 0;
for my $words (sort keys %spelled) {
    my $name = 'key' . ++$number . '.test';

    $server .= section($name, "ACMEPrivateKeys $words");
    host($name);
    $want{$name} = [$t->ca, $spelled{$words}, $words];
}

$t->raw_config(join "\n", $server, @hosts)->start;
for my $name (sort keys %want) {
    my ($ca, $key, $words) = @{ $want{$name} };
    my $got = $t->wait_certificate($name, 60, verify => 0,
        ca_file => $ca->root_file) or $t->give_up($name);

    is "$got->{key} $got->{bits}", $key, join ': ', $name, $words // ();
}

my @accounts = sort map { "@{ $_->{contact} }" } $t->ca->accounts;
is_deeply \@accounts,
    ['mailto:one@b.test mailto:two@b.test', 'mailto:server@a.test'],
    'contacts of the server, and of a section';
is_deeply [map { @{ $_->{contact} } } $two->accounts],
    ['mailto:server@a.test'], 'and at the other CA';
my ($exit, $out) = $t->acmectl('key', 'thumbprint');
my %made = reverse $out =~ /^(\S{43})  (\S+)/mg;
my %account = ('server.test' => $made{'rsa:2048'},
    'host.test' => thumbprint(public_jwk(load_key($own_key))),
    'back.test' => $made{'ecdsa:256'});
for my $name (sort keys %account) {
    my $answer = $t->http_get('/.well-known/acme-challenge/x', host => $name);
    is $answer->{body}, "x.$account{$name}", "$name: account key";
}

# where things are
ok -e $t->state('format'), 'a relative state directory';
($exit, $out) = $t->acmectl('status');
my $conf = $t->server->conf_file;
like $out, qr/served by httpd \(\Q$conf\E\), pid/, '-f with a path';
$t->stop;
my $ran = run(env => $t->server->environment, cmd => [
    $t->server->binary, '-d', $dir, '-f', 'conf/httpd.conf', '-k', 'start']);
is $ran->{exit}, 0, 'started by a relative path' or diag $ran->{stderr};
$t->wait_helpers or $t->give_up;
($exit, $out) = $t->acmectl('status');
like $out, qr/served by httpd \(\Q$conf\E\), pid/, 'which is the same';

$t->done;
