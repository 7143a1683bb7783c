/*
 * The door to the state directory, on file systems full of traps.  All tests
 * run twice: with openat2() and, behind a filter that forbids it, without.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cmocka.h>

#include "helper_skip.h"
#include "helper_tmp.h"
#include "state/acme_dir.h"

#define NOBODY 65534

static struct helper_tmp tmp;
static struct acme_error err;
static struct acme_buf buf;

static int
setup(void **state)
{
    (void)state;
    helper_tmp_init(&tmp);
    acme_error_clear(&err);
    acme_buf_init(&buf, 1000);
    umask(0);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    acme_buf_clear(&buf);
    helper_tmp_clear(&tmp);
    return 0;
}

static bool
is_root(void)
{
    return geteuid() == 0;
}

static void
give_away(const char *name)
{
    assert_int_equal(
        fchownat(tmp.fd, name, NOBODY, NOBODY, AT_SYMLINK_NOFOLLOW), 0);
}

/* The error says `part`; then it is empty again. */
static void
expect_error(enum acme_rc rc, enum acme_rc want, const char *part)
{
    if (rc != want || err.rc != want || strstr(err.what, part) == NULL)
        fail_msg("rc %d, err.rc %d, \"%s\" (wanted %d, \"%s\")", (int)rc,
            (int)err.rc, err.what, (int)want, part);
    acme_error_clear(&err);
}

/* ---- the way to the directory ----------------------------------------- */

static enum acme_rc
check(const char *name)
{
    return acme_dir_check(helper_tmp_path(&tmp, name), geteuid(), &err);
}

static void
test_check(void **state)
{
    (void)state;
    helper_tmp_mkdir(&tmp, "a");
    helper_tmp_mkdir(&tmp, "a/b");
    assert_int_equal(check("a/b"), ACME_OK);
    assert_int_equal(check("a//b/./"), ACME_OK);
    expect_error(check("a/new"), ACME_NOENT, "a/new\" does not exist");
    assert_false(helper_tmp_exists(&tmp, "a/new"));
    expect_error(check("a/x/new"), ACME_IO, "a/x\" does not exist");
    helper_tmp_puts(&tmp, "a/file", "");
    expect_error(check("a/file"), ACME_IO, "a/file\" is no directory");
    expect_error(check("a/file/new"), ACME_IO, "a/file\"");
    expect_error(acme_dir_check("a/b", geteuid(), &err), ACME_IO,
        "not absolute");
    expect_error(acme_dir_check("", geteuid(), &err), ACME_IO, "not absolute");
    expect_error(acme_dir_check("/", geteuid(), &err), ACME_IO, "\"/\"");
    expect_error(acme_dir_check("///", geteuid(), &err), ACME_IO, "\"/\"");
}

static enum acme_rc
check_file(const char *name, char *real)
{
    return acme_dir_check_file(helper_tmp_path(&tmp, name), geteuid(), real,
        300, &err);
}

/* Who can change what is in a file, or put another in its place. */
static void
test_check_file(void **state)
{
    char real[300], small[8];

    (void)state;
    helper_tmp_mkdir(&tmp, "a");
    helper_tmp_puts(&tmp, "a/file", "");
    helper_tmp_link(&tmp, "a/./file", "link");
    helper_tmp_fifo(&tmp, "a/fifo");
    assert_int_equal(check_file("a/file", real), ACME_OK);
    assert_string_equal(real, helper_tmp_path(&tmp, "a/file"));
    assert_int_equal(check_file("link", real), ACME_OK);
    assert_string_equal(real, helper_tmp_path(&tmp, "a/file"));
    expect_error(check_file("a/new", real), ACME_NOENT, "does not exist");
    expect_error(check_file("a", real), ACME_IO, "a\" is not a regular file");
    expect_error(check_file("a/fifo", real), ACME_IO, "is not a regular file");
    expect_error(acme_dir_check_file(helper_tmp_path(&tmp, "a/file"),
                     geteuid(), small, sizeof(small), &err),
        ACME_IO, "too long");
    assert_int_equal(fchmodat(tmp.fd, "a/file", 0664, 0), 0);
    expect_error(check_file("link", real), ACME_IO,
        "a/file\" is writable by others; chmod go-w it");
    assert_int_equal(fchmodat(tmp.fd, "a/file", 0755, 0), 0);
    assert_int_equal(fchmodat(tmp.fd, "a", 0775, 0), 0);
    expect_error(check_file("link", real), ACME_IO,
        "a\" is writable by others; chmod go-w");
    assert_int_equal(fchmodat(tmp.fd, "a", 01777, 0), 0);
    assert_int_equal(check_file("link", real), ACME_OK);
    if (geteuid() != 0)
        SKIP();
    assert_int_equal(fchownat(tmp.fd, "a/file", 65534, 65534, 0), 0);
    expect_error(check_file("a/file", real), ACME_IO, "belongs to uid 65534");
    assert_int_equal(fchownat(tmp.fd, "a/file", 0, 0, 0), 0);
    assert_int_equal(
        fchownat(tmp.fd, "link", 65534, 65534, AT_SYMLINK_NOFOLLOW), 0);
    expect_error(check_file("link", real), ACME_IO,
        "link\" is a symbolic link of uid 65534");
}

static void
test_check_writable(void **state)
{
    (void)state;
    helper_tmp_mkdir(&tmp, "a");
    helper_tmp_mkdir(&tmp, "a/b");
    assert_int_equal(fchmodat(tmp.fd, "a", 0770, 0), 0);
    expect_error(check("a/b"), ACME_IO, "a\" is writable by others; chmod");
    expect_error(check("a/new"), ACME_IO, "a\" is writable by others");
    assert_int_equal(fchmodat(tmp.fd, "a", 0707, 0), 0);
    expect_error(check("a/b"), ACME_IO, "a\" is writable by others");
    assert_int_equal(fchmodat(tmp.fd, "a", 01777, 0), 0);
    assert_int_equal(check("a/b"), ACME_OK);
    assert_int_equal(fchmodat(tmp.fd, "a", 0755, 0), 0);
    assert_int_equal(check("a/b"), ACME_OK);
}

/* E5 of the security report: below a directory of the server's user. */
static void
test_check_owner(void **state)
{
    int fd = -1;

    (void)state;
    if (!is_root())
        SKIP();
    helper_tmp_mkdir(&tmp, "www");
    helper_tmp_mkdir(&tmp, "www/acme");
    helper_tmp_mkdir(&tmp, "victim");
    assert_int_equal(fchmodat(tmp.fd, "victim", 0755, 0), 0);
    give_away("www");
    expect_error(check("www/acme"), ACME_IO, "www\" belongs to uid 65534");
    expect_error(
        acme_dir_open(helper_tmp_path(&tmp, "www/acme"), 0, true, &fd, &err),
        ACME_IO, "www\" belongs to uid 65534");
    helper_tmp_link(&tmp, "../victim", "www/link");
    expect_error(
        acme_dir_open(helper_tmp_path(&tmp, "www/link"), 0, true, &fd, &err),
        ACME_IO, "www\" belongs to uid 65534");
    assert_int_equal(helper_tmp_mode(&tmp, "victim"), 0755);

    give_away("victim");
    expect_error(check("victim"), ACME_IO, "victim\" belongs to uid 65534");
}

static void
test_check_owner_below_root(void **state)
{
    (void)state;
    if (!is_root())
        SKIP();
    helper_tmp_mkdir(&tmp, "home");
    give_away("home");
    assert_int_equal(
        acme_dir_check(helper_tmp_path(&tmp, "home"), NOBODY, &err), ACME_OK);
    expect_error(acme_dir_check(helper_tmp_path(&tmp, "home"), 33, &err),
        ACME_IO, "home\" belongs to uid 65534, not to uid 33");
}

static void
test_check_links(void **state)
{
    (void)state;
    helper_tmp_mkdir(&tmp, "a");
    helper_tmp_mkdir(&tmp, "a/b");
    helper_tmp_link(&tmp, "a/b", "relative");
    assert_int_equal(symlinkat(helper_tmp_path(&tmp, "a"), tmp.fd, "absolute"),
        0);
    helper_tmp_link(&tmp, "../a/../a", "a/up");
    helper_tmp_link(&tmp, "loop", "loop");
    helper_tmp_link(&tmp, "a/new", "dangling");
    assert_int_equal(check("relative"), ACME_OK);
    assert_int_equal(check("absolute/b"), ACME_OK);
    assert_int_equal(check("a/up/b"), ACME_OK);
    expect_error(check("dangling"), ACME_NOENT, "/a/new\" does not exist");
    expect_error(check("loop"), ACME_IO, "loop");

    /* What a link leads through is judged as well. */
    assert_int_equal(fchmodat(tmp.fd, "a", 0777, 0), 0);
    expect_error(check("relative"), ACME_IO, "a\" is writable by others");
    expect_error(check("absolute/b"), ACME_IO, "a\" is writable by others");
}

static void
test_check_link_owner(void **state)
{
    (void)state;
    if (!is_root())
        SKIP();
    helper_tmp_mkdir(&tmp, "shared");
    assert_int_equal(fchmodat(tmp.fd, "shared", 01777, 0), 0);
    helper_tmp_mkdir(&tmp, "a");
    helper_tmp_link(&tmp, "../a", "shared/link");
    assert_int_equal(check("shared/link"), ACME_OK);
    give_away("shared/link");
    expect_error(check("shared/link"), ACME_IO,
        "shared/link\" is a symbolic link of uid 65534");
}

static void
test_check_long(void **state)
{
    char path[5001], part[300];

    (void)state;
    memset(path, 'x', 5000);
    path[0] = '/';
    path[5000] = '\0';
    expect_error(acme_dir_check(path, geteuid(), &err), ACME_IO, "too long");
    memset(part, 'y', 299);
    part[0] = '/';
    part[299] = '\0';
    expect_error(acme_dir_check(part, geteuid(), &err), ACME_IO, "too long");
}

static enum acme_rc
open_dir(const char *name, bool create, int *fd)
{
    return acme_dir_open(helper_tmp_path(&tmp, name), geteuid(), create, fd,
        &err);
}

static void
test_open(void **state)
{
    int fd = -1;

    (void)state;
    expect_error(open_dir("state", false, &fd), ACME_NOENT, "does not exist");
    assert_false(helper_tmp_exists(&tmp, "state"));
    assert_int_equal(fd, -1);
    expect_error(open_dir("no/state", true, &fd), ACME_IO,
        "no\" does not exist; make it");
    assert_int_equal(open_dir("state", true, &fd), ACME_OK);
    assert_int_equal(helper_tmp_mode(&tmp, "state"), 0700);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    assert_int_equal(open_dir("state", true, &fd), ACME_OK);
    close(fd);

    /* The mode of what was there is the caller's to judge. */
    helper_tmp_mkdir(&tmp, "etc");
    assert_int_equal(fchmodat(tmp.fd, "etc", 0755, 0), 0);
    assert_int_equal(open_dir("etc", true, &fd), ACME_OK);
    assert_int_equal(helper_tmp_mode(&tmp, "etc"), 0755);
    assert_int_equal(acme_dir_private(fd, "etc", &err), ACME_OK);
    assert_int_equal(helper_tmp_mode(&tmp, "etc"), 0700);
    close(fd);

    helper_tmp_link(&tmp, "state", "link");
    assert_int_equal(open_dir("link", true, &fd), ACME_OK);
    close(fd);
    helper_tmp_link(&tmp, "made", "dangling");
    assert_int_equal(open_dir("dangling", true, &fd), ACME_OK);
    close(fd);
    assert_int_equal(helper_tmp_mode(&tmp, "made"), 0700);
}

/* ---- reading ---------------------------------------------------------- */

static enum acme_rc
read_file(const char *name, size_t max)
{
    return acme_dir_read(tmp.fd, name, geteuid(), max, &buf, &err);
}

static void
test_read(void **state)
{
    (void)state;
    helper_tmp_mkdir(&tmp, "a");
    helper_tmp_mkdir(&tmp, "a/b");
    helper_tmp_puts(&tmp, "a/b/file", "12345");
    helper_tmp_puts(&tmp, "empty", "");
    acme_buf_add_str(&buf, "x");
    assert_int_equal(read_file("a/b/file", 5), ACME_OK);
    assert_string_equal(acme_buf_str(&buf), "x12345");
    assert_int_equal(read_file("empty", 0), ACME_OK);
    assert_int_equal(buf.len, 6);
    expect_error(read_file("a/b/file", 4), ACME_IO,
        "\"a/b/file\" is larger than 4 bytes");
    expect_error(read_file("a/b/none", 4), ACME_NOENT, "a/b/none");
    expect_error(read_file("a/none/file", 4), ACME_NOENT, "a/none/file");
    expect_error(read_file("a/b/file/x", 4), ACME_IO, "a/b/file/x");
    assert_int_equal(buf.len, 6);
    assert_true(acme_buf_ok(&buf));

    /* The buffer's own maximum is one too. */
    buf.max = 10;
    expect_error(read_file("a/b/file", 5), ACME_IO, "is larger than 4");
    assert_true(acme_buf_ok(&buf));
}

static void
test_read_paths(void **state)
{
    static const char *const bad[] = { "", "/", "/etc/passwd", "..", "../x",
        "a/../file", "./file", "a/./b", "a//b", "a/", "file/" };
    char nul[5000];
    size_t i;

    (void)state;
    helper_tmp_mkdir(&tmp, "a");
    helper_tmp_puts(&tmp, "file", "12345");
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_error(read_file(bad[i], 100), ACME_IO, "Invalid argument");
    memset(nul, 'x', sizeof(nul) - 1);
    nul[sizeof(nul) - 1] = '\0';
    expect_error(read_file(nul, 100), ACME_IO, "File name too long");
    expect_error(read_file("a\n\033[31m", 100), ACME_NOENT, "a\\x0a\\x1b");
}

static void
make_socket(const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s",
        tmp.path, name);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_not_equal(fd, -1);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)),
        0);
    close(fd);
}

/* S4: each is named, nothing is followed, nobody waits. */
static void
test_read_farm(void **state)
{
    (void)state;
    helper_tmp_mkdir(&tmp, "dir");
    helper_tmp_puts(&tmp, "dir/file", "secret");
    helper_tmp_link(&tmp, "dir/file", "link");
    helper_tmp_link(&tmp, "/etc/passwd", "absolute");
    helper_tmp_link(&tmp, "nothing", "dangling");
    helper_tmp_link(&tmp, "dir", "dirlink");
    helper_tmp_link(&tmp, "/proc/self/root", "magic");
    helper_tmp_fifo(&tmp, "fifo");
    make_socket("socket");
    expect_error(read_file("link", 100), ACME_IO, "\"link\"");
    expect_error(read_file("absolute", 100000), ACME_IO, "\"absolute\"");
    expect_error(read_file("dangling", 100), ACME_IO, "\"dangling\"");
    expect_error(read_file("dirlink/file", 100), ACME_IO, "dirlink/file");
    expect_error(read_file("magic/etc/passwd", 100000), ACME_IO, "magic");
    expect_error(read_file("fifo", 100), ACME_IO,
        "\"fifo\" is no regular file");
    expect_error(read_file("dir", 100), ACME_IO, "\"dir\" is no regular");
    expect_error(read_file("socket", 100), ACME_IO, "\"socket\"");
    assert_int_equal(buf.len, 0);
}

static void
test_read_device(void **state)
{
    (void)state;
    if (!is_root() ||
        mknodat(tmp.fd, "zero", S_IFCHR | 0600, makedev(1, 5)) == -1)
        SKIP();
    expect_error(read_file("zero", 100), ACME_IO,
        "\"zero\" is no regular file");
}

static void
test_read_huge(void **state)
{
    int fd;

    (void)state;
    fd = openat(tmp.fd, "huge", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
    close(fd);
    expect_error(read_file("huge", 1000), ACME_IO,
        "\"huge\" is larger than 1000 bytes");
}

static void
test_read_owner(void **state)
{
    (void)state;
    if (!is_root())
        SKIP();
    helper_tmp_puts(&tmp, "file", "12345");
    give_away("file");
    expect_error(read_file("file", 100), ACME_IO,
        "\"file\" belongs to uid 65534, not to uid 0");
    assert_int_equal(acme_dir_read(tmp.fd, "file", NOBODY, 100, &buf, &err),
        ACME_OK);
}

static enum acme_rc
read_secret(const char *name)
{
    return acme_dir_read_secret(helper_tmp_path(&tmp, name), geteuid(), 100,
        &buf, &err);
}

static void
test_secret(void **state)
{
    (void)state;
    helper_tmp_puts(&tmp, "key", "secret");
    helper_tmp_mkdir(&tmp, "dir");
    helper_tmp_link(&tmp, "key", "link");
    helper_tmp_link(&tmp, "/dev/zero", "device");
    helper_tmp_fifo(&tmp, "fifo");
    assert_int_equal(read_secret("key"), ACME_OK);
    assert_int_equal(read_secret("link"), ACME_OK);
    assert_string_equal(acme_buf_str(&buf), "secretsecret");
    assert_int_equal(fchmodat(tmp.fd, "key", 0640, 0), 0);
    assert_int_equal(read_secret("key"), ACME_OK);
    assert_int_equal(fchmodat(tmp.fd, "key", 0604, 0), 0);
    expect_error(read_secret("link"), ACME_IO, "chmod o-rwx");
    expect_error(read_secret("none"), ACME_NOENT, "none");
    expect_error(read_secret("device"), ACME_IO, "no regular file");
    expect_error(read_secret("fifo"), ACME_IO, "no regular file");
    expect_error(read_secret("dir"), ACME_IO, "no regular file");
    expect_error(acme_dir_read_secret("key", geteuid(), 100, &buf, &err),
        ACME_IO, "no absolute path");
    assert_int_equal(buf.len, 18);
}

static void
test_secret_owner(void **state)
{
    (void)state;
    if (!is_root())
        SKIP();
    helper_tmp_puts(&tmp, "key", "secret");
    give_away("key");
    expect_error(read_secret("key"), ACME_IO, "belongs to uid 65534");
    assert_int_equal(acme_dir_read_secret(helper_tmp_path(&tmp, "key"), NOBODY,
                         100, &buf, &err),
        ACME_OK);
}

/* ---- writing ---------------------------------------------------------- */

static enum acme_rc
write_text(const char *name, mode_t mode, const char *text)
{
    return acme_dir_write(tmp.fd, name, mode, text, strlen(text), &err);
}

static void
assert_content(const char *name, const char *want)
{
    char *text = helper_tmp_gets(&tmp, name);

    assert_non_null(text);
    assert_string_equal(text, want);
    free(text);
}

static void
test_write(void **state)
{
    (void)state;
    helper_tmp_mkdir(&tmp, "a");
    assert_int_equal(write_text("a/file", 0600, "one"), ACME_OK);
    assert_content("a/file", "one");
    assert_int_equal(helper_tmp_mode(&tmp, "a/file"), 0600);
    umask(0077);
    assert_int_equal(write_text("a/file", 0644, ""), ACME_OK);
    assert_content("a/file", "");
    assert_int_equal(helper_tmp_mode(&tmp, "a/file"), 0644);
    assert_int_equal(helper_tmp_count(&tmp, "a"), 1);
    expect_error(write_text("b/file", 0600, "x"), ACME_IO, "b/file");
    expect_error(write_text("a/../x", 0600, "x"), ACME_IO, "Invalid");
    expect_error(write_text("..", 0600, "x"), ACME_IO, "Invalid");
    expect_error(write_text(".", 0600, "x"), ACME_IO, "Invalid");
}

static void
test_write_farm(void **state)
{
    (void)state;
    helper_tmp_mkdir(&tmp, "dir");
    helper_tmp_mkdir(&tmp, "real");
    helper_tmp_puts(&tmp, "victim", "untouched");
    helper_tmp_link(&tmp, "victim", "link");
    helper_tmp_link(&tmp, "real", "dirlink");
    helper_tmp_fifo(&tmp, "fifo");
    /* What was planted in a file's place is replaced, not followed. */
    assert_int_equal(write_text("link", 0600, "new"), ACME_OK);
    assert_content("link", "new");
    assert_content("victim", "untouched");
    assert_int_equal(write_text("fifo", 0600, "new"), ACME_OK);
    assert_content("fifo", "new");
    expect_error(write_text("dir", 0600, "new"), ACME_IO, "\"dir\"");
    expect_error(write_text("dirlink/x", 0600, "new"), ACME_IO, "dirlink/x");
    assert_int_equal(helper_tmp_count(&tmp, "real"), 0);
    assert_int_equal(helper_tmp_count(&tmp, "."), 6); /* nothing was left */
}

static void
test_write_closed(void **state)
{
    (void)state;
    /* A directory nobody can write to; root can, so only the others try. */
    if (is_root())
        SKIP();
    helper_tmp_mkdir(&tmp, "closed");
    helper_tmp_puts(&tmp, "closed/file", "old");
    assert_int_equal(fchmodat(tmp.fd, "closed", 0500, 0), 0);
    expect_error(write_text("closed/file", 0600, "new"), ACME_IO,
        "cannot write \"closed/file\": Permission denied (13)");
    assert_content("closed/file", "old");
    assert_int_equal(fchmodat(tmp.fd, "closed", 0700, 0), 0);
}

static void
test_create(void **state)
{
    (void)state;
    helper_tmp_link(&tmp, "planted", "link");
    assert_int_equal(acme_dir_create(tmp.fd, "file", 0600, "abc", 3, &err),
        ACME_OK);
    assert_content("file", "abc");
    expect_error(acme_dir_create(tmp.fd, "file", 0600, "x", 1, &err), ACME_IO,
        "File exists");
    expect_error(acme_dir_create(tmp.fd, "link", 0600, "x", 1, &err), ACME_IO,
        "File exists");
    assert_content("file", "abc");
    assert_false(helper_tmp_exists(&tmp, "planted"));
}

static void
test_make(void **state)
{
    (void)state;
    assert_int_equal(acme_dir_make(tmp.fd, "a/b/c", &err), ACME_OK);
    assert_int_equal(acme_dir_make(tmp.fd, "a/b/c", &err), ACME_OK);
    umask(0077);
    assert_int_equal(acme_dir_make(tmp.fd, "a/d", &err), ACME_OK);
    assert_int_equal(helper_tmp_mode(&tmp, "a/b/c"), 0700);
    umask(0200);
    assert_int_equal(acme_dir_make(tmp.fd, "a/e", &err), ACME_OK);
    assert_int_equal(helper_tmp_mode(&tmp, "a/e"), 0700);
    umask(0);
    helper_tmp_mkdir(&tmp, "real");
    helper_tmp_link(&tmp, "real", "link");
    helper_tmp_puts(&tmp, "file", "");
    expect_error(acme_dir_make(tmp.fd, "link", &err), ACME_IO, "\"link\"");
    expect_error(acme_dir_make(tmp.fd, "link/x", &err), ACME_IO, "link/x");
    expect_error(acme_dir_make(tmp.fd, "file/x", &err), ACME_IO, "file/x");
    expect_error(acme_dir_make(tmp.fd, "../x", &err), ACME_IO, "Invalid");
    expect_error(acme_dir_make(tmp.fd, "a/.x", &err), ACME_IO, "Invalid");
    expect_error(acme_dir_make(tmp.fd, "/x", &err), ACME_IO, "Invalid");
    assert_int_equal(helper_tmp_count(&tmp, "real"), 0);
    if (is_root()) {
        give_away("real");
        expect_error(acme_dir_make(tmp.fd, "real", &err), ACME_IO, "real");
    }
}

static void
test_make_hidden(void **state)
{
    char name[100] = "", little[8] = "";

    (void)state;
    helper_tmp_mkdir(&tmp, "a");
    assert_int_equal(
        acme_dir_make_hidden(tmp.fd, "a/7", name, sizeof(name), &err),
        ACME_OK);
    assert_string_equal(name, "a/.7.tmp");
    assert_int_equal(helper_tmp_mode(&tmp, name), 0700);
    helper_tmp_puts(&tmp, "a/.7.tmp/half", ""); /* of a crash */
    assert_int_equal(
        acme_dir_make_hidden(tmp.fd, "a/7", name, sizeof(name), &err),
        ACME_OK);
    assert_int_equal(helper_tmp_count(&tmp, "a/.7.tmp"), 0);
    expect_error(
        acme_dir_make_hidden(tmp.fd, "a/7", little, sizeof(little), &err),
        ACME_IO, "too long");
    assert_string_equal(little, "");
    expect_error(acme_dir_make_hidden(tmp.fd, "b/7", name, sizeof(name), &err),
        ACME_IO, "b/7");
}

static void
test_rename_and_link(void **state)
{
    char target[16] = "";

    (void)state;
    helper_tmp_mkdir(&tmp, "a");
    helper_tmp_mkdir(&tmp, "a/old");
    helper_tmp_mkdir(&tmp, "a/full");
    helper_tmp_puts(&tmp, "a/full/file", "");
    expect_error(acme_dir_rename(tmp.fd, "a/old", "a/full", &err), ACME_IO,
        "a/old");
    expect_error(acme_dir_rename(tmp.fd, "a/old", "b", &err), ACME_IO,
        "Invalid");
    helper_tmp_mkdir(&tmp, "b");
    expect_error(acme_dir_rename(tmp.fd, "b/old", "a/new", &err), ACME_IO,
        "Invalid");
    assert_int_equal(acme_dir_rename(tmp.fd, "a/old", "a/new", &err), ACME_OK);
    assert_true(helper_tmp_exists(&tmp, "a/new"));

    assert_int_equal(acme_dir_link(tmp.fd, "new", "a/live", &err), ACME_OK);
    helper_tmp_link(&tmp, "left by a crash", "a/.live.tmp");
    assert_int_equal(acme_dir_link(tmp.fd, "full", "a/live", &err), ACME_OK);
    assert_int_equal(
        acme_dir_readlink(tmp.fd, "a/live", target, sizeof(target), &err),
        ACME_OK);
    assert_string_equal(target, "full");
    assert_int_equal(helper_tmp_count(&tmp, "a"), 3);
    expect_error(acme_dir_link(tmp.fd, "x", "a/full", &err), ACME_IO,
        "a/full");
    expect_error(
        acme_dir_readlink(tmp.fd, "a/full", target, sizeof(target), &err),
        ACME_IO, "\"a/full\" is no symbolic link");
    expect_error(acme_dir_readlink(tmp.fd, "a/live", target, 4, &err), ACME_IO,
        "too long");
    expect_error(
        acme_dir_readlink(tmp.fd, "a/none", target, sizeof(target), &err),
        ACME_NOENT, "a/none");
    assert_string_equal(target, "full");
}

/* ---- listing and removing --------------------------------------------- */

static enum acme_rc
collect(void *ctx, const char *name, struct acme_error *error)
{
    (void)error;
    acme_buf_addf(&buf, "%s,", name);
    return strcmp(name, ctx) == 0 ? ACME_LATER : ACME_OK;
}

static enum acme_rc
list(const char *name, const char *stop)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%s", stop);
    return acme_dir_list(tmp.fd, name, collect, text, &err);
}

static void
test_list(void **state)
{
    char name[32];
    int i;

    (void)state;
    helper_tmp_mkdir(&tmp, "d");
    for (i = 99; i >= 0; i--) {
        (void)snprintf(name, sizeof(name), "d/%c%d", i % 2 ? 'a' : 'B', i);
        helper_tmp_puts(&tmp, name, "");
    }
    helper_tmp_puts(&tmp, "d/.hidden", "");
    assert_int_equal(list("d", ""), ACME_OK);
    assert_memory_equal(acme_buf_str(&buf), "B0,B10,B12,", 11);
    assert_null(strstr(acme_buf_str(&buf), "hidden"));
    assert_non_null(strstr(acme_buf_str(&buf), ",B98,a1,a11,"));
    acme_buf_reset(&buf);
    assert_int_equal(list("d", "B10"), ACME_LATER);
    assert_string_equal(acme_buf_str(&buf), "B0,B10,");
    assert_int_equal(err.rc, ACME_OK);

    acme_buf_reset(&buf);
    helper_tmp_link(&tmp, "d", "link");
    assert_int_equal(list("none", ""), ACME_OK);
    assert_int_equal(list("none/none", ""), ACME_OK);
    expect_error(list("link", ""), ACME_IO, "\"link\"");
    expect_error(list("d/B0", ""), ACME_IO, "d/B0");
    assert_int_equal(buf.len, 0);
    assert_int_equal(list(".", ""), ACME_OK);
    assert_string_equal(acme_buf_str(&buf), "d,link,");
}

static void
test_remove(void **state)
{
    (void)state;
    helper_tmp_puts(&tmp, "victim", "untouched");
    helper_tmp_mkdir(&tmp, "d");
    helper_tmp_puts(&tmp, "d/one", "");
    helper_tmp_puts(&tmp, "d/.two", "");
    helper_tmp_fifo(&tmp, "d/fifo");
    helper_tmp_mkdir(&tmp, "d/empty");
    helper_tmp_link(&tmp, "../victim", "d/link");
    helper_tmp_link(&tmp, "d", "dlink");
    assert_int_equal(acme_dir_remove(tmp.fd, "dlink", &err), ACME_OK);
    assert_int_equal(helper_tmp_count(&tmp, "d"), 5);
    assert_int_equal(acme_dir_remove(tmp.fd, "d", &err), ACME_OK);
    assert_false(helper_tmp_exists(&tmp, "d"));
    assert_int_equal(acme_dir_remove(tmp.fd, "d", &err), ACME_OK);
    assert_int_equal(acme_dir_remove(tmp.fd, "x/y", &err), ACME_OK);
    assert_content("victim", "untouched");
    assert_int_equal(acme_dir_remove(tmp.fd, "victim", &err), ACME_OK);
    assert_false(helper_tmp_exists(&tmp, "victim"));

    helper_tmp_mkdir(&tmp, "d");
    helper_tmp_mkdir(&tmp, "d/deep");
    helper_tmp_puts(&tmp, "d/deep/file", "");
    expect_error(acme_dir_remove(tmp.fd, "d", &err), ACME_IO,
        "cannot empty \"d\": cannot remove \"deep\"");
    assert_true(helper_tmp_exists(&tmp, "d/deep/file"));
    helper_tmp_link(&tmp, "d", "dlink");
    expect_error(acme_dir_remove(tmp.fd, "dlink/deep", &err), ACME_IO,
        "dlink/deep");
}

static void
age(const char *name, time_t seconds)
{
    struct timespec times[2];

    memset(times, 0, sizeof(times));
    times[0].tv_sec = times[1].tv_sec = time(NULL) - seconds;
    assert_int_equal(utimensat(tmp.fd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void
test_drop(void **state)
{
    (void)state;
    helper_tmp_mkdir(&tmp, "d");
    helper_tmp_puts(&tmp, "d/f", "1");
    helper_tmp_mkdir(&tmp, ".d.tmp"); /* of a crash */
    helper_tmp_puts(&tmp, ".d.tmp/f", "0");
    assert_int_equal(acme_dir_drop(tmp.fd, "d", &err), ACME_OK);
    assert_false(helper_tmp_exists(&tmp, "d"));
    assert_false(helper_tmp_exists(&tmp, ".d.tmp"));
    assert_int_equal(acme_dir_drop(tmp.fd, "d", &err), ACME_OK);
    expect_error(acme_dir_drop(tmp.fd, "x/y", &err), ACME_IO, "x/y");
}

static void
test_write_soon(void **state)
{
    char *text;

    (void)state;
    assert_int_equal(acme_dir_write_soon(tmp.fd, "f", 0640, "1", 1, &err),
        ACME_OK);
    assert_int_equal(acme_dir_write_soon(tmp.fd, "f", 0600, "22", 2, &err),
        ACME_OK);
    text = helper_tmp_gets(&tmp, "f");
    assert_string_equal(text, "22");
    free(text);
    assert_int_equal(helper_tmp_count(&tmp, "."), 1);
    expect_error(acme_dir_write_soon(tmp.fd, "x/f", 0600, "", 0, &err),
        ACME_IO, "x/f");
}

static void
test_sweep(void **state)
{
    (void)state;
    helper_tmp_mkdir(&tmp, "d");
    helper_tmp_puts(&tmp, "d/.a.123.tmp", "");
    helper_tmp_puts(&tmp, "d/.young.123.tmp", "");
    helper_tmp_mkdir(&tmp, "d/.dir.tmp");
    helper_tmp_puts(&tmp, "d/.dir.tmp/file", "");
    helper_tmp_mkdir(&tmp, "d/.stuck.tmp");
    helper_tmp_mkdir(&tmp, "d/.stuck.tmp/dir");
    helper_tmp_puts(&tmp, "d/.stuck.tmp/dir/file", "");
    helper_tmp_puts(&tmp, "d/a.tmp", "");
    helper_tmp_puts(&tmp, "d/.profile", "");
    helper_tmp_puts(&tmp, "d/.tmp", "");
    age("d/.a.123.tmp", 3700);
    age("d/.dir.tmp", 3700);
    age("d/.stuck.tmp", 3700);
    age("d/a.tmp", 3700);
    age("d/.profile", 3700);
    age("d/.tmp", 3700);
    acme_dir_sweep(tmp.fd, "d", 3600);
    acme_dir_sweep(tmp.fd, "none", 3600);
    assert_false(helper_tmp_exists(&tmp, "d/.a.123.tmp"));
    assert_false(helper_tmp_exists(&tmp, "d/.dir.tmp"));
    assert_int_equal(helper_tmp_count(&tmp, "d"), 5);
    acme_dir_sweep(tmp.fd, "d", ACME_DIR_SWEEP_ALL);
    assert_int_equal(helper_tmp_count(&tmp, "d"), 4);
}

static void
test_touch_and_sync(void **state)
{
    struct stat st;

    (void)state;
    helper_tmp_mkdir(&tmp, "d");
    helper_tmp_link(&tmp, "d", "link");
    age("d", 100);
    assert_int_equal(acme_dir_touch(tmp.fd, "d", &err), ACME_OK);
    assert_int_equal(fstatat(tmp.fd, "d", &st, 0), 0);
    assert_true(st.st_mtime > time(NULL) - 50);
    assert_int_equal(acme_dir_sync(tmp.fd, "d", &err), ACME_OK);
    expect_error(acme_dir_touch(tmp.fd, "link", &err), ACME_IO, "link");
    expect_error(acme_dir_sync(tmp.fd, "link", &err), ACME_IO, "link");
    expect_error(acme_dir_sync(tmp.fd, "none", &err), ACME_IO, "none");
    assert_int_equal(acme_dir_sync_files(tmp.fd, "d", &err), ACME_OK);
    expect_error(acme_dir_sync_files(tmp.fd, "none", &err), ACME_IO, "none");
}

/* ---- locks ------------------------------------------------------------ */

static void
test_lock(void **state)
{
    int one = -1, two = -1;
    char pid[64];

    (void)state;
    (void)snprintf(pid, sizeof(pid), "\"lock\" is held by process %ld ",
        (long)getpid());
    assert_int_equal(acme_dir_lock(tmp.fd, "lock", &one, &err), ACME_OK);
    assert_true(fcntl(one, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(helper_tmp_mode(&tmp, "lock"), 0600);
    expect_error(acme_dir_lock(tmp.fd, "lock", &two, &err), ACME_BUSY, pid);
    assert_int_equal(two, -1);
    close(one);
    assert_true(helper_tmp_exists(&tmp, "lock"));
    assert_int_equal(acme_dir_lock(tmp.fd, "lock", &two, &err), ACME_OK);
    close(two);
}

static void
test_lock_dies(void **state)
{
    int ready[2], fd = -1, status;
    char c;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        if (acme_dir_lock(tmp.fd, "lock", &fd, &err) != ACME_OK)
            _exit(1);
        (void)!write(ready[1], "x", 1);
        pause();
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    assert_int_equal(acme_dir_lock(tmp.fd, "lock", &fd, &err), ACME_BUSY);
    acme_error_clear(&err);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(acme_dir_lock(tmp.fd, "lock", &fd, &err), ACME_OK);
    close(fd);
}

static void
test_lock_farm(void **state)
{
    int fd = -1;

    (void)state;
    helper_tmp_link(&tmp, "made", "link");
    helper_tmp_fifo(&tmp, "fifo");
    helper_tmp_mkdir(&tmp, "dir");
    expect_error(acme_dir_lock(tmp.fd, "link", &fd, &err), ACME_IO, "link");
    expect_error(acme_dir_lock(tmp.fd, "fifo", &fd, &err), ACME_IO, "fifo");
    expect_error(acme_dir_lock(tmp.fd, "dir", &fd, &err), ACME_IO, "dir");
    expect_error(acme_dir_lock(tmp.fd, "no/lock", &fd, &err), ACME_IO,
        "no/lock");
    assert_false(helper_tmp_exists(&tmp, "made"));
    helper_tmp_puts(&tmp, "victim", "untouched");
    assert_int_equal(linkat(tmp.fd, "victim", tmp.fd, "twin", 0), 0);
    expect_error(acme_dir_lock(tmp.fd, "twin", &fd, &err), ACME_IO,
        "no regular file of ours");
    assert_content("victim", "untouched");
    if (is_root()) {
        helper_tmp_puts(&tmp, "theirs", "");
        give_away("theirs");
        expect_error(acme_dir_lock(tmp.fd, "theirs", &fd, &err), ACME_IO,
            "no regular file of ours");
    }
    assert_int_equal(fd, -1);
    /* What is in the file comes from others. */
    helper_tmp_puts(&tmp, "lock", "1 a\033[31m\nb\n");
    fd = openat(tmp.fd, "lock", O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    expect_error(acme_dir_lock(tmp.fd, "lock", &(int){ -1 }, &err), ACME_BUSY,
        "process 1 a\\x1b[31m\\x0ab");
    close(fd);
}

/* ---- without openat2 -------------------------------------------------- */

/* From here on openat2() says what a sandbox says that does not know it. */
static void
forbid_openat2(void **state)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { 4, filter };

    (void)state;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == -1)
        SKIP();
    assert_int_equal(syscall(SYS_openat2, AT_FDCWD, ".", NULL, 0), -1);
    assert_true(errno == EPERM || errno == ENOSYS); /* valgrind's */
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

#define ALL_TESTS                                                            \
    TEST(test_check), TEST(test_check_file), TEST(test_check_writable),      \
        TEST(test_check_owner), TEST(test_check_owner_below_root),           \
        TEST(test_check_links), TEST(test_check_link_owner),                 \
        TEST(test_check_long), TEST(test_open), TEST(test_read),             \
        TEST(test_read_paths), TEST(test_read_farm), TEST(test_read_device), \
        TEST(test_read_huge), TEST(test_read_owner), TEST(test_secret),      \
        TEST(test_secret_owner), TEST(test_write), TEST(test_write_farm),    \
        TEST(test_write_closed), TEST(test_create), TEST(test_make),         \
        TEST(test_make_hidden), TEST(test_rename_and_link), TEST(test_list), \
        TEST(test_remove), TEST(test_drop), TEST(test_write_soon),           \
        TEST(test_sweep), TEST(test_touch_and_sync), TEST(test_lock),        \
        TEST(test_lock_dies), TEST(test_lock_farm)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ALL_TESTS,
        cmocka_unit_test(forbid_openat2),
        ALL_TESTS,
    };

    alarm(120); /* nothing may wait for a FIFO */
    return cmocka_run_group_tests_name("dir", tests, NULL, NULL);
}
