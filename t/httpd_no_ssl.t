#!/usr/bin/perl
# Without mod_ssl: challenges are answered for others, and nothing else of
# ours is missed; a graceful restart is as good as ever.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Test;

use constant PATH => '/.well-known/acme-challenge/token';

my $thumbprint = 'x' x 43;

for my $mpm (qw(event worker prefork)) {
    my $t = Acme::Test->new(host => 'httpd', no_ssl => 1, mpm => $mpm);
    $t->configure(thumbprint => $thumbprint);
    $t->site('a.test', acme => undef)->start;
    for my $when ('start', 'graceful') {
        is $t->http_get(PATH, host => 'a.test')->{body}, "token.$thumbprint",
            "$mpm, $when: answered";
        is $t->http_get('/', host => 'a.test')->{body}, "ordinary content\n",
            '  and the rest is served';
        $t->reload if $when eq 'start';
    }
    $t->stop;
    $t->teardown;
    is_deeply $t->{problems}, [], '  clean teardown';
}
done_testing;
