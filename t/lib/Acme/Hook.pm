package Acme::Hook;

# Programs that change the DNS of a test, one for each convention: they write
# down how they were called and make the record in challtestsrv, or, by signed
# updates, in the one zone of knotd.  Of root and below directories of root's,
# so that root may run them.

use v5.36;
use Acme::Knot;
use Acme::Proc qw(slurp spew);
use File::Path qw(remove_tree);
use JSON::PP;

# Of runs that have been looked at: a test that ends in the middle of an order
# leaves them.
my %directory;
END { remove_tree(grep { m{/acme-hooks-} && -d } keys %directory) }

# new($test, KIND, and optionally name => 'hook', body => PERL for what it
# does before anything else, owner => USER): kind 'certbot', 'mod_md',
# 'uacme' or 'acme.sh'.
sub new ($class, $test, $kind, %o)
{
    my $dir = $test->dir . '/hooks';
    my $self = bless { test => $test, kind => $kind, dir => $dir, %o,
        log => "$dir/calls" }, $class;

    $self->{name} //= 'hook';
    if (!-d $dir) {
        mkdir $dir or die "mkdir $dir: $!\n";
        chmod 0755, $dir;
        spew($self->{log}, '', 0666);
    }
    $self->{path} = "$dir/$self->{name}";
    spew($self->{path}, $self->script, 0755);
    $self->acme_home if $kind eq 'acme.sh';
    $test->dns->key_file("$dir/key", 'update', format => 'line')
        if $test->dns->isa('Acme::Knot');
    chown scalar(getpwnam $o{owner}), -1, $self->{path} if $o{owner};
    return $self;
}

sub path ($self) { return $self->{path} }

# What follows acme_challenge_cmd.
sub words ($self)
{
    my $kind = $self->{kind};
    return "$kind $self->{path} $self->{path}" if $kind eq 'certbot';
    return "$kind dns_test $self->{dir}/acme.sh" if $kind eq 'acme.sh';
    return "$kind $self->{path}";
}

# Text for configure(global => ..); $options: "timeout=2".
sub directive ($self, $options = '')
{
    my $words = join ' ', $self->words, grep { length } $options;
    return { nginx => "acme_challenge_cmd $words;\nacme_challenge dns-01;",
        httpd => "ACMEChallengeCmd $words\nACMECAChallenges dns-01" };
}

# [{ args => [], env => {}, uid =>, umask =>, cwd =>, fds => [], dir => []}],
# those that failed on purpose too.
sub calls ($self)
{
    my @calls = map { decode_json($_) } split /\n/,
        slurp($self->{log}) // '';

    $directory{ $_->{env}{ACME_HOOK_DIR} } = 1 for @calls;
    return @calls;
}

sub forget ($self) { truncate $self->{log}, 0; return }

# 'add' or 'remove', and of what: [operation, name, value].
sub changes ($self)
{
    return map { $_->{change} ? $_->{change} : () } $self->calls;
}

sub script ($self)
{
    my $dns = $self->{test}->dns;
    my $management = $dns->{management} // 0;
    my $body = $self->{body} // '';
    my $knot = !$dns->isa('Acme::Knot') ? ''
        : join ' ', Acme::Knot::tool('knsupdate'), '-k', "$self->{dir}/key";
    my $server = $knot ? $dns->ip . ' ' . $dns->port : '';
    my ($zone) = keys %{ $dns->{zones} // {} };
    $zone //= '';

    return <<~"END" . slurp(__FILE__) =~ s/.*^__END__\n//smr;
        #!/usr/bin/perl
        use strict;
        use warnings;
        use HTTP::Tiny;
        use JSON::PP;
        my (\$operation, \$name, \$value, \$dir, \%call);
        sub note;
        my (\$log, \$management, \$kind, \$knot, \$server, \$zone)
            = ('$self->{log}', $management, '$self->{kind}', '$knot', '$server',
            '$zone');
        sub early { $body }
        END
}

# What the adapter needs of an acme.sh, and one script of its dnsapi.
sub acme_home ($self)
{
    my $home = "$self->{dir}/acme.sh";

    for my $dir ($home, "$home/dnsapi") {
        mkdir $dir or die "mkdir $dir: $!\n";
        chmod 0755, $dir;
    }
    spew("$home/account.conf", "SAVED_TEST_TOKEN='of the account'\n", 0600);
    spew("$home/acme.sh", <<~'END');
        _info() { printf '%s\n' "$1"; }
        _err() { printf '%s\n' "$1" >&2; return 1; }
        _initpath() { . "$LE_WORKING_DIR/account.conf"; }
        main() {
            [ -z "$1" ] && echo "usage" && return
            _err "called with $*"
            exit 1
        }
        main "$@"
        END
    spew("$home/dnsapi/dns_test.sh", <<~"END");
        dns_test_add() {
            [ "\$SAVED_TEST_TOKEN" = 'of the account' ] || return 1
            _info "adding"
            TEST_KEY=\$TEST_KEY "$self->{path}" add "\$1" "\$2"
        }
        dns_test_rm() { "$self->{path}" remove "\$1" "\$2"; }
        END
    return;
}

1;

__END__
($operation, $name, $value) = $kind eq 'certbot'
    ? (exists $ENV{CERTBOT_AUTH_OUTPUT} ? 'remove' : 'add',
        "_acme-challenge.$ENV{CERTBOT_DOMAIN}", $ENV{CERTBOT_VALIDATION})
    : $kind eq 'mod_md' ? ($ARGV[0] eq 'setup' ? 'add' : 'remove',
        "_acme-challenge.$ARGV[1]", $ARGV[2])
    : $kind eq 'uacme' ? ($ARGV[0] eq 'begin' ? 'add' : 'remove',
        $ARGV[1] eq 'dns-01' ? "_acme-challenge.$ARGV[2]"
            : $ENV{ACME_RECORD_NAME}, $ARGV[4])
    : @ARGV;
$dir = $ENV{ACME_HOOK_DIR};
%call = (args => [@ARGV], env => {%ENV}, uid => $>, umask => umask,
    cwd => readlink '/proc/self/cwd', pid => $$, at => time,
    session => (split ' ', `cat /proc/$$/stat`)[5], dir => [glob "$dir/*"],
    fds => [map { my $to = readlink $_; defined $to ? $to : () }
        glob '/proc/self/fd/*']);

sub note
{
    open my $fh, '>>', $log or die "$log: $!\n";
    syswrite $fh, JSON::PP->new->canonical->encode({ %call, @_ }) . "\n";
}

sub tell_challtestsrv
{
    my %body = (host => "$name.", $operation eq 'add' ? (value => $value) : ());
    my $answer = HTTP::Tiny->new->post(
        "http://127.0.0.1:$management/"
            . ($operation eq 'add' ? 'set-txt' : 'clear-txt'),
        { content => encode_json(\%body) });
    die "challtestsrv: $answer->{status}\n" if !$answer->{success};
}

sub tell_knot
{
    open my $fh, '|-', $knot or die "$knot: $!\n";
    print {$fh} "server $server\nzone $zone.\n",
        $operation eq 'add' ? "add $name. 1 TXT $value\n"
            : defined $value ? "del $name. TXT $value\n" : "del $name. TXT\n",
        "send\n";
    close $fh or die "$knot: $? $!\n";
}

early();
$knot ? tell_knot() : tell_challtestsrv();
note(change => [$operation, $name, $value]);
if ($operation eq 'add') {
    open my $fh, '>', "$dir/id" or die "$dir/id: $!\n";
    print {$fh} $value;
}
print "\n id=$value \$(touch $dir/x) \"'; \n" if $operation eq 'add';
