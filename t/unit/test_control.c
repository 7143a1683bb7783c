/*
 * acme_control.h: a server's process and others that ask it, over the real
 * socket.  The server is a child of the test; every wait is bounded.
 */
#include <errno.h>
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
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "drive/acme_control.h"
#include "helper_skip.h"
#include "helper_tmp.h"
#include "state/acme_frame.h"
#include "state/acme_store.h"

enum {
    PATIENCE_S = 20,
    NOBODY = 65534
};

struct world {
    struct helper_tmp tmp;
    struct acme_config *config;
    struct acme_store *store;
    struct acme_error err;
    pid_t server;
    int stop; /* closing it ends the server as a service ends it */
    char instance[128];
    unsigned nservers;
    struct acme_control_server seen;
    struct acme_json *issuers; /* its */
};

/* ---- the server ------------------------------------------------------- */

struct serving {
    struct acme_control *control;
    uint64_t held; /* the id of a question whose answer waits */
};

/* "busy" is answered when the next question has come; a name that is not
 * here is declined. */
static bool
renew(void *ctx, const char *lineage, unsigned flags, uint64_t id)
{
    struct serving *serving = ctx;

    if (strcmp(lineage, "a.test") != 0 && strcmp(lineage, "busy.test") != 0)
        return false;
    if (strcmp(lineage, "busy.test") == 0) {
        serving->held = id;
        return true;
    }
    acme_control_done(serving->control, id, flags == ACME_RENEW_FORCE,
        "certificate renewed");
    acme_control_done(serving->control, serving->held, true, "and this one");
    return true;
}

static void
serve(struct world *w, int stop, int ready)
{
    struct pollfd fds[2 + ACME_CONTROL_CLIENTS];
    struct serving serving = { NULL, 0 };
    struct acme_error err;

    alarm(PATIENCE_S);
    acme_error_clear(&err);
    if (acme_control_open(acme_store_fd(w->store), w->config, &serving.control,
            &err) != ACME_OK)
        _exit(3);
    (void)!write(ready, "R", 1);
    memset(fds, 0, sizeof(fds));
    fds[0].fd = stop;
    fds[0].events = POLLIN;
    for (;;) {
        size_t n = 1 + acme_control_poll(serving.control, fds + 1);

        (void)poll(fds, n, 1000);
        if (fds[0].revents != 0)
            break;
        acme_control_serve(serving.control, renew, &serving);
    }
    acme_control_close(serving.control);
    _exit(0);
}

static void
start_server(struct world *w)
{
    int stop[2], ready[2];
    char byte;

    assert_int_equal(pipe(stop), 0);
    assert_int_equal(pipe(ready), 0);
    w->server = fork();
    if (w->server == 0) {
        close(stop[1]);
        close(ready[0]);
        serve(w, stop[0], ready[1]);
    }
    close(stop[0]);
    close(ready[1]);
    w->stop = stop[1];
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
}

static void
end_server(struct world *w)
{
    int status;

    if (w->server == 0)
        return;
    close(w->stop);
    assert_int_equal(waitpid(w->server, &status, 0), w->server);
    w->server = 0;
}

static void
kill_server(struct world *w)
{
    kill(w->server, SIGKILL);
    end_server(w);
}

/* ---- the world -------------------------------------------------------- */

static int
setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct acme_issuer issuer;
    size_t ignored;

    assert_non_null(w);
    acme_error_clear(&w->err);
    helper_tmp_init(&w->tmp);
    w->config = acme_config_new(helper_tmp_path(&w->tmp, "state"), "nginx",
        "/etc/nginx/nginx.conf");
    assert_non_null(w->config);
    acme_issuer_init(&issuer);
    issuer.name = "own";
    issuer.directory = "https://ca.test/dir";
    issuer.eab_kid = "kid";
    issuer.eab_key = "c2VjcmV0";
    assert_int_equal(
        acme_config_add_issuer(w->config, &issuer, &ignored, &w->err),
        ACME_OK);
    assert_int_equal(acme_config_finish(w->config, &w->err), ACME_OK);
    assert_int_equal(acme_store_open(w->config->state_dir, ACME_STORE_WRITE,
                         &w->store, &w->err),
        ACME_OK);
    start_server(w);
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    end_server(w);
    acme_json_free(w->issuers);
    acme_store_close(w->store);
    acme_config_free(w->config);
    assert_int_equal(chdir("/"), 0);
    helper_tmp_clear(&w->tmp);
    free(w);
    return 0;
}

static enum acme_rc
visit(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    struct world *w = ctx;

    (void)err;
    w->nservers++;
    w->seen = *server;
    w->seen.issuers = NULL;
    acme_json_free(w->issuers);
    w->issuers =
        server->issuers != NULL ? acme_json_copy(server->issuers) : NULL;
    return ACME_OK;
}

static unsigned
count_gone(struct world *w)
{
    w->nservers = 0;
    assert_int_equal(
        acme_control_gone(acme_store_fd(w->store), visit, w, &w->err),
        ACME_OK);
    return w->nservers;
}

static unsigned
count_servers(struct world *w)
{
    w->nservers = 0;
    assert_int_equal(
        acme_control_servers(acme_store_fd(w->store), visit, w, &w->err),
        ACME_OK);
    return w->nservers;
}

static const char *
only_server(struct world *w)
{
    assert_int_equal(count_servers(w), 1);
    return w->seen.instance;
}

static void
tick(void *ctx)
{
    (void)ctx;
}

struct answer {
    bool ok;
    char text[256];
};

/* Of the server seen last: no assertion in it, children use it too. */
static enum acme_rc
ask_seen(struct world *w, const char *lineage, unsigned flags, bool wait,
    struct answer *answer)
{
    acme_error_clear(&w->err);
    alarm(PATIENCE_S);
    return acme_control_ask(acme_store_fd(w->store), w->seen.instance, lineage,
        flags, wait, &answer->ok, answer->text, sizeof(answer->text), tick,
        NULL, &w->err);
}

static enum acme_rc
ask(struct world *w, const char *lineage, unsigned flags, bool wait,
    struct answer *answer)
{
    only_server(w);
    return ask_seen(w, lineage, flags, wait, answer);
}

static void
expect_renewed(struct world *w)
{
    struct answer answer;

    assert_int_equal(ask(w, "a.test", ACME_RENEW_FORCE, true, &answer),
        ACME_OK);
    assert_true(answer.ok);
    assert_string_equal(answer.text, "certificate renewed");
}

/* A client that does what it likes. */
static int
connect_raw(struct world *w)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path),
        "servers/%.90s.sock", only_server(w));
    assert_int_equal(fchdir(acme_store_fd(w->store)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
        0);
    return fd;
}

/* Whether the server hangs up, in time. */
static bool
is_hung_up(int fd)
{
    struct pollfd pfd = { fd, POLLIN, 0 };
    char byte;

    return poll(&pfd, 1, PATIENCE_S * 1000) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

/* ---- tests ------------------------------------------------------------ */

static void
test_description(void **state)
{
    struct world *w = *state;
    char path[256];

    assert_int_equal(count_servers(w), 1);
    assert_string_equal(w->seen.server, "nginx");
    assert_string_equal(w->seen.config, "/etc/nginx/nginx.conf");
    assert_int_equal(w->seen.pid, w->server);
    (void)snprintf(path, sizeof(path), "state/servers/%s.json",
        w->seen.instance);
    assert_int_equal(helper_tmp_mode(&w->tmp, path), 0600);
    (void)snprintf(path, sizeof(path), "state/servers/%s.sock",
        w->seen.instance);
    assert_int_equal(helper_tmp_mode(&w->tmp, path), 0600);
}

/* Its issuers, without what is secret. */
static void
test_issuers(void **state)
{
    struct world *w = *state;
    const struct acme_json *one;
    struct acme_buf text;

    assert_int_equal(count_servers(w), 1);
    assert_int_equal(acme_json_count(w->issuers), 1);
    one = acme_json_at(w->issuers, 0);
    assert_string_equal(acme_json_str(one, "name"), "own");
    assert_string_equal(acme_json_str(one, "directory"),
        "https://ca.test/dir");
    acme_buf_init(&text, ACME_JSON_MAX);
    assert_int_equal(acme_json_render(w->issuers, false, &text, &w->err),
        ACME_OK);
    assert_null(strstr(acme_buf_str(&text), "c2VjcmV0"));
    acme_buf_clear(&text);
}

static void
test_question(void **state)
{
    struct world *w = *state;
    struct answer answer;

    expect_renewed(w);
    assert_int_equal(ask(w, "a.test", 0, true, &answer), ACME_OK);
    assert_false(answer.ok);
}

static void
test_unknown(void **state)
{
    struct world *w = *state;
    struct answer answer;

    assert_int_equal(ask(w, "b.test", 0, true, &answer), ACME_NOENT);
    assert_int_equal(ask(w, "b.test", 0, false, &answer), ACME_NOENT);
    assert_int_equal(ask(w, "", 0, true, &answer), ACME_NOENT);
    assert_int_equal(ask(w, "../a.test", 0, true, &answer), ACME_NOENT);
    expect_renewed(w);
}

static void
test_no_wait(void **state)
{
    struct world *w = *state;
    struct answer answer;

    assert_int_equal(ask(w, "busy.test", 0, false, &answer), ACME_OK);
    assert_true(answer.ok);
    expect_renewed(w); /* who has gone is not waited for */
}

/* A second one in another process, whose answer comes first. */
static void
test_several(void **state)
{
    struct world *w = *state;
    struct answer answer;
    int status;
    pid_t pid;

    only_server(w);
    pid = fork();
    if (pid == 0) {
        int rc = ask_seen(w, "busy.test", 0, true, &answer) == ACME_OK &&
                 strcmp(answer.text, "and this one") == 0;
        _exit(rc);
    }
    do {
        expect_renewed(w);
        usleep(10000);
    } while (waitpid(pid, &status, WNOHANG) == 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

static void
test_garbage(void **state)
{
    struct world *w = *state;
    static const char junk[70000] = "GET / HTTP/1.1\r\n\r\n";
    size_t len;

    for (len = 1; len <= sizeof(junk); len = len * 4 + 2) {
        int fd = connect_raw(w);

        assert_int_equal(send(fd, junk, len, MSG_NOSIGNAL), len);
        assert_true(is_hung_up(fd));
        close(fd);
    }
    expect_renewed(w);
}

/* What would be a question, but for its verb. */
static void
test_other_frames(void **state)
{
    struct world *w = *state;
    struct acme_buf frame;
    int verb;

    acme_buf_init(&frame, ACME_FRAME_MAX);
    for (verb = ACME_VERB_UNIT; verb < ACME_VERB_LAST; verb++) {
        int fd;

        if (verb > ACME_VERB_DONE && verb <= ACME_VERB_RENEW)
            continue;
        fd = connect_raw(w);
        acme_frame_begin(&frame, (enum acme_verb)verb, 0);
        acme_frame_add_text(&frame, "busy.test");
        acme_frame_add_u64(&frame, 0);
        assert_int_equal(acme_frame_send(fd, &frame, &w->err), ACME_OK);
        assert_true(is_hung_up(fd));
        close(fd);
    }
    acme_buf_clear(&frame);
    expect_renewed(w);
}

static void
test_hang_up(void **state)
{
    struct world *w = *state;
    int fds[ACME_CONTROL_CLIENTS], i;

    for (i = 0; i < ACME_CONTROL_CLIENTS; i++)
        close(connect_raw(w));
    expect_renewed(w);
    for (i = 0; i < ACME_CONTROL_CLIENTS - 1; i++)
        fds[i] = connect_raw(w); /* and say nothing */
    expect_renewed(w);
    for (i = 0; i < ACME_CONTROL_CLIENTS - 1; i++)
        close(fds[i]);
}

/* All places taken: the next one is told at once, and when they are free
 * again all is well. */
static void
test_too_many(void **state)
{
    struct world *w = *state;
    int fds[ACME_CONTROL_CLIENTS], i, late;

    for (i = 0; i < ACME_CONTROL_CLIENTS; i++)
        fds[i] = connect_raw(w);
    late = connect_raw(w);
    assert_true(is_hung_up(late));
    close(late);
    for (i = 0; i < ACME_CONTROL_CLIENTS; i++)
        close(fds[i]);
    expect_renewed(w);
}

/* A question after the question is the end of that client. */
static void
test_second_question(void **state)
{
    struct world *w = *state;
    int fd = connect_raw(w), i;
    struct acme_buf frame;

    acme_buf_init(&frame, ACME_FRAME_MAX);
    for (i = 0; i < 2; i++) {
        acme_frame_begin(&frame, ACME_VERB_RENEW, 0);
        acme_frame_add_text(&frame, "busy.test");
        acme_frame_add_u64(&frame, 0);
        assert_int_equal(acme_frame_send(fd, &frame, &w->err), ACME_OK);
    }
    assert_true(is_hung_up(fd));
    acme_buf_clear(&frame);
    close(fd);
    expect_renewed(w);
}

/* In a child: becomes somebody else and asks; 1 if it was heard. */
static int
ask_as_nobody(struct world *w)
{
    struct answer answer = { .ok = false };

    if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        return 2;
    return ask_seen(w, "a.test", ACME_RENEW_FORCE, true, &answer) == ACME_OK;
}

/* Even where the permissions of the files would let it. */
static void
test_peer(void **state)
{
    struct world *w = *state;
    char path[256];
    int status;
    pid_t pid;

    if (geteuid() != 0)
        SKIP();
    (void)snprintf(path, sizeof(path), "%s/state/servers/%s.sock", w->tmp.path,
        only_server(w));
    assert_int_equal(chmod(path, 0777), 0);
    assert_int_equal(chmod(w->tmp.path, 0755), 0);
    assert_int_equal(chmod(helper_tmp_path(&w->tmp, "state"), 0755), 0);
    assert_int_equal(chmod(helper_tmp_path(&w->tmp, "state/servers"), 0755),
        0);
    pid = fork();
    if (pid == 0)
        _exit(ask_as_nobody(w));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    expect_renewed(w);
}

static void
test_end(void **state)
{
    struct world *w = *state;

    assert_int_equal(helper_tmp_count(&w->tmp, "state/servers"), 2);
    end_server(w);
    assert_int_equal(helper_tmp_count(&w->tmp, "state/servers"), 0);
    assert_int_equal(count_servers(w), 0);
}

/* One that was killed is not listed, and the next one tidies up. */
static void
test_dead(void **state)
{
    struct world *w = *state;
    struct answer answer;
    char dead[128];

    (void)snprintf(dead, sizeof(dead), "%s", only_server(w));
    assert_int_equal(count_gone(w), 0);
    kill_server(w);
    assert_int_equal(helper_tmp_count(&w->tmp, "state/servers"), 2);
    assert_int_equal(count_servers(w), 0);
    assert_int_equal(count_gone(w), 1);
    assert_string_equal(w->seen.instance, dead);
    assert_int_equal(acme_control_ask(acme_store_fd(w->store), dead, "a.test",
                         0, true, &answer.ok, answer.text, sizeof(answer.text),
                         tick, NULL, &w->err),
        ACME_IO);
    start_server(w);
    assert_string_not_equal(only_server(w), dead);
    assert_int_equal(count_gone(w), 0);
    assert_int_equal(helper_tmp_count(&w->tmp, "state/servers"), 2);
    expect_renewed(w);
}

/* It dies while somebody waits. */
static void
test_dies_meanwhile(void **state)
{
    struct world *w = *state;
    struct answer answer;
    pid_t pid, killed = w->server;

    pid = fork();
    if (pid == 0) {
        usleep(200000); /* time to ask */
        kill(killed, SIGKILL);
        _exit(0);
    }
    assert_int_equal(ask(w, "busy.test", 0, true, &answer), ACME_IO);
    assert_non_null(strstr(w->err.what, "went away"));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Two that live, of one configuration: a reload. */
static void
test_two(void **state)
{
    struct world *w = *state, other;

    other = *w;
    start_server(&other);
    assert_int_equal(count_servers(w), 2);
    end_server(&other);
    assert_int_equal(count_servers(w), 1);
    assert_int_equal(w->seen.pid, w->server);
    expect_renewed(w);
}

/* Foreign things in servers/ stop neither a server nor who asks (S11). */
static void
test_planted(void **state)
{
    struct world *w = *state;

    end_server(w);
    helper_tmp_fifo(&w->tmp, "state/servers/fifo.json");
    helper_tmp_link(&w->tmp, "/dev/zero", "state/servers/zero.json");
    helper_tmp_link(&w->tmp, "../format", "state/servers/link.json");
    helper_tmp_puts(&w->tmp, "state/servers/.json", "");
    helper_tmp_puts(&w->tmp, "state/servers/README", "");
    alarm(PATIENCE_S);
    start_server(w);
    expect_renewed(w);
    assert_true(helper_tmp_exists(&w->tmp, "state/format"));
    assert_true(helper_tmp_exists(&w->tmp, "state/servers/README"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_description),
        TEST(test_issuers),
        TEST(test_question),
        TEST(test_unknown),
        TEST(test_no_wait),
        TEST(test_several),
        TEST(test_garbage),
        TEST(test_other_frames),
        TEST(test_hang_up),
        TEST(test_too_many),
        TEST(test_second_question),
        TEST(test_peer),
        TEST(test_end),
        TEST(test_dead),
        TEST(test_dies_meanwhile),
        TEST(test_two),
        TEST(test_planted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
