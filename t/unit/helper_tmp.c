#define _GNU_SOURCE /* nftw */

#include "helper_tmp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void
init_below(struct helper_tmp *tmp, const char *parent)
{
    (void)snprintf(tmp->path, sizeof(tmp->path), "%s/acme-unit-XXXXXX",
        parent);
    assert_non_null(mkdtemp(tmp->path));
    tmp->fd = open(tmp->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_not_equal(tmp->fd, -1);
}

void
helper_tmp_init(struct helper_tmp *tmp)
{
    init_below(tmp, "/tmp");
}

void
helper_tmp_init_fast(struct helper_tmp *tmp)
{
    bool shm = access("/dev/shm", W_OK | X_OK) == 0;

    init_below(tmp, shm ? "/dev/shm" : "/tmp");
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void
helper_tmp_clear(struct helper_tmp *tmp)
{
    close(tmp->fd);
    (void)nftw(tmp->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *
helper_tmp_path(const struct helper_tmp *tmp, const char *name)
{
    static char text[4][512];
    static unsigned next;
    char *out = text[next++ % 4];

    (void)snprintf(out, sizeof(text[0]), "%s/%s", tmp->path, name);
    return out;
}

void
helper_tmp_write(const struct helper_tmp *tmp, const char *name,
    const void *data, size_t len)
{
    int fd;

    fd = openat(tmp->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd == -1)
        fail_msg("cannot write %s: %s", name, strerror(errno));
    assert_int_equal(write(fd, data, len), len);
    close(fd);
}

void
helper_tmp_puts(const struct helper_tmp *tmp, const char *name,
    const char *text)
{
    helper_tmp_write(tmp, name, text, strlen(text));
}

char *
helper_tmp_gets(const struct helper_tmp *tmp, const char *name)
{
    struct stat st;
    char *text;
    int fd;

    fd = openat(tmp->fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd == -1)
        return NULL;
    assert_int_equal(fstat(fd, &st), 0);
    text = malloc((size_t)st.st_size + 1);
    assert_non_null(text);
    assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
    text[st.st_size] = '\0';
    close(fd);
    return text;
}

void
helper_tmp_mkdir(const struct helper_tmp *tmp, const char *name)
{
    assert_int_equal(mkdirat(tmp->fd, name, 0700), 0);
}

void
helper_tmp_link(const struct helper_tmp *tmp, const char *target,
    const char *name)
{
    assert_int_equal(symlinkat(target, tmp->fd, name), 0);
}

void
helper_tmp_fifo(const struct helper_tmp *tmp, const char *name)
{
    assert_int_equal(mkfifoat(tmp->fd, name, 0600), 0);
}

bool
helper_tmp_exists(const struct helper_tmp *tmp, const char *name)
{
    struct stat st;

    return fstatat(tmp->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

mode_t
helper_tmp_mode(const struct helper_tmp *tmp, const char *name)
{
    struct stat st;

    assert_int_equal(fstatat(tmp->fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_mode & 07777;
}

size_t
helper_tmp_count(const struct helper_tmp *tmp, const char *name)
{
    size_t count = 0;
    DIR *dir;

    dir = opendir(helper_tmp_path(tmp, name));
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count - 2;
}

void
helper_tmp_remove(const struct helper_tmp *tmp, const char *name)
{
    assert_int_equal(
        nftw(helper_tmp_path(tmp, name), remove_one, 16, FTW_DEPTH | FTW_PHYS),
        0);
}
