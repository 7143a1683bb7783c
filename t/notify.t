#!/usr/bin/perl
# What needs a person reaches one: the examples for mail and for a webhook are
# told that a certificate expires, was revoked, or cannot be renewed, why, and
# when that is tried again; a CA's words do nothing there.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::CA::Loop;
use Acme::Port;
use Acme::Proc qw(run slurp spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => { type => 'own', validity => 10_200,
    backdate => 10_000, ari => {}, crl => {} });
$t->expect_log($t->of(nginx => qr/\[crit\].*not renewed/,
    httpd => qr/:crit\].*not renewed/));
my $dir = $t->dir . '/told';
mkdir $dir;
my %file = map { $_ => spew("$dir/$_", '') } qw(mails posts);

# Programs as they are to be put where only root writes.
my %example = map { $_ => spew("$dir/$_", slurp("examples/$_"), 0755) }
    qw(acme-notify-mail acme-notify-webhook);
my $sendmail = spew("$dir/sendmail", <<~"END", 0755);
    #!/bin/sh
    [ "\$*" = "-i -t" ] || exit 64
    { cat; echo; echo =====; } >> $file{mails}
    END

# A web server that takes what is posted; /broken is an error of its.
my $port = Acme::Port->reserve;
my $loop = Acme::CA::Loop->new(on_request => sub ($request) {
    open my $out, '>>', $file{posts} or die "$file{posts}: $!\n";
    print {$out} encode_json({ path => $request->{path},
        body => $request->{body} }), "\n";
    close $out;
    return { status => $request->{path} =~ /broken/ ? 500 : 204, body => '',
        headers => [] };
});
$loop->listen(http => $port);
$t->spawn(code => sub { $loop->run });
my $url = "http://127.0.0.1:$port";
my $secret = spew("$dir/url", "$url/secret?a=b&c=%20\n", 0600);

sub mails ()
{
    return map { { /^([\w ]+): +(.*)$/mg } }
        slurp($file{mails}) =~ /(.*?)^=====\n/msg;
}

sub posts ($path)
{
    return map { decode_json($_->{body}) } grep { $_->{path} eq $path }
        map { decode_json($_) } split /\n/, slurp($file{posts});
}

# --- by themselves ---------------------------------------------------------

my $line = encode_json({ at => '2026-01-02T03:04:05Z', event => 'errored',
    lineage => 'a.test', next_attempt => '2026-01-02T04:00:00Z',
    text => qq(a "b" c:\\d \$(touch $dir/bad) `touch $dir/bad` ; "text":"x")
        . qq(,"next_attempt":"never") });

sub notify ($program, @args)
{
    return run(cmd => ['sh', '-c', 'f=$1; shift; exec "$@" < "$f"', 'sh',
        spew("$dir/stdin", "$line\n"), $example{$program}, @args]);
}

my @mail = ('--sendmail', $sendmail, 'admin@a.test');
for my $case (
    [0, [@mail, 'errored', 'a.test'], qr/^$/],
    [0, [@mail, 'renewing', 'a.test'], qr/^$/],
    [0, [@mail, 'challenge-setup:http-01:a.test', 'a.test'], qr/^$/],
    [0, ['--events', 'all', '--sendmail', '/bin/false', 'a@a.test', 'renewing',
        'a.test'], qr/^$/],
    [0, [@mail, 'renewed', 'a.test'], qr/^$/],
    [0, ['--events', 'installed,renewed', @mail, 'renewed', 'a.test'], qr/^$/],
    [1, [@mail], qr/usage:/], [1, ['--frob', @mail, 'x', 'y'], qr/"--frob"/],
    [1, ['--sendmail', $sendmail, "a\@b\nBcc: x", 'errored', 'a.test'],
        qr/is no address/],
    [1, ['--sendmail', '/bin/false', 'a@a.test', 'errored', 'a.test'],
        qr/has not taken/],
) {
    my ($exit, $args, $said) = @$case;
    my $ran = notify('acme-notify-mail', @$args);
    ok $ran->{exit} == $exit && $ran->{stderr} =~ $said, "mail: @$args"
        or diag "$ran->{exit}: $ran->{stderr}";
}
is scalar(my @both = mails()), 2, 'two of them were mails';
is $both[0]{'What happened'}, decode_json($line)->{text}, 'in plain words';
is $both[0]{'Next attempt'}, '2026-01-02T04:00:00Z', '  and when it goes on';
is "$both[0]{To} $both[0]{Subject}", 'admin@a.test certificate a.test: errored',
    '  to whom, about what';

for my $case (
    [0, ["$url/plain", 'errored', 'a.test'], qr/^$/],
    [0, ['--chat', $secret, 'errored', 'a.test'], qr/^$/],
    [0, ["$url/plain", 'renewing', 'a.test'], qr/^$/],
    [1, ["$url/broken", 'errored', 'a.test'], qr/500.*not taken/s],
    [1, ['http://127.0.0.1:1/', 'errored', 'a.test'], qr/not taken/],
    [1, ['file:///etc/passwd', 'errored', 'a.test'], qr/must begin/],
    [1, [qq($url/"\noutput = "$dir/bad), 'errored', 'a.test'], qr/no URL/],
    [1, ['/none', 'errored', 'a.test'], qr/cannot read the file/],
) {
    my ($exit, $args, $said) = @$case;
    my $ran = notify('acme-notify-webhook', @$args);
    ok $ran->{exit} == $exit && $ran->{stderr} =~ $said, "webhook: @$args"
        or diag "$ran->{exit}: $ran->{stderr}";
}
is_deeply [posts('/plain')], [decode_json($line)], 'the event as it is';
is_deeply [posts('/secret?a=b&c=%20')], [{ text => 'certificate a.test: '
    . 'errored: ' . decode_json($line)->{text}
    . ' (next attempt at 2026-01-02T04:00:00Z)' }], 'or for people';
ok !-e "$dir/bad", 'nothing in it was run';
spew($_, '') for values %file;

# --- of a server -----------------------------------------------------------

$t->site('a.test', event_cmd =>
    "$example{'acme-notify-mail'} --sendmail $sendmail admin\@a.test");
$t->site('b.test', event_cmd => "$example{'acme-notify-webhook'} $url/hook");
$t->start;
$t->wait_certificate($_) or $t->give_up for qw(a.test b.test);

sub comes ($name, $event)
{
    my ($mail, $post);
    $t->wait_for(sub {
        ($mail) = grep { $_->{Subject} eq "certificate a.test: $event" }
            mails();
        ($post) = grep { $_->{event} eq $event } posts('/hook');
        return $name eq 'a.test' ? $mail : $post;
    }, 15, "$event of $name");
    return $name eq 'a.test' ? $mail // {} : $post // {};
}

like comes('a.test', 'expiring')->{'What happened'},
    qr/^certificate expires at /, 'a mail: it expires';
is comes('b.test', 'expiring')->{lineage}, 'b.test', 'a post: so does the other';

$t->ca->fault(where => 'newOrder', do => 'error', status => 403,
    type => 'rejectedIdentifier', times => 'always',
    detail => qq(no: "\$(touch $dir/bad)"; touch $dir/bad\n.\nBcc: x\@y));
is +($t->acmectl('renew', '--force'))[0], 1, 'the CA says no';
my $mail = comes('a.test', 'errored');
like $mail->{'What happened'}, qr/rejectedIdentifier.*\$\(touch .*\\x0a\.\\x0a/,
    'a mail: it has failed, and why';
like $mail->{'Next attempt'}, qr/^\d{4}-.*Z$/, '  when it is tried again';
my $post = comes('b.test', 'errored');
like $post->{text}, qr/\$\(touch .*\\x0a\.\\x0a/, 'a post: so has the other';
like $post->{next_attempt}, qr/^\d{4}-.*Z$/, '  and when';

$t->ca->set(crl => { revoked => [$t->serial('b.test')] });
$t->look_again('b.test');
like comes('b.test', 'revoked')->{text}, qr/by its list \(CRL\)/,
    'a post: it was revoked, says the CA';
ok !-e "$dir/bad", 'nothing in it was run';
my %told = map { $_->{event} => 1 } posts('/hook');
is_deeply \%told, { errored => 1, expiring => 1, revoked => 1 },
    'what needs nobody is not told';

$t->done;
