package Acme::CA::Faults;

# The misbehaviour the test CA can be told to show, as one table of named
# hooks.  A rule is {where, do, times, skip, name, ...arguments}: it strikes
# at an endpoint (or '*'), for the next `times` matches (1, or 'always')
# after `skip` of them, only for orders with the identifier `name` if given.
# Knows the shapes it breaks, not how they are made.

use v5.36;
use Acme::CA::X509 qw(issue new_key new_root);
use Acme::CA::Loop;
use JSON::PP;

my $JSON = JSON::PP->new->utf8->canonical->allow_nonref;

# The stages a request passes, and what a hook gets there in %$ctx:
#   request   {request, server}: a returned answer is sent instead
#   object    {object, headers}: JSON about to be rendered
#   reply     {answer}: what the loop will send
#   issue     {names, subject, from, seconds, key, extra => {}}
#   chain     {chain => [PEM, leaf first], server}
#   validate  {result => {status, error}, delay}
my %FAULT = (
    # --- instead of doing what was asked
    error       => [request => \&problem],
    500         => [request => sub { problem(@_, status => 500) }],
    503         => [request => sub { problem(@_, status => 503) }],
    429         => [request => sub { problem(@_, status => 429) }],
    badNonce    => [request => sub { problem(@_, status => 400,
                       type => 'badNonce', detail => 'try another') }],
    reject      => [request => \&reject],
    'no-replaces' => [request => sub { problem(@_, status => 400,
                         type => 'malformed', detail => 'replaces: what?') },
                         sub ($f, $c) { $c->{payload}{replaces} }],
    canary      => [request => sub { problem(@_, status => 403,
                       type => 'rejectedIdentifier',
                       detail => canary()) }],
    redirect    => [request => \&redirect],
    drop        => [request => sub { return { drop => 1 } }],
    hang        => [request => sub { return { hang => 1 } }],

    # --- other content, well-formed
    url         => [object => \&url],
    location    => [object => \&location],
    member      => [object => \&member],
    processing  => [object => \&processing, \&is_valid_order],
    pending     => [object => \&pending, \&is_decided],
    token       => [object => \&token, \&has_challenges],
    'foreign-name'    => [object => \&foreign_name],
    'duplicate-authz' => [object => \&duplicate_authz, \&has_authz],
    'many-authz'      => [object => \&many_authz, \&has_authz],

    # --- the same content, sent wrongly
    'drop-after'       => [reply => sub ($f, $c) { $c->{answer}{drop} = 1 }],
    'drop-half'        => [reply => \&drop_half],
    nested             => [reply => \&nested],
    'duplicate-member' => [reply => \&duplicate_member],
    body               => [reply => \&body],
    'endless-body'     => [reply => \&endless_body],
    'gzip-bomb'        => [reply => \&gzip_bomb],
    slow               => [reply => \&slow],
    'endless-headers'  => [reply => \&endless_headers],
    'bad-nonce-header' => [reply => sub ($f, $c) { set_header($c,
                              'Replay-Nonce', $f->{value} // 'not/base64=') }],
    'no-nonce'         => [reply => sub ($f, $c) { set_header($c,
                              'Replay-Nonce', undef) }],
    date               => [reply => \&date],
    header             => [reply => sub ($f, $c) { set_header($c,
                              $f->{header}, $f->{value}) }],
    status             => [reply => sub ($f, $c) {
                              $c->{answer}{status} = $f->{status} }],
    latency            => [reply => sub ($f, $c) {
                              $c->{answer}{delay} = $f->{seconds} }],

    # --- certificates
    'wrong-key'      => [issue => sub ($f, $c) {
                            $c->{key} = new_key($f->{key} // 'ecdsa:256') }],
    'wrong-names'    => [issue => sub ($f, $c) {
                            $c->{names} = $f->{names} // ['other.test'] }],
    'extra-name'     => [issue => sub ($f, $c) { $c->{names} =
                            [@{ $c->{names} }, $f->{extra}
                                // 'extra.test'] }],
    expired          => [issue => sub ($f, $c) { $c->{from} = -7200;
                            $c->{seconds} = 7200 - ($f->{by} // 3600) }],
    'not-yet-valid'  => [issue => sub ($f, $c) {
                            $c->{from} = $f->{by} // 86_400 }],
    lifetime         => [issue => sub ($f, $c) {
                            $c->{seconds} = $f->{seconds} }],
    'no-server-auth' => [issue => sub ($f, $c) { $c->{extra}{usage} = 0 }],
    'is-ca'          => [issue => sub ($f, $c) { $c->{extra}{ca} = 1 }],
    'chain-order'     => [chain => sub ($f, $c) {
                             $c->{chain} = [reverse @{ $c->{chain} }] }],
    'chain-broken'    => [chain => \&chain_broken],
    'chain-long'      => [chain => \&chain_long],
    'chain-leaf-only' => [chain => sub ($f, $c) {
                             $#{ $c->{chain} } = 0 }],
    'chain-root'      => [chain => sub ($f, $c) { push @{ $c->{chain} },
                             $c->{server}->root_pem }],
    'chain-garbage'   => [chain => sub ($f, $c) {
                             $c->{chain} = ["not a certificate\n"] }],

    # --- validation
    invalid            => [validate => \&invalid],
    'slow-validation'  => [validate => sub ($f, $c) {
                              $c->{delay} = $f->{seconds} }],
);

sub new ($class)
{
    return bless { rules => [] }, $class;
}

sub known ($name) { return exists $FAULT{$name} }
sub names () { return sort keys %FAULT }

sub add ($self, %rule)
{
    die "no fault is called $rule{do}\n" if !known($rule{do});
    push @{ $self->{rules} }, { times => 1, skip => 0, where => '*',
        %rule, struck => 0 };
    return;
}

sub clear ($self)
{
    $self->{rules} = [];
    return;
}

sub rules ($self) { return $self->{rules} }

# Every rule due at this stage and endpoint strikes.  For 'request' the first
# answer wins.  Names of the faults are noted in $ctx->{struck}.
sub apply ($self, $stage, $where, $ctx)
{
    for my $rule (@{ $self->{rules} }) {
        my ($at, $hook, $only_if) = @{ $FAULT{ $rule->{do} } };
        next if $at ne $stage || !due($rule, $where, $ctx);
        next if $only_if && !$only_if->($rule, $ctx);
        next if $rule->{skip} && $rule->{skip}--;

        $rule->{struck}++;
        push @{ $ctx->{struck} }, $rule->{do};
        my $answer = $hook->($rule, $ctx);
        return $answer if $stage eq 'request' && $answer;
    }
    return;
}

sub due ($rule, $where, $ctx)
{
    my @where = ref $rule->{where} ? @{ $rule->{where} } : $rule->{where};

    return if !grep { $_ eq '*' || $_ eq $where } @where;
    return if $rule->{times} ne 'always' && $rule->{struck} >= $rule->{times};
    return 1 if !defined $rule->{name};
    return grep { $_ eq $rule->{name} } @{ $ctx->{identifiers} // [] };
}

# --- request ---------------------------------------------------------------

my %TYPE = (429 => 'rateLimited', 500 => 'serverInternal',
    503 => 'serverInternal');

# status, type, detail, subproblems, retry_after (seconds), as_date => 1,
# retry_after_raw (any text)
sub problem ($f, $ctx, %default)
{
    my %o = (status => 500, %default, %$f);
    my $type = $o{type} // $TYPE{ $o{status} } // 'malformed';
    my $after = $o{retry_after_raw} // $o{retry_after};

    $after = Acme::CA::Loop::http_date(time + $after)
        if $o{as_date} && defined $after;
    $ctx->{headers} = [defined $after ? ['Retry-After', $after] : ()];
    return $ctx->{server}->problem_answer($o{status}, {
        type => $type, detail => $o{detail} // "told to answer $o{status}",
        ($o{subproblems} ? (subproblems => $o{subproblems}) : ()),
    }, $ctx->{headers});
}

sub reject ($f, $ctx)
{
    my @names = @{ $ctx->{identifiers} // [] };
    return problem($f, $ctx,
        status => 403, type => 'rejectedIdentifier',
        detail => 'policy forbids some of these names',
        subproblems => [map { +{
            type => 'urn:ietf:params:acme:error:rejectedIdentifier',
            detail => "policy forbids $_",
            identifier => { type => 'dns', value => $_ },
        } } @names]);
}

sub canary ()
{
    return "canary \e]0;owned\a\e[31m red\n"
        . "2026/01/01 00:00:00 [alert] 1#1: forged line \x{202e}<script>";
}

# to: a URL, a path, 'self', 'decoy', 'decoy-http'; status 302
sub redirect ($f, $ctx)
{
    my $to = target($f->{to} // 'self', $ctx);
    return { status => $f->{status} // 302, body => '',
        headers => [['Location', $to]] };
}

sub target ($to, $ctx)
{
    my $server = $ctx->{server};
    return $server->url($ctx->{request}{path}) if $to eq 'self';
    return $server->decoy_url . "/$1" if $to =~ m{^decoy/?(.*)};
    return $server->decoy_http_url . "/$1" if $to =~ m{^http-decoy/?(.*)};
    return $to;
}

# --- object ----------------------------------------------------------------

# field, to: a URL or as in redirect.  A list has its first entry replaced;
# field 'challenge' is the URL of each challenge.
sub url ($f, $ctx)
{
    my $to = target($f->{to} // 'decoy/elsewhere', $ctx);
    my $object = $ctx->{object};

    if ($f->{field} eq 'challenge') {
        $_->{url} = $to for @{ $object->{challenges} // [] };
    } elsif (ref $object->{ $f->{field} } eq 'ARRAY') {
        $object->{ $f->{field} }[0] = $to;
    } else {
        $object->{ $f->{field} } = $to;
    }
    return;
}

sub location ($f, $ctx)
{
    my @rest = grep { lc $_->[0] ne 'location' } @{ $ctx->{headers} };
    $ctx->{headers} = [@rest,
        ['Location', target($f->{to} // 'decoy/elsewhere', $ctx)]];
    return;
}

# field, value: anything JSON has; no value: the member goes.
sub member ($f, $ctx)
{
    exists $f->{value} ? ($ctx->{object}{ $f->{field} } = $f->{value})
        : delete $ctx->{object}{ $f->{field} };
    return;
}

sub is_valid_order ($f, $ctx)
{
    return ($ctx->{object}{status} // '') eq 'valid'
        && $ctx->{object}{finalize};
}

sub processing ($f, $ctx)
{
    $ctx->{object}{status} = 'processing';
    delete $ctx->{object}{certificate};
    return retry_after($f, $ctx);
}

sub is_decided ($f, $ctx)
{
    return has_challenges($f, $ctx)
        && $ctx->{object}{status} =~ /^(?:valid|invalid)$/;
}

sub pending ($f, $ctx)
{
    $ctx->{object}{status} = 'pending';
    for my $challenge (@{ $ctx->{object}{challenges} }) {
        delete @$challenge{qw(validated error)};
        $challenge->{status} = 'processing'
            if $challenge->{status} ne 'pending';
    }
    return retry_after($f, $ctx);
}

sub retry_after ($f, $ctx)
{
    push @{ $ctx->{headers} }, ['Retry-After', $f->{retry_after}]
        if defined $f->{retry_after};
    return;
}

sub has_challenges ($f, $ctx) { return $ctx->{object}{challenges} }
sub has_authz ($f, $ctx) { return $ctx->{object}{authorizations} }

sub token ($f, $ctx)
{
    $_->{token} = $f->{token} // '../x' for @{ $ctx->{object}{challenges} };
    return;
}

# value: the name an authorization or order claims to be about
sub foreign_name ($f, $ctx)
{
    my $object = $ctx->{object};
    my $foreign = { type => 'dns', value => $f->{value} // 'foreign.test' };

    $object->{identifier} = $foreign if $object->{identifier};
    $object->{identifiers}[0] = $foreign if $object->{identifiers};
    return;
}

sub duplicate_authz ($f, $ctx)
{
    my $list = $ctx->{object}{authorizations};
    push @$list, $list->[0];
    return;
}

sub many_authz ($f, $ctx)
{
    my $list = $ctx->{object}{authorizations};
    my $first = $list->[0];
    push @$list, map { "$first-$_" } 1 .. ($f->{count} // 10_000) - @$list;
    return;
}

# --- reply -----------------------------------------------------------------

sub set_header ($ctx, $name, $value)
{
    my $answer = $ctx->{answer};
    $answer->{headers} = [
        (grep { lc $_->[0] ne lc $name } @{ $answer->{headers} }),
        defined $value ? [$name, $value] : ()];
    return;
}

sub replace_body ($ctx, $body, $type = undef)
{
    $ctx->{answer}{body} = $body;
    set_header($ctx, 'Content-Type', $type) if $type;
    return;
}

# bytes: how many of head and body arrive (default: half of the body)
sub drop_half ($f, $ctx)
{
    my $answer = $ctx->{answer};
    my $body = length($answer->{body} // '');
    my $head = length Acme::CA::Loop::head($answer, {});
    $answer->{cut} = $f->{bytes} // $head + int $body / 2;
    return;
}

sub nested ($f, $ctx)
{
    my $depth = $f->{depth} // 2047;
    return replace_body($ctx, '[' x $depth . ']' x $depth);
}

# member: which one comes twice, first with value (default: "twice")
sub duplicate_member ($f, $ctx)
{
    my $object = $JSON->decode($ctx->{answer}{body});
    my $name = $f->{member} // (sort keys %$object)[0];
    my $first = $JSON->encode($name) . ':'
        . $JSON->encode($f->{value} // 'twice');
    return replace_body($ctx, $ctx->{answer}{body} =~ s/^\{/{$first,/r);
}

# body: any text, type: content type
sub body ($f, $ctx)
{
    return replace_body($ctx, $f->{body} // '', $f->{type});
}

# bytes in all (100 MB); the head promises no length
sub endless_body ($f, $ctx)
{
    my $left = $f->{bytes} // 100 << 20;
    my $piece = ' ' x 65_536;
    my $started;

    $ctx->{answer}{close} = 1;
    $ctx->{answer}{source} = sub {
        return '{"endless":"' if !$started++;
        return if ($left -= length $piece) < 0;
        return $piece;
    };
    return;
}

# bytes after decoding (50 MB); encoding 'transfer' (default) or 'content'
sub gzip_bomb ($f, $ctx)
{
    require Compress::Zlib;
    my $bytes = $f->{bytes} // 50 << 20;
    my $packed = Compress::Zlib::memGzip('{"bomb":"' . ' ' x $bytes . '"}');
    my $content = ($f->{encoding} // 'transfer') eq 'content';

    set_header($ctx, $content ? 'Content-Encoding' : 'Transfer-Encoding',
        'gzip');
    $ctx->{answer}{close} = 1;
    my @pieces = $packed;
    $ctx->{answer}{source} = sub { return shift @pieces };
    return;
}

# bytes per piece (1), seconds between pieces (1); the head comes at once
sub slow ($f, $ctx)
{
    my $body = delete $ctx->{answer}{body} // '';
    set_header($ctx, 'Content-Length', length $body);
    $ctx->{answer}{pace} = $f->{seconds} // 1;
    $ctx->{answer}{source} = sub {
        return if $body eq '';
        return substr $body, 0, $f->{bytes} // 1, '';
    };
    return;
}

sub endless_headers ($f, $ctx)
{
    my $left = $f->{bytes} // 20 << 20;
    my ($count, $started) = (0);

    $ctx->{answer}{raw} = 1;
    $ctx->{answer}{close} = 1;
    $ctx->{answer}{source} = sub {
        return "HTTP/1.1 200 OK\r\n" if !$started++;
        my $piece = join '', map { "X-Endless-$count-$_: "
            . 'x' x 200 . "\r\n" } 1 .. 100;
        $count++;
        return ($left -= length $piece) < 0 ? undef : $piece;
    };
    return;
}

# offset in seconds, or value
sub date ($f, $ctx)
{
    return set_header($ctx, 'Date', $f->{value}
        // Acme::CA::Loop::http_date(time + ($f->{offset} // -31_536_000)));
}

# --- chain -----------------------------------------------------------------

# An intermediate of the right name with another key: the leaf's signature
# does not fit.
sub chain_broken ($f, $ctx)
{
    my $right = $ctx->{server}->intermediate;
    my $root = $ctx->{server}->root;
    $ctx->{chain}[1] = issue(issuer => $root, ca => 1,
        subject => $right->{subject}, key => new_key());
    return;
}

# count certificates in all (11), each signed by the next
sub chain_long ($f, $ctx)
{
    my $count = $f->{count} // 11;
    my $top = new_root('long chain root');
    my $below = $ctx->{server}->intermediate;
    my @above = map { +{ key => new_key(), subject => "long chain $_" } }
        1 .. $count - 2;
    my @signers = (@above, $top);
    my @chain = $ctx->{chain}[0];

    for my $subject ($below, @above) {
        my $signer = shift @signers;
        push @chain, issue(issuer => $signer, ca => 1,
            subject => $subject->{subject}, key => $subject->{key});
    }
    $ctx->{chain} = \@chain;
    return;
}

# --- validate --------------------------------------------------------------

sub invalid ($f, $ctx)
{
    $ctx->{result} = { status => 'invalid', error => {
        type => $f->{type} // 'unauthorized',
        detail => $f->{detail} // 'told to find it invalid',
    } };
    return;
}

1;
