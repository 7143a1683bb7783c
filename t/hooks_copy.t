#!/usr/bin/perl
# A deploy hook of the shape that Certbot's users know, unchanged: umask, copies
# of key and certificate for each daemon's domains, chown, chmod, a restart.
# The example that is shipped does the same.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(slurp spew user_ids);
use Acme::Test;

Acme::Test->need_root;
my $t = Acme::Test->new(ca => { type => 'own', authz_reuse => 1 });
my $dir = $t->dir . '/daemons';
my ($uid) = user_ids('nobody');

mkdir $dir;
my $restart = spew("$dir/restart", "#!/bin/sh\necho \$* >> $dir/restarted\n",
    0755);
my $hook = spew($t->dir . '/copy', <<~"END", 0755);
    #!/bin/sh
    set -e
    for domain in \$RENEWED_DOMAINS; do
        case \$domain in
        www.a.test)
            daemon_root=$dir
            # nobody reads the key in between
            umask 077
            cp "\$RENEWED_LINEAGE/fullchain.pem" "\$daemon_root/\$domain.cert"
            cp "\$RENEWED_LINEAGE/privkey.pem" "\$daemon_root/\$domain.key"
            chown nobody "\$daemon_root/\$domain.cert" "\$daemon_root/\$domain.key"
            chmod 400 "\$daemon_root/\$domain.cert" "\$daemon_root/\$domain.key"
            $restart one restart >/dev/null
            ;;
        esac
    done
    END

# ours with the test's directories and service manager
my $example = slurp('examples/acme-deploy-copy') // '';
ok $example =~ s/mail\.example\.com/a.test/
    && $example =~ s/owner=postfix/owner=nobody/
    && $example =~ s{/etc/postfix/tls}{$dir}
    && $example =~ s/systemctl/$restart/, 'the example';
my $ours = spew($t->dir . '/example', $example, 0755);

$t->configure(hook => ["deploy $hook", "deploy $ours"]);
$t->site(['a.test', 'www.a.test'])->start;
$t->wait_certificate('a.test') or $t->give_up;
ok $t->wait_for(sub { (() = (slurp("$dir/restarted") // '') =~ /\n/g) == 2 },
    10), 'both daemons are restarted';
is_deeply [split /\n/, slurp("$dir/restarted")],
    ['one restart', 'restart postfix'], 'in order';
for my $name ('a.test', 'www.a.test') {
    for my $what ('cert', 'key') {
        my @st = stat "$dir/$name.$what";

        is sprintf('%o %d', $st[2] & 07777, $st[4]), "400 $uid",
            "$name.$what is the daemon's alone";
    }
    is slurp("$dir/$name.cert"), $t->state_text('live/a.test/fullchain.pem'),
        'the certificate';
    is slurp("$dir/$name.key"), $t->state_text('live/a.test/privkey.pem'),
        'the key';
}
unlike $t->log, qr/hook failed/, 'nothing has failed';

$t->done;
