package Acme::SecPlant;

# Puts what does not belong there in the place of a file, and tells later
# whether anybody has written through it.

use v5.36;
use Acme::Proc qw(spew);
use Exporter 'import';
use File::Path qw(remove_tree);
use POSIX qw(mkfifo);

our @EXPORT_OK = qw(kinds plant target_of picture);

my %PLANT = (
    'symbolic link' => sub ($path, $target) { symlink $target, $path },
    'dangling link' => sub ($path, $target) { symlink "$target.new", $path },
    'FIFO' => sub ($path, $target) { mkfifo($path, 0600) },
    'device' => sub ($path, $target) {
        system('mknod', '-m', '600', $path, 'c', 1, 5) == 0 },
    'hard link' => sub ($path, $target) { link $target, $path },
    'directory' => sub ($path, $target) { mkdir $path, 0700 },
    'huge file' => sub ($path, $target) {
        spew($path, '{', 0600) && truncate $path, 1 << 40 },
    'file of another user' => sub ($path, $target) {
        spew($path, '{}', 0644) && chown 65_534, 65_534, $path },
);

sub kinds () { return sort keys %PLANT }

# A directory that must stay as it is, with a file in it.
sub target_of ($dir)
{
    mkdir "$dir/target", 0755 or die "$dir/target: $!\n";
    spew("$dir/target/file", "of root\n", 0640);
    return "$dir/target/file";
}

# Parents must exist; what is there goes.
sub plant ($kind, $path, $target)
{
    remove_tree($path) if -l $path || -e $path;
    $PLANT{$kind}->($path, $target) or die "cannot plant $path: $!\n";
    return;
}

# Everything about the target but its number of links and what that moves.
sub picture ($target)
{
    my ($dir) = $target =~ m{^(.*)/};
    my @seen = glob "$dir/*";
    for my $path ($dir, $target) {
        my @s = lstat $path;
        push @seen, join ' ', $path, @s[2, 4, 5, 7, 9];
    }
    open my $fh, '<', $target or die "$target: $!\n";
    return join "\n", @seen, <$fh>;
}

1;
