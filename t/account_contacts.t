#!/usr/bin/perl
# Contacts: what a changed configuration says is told to the CA at the reload,
# also that there are none any more; what the CA does not take is said once
# and keeps no certificate from being renewed.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

my $t = Acme::Test->new(ca => 'own');

sub contacts () { return [map { @{ $_->{contact} // [] } } $t->ca->accounts] }

sub reload_with (@contacts)
{
    my $mark = $t->log_mark;
    $t->clear_config->issuer('testca', ca => $t->ca, contact => \@contacts);
    $t->site('a.test');
    ok $t->reload, "reload with @contacts";
    return $mark;
}

$t->issuer('testca', ca => $t->ca, contact => ['one@admin.test']);
$t->site('a.test')->start;
my $first = $t->wait_certificate('a.test') or $t->give_up;
is_deeply contacts(), ['mailto:one@admin.test'], 'as configured';

reload_with('two@admin.test', 'three@admin.test');
ok $t->wait_for(sub { "@{ contacts() }" eq
    'mailto:two@admin.test mailto:three@admin.test' }, 15), 'others';

my $mark = reload_with('nobody');
ok $t->wait_log(qr/does not take the contacts.*invalidContact/, 15,
    since => $mark), 'one that is refused: said';
is_deeply contacts(), ['mailto:two@admin.test', 'mailto:three@admin.test'],
    'those there were stay';
$mark = reload_with('nobody');
my ($exit) = $t->acmectl('renew', '--force', '--cert-name', 'a.test');
is $exit, 0, 'the certificate can be renewed';
unlike $t->log_since($mark), qr/does not take/, 'which is not said again';

reload_with();
ok $t->wait_for(sub { !@{ contacts() } }, 15), 'none: an empty list';
is scalar($t->ca->accounts), 1, 'one account';
isnt $t->serial('a.test'), $first->{serial}, 'the new certificate is served';

$t->done;
