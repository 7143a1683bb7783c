package Acme::Tool;

# Finds the programs the tests are run against: ours in the build directory,
# the test CA's wherever it was installed.  Starts none of them.

use v5.36;
use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);

our @EXPORT_OK = qw(find_tool top_dir built);

# The checkout this file belongs to.
sub top_dir ()
{
    state $top = abs_path(dirname(__FILE__) . '/../../..');
    return $top;
}

# The newest place first: what somebody asked for, what make deps built,
# what is installed.
sub find_tool ($name)
{
    my @places = (
        $ENV{ACME_TEST_BIN} // (), top_dir() . '/build/.deps/bin',
        split(/:/, $ENV{PATH} // ''), '/usr/local/bin', '/usr/bin',
    );
    for my $dir (grep { length } @places) {
        return "$dir/$name" if -x "$dir/$name" && !-d _;
    }
    return;
}

# A file we built, unless $env names another one.
sub built ($env, $name)
{
    return length($ENV{$env} // '')
        ? $ENV{$env} : top_dir() . "/build/out/$name";
}

1;
