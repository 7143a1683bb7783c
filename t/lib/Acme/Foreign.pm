package Acme::Foreign;

# Directories of other ACME clients: such as the client itself has made, or
# small ones made here, and whether anything in them has been touched.

use v5.36;
use Acme::CA::X509 qw(issue new_key new_root);
use Acme::Proc qw(run slurp spew);
use Acme::Tool qw(built);
use Crypt::PK::ECC;
use Digest::SHA qw(sha256_hex);
use Exporter 'import';
use File::Find ();
use File::Path qw(make_path);
use Test::More ();

our @EXPORT_OK = qw(blueprint certbot_account certbot_tree client
    fingerprint pair);

# Every path below a directory: mode, owner, size, times, what is in it or
# where it leads; "" where there is nothing.  Without the directories that a
# regex names, by their paths.
sub fingerprint ($top, $without = qr/(?!)/)
{
    my @lines;

    return '' if !-e $top;
    File::Find::find({ no_chdir => 1, wanted => sub {
        return $File::Find::prune = 1 if $_ =~ $without;
        my @stat = lstat;
        push @lines, join ' ', $_, @stat[2, 4, 5, 7, 9],
            -l _ ? readlink : -f _ ? sha256_hex(slurp($_)) : '';
    } }, $top);
    return join "\n", sort @lines;
}

# Runs a client, which trusts the test's CA; its output.  It has to go well.
sub client ($t, @cmd)
{
    my %env = map { $_ => $t->ca->ca_file }
        qw(REQUESTS_CA_BUNDLE LEGO_CA_CERTIFICATES TEST_CURL_CA);

    $env{LD_PRELOAD} = built('ACME_CURL_TRUST_LIBRARY', 'curl_trust.so')
        if $cmd[0] eq 'uacme';
    my $ran = run(cmd => \@cmd, timeout => 120, env => \%env);

    $t->give_up("@cmd[0, 1] $ran->{exit}: $ran->{stdout}$ran->{stderr}")
        if $ran->{exit} ne '0';
    return $ran->{stdout} . $ran->{stderr};
}

my $root;

# (key, certificate, chain) of names, signed by a CA that nobody knows.
sub pair (@names)
{
    my $key = new_key();

    $root //= new_root('a foreign root');
    return ($key, issue(issuer => $root, key => $key, names => \@names,
        seconds => 90 * 86_400), $root->{pem});
}

# A lineage as Certbot would have it, below $top, of so many versions; lines
# for [renewalparams].
sub certbot_tree ($top, $name, $versions, $params = '')
{
    my ($archive, $live) = map { "$top/$_/$name" } qw(archive live);

    make_path($archive, $live, "$top/renewal", { mode => 0755 });
    for my $n (1 .. $versions) {
        my ($key, $cert, $chain) = pair($name);
        spew("$archive/privkey$n.pem", $key, 0600);
        spew("$archive/cert$n.pem", $cert, 0644);
        spew("$archive/chain$n.pem", $chain, 0644);
        spew("$archive/fullchain$n.pem", $cert . $chain, 0644);
    }
    for my $kind (qw(cert privkey chain fullchain)) {
        unlink "$live/$kind.pem";
        symlink "../../archive/$name/$kind$versions.pem", "$live/$kind.pem"
            or die "$live/$kind.pem: $!\n";
    }
    return spew("$top/renewal/$name.conf",
        "version = 2.1.0\narchive_dir = $archive\n"
        . join('', map { "$_ = $live/$_.pem\n" }
            qw(cert privkey chain fullchain))
        . "[renewalparams]\nauthenticator = nginx\n"
        . "server = https://acme.test/dir\n$params", 0644);
}

# A certificate as AutoSSL would have it in $ssl, the intermediates apart, and
# its blueprint in $dir, with lines for "certificate"; what is behind it.
sub blueprint ($dir, $ssl, $name, @lines)
{
    my ($key, $cert, $chain) = pair($name);

    make_path($dir, $ssl);
    spew("$ssl/$name.key", $key, 0600);
    spew("$ssl/$name.crt", $cert, 0644);
    spew("$dir/$name.yaml", join("\n", '---', "name: $name", 'servers:',
        '  - type: autossl.server.local.LocalServer',
        "    parameters: {path: $ssl}", 'certificate:', '  type: DV',
        "  common_name: $name", map({ "  $_" } @lines), ''), 0644);
    return $chain;
}

# An account as Certbot would have it, at https://acme.test/dir; its URL.
sub certbot_account ($top, $id)
{
    my $dir = "$top/accounts/acme.test/dir/$id";
    my $key = Crypt::PK::ECC->new->generate_key('secp256r1');

    make_path($dir, { mode => 0700 });
    spew("$dir/private_key.json", $key->export_key_jwk('private'), 0400);
    spew("$dir/regr.json", qq({"body": {}, "uri": "https://acme.test/$id"}));
    spew("$dir/meta.json", '{"creation_dt": "2026-01-02T03:04:05Z"}');
    return "https://acme.test/$id";
}

1;
