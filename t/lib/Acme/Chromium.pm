package Acme::Chromium;

# A headless Chromium that is told what to do over a pair of pipes (its DevTools
# protocol: JSON with a NUL behind it, read from descriptor 3 and written to 4).

use v5.36;
use Acme::Proc qw(reap wait_until);
use File::Temp qw(tempdir);
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use POSIX ();

use constant PATH => '/usr/bin/chromium';

=head1 METHODS

is_there: whether there is one
new(dark => 1): a started one, with one empty page
open(URL): goes there and waits until it is loaded
value(SCRIPT): what it comes to in the page, of JSON's types
wait_value(SCRIPT, SECONDS): its first true value, through changes of the page
size(WIDTH, HEIGHT): of the window
type(TEXT): into what has the focus
screenshot(FILE)
stop

=cut

sub is_there ($class) { return -x PATH }

sub new ($class, %o)
{
    pipe my $in, my $write or die "pipe: $!\n";
    pipe my $read, my $out or die "pipe: $!\n";
    my $dir = tempdir(CLEANUP => 1);
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        setpgrp;
        POSIX::dup2(fileno $in, 13);
        POSIX::dup2(fileno $out, 14);
        POSIX::dup2(13, 3);
        POSIX::dup2(14, 4);
        open STDOUT, '>', "$dir/log";
        open STDERR, '>&', \*STDOUT;
        exec PATH, '--headless', '--no-sandbox', '--disable-gpu',
            '--hide-scrollbars', '--remote-debugging-pipe',
            "--user-data-dir=$dir", 'about:blank' or POSIX::_exit(1);
    }
    my $self = bless { pid => $pid, read => $read, write => $write,
        dir => $dir, id => 0, got => '' }, $class;
    close $in;
    close $out;
    $write->autoflush;
    my $target = $self->ask('Target.createTarget', url => 'about:blank');
    $self->{session} = $self->ask('Target.attachToTarget',
        targetId => $target->{targetId}, flatten => JSON::PP::true)
        ->{sessionId};
    $self->ask('Emulation.setEmulatedMedia', features => [
        { name => 'prefers-color-scheme', value => $o{dark} ? 'dark'
            : 'light' }]);
    return $self;
}

sub ask ($self, $method, %params)
{
    my $id = ++$self->{id};
    print { $self->{write} } encode_json({ id => $id, method => $method,
        params => \%params,
        ($self->{session} ? (sessionId => $self->{session}) : ()) }), "\0";
    local $SIG{ALRM} = sub { die "chromium does not answer $method\n" };
    alarm 30;
    my $answer;
    do {
        $answer = $self->next_message;
    } while (($answer->{id} // 0) != $id);
    alarm 0;
    die "$method: $answer->{error}{message}\n" if $answer->{error};
    return $answer->{result};
}

sub next_message ($self)
{
    my $end;
    while (($end = index $self->{got}, "\0") < 0) {
        sysread $self->{read}, $self->{got}, 65536, length $self->{got}
            or die "chromium has gone\n";
    }
    my $text = substr $self->{got}, 0, $end + 1, '';
    chop $text;
    return decode_json($text);
}

sub open ($self, $url)
{
    $self->ask('Page.navigate', url => $url);
    return $self->wait_value("location.href !== 'about:blank'"
        . " && document.readyState === 'complete'", 20);
}

sub value ($self, $script)
{
    my $got = $self->ask('Runtime.evaluate', expression => $script,
        returnByValue => JSON::PP::true);
    die "$script: $got->{exceptionDetails}{text}\n"
        if $got->{exceptionDetails};
    return $got->{result}{value};
}

sub wait_value ($self, $script, $seconds)
{
    return wait_until($seconds, sub { eval { $self->value($script) } });
}

sub size ($self, $width, $height)
{
    $self->ask('Emulation.setDeviceMetricsOverride', width => $width,
        height => $height, deviceScaleFactor => 1, mobile => JSON::PP::false);
    return;
}

sub type ($self, $text)
{
    $self->ask('Input.insertText', text => $text);
    return;
}

sub screenshot ($self, $file)
{
    my $got = $self->ask('Page.captureScreenshot', format => 'png');
    CORE::open my $out, '>:raw', $file or die "$file: $!\n";
    print $out decode_base64($got->{data});
    close $out or die "$file: $!\n";
    return;
}

sub stop ($self)
{
    my $pid = delete $self->{pid} or return;
    kill 'KILL', -$pid;
    waitpid $pid, 0;
    return;
}

sub DESTROY ($self)
{
    local $?;
    $self->stop;
    return;
}

1;
