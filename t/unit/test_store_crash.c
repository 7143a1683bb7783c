/*
 * What is on the disk after a crash, a power cut or a failing disk at every
 * single durable step.  The steps are those of acme_dir_write.c, which is
 * compiled in here with its system calls replaced: each can end the process,
 * or fail, and a model of the disk knows what has been synced.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper_store.h"

/* ---- the disk --------------------------------------------------------- */

/* What a power cut leaves of one file or directory. */
struct inode {
    ino_t ino;
    int fd;     /* O_PATH, kept open: the number means the same for ever */
    char *data; /* synced content; of a directory "<name>\0"... */
    size_t len;
    ino_t *child; /* of a directory: one for each name */
    size_t count;
};

static struct {
    bool on;
    struct inode *inode;
    size_t count;
} disk;

static struct inode *
disk_find(ino_t ino)
{
    size_t i;

    for (i = 0; i < disk.count; i++)
        if (disk.inode[i].ino == ino)
            return &disk.inode[i];
    return NULL;
}

/* Makes it known (with nothing synced) by opening it. */
static struct inode *
disk_add(int dir, const char *name)
{
    struct inode *inode;
    struct stat st;
    int fd;

    fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd == -1 || fstat(fd, &st) == -1)
        abort();
    inode = disk_find(st.st_ino);
    if (inode != NULL) {
        close(fd);
        return inode;
    }
    disk.inode = realloc(disk.inode, (disk.count + 1) * sizeof(*inode));
    inode = &disk.inode[disk.count++];
    memset(inode, 0, sizeof(*inode));
    inode->ino = st.st_ino;
    inode->fd = fd;
    return inode;
}

static void
sync_file(int fd, ino_t ino)
{
    struct inode *inode = disk_find(ino);
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1 || fstat(fd, &st) == -1)
        abort();
    inode->len = (size_t)st.st_size;
    inode->data = realloc(inode->data, inode->len + 1);
    if (read(fd, inode->data, inode->len) != (ssize_t)inode->len)
        abort();
    close(fd);
}

static void
sync_directory(int fd, ino_t ino)
{
    struct inode *inode;
    struct dirent *entry;
    size_t len;
    ino_t child;
    DIR *dir;

    dir = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    inode = disk_find(ino);
    inode->len = inode->count = 0;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 ||
            strcmp(entry->d_name, "..") == 0)
            continue;
        child = disk_add(fd, entry->d_name)->ino;
        inode = disk_find(ino); /* disk_add() may have moved it */
        len = strlen(entry->d_name) + 1;
        inode->data = realloc(inode->data, inode->len + len);
        memcpy(inode->data + inode->len, entry->d_name, len);
        inode->len += len;
        inode->child =
            realloc(inode->child, (inode->count + 1) * sizeof(child));
        inode->child[inode->count++] = child;
    }
    closedir(dir);
}

static void
disk_sync(int fd)
{
    struct stat st;

    if (!disk.on)
        return;
    if (fstat(fd, &st) == -1)
        abort();
    if (S_ISDIR(st.st_mode))
        sync_directory(fd, st.st_ino);
    else
        sync_file(fd, st.st_ino);
}

/* All that is there now is on the disk. */
static void
disk_sync_tree(int dir, const char *name)
{
    struct dirent *entry;
    struct stat st;
    DIR *list;
    int fd;

    (void)disk_add(dir, name);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
        abort();
    if (S_ISLNK(st.st_mode))
        return;
    fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    disk_sync(fd);
    if (S_ISDIR(st.st_mode)) {
        list = fdopendir(dup(fd));
        while ((entry = readdir(list)) != NULL)
            if (strcmp(entry->d_name, ".") != 0 &&
                strcmp(entry->d_name, "..") != 0)
                disk_sync_tree(fd, entry->d_name);
        closedir(list);
    }
    close(fd);
}

/* How a power cut decides what reached the disk before it was synced. */
enum luck {
    NO_CUT,  /* the process died, the machine went on */
    NOTHING, /* of what was not synced */
    LUCK     /* this and higher: some of it, by a number */
};

static unsigned luck;

static bool
reached_disk(ino_t ino)
{
    unsigned x = (unsigned)ino * 2654435761u + luck * 40503u;

    return luck >= LUCK && (x >> 16 & 1) != 0;
}

static void disk_write(const struct inode *inode, int to, const char *name);

static void
write_directory(const struct inode *inode, int to, const char *name)
{
    const char *at = inode->data;
    size_t i;
    int fd;

    if (mkdirat(to, name, 0700) == -1)
        abort();
    fd = openat(to, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (i = 0; i < inode->count; i++, at += strlen(at) + 1)
        disk_write(disk_find(inode->child[i]), fd, at);
    close(fd);
}

/* Puts what is left of an inode into a new tree. */
static void
disk_write(const struct inode *inode, int to, const char *name)
{
    char target[PATH_MAX];
    struct stat st;
    ino_t ino = inode->ino;
    ssize_t len;
    int fd;

    if (fstat(inode->fd, &st) == -1)
        abort();
    if (S_ISLNK(st.st_mode)) {
        len = readlinkat(inode->fd, "", target, sizeof(target) - 1);
        target[len > 0 ? len : 0] = '\0';
        if (symlinkat(target, to, name) == -1)
            abort();
        return;
    }
    if (reached_disk(ino)) {
        /* By its descriptor: there may be no name for it any more. */
        (void)snprintf(target, sizeof(target), "/proc/self/fd/%d", inode->fd);
        fd = open(target, O_RDONLY | O_CLOEXEC);
        disk_sync(fd);
        close(fd);
        inode = disk_find(ino);
    }
    if (S_ISDIR(st.st_mode)) {
        write_directory(inode, to, name);
        return;
    }
    fd = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd == -1 || write(fd, inode->data, inode->len) < 0)
        abort();
    close(fd);
}

/* ---- the faults ------------------------------------------------------- */

static struct {
    int at;     /* number of the step, from 0 on; -1: none */
    int errnum; /* 0: the process ends */
    bool from_there_on;
    int count; /* steps so far */
} fault;

static struct helper_tmp tmp;

/* How a child ends. */
#define CRASHED 42
#define COMPLETED 43

/* Ends the process; after a power cut "state" is what the disk has. */
static void
crash(int how)
{
    struct inode *root;
    struct stat st;

    if (luck != NO_CUT) {
        if (fstatat(tmp.fd, "state", &st, 0) == -1 ||
            (root = disk_find(st.st_ino)) == NULL)
            abort();
        disk_write(root, tmp.fd, "after");
        if (renameat(tmp.fd, "state", tmp.fd, "before") == -1 ||
            renameat(tmp.fd, "after", tmp.fd, "state") == -1)
            abort();
    }
    _exit(how);
}

static bool
trip(void)
{
    int step = fault.count++;

    if (fault.at < 0 || step < fault.at ||
        (step > fault.at && !fault.from_there_on))
        return false;
    if (fault.errnum == 0)
        crash(CRASHED);
    errno = fault.errnum;
    return true;
}

static int
seam_openat(int dir, const char *name, int flags, ...)
{
    struct stat st;
    int fd;

    if ((flags & O_CREAT) == 0)
        return openat(dir, name, flags);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return openat(dir, name, flags, 0600); /* nothing is made */
    if (trip())
        return -1;
    fd = openat(dir, name, flags, 0600);
    if (fd != -1 && disk.on)
        (void)disk_add(dir, name);
    return fd;
}

static ssize_t
seam_write(int fd, const void *data, size_t len)
{
    static unsigned calls;

    /* The disk is full, or the process ends, in the middle. */
    if (fault.at == fault.count && len > 1)
        (void)!write(fd, data, len / 2);
    if (trip())
        return -1;
    if (++calls % 3 == 0) {
        errno = EINTR;
        return -1;
    }
    return write(fd, data, len > 700 ? 700 : len);
}

static int
seam_fsync(int fd)
{
    if (trip())
        return -1;
    disk_sync(fd);
    return 0; /* the model is the disk: no need to wait for the real one */
}

static int
seam_fchmod(int fd, mode_t mode)
{
    return trip() ? -1 : fchmod(fd, mode);
}

static int
seam_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return trip() ? -1 : renameat(from_dir, from, to_dir, to);
}

static int
seam_symlinkat(const char *target, int dir, const char *name)
{
    if (trip() || symlinkat(target, dir, name) == -1)
        return -1;
    if (disk.on)
        (void)disk_add(dir, name);
    return 0;
}

static int
seam_unlinkat(int dir, const char *name, int flags)
{
    struct stat st;

    /* What is not there costs no step. */
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && trip())
        return -1;
    return unlinkat(dir, name, flags);
}

static int
seam_mkdirat(int dir, const char *name, mode_t mode)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1 && trip())
        return -1;
    if (mkdirat(dir, name, mode) == -1)
        return -1;
    if (disk.on)
        (void)disk_add(dir, name);
    return 0;
}

static int
seam_futimens(int fd, const struct timespec times[2])
{
    return trip() ? -1 : futimens(fd, times);
}

#define openat(...) seam_openat(__VA_ARGS__)
#define write(fd, data, len) seam_write(fd, data, len)
#define fsync(fd) seam_fsync(fd)
#define fchmod(fd, mode) seam_fchmod(fd, mode)
#define renameat(a, b, c, d) seam_renameat(a, b, c, d)
#define symlinkat(a, b, c) seam_symlinkat(a, b, c)
#define unlinkat(a, b, c) seam_unlinkat(a, b, c)
#define mkdirat(a, b, c) seam_mkdirat(a, b, c)
#define futimens(a, b) seam_futimens(a, b)

#include "state/acme_dir_write.c" /* NOLINT: the seam */

#undef openat
#undef write
#undef fsync
#undef fchmod
#undef renameat
#undef symlinkat
#undef unlinkat
#undef mkdirat
#undef futimens

/* ---- what happens ----------------------------------------------------- */

#define CA "https://ca.test/directory"

static const enum acme_key_type both[] = { ACME_KEY_ECDSA_256,
    ACME_KEY_RSA_2048 };

static struct acme_version old_pair, new_pair;
static struct acme_key *account_key;
static char account_id[ACME_KEY_ID_LEN + 1];
static struct acme_issuer issuer = { .name = "test",
    .directory = CA,
    .key_type = ACME_KEY_ECDSA_256,
    .verify = true };
static struct acme_store *store;
static struct acme_error err;

static int
setup_group(void **state)
{
    (void)state;
    acme_error_clear(&err);
    helper_store_version(&old_pair, 2, both);
    helper_store_version(&new_pair, 2, both);
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &account_key, &err),
        ACME_OK);
    assert_int_equal(acme_key_id(account_key, account_id, &err), ACME_OK);
    return 0;
}

static int
teardown_group(void **state)
{
    (void)state;
    acme_version_clear(&old_pair);
    acme_version_clear(&new_pair);
    acme_key_unref(account_key);
    return 0;
}

static void
no_faults(void)
{
    memset(&fault, 0, sizeof(fault));
    fault.at = -1;
}

static int
setup(void **state)
{
    (void)state;
    no_faults();
    luck = NO_CUT;
    acme_error_clear(&err);
    helper_tmp_init_fast(&tmp);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    helper_tmp_clear(&tmp);
    return 0;
}

static void
ok(enum acme_rc rc)
{
    if (rc != ACME_OK || err.rc != ACME_OK)
        fail_msg("rc %d: %s", (int)rc, err.what);
}

static void
open_store(void)
{
    store = helper_store_open(&tmp);
}

static void
close_store(void)
{
    acme_store_close(store);
    store = NULL;
}

static void copy_entry(int from, int to, const char *name, const char *as);

static void
copy_directory(int from, int to)
{
    struct dirent *entry;
    DIR *dir;

    dir = fdopendir(dup(from));
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0)
            copy_entry(from, to, entry->d_name, entry->d_name);
    closedir(dir);
}

/* With modes and times, as `cp -a`, which takes ten times as long. */
static void
copy_entry(int from, int to, const char *name, const char *as)
{
    char data[100000];
    struct stat st;
    ssize_t len;
    int in, out;

    assert_int_equal(fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    if (S_ISLNK(st.st_mode)) {
        len = readlinkat(from, name, data, sizeof(data) - 1);
        assert_true(len > 0);
        data[len] = '\0';
        assert_int_equal(symlinkat(data, to, as), 0);
        return;
    }
    in = openat(from, name, O_RDONLY | O_CLOEXEC);
    if (S_ISDIR(st.st_mode)) {
        assert_int_equal(mkdirat(to, as, 0700), 0);
        out = openat(to, as, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        copy_directory(in, out);
    } else {
        out = openat(to, as, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        len = read(in, data, sizeof(data));
        assert_int_equal(write(out, data, (size_t)len), len);
    }
    assert_int_equal(fchmod(out, st.st_mode & 07777), 0);
    assert_int_equal(
        futimens(out, (struct timespec[]){ st.st_atim, st.st_mtim }), 0);
    close(in);
    close(out);
}

/* The tree "base" becomes "state" again. */
static void
restore_base(void)
{
    if (helper_tmp_exists(&tmp, "state"))
        helper_tmp_remove(&tmp, "state");
    if (helper_tmp_exists(&tmp, "before"))
        helper_tmp_remove(&tmp, "before");
    copy_entry(tmp.fd, tmp.fd, "base", "state");
}

static void
make_base(void (*prepare)(void))
{
    open_store();
    prepare();
    close_store();
    assert_int_equal(renameat(tmp.fd, "state", tmp.fd, "base"), 0);
}

/* The child did all it had to do before the power went: it told others. */
static bool completed;

/*
 * `act` on a fresh copy of the base, which ends at step `at`.  False: it had
 * fewer steps.
 */
static bool
crash_at(int at, unsigned with_luck, void (*act)(void))
{
    int status;
    pid_t pid;

    pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        luck = with_luck;
        if (luck != NO_CUT) {
            disk.on = true;
            disk_sync_tree(tmp.fd, "state");
        }
        open_store();
        no_faults();
        fault.at = at;
        act();
        crash(COMPLETED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) ||
        (WEXITSTATUS(status) != CRASHED && WEXITSTATUS(status) != COMPLETED))
        fail_msg("step %d, luck %u: the child ended with %x", at, with_luck,
            (unsigned)status);
    completed = WEXITSTATUS(status) == COMPLETED;
    return !completed;
}

#define LUCKS 4

/* Runs `act` with a crash at each step, each kind of luck; `check` looks. */
static void
crash_everywhere(void (*prepare)(void), void (*act)(void),
    void (*check)(int step, unsigned with_luck), int at_least)
{
    unsigned with_luck;
    bool more = true;
    int at;

    make_base(prepare);
    for (at = 0; more; at++) {
        for (with_luck = 0; with_luck < LUCKS; with_luck++) {
            restore_base();
            more = crash_at(at, with_luck, act);
            check(at, with_luck);
        }
    }
    print_message("# %d steps\n", at - 1);
    assert_true(at > at_least);
}

/* ---- a pair is old or new --------------------------------------------- */

enum seen {
    SEEN_NONE,
    SEEN_OLD,
    SEEN_NEW
};

/* The same by what other daemons read: PEM files below live/NAME. */
static void
check_files(const char *extra, const struct acme_pair *pair)
{
    char name[100], *key_pem, *cert, *chain, *full;
    struct acme_chain *parsed = NULL;
    struct acme_key *key = NULL;
    struct acme_buf der;

    acme_buf_init_secret(&der, 100000);
    (void)snprintf(name, sizeof(name), "state/live/a/privkey%s.pem", extra);
    key_pem = helper_tmp_gets(&tmp, name);
    (void)snprintf(name, sizeof(name), "state/live/a/cert%s.pem", extra);
    cert = helper_tmp_gets(&tmp, name);
    (void)snprintf(name, sizeof(name), "state/live/a/chain%s.pem", extra);
    chain = helper_tmp_gets(&tmp, name);
    (void)snprintf(name, sizeof(name), "state/live/a/fullchain%s.pem", extra);
    full = helper_tmp_gets(&tmp, name);
    assert_non_null(key_pem);
    assert_non_null(cert);
    assert_non_null(chain);
    assert_non_null(full);
    assert_int_equal(strlen(full), strlen(cert) + strlen(chain));
    assert_memory_equal(full, cert, strlen(cert));
    assert_string_equal(full + strlen(cert), chain);
    ok(acme_key_from_pem(key_pem, strlen(key_pem), &key, &err));
    ok(acme_chain_from_pem(full, strlen(full), &parsed, &err));
    assert_true(acme_chain_matches(parsed, key));
    ok(acme_chain_to_der(parsed, 0, 0, &der, &err));
    assert_int_equal(der.len, pair->chain.len);
    assert_memory_equal(der.data, pair->chain.data, der.len);
    acme_key_unref(key);
    acme_chain_free(parsed);
    acme_buf_clear(&der);
    free(key_pem);
    free(cert);
    free(chain);
    free(full);
}

/* What live is, which must be one of the pairs, complete; with `files` by what
 * others read, too. */
static enum seen
look(const char *when, int step, unsigned with_luck, bool files)
{
    struct acme_version version;
    enum seen seen = SEEN_NONE;
    enum acme_rc rc;

    acme_error_clear(&err);
    acme_version_init(&version);
    rc = acme_store_live_read(store, "a", &version, &err);
    if (rc == ACME_OK && err.rc == ACME_OK) {
        if (helper_store_same(&version, &old_pair))
            seen = SEEN_OLD;
        else if (helper_store_same(&version, &new_pair))
            seen = SEEN_NEW;
        else
            fail_msg("%s, step %d, luck %u: a mix", when, step, with_luck);
        if (files) {
            check_files("", &version.pair[0]);
            check_files(".rsa", &version.pair[1]);
        }
    } else if (rc != ACME_NOENT) {
        fail_msg("%s, step %d, luck %u: %s", when, step, with_luck, err.what);
    }
    acme_error_clear(&err);
    acme_version_clear(&version);
    return seen;
}

/* Nothing temporary or half is left. */
static void
check_tidy(void)
{
    struct acme_dir_names names;
    size_t i;

    if (!helper_tmp_exists(&tmp, "state/archive/a"))
        return;
    ok(acme_dir_names_read(tmp.fd, "state/archive/a", true, &names, &err));
    for (i = 0; i < names.count; i++)
        if (names.name[i][0] == '.')
            fail_msg("left: %s", names.name[i]);
    acme_dir_names_free(&names);
}

static bool must_have_old; /* there was a pair before */
static unsigned recovered; /* times that live moved */

/* Life goes on after it. */
static void
go_on(void)
{
    struct acme_version again = new_pair;
    unsigned number = 0;

    ok(acme_store_version_write(store, "a", &again, time(NULL), &err));
    ok(acme_store_live(store, "a", &number, &err));
    assert_int_equal(number, again.number);
    assert_int_equal(look("next", 0, 0, false), SEEN_NEW);
}

static void
check_pair(int step, unsigned with_luck)
{
    enum seen before, after;
    bool moved = false;

    open_store();
    before = look("before recovery", step, with_luck, true);
    if (must_have_old && before == SEEN_NONE)
        fail_msg("step %d, luck %u: the old pair is gone", step, with_luck);
    ok(acme_store_recover(store, "a", &moved, &err));
    after = look("after recovery", step, with_luck, moved);
    if (moved != (before != after) || after < before)
        fail_msg("step %d, luck %u: %d became %d", step, with_luck,
            (int)before, (int)after);
    if (completed && after != SEEN_NEW)
        fail_msg("luck %u: it was done, and is undone", with_luck);
    recovered += moved;
    check_tidy();
    ok(acme_store_recover(store, "a", &moved, &err));
    assert_false(moved);

    if (with_luck == NOTHING)
        go_on();
    close_store();
}

static void
nothing(void)
{
}

static void
write_old(void)
{
    struct acme_version version = old_pair;

    ok(acme_store_version_write(store, "a", &version, time(NULL), &err));
}

static void
write_new(void)
{
    struct acme_version version = new_pair;

    (void)acme_store_version_write(store, "a", &version, time(NULL), &err);
}

/* So many versions, of such an age, that a new one prunes. */
static void
write_many(void)
{
    struct timespec times[2];
    char path[64];
    unsigned i;

    memset(times, 0, sizeof(times));
    times[0].tv_sec = times[1].tv_sec = time(NULL) - 10000;
    for (i = 1; i <= 7; i++) {
        write_old();
        (void)snprintf(path, sizeof(path), "state/archive/a/%u", i);
        assert_int_equal(utimensat(tmp.fd, path, times, 0), 0);
    }
}

static void
test_first(void **state)
{
    (void)state;
    must_have_old = false;
    recovered = 0;
    crash_everywhere(nothing, write_new, check_pair, 40);
    assert_true(recovered > 0); /* what is complete is not lost */
}

/* A renewal whose mark may still be on the disk, and then back. */
static void
write_and_roll_back(void)
{
    write_new();
    (void)acme_store_switch(store, "a", 1, &err);
}

static void
check_rollback(int step, unsigned with_luck)
{
    enum seen before, after;
    bool moved = false;

    open_store();
    before = look("before recovery", step, with_luck, true);
    ok(acme_store_recover(store, "a", &moved, &err));
    after = look("after recovery", step, with_luck, moved);
    if (before == SEEN_NONE || after < before)
        fail_msg("step %d, luck %u: %d became %d", step, with_luck,
            (int)before, (int)after);
    if (completed && after != SEEN_OLD)
        fail_msg("luck %u: it was rolled back, and is not", with_luck);
    recovered += moved;
    check_tidy();
    close_store();
}

static void
test_rollback(void **state)
{
    (void)state;
    recovered = 0;
    crash_everywhere(write_old, write_and_roll_back, check_rollback, 40);
    assert_true(recovered > 0);
}

/* archive/a was made by somebody who died before it was on the disk. */
static void
write_unsynced(void)
{
    assert_int_equal(mkdirat(tmp.fd, "state/archive/a", 0700), 0);
    if (disk.on)
        (void)disk_add(tmp.fd, "state/archive/a");
    write_new();
}

static void
test_first_again(void **state)
{
    (void)state;
    must_have_old = false;
    crash_everywhere(nothing, write_unsynced, check_pair, 40);
}

static void
test_renewal(void **state)
{
    (void)state;
    must_have_old = true;
    recovered = 0;
    crash_everywhere(write_old, write_new, check_pair, 40);
    assert_true(recovered > 0);
}

static void
test_prune(void **state)
{
    (void)state;
    must_have_old = true;
    crash_everywhere(write_many, write_new, check_pair, 70);
}

/* The recovery may die as well.  Base: a renewal that died at step `died`. */
static int died;

static void
die_in_renewal(void)
{
    write_old();
    close_store();
    (void)crash_at(died, NO_CUT, write_new);
    open_store();
}

static void
check_recovery(int step, unsigned with_luck)
{
    completed = false; /* what a recovery ends with depends on `died` */
    check_pair(step, with_luck);
}

static void
recover(void)
{
    bool moved = false;

    (void)acme_store_recover(store, "a", &moved, &err);
}

static void
test_recovery(void **state)
{
    (void)state;
    must_have_old = true;
    for (died = 7; died < 75; died += 11) {
        crash_everywhere(die_in_renewal, recover, check_recovery, 0);
        helper_tmp_remove(&tmp, "base");
        helper_tmp_remove(&tmp, "state");
    }
}

/* ---- failing disks ---------------------------------------------------- */

/* The first error is returned, live is where it was; or it is not returned
 * and the new pair is live. */
static void
check_failed(enum acme_rc rc, int step, int errnum)
{
    enum seen seen;

    no_faults();
    if (rc != ACME_OK && (rc != err.rc || err.what[0] == '\0'))
        fail_msg("step %d, errno %d: no error", step, errnum);
    if (rc != ACME_OK && strstr(err.what, strerror(errnum)) == NULL)
        fail_msg("step %d: %s", step, err.what);
    seen = look("after the error", step, (unsigned)errnum, true);
    if (seen != (rc == ACME_OK ? SEEN_NEW : SEEN_OLD))
        fail_msg("step %d, errno %d: rc %d, seen %d", step, errnum, (int)rc,
            (int)seen);
    close_store();
    completed = rc == ACME_OK;
    check_pair(step, NOTHING);
}

static void
test_failing(void **state)
{
    static const int errnums[] = { ENOSPC, EROFS, EIO };
    struct acme_version version;
    unsigned failed = 0, late = 0;
    bool more = true;
    enum acme_rc rc;
    int at;
    size_t i;

    (void)state;
    must_have_old = true;
    make_base(write_many);
    for (at = 0; more; at++) {
        for (i = 0; i < 3; i++) {
            restore_base();
            open_store();
            version = new_pair;
            no_faults();
            fault.at = at;
            fault.errnum = errnums[i];
            fault.from_there_on = errnums[i] == EROFS;
            rc = acme_store_version_write(store, "a", &version, time(NULL),
                &err);
            more = fault.count > at;
            if (rc != ACME_OK && version.number != 0)
                fail_msg("step %d: output touched", at);
            if (rc != ACME_OK)
                failed++;
            else if (more)
                late++;
            check_failed(rc, at, fault.errnum);
        }
    }
    print_message("# %u errors, %u after the switch\n", failed, late);
    assert_true(failed > 100);
    assert_true(late > 20);
}

/* ---- orders, small files, opening ------------------------------------- */

static void
write_order(void)
{
    ok(acme_store_order_write(store, "a", "old", 3, old_pair.pair[0].key.data,
        old_pair.pair[0].key.len, &err));
}

static void
replace_order(void)
{
    (void)acme_store_order_write(store, "a", "new", 3,
        new_pair.pair[0].key.data, new_pair.pair[0].key.len, &err);
}

static void
drop_order(void)
{
    (void)acme_store_order_drop(store, "a", &err);
}

static const char *done_order; /* what there is when it is done */

/* The order with its own key, or no order.  After a loss of power one of the
 * files may be missing or empty, but is never that of another order. */
static void
check_order(int step, unsigned with_luck)
{
    const struct acme_pair *pair;
    struct acme_buf text, key;
    enum acme_rc rc;

    acme_buf_init(&text, 100);
    acme_buf_init_secret(&key, 10000);
    open_store();
    rc = acme_store_order_read(store, "a", &text, &key, &err);
    if (rc == ACME_OK && with_luck != NO_CUT &&
        (text.len == 0 || key.len == 0)) {
        acme_buf_reset(&text);
    } else if (rc == ACME_OK) {
        pair = strcmp(acme_buf_str(&text), "new") == 0 ? &new_pair.pair[0]
                                                       : &old_pair.pair[0];
        if (key.len != pair->key.len ||
            memcmp(key.data, pair->key.data, key.len) != 0)
            fail_msg("step %d, luck %u: the key of another order", step,
                with_luck);
    } else if (rc != ACME_NOENT && with_luck == NO_CUT) {
        fail_msg("step %d, luck %u: %s", step, with_luck, err.what);
    }
    if (completed && with_luck == NO_CUT &&
        strcmp(acme_buf_str(&text), done_order) != 0)
        fail_msg("luck %u: it was done, and is undone", with_luck);
    acme_error_clear(&err);
    write_order();
    close_store();
    acme_buf_clear(&text);
    acme_buf_clear(&key);
}

static void
test_order(void **state)
{
    (void)state;
    done_order = "new";
    crash_everywhere(write_order, replace_order, check_order, 10);
}

/* Of a file that was written without a sync: after a loss of power it may be
 * empty. */
static bool
is_old_or_new(struct acme_buf *text, const char *old, const char *new,
    unsigned with_luck)
{
    if (strcmp(acme_buf_str(text), new) == 0)
        return true;
    if (strcmp(acme_buf_str(text), old) == 0)
        return !completed || with_luck != NO_CUT;
    return text->len == 0 && with_luck != NO_CUT;
}

static void
update_order(void)
{
    (void)acme_store_order_update(store, "a", "newer", 5, &err);
}

/* Only its text changed: a loss of power may undo that. */
static void
check_update(int step, unsigned with_luck)
{
    struct acme_buf text, key;

    acme_buf_init(&text, 100);
    acme_buf_init_secret(&key, 10000);
    open_store();
    ok(acme_store_order_read(store, "a", &text, &key, &err));
    if (!is_old_or_new(&text, "old", "newer", with_luck))
        fail_msg("step %d, luck %u: %s", step, with_luck, acme_buf_str(&text));
    assert_int_equal(key.len, old_pair.pair[0].key.len);
    close_store();
    acme_buf_clear(&text);
    acme_buf_clear(&key);
}

static void
test_update(void **state)
{
    (void)state;
    crash_everywhere(write_order, update_order, check_update, 4);
}

static void
test_first_order(void **state)
{
    (void)state;
    done_order = "new";
    crash_everywhere(nothing, replace_order, check_order, 10);
}

static void
test_drop(void **state)
{
    (void)state;
    done_order = "";
    crash_everywhere(write_order, drop_order, check_order, 4);
}

static void
write_old_record(void)
{
    ok(acme_store_record_write(store, "a", "{\"old\": 1}", 10, &err));
}

static void
write_new_record(void)
{
    (void)acme_store_record_write(store, "a", "{\"new\": 22}", 11, &err);
}

static void
check_record(int step, unsigned with_luck)
{
    struct acme_buf text;

    acme_buf_init(&text, 100);
    open_store();
    ok(acme_store_record_read(store, "a", &text, &err));
    if (!is_old_or_new(&text, "{\"old\": 1}", "{\"new\": 22}", with_luck))
        fail_msg("step %d, luck %u: %s", step, with_luck, acme_buf_str(&text));
    close_store();
    acme_buf_clear(&text);
}

static void
test_record(void **state)
{
    (void)state;
    crash_everywhere(write_old_record, write_new_record, check_record, 4);
}

static void
store_account(void)
{
    if (acme_store_account_key(store, &issuer, account_key, &err) == ACME_OK)
        (void)acme_store_account_url(store, &issuer, account_id,
            "https://ca.test/1", 1700000000, &err);
}

/* No account, the key, or both; never something that stops the next. */
static void
check_account(int step, unsigned with_luck)
{
    struct acme_account_entry entry = { "", "", NULL };
    enum acme_rc rc;

    open_store();
    rc = acme_store_account(store, &issuer, NULL, &entry, &err);
    if (rc == ACME_OK)
        assert_string_equal(entry.id, account_id);
    else if (rc != ACME_NOENT)
        fail_msg("step %d, luck %u: %s", step, with_luck, err.what);
    if (completed && entry.url[0] == '\0')
        fail_msg("luck %u: it was done, and is undone", with_luck);
    acme_account_entry_clear(&entry);
    acme_error_clear(&err);
    store_account();
    ok(acme_store_account(store, &issuer, NULL, &entry, &err));
    assert_string_equal(entry.url, "https://ca.test/1");
    acme_account_entry_clear(&entry);
    close_store();
}

static void
test_account(void **state)
{
    (void)state;
    crash_everywhere(nothing, store_account, check_account, 15);
}

/* The opening itself: every step of it, on an empty directory. */
static void
test_open(void **state)
{
    int at, status;
    pid_t pid;

    (void)state;
    for (at = 0;; at++) {
        pid = fork();
        if (pid == 0) {
            no_faults();
            fault.at = at;
            open_store();
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        open_store();
        ok(acme_store_record_write(store, "a", "{}", 2, &err));
        close_store();
        helper_tmp_remove(&tmp, "state");
        if (WEXITSTATUS(status) != CRASHED)
            break;
    }
    assert_true(at > 30);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first),
        TEST(test_first_again),
        TEST(test_renewal),
        TEST(test_rollback),
        TEST(test_prune),
        TEST(test_recovery),
        TEST(test_failing),
        TEST(test_order),
        TEST(test_update),
        TEST(test_first_order),
        TEST(test_drop),
        TEST(test_record),
        TEST(test_account),
        TEST(test_open),
    };

    alarm(900);
    return cmocka_run_group_tests_name("store_crash", tests, setup_group,
        teardown_group);
}
