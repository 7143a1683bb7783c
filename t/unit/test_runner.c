/*
 * acme_runner.h with a real process and real programs: what each way to fail
 * is called, that all of them end in time, that nothing of them is left, and
 * that an engine which breaks the rules is not served.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/acme_time.h"
#include "drive/acme_errand.h"
#include "drive/acme_runner.h"
#include "drive/acme_stage_ask.h"
#include "drive/acme_store_process.h"
#include "drive/acme_workdir.h"
#include "helper_skip.h"
#include "helper_tmp.h"
#include "wrap/acme_hash.h"

enum {
    TEST_S = 90,
    OTHER = 65534,
    LOG_SIZE = 65536
};

#define VALUE "0123456789012345678901234567890123456789012"
#define OWNER "_acme-challenge.a.test"

struct world {
    struct helper_tmp tmp;
    struct acme_config *config;
    struct acme_error err;
    const char *zone;
    pid_t pid; /* 0: not started, or gone */
    int frame, stop, log;
    int store; /* -1: there is none; else post hooks wait for it */
    char lines[LOG_SIZE];
    struct acme_buf output;
    struct acme_errand_end end;
};

static int
setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    alarm(TEST_S);
    acme_error_clear(&w->err);
    acme_buf_init(&w->output, ACME_COMMAND_OUTPUT_MAX);
    helper_tmp_init(&w->tmp);
    assert_int_equal(chmod(w->tmp.path, 0755), 0);
    w->frame = w->stop = w->log = w->store = -1;
    *state = w;
    return 0;
}

static void
end(struct world *w)
{
    if (w->stop != -1)
        close(w->stop);
    if (w->frame != -1)
        close(w->frame);
    if (w->store != -1)
        close(w->store);
    w->stop = w->frame = w->store = -1;
    if (w->pid != 0)
        (void)waitpid(w->pid, NULL, 0);
    w->pid = 0;
}

static const char *const owners[] = { OWNER, "_l0._acme-challenge.a.test",
    "zone.test", "a-test.zone.test", "_acme-challenge.z.zone.test",
    "_l0._acme-challenge.z.zone.test" };
static const char *const tokens[] = { "the-token_0", "other", "token-0",
    "token-1", "token-2", "token-3", "token-4" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Records that a test has not taken away. */
static void
remove_directories(struct world *w)
{
    char text[512], id[ACME_HASH_HEX];
    struct acme_workdir dir;
    size_t i, k;
    int len;

    assert_int_equal(acme_workdir_open(&dir, &w->err), ACME_OK);
    for (i = 0; i < COUNT(owners); i++)
        for (k = 0; k < COUNT(tokens); k++) {
            len = snprintf(text, sizeof(text), "%s%ca.test%c%s%c%s",
                w->tmp.path, 0, 0, owners[i], 0, tokens[k]);
            acme_hash_hex(text, (size_t)len + 1, id);
            acme_workdir_remove(&dir, id);
        }
    acme_workdir_close(&dir);
}

static int
teardown(void **state)
{
    struct world *w = *state;

    end(w);
    remove_directories(w);
    if (w->log != -1)
        close(w->log);
    acme_buf_clear(&w->output);
    acme_config_free(w->config);
    helper_tmp_clear(&w->tmp);
    free(w);
    alarm(0);
    return 0;
}

/* ---- programs --------------------------------------------------------- */

/* A shell script; returns its path. */
static const char *
script(struct world *w, const char *name, const char *text)
{
    char all[4096];

    (void)snprintf(all, sizeof(all), "#!/bin/sh\n%s\n", text);
    helper_tmp_puts(&w->tmp, name, all);
    assert_int_equal(fchmodat(w->tmp.fd, name, 0755, 0), 0);
    return helper_tmp_path(&w->tmp, name);
}

static void
add_lineage(struct world *w, const char *name, enum acme_command_kind kind,
    const char *path, unsigned timeout)
{
    struct acme_lineage lineage = { .name = name,
        .names = &name,
        .nnames = 1,
        .ntypes = 1,
        .type = { ACME_KEY_ECDSA_256 } };
    struct acme_proof proof;
    size_t index;

    acme_proof_init(&proof);
    proof.said = 1u << ACME_PROOF_COMMAND;
    proof.command.kind = kind;
    proof.command.nwords = 1;
    proof.command.word[0] = path;
    if (kind == ACME_COMMAND_CERTBOT)
        proof.command.cleanup = path;
    proof.command.timeout = timeout;
    if (w->zone != NULL)
        proof.zone[proof.nzones++] = w->zone;
    lineage.proof = &proof;
    assert_int_equal(
        acme_config_add_lineage(w->config, &lineage, &index, &w->err),
        ACME_OK);
}

static void
configure(struct world *w, enum acme_command_kind kind, const char *path,
    unsigned timeout)
{
    struct acme_issuer issuer = { .name = "none",
        .directory = "https://127.0.0.1:1/dir",
        .verify = true };
    size_t index;

    w->config = acme_config_new(w->tmp.path, "nginx", "/etc/nginx/nginx.conf");
    assert_non_null(w->config);
    w->config->server_uid = w->config->server_gid = OTHER;
    assert_int_equal(
        acme_config_add_issuer(w->config, &issuer, &index, &w->err), ACME_OK);
    add_lineage(w, "a.test", kind, path, timeout);
    assert_int_equal(acme_config_finish(w->config, &w->err), ACME_OK);
}

static void
start_with(struct world *w, bool holds)
{
    struct acme_child child = { -1, -1, -1, -1, { -1, -1 }, -1, -1, -1, -1 };
    int frame[2], stop[2], log[2], store[2] = { -1, -1 };

    assert_int_equal(acme_frame_pair(frame, &w->err), ACME_OK);
    if (holds)
        assert_int_equal(acme_frame_pair(store, &w->err), ACME_OK);
    assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
    assert_true(acme_child_log_pair(log));
    w->pid = fork();
    assert_int_not_equal(w->pid, -1);
    if (w->pid == 0) {
        const int keep[] = { stop[0], log[1], frame[0], store[0] };

        acme_child_begin("acme-runner", keep, holds ? 4 : 3);
        child.stop = stop[0];
        child.log = log[1];
        child.frame = frame[0];
        child.store = store[0];
        acme_runner_process(w->config, &child, holds);
    }
    close(frame[0]);
    close(stop[0]);
    close(log[1]);
    if (holds)
        close(store[0]);
    w->frame = frame[1];
    w->stop = stop[1];
    w->log = log[0];
    w->store = store[1];
}

static void
start(struct world *w)
{
    start_with(w, false);
}

static void
run(struct world *w, enum acme_command_kind kind, const char *path,
    unsigned timeout)
{
    configure(w, kind, path, timeout);
    start(w);
}

/* ---- errands ---------------------------------------------------------- */

static struct acme_errand
errand(bool add)
{
    struct acme_errand asked;

    memset(&asked, 0, sizeof(asked));
    asked.add = add;
    asked.type = ACME_DNS_01;
    strcpy(asked.name, "a.test");
    strcpy(asked.owner, OWNER);
    strcpy(asked.value, VALUE);
    strcpy(asked.token, "the-token_0");
    asked.all = "a.test";
    asked.all_len = strlen(asked.all);
    asked.output = "";
    return asked;
}

/* Returns our end of the pair for the answer. */
static int
send_to(struct world *w, const struct acme_errand *asked, uint32_t lineage)
{
    struct acme_buf frame;
    int pair[2];

    acme_buf_init(&frame, ACME_FRAME_MAX);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    acme_errand_render(asked, lineage, &frame);
    assert_int_equal(acme_frame_send_fd(w->frame, &frame, pair[1], &w->err),
        ACME_OK);
    acme_buf_clear(&frame);
    close(pair[1]);
    return pair[0];
}

static enum acme_rc
answer(struct world *w, int fd)
{
    struct acme_buf data;
    const char *output = NULL;
    size_t len = 0;
    enum acme_rc rc;

    acme_error_clear(&w->err);
    acme_buf_reset(&w->output);
    acme_buf_init(&data, ACME_FRAME_MAX);
    rc = acme_frame_recv(fd, &data, &w->err);
    if (rc == ACME_OK) {
        rc = acme_errand_outcome(&data, &output, &len, &w->end, &w->err);
        acme_buf_add(&w->output, output, len);
    }
    acme_buf_clear(&data);
    close(fd);
    return rc;
}

static enum acme_rc
ask(struct world *w, bool add)
{
    struct acme_errand asked = errand(add);

    return answer(w, send_to(w, &asked, 0));
}

static void
assert_said(const struct world *w, const char *what)
{
    if (strstr(w->err.what, what) == NULL)
        fail_msg("\"%s\" has no \"%s\"", w->err.what, what);
}

/* ---- what is left ----------------------------------------------------- */

/* Processes with that text in their environment or command line. */
static unsigned
processes(const char *mark)
{
    static char text[1 << 17];
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    unsigned n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char path[64];
        ssize_t len;
        int fd;

        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%.20s/cmdline",
            entry->d_name);
        fd = open(path, O_RDONLY);
        if (fd == -1)
            continue;
        len = read(fd, text, sizeof(text));
        close(fd);
        n += len > 0 && memmem(text, (size_t)len, mark, strlen(mark)) != NULL;
    }
    closedir(dir);
    return n;
}

/* Sleeps so long that it is known by that. */
static const char *
unusual_sleep(void)
{
    static char text[32];

    (void)snprintf(text, sizeof(text), "%ld.5", 900000 + (long)getpid());
    return text;
}

static const char *
base(void)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "%s/acme-hooks-%lu",
        geteuid() == 0 ? "/run" : "/tmp", (unsigned long)geteuid());
    return path;
}

/* Files that one of our programs has left a mark in its directory with. */
static unsigned
directories(void)
{
    DIR *dir = opendir(base());
    struct dirent *entry;
    char mark[512];
    unsigned n = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        (void)snprintf(mark, sizeof(mark), "%s/%.256s/mark-%ld", base(),
            entry->d_name, (long)getpid());
        n += access(mark, F_OK) == 0;
    }
    if (dir != NULL)
        closedir(dir);
    return n;
}

static const char *
logged(struct world *w)
{
    char line[2048];
    size_t len = strlen(w->lines);
    ssize_t n;

    while ((n = recv(w->log, line, sizeof(line), MSG_DONTWAIT)) > 1)
        len += (size_t)snprintf(w->lines + len, sizeof(w->lines) - len,
            "%.*s\n", (int)n - 1, line + 1);
    return w->lines;
}

/* ---- good ones -------------------------------------------------------- */

static void
test_output(void **state)
{
    struct world *w = *state;

    run(w, ACME_COMMAND_CERTBOT,
        script(w, "hook",
            "printf '  one\\0two \\n\\n'; echo no >&2; "
            "printf '%s' \"$ACME_HOOK_DIR\" > ${0%/*}/dir; "
            "[ -d \"$ACME_HOOK_DIR\" ] && "
            "stat -c %a \"$ACME_HOOK_DIR\" > ${0%/*}/mode"),
        30);
    assert_int_equal(ask(w, true), ACME_OK);
    assert_string_equal(acme_buf_str(&w->output), "onetwo");
    assert_false(w->end.refused);
    free(helper_tmp_gets(&w->tmp, "dir"));
    assert_true(helper_tmp_exists(&w->tmp, "mode"));
}

/* What it left for the other is there, and gone after that one. */
static void
test_directory(void **state)
{
    struct world *w = *state;
    char text[512];

    (void)snprintf(text, sizeof(text),
        "cd \"$ACME_HOOK_DIR\" || exit 9\n"
        "case $ACME_OPERATION in\n"
        "add) mkdir -p deep/er; ln -s /etc/passwd link; : >mark-%ld ;;\n"
        "*) ls ;;\n"
        "esac",
        (long)getpid());
    run(w, ACME_COMMAND_CERTBOT, script(w, "hook", text), 30);
    assert_int_equal(ask(w, true), ACME_OK);
    assert_int_equal(directories(), 1);
    assert_int_equal(ask(w, false), ACME_OK);
    (void)snprintf(text, sizeof(text), "deep\nlink\nmark-%ld", (long)getpid());
    assert_string_equal(acme_buf_str(&w->output), text);
    assert_int_equal(directories(), 0);
    assert_int_equal(access("/etc/passwd", F_OK), 0);
}

/* A list that is no word of an environment any more. */
static void
test_many_names(void **state)
{
    struct world *w = *state;
    struct acme_errand asked = errand(true);
    static char all[ACME_NAMES_MAX * 128];
    size_t i, len = 0;

    for (i = 0; i < 900; i++)
        len += (size_t)snprintf(all + len, sizeof(all) - len,
            "%sname-%zu.of-a-rather-long-domain-name-which-there-are-hundreds-"
            "of.example.test",
            i > 0 ? "," : "", i);
    asked.all = all;
    asked.all_len = len;
    run(w, ACME_COMMAND_CERTBOT,
        script(w, "hook",
            "[ -z \"${CERTBOT_ALL_DOMAINS+set}\" ] && "
            "wc -c <\"$ACME_ALL_DOMAINS_FILE\""),
        30);
    assert_int_equal(answer(w, send_to(w, &asked, 0)), ACME_OK);
    assert_int_equal(atoi(acme_buf_str(&w->output)), len);
}

/* One at a time. */
static void
test_queue(void **state)
{
    struct world *w = *state;
    struct acme_errand asked = errand(true);
    int fd[5];
    size_t i;

    run(w, ACME_COMMAND_CERTBOT,
        script(w, "hook",
            "mkdir ${0%/*}/busy || exit 7; sleep 0.1; rmdir ${0%/*}/busy"),
        30);
    for (i = 0; i < 5; i++) {
        (void)snprintf(asked.token, sizeof(asked.token), "token-%zu", i);
        fd[i] = send_to(w, &asked, 0);
    }
    for (i = 0; i < 5; i++)
        assert_int_equal(answer(w, fd[i]), ACME_OK);
}

static void
test_as_other_user(void **state)
{
    struct world *w = *state;
    const char *path;

    if (geteuid() != 0)
        SKIP();
    path = script(w, "hook", "id -u; : >\"$ACME_HOOK_DIR/x\"");
    assert_int_equal(chown(path, OTHER, OTHER), 0);
    run(w, ACME_COMMAND_CERTBOT, path, 30);
    if (ask(w, true) != ACME_OK)
        fail_msg("%s", w->err.what);
    assert_int_equal(atoi(acme_buf_str(&w->output)), OTHER);
    assert_int_equal(ask(w, false), ACME_OK);
    assert_non_null(strstr(logged(w), "is run as uid 65534, not as root"));
    /* a directory on the way is enough */
    assert_int_equal(chown(path, 0, 0), 0);
    assert_int_equal(ask(w, true), ACME_OK);
    assert_int_equal(atoi(acme_buf_str(&w->output)), 0);
    assert_int_equal(ask(w, false), ACME_OK);
    assert_int_equal(chmod(w->tmp.path, 0777), 0);
    assert_int_equal(ask(w, true), ACME_OK);
    assert_int_equal(atoi(acme_buf_str(&w->output)), OTHER);
}

/* However many names it is for. */
static void
test_user_is_told_once(void **state)
{
    struct world *w = *state;
    const char *first, *second, *one, *two;

    if (geteuid() != 0)
        SKIP();
    first = script(w, "first", ":");
    second = script(w, "second", ":");
    assert_int_equal(chown(first, OTHER, OTHER), 0);
    assert_int_equal(chown(second, OTHER, OTHER), 0);
    configure(w, ACME_COMMAND_CERTBOT, first, 30);
    add_lineage(w, "b.test", ACME_COMMAND_CERTBOT, second, 30);
    add_lineage(w, "c.test", ACME_COMMAND_CERTBOT, first, 31);
    start(w);
    assert_int_equal(ask(w, true), ACME_OK);
    assert_int_equal(ask(w, false), ACME_OK);
    one = strstr(logged(w), "first\" is run as uid");
    two = strstr(w->lines, "second\" is run as uid");
    assert_non_null(one);
    assert_non_null(two);
    assert_null(strstr(one + 1, "first\" is run as uid"));
    assert_null(strstr(two + 1, "second\" is run as uid"));
}

static void
test_as_nobody(void **state)
{
    struct world *w = *state;
    const char *path;

    if (geteuid() != 0)
        SKIP();
    path = script(w, "hook", ":");
    configure(w, ACME_COMMAND_CERTBOT, path, 30);
    w->config->server_uid = 0;
    assert_int_equal(chmod(path, 0775), 0);
    start(w);
    assert_int_equal(ask(w, true), ACME_IO);
    assert_said(w, "no program is run, as root must not");
    assert_said(w, "is writable by others; chmod go-w it");
    assert_true(w->end.refused);
}

/* ---- bad ones --------------------------------------------------------- */

static void
test_fails(void **state)
{
    static const struct {
        const char *text; /* NULL: there is none */
        mode_t mode;
        const char *said;
        bool refused;
    } bad[] = {
        { NULL, 0, "\" does not exist", true },
        { "#!/bin/sh\n:\n", 0644, "is not executable; chmod +x it", true },
        { "#!/no/such/shell\n", 0755,
            "the interpreter in its first line does not exist", true },
        { "\x7f"
          "ELF nonsense",
            0755, "Exec format error", true },
        { "#!/bin/sh\nexit 3\n", 0755, "failed with exit status 3", false },
        { "#!/bin/sh\nkill -SEGV $$\n", 0755, "was killed by signal 11",
            false },
        { "#!/bin/sh\nyes first | head -5000 >&2; printf 'the \\033[1mlast\\n"
          "of all\\n' >&2; exit 1",
            0755, "first the \\x1b[1mlast of all", false },
        { "#!/bin/sh\nhead -c 1000000 /dev/zero | tr '\\0' x", 0755,
            "wrote more than 65536 bytes", false },
    };
    struct world *w = *state;
    size_t i;

    for (i = 0; i < COUNT(bad); i++) {
        const char *path = helper_tmp_path(&w->tmp, "hook");

        if (bad[i].text != NULL) {
            helper_tmp_puts(&w->tmp, "hook", bad[i].text);
            assert_int_equal(chmod(path, bad[i].mode), 0);
        }
        if (w->config == NULL)
            run(w, ACME_COMMAND_CERTBOT, path, 30);
        assert_int_equal(ask(w, true), ACME_IO);
        assert_said(w, bad[i].said);
        assert_true(strlen(w->err.what) < 400);
        assert_int_equal(w->end.refused, bad[i].refused);
        assert_int_equal(w->output.len, 0);
    }
}

/* What it wrote to its output is nobody's business. */
static void
test_output_is_secret(void **state)
{
    struct world *w = *state;

    run(w, ACME_COMMAND_CERTBOT, script(w, "hook", "echo secret; exit 1"), 30);
    assert_int_equal(ask(w, true), ACME_IO);
    assert_false(w->end.declined);
    assert_null(strstr(w->err.what, "secret"));
    assert_int_equal(w->output.len, 0);
    assert_null(strstr(logged(w), "secret"));
}

/* uacme(1): with any status but 0; what does not end by itself says nothing.
 */
static void
test_declines(void **state)
{
    static const struct {
        const char *body;
        const char *said;
        bool declined;
    } cases[] = {
        { "exit 1", "the challenge is declined: program", true },
        { "exit 1", "failed with exit status 1", true },
        { "exit 3", "failed with exit status 3", true },
        { "kill -TERM $$", "was killed by signal 15", false },
        { "head -c 1000000 /dev/zero | tr '\\0' x", "wrote more than", false },
    };
    struct world *w = *state;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        const char *path = script(w, "hook", cases[i].body);

        if (w->config == NULL)
            run(w, ACME_COMMAND_UACME, path, 30);
        assert_int_equal(ask(w, true), ACME_IO);
        assert_said(w, cases[i].said);
        assert_true(w->end.refused);
        assert_int_equal(w->end.declined, cases[i].declined);
    }
    (void)script(w, "hook", "exit 1");
    assert_int_equal(ask(w, false), ACME_IO);
    assert_false(w->end.declined);
}

/* However hard it tries to stay. */
static void
test_hangs(void **state)
{
    static const char *const how[] = {
        "sleep %s",
        "trap '' TERM HUP INT; while :; do sleep %s; done",
        "setsid sleep %s & setsid sh -c 'trap \"\" TERM; sleep %s' & wait",
        "(setsid sleep %s &) & exec >&- 2>&-; sleep %s",
    };
    struct world *w = *state;
    char text[256];
    long long before;
    size_t i;

    for (i = 0; i < COUNT(how); i++) {
        const char *path;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(text, sizeof(text), how[i], unusual_sleep(),
            unusual_sleep());
#pragma GCC diagnostic pop
        path = script(w, "hook", text);
        if (w->config == NULL)
            run(w, ACME_COMMAND_CERTBOT, path, 1);
        before = acme_time_ms();
        assert_int_equal(ask(w, true), ACME_IO);
        assert_said(w, "had not ended after 1 s and was killed");
        assert_true(acme_time_ms() - before < 10000);
        assert_int_equal(processes(unusual_sleep()), 0);
    }
}

/* It has done its work, but others would stay. */
static void
test_forks_away(void **state)
{
    struct world *w = *state;
    char text[256];
    long long before = acme_time_ms();

    (void)snprintf(text, sizeof(text),
        "echo done; (setsid sleep %s </dev/null &) ; sleep %s & exit 0",
        unusual_sleep(), unusual_sleep());
    run(w, ACME_COMMAND_CERTBOT, script(w, "hook", text), 30);
    assert_int_equal(ask(w, true), ACME_OK);
    assert_string_equal(acme_buf_str(&w->output), "done");
    assert_true(acme_time_ms() - before < 10000);
    assert_int_equal(processes(unusual_sleep()), 0);
    assert_non_null(strstr(logged(w), "left 2 processes running, killed now"));
}

/* ---- ends ------------------------------------------------------------- */

static void
wait_for(struct world *w, const char *file)
{
    while (!helper_tmp_exists(&w->tmp, file))
        usleep(10000);
}

static void
wait_gone(const char *mark)
{
    long long until = acme_time_ms() + 10000;

    while (processes(mark) > 0 && acme_time_ms() < until)
        usleep(10000);
    assert_int_equal(processes(mark), 0);
}

static void
run_long(struct world *w)
{
    char text[256];

    (void)snprintf(text, sizeof(text),
        ": >\"$ACME_HOOK_DIR/mark-%ld\"; : >${0%%/*}/runs; "
        "setsid sleep %s & sleep %s",
        (long)getpid(), unusual_sleep(), unusual_sleep());
    run(w, ACME_COMMAND_CERTBOT, script(w, "hook", text), 60);
}

/* Until both of them sleep, not only are about to. */
static void
wait_runs(struct world *w)
{
    wait_for(w, "runs");
    while (processes(unusual_sleep()) < 2)
        usleep(10000);
}

static void
test_stopped(void **state)
{
    struct world *w = *state;
    struct acme_errand asked = errand(true);
    long long before;
    int fd;

    run_long(w);
    fd = send_to(w, &asked, 0);
    wait_runs(w);
    before = acme_time_ms();
    end(w);
    assert_true(acme_time_ms() - before < 5000);
    assert_int_equal(processes(unusual_sleep()), 0);
    assert_int_equal(answer(w, fd), ACME_STOPPING);
    /* it may have been made: what is left is for the next run */
    assert_int_equal(directories(), 1);
    start(w);
    helper_tmp_puts(&w->tmp, "hook", "#!/bin/sh\n:\n");
    assert_int_equal(ask(w, false), ACME_OK);
    assert_int_equal(directories(), 0);
}

/* Nobody waits any more: neither for the one that runs nor for the next. */
static void
test_unwanted(void **state)
{
    struct world *w = *state;
    struct acme_errand asked = errand(true);
    int first, second;

    run_long(w);
    first = send_to(w, &asked, 0);
    strcpy(asked.token, "other");
    second = send_to(w, &asked, 0);
    wait_runs(w);
    helper_tmp_remove(&w->tmp, "runs");
    close(second);
    close(first);
    wait_gone(unusual_sleep());
    usleep(100000);
    assert_false(helper_tmp_exists(&w->tmp, "runs"));
    helper_tmp_puts(&w->tmp, "hook", "#!/bin/sh\n:\n");
    assert_int_equal(ask(w, false), ACME_OK);
}

static void
test_runner_killed(void **state)
{
    struct world *w = *state;
    struct acme_errand asked = errand(true);
    int fd;

    run_long(w);
    fd = send_to(w, &asked, 0);
    wait_runs(w);
    assert_int_equal(kill(w->pid, SIGKILL), 0);
    assert_int_equal(answer(w, fd), ACME_STOPPING);
    wait_gone(unusual_sleep());
    end(w);
    start(w);
    helper_tmp_puts(&w->tmp, "hook", "#!/bin/sh\n:\n");
    assert_int_equal(ask(w, false), ACME_OK);
}

/* ---- a bad engine ----------------------------------------------------- */

static int
exit_status(struct world *w)
{
    int status;

    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    w->pid = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

typedef void spoiler(struct acme_errand *asked);

static void
ip_address(struct acme_errand *asked)
{
    strcpy(asked->name, "192.0.2.1");
}

static void
option_as_name(struct acme_errand *asked)
{
    strcpy(asked->name, "-rf.test");
}

static void
upper_case(struct acme_errand *asked)
{
    strcpy(asked->name, "A.test");
}

static void
other_owner(struct acme_errand *asked)
{
    strcpy(asked->owner, "_acme-challenge.b.test");
}

static void
longer_owner(struct acme_errand *asked)
{
    strcpy(asked->owner, "x_acme-challenge.a.test");
}

static void
odd_owner(struct acme_errand *asked)
{
    strcpy(asked->owner, "$(id)._acme-challenge.a.test");
}

static void
other_zone(struct acme_errand *asked)
{
    strcpy(asked->owner, "a.notzone.test");
}

static void
odd_value(struct acme_errand *asked)
{
    asked->value[7] = ' ';
}

static void
short_value(struct acme_errand *asked)
{
    asked->value[42] = '\0';
}

static void
odd_token(struct acme_errand *asked)
{
    strcpy(asked->token, "../..");
}

static void
no_token(struct acme_errand *asked)
{
    asked->token[0] = '\0';
}

static void
other_type(struct acme_errand *asked)
{
    asked->type = ACME_HTTP_01;
}

static void
no_type(struct acme_errand *asked)
{
    asked->type = ACME_CHALLENGE_TYPES;
}

static void
odd_list(struct acme_errand *asked)
{
    asked->all = "a.test,;id";
    asked->all_len = strlen(asked->all);
}

static void
open_list(struct acme_errand *asked)
{
    asked->all = "a.test,";
    asked->all_len = strlen(asked->all);
}

static void
no_list(struct acme_errand *asked)
{
    asked->all_len = 0;
}

static void
nul_in_output(struct acme_errand *asked)
{
    asked->output = "a\0b";
    asked->output_len = 3;
}

static void
long_output(struct acme_errand *asked)
{
    static char text[ACME_COMMAND_OUTPUT_MAX + 1];

    memset(text, 'x', sizeof(text));
    asked->output = text;
    asked->output_len = sizeof(text);
}

static void
many_remaining(struct acme_errand *asked)
{
    asked->remaining = ACME_NAMES_MAX + 1;
}

static void
test_bad_errands(void **state)
{
    static spoiler *const bad[] = { ip_address, option_as_name, upper_case,
        other_owner, longer_owner, odd_owner, other_zone, odd_value,
        short_value, odd_token, no_token, other_type, no_type, odd_list,
        open_list, no_list, nul_in_output, long_output, many_remaining };
    struct world *w = *state;
    struct acme_errand asked;
    size_t i;

    w->zone = "zone.test";
    configure(w, ACME_COMMAND_CERTBOT, script(w, "hook", ": >${0%/*}/runs"),
        30);
    for (i = 0; i < COUNT(bad); i++) {
        asked = errand(true);
        bad[i](&asked);
        start(w);
        close(send_to(w, &asked, 0));
        assert_int_equal(exit_status(w), ACME_EXIT_BAD_PEER);
        end(w);
        close(w->log);
        assert_false(helper_tmp_exists(&w->tmp, "runs"));
    }
    start(w);
    asked = errand(true);
    close(send_to(w, &asked, 1));
    assert_int_equal(exit_status(w), ACME_EXIT_BAD_PEER);
}

/* ---- stages ----------------------------------------------------------- */

static int
send_stage(struct world *w, const struct acme_stage_ask *asked)
{
    struct acme_buf frame;
    int pair[2];

    acme_buf_init(&frame, ACME_FRAME_MAX);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    acme_stage_ask_render(asked, &frame);
    assert_int_equal(acme_frame_send_fd(w->frame, &frame, pair[1], &w->err),
        ACME_OK);
    acme_buf_clear(&frame);
    close(pair[1]);
    return pair[0];
}

static enum acme_rc
stage(struct world *w, const struct acme_stage_ask *asked)
{
    struct acme_stage_answer said;
    struct acme_frame frame;
    struct acme_buf data;
    int fd = send_stage(w, asked);

    acme_error_clear(&w->err);
    acme_buf_init(&data, ACME_FRAME_MAX);
    if (acme_frame_recv(fd, &data, &w->err) == ACME_OK) {
        assert_true(acme_stage_answer_open(&frame, &data, &said));
        w->err = said.err;
    }
    acme_buf_clear(&data);
    close(fd);
    return w->err.rc;
}

/* Executables of directories, which leave "runs" behind. */
static void
add_hooks(struct world *w)
{
    static const char *const stages[] = { "pre", "deploy", "post" };
    char name[64];
    size_t i;

    helper_tmp_mkdir(&w->tmp, "renewal-hooks");
    for (i = 0; i < COUNT(stages); i++) {
        (void)snprintf(name, sizeof(name), "renewal-hooks/%s", stages[i]);
        helper_tmp_mkdir(&w->tmp, name);
        (void)snprintf(name, sizeof(name), "renewal-hooks/%s/hook", stages[i]);
        (void)script(w, name, ": >${0%/*}/../../runs");
    }
    configure(w, ACME_COMMAND_CERTBOT, "/bin/true", 30);
}

static void
test_stages(void **state)
{
    struct acme_stage_ask asked = { .stage = ACME_HOOKS_PRE };
    struct world *w = *state;

    add_hooks(w);
    start(w);
    assert_int_equal(stage(w, &asked), ACME_OK);
    assert_false(helper_tmp_exists(&w->tmp, "runs"));
    end(w);
    close(w->log);
    start(w);
    asked.renews = true;
    assert_int_equal(stage(w, &asked), ACME_OK);
    assert_true(helper_tmp_exists(&w->tmp, "runs"));
    helper_tmp_remove(&w->tmp, "runs");
    asked.stage = ACME_HOOKS_POST;
    assert_int_equal(stage(w, &asked), ACME_OK);
    assert_true(helper_tmp_exists(&w->tmp, "runs"));
}

/* The store says that all is over when the engine has told what has ended,
 * which the runner need not have read yet. */
static void
test_held_post_hooks(void **state)
{
    struct acme_stage_ask asked = { .stage = ACME_HOOKS_PRE, .renews = true };
    const struct acme_stage_ask over = { .stage = ACME_HOOKS_POST,
        .unit = ACME_STAGE_ALL };
    struct world *w = *state;
    struct acme_stage_answer said;
    struct acme_frame frame;
    struct acme_buf data;
    char *runs;

    add_hooks(w);
    (void)script(w, "renewal-hooks/post/hook",
        "echo $RENEWED_DOMAINS:$FAILED_DOMAINS >${0%/*}/../../runs");
    start_with(w, true);
    assert_int_equal(stage(w, &asked), ACME_OK);
    asked.stage = ACME_HOOKS_POST;
    assert_int_equal(kill(w->pid, SIGSTOP), 0);
    close(send_stage(w, &asked));
    acme_buf_init(&data, ACME_FRAME_MAX);
    acme_stage_ask_render(&over, &data);
    assert_int_equal(acme_frame_send(w->store, &data, &w->err), ACME_OK);
    assert_int_equal(kill(w->pid, SIGCONT), 0);
    do
        assert_int_equal(acme_frame_recv(w->store, &data, &w->err), ACME_OK);
    while (!acme_stage_answer_open(&frame, &data, &said) ||
           said.stage != ACME_HOOKS_POST);
    acme_buf_clear(&data);
    runs = helper_tmp_gets(&w->tmp, "runs");
    assert_string_equal(runs, "a.test:\n");
    free(runs);
}

/* What an engine may not say: it is killed for it, and nothing is run. */
static void
test_bad_stages(void **state)
{
    struct acme_stage_ask bad[] = {
        { .stage = ACME_HOOKS_DEPLOY, .version = 1 },
        { .stage = ACME_HOOKS_DEPLOY },
        { .stage = ACME_HOOKS_PRE, .unit = 100 },
        { .stage = ACME_HOOKS_POST, .unit = ACME_STAGE_ALL },
        { .stage = ACME_HOOKS_PRE, .domains = "$(id)", .domains_len = 5 },
        { .stage = ACME_HOOKS_PRE, .json = "{}", .json_len = 2 },
        { .stage = ACME_HOOKS_PRE, .id = 7 },
        { .stage = ACME_HOOKS_EVENT, .event = "renewed" },
        { .stage = ACME_HOOKS_TRACKING, .event = "close-success" },
        { .stage = ACME_HOOKS_TRACKING, .event = "create", .track = "x" },
        { .stage = ACME_HOOKS_MIRROR },
        { .stage = ACME_HOOKS_EVENT,
            .event = "challenge-setup:http-01:b.test" },
        { .stage = ACME_HOOKS_EVENT,
            .event = "challenge-setup:http-01:a.test\n" },
    };
    struct world *w = *state;
    size_t i;

    add_hooks(w);
    for (i = 0; i < COUNT(bad); i++) {
        bad[i].renews = true;
        start(w);
        close(send_stage(w, &bad[i]));
        assert_int_equal(exit_status(w), ACME_EXIT_BAD_PEER);
        end(w);
        close(w->log);
        w->log = -1;
        assert_false(helper_tmp_exists(&w->tmp, "runs"));
    }
}

static void
stop(struct world *w)
{
    end(w);
    close(w->log);
    acme_config_free(w->config);
}

/* A record is told of in the words of the convention, or not at all: never of
 * another one. */
static void
test_good_owners(void **state)
{
    static const struct {
        enum acme_command_kind kind;
        enum acme_challenge_type type;
        const char *owner;
        const char *words; /* NULL: it has none */
    } cases[] = {
        { ACME_COMMAND_CERTBOT, ACME_DNS_01, OWNER, " a.test" },
        { ACME_COMMAND_CERTBOT, ACME_DNS_01, "_acme-challenge.z.zone.test",
            " z.zone.test" },
        { ACME_COMMAND_CERTBOT, ACME_DNS_01, "a-test.zone.test", NULL },
        { ACME_COMMAND_CERTBOT, ACME_DNS_ACCOUNT_01,
            "_l0._acme-challenge.a.test", NULL },
        { ACME_COMMAND_MOD_MD, ACME_DNS_01, OWNER,
            "setup a.test " VALUE " a.test" },
        { ACME_COMMAND_MOD_MD, ACME_DNS_01, "_acme-challenge.z.zone.test",
            "setup z.zone.test " VALUE " z.zone.test" },
        { ACME_COMMAND_MOD_MD, ACME_DNS_01, "zone.test", NULL },
        { ACME_COMMAND_UACME, ACME_DNS_01, "_acme-challenge.z.zone.test",
            "begin dns-01 z.zone.test the-token_0 " VALUE " z.zone.test" },
        { ACME_COMMAND_UACME, ACME_DNS_01, "zone.test", NULL },
        { ACME_COMMAND_UACME, ACME_DNS_ACCOUNT_01,
            "_l0._acme-challenge.a.test",
            "begin dns-account-01 a.test the-token_0 " VALUE " a.test" },
        { ACME_COMMAND_UACME, ACME_DNS_ACCOUNT_01,
            "_l0._acme-challenge.z.zone.test",
            "begin dns-account-01 z.zone.test the-token_0 " VALUE
            " z.zone.test" },
        { ACME_COMMAND_UACME, ACME_DNS_ACCOUNT_01, "zone.test", NULL },
    };
    struct world *w = *state;
    struct acme_errand asked = errand(true);
    const char *path =
        script(w, "hook", "echo \"$*\" $CERTBOT_DOMAIN $ACME_RECORD_NAME");
    char told[512];
    size_t i;

    w->zone = "zone.test";
    strcpy(asked.name, "*.a.test");
    asked.all = "*.a.test,b.test";
    asked.all_len = strlen(asked.all);
    for (i = 0; i < COUNT(cases); i++) {
        if (i == 0 || cases[i].kind != cases[i - 1].kind) {
            if (w->config != NULL)
                stop(w);
            run(w, cases[i].kind, path, 30);
        }
        asked.type = cases[i].type;
        strcpy(asked.owner, cases[i].owner);
        if (cases[i].words == NULL) {
            assert_int_equal(answer(w, send_to(w, &asked, 0)), ACME_CONFIG);
            assert_said(w, "the program cannot be told of");
            assert_true(w->end.refused);
            continue;
        }
        assert_int_equal(answer(w, send_to(w, &asked, 0)), ACME_OK);
        (void)snprintf(told, sizeof(told), "%s %s",
            cases[i].words + (cases[i].words[0] == ' '), cases[i].owner);
        assert_string_equal(acme_buf_str(&w->output), told);
    }
}

static void
test_bad_frames(void **state)
{
    struct world *w = *state;
    struct acme_errand asked = errand(true);
    struct acme_buf frame;
    int null = open("/dev/null", O_RDONLY);

    configure(w, ACME_COMMAND_CERTBOT, script(w, "hook", ":"), 30);
    acme_buf_init(&frame, ACME_FRAME_MAX);
    /* without a descriptor */
    start(w);
    acme_errand_render(&asked, 0, &frame);
    assert_int_equal(acme_frame_send(w->frame, &frame, &w->err), ACME_OK);
    assert_int_equal(exit_status(w), ACME_EXIT_BAD_PEER);
    end(w);
    close(w->log);
    /* for the store */
    start(w);
    acme_frame_begin(&frame, ACME_VERB_LOCK, 0);
    assert_int_equal(acme_frame_send_fd(w->frame, &frame, null, &w->err),
        ACME_OK);
    assert_int_equal(exit_status(w), ACME_EXIT_BAD_PEER);
    end(w);
    close(w->log);
    /* more than there is to say */
    start(w);
    acme_errand_render(&asked, 0, &frame);
    acme_frame_add_text(&frame, "more");
    assert_int_equal(acme_frame_send_fd(w->frame, &frame, null, &w->err),
        ACME_OK);
    assert_int_equal(exit_status(w), ACME_EXIT_BAD_PEER);
    end(w);
    close(w->log);
    /* the engine has gone */
    start(w);
    close(w->frame);
    w->frame = -1;
    assert_int_equal(exit_status(w), ACME_EXIT_PEER_GONE);
    acme_buf_clear(&frame);
    close(null);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_output),
        TEST(test_directory),
        TEST(test_many_names),
        TEST(test_queue),
        TEST(test_as_other_user),
        TEST(test_user_is_told_once),
        TEST(test_as_nobody),
        TEST(test_fails),
        TEST(test_output_is_secret),
        TEST(test_declines),
        TEST(test_hangs),
        TEST(test_forks_away),
        TEST(test_stopped),
        TEST(test_unwanted),
        TEST(test_runner_killed),
        TEST(test_bad_errands),
        TEST(test_stages),
        TEST(test_held_post_hooks),
        TEST(test_bad_stages),
        TEST(test_good_owners),
        TEST(test_bad_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
