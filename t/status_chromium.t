#!/usr/bin/perl
# The status page in a browser: its policy lets its own style and script run
# and nothing else, the filter works while somebody types, and the button.
# With ACME_SCREENSHOTS=DIR there are pictures of it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Chromium;
use Acme::Test;

plan skip_all => 'chromium is not installed' if !Acme::Chromium->is_there;

my $t = Acme::Test->new(ca => 'own');
$t->start_ca;
$t->ca->fault(where => 'newOrder', name => 'bad.test', do => 'error',
    type => 'rejectedIdentifier', status => 403,
    detail => '<img src=x onerror="document.title=1"><script>'
        . 'document.title=1</script>', times => 'always');
$t->site(['a.test', 'www.a.test'])->site('bad.test')->site('c.test')
    ->site('plain.test', acme => undef, default => 1, status => 'admin')
    ->start;
$t->wait_certificate($_) or $t->give_up for qw(a.test c.test);
my $url = 'http://127.0.0.1:' . $t->port('http') . '/acme-status';
$t->wait_for(sub {
    my $page = $t->http_get('/acme-status?format=html')->{body};
    $page =~ /1 of 3 certificates/ && $page =~ />2<\/b> <[^>]*>ok</;
}, 20) or $t->give_up;

my $rows = '[...document.querySelectorAll("tbody th a")]'
    . '.map(a => a.textContent)';
my $background = 'getComputedStyle(document.body).backgroundColor';
my %background;

sub picture ($browser, $name)
{
    my $dir = $ENV{ACME_SCREENSHOTS} // return;
    return $browser->screenshot("$dir/$name-" . $t->host . '.png');
}

for my $dark (0, 1) {
    my $browser = Acme::Chromium->new(dark => $dark);
    for my $size ([1200, 900], [390, 844]) {
        $browser->size(@$size);
        ok $browser->open($url), 'opened' or $t->give_up;
        is $browser->value("$rows.shift()"), 'bad.test', 'the urgent first';
        is $browser->value("$rows.sort().join()"), 'a.test,bad.test,c.test',
            'all of them';
        cmp_ok $browser->value('document.documentElement.scrollWidth'), '<=',
            $size->[0], "no wider than $size->[0]";
        picture($browser, join '-', $dark ? 'dark' : 'light', $size->[0]);
    }
    $background{$dark} = $browser->value($background);
    $browser->stop;
}
isnt $background{0}, $background{1}, 'dark where that is preferred';

my $browser = Acme::Chromium->new;
$browser->size(1200, 900);
ok $browser->open($url), 'opened';
is $browser->value('document.title'), 'Certificates', 'words of a CA are text';
is $browser->value('document.querySelectorAll("script").length'), 1, 'all';

# while somebody types
$browser->value('document.getElementById("q").focus()');
$browser->type('WWW');
ok $browser->wait_value("$rows.join() === 'a.test'", 10), 'filtered';
is $browser->value('location.search'), '?q=WWW', 'with an address';
is $browser->value('document.activeElement.id'), 'q', 'who types goes on';
$browser->type('x');
ok $browser->wait_value("$rows.length === 0", 10), 'none is like that';
like $browser->value('document.querySelector(".found").textContent'),
    qr/None is like that/, 'so it says';

# one of them, and its button
$browser->open("$url?name=a.test");
is $browser->value('document.querySelector("h1").textContent'), 'a.test',
    'one of them';
picture($browser, 'one');
$browser->value('document.querySelector(".renew button").click()');
ok $t->wait_for(sub { ($t->live_version('a.test') // 0) == 2 }, 20),
    'makes another one';
$browser->open("$url?name=a.test");
ok $browser->wait_value('/Asked for here/.test(document.body.textContent)',
    10), 'and has to rest' or diag $browser->value('document.body.innerText');
$browser->stop;
$t->done;
