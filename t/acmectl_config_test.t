#!/usr/bin/perl
# What acmectl knows of the issuers of servers: issue takes their names, and
# config test tells what servers and acmectl want that does not go together.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
$t->issuer('testca', ca => $t->ca);
$t->site('a.test')->site('b.test')->start;
$t->wait_certificate($_) or $t->give_up for qw(a.test b.test);
my $name = $t->issuer_name('testca');
my ($exit, $out, $err);
sub acmectl (@args) { ($exit, $out, $err) = $t->acmectl(@args) }
my ($problems, $warnings);
sub tested (@args)
{
    acmectl('config', 'test', '--json', @args);
    my $json = decode_json($out || '{}');
    ($problems, $warnings) = map { join "\n", @{ $json->{$_} // [] } }
        qw(problems warnings);
}

# an issuer by its name
my @issue = ('issue', '-n', '--preflight', 'off');
acmectl(@issue, '-d', 'new.test', '--server', $name);
is $exit, 0, 'issue --server with the name of a server\'s issuer'
    or diag $out, $err;
my ($kept) = @{ $t->state_json('renewal', 'new.test.json')->{declared} };
is_deeply [@{ $kept->{issuer} }{qw(name directory ca_file)}],
    [$name, $t->ca->url, $t->ca->ca_file], '  it is all of that issuer';
acmectl('account', 'show', '--server', $name);
is $exit, 0, 'account show --server NAME' or diag $err;
acmectl('account', 'create', '--server', $name, '-n', '--no-contact');
is $exit, 0, 'account create --server NAME' or diag $err;
acmectl('renew', '--dry-run', '--server', $name, '--cert-name', 'new.test');
is $exit, 0, 'renew --dry-run --server NAME' or diag $err;
my $files = join ',', $t->state_files;
for my $case ([@issue, '-d', 'other.test'], ['account', 'show'],
    ['revoke', '-n', '--cert-name', 'new.test'],
    ['renew', '--dry-run', '--cert-name', 'new.test'])
{
    acmectl(@$case, '--server', 'nobody');
    ok $exit ne '0' && $err =~
        /--server "nobody" is no URL, none of .*letsencrypt.* those are: .*"\Q$name\E"/,
        "$case->[0] $case->[1]: a name that nobody knows" or diag $out, $err;
}
is join(',', $t->state_files), $files, '  nothing is made of it';

# config test
tested();
is "$exit $problems$warnings", '0 ', 'all in order';
my $ini = spew($t->dir . '/my.ini', "server = $name\n");
tested('-c', $ini);
is "$exit $problems", '0 ', 'an issuer of a server, in a file';
spew($ini, "server = nobody\n");
tested('-c', $ini);
ok $exit == 1 && $problems =~ /--server "nobody" is no URL.*"\Q$name\E"/,
    'one that nobody has' or diag $problems;

acmectl(@issue, '-d', 'a.test', '--duplicate', '--server', $name);
is $exit, 0, 'a certificate for names of a server' or diag $out, $err;
tested();
is "$exit $problems", '0 ', '  is none that is wrong';
like $warnings, qr/"a\.test-0001" of acmectl and "a\.test" of .*same names/,
    '  but there are two';
acmectl('config', 'test');
like $err, qr/^acmectl: warning: .*a\.test-0001/, '  as text';
like $out, qr/all in order/, '  all in order';
acmectl('delete', '--cert-name', 'a.test-0001', '--yes');

my $settings = $t->state('renewal', 'new.test.json');
my $good = slurp($settings);
my $json = decode_json($good);
push @{ $json->{declared} }, { %{ $json->{declared}[0] }, by => 'nginx:/x',
    issuer => { name => 'x', directory => 'https://x.test/dir' } };
spew($settings, encode_json($json));
tested();
ok $exit == 1 && $problems =~ m{new\.test\.json: .*differently.*nginx:/x.*CA},
    'two declarations with different CAs' or diag $problems;
spew($settings, $good);

# what is known without a server that runs, and one that was killed
$t->stop;
spew($ini, "server = $name\n");
tested('-c', $ini);
is "$exit $problems$warnings", '0 ', 'lineages have kept the name';
my $gone = spew($t->state('servers', 'nginx-0.4242-1.json'), encode_json(
    { server => 'nginx', config => '/x/nginx.conf', pid => 4242 }));
tested();
ok $exit eq '0' && $warnings =~ m{\Q$gone\E.*/x/nginx\.conf.*4242 was killed},
    'a server that was killed' or diag $warnings;
$t->start;
tested();
is $warnings, '', '  the next one that starts takes it away';

$t->done;
