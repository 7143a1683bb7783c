/*
 * acme_service.h with real processes: who they are, what they have, and that
 * they come again or go when they should.  No CA is there (port 1).
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/acme_log.h"
#include "drive/acme_child.h"
#include "drive/acme_service.h"
#include "helper_skip.h"
#include "helper_tmp.h"

/* How long anything is waited for; nothing takes a tenth of it. */
enum {
    PATIENCE_MS = 20000,
    TEST_S = 90,
    OTHER = 65534
};

struct world {
    struct helper_tmp tmp;
    struct acme_config *config;
    struct acme_area *area;
    struct acme_server server;
    struct acme_service service;
    struct acme_error err;
    int log[2]; /* lines of the supervisor: "LEVEL text\n" */
    int kept[1];
    char lines[65536];
    size_t nlines; /* bytes of them */
    pid_t store, engine;
};

/* ---- looking at processes --------------------------------------------- */

/* A file of /proc; "" when the process is gone. */
static const char *
proc_file(pid_t pid, const char *name)
{
    static char text[1 << 18];
    char path[64];
    size_t len = 0;
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
    fd = open(path, O_RDONLY);
    while (fd != -1 && len < sizeof(text) - 1 &&
           (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    if (fd != -1)
        close(fd);
    text[len] = '\0';
    return text;
}

/* A dead process that nobody has waited for is gone too. */
static bool
is_gone(pid_t pid)
{
    const char *state = strrchr(proc_file(pid, "stat"), ')');

    return state == NULL || state[2] == 'Z';
}

static pid_t
parent_of(pid_t pid)
{
    const char *end = strrchr(proc_file(pid, "stat"), ')');
    long parent = -1;

    if (end != NULL)
        (void)sscanf(end + 3, " %ld", &parent);
    return (pid_t)parent;
}

static bool
is_named(pid_t pid, const char *comm)
{
    const char *text = proc_file(pid, "comm");

    return strncmp(text, comm, strlen(comm)) == 0 &&
           text[strlen(comm)] == '\n';
}

/* The child of that name; 0: none that lives. */
static pid_t
child_of(pid_t parent, const char *comm)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    pid_t found = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        pid_t pid = (pid_t)atol(entry->d_name);

        if (isdigit((unsigned char)entry->d_name[0]) &&
            parent_of(pid) == parent && is_named(pid, comm) && !is_gone(pid))
            found = pid;
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

/* The value of a line of /proc/PID/status. */
static const char *
status_of(pid_t pid, const char *name)
{
    static char value[256];
    char key[64];
    const char *at;

    (void)snprintf(key, sizeof(key), "\n%s:", name);
    at = strstr(proc_file(pid, "status"), key);
    if (at == NULL)
        fail_msg("no %s of %ld", name, (long)pid);
    at += strlen(key);
    at += strspn(at, " \t");
    (void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\n"), at);
    return value;
}

/* ---- waiting ---------------------------------------------------------- */

static long
clock_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool
wait_for(struct world *w, bool (*is_so)(struct world *w))
{
    long until = clock_ms() + PATIENCE_MS;
    bool so;

    while (!(so = is_so(w)) && clock_ms() < until)
        usleep(10000);
    return so;
}

/* Both are there, and neither is one of those remembered in `w`. */
static bool
are_new(struct world *w)
{
    pid_t store = child_of(w->service.pid, "acme-store");
    pid_t engine = child_of(w->service.pid, "acme-engine");

    return store != 0 && engine != 0 && store != w->store &&
           engine != w->engine;
}

static void
remember_parts(struct world *w)
{
    assert_true(wait_for(w, are_new));
    w->store = child_of(w->service.pid, "acme-store");
    w->engine = child_of(w->service.pid, "acme-engine");
}

static bool
parts_are_gone(struct world *w)
{
    return is_gone(w->store) && is_gone(w->engine);
}

static bool
all_are_gone(struct world *w)
{
    return parts_are_gone(w) && is_gone(w->service.pid);
}

static bool
is_over(struct world *w)
{
    return !acme_service_alive(&w->service);
}

static void
read_lines(struct world *w)
{
    struct pollfd pfd = { w->log[0], POLLIN, 0 };
    ssize_t n;

    while (poll(&pfd, 1, 0) == 1 && w->nlines < sizeof(w->lines) - 1) {
        n = read(w->log[0], w->lines + w->nlines,
            sizeof(w->lines) - 1 - w->nlines);
        if (n <= 0)
            break;
        w->nlines += (size_t)n;
        w->lines[w->nlines] = '\0';
    }
}

static bool
has_failed(struct world *w)
{
    read_lines(w);
    return strstr(w->lines, "certificate not obtained") != NULL;
}

static bool
has_error(struct world *w)
{
    read_lines(w);
    return strstr(w->lines, "error ") != NULL;
}

static unsigned
count(const char *text, const char *what)
{
    unsigned n = 0;

    while ((text = strstr(text, what)) != NULL) {
        text += strlen(what);
        n++;
    }
    return n;
}

/* ---- the world -------------------------------------------------------- */

/* In the supervisor. */
static void
take_line(void *ctx, enum acme_level level, const char *line)
{
    struct world *w = ctx;
    char text[ACME_LOG_LINE_MAX + 32];
    int len =
        snprintf(text, sizeof(text), "%s %s\n", acme_level_name(level), line);

    (void)!write(w->log[1], text, (size_t)len);
}

static int
setup(void **state)
{
    static const char *const names[] = { "a.test" };
    struct acme_issuer issuer = { .name = "none",
        .directory = "https://127.0.0.1:1/dir",
        .verify = true,
        .terms_accepted = true,
        .key_type = ACME_KEY_ECDSA_256 };
    struct acme_lineage lineage = { .name = "a.test",
        .names = names,
        .nnames = 1,
        .ntypes = 1,
        .type = { ACME_KEY_ECDSA_256 } };
    struct world *w = calloc(1, sizeof(*w));
    size_t index;

    assert_non_null(w);
    alarm(TEST_S);
    acme_error_clear(&w->err);
    helper_tmp_init(&w->tmp);
    w->config = acme_config_new(helper_tmp_path(&w->tmp, "state"), "nginx",
        "/etc/nginx/nginx.conf");
    assert_non_null(w->config);
    w->config->uid = w->config->gid = geteuid() == 0 ? OTHER : geteuid();
    w->config->user = "other";
    assert_int_equal(
        acme_config_add_issuer(w->config, &issuer, &index, &w->err), ACME_OK);
    assert_int_equal(
        acme_config_add_lineage(w->config, &lineage, &index, &w->err),
        ACME_OK);
    assert_int_equal(acme_config_finish(w->config, &w->err), ACME_OK);
    assert_int_equal(acme_area_new(1, 1, &w->area, &w->err), ACME_OK);
    assert_int_equal(pipe(w->log), 0);
    w->kept[0] = w->log[1];
    w->server.ctx = w;
    w->server.log = take_line;
    w->server.fds = w->kept;
    w->server.nfds = 1;
    w->service.lifetime = -1;
    *state = w;
    return 0;
}

static void
start(struct world *w, unsigned flags)
{
    assert_int_equal(acme_service_start(w->config, w->area, &w->server, flags,
                         &w->service, &w->err),
        ACME_OK);
    assert_int_not_equal(w->service.lifetime, -1);
}

static int
setup_started(void **state)
{
    struct world *w;

    setup(state);
    w = *state;
    start(w, 0);
    remember_parts(w);
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    acme_service_stop(&w->service);
    if (w->service.pid > 0)
        (void)waitpid(w->service.pid, NULL, 0);
    close(w->log[0]);
    close(w->log[1]);
    acme_area_free(w->area);
    acme_config_free(w->config);
    helper_tmp_clear(&w->tmp);
    free(w);
    alarm(0);
    return 0;
}

/* ---- life ------------------------------------------------------------- */

/* The lineages, after the workers have been served. */
static bool
has_declared(struct world *w)
{
    return helper_tmp_exists(&w->tmp, "state/renewal/a.test.json");
}

static void
test_parts(void **state)
{
    struct world *w = *state;

    assert_true(is_named(w->service.pid, "acme-super"));
    assert_int_equal(parent_of(w->service.pid), getpid());
    /* start() came back when the store was ready */
    assert_int_not_equal(acme_area_last_beat(w->area), 0);
    assert_true(wait_for(w, has_declared));
    /* description, socket, names of its lineages */
    assert_int_equal(helper_tmp_count(&w->tmp, "state/servers"), 3);
}

static void
test_stop(void **state)
{
    struct world *w = *state;

    acme_service_stop(&w->service);
    assert_int_equal(w->service.lifetime, -1);
    assert_true(wait_for(w, all_are_gone));
    assert_int_equal(helper_tmp_count(&w->tmp, "state/servers"), 1);
    acme_service_stop(&w->service); /* once more does nothing */
}

static void
test_store_killed(void **state)
{
    struct world *w = *state;
    pid_t engine = w->engine;

    assert_int_equal(kill(w->store, SIGKILL), 0);
    remember_parts(w);
    assert_true(is_gone(engine));
    read_lines(w);
    assert_non_null(strstr(w->lines, "store died of signal 9"));
}

static void
test_engine_killed(void **state)
{
    struct world *w = *state;
    pid_t store = w->store;

    assert_int_equal(kill(w->engine, SIGKILL), 0);
    remember_parts(w);
    assert_true(is_gone(store));
    assert_int_equal(acme_area_version(w->area, 0), 0);
    read_lines(w);
    assert_non_null(strstr(w->lines, "engine died of signal 9"));
}

static void
test_supervisor_killed(void **state)
{
    struct world *w = *state;

    assert_int_equal(kill(w->service.pid, SIGKILL), 0);
    assert_true(wait_for(w, parts_are_gone));
}

/* As `killall -HUP nginx` and a terminal's ^C do. */
static void
test_signals(void **state)
{
    static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2,
        SIGWINCH, SIGPIPE, SIGALRM };
    struct world *w = *state;
    size_t i;

    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        assert_int_equal(kill(w->service.pid, signals[i]), 0);
        assert_int_equal(kill(w->store, signals[i]), 0);
        assert_int_equal(kill(w->engine, signals[i]), 0);
    }
    usleep(50000);
    assert_false(is_gone(w->service.pid));
    assert_false(is_gone(w->store));
    assert_false(is_gone(w->engine));
}

/* A worker that lives on does not keep the service. */
static void
test_forget(void **state)
{
    struct world *w = *state;
    pid_t worker = fork();

    if (worker == 0) {
        acme_service_forget(&w->service);
        alarm(TEST_S);
        pause();
        _exit(0);
    }
    usleep(100000); /* time to forget */
    acme_service_stop(&w->service);
    assert_true(wait_for(w, all_are_gone));
    kill(worker, SIGKILL);
    assert_int_equal(waitpid(worker, NULL, 0), worker);
}

/* The process id in the name of INSTANCE.json. */
static pid_t
described_pid(struct world *w)
{
    DIR *dir = opendir(helper_tmp_path(&w->tmp, "state/servers"));
    struct dirent *entry;
    const char *dot;
    long pid = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        dot = strchr(entry->d_name, '.');
        if (dot != NULL && isdigit((unsigned char)dot[1]))
            pid = atol(dot + 1);
    }
    closedir(dir);
    return (pid_t)pid;
}

/* Without a parent's id the store's file leads to the others. */
static bool
parts_are_found(struct world *w)
{
    w->store = described_pid(w);
    w->engine =
        w->store == 0 ? 0 : child_of(parent_of(w->store), "acme-engine");
    return w->engine != 0;
}

static void
test_detached(void **state)
{
    struct world *w = *state;

    start(w, ACME_SERVICE_DETACH);
    assert_int_equal(w->service.pid, 0);
    assert_true(wait_for(w, parts_are_found));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child of ours */
    assert_int_equal(errno, ECHILD);
    assert_true(is_named(w->store, "acme-store"));
    assert_int_not_equal(parent_of(parent_of(w->store)), getpid());
    acme_service_stop(&w->service);
    assert_true(wait_for(w, parts_are_gone));
}

static void
delay_store(void *ctx, const char *title)
{
    (void)ctx;
    if (strcmp(title, "acme store") == 0)
        sleep(2);
}

static bool
has_beaten(struct world *w)
{
    return acme_area_last_beat(w->area) != 0;
}

static void
test_no_wait(void **state)
{
    struct world *w = *state;

    w->server.title = delay_store;
    start(w, ACME_SERVICE_NO_WAIT);
    assert_false(has_beaten(w));
    assert_true(acme_service_alive(&w->service));
    assert_true(wait_for(w, has_beaten));
}

static bool
supervisor_is_gone(struct world *w)
{
    return is_gone(w->service.pid);
}

/* Store and engine let go of the connection when they have begun. */
static bool
is_down(struct world *w)
{
    return !acme_service_alive(&w->service);
}

static void
test_alive(void **state)
{
    struct world *w = *state;
    struct acme_service none = { -1, 0 };

    assert_false(acme_service_alive(&none));
    assert_true(acme_service_alive(&w->service));
    assert_int_equal(kill(w->service.pid, SIGKILL), 0);
    assert_true(wait_for(w, supervisor_is_gone));
    assert_true(wait_for(w, is_down));
    acme_service_stop(&w->service); /* and no SIGPIPE */
    assert_false(acme_service_alive(&w->service));
    assert_true(wait_for(w, parts_are_gone));
}

/* A process that lives on with all that we have open. */
static pid_t
fork_other(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        alarm(TEST_S);
        pause();
        _exit(0);
    }
    assert_int_not_equal(pid, -1);
    return pid;
}

static void
end_other(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* As forked by another module of the server, which knows nothing of us. */
static void
test_stop_held(void **state)
{
    struct world *w = *state;
    pid_t holder = fork_other();
    bool ended;

    acme_service_stop(&w->service);
    ended = wait_for(w, all_are_gone);
    end_other(holder);
    assert_true(ended);
}

/* This process holds the connection all the time. */
static void
test_master_killed(void **state)
{
    struct world *w = *state;

    w->server.master = fork_other();
    start(w, 0);
    remember_parts(w);
    end_other(w->server.master);
    assert_true(wait_for(w, all_are_gone));
    assert_true(wait_for(w, is_over));
}

static void
test_master_gone(void **state)
{
    struct world *w = *state;

    w->server.master = fork_other();
    end_other(w->server.master);
    assert_int_equal(acme_service_start(w->config, w->area, &w->server, 0,
                         &w->service, &w->err),
        ACME_IO);
    assert_int_equal(w->service.lifetime, -1);
}

/* ---- what they are ---------------------------------------------------- */

static void
test_users(void **state)
{
    struct world *w = *state;

    if (geteuid() != 0)
        SKIP();
    assert_string_equal(status_of(w->service.pid, "Uid"), "0\t0\t0\t0");
    assert_string_equal(status_of(w->store, "Uid"), "0\t0\t0\t0");
    assert_string_equal(status_of(w->engine, "Uid"),
        "65534\t65534\t65534\t65534");
    assert_string_equal(status_of(w->engine, "Gid"),
        "65534\t65534\t65534\t65534");
    assert_string_equal(status_of(w->engine, "Groups"), "");
}

/* They are confined a moment after they have been forked. */
static bool
are_confined(struct world *w)
{
    return strcmp(status_of(w->store, "Seccomp"), "2") == 0 &&
           strcmp(status_of(w->engine, "Seccomp"), "2") == 0;
}

static void
test_privileges(void **state)
{
    struct world *w = *state;

    assert_true(wait_for(w, are_confined));
    assert_string_equal(status_of(w->service.pid, "NoNewPrivs"), "0");
    assert_string_equal(status_of(w->store, "NoNewPrivs"), "1");
    assert_string_equal(status_of(w->engine, "NoNewPrivs"), "1");
    assert_string_equal(status_of(w->engine, "CapEff"), "0000000000000000");
    assert_string_equal(status_of(w->engine, "CapPrm"), "0000000000000000");
    if (geteuid() != 0)
        return;
    assert_string_equal(status_of(w->store, "CapEff"), "0000000000000001");
    assert_string_equal(status_of(w->store, "CapPrm"), "0000000000000001");
    assert_string_equal(status_of(w->store, "CapBnd"), "0000000000000001");
}

static uid_t
owner_of(pid_t pid)
{
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof(path), "/proc/%ld/mem", (long)pid);
    assert_int_equal(stat(path, &st), 0);
    return st.st_uid;
}

/* The memory of what is not dumpable belongs to root (S17). */
static void
test_not_dumpable(void **state)
{
    struct world *w = *state;

    assert_true(wait_for(w, are_confined));
    assert_int_equal(owner_of(w->engine), 0);
    assert_int_equal(owner_of(w->store), 0);
    assert_non_null(strstr(proc_file(w->engine, "limits"),
        "Max core file size        0                    0 "));
    assert_non_null(strstr(proc_file(w->store, "limits"),
        "Max core file size        0                    0 "));
}

/* No part has the area with the keys but the store. */
static void
test_area_unmapped(void **state)
{
    struct world *w = *state;

    if (geteuid() != 0)
        SKIP();
    assert_true(wait_for(w, are_confined));
    assert_non_null(strstr(proc_file(w->store, "maps"), "acme-keys"));
    assert_null(strstr(proc_file(w->engine, "maps"), "acme-keys"));
}

/* ---- what they have --------------------------------------------------- */

/* Where the descriptors of a process lead, one a line; the number of those
 * outside of the state directory, where files come and go. */
static unsigned
descriptors(pid_t pid, char *text, size_t size)
{
    char path[64], link[320], target[256];
    struct dirent *entry;
    unsigned n = 0;
    ssize_t len;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pid);
    dir = opendir(path);
    assert_non_null(dir);
    text[0] = '\0';
    while ((entry = readdir(dir)) != NULL) {
        (void)snprintf(link, sizeof(link), "%s/%s", path, entry->d_name);
        len = readlink(link, target, sizeof(target) - 1);
        if (len < 0)
            continue;
        target[len] = '\0';
        n += strstr(target, "/state") == NULL;
        (void)snprintf(text + strlen(text), size - strlen(text), "%s\n",
            target);
    }
    closedir(dir);
    return n;
}

static void
expect_none(pid_t pid, const char *what)
{
    char text[4096];

    descriptors(pid, text, sizeof(text));
    if (strstr(text, what) != NULL)
        fail_msg("%s has %s:\n%s", proc_file(pid, "comm"), what, text);
}

/* How many sockets two processes share. */
static unsigned
shared_sockets(pid_t one, pid_t other)
{
    char text[4096], others[4096], *line, *rest;
    unsigned n = 0;

    descriptors(one, text, sizeof(text));
    descriptors(other, others, sizeof(others));
    for (line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        n += strncmp(line, "socket:", 7) == 0 && strstr(others, line) != NULL;
    return n;
}

static void
kernel_name(int fd, const char *kind, char name[64])
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    (void)snprintf(name, 64, "%s:[%lu]", kind, (unsigned long)st.st_ino);
}

static void
test_descriptors(void **state)
{
    struct world *w = *state;
    char text[4096], lifetime[64], log[64];
    int leak, listener;
    unsigned n;

    if (geteuid() != 0)
        SKIP();
    /* what a server has open: none of it is CLOEXEC, none is ours */
    helper_tmp_puts(&w->tmp, "server-file", "x");
    leak = open(helper_tmp_path(&w->tmp, "server-file"), O_RDONLY);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(leak != -1 && listener != -1);
    w->server.master = getpid();
    start(w, 0);
    remember_parts(w);
    assert_true(wait_for(w, are_confined));
    kernel_name(w->service.lifetime, "socket", lifetime);
    kernel_name(w->log[1], "pipe", log);
    expect_none(w->service.pid, "server-file");
    expect_none(w->service.pid, lifetime);
    expect_none(w->store, "server-file");
    expect_none(w->engine, "server-file");
    expect_none(w->store, lifetime);
    expect_none(w->engine, lifetime);
    expect_none(w->store, log);
    expect_none(w->engine, log);
    expect_none(w->engine, "state");
    expect_none(w->store, "pidfd");
    expect_none(w->engine, "pidfd");
    /* that for lines; not the supervisor's end of the connection */
    assert_int_equal(shared_sockets(w->service.pid, w->store), 1);
    assert_int_equal(shared_sockets(w->service.pid, w->engine), 1);
    n = descriptors(w->service.pid, text, sizeof(text));
    if (n > 11) /* 0 to 2, lifetime, master, log, lines twice, stop thrice */
        fail_msg("supervisor:\n%s", text);
    n = descriptors(w->store, text, sizeof(text));
    if (n > 8) /* 0 to 2, stop, lines, frames, runner, control socket */
        fail_msg("store:\n%s", text);
    close(leak);
    close(listener);
}

/* ---- lines ------------------------------------------------------------ */

static void
test_failure_line(void **state)
{
    struct world *w = *state;
    const char *at;

    assert_true(wait_for(w, has_failed));
    at = strstr(w->lines, "warn certificate not obtained, lineage "
                          "\"a.test\", issuer \"none\": ");
    assert_non_null(at);
    assert_non_null(strstr(at, "next attempt at "));
}

/* What a child sends is made clean once more. */
static void
take_cleaned(void *ctx, enum acme_level level, const char *line)
{
    char *text = ctx;

    (void)snprintf(text + strlen(text), 4096 - strlen(text), "%s|%s\n",
        acme_level_name(level), line);
}

/* A literal or an array without its final NUL. */
#define send_line(fd, line)                                          \
    assert_int_equal(send(fd, line, sizeof(line) - 1, MSG_DONTWAIT), \
        sizeof(line) - 1)

static void
test_clean_lines(void **state)
{
    static char overlong[3000];
    char text[4096] = "";
    int fds[2];

    (void)state;
    assert_true(acme_child_log_pair(fds));
    memset(overlong, 'x', sizeof(overlong));
    overlong[0] = ACME_LOG_INFO;
    send_line(fds[1], "\x04"
                      "one");
    send_line(fds[1], "\x02"
                      "two\nalert: \x1b[31m");
    send_line(fds[1], "\xff"
                      "three");
    send_line(fds[1], "\x05");
    send_line(fds[1], "\x04"
                      "nul\0nul");
    send_line(fds[1], overlong);
    acme_child_log_drain(fds[0], take_cleaned, text);
    assert_non_null(strstr(text, "notice|one\n"));
    assert_non_null(strstr(text, "error|two\\x0aalert: \\x1b[31m\n"));
    assert_non_null(strstr(text, "error|three\n"));
    assert_non_null(strstr(text, "info|\n"));
    assert_non_null(strstr(text, "notice|nul\\x00nul\n"));
    assert_int_equal(count(text, "\n"), 6);
    close(fds[0]);
    close(fds[1]);
}

/* A supervisor that does not read does not stop who writes. */
static void
test_flood(void **state)
{
    struct acme_child child = { -1, -1, -1, -1, { -1, -1 }, -1, -1, -1, -1 };
    struct acme_host host;
    char text[4096] = "";
    int fds[2], i;

    (void)state;
    alarm(TEST_S);
    assert_true(acme_child_log_pair(fds));
    child.log = fds[1];
    host = acme_child_host(&child);
    for (i = 0; i < 20000; i++)
        host.log(host.ctx, ACME_LOG_INFO, "line");
    acme_child_log_drain(fds[0], take_cleaned, text);
    assert_int_equal(strncmp(text, "info|line\n", 10), 0);
    close(fds[0]);
    host.log(host.ctx, ACME_LOG_INFO, "to nobody"); /* and no SIGPIPE */
    close(fds[1]);
    alarm(0);
}

/* ---- trouble ---------------------------------------------------------- */

static void
expect_unusable(struct world *w)
{
    long before = clock_ms();

    start(w, 0);
    assert_true(clock_ms() - before < 14000); /* not the whole time-out */
    assert_true(wait_for(w, has_error));
    usleep(700000); /* a second start would have come */
    read_lines(w);
    if (count(w->lines, "\n") != count(w->lines, "debug ") + 1 ||
        count(w->lines, "error ") != 1)
        fail_msg("lines: %s", w->lines);
    assert_non_null(strstr(w->lines, "/state"));
    assert_false(is_gone(w->service.pid));
    acme_service_stop(&w->service);
    assert_true(wait_for(w, all_are_gone));
}

static void
test_state_is_a_file(void **state)
{
    struct world *w = *state;

    helper_tmp_puts(&w->tmp, "state", "a file");
    expect_unusable(w);
}

static void
test_state_newer(void **state)
{
    struct world *w = *state;

    helper_tmp_mkdir(&w->tmp, "state");
    helper_tmp_puts(&w->tmp, "state/format", "99\n");
    expect_unusable(w);
    assert_int_equal(helper_tmp_count(&w->tmp, "state"), 1);
}

static void
test_state_unsafe(void **state)
{
    struct world *w = *state;

    assert_int_equal(chmod(w->tmp.path, 0777), 0);
    expect_unusable(w);
    assert_false(helper_tmp_exists(&w->tmp, "state"));
}

/* ---- as nobody in particular ------------------------------------------ */

/* In a child of another user: what is wrong, or 0. */
static int
run_as_other(struct world *w)
{
    if (setgroups(0, NULL) != 0 || setgid(OTHER) != 0 || setuid(OTHER) != 0 ||
        prctl(PR_SET_DUMPABLE, 1) != 0) /* as after an exec */
        return 1;
    if (acme_service_start(w->config, w->area, &w->server, 0, &w->service,
            &w->err) != ACME_OK)
        return 2;
    if (!wait_for(w, are_new))
        return 3;
    w->store = child_of(w->service.pid, "acme-store");
    w->engine = child_of(w->service.pid, "acme-engine");
    if (!wait_for(w, are_confined))
        return 4;
    if (strcmp(status_of(w->store, "CapEff"), "0000000000000000") != 0 ||
        strncmp(status_of(w->store, "Uid"), "65534\t", 6) != 0 ||
        owner_of(w->store) != 0 || owner_of(w->engine) != 0)
        return 5;
    if (!wait_for(w, has_failed))
        return 6;
    acme_service_stop(&w->service);
    (void)waitpid(w->service.pid, NULL, 0);
    return wait_for(w, parts_are_gone) ? 0 : 7;
}

static void
test_as_other(void **state)
{
    struct world *w = *state;
    int status;
    pid_t pid;

    if (geteuid() != 0)
        SKIP();
    assert_int_equal(chown(w->tmp.path, OTHER, OTHER), 0);
    pid = fork();
    if (pid == 0)
        _exit(run_as_other(w));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(helper_tmp_mode(&w->tmp, "state"), 0700);
    assert_int_equal(helper_tmp_mode(&w->tmp, "state/record/a.test.json"),
        0600);
}

/* ---- acmectl's way ---------------------------------------------------- */

struct once {
    unsigned ndone;
    size_t lineage;
    bool ok;
    char text[512];
};

static void
on_done(void *ctx, size_t lineage, bool ok, const char *text)
{
    struct once *once = ctx;

    once->ndone++;
    once->lineage = lineage;
    once->ok = ok;
    (void)snprintf(once->text, sizeof(once->text), "%s", text);
}

static void
on_tick(void *ctx)
{
    (void)ctx;
}

static void
test_once(void **state)
{
    static const size_t lineages[] = { 0 };
    struct world *w = *state;
    struct once once = { 0 };
    struct acme_service_work work = { .lineages = lineages,
        .nlineages = 1,
        .flags = 0,
        .done = on_done,
        .tick = on_tick,
        .ctx = &once };

    acme_service_stop(&w->service); /* it has declared the lineage */
    assert_true(wait_for(w, all_are_gone));
    assert_int_equal(
        acme_service_run_once(w->config, &w->server, &work, &w->err), ACME_OK);
    assert_int_equal(once.ndone, 1);
    assert_int_equal(once.lineage, 0);
    assert_false(once.ok);
    assert_int_not_equal(once.text[0], '\0');
    assert_int_equal(child_of(getpid(), "acme-store"), 0);
    assert_int_equal(child_of(getpid(), "acme-engine"), 0);
}

static void
test_once_unusable(void **state)
{
    static const size_t lineages[] = { 0 };
    struct world *w = *state;
    struct once once = { 0 };
    struct acme_service_work work = { .lineages = lineages,
        .nlineages = 1,
        .flags = 0,
        .done = on_done,
        .tick = on_tick,
        .ctx = &once };

    helper_tmp_puts(&w->tmp, "state", "a file");
    assert_int_equal(
        acme_service_run_once(w->config, &w->server, &work, &w->err), ACME_IO);
    assert_int_equal(once.ndone, 0);
}

#define TEST(name, setup) \
    cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_parts, setup_started),
        TEST(test_stop, setup_started),
        TEST(test_store_killed, setup_started),
        TEST(test_engine_killed, setup_started),
        TEST(test_supervisor_killed, setup_started),
        TEST(test_signals, setup_started),
        TEST(test_forget, setup_started),
        TEST(test_detached, setup),
        TEST(test_no_wait, setup),
        TEST(test_alive, setup_started),
        TEST(test_stop_held, setup_started),
        TEST(test_master_killed, setup),
        TEST(test_master_gone, setup),
        TEST(test_users, setup_started),
        TEST(test_privileges, setup_started),
        TEST(test_not_dumpable, setup_started),
        TEST(test_area_unmapped, setup_started),
        TEST(test_descriptors, setup),
        TEST(test_failure_line, setup_started),
        cmocka_unit_test(test_clean_lines),
        cmocka_unit_test(test_flood),
        TEST(test_state_is_a_file, setup),
        TEST(test_state_newer, setup),
        TEST(test_state_unsafe, setup),
        TEST(test_as_other, setup),
        TEST(test_once, setup_started),
        TEST(test_once_unusable, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
