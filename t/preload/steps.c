/*
 * Preloaded into the very programs that are shipped (t/lib/Acme/Crash.pm):
 * stands between the store process and the kernel, numbers each call that
 * changes the state directory, and at one of them ends the process, holds it
 * or lets the call fail.  It knows directory and process only by name, so a
 * change that takes another way than acme_dir_write.c is seen, too.
 *
 * Who tests and who is tested share one page of memory, mapped when the
 * program starts: it outlives fork(), closed descriptors, another user and
 * the sandbox.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LINES 1024
#define LINE_MAX_ 160

enum action {
    NOTHING,
    DIE_BEFORE, /* by the signal `number` */
    DIE_AFTER,
    FAIL,       /* with errno `number` */
    FAIL_SINCE, /* this step and all that follow */
    HOLD,       /* until `released` is no less than the step */
    HOLD_EACH,
    FULL_SINCE /* as FAIL_SINCE, but for what needs no room on a disk */
};

/* Acme::Crash has the same numbers in its FIELD. */
struct shared {
    uint32_t action;
    uint32_t at; /* the first step is 1 */
    uint32_t number;
    uint32_t count;
    uint32_t fired; /* the step at which something was done; of each kind the
                     * last */
    uint32_t released;
    uint32_t held;   /* the step that waits */
    uint32_t strays; /* changes by another process than the store */
    uint32_t pid;    /* who did the step that fired */
    char below[256]; /* the state directory */
    char about[128]; /* only steps with this in their path count */
    char line[LINES][LINE_MAX_];
    char stray[LINE_MAX_];
};

static struct shared *shared;
static const char *also; /* name of another process whose steps count */

#define NEXT(name)                 \
    static __typeof__(&name) next; \
    if (next == NULL)              \
    next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void
attach(void)
{
    const char *path = getenv("ACME_STEPS");
    void *at;
    int fd;

    also = getenv("ACME_STEPS_ALSO");
    if (path == NULL)
        return;
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd == -1)
        return;
    at =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at != MAP_FAILED)
        shared = at;
}

/* ---- what is a step --------------------------------------------------- */

/* The path of a descriptor (and a name in it); false: not below the state
 * directory. */
static bool
find_path(int fd, const char *name, char *path, size_t size)
{
    char link[32], top[4096];
    size_t len = strlen(shared->below);
    ssize_t n;

    if (len == 0)
        return false;
    if (fd == AT_FDCWD)
        (void)snprintf(link, sizeof(link), "/proc/self/cwd");
    else
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, top, sizeof(top) - 1);
    if (n <= 0)
        return false;
    top[n] = '\0';
    if (strncmp(top, shared->below, len) != 0 ||
        (top[len] != '\0' && top[len] != '/'))
        return false;
    (void)snprintf(path, size, "%s%s%s", top + len + (top[len] == '/'),
        name != NULL && top[len] == '/' ? "/" : "", name != NULL ? name : "");
    if (path[0] == '\0')
        (void)snprintf(path, size, ".");
    return true;
}

static bool
is_store(void)
{
    char comm[17] = "";

    (void)prctl(PR_GET_NAME, comm, 0, 0, 0);
    return strcmp(comm, "acme-store") == 0 ||
           (also != NULL && strcmp(comm, also) == 0);
}

static void
wait_release(uint32_t step)
{
    __atomic_store_n(&shared->held, step, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&shared->released, __ATOMIC_SEQ_CST) < step)
        usleep(1000);
}

static void
fire(uint32_t step)
{
    shared->pid = (uint32_t)getpid();
    __atomic_store_n(&shared->fired, step, __ATOMIC_SEQ_CST);
}

static void
die(uint32_t step)
{
    fire(step);
    (void)kill(getpid(), (int)shared->number);
    _exit(99); /* blocked or ignored */
}

/* What a full disk refuses; names are changed and removed on it. */
static bool
needs_room(const char *what)
{
    static const char *const words[] = { "create", "write", "mkdir",
        "symlink", "link" };
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(what, words[i]) == 0)
            return true;
    return false;
}

static bool
fails(uint32_t action, const char *what, uint32_t step)
{
    return (action == FAIL && step == shared->at) ||
           (action == FAIL_SINCE && step >= shared->at) ||
           (action == FULL_SINCE && step >= shared->at && needs_room(what));
}

/*
 * Before the call: false says it is to fail, errno is set.  *step is 0 if the
 * call does not count.  Steps of two stores at once get different numbers.
 */
static bool
enter(const char *what, int fd, const char *name, uint32_t *step)
{
    char path[4096 + 300];
    uint32_t action;

    *step = 0;
    if (shared == NULL || !find_path(fd, name, path, sizeof(path)))
        return true;
    if (!is_store()) {
        (void)snprintf(shared->stray, LINE_MAX_, "%s %.140s", what, path);
        shared->strays++;
        return true;
    }
    if (strstr(path, shared->about) == NULL)
        return true;
    *step = __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
    (void)snprintf(shared->line[(*step - 1) % LINES], LINE_MAX_, "%s %.140s",
        what, path);
    action = shared->action;
    if (action == HOLD_EACH || (action == HOLD && *step == shared->at)) {
        fire(*step);
        wait_release(*step);
    }
    if (action == DIE_BEFORE && *step == shared->at)
        die(*step);
    if (fails(action, what, *step)) {
        fire(*step);
        errno = (int)shared->number;
        return false;
    }
    return true;
}

static void
leave(uint32_t step)
{
    if (step != 0 && shared->action == DIE_AFTER && step == shared->at)
        die(step);
}

/* What is there already is not made, what is not there not removed. */
static bool
exists(int dir, const char *name)
{
    struct stat st;
    int errnum = errno;
    bool found = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;

    errno = errnum;
    return found;
}

/* ---- the calls -------------------------------------------------------- */

#define STEP(what, fd, name, call)         \
    do {                                   \
        uint32_t step;                     \
        __typeof__(call) result;           \
        if (!enter(what, fd, name, &step)) \
            return -1;                     \
        result = call;                     \
        leave(step);                       \
        return result;                     \
    } while (0)

#define OPENAT(function)                                         \
    int function(int dir, const char *name, int flags, ...)      \
    {                                                            \
        mode_t mode = 0;                                         \
        va_list args;                                            \
        NEXT(function);                                          \
        if ((flags & (O_CREAT | __O_TMPFILE)) != 0) {            \
            va_start(args, flags);                               \
            mode = va_arg(args, mode_t);                         \
            va_end(args);                                        \
        }                                                        \
        if ((flags & O_CREAT) == 0 || exists(dir, name))         \
            return next(dir, name, flags, mode);                 \
        STEP("create", dir, name, next(dir, name, flags, mode)); \
    }

OPENAT(openat)
OPENAT(openat64)

ssize_t
write(int fd, const void *data, size_t len)
{
    uint32_t step;
    ssize_t n;
    NEXT(write);

    if (!enter("write", fd, NULL, &step)) {
        if (len > 1)
            (void)!next(fd, data, len / 2); /* the disk is full in between */
        return -1;
    }
    n = next(fd, data, len);
    leave(step);
    return n;
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t offset)
{
    NEXT(pwrite);
    STEP("write", fd, NULL, next(fd, data, len, offset));
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
    NEXT(pwrite64);
    STEP("write", fd, NULL, next(fd, data, len, offset));
}

int
ftruncate(int fd, off_t len)
{
    NEXT(ftruncate);
    STEP("truncate", fd, NULL, next(fd, len));
}

int
ftruncate64(int fd, off64_t len)
{
    NEXT(ftruncate64);
    STEP("truncate", fd, NULL, next(fd, len));
}

/* No machine dies here: nobody has to wait for the disk. */
int
fsync(int fd)
{
    NEXT(fsync);
    STEP("sync", fd, NULL, step == 0 ? next(fd) : 0);
}

int
fdatasync(int fd)
{
    NEXT(fdatasync);
    STEP("sync", fd, NULL, step == 0 ? next(fd) : 0);
}

int
fchmod(int fd, mode_t mode)
{
    NEXT(fchmod);
    STEP("chmod", fd, NULL, next(fd, mode));
}

int
futimens(int fd, const struct timespec times[2])
{
    NEXT(futimens);
    STEP("touch", fd, NULL, next(fd, times));
}

int
mkdirat(int dir, const char *name, mode_t mode)
{
    NEXT(mkdirat);
    if (exists(dir, name))
        return next(dir, name, mode);
    STEP("mkdir", dir, name, next(dir, name, mode));
}

int
symlinkat(const char *target, int dir, const char *name)
{
    NEXT(symlinkat);
    STEP("symlink", dir, name, next(target, dir, name));
}

int
linkat(int from, const char *old, int to, const char *name, int flags)
{
    NEXT(linkat);
    STEP("link", to, name, next(from, old, to, name, flags));
}

int
renameat(int from, const char *old, int to, const char *name)
{
    NEXT(renameat);
    STEP("rename", to, name, next(from, old, to, name));
}

int
renameat2(int from, const char *old, int to, const char *name, unsigned flags)
{
    NEXT(renameat2);
    STEP("rename", to, name, next(from, old, to, name, flags));
}

int
unlinkat(int dir, const char *name, int flags)
{
    NEXT(unlinkat);
    if (!exists(dir, name))
        return next(dir, name, flags);
    STEP("remove", dir, name, next(dir, name, flags));
}

int
fchmodat(int dir, const char *name, mode_t mode, int flags)
{
    NEXT(fchmodat);
    STEP("chmod", dir, name, next(dir, name, mode, flags));
}

/* A socket's file; its path is short and relative. */
int
bind(int fd, const struct sockaddr *address, socklen_t len)
{
    const struct sockaddr_un *un = (const void *)address;
    NEXT(bind);

    if (address->sa_family != AF_UNIX || un->sun_path[0] == '/' ||
        un->sun_path[0] == '\0')
        return next(fd, address, len);
    STEP("bind", AT_FDCWD, un->sun_path, next(fd, address, len));
}
