#define _GNU_SOURCE
#include "drive/acme_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "base/acme_limits.h"
#include "base/acme_log.h"

static int
by_number(const void *a, const void *b)
{
    const int *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void
close_between(unsigned first, unsigned last)
{
    unsigned fd, most = (unsigned)sysconf(_SC_OPEN_MAX);

#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, last, 0) == 0)
        return;
#endif
    if (last > most)
        last = most;
    for (fd = first; fd <= last; fd++)
        (void)close((int)fd);
}

#define KEEP_MAX 32

void
acme_child_close_others(const int *keep, size_t nkeep)
{
    int sorted[KEEP_MAX];
    unsigned next = 3;
    size_t i, n = 0;

    for (i = 0; i < nkeep && n < KEEP_MAX; i++) {
        if (keep[i] > 2)
            sorted[n++] = keep[i];
    }
    qsort(sorted, n, sizeof(sorted[0]), by_number);
    for (i = 0; i < n; i++) {
        if ((unsigned)sorted[i] > next)
            close_between(next, (unsigned)sorted[i] - 1);
        next = (unsigned)sorted[i] + 1;
    }
    close_between(next, ~0u);
}

static bool
is_kept(int fd, const int *keep, size_t nkeep)
{
    size_t i;

    for (i = 0; i < nkeep; i++) {
        if (keep[i] == fd)
            return true;
    }
    return false;
}

static void
null_standard(const int *keep, size_t nkeep)
{
    int fd, null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (fd = 0; null != -1 && fd <= 2; fd++) {
        if (!is_kept(fd, keep, nkeep))
            (void)dup2(null, fd);
    }
    if (null > 2)
        close(null);
}

static void
reset_signals(void)
{
    static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2,
        SIGWINCH, SIGPIPE, SIGALRM };
    struct sigaction action;
    sigset_t none;
    size_t i;
    int sig;

    memset(&action, 0, sizeof(action));
    sigemptyset(&action.sa_mask);
    action.sa_handler = SIG_DFL;
    for (sig = 1; sig < 32; sig++)
        (void)sigaction(sig, &action, NULL);
    action.sa_handler = SIG_IGN;
    for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        (void)sigaction(ignored[i], &action, NULL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

void
acme_child_begin(const char *comm, const int *keep, size_t nkeep)
{
    reset_signals();
    null_standard(keep, nkeep);
    acme_child_close_others(keep, nkeep);
#ifdef __linux__
    (void)prctl(PR_SET_NAME, comm, 0, 0, 0);
#else
    (void)comm;
#endif
}

/* ---- the child's host ------------------------------------------------- */

/* One message is {level, text}; a full socket loses the line rather than
 * stopping the work. */
static void
child_log(void *ctx, enum acme_level level, const char *line)
{
    const struct acme_child *child = ctx;
    char message[1 + ACME_LOG_LINE_MAX];
    size_t len = strlen(line);

    if (len > ACME_LOG_LINE_MAX)
        len = ACME_LOG_LINE_MAX;
    message[0] = (char)level;
    memcpy(message + 1, line, len);
    (void)send(child->log, message, 1 + len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static time_t
child_now(void *ctx)
{
    (void)ctx;
    return time(NULL);
}

static bool
child_wait(void *ctx, unsigned ms)
{
    const struct acme_child *child = ctx;
    struct pollfd pfd = { child->stop, POLLIN, 0 };

    return poll(&pfd, 1, (int)ms) <= 0;
}

bool
acme_child_is_last(const struct acme_child *child)
{
    char byte;

    return read(child->stop, &byte, 1) == 1;
}

bool
acme_child_open_wake(struct acme_child *child)
{
    return pipe2(child->wake, O_CLOEXEC | O_NONBLOCK) == 0;
}

/* A full pipe has woken it already. */
void
acme_child_wake(void *ctx)
{
    const struct acme_child *child = ctx;
    ssize_t ignored = write(child->wake[1], "", 1);

    (void)ignored;
}

bool
acme_child_idle(void *ctx, unsigned ms)
{
    const struct acme_child *child = ctx;
    struct pollfd fds[3] = { { child->stop, POLLIN, 0 },
        { child->frame, POLLIN, 0 }, { child->wake[0], POLLIN, 0 } };
    char bytes[64];

    if (poll(fds, 3, (int)ms) <= 0)
        return true;
    if (fds[2].revents != 0)
        while (read(child->wake[0], bytes, sizeof(bytes)) > 0)
            continue;
    return fds[0].revents == 0;
}

struct acme_host
acme_child_host(struct acme_child *child)
{
    struct acme_host host = { child, child_log, child_now, child_wait };

    return host;
}

/* ---- lines ------------------------------------------------------------ */

bool
acme_child_log_pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0;
}

/* Bounded, so that a flood of lines cannot keep the supervisor here. */
#define LINES_AT_ONCE 256

void
acme_child_log_drain(int fd,
    void (*log)(void *ctx, enum acme_level level, const char *line), void *ctx)
{
    char message[1 + ACME_LOG_LINE_MAX], line[ACME_LOG_LINE_MAX + 1];
    int i;

    for (i = 0; i < LINES_AT_ONCE; i++) {
        ssize_t n = recv(fd, message, sizeof(message), MSG_DONTWAIT);
        unsigned level = (unsigned char)message[0];

        if (n < 1)
            return;
        acme_log_clean(line, sizeof(line), message + 1, (size_t)n - 1);
        log(ctx,
            level <= ACME_LOG_DEBUG ? (enum acme_level)level : ACME_LOG_ERROR,
            line);
    }
}
