#!/usr/bin/perl
# The real Certbot with a webroot beside us, for a name of ours (pending) and
# for one that we do not manage: both get their certificates.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp);
use Acme::Test;

# Nonces are good: other clients give up at the second bad one.
my $t = Acme::Test->new(
    ca => { type => 'pebble', authz_reuse => 0, nonce_reject => 0 });
$t->site('ours.test', stateless => 'pending')
    ->site('theirs.test', acme => undef)->start;
ok $t->wait_certificate('ours.test'), 'a certificate of ours';

# (exit, output)
sub certbot (@args)
{
    my $ran = run(
        cmd => ['certbot', @args, '-n', '--agree-tos',
            '--register-unsafely-without-email', '--server', $t->ca->url,
            map { ("--$_-dir", $t->dir . "/tmp/certbot/$_") }
                qw(config work logs)],
        env => { REQUESTS_CA_BUNDLE => $t->ca->ca_file }, timeout => 60,
    );
    return ($ran->{exit}, $ran->{stdout} . $ran->{stderr});
}

for my $name (qw(ours.test theirs.test)) {
    my ($exit, $out) = certbot('certonly', '--webroot', '-w', $t->www,
        '-d', $name);
    is $exit, 0, "Certbot gets one for $name" or diag $out;
    like slurp($t->dir . "/tmp/certbot/config/live/$name/cert.pem") // '',
        qr/BEGIN CERTIFICATE/, 'which is there';
}
my $old = $t->serial('ours.test');
is +($t->acmectl('renew', '--force'))[0], 0, 'ours is renewed beside it';
ok $t->wait_new_serial('ours.test', $old, 10), 'and served';

$t->done;
