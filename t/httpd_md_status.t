#!/usr/bin/perl
# The handler under mod_md's name, as a configuration written for that has it,
# and what narrower and wider places say of it.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(spew);
use Acme::Test;
use JSON::PP;

my $t = Acme::Test->new(ca => 'own');
$t->configure(global => <<'END');
<Location "/md-status">
  SetHandler md-status
</Location>
<Location "/md-status/off">
  ACMEStatus off
</Location>
<Directory "%%WWW%%">
  AllowOverride All
</Directory>
END
$t->site(['a.test', 'www.a.test'])
    ->site('named.test', acme => undef, extra => 'ACMEStatus on named.test')
    ->site('plain.test', acme => undef, default => 1)->start;
$t->wait_certificate('a.test') or $t->give_up;

sub get ($path, %o) { return $t->http_get("/md-status$path", %o) }

ok $t->wait_for(sub {
    my $told = eval { decode_json(get('')->{body}) } or return;
    return $told->{schema} == 1 && $told->{lineages}[0]{state} eq 'ok';
}, 20), 'the document' or $t->give_up(get('')->{raw});
is decode_json(get("/$_")->{body})->{name}, 'a.test', "/$_"
    for qw(a.test www.a.test);
is get('/none.test')->{status}, 404, 'none';
is get('/a.test', host => 'a.test')->{status}, 403, 'by another Host';
is get('/off')->{status}, 403, 'off in one place';
is get('', host => 'named.test')->{status}, 200,
    'by a name that its virtual host gives';
is get('', method => 'POST', body => 'x' x 10_000)->{status}, 405, 'POST';

# a tenant that may set handlers cannot widen what others may see
spew($t->www . '/.htaccess', "SetHandler acme-status\n");
is $t->http_get('/index.html')->{status}, 200, 'a handler in a .htaccess';
is $t->http_get('/index.html', host => 'a.test')->{status}, 403,
    'tells nobody but this host';
is $t->http_get('/index.html', headers => { Via => '1.1 x' })->{status}, 403,
    'nor proxies';
$t->done;
