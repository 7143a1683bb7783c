#!/usr/bin/perl
# Alert rules and dashboard of examples/prometheus: Prometheus' own tool takes
# the rules and their tests, and both speak of metrics that there are.

use v5.36;
use lib 't/lib';
use Test::More;
use Acme::Proc qw(run slurp);
use Cwd qw(getcwd);
use JSON::PP;

use constant DIR => getcwd() . '/examples/prometheus';

my $check = run(cmd => [qw(promtool check rules), DIR . '/acme-rules.yml']);
is $check->{exit}, 0, 'promtool check rules' or diag $check->{stderr};
my $test = run(cmd => [qw(promtool test rules), DIR . '/acme-rules-test.yml']);
is $test->{exit}, 0, 'promtool test rules'
    or diag $test->{stdout} . $test->{stderr};

# what there is, by the table of the documentation
my %is;
for my $row (slurp('common/STATUS.md') =~ /^\| (`acme_.*?`) \|/gm) {
    for my $name ($row =~ /`(\w+)`/g) {
        $is{$name} = 1;
        $is{$name . "_$_"} = 1 for qw(bucket sum count);
    }
}
cmp_ok scalar keys %is, '>', 40, 'families';

my $rules = slurp(DIR . '/acme-rules.yml') =~ s/^\s*#.*$//gmr;
my $dashboard = decode_json(slurp(DIR . '/acme-dashboard.json'));
my @exprs = map { $_->{expr} } map { @{ $_->{targets} } }
    @{ $dashboard->{panels} };
cmp_ok scalar @exprs, '>', 12, 'questions of the dashboard';
for my $text (@exprs, $rules) {
    my @none = grep { !$is{$_} } $text =~ /\b(acme_\w+)/g;
    is "@none", '', 'metrics that there are: ' . substr $text, 0, 40;
}
my %used = map { $_ => 1 } map { /\b(acme_\w+)/g } @exprs, $rules;
ok $used{$_}, "$_ is used"
    for qw(acme_engine_up acme_certificate_failures acme_failures_total);

# panels are in nobody's place
my %taken;
for my $panel (@{ $dashboard->{panels} }) {
    my $p = $panel->{gridPos};
    for my $x ($p->{x} .. $p->{x} + $p->{w} - 1) {
        $taken{"$x " . $_}++ for $p->{y} .. $p->{y} + $p->{h} - 1;
        $taken{outside}++ if $x > 23;
    }
}
ok !grep({ $_ > 1 } values %taken) && !$taken{outside}, 'panels';
done_testing;
