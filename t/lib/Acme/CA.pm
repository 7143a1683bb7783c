package Acme::CA;

# The test's side of our own ACME CA: starts it as a child process, tells it
# how to misbehave, reads what it saw.  Protocol: Acme::CA::Server; faults:
# Acme::CA::Faults.

use v5.36;
use Acme::CA::Faults;
use Acme::CA::Loop;
use Acme::CA::Server;
use Acme::CA::X509 qw(issue new_key new_root server_pair);
use Acme::Http qw(request);
use Acme::Port;
use Acme::Proc qw(slurp spawn spew stop_pid wait_until);
use Acme::Tls qw(parse_certificate);
use JSON::PP;

my $JSON = JSON::PP->new->utf8->canonical->allow_nonref;

# new(dir =>, http_port => and tls_port => where http-01 and tls-alpn-01 are
#     looked for, and optionally
#     validity     seconds a certificate lives (90 days)
#     backdate     seconds its notBefore lies back (0)
#     latency      seconds before each answer
#     authz_reuse  1: valid authorizations are used again (0)
#     retry_after  seconds told while something is not done
#     issue_delay  seconds an order is `processing` after finalize
#     challenges   types offered (http-01, dns-01, tls-alpn-01; dns-01 cannot
#                  be proved)
#     persist      {}: of dns-persist-01's challenges, with optional domains
#                  (['own.test']) and account (URL; '' for none; else the
#                  account's own); it cannot be proved
#     blocklist    names whose orders are rejected
#     alternates   1: a second chain, to another root
#     profiles     { NAME => { description =>, validity => seconds } }
#     must_staple  'copy' (default): as the CSR has it; 'always'; 'never'
#     ari          {}: renewal information (RFC 9773), with optional
#                  retry_after, explanation (URL), start and end (seconds
#                  since 1970; else within the certificate's life), only
#                  (serial: of that certificate only)
#     crl          {}: certificates name a revocation list, over http, with
#                  optional revoked ([serials]), seconds (until the next
#                  one), by_root (1: of another issuer), status, body
#     ocsp         {}: certificates name a responder, over http, with
#                  optional revoked ({ serial => reason }), minutes (until
#                  the next answer), delegate (1: signed by a responder's
#                  certificate), by_root (1: by another issuer), unknown (1:
#                  it knows no certificate), status, body, headers; hang (1:
#                  it never answers)
#     no_terms     1: no terms of service
#     caa          ['ca.test']: what it is called in CAA records
#     eab          { KID => KEY in base64url }: new accounts need a binding
#     path         '/directory': of its directory ('/dir')
#     refusals_ok  1: a request refused as malformed is no complaint
#     name         file names begin with it): not started.
sub new ($class, %o)
{
    my $self = bless { name => 'ca', %o }, $class;
    my $pair = server_pair($self->{name});
    my $base = "$o{dir}/$self->{name}";

    $self->{port}{$_} = Acme::Port->reserve
        for qw(acme decoy decoy_http control);
    $self->{log} = "$base.log";
    $self->{request_log} = "$base.requests.jsonl";
    $self->{file} = { map { $_ => "$base.$_.pem" } qw(root cert key) };
    spew($self->{file}{root}, $pair->{root});
    spew($self->{file}{cert}, $pair->{cert});
    spew($self->{file}{key}, $pair->{key}, 0600);
    $self->{issuing} = new_hierarchy($self->{name});
    return $self;
}

# Two roots; the intermediate is certified by both.
sub new_hierarchy ($name)
{
    my $root = new_root("$name root");
    my $other = new_root("$name other root");
    my $key = new_key();
    my %both = map {
        my ($role, $signer) = @$_;
        $role => { key => $key, subject => "$name intermediate",
            pem => issue(issuer => $signer, ca => 1, key => $key,
                subject => "$name intermediate", from => -3600,
                seconds => 10 * 365 * 86_400) };
    } [intermediate => $root], [alternate => $other];
    return { root => $root, other_root => $other, %both };
}

sub type ($self) { return 'own' }
sub port ($self) { return $self->{port}{acme} }
sub base ($self) { return "https://127.0.0.1:$self->{port}{acme}" }
sub url ($self) { return $self->base . ($self->{path} // '/dir') }
sub decoy_url ($self) { return "https://127.0.0.1:$self->{port}{decoy}" }
sub decoy_http_url ($self)
{
    return "http://127.0.0.1:$self->{port}{decoy_http}";
}

# What a client needs to trust our listener (not the certificates).
sub ca_file ($self) { return $self->{file}{root} }
sub pids ($self) { return $self->{pid} // () }
sub log ($self) { return slurp($self->{log}) // '' }

# The root that certificates lead to; 1 for the alternate one.
sub root_pem ($self, $n = 0)
{
    return $self->{issuing}{ $n ? 'other_root' : 'root' }{pem};
}

sub root_file ($self, $n = 0)
{
    return spew("$self->{dir}/$self->{name}.issuing-root$n.pem",
        $self->root_pem($n));
}

# --- the process -----------------------------------------------------------

sub start ($self)
{
    $self->{pid} = spawn(log => $self->{log}, code => sub { $self->serve });
    wait_until(10, sub { eval { $self->call('ping') } })
        or die 'the test CA does not answer: ' . $self->log . "\n";
    return $self;
}

sub serve ($self)
{
    my $loop = Acme::CA::Loop->new;
    my $server = Acme::CA::Server->new(
        %$self, loop => $loop, base => $self->base,
        decoy => $self->decoy_url, decoy_http => $self->decoy_http_url,
        log => $self->{request_log},
    );
    my $tls = { cert_file => $self->{file}{cert},
        key_file => $self->{file}{key} };

    $0 = "test CA $self->{name}";
    srand;
    $loop->{on_request} = sub ($request) {
        return $request->{listener} eq 'control'
            ? $self->obey($server, $loop, $tls, $request)
            : $server->handle($request);
    };
    $loop->listen(acme => $self->{port}{acme}, $tls);
    $loop->listen(decoy => $self->{port}{decoy}, $tls);
    $loop->listen(decoy_http => $self->{port}{decoy_http});
    $loop->listen(control => $self->{port}{control});
    $loop->run;
    return;
}

# Accounts and orders are forgotten.  For a CA that only cannot be reached:
# unreachable, frozen.
sub stop ($self)
{
    my $pid = delete $self->{pid} or return 1;
    kill 'CONT', $pid;
    return stop_pid($pid);
}

# New connections are refused, or accepted again; nothing is forgotten.
sub unreachable ($self) { return $self->call('unlisten') }
sub reachable ($self) { return $self->call('listen') }

# Connections are accepted by the kernel, and then nothing.
sub freeze ($self) { return kill 'STOP', $self->{pid} }
sub thaw ($self) { return kill 'CONT', $self->{pid} }

# --- control ---------------------------------------------------------------

# fault(where => 'newOrder', do => 'error', times => 1, ...): see the table
# in Acme::CA::Faults.  where: directory newNonce newAccount account newOrder
# order authz challenge finalize certificate, issue, validate, '*', or a list.
sub fault ($self, %rule)
{
    die "no fault is called $rule{do}\n"
        if !Acme::CA::Faults::known($rule{do});
    return $self->call(fault => \%rule);
}

sub clear_faults ($self) { return $self->call('clear') }

# How often the rules struck, in the order they were made.
sub struck ($self)
{
    return map { $_->{struck} } @{ $self->call('faults') };
}

# set(validity => 60, ...): the options of new that are about answers.
sub set ($self, %options) { return $self->call(set => \%options) }

# What the CA knows: lists of hashes.
sub orders ($self) { return @{ $self->call('orders') } }
sub accounts ($self) { return @{ $self->call('accounts') } }

# Accounts are forgotten; have another status.
sub forget_accounts ($self) { return $self->call('forget_accounts') }
sub set_accounts ($self, $status)
{
    return $self->call(set_accounts => $status);
}

sub challenges ($self) { return @{ $self->call('challenges') } }

# Leaves issued, parsed, the first one first.
sub certificates ($self)
{
    return map { parse_certificate($_) } @{ $self->call('certificates') };
}

# How often challenges for a name (or all) were answered with {}.
sub challenge_posts ($self, $name = undef)
{
    my $sum = 0;
    $sum += $_->{posts} for grep { !defined $name || $_->{name} eq $name }
        $self->challenges;
    return $sum;
}

sub call ($self, $verb, $argument = undef)
{
    my $answer = request(
        port => $self->{port}{control}, method => 'POST',
        path => "/$verb", body => $JSON->encode($argument), timeout => 5,
    );
    die "the test CA refused $verb: "
        . ($answer->{error} // $answer->{body}) . "\n"
        if $answer->{status} != 200;
    return $JSON->decode($answer->{body});
}

# In the child.
sub obey ($self, $server, $loop, $tls, $request)
{
    my ($verb) = $request->{path} =~ m{^/(\w+)$};
    my $argument = $JSON->decode($request->{body});
    my %do = (
        ping => sub { 1 },
        fault => sub { $server->faults->add(%$argument); 1 },
        clear => sub { $server->faults->clear; 1 },
        faults => sub { $server->faults->rules },
        set => sub { @$server{ keys %$argument } = values %$argument; 1 },
        listen => sub { $loop->listen(acme => $self->port, $tls); 1 },
        unlisten => sub { $loop->unlisten('acme'); 1 },
        orders => sub { [map { order_summary($_) }
            by_id($server->{orders})] },
        accounts => sub { [by_id($server->{accounts})] },
        forget_accounts => sub { $server->{accounts} = {}; 1 },
        set_accounts => sub {
            $_->{status} = $argument for values %{ $server->{accounts} }; 1
        },
        challenges => sub { [map { challenge_summary($_) }
            by_id($server->{challenge})] },
        certificates => sub { [map { $_->{leaf} }
            by_id($server->{certificates})] },
    );
    my $result = eval { $do{$verb}->() };

    return {
        status => defined $result ? 200 : 400, headers => [],
        body => defined $result ? $JSON->encode($result) : "$@",
    };
}

# Ids begin with a counter.
sub by_id ($table)
{
    no warnings 'numeric';
    return map { $table->{$_} }
        sort { $a <=> $b } keys %$table;
}

sub order_summary ($order)
{
    return {
        id => $order->{id}, status => $order->{status},
        account => $order->{account}, error => $order->{error},
        created => $order->{created}, payload => $order->{payload},
        csr_cn => $order->{csr_cn}, beside => $order->{beside},
        names => [map { $_->{value} } @{ $order->{identifiers} }],
        authzs => [map { $_->{id} } @{ $order->{authzs} }],
    };
}

sub challenge_summary ($challenge)
{
    return {
        id => $challenge->{id}, type => $challenge->{type},
        status => $challenge->{status}, posts => $challenge->{posts},
        token => $challenge->{token}, error => $challenge->{error},
        authz => $challenge->{authz}{id},
        name => $challenge->{authz}{identifier}{value},
    };
}

# --- what it saw -----------------------------------------------------------

# Requests so far, oldest first, as hashes {n, time, endpoint, method, path,
# status, problem, refused, faults, account, identifiers, payload, alg, kid,
# headers, connection}; only those of some endpoints if given ('decoy' and
# 'decoy_http' are the places faults point at).
sub requests ($self, @endpoints)
{
    my %wanted = map { $_ => 1 } @endpoints;
    return grep { !@endpoints || $wanted{ $_->{endpoint} } }
        map { $JSON->decode($_) }
        split /\n/, slurp($self->{request_log}) // '';
}

# Reasons to fail a test: bugs of the CA, and requests that no ACME client
# should send (unless refusals_ok).
sub complaints ($self)
{
    my @bugs = grep { /^BUG/ } split /\n/, $self->log;
    my @bad = $self->{refusals_ok} ? () : grep {
        ($_->{refused} // '') =~ /^(?:malformed|bad(?!Nonce))/
    } $self->requests;

    return @bugs, map {
        "refused as $_->{refused}: $_->{method} $_->{path}" } @bad;
}

1;
