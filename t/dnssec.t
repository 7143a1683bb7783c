#!/usr/bin/perl
# Names whose DNSSEC signatures are wrong, as a resolver that validates finds
# (unbound; the zones are signed by knotd): the pre-flight and acmectl dns check
# say so, and nothing of the kind of names whose signatures are good.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Knot;
use Acme::Port;
use Acme::Proc qw(run spew);
use Acme::Test;

Acme::Test->need_root;      # port 53
my $unbound = '/usr/sbin/unbound';
plan skip_all => "no $unbound: apt-get install unbound" if !-x $unbound;

my @zones = qw(good.test bogus.test);
my $t = Acme::Test->new(ca => { type => 'own', caa => ['ca.test'] },
    knot => { sign => \@zones, zones => {
        map { $_ => { '*' => ['A 127.0.0.1'] } } @zones } });
my $knot = $t->dns;
my $resolver = '127.0.0.1:' . Acme::Port->reserve;

sub public_key ($zone)
{
    my ($key) = $t->wait_for(sub {
        return (grep { /^257 / } $knot->query($zone, 'DNSKEY'))[0];
    }, 10, "the key of $zone");
    return $key // die "no key of $zone\n";
}

# As seen from there, bogus.test is signed with a key that is not its own.
sub start_unbound ()
{
    my $conf = $t->dir . '/conf/unbound.conf';
    my $key = public_key('good.test');
    my $stubs = join "\n", map { ('stub-zone:', "  name: \"$_\"",
        '  stub-addr: ' . $knot->ip . '@53') } @zones;

    spew($conf, <<~"END");
        server:
          interface: @{[$resolver =~ s/:/@/r]}
          directory: "@{[$t->dir]}"
          chroot: ""
          username: ""
          pidfile: ""
          use-syslog: no
          do-not-query-localhost: no
          module-config: "validator iterator"
          local-zone: "test." transparent
          local-data: "test. 60 IN TXT 'nothing else'"
        @{[join "\n", map { "  trust-anchor: \"$_. DNSKEY $key\"" } @zones]}
        remote-control:
          control-enable: no
        $stubs
        END
    $t->spawn(cmd => [$unbound, '-d', '-c', $conf],
        log => $t->dir . '/logs/unbound');
    my ($address, $port) = split /:/, $resolver;
    return $t->wait_for(sub {
        run(cmd => [Acme::Knot::tool('kdig'), "\@$address", '-p', $port,
            '+short', 'a.good.test'])->{stdout} =~ /^127\.0\.0\.1$/m;
    }, 10, 'unbound');
}

$t->start_ca;
ok start_unbound(), 'a resolver that validates' or $t->give_up;
$t->configure(dns_resolver => $resolver, preflight => 'warn');
$t->issuer('own', ca => $t->ca, issuer_domain => 'ca.test');
$t->site("a.$_", acme => 'own') for @zones;
$t->start;
ok $t->wait_certificate("a.$_"), "a.$_" or $t->give_up for @zones;
like $t->log, qr/pre-flight, lineage "a\.bogus\.test": .*the DNS answers for (?#
    )a\.bogus\.test are bogus: the resolver refuses them for their DNSSEC/,
    'the pre-flight says so';
unlike $t->log, qr/good\.test.*(?:bogus:|SERVFAIL)/, 'of that name alone';

my ($exit, $out) = $t->acmectl('dns', 'check', '--type', 'caa', 'a.bogus.test');
is $exit, 1, 'acmectl dns check';
like $out, qr/^BAD  caa of "a\.bogus\.test" .*the name server \Q$resolver\E (?#
    )says SERVFAIL, as the DNSSEC signatures are wrong$/m, '  and why';
($exit, $out) = $t->acmectl('dns', 'check', '--type', 'caa', 'a.good.test');
is $exit, 0, 'the other is as it should be' or diag $out;
$t->done;
