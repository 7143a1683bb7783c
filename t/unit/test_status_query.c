/*
 * acme_status_query.h: who is told, what is asked for and what that gets; and
 * acme_wishes.h: what becomes of the questions that it leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "drive/acme_wishes.h"
#include "fake_host.h"
#include "state/acme_status_query.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LINEAGES 100

struct world {
    struct acme_config *config;
    struct acme_area *area;
    struct acme_error err;
    struct fake_host host;
    struct acme_wishes wishes;

    struct acme_status_policy policy;
    struct acme_status_query query;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } client;
    struct acme_status_reply reply;
    char body[512];

    size_t told[2 * LINEAGES]; /* to the engine */
    size_t ntold;
    bool busy; /* the engine */
};

static void
add_lineage(struct world *w, const char *name)
{
    const struct acme_lineage lineage = { .names = &name,
        .nnames = 1,
        .ntypes = 1,
        .type = { ACME_KEY_ECDSA_256 } };
    size_t index;

    assert_int_equal(
        acme_config_add_lineage(w->config, &lineage, &index, &w->err),
        ACME_OK);
}

static void
set_client(struct world *w, const char *address)
{
    memset(&w->client, 0, sizeof(w->client));
    if (strcmp(address, "unix") == 0) {
        w->client.any.sa_family = AF_UNIX;
    } else if (strchr(address, ':') != NULL) {
        w->client.any.sa_family = AF_INET6;
        inet_pton(AF_INET6, address, &w->client.v6.sin6_addr);
    } else {
        w->client.any.sa_family = AF_INET;
        inet_pton(AF_INET, address, &w->client.v4.sin_addr);
    }
    w->query.client = &w->client.any;
}

static int
setup(void **state)
{
    const struct acme_issuer issuer = { .name = "ca",
        .directory = "https://ca.test/dir",
        .verify = true,
        .key_type = ACME_KEY_ECDSA_256 };
    struct world *w = calloc(1, sizeof(*w));
    char name[32];
    size_t i;

    assert_non_null(w);
    acme_error_clear(&w->err);
    fake_host_init(&w->host);
    w->config = acme_config_new("/state", "nginx", "/etc/nginx/nginx.conf");
    assert_non_null(w->config);
    w->config->workers_ask = true;
    assert_int_equal(acme_config_add_issuer(w->config, &issuer, &i, &w->err),
        ACME_OK);
    for (i = 0; i < LINEAGES; i++) {
        (void)snprintf(name, sizeof(name), "n%zu.test", i);
        add_lineage(w, name);
    }
    assert_int_equal(acme_config_finish(w->config, &w->err), ACME_OK);
    assert_int_equal(acme_area_new(LINEAGES, 1, &w->area, &w->err), ACME_OK);
    acme_wishes_init(&w->wishes, w->config, w->area, &w->host.host);
    w->policy.mode = ACME_STATUS_ADMIN;
    w->query.method = "GET";
    w->query.host = "localhost";
    w->query.path = "";
    set_client(w, "127.0.0.1");
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    acme_area_free(w->area);
    acme_config_free(w->config);
    fake_host_clear(&w->host);
    free(w);
    return 0;
}

static int
ask(struct world *w)
{
    struct acme_buf body;

    acme_status_answer(w->config, w->area, &w->policy, &w->query, &w->reply,
        &body);
    assert_true(acme_buf_ok(&body));
    (void)snprintf(w->body, sizeof(w->body), "%s", acme_buf_str(&body));
    acme_buf_clear(&body);
    return w->reply.status;
}

/* "": the answer has none. */
static const char *
field(const struct world *w, const char *name)
{
    size_t i;

    for (i = 0; i < w->reply.nfields; i++)
        if (strcmp(w->reply.field[i].name, name) == 0)
            return w->reply.field[i].value;
    return "";
}

/* ---- who -------------------------------------------------------------- */

static void
test_clients(void **state)
{
    static const struct {
        const char *address;
        int status;
    } row[] = { { "127.0.0.1", 200 }, { "127.255.0.3", 200 }, { "::1", 200 },
        { "::ffff:127.0.0.1", 200 }, { "unix", 200 }, { "192.0.2.1", 403 },
        { "10.0.0.1", 403 }, { "128.0.0.1", 403 }, { "::", 403 },
        { "fe80::1", 403 }, { "::ffff:192.0.2.1", 403 },
        { "::127.0.0.1", 403 } };
    static const char *const hosts[] = { "status.test" };
    struct world *w = *state;
    size_t i;

    for (i = 0; i < COUNT(row); i++) {
        set_client(w, row[i].address);
        if (ask(w) != row[i].status)
            fail_msg("%s: %d", row[i].address, w->reply.status);
    }

    /* The server's own rules are for those that the administrator lets come
     * to a name. */
    w->policy.nhosts = 1;
    w->policy.hosts = hosts;
    w->query.host = "status.test:8080";
    w->query.forwarded = true;
    set_client(w, "192.0.2.1");
    assert_int_equal(ask(w), 200);
    w->query.host = "rebind.test";
    assert_int_equal(ask(w), 403);
}

static void
test_off(void **state)
{
    struct world *w = *state;

    w->policy.mode = ACME_STATUS_OFF;
    assert_int_equal(ask(w), 403);
    w->policy.mode = ACME_STATUS_ON;
    assert_int_equal(ask(w), 200);
    acme_area_free(w->area);
    w->area = NULL;
    assert_int_equal(ask(w), 503);
}

static void
test_words(void **state)
{
    struct world *w = *state;
    enum acme_status_mode mode = ACME_STATUS_OFF;
    char host[ACME_NAME_MAX + 1];

    assert_int_equal(acme_status_mode_parse("Admin", &mode, &w->err), ACME_OK);
    assert_int_equal(mode, ACME_STATUS_ADMIN);
    assert_int_equal(acme_status_mode_parse("all", &mode, &w->err),
        ACME_CONFIG);
    assert_non_null(strstr(w->err.what, "\"all\""));
    assert_int_equal(acme_status_host_parse("A.Test", host, &w->err), ACME_OK);
    assert_string_equal(host, "a.test");
    acme_error_clear(&w->err);
    assert_int_equal(acme_status_host_parse("a b", host, &w->err),
        ACME_CONFIG);
}

/* ---- what ------------------------------------------------------------- */

static void
test_etag(void **state)
{
    struct world *w = *state;
    char first[32];

    assert_int_equal(ask(w), 200);
    (void)snprintf(first, sizeof(first), "%s", field(w, "ETag"));
    assert_int_equal(ask(w), 200);
    assert_string_equal(field(w, "ETag"), first);
    w->query.none_match = first;
    assert_int_equal(ask(w), 304);
    assert_string_equal(w->body, "");
    assert_int_equal(acme_area_put_status(w->area, 3, "{\"name\":\"n3.test\"}",
                         18, &w->err),
        ACME_OK);
    assert_int_equal(ask(w), 200);
    assert_string_not_equal(field(w, "ETag"), first);
    assert_non_null(strstr(w->body, "{\"name\":\"n3.test\"}"));
    w->query.path = "/n3.test";
    assert_int_equal(ask(w), 200);
    assert_string_equal(w->body, "{\"name\":\"n3.test\"}\n");
    w->query.path = "/N3.Test";
    assert_int_equal(ask(w), 200);
    w->query.path = "/n4.test"; /* the store has not told of it yet */
    assert_int_equal(ask(w), 503);
    assert_string_equal(field(w, "Retry-After"), "2");
    assert_string_equal(field(w, "ETag"), "");
}

static void
post(struct world *w)
{
    w->query.method = "POST";
    w->query.path = "/renew";
    w->query.args = "name=n3.test";
    w->query.admin = "1";
}

static void
test_origin(void **state)
{
    static const struct {
        const char *origin, *site;
        int status;
    } row[] = { { "http://localhost:8080", "same-origin", 202 },
        { "https://LOCALHOST:8080", NULL, 202 }, { NULL, "none", 202 },
        { "http://localhost", NULL, 403 }, { "null", NULL, 403 },
        { "", NULL, 403 }, { "http://evil.test", NULL, 403 },
        { "http://localhost:8080.evil.test", NULL, 403 },
        { "http://localhost:8080", "cross-site", 403 },
        { NULL, "same-site", 403 }, { NULL, "", 403 } };
    struct world *w = *state;
    size_t i;

    post(w);
    w->query.host = "localhost:8080";
    for (i = 0; i < COUNT(row); i++) {
        w->query.origin = row[i].origin;
        w->query.site = row[i].site;
        acme_area_put_rest(w->area, 3, 0);
        if (ask(w) != row[i].status)
            fail_msg("row %zu: %d", i, w->reply.status);
        assert_int_equal(acme_area_is_asked(w->area, 3), row[i].status == 202);
    }
}

static void
test_renew_refused(void **state)
{
    struct world *w = *state;

    post(w);
    w->query.admin = NULL;
    assert_int_equal(ask(w), 403);
    post(w);
    w->policy.mode = ACME_STATUS_ON;
    assert_int_equal(ask(w), 403);
    w->policy.mode = ACME_STATUS_ADMIN;
    w->query.forwarded = true;
    assert_int_equal(ask(w), 403);
    w->query.forwarded = false;
    w->query.method = "GET";
    assert_int_equal(ask(w), 405);
    assert_string_equal(field(w, "Allow"), "POST");
    post(w);
    w->query.path = "/n3.test";
    assert_int_equal(ask(w), 405);
    assert_string_equal(field(w, "Allow"), "GET, HEAD");
    post(w);
    w->query.args = NULL;
    assert_int_equal(ask(w), 400);
    w->query.args = "name=none.test";
    assert_int_equal(ask(w), 404);
    w->query.args = "rename=n3.test&name=n3.test%00";
    assert_int_equal(ask(w), 400);
    assert_false(acme_area_is_asked(w->area, 3));
}

/* ---- what becomes of it ----------------------------------------------- */

static bool
tell_engine(void *ctx, size_t lineage, uint64_t id)
{
    struct world *w = ctx;

    assert_int_equal(id, ACME_WISH | lineage);
    if (w->busy)
        return false;
    assert_true(w->ntold < COUNT(w->told));
    w->told[w->ntold++] = lineage;
    return true;
}

static void
look(struct world *w)
{
    acme_wishes_look(&w->wishes, tell_engine, w);
}

/* The clock of queries is the real one. */
static void
test_renew(void **state)
{
    struct world *w = *state;

    post(w);
    w->host.now = time(NULL);
    assert_int_equal(ask(w), 202);
    assert_non_null(strstr(w->body, "\"n3.test\""));
    assert_int_equal(ask(w), 429);
    assert_string_equal(field(w, "Retry-After"), "2");
    w->busy = true;
    look(w);
    assert_int_equal(ask(w), 429);
    w->busy = false;
    look(w);
    assert_int_equal(w->ntold, 1);
    assert_int_equal(w->told[0], 3);
    assert_int_equal(ask(w), 429);
    assert_in_range(atoi(field(w, "Retry-After")), ACME_ASK_INTERVAL - 5,
        ACME_ASK_INTERVAL);
    look(w);
    assert_int_equal(w->ntold, 1);

    /* done: it costs an order, and the engine makes one an hour */
    assert_true(acme_wishes_done(&w->wishes, ACME_WISH | 3, true, "ok"));
    assert_int_equal(ask(w), 429);
    assert_in_range(atoi(field(w, "Retry-After")), ACME_FORCE_INTERVAL - 5,
        ACME_FORCE_INTERVAL);
    assert_false(acme_wishes_done(&w->wishes, 3, true, "acmectl's"));
    assert_true(acme_wishes_done(&w->wishes, ACME_WISH | LINEAGES, true, ""));
}

static void
test_failed(void **state)
{
    struct world *w = *state;

    acme_area_ask(w->area, 3);
    look(w);
    assert_true(
        acme_wishes_done(&w->wishes, ACME_WISH | 3, false, "\x1b[31mno"));
    assert_true(fake_host_logged(&w->host, "\"n3.test\": \\x1b[31mno"));
    fake_host_pass(&w->host, ACME_ASK_INTERVAL);
    acme_area_ask(w->area, 3);
    look(w);
    assert_int_equal(w->ntold, 2);
}

/* A worker that does not obey. */
static void
test_flood(void **state)
{
    struct world *w = *state;
    unsigned second;
    size_t i;

    for (second = 0; second < ACME_ASK_INTERVAL; second++) {
        acme_area_ask(w->area, 7);
        look(w);
        fake_host_pass(&w->host, 1);
    }
    assert_int_equal(w->ntold, 1);
    for (second = 0; second < 3000 - 1; second++) {
        for (i = 0; i < LINEAGES; i++)
            acme_area_ask(w->area, i);
        acme_area_ask(w->area, SIZE_MAX);
        look(w);
        fake_host_pass(&w->host, 1);
    }
    assert_int_equal(w->ntold, ACME_ASKS_PER_HOUR);

    /* those that had to wait are first in the next hour */
    fake_host_pass(&w->host, 2);
    look(w);
    assert_true(w->ntold > ACME_ASKS_PER_HOUR);
    assert_int_equal(w->told[ACME_ASKS_PER_HOUR], w->told[59] + 1);
}

static void
test_clock_set_back(void **state)
{
    struct world *w = *state;

    acme_area_ask(w->area, 3);
    look(w);
    w->host.now -= 100000;
    acme_area_ask(w->area, 3);
    look(w);
    assert_int_equal(w->ntold, 2);
}

/* Without "admin" anywhere nobody listens. */
static void
test_nobody_listens(void **state)
{
    struct world *w = *state;

    w->config->workers_ask = false;
    acme_wishes_init(&w->wishes, w->config, w->area, &w->host.host);
    acme_area_ask(w->area, 3);
    look(w);
    assert_int_equal(w->ntold, 0);
    assert_true(acme_wishes_done(&w->wishes, ACME_WISH | 3, true, ""));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_clients),
        TEST(test_off),
        TEST(test_words),
        TEST(test_etag),
        TEST(test_origin),
        TEST(test_renew_refused),
        TEST(test_renew),
        TEST(test_failed),
        TEST(test_flood),
        TEST(test_clock_set_back),
        TEST(test_nobody_listens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
