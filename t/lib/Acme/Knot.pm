package Acme::Knot;

# knotd as the authoritative server of some zones, with signed updates (RFC
# 2136), and a secondary that follows when it is told to.  As root each has
# an address of its own and port 53, as its zones' NS records say; otherwise
# ports at 127.0.0.1.  Stands in for Acme::DNS.  Knows nothing of ACME.

use v5.36;
use Acme::Port;
use Acme::Proc qw(run slurp spawn spew stop_pid wait_until);
use Acme::Tool qw(find_tool);
use MIME::Base64 qw(encode_base64);

my @TOOLS = qw(knotd knotc kdig);

# Why it cannot be used here; undef: it can.
sub missing ($class)
{
    my @not = grep { !tool($_) } @TOOLS;
    return @not ? "no @not: apt-get install knot knot-dnsutils" : undef;
}

sub tool ($name)
{
    return find_tool($name) // (grep { -x } "/usr/sbin/$name", "/sbin/$name")[0];
}

# new(dir => DIR, zones => { 'a.test' => { name => [records] } }, and
#     optionally keys => { NAME => 'hmac-sha256' | 'hmac-sha512' }, allow =>
#     { ZONE => [names of keys] }, update_types => ['TXT'], secondary => 1,
#     sign => [zones, with keys of their own (DNSSEC)], listen => [more 'ADDRESS@PORT'], extra => TEXT): not started.
#
# A record is 'TYPE DATA'; names are relative to the zone, '@' is its apex.
# SOA and NS are made here.  All keys may change all zones unless allow says
# otherwise; there is one called "update".
sub new ($class, %o)
{
    my $self = bless {
        keys => { update => 'hmac-sha256' }, allow => {}, %o,
        dir => "$o{dir}/knot", secret => {},
    }, $class;

    mkdir $self->{dir} or die "mkdir $self->{dir}: $!\n";
    $self->{secret}{$_} = encode_base64(random_bytes(), '')
        for keys %{ $self->{keys} };
    $self->{server} = [map { $self->describe($_) }
        'primary', $o{secondary} ? 'secondary' : ()];
    $self->write_zone($_) for keys %{ $self->{zones} };
    $self->write_config($_) for @{ $self->{server} };
    return $self;
}

sub random_bytes ()
{
    open my $fh, '<:raw', '/dev/urandom' or die "urandom: $!\n";
    read $fh, my $bytes, 32;
    return $bytes;
}

sub describe ($self, $role)
{
    my $port = Acme::Port->reserve;
    my $dir = "$self->{dir}/$role";

    mkdir $dir or die "mkdir $dir: $!\n";
    return {
        role => $role, dir => $dir, log => "$dir/log",
        $> == 0
        ? (ip => sprintf('127.53.%d.%d', $port >> 8, $port & 255), port => 53)
        : (ip => '127.0.0.1', port => $port),
    };
}

# Of the primary unless another is asked for.
sub of ($self, $role = 'primary')
{
    my ($server) = grep { $_->{role} eq $role } @{ $self->{server} };
    return $server // die "there is no $role\n";
}

sub ip ($self, $role = 'primary') { return $self->of($role)->{ip} }
sub port ($self, $role = 'primary') { return $self->of($role)->{port} }
sub address ($self, $role = 'primary')
{
    return join ':', $self->ip($role), $self->port($role);
}
sub log ($self, $role = 'primary')
{
    return slurp($self->of($role)->{log}) // '';
}
sub pids ($self) { return grep { $_ } map { $_->{pid} } @{ $self->{server} } }

# --- files -----------------------------------------------------------------

sub write_zone ($self, $zone)
{
    my $records = $self->{zones}{$zone};
    my @n = 1 .. @{ $self->{server} };
    my @lines = ("\$ORIGIN $zone.", '$TTL 1',
        '@ SOA ns1 hostmaster 1 86400 86400 864000 1',
        map({ ("\@ NS ns$_", "ns$_ A $self->{server}[$_ - 1]{ip}") } @n),
        map({ my $name = $_; map { "$name $_" } @{ $records->{$name} } }
            sort keys %$records));

    spew("$self->{dir}/primary/$zone.zone", join "\n", @lines, '');
    return;
}

sub write_config ($self, $server)
{
    my $primary = $server->{role} eq 'primary';
    my $first = $self->{server}[0];
    my @listen = ("$server->{ip}\@$server->{port}",
        $primary ? @{ $self->{listen} // [] } : ());
    my $text = join "\n", 'server:', "    rundir: $server->{dir}",
        map({ "    listen: $_" } @listen),
        'database:', "    storage: $server->{dir}",
        'log:', '  - target: stdout', '    any: debug',
        $primary ? $self->primary_text : (
            'remote:', '  - id: primary',
            "    address: $first->{ip}\@$first->{port}"),
        'template:', '  - id: default', "    storage: $server->{dir}",
        '    zonefile-sync: -1', '    file: "%s.zone"',
        'zone:', map({ $primary ? $self->zone_text($_)
            : ("  - domain: $_.", '    master: primary') }
            sort keys %{ $self->{zones} }),
        $self->{extra} // (), '';

    spew("$server->{dir}/knot.conf", $text, 0600);
    return;
}

sub primary_text ($self)
{
    my @names = sort keys %{ $self->{keys} };
    my $types = join ', ', @{ $self->{update_types} // ['TXT'] };

    return 'key:',
        map({ ("  - id: $_", "    algorithm: $self->{keys}{$_}",
            "    secret: $self->{secret}{$_}") } @names),
        'acl:', '  - id: transfer', '    address: 127.0.0.0/8',
        '    action: transfer',
        map { ("  - id: may-$_", "    key: $_", '    action: update',
            "    update-type: [$types]") } @names;
}

sub zone_text ($self, $zone)
{
    my $names = $self->{allow}{$zone} // [sort keys %{ $self->{keys} }];
    my $acl = join ', ', 'transfer', map { "may-$_" } @$names;

    return "  - domain: $zone.", "    acl: [$acl]",
        (grep { $_ eq $zone } @{ $self->{sign} // [] })
            ? '    dnssec-signing: on' : ();
}

# The key in a file, as 'bind' (default) or as 'line' writes it; secret =>
# BASE64 for another one, name and alg for another name.
sub key_file ($self, $path, $name = 'update', %o)
{
    my $alg = $o{alg} // $self->{keys}{$name};
    my $secret = $o{secret} // $self->{secret}{$name};
    my $shown = $o{name} // $name;

    return spew($path, ($o{format} // 'bind') eq 'line'
        ? "$alg:$shown:$secret\n"
        : "key \"$shown\" {\n\talgorithm $alg;\n\tsecret \"$secret\";\n};\n",
        $o{mode} // 0600);
}

# --- running ---------------------------------------------------------------

sub start ($self)
{
    for my $server (@{ $self->{server} }) {
        $server->{pid} = spawn(log => $server->{log}, cmd => [
            tool('knotd'), '-c', "$server->{dir}/knot.conf"]);
        wait_until(10, sub { $self->loaded($server->{role}) })
            or die "knotd does not answer: "
                . $self->log($server->{role}) . "\n";
    }
    return $self;
}

sub loaded ($self, $role)
{
    return !grep { !$self->ask($role, $_, 'SOA') } keys %{ $self->{zones} };
}

sub stop ($self, $role = undef)
{
    my $clean = 1;

    for my $server (@{ $self->{server} }) {
        next if $role && $server->{role} ne $role;
        my $pid = delete $server->{pid} or next;
        $clean &&= stop_pid($pid);
    }
    return $clean;
}

sub control ($self, $role, @words)
{
    my $server = $self->of($role);
    my $got = run(cmd => [tool('knotc'), '-s', "$server->{dir}/knot.sock",
        '-b', @words]);

    die "knotc @words: $got->{stdout}$got->{stderr}\n" if $got->{exit};
    return $got->{stdout};
}

# The secondary takes what the primary has got.
sub follow ($self) { return $self->control(secondary => 'zone-retransfer') }

# add('a.test', 'www', 'TXT', '"text"'): by hand, at the primary.
sub add ($self, $zone, $name, $type, $data)
{
    $self->control(primary => 'zone-begin', $zone);
    $self->control(primary => 'zone-set', $zone, $name, 60, $type, $data);
    return $self->control(primary => 'zone-commit', $zone);
}

# --- looking at it ---------------------------------------------------------

sub ask ($self, $role, $name, $type)
{
    my $server = $self->of($role);
    my $got = run(cmd => [tool('kdig'), "\@$server->{ip}", '-p',
        $server->{port}, '+short', '+norec', '+retry=0', '+timeout=1',
        $name, $type]);

    return $got->{exit} ? () : grep { !/^;/ } split /\n/, $got->{stdout};
}

# What the primary answers, sorted, a line each as kdig +short has it.
sub query ($self, $name, $type = 'A')
{
    my @found = sort $self->ask(primary => $name, $type);
    return @found;
}

# TXT values without their quotes.
sub txt ($self, $name)
{
    my @found = map { s/^"(.*)"$/$1/r } $self->query($name, 'TXT');
    return @found;
}

# How many update messages arrived, were they heeded or not.
sub updates ($self)
{
    return scalar(() = $self->log =~ /ACL, \w+, action update/g);
}

1;
