#define _GNU_SOURCE /* setresuid */
/*
 * acme_sandbox.h: what store and engine cannot do any more.  Each case is a
 * child that confines itself and tries; a kernel without Landlock is told
 * from a hole by the report.
 */
#include <arpa/inet.h>
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
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "drive/acme_sandbox.h"
#include "helper_skip.h"
#include "helper_tmp.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    PATIENCE_S = 20,
    OTHER = 65534
};

/* How a try went. */
enum outcome {
    ALLOWED = 10,
    DENIED,
    OTHERWISE
};

/* What must hold before a denial can be expected. */
enum by {
    LANDLOCK,
    SECCOMP,
    CAPABILITIES
};

static struct helper_tmp tmp;
static int state_fd;

static int
setup(void **state)
{
    (void)state;
    helper_tmp_init(&tmp);
    helper_tmp_mkdir(&tmp, "state");
    helper_tmp_mkdir(&tmp, "state/below");
    helper_tmp_puts(&tmp, "state/inside", "inside");
    helper_tmp_puts(&tmp, "outside", "outside");
    /* the engine may be another user: only the sandbox is to stop it */
    assert_int_equal(chmod(tmp.path, 0777), 0);
    assert_int_equal(chmod(helper_tmp_path(&tmp, "outside"), 0666), 0);
    state_fd = open(helper_tmp_path(&tmp, "state"), O_RDONLY | O_DIRECTORY);
    assert_int_not_equal(state_fd, -1);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    close(state_fd);
    helper_tmp_clear(&tmp);
    return 0;
}

/* ---- tries, each ALLOWED, DENIED or OTHERWISE ------------------------- */

static enum outcome
judge(long result)
{
    if (result >= 0)
        return ALLOWED;
    return errno == EACCES || errno == EPERM ? DENIED : OTHERWISE;
}

static enum outcome
read_outside(void)
{
    return judge(open(helper_tmp_path(&tmp, "outside"), O_RDONLY));
}

static enum outcome
read_passwd(void)
{
    return judge(open("/etc/passwd", O_RDONLY));
}

static enum outcome
list_root(void)
{
    return judge(open("/", O_RDONLY | O_DIRECTORY));
}

static enum outcome
write_outside(void)
{
    return judge(open(helper_tmp_path(&tmp, "outside"), O_WRONLY));
}

static enum outcome
create_outside(void)
{
    return judge(open(helper_tmp_path(&tmp, "new"), O_WRONLY | O_CREAT, 0600));
}

static enum outcome
remove_outside(void)
{
    return judge(unlink(helper_tmp_path(&tmp, "outside")));
}

static enum outcome
link_outside(void)
{
    return judge(symlink("x", helper_tmp_path(&tmp, "link")));
}

static enum outcome
truncate_outside(void)
{
    return judge(truncate(helper_tmp_path(&tmp, "outside"), 0));
}

static enum outcome
read_inside(void)
{
    return judge(openat(state_fd, "inside", O_RDONLY));
}

static enum outcome
write_inside(void)
{
    return judge(openat(state_fd, "below/new", O_WRONLY | O_CREAT, 0600));
}

static enum outcome
rename_inside(void)
{
    return judge(renameat(state_fd, "inside", state_fd, "below/moved"));
}

static enum outcome
link_inside(void)
{
    return judge(symlinkat("inside", state_fd, "link"));
}

static enum outcome
run_program(void)
{
    char *const argv[] = { (char *)(uintptr_t) "/bin/true", NULL };

    return judge(execve(argv[0], argv, argv + 1));
}

static enum outcome
make_socket(void)
{
    return judge(socket(AF_INET, SOCK_STREAM, 0));
}

static enum outcome
make_local_socket(void)
{
    return judge(socket(AF_UNIX, SOCK_STREAM, 0));
}

static enum outcome
make_pair(void)
{
    int fds[2];

    return judge(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
}

static enum outcome
bind_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd == -1)
        return OTHERWISE;
    return judge(bind(fd, (struct sockaddr *)&address, sizeof(address)));
}

static enum outcome
listen_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd == -1 ? OTHERWISE : judge(listen(fd, 1));
}

/* Refused by nobody there, not by us. */
static enum outcome
connect_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
        .sin_port = htons(1) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
        errno == ECONNREFUSED)
        return ALLOWED;
    return judge(-1);
}

static enum outcome
trace_parent(void)
{
    return judge(ptrace(PTRACE_SEIZE, getppid(), 0, 0));
}

static enum outcome
become_root(void)
{
    return judge(setresuid(0, 0, 0));
}

static enum outcome
change_owner(void)
{
    return judge(fchownat(state_fd, "inside", OTHER, OTHER, 0));
}

/* CAP_DAC_OVERRIDE: a file that is another one's and closed. */
static enum outcome
override_mode(void)
{
    return judge(openat(state_fd, "closed", O_RDONLY));
}

/* ---- running them ----------------------------------------------------- */

static bool
stands(enum by by, const struct acme_sandbox_report *report)
{
    switch (by) {
    case LANDLOCK:
        return report->landlock;
    case SECCOMP:
        return report->seccomp;
    default: /* works on every kernel */
        return true;
    }
}

struct
try {
    const char *label;
    enum outcome (*run)(void);
    enum outcome wanted;
    enum by by; /* what denies it */
};

static int
try_as_store(const struct try *try)
{
    struct acme_sandbox_report report = { false, false, false };

    acme_sandbox_process();
    acme_sandbox_store(state_fd, NULL, 0, &report);
    if (try->wanted == DENIED && !stands(try->by, &report))
        return DENIED;
    return (int)try->run();
}

static int
try_as_watcher(const struct try *try)
{
    struct acme_sandbox_report report = { false, false, false };

    acme_sandbox_process();
    acme_sandbox_watcher(&report);
    if (try->wanted == DENIED && !stands(try->by, &report))
        return DENIED;
    return (int)try->run();
}

static int
try_as_engine(const struct try *try)
{
    struct acme_sandbox_report report = { false, false, false };
    struct acme_error err;

    acme_error_clear(&err);
    acme_sandbox_process();
    if (acme_sandbox_engine(OTHER, OTHER, &report, &err) != ACME_OK)
        return 1;
    if (try->wanted == DENIED && !stands(try->by, &report))
        return DENIED;
    return (int)try->run();
}

/* The status a child ends with; it is killed if it takes too long. */
static int
in_child(int (*run)(const struct try *try), const struct try *try)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        alarm(PATIENCE_S);
        _exit(run(try));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
run_all(const char *who, int (*run)(const struct try *try),
    const struct try *tries, size_t n)
{
    size_t i;
    int got;

    for (i = 0; i < n; i++) {
        got = in_child(run, &tries[i]);
        /* a program that ran has left 0 behind */
        if (got != (int)tries[i].wanted)
            fail_msg("%s, %s: %d instead of %d", who, tries[i].label, got,
                (int)tries[i].wanted);
    }
}

/* Without a sandbox all of it works, or the tries below say nothing. */
static int
try_free(const struct try *try)
{
    return (int)try->run();
}

static void
test_unconfined(void **state)
{
    static const struct try tries[] = {
        { "read outside", read_outside, ALLOWED, LANDLOCK },
        { "read /etc/passwd", read_passwd, ALLOWED, LANDLOCK },
        { "list /", list_root, ALLOWED, LANDLOCK },
        { "write outside", write_outside, ALLOWED, LANDLOCK },
        { "truncate outside", truncate_outside, ALLOWED, LANDLOCK },
        { "create outside", create_outside, ALLOWED, LANDLOCK },
        { "link outside", link_outside, ALLOWED, LANDLOCK },
        { "remove outside", remove_outside, ALLOWED, LANDLOCK },
        { "socket", make_socket, ALLOWED, SECCOMP },
        { "local socket", make_local_socket, ALLOWED, SECCOMP },
        { "socket pair", make_pair, ALLOWED, SECCOMP },
        { "bind", bind_port, ALLOWED, LANDLOCK },
        { "listen", listen_port, ALLOWED, SECCOMP },
        { "connect", connect_port, ALLOWED, SECCOMP },
        { "exec", run_program, (enum outcome)0, SECCOMP },
    };

    (void)state;
    run_all("free", try_free, tries, COUNT(tries));
}

static void
test_store(void **state)
{
    static const struct try tries[] = {
        { "read outside", read_outside, DENIED, LANDLOCK },
        { "read /etc/passwd", read_passwd, DENIED, LANDLOCK },
        { "list /", list_root, DENIED, LANDLOCK },
        { "write outside", write_outside, DENIED, LANDLOCK },
        { "truncate outside", truncate_outside, DENIED, LANDLOCK },
        { "create outside", create_outside, DENIED, LANDLOCK },
        { "link outside", link_outside, DENIED, LANDLOCK },
        { "remove outside", remove_outside, DENIED, LANDLOCK },
        { "exec", run_program, DENIED, SECCOMP },
        { "ptrace", trace_parent, DENIED, SECCOMP },
        { "socket", make_socket, DENIED, SECCOMP },
        { "local socket", make_local_socket, DENIED, SECCOMP },
        { "socket pair", make_pair, DENIED, SECCOMP },
        { "read inside", read_inside, ALLOWED, LANDLOCK },
        { "write inside", write_inside, ALLOWED, LANDLOCK },
        { "link inside", link_inside, ALLOWED, LANDLOCK },
        { "rename inside", rename_inside, ALLOWED, LANDLOCK },
    };

    (void)state;
    run_all("store", try_as_store, tries, COUNT(tries));
}

/* Another one's file, closed to all but root. */
static void
put_closed(void)
{
    helper_tmp_puts(&tmp, "state/closed", "x");
    assert_int_equal(
        chown(helper_tmp_path(&tmp, "state/closed"), OTHER, OTHER), 0);
    assert_int_equal(chmod(helper_tmp_path(&tmp, "state/closed"), 0), 0);
}

static void
test_store_root(void **state)
{
    static const struct try tries[] = {
        { "another one's file", override_mode, DENIED, CAPABILITIES },
        { "chown", change_owner, ALLOWED, CAPABILITIES },
    };

    (void)state;
    if (geteuid() != 0)
        SKIP();
    put_closed();
    run_all("store", try_as_store, tries, COUNT(tries));
}

static void
test_watcher(void **state)
{
    static const struct try tries[] = {
        { "write outside", write_outside, DENIED, LANDLOCK },
        { "truncate outside", truncate_outside, DENIED, LANDLOCK },
        { "create outside", create_outside, DENIED, LANDLOCK },
        { "link outside", link_outside, DENIED, LANDLOCK },
        { "remove outside", remove_outside, DENIED, LANDLOCK },
        { "write inside", write_inside, DENIED, LANDLOCK },
        { "exec", run_program, DENIED, SECCOMP },
        { "ptrace", trace_parent, DENIED, SECCOMP },
        { "socket", make_socket, DENIED, SECCOMP },
        { "read /etc/passwd", read_passwd, ALLOWED, LANDLOCK },
    };

    (void)state;
    run_all("watcher", try_as_watcher, tries, COUNT(tries));
}

static void
test_watcher_root(void **state)
{
    static const struct try tries[] = {
        { "another one's file", override_mode, DENIED, CAPABILITIES },
        { "chown", change_owner, DENIED, CAPABILITIES },
    };

    (void)state;
    if (geteuid() != 0)
        SKIP();
    put_closed();
    run_all("watcher", try_as_watcher, tries, COUNT(tries));
}

static void
test_engine(void **state)
{
    static const struct try tries[] = {
        { "write outside", write_outside, DENIED, LANDLOCK },
        { "truncate outside", truncate_outside, DENIED, LANDLOCK },
        { "create outside", create_outside, DENIED, LANDLOCK },
        { "link outside", link_outside, DENIED, LANDLOCK },
        { "remove outside", remove_outside, DENIED, LANDLOCK },
        { "exec", run_program, DENIED, SECCOMP },
        { "ptrace", trace_parent, DENIED, SECCOMP },
        { "bind", bind_port, DENIED, LANDLOCK },
        { "listen", listen_port, DENIED, SECCOMP },
        /* name servers, trust stores, CAs */
        { "read /etc/passwd", read_passwd, ALLOWED, LANDLOCK },
        { "connect", connect_port, ALLOWED, SECCOMP },
    };

    (void)state;
    run_all("engine", try_as_engine, tries, COUNT(tries));
}

static void
test_engine_root(void **state)
{
    static const struct try tries[] = {
        { "root again", become_root, DENIED, CAPABILITIES },
        { "the state directory", read_inside, DENIED, CAPABILITIES },
    };

    (void)state;
    if (geteuid() != 0)
        SKIP();
    assert_int_equal(chmod(helper_tmp_path(&tmp, "state"), 0700), 0);
    run_all("engine", try_as_engine, tries, COUNT(tries));
}

/* ---- what every process of ours gives up ------------------------------ */

static int
check_process(const struct try *try)
{
    struct rlimit core;
    int fd;
    struct stat st;

    (void)try;
    acme_sandbox_process();
    if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max != 0)
        return 1;
    fd = openat(state_fd, "masked", O_WRONLY | O_CREAT, 0666);
    if (fd == -1 || fstat(fd, &st) != 0 || (st.st_mode & 0777) != 0600)
        return 2;
    /* not dumpable: /proc/self belongs to root */
    if (geteuid() != 0 && open("/proc/self/mem", O_RDONLY) != -1)
        return 3;
    return 0;
}

static int
check_process_as_other(const struct try *try)
{
    if (fchmodat(state_fd, ".", 0777, 0) != 0)
        return 4;
    if (geteuid() == 0 && (setgid(OTHER) != 0 || setuid(OTHER) != 0))
        return 5;
    if (prctl(PR_SET_DUMPABLE, 1) != 0) /* as after an exec */
        return 6;
    return check_process(try);
}

static void
test_process(void **state)
{
    (void)state;
    assert_int_equal(in_child(check_process, NULL), 0);
    helper_tmp_remove(&tmp, "state/masked");
    assert_int_equal(in_child(check_process_as_other, NULL), 0);
}

/* The engine is not dumpable either after its change of user. */
static enum outcome
read_own_memory(void)
{
    return judge(open("/proc/self/mem", O_RDONLY));
}

static void
test_engine_not_dumpable(void **state)
{
    static const struct try tries[] = {
        { "own memory", read_own_memory, DENIED, CAPABILITIES },
    };

    (void)state;
    run_all("engine", try_as_engine, tries, COUNT(tries));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unconfined),
        TEST(test_store),
        TEST(test_store_root),
        TEST(test_watcher),
        TEST(test_watcher_root),
        TEST(test_engine),
        TEST(test_engine_root),
        TEST(test_process),
        TEST(test_engine_not_dumpable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
