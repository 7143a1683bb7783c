# Every Pebble of this machine, with challtestsrv as its DNS, issues a
# certificate that leads to the root it shows.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Acme::CA::X509 qw(new_key);
use Acme::Client;
use Acme::DNS;
use Acme::Pebble;
use Acme::Port;
use Acme::Proc qw(adopt_orphans run spew);
use Acme::Responder;
use Acme::Tls qw(parse_certificate);
use Acme::Tool qw(find_tool);
use File::Temp qw(tempdir);
use Test::More;

adopt_orphans();
my %found = map { $_ => 1 } grep { $_ && -x $_ }
    find_tool('pebble'), '/usr/bin/pebble';
ok %found, 'there is a Pebble';

for my $binary (sort keys %found) {
    subtest $binary => sub { try_pebble($binary) };
}
done_testing;

sub try_pebble ($binary)
{
    my $dir = tempdir(CLEANUP => 1);
    my $web = Acme::Responder->new(dir => $dir);
    my $dns = Acme::DNS->new(dir => $dir, binary => $binary . '-challtestsrv')
        ->start;
    my $ca = Acme::Pebble->new(
        dir => $dir, dns => $dns, http_port => $web->port, binary => $binary,
        tls_port => Acme::Port->reserve, nonce_reject => 0, authz_reuse => 0,
        validity => 3600,
    )->start;

    like $ca->version, qr/^\d+\.\d+/, 'version ' . $ca->version;
    is $ca->has('profiles'), $ca->version =~ /^2\.[0-6]\./ ? 0 : 1,
        'profiles since 2.7';
    records($dns);

    my $client = Acme::Client->new(url => $ca->url, ca_file => $ca->ca_file);
    is $client->register->{status}, 201, 'an account';
    my $pem = $client->obtain($web, new_key(), 'a.test');
    my $leaf = parse_certificate($pem);
    is_deeply $leaf->{names}, ['a.test'], 'a certificate';
    cmp_ok abs($leaf->{not_after} - $leaf->{not_before} - 3600), '<', 5,
        'of the validity asked for';
    spew("$dir/chain.pem", $pem);
    is run(cmd => ['openssl', 'verify', '-CAfile', $ca->root_file,
        '-untrusted', "$dir/chain.pem", "$dir/chain.pem"])->{exit}, 0,
        'the chain verifies';
    is $ca->certificate_status($leaf->{serial})->{Status}, 'Valid',
        'Pebble knows its serial';

    # the DNS is really asked
    $dns->servfail('b.test');
    eval { $client->obtain($web, new_key(), 'b.test') };
    like $@, qr/order is invalid/, 'no address, no certificate';

    ok $_->stop, 'stopped' for $ca, $dns, $web;
    return;
}

sub records ($dns)
{
    $dns->txt('t.test', 'some text');
    $dns->a('n.test', '127.0.0.5');
    $dns->aaaa('n.test', '::1');
    is_deeply [$dns->query('t.test', 'TXT')], ['some text'], 'TXT';
    is_deeply [$dns->query('n.test')], ['127.0.0.5'], 'A';
    is_deeply [$dns->query('n.test', 'AAAA')], ['0:0:0:0:0:0:0:1'], 'AAAA';
    $dns->a('n.test');
    is_deeply [$dns->query('n.test')], ['127.0.0.1'], 'the default';
    is_deeply [$dns->query('m.test', 'AAAA')], [], 'no AAAA by default';
    return;
}
