package Acme::Watch;

# What must be true whenever a test ends: no alarming log line nobody asked
# for, no sanitizer report, no process left, no private key that others can
# read.  Each check returns complaints as text; none of them changes a thing.

use v5.36;
use Acme::Proc qw(related reap slurp wait_until);
use Exporter 'import';
use Fcntl qw(S_ISREG O_RDONLY O_NOFOLLOW O_NONBLOCK);
use File::Find qw(find);

our @EXPORT_OK = qw(alarming_lines sanitizer_reports exposed_keys
    left_processes);

my $SANITIZER = qr{
    ERROR:\ (?:Address|Leak|HWAddress|Memory)Sanitizer
    | WARNING:\ ThreadSanitizer | SUMMARY:\ \w+Sanitizer
    | \w+Sanitizer:\ (?:CHECK|nested\ bug)
    | :\d+:\d+:\ runtime\ error:
}x;

# Lines of $text that match $bad and none of @expected.
sub alarming_lines ($text, $bad, @expected)
{
    my @found;
    LINE: for my $line (grep { /$bad/ } split /\n/, $text) {
        $line =~ /$_/ and next LINE for @expected;
        push @found, "log: $line";
    }
    return @found;
}

sub sanitizer_reports (@files)
{
    my @found;
    for my $file (@files) {
        my $text = slurp($file) // next;
        push @found, "sanitizer: $file: $1"
            if $text =~ /^(.*$SANITIZER.*(?:\n[^\n\0]+){0,40})/m;
    }
    return @found;
}

# Files below $dir that hold a private key and have a mode beyond 0600; 0640
# will do for a group that may read them.
sub exposed_keys ($dir, $group = undef)
{
    my @found;

    return if !-d $dir;
    find({ no_chdir => 1, wanted => sub {
        my @stat = lstat $_ or return;
        my $may = defined $group && $stat[5] == getgrnam $group ? 0640 : 0600;
        return if !S_ISREG($stat[2]) || !($stat[2] & 077 & ~$may);
        push @found, sprintf 'private key readable by others: %s (%04o)',
            $_, $stat[2] & 07777 if holds_key($_);
    } }, $dir);
    return @found;
}

sub holds_key ($path)
{
    sysopen my $fh, $path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK or return 0;
    sysread $fh, my $text, 65_536;
    return ($text // '') =~ /PRIVATE KEY-----/;
}

# Processes of this test that are still there after $seconds, except @not.
sub left_processes ($dir, $seconds, @not)
{
    my @left;
    wait_until($seconds, sub {
        reap(@not);
        @left = related($dir, @not);
        return !@left;
    });
    return @left;
}

1;
