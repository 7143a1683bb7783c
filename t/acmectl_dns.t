#!/usr/bin/perl
# acmectl dns records: lines of a zone file out of the state directory alone,
# which real parsers of such files take for what was meant; nothing is printed
# that a CA could have made up.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp spew);
use Acme::Test;
use Acme::Tool qw(find_tool);
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
my $other = $t->add_ca('own');

$t->issuer('own', ca => $t->ca, issuer_domain => 'CA.test');
$t->issuer('other', ca => $other, challenge => 'http-01 dns-persist-01=draft-00');
$t->site(['a.test', 'www.a.test'], acme => 'own')
    ->site('b.test', acme => 'other');
$t->start;
$t->wait_certificate('a.test') or $t->give_up;
$t->wait_certificate('b.test', 30, ca_file => $other->root_file)
    or $t->give_up;
my ($account) = map { $_->{url} } $t->ca->accounts;
my $label = do {
    require Digest::SHA;
    my $bits = unpack 'B80', Digest::SHA::sha256($account);
    join '', map { ('a' .. 'z', 2 .. 7)[oct "0b$_"] } $bits =~ /(.{5})/g;
};
$_->stop for $t->cas;

my ($exit, $out, $err);
sub records (@args)
{
    ($exit, $out, $err) = $t->acmectl('dns', 'records', @args);
    return split /\n/, $out;
}

# of a lineage, what its configuration needs
is_deeply [records('a.test')], [map
    qq($_. 600 IN CAA 0 issue "ca.test; accounturi=$account; )
        . 'validationmethods=http-01,tls-alpn-01"', qw(a.test www.a.test)],
    'who may issue, for whom, and how';
is $exit, 0, 'with the network gone' or diag $err;

# of a name, all there is
my @all = (-d => 'A.test', '--ttl', 60, '--type',
    'caa,dns-01,DNS-ACCOUNT-01,dns-persist-01');
is_deeply [records(@all)], [
    qq(a.test. 60 IN CAA 0 issue "ca.test; accounturi=$account; )
        . 'validationmethods=http-01,tls-alpn-01"',
    '; _acme-challenge.a.test. 60 IN TXT is made for each order',
    "; _$label._acme-challenge.a.test. 60 IN TXT is made for each order",
    qq(_validation-persist.a.test. 60 IN TXT "ca.test; accounturi=$account"),
], 'of each type';

is +(records(qw(--until 2030-01-31T00:00:00Z --type dns-persist-01 a.test)))[0],
    '_validation-persist.a.test. 600 IN TXT '
    . qq("ca.test; accounturi=$account; persistUntil=1896048000"), 'until then';

# parsers
my $records = join "\n", records('a.test'),
    records(@all);
my $zone = $t->dir . '/test.zone';
spew($zone, <<~"END");
    \$ORIGIN elsewhere.example.
    test. 60 IN SOA ns.test. admin.test. 1 3600 600 86400 60
    test. 60 IN NS ns.test.
    ns.test. 60 IN A 192.0.2.1
    $records
    END
for my $check (['kzonecheck', '-o', 'test.', $zone],
    ['named-checkzone', '-D', 'test', $zone]) {
    SKIP: {
        my ($name, @args) = @$check;
        my $tool = find_tool($name) // (grep { -x } "/usr/sbin/$name")[0];
        skip "no $name here (knot-dnssecutils, bind9-utils)", 1 if !$tool;
        my $run = run(cmd => [$tool, @args]);
        is $run->{exit}, 0, "$name takes the lines"
            or diag "$run->{stdout}$run->{stderr}";
        next if $name ne 'named-checkzone';
        like $run->{stdout},
            qr/^_validation-persist\.a\.test\.\s+60\s+IN\s+TXT\s+
                "ca\.test;\ accounturi=\Q$account\E"$/mx,
            '  and has read the record as a whole';
        like $run->{stdout},
            qr/^www\.a\.test\.\s.*CAA\s+0 issue "ca\.test; .*alpn-01"$/m,
            '  nor is the rest of CAA a comment';
    }
}

# JSON
records('--json', @all);
my ($caa, $order, undef, $persist) = @{ decode_json($out) };
is $persist->{value}, "ca.test; accounturi=$account", 'JSON: a value';
is $caa->{tag}, 'issue', 'a tag';
ok exists $order->{owner} && !exists $order->{value}, 'or none';

# a name and CA of tomorrow; a wildcard's is good for both
records('--type', 'dns-persist-01', -d => '*.new.test');
is $exit, 1, 'one CA has no name';
like $err, qr/dns-persist-01 of "\*\.new\.test" at "other": .*issuer_domain/,
    'it says how to give it one' if $t->host eq 'nginx';
is $out, '_validation-persist.new.test. 600 IN TXT '
    . qq("ca.test; accounturi=$account; policy=wildcard"\n), 'the other has';

# what cannot be told is an error
records('b.test');
is $exit, 1, 'a CA without a name';
is $out, '', 'no record';
like $err, qr/caa of "b\.test" at .*ACMEIssuerDomain/, 'and why';
for my $wrong ([['nobody'], 1, qr/no lineage "nobody".*-d/],
    [['--type', 'http-01'], 2, qr/--type "http-01" is none of .*dns-account-01/],
    [['--type', 'caa,'], 2, qr/--type "" is none of caa/],
    [['--ttl', '1h'], 2, qr/--ttl "1h" is no number/],
    [['--ttl', '4294967296'], 2, qr/between 0 and 2147483647/],
    [['--until', '2030'], 2, qr/"2030" is no time such as/],
    [['-d'], 2, qr/"-d" wants a value/],
    [[-d => 'a_b.test'], 2, qr/underscore/],
    [['--cert-name', 'a.test'], 2, qr/"--cert-name" does not go with "dns records"/]) {
    my ($args, $code, $why) = @$wrong;
    records(@$args);
    is $exit, $code, "records @$args";
    like $err, $why, '  and why';
}
($exit, undef, $err) = $t->acmectl('dns');
is $exit, 2, 'no verb';

# another CA's account
my ($file) = map { $t->state($_) }
    grep { m{^accounts/} && slurp($t->state($_)) =~ /\Q$account\E/ }
    $t->state_files;
spew($file, slurp($file) =~ s{\Q$account\E}{https://evil.test/acct/1}r, 0600);
records('--type', 'dns-persist-01,caa', 'a.test');
is $exit, 1, "an account's URL of elsewhere";
is $out, '', 'gets into no record';
like $err, qr/account's URL is not at the CA's own server/, 'and why';

$t->done;
