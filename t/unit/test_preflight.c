/*
 * acme_preflight.h over a scripted network, and what a job makes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "drive/acme_preflight.h"
#include "fake_job.h"

#define THUMBPRINT "uhnPzi4WPa8qRR3aIBvlD9ZhpEUrmf1JiwSEpqVr7_s"
#define OTHER "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ"

/* ---- a network -------------------------------------------------------- */

/* What is at an address, of every name, and what the DNS knows.  Of a
 * handshake `status` is the proof (enum acme_alpn_proof) and `body` why. */
struct place {
    const char *address;
    unsigned port;
    enum acme_probe_end end;
    int status;
    const char *body; /* %s: the token; NULL: the right answer */
    bool shown;       /* right only if the token has been presented */
};

struct zone {
    const char *name;
    enum acme_lookup_end addresses;
    const char *address[3];
    enum acme_lookup_end caa;
    const char *issue; /* value of one record */
};

static struct net {
    struct place place[4];
    struct zone zone[4];
    unsigned probes, lookups, presented;
    unsigned shown[ACME_CHALLENGE_TYPES]; /* tokens */
    bool busy;                            /* none can be shown */
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    bool stop;
    char log[512]; /* addresses that were asked */
} net;

static const char *
token_of(const struct acme_probe *probe)
{
    return strrchr(probe->path, '/') + 1;
}

static void
answer(struct acme_probe *probe, const struct place *place)
{
    bool right = place->body == NULL && (!place->shown || net.presented > 0);

    probe->end = place->end;
    if (place->end != ACME_PROBE_ANSWERED)
        return;
    probe->status = place->status != 0 ? place->status : 200;
    if (place->shown && !right)
        probe->status = 404;
    if (right)
        probe->body_len = (size_t)snprintf(probe->body, sizeof(probe->body),
            "%s.%s\r\n", token_of(probe), net.thumbprint);
    else if (place->body != NULL)
        probe->body_len = (size_t)snprintf(probe->body, sizeof(probe->body),
            "%s%s", place->body[0] == '.' ? token_of(probe) : "", place->body);
}

static bool
probe(struct acme_probe *list, size_t n, unsigned ms,
    const struct acme_host *host)
{
    size_t i, k, len;

    (void)host;
    assert_int_equal(ms, ACME_PREFLIGHT_MS);
    for (i = 0; i < n; i++) {
        net.probes++;
        len = strlen(net.log);
        (void)snprintf(net.log + len, sizeof(net.log) - len, "%s:%u ",
            list[i].address, list[i].port);
        list[i].end = ACME_PROBE_REFUSED;
        strcpy(list[i].why, "Connection refused");
        list[i].status = 0;
        list[i].body_len = 0;
        assert_int_equal(strlen(token_of(&list[i])), 32);
        for (k = 0; k < 4 && net.place[k].address != NULL; k++)
            if (strcmp(net.place[k].address, list[i].address) == 0 &&
                net.place[k].port == list[i].port)
                answer(&list[i], &net.place[k]);
    }
    return !net.stop;
}

static bool
shake(struct acme_alpn_probe *list, size_t n, unsigned ms,
    const struct acme_host *host)
{
    size_t i, k, len;

    (void)host;
    assert_int_equal(ms, ACME_PREFLIGHT_MS);
    /* nobody can answer before */
    assert_true(net.presented > 0 && !net.busy);
    for (i = 0; i < n; i++) {
        net.probes++;
        len = strlen(net.log);
        (void)snprintf(net.log + len, sizeof(net.log) - len, "%s:%u ",
            list[i].address, list[i].port);
        assert_int_equal(strlen(list[i].answer), 32 + 1 + 43);
        list[i].end = ACME_ALPN_REFUSED;
        strcpy(list[i].why, "Connection refused");
        for (k = 0; k < 4 && net.place[k].address != NULL; k++) {
            if (strcmp(net.place[k].address, list[i].address) != 0 ||
                net.place[k].port != list[i].port)
                continue;
            list[i].end = net.place[k].end == ACME_PROBE_ANSWERED
                              ? ACME_ALPN_ANSWERED
                              : ACME_ALPN_SILENT;
            list[i].proof = (enum acme_alpn_proof)net.place[k].status;
            strcpy(list[i].why,
                net.place[k].body != NULL ? net.place[k].body : "");
        }
    }
    return !net.stop;
}

static const struct zone *
find_zone(const char *name)
{
    size_t i;

    net.lookups++;
    for (i = 0; i < 4 && net.zone[i].name != NULL; i++)
        if (strcmp(net.zone[i].name, name) == 0)
            return &net.zone[i];
    return NULL;
}

static enum acme_lookup_end
look_up(void *ctx, const char *name, unsigned ms, struct acme_addresses *out)
{
    const struct zone *zone = find_zone(name);

    (void)ctx;
    (void)ms;
    out->n = 0;
    if (zone == NULL)
        return ACME_LOOKUP_NOTHING;
    for (; out->n < 3 && zone->address[out->n] != NULL; out->n++)
        strcpy(out->text[out->n], zone->address[out->n]);
    return zone->addresses;
}

static enum acme_lookup_end
look_up_caa(void *ctx, const char *domain, unsigned ms,
    struct acme_arena *arena, const struct acme_caa_property **property,
    size_t *n)
{
    const struct zone *zone = find_zone(domain);
    struct acme_caa_property *one;

    (void)ctx;
    (void)ms;
    *n = 0;
    if (zone == NULL ||
        (zone->issue == NULL && zone->caa == ACME_LOOKUP_FOUND))
        return ACME_LOOKUP_NOTHING;
    if (zone->caa != ACME_LOOKUP_FOUND)
        return zone->caa;
    one = acme_arena_alloc(arena, sizeof(*one));
    assert_non_null(one);
    *one = (struct acme_caa_property){ 0, "issue", 5, zone->issue,
        strlen(zone->issue) };
    *property = one;
    *n = 1;
    return ACME_LOOKUP_FOUND;
}

static const struct acme_lookup lookup = { NULL, look_up, look_up_caa };
static const struct acme_preflight_means means = { probe, shake, &lookup };
static const struct acme_preflight_means no_dns = { probe, shake, NULL };

static enum acme_rc
present(void *ctx, const struct acme_area_token *tokens, size_t n, bool *shown,
    struct acme_error *err)
{
    size_t i;

    (void)ctx;
    (void)err;
    assert_false(*shown);
    assert_true(n > 0);
    for (i = 0; i < n; i++) {
        assert_int_equal(strlen(tokens[i].token), 32);
        assert_true(tokens[i].name[0] != '\0');
        net.shown[tokens[i].type]++;
    }
    net.presented++;
    *shown = !net.busy;
    return ACME_OK;
}

/* ---- one name --------------------------------------------------------- */

#define OK(at)                                                  \
    {                                                           \
        .address = (at), .port = 80, .end = ACME_PROBE_ANSWERED \
    }
#define FOUND ACME_LOOKUP_FOUND
#define NOTHING ACME_LOOKUP_NOTHING

struct row {
    const char *name;
    struct place place[4];
    struct zone zone[4];
    bool private_too;
    const char *wanted[ACME_CHECKS]; /* "good answered": verdict and text */
};

static const struct row rows[] = {
    /* this server */
    { "a.test", { OK("127.0.0.1") }, { { .name = NULL } }, false,
        { "good answered at 127.0.0.1:80", "bad a.test has no address", "good",
            "good" } },
    { "a.test", { { "127.0.0.1", 80, ACME_PROBE_ANSWERED, 404, "", false } },
        { { .name = NULL } }, false,
        { "bad this server does not answer the challenge for a.test: "
          "127.0.0.1:80 answered 404" } },
    { "a.test", { { .address = NULL } }, { { .name = NULL } }, false,
        { "bad could not be asked" } },
    { "a.test", { { "127.0.0.1", 80, ACME_PROBE_SILENT, 0, NULL, false } },
        { { .name = NULL } }, false, { "doubt did not answer within 5 s" } },
    { "a.test",
        { { "127.0.0.1", 80, ACME_PROBE_ANSWERED, 200, "." OTHER, false } },
        { { .name = NULL } }, false, { "bad another account's thumbprint" } },
    { "a.test", { { "127.0.0.1", 80, ACME_PROBE_ANSWERED, 301, "", false } },
        { { .name = NULL } }, false, { "bad redirect (301)" } },
    { "a.test",
        { { "127.0.0.1", 80, ACME_PROBE_ANSWERED, 200, "hello", false } },
        { { .name = NULL } }, false, { "bad something else" } },
    /* "pending": a token has to be presented */
    { "a.test", { { "127.0.0.1", 80, ACME_PROBE_ANSWERED, 0, NULL, true } },
        { { .name = NULL } }, false, { "good" } },
    /* the outside */
    { "a.test", { OK("127.0.0.1"), OK("192.0.2.1") },
        { { "a.test", FOUND, { "192.0.2.1" }, FOUND, NULL } }, false,
        { "good", "good answered at 192.0.2.1", "good no CAA", "good" } },
    { "a.test",
        { OK("127.0.0.1"),
            { "192.0.2.7", 80, ACME_PROBE_ANSWERED, 404, "no", false } },
        { { "a.test", FOUND, { "192.0.2.7" }, FOUND, NULL } }, false,
        { "good", "bad a.test resolves to 192.0.2.7, which answered 404 from "
                  "another server" } },
    { "a.test",
        { OK("127.0.0.1"), OK("192.0.2.1"),
            { "2001:db8::1", 80, ACME_PROBE_ANSWERED, 403, "", false } },
        { { "a.test", FOUND, { "192.0.2.1", "2001:db8::1" }, FOUND, NULL } },
        false, { "good", "bad 2001:db8::1, which answered 403" } },
    { "a.test",
        { OK("127.0.0.1"),
            { "192.0.2.7", 80, ACME_PROBE_ANSWERED, 200, "." OTHER, false } },
        { { "a.test", FOUND, { "192.0.2.7" }, FOUND, NULL } }, false,
        { "good", "bad which answered with another account's thumbprint" } },
    { "a.test",
        { OK("127.0.0.1"),
            { "192.0.2.7", 80, ACME_PROBE_SILENT, 0, NULL, false } },
        { { "a.test", FOUND, { "192.0.2.7" }, FOUND, NULL } }, false,
        { "good", "doubt which did not answer within 5 s" } },
    { "a.test", { OK("127.0.0.1") },
        { { "a.test", FOUND, { "192.0.2.7" }, FOUND, NULL } }, false,
        { "good", "doubt could not be asked: Connection refused" } },
    { "a.test",
        { OK("127.0.0.1"),
            { "192.0.2.7", 80, ACME_PROBE_ANSWERED, 308, "", false } },
        { { "a.test", FOUND, { "192.0.2.7" }, FOUND, NULL } }, false,
        { "good", "doubt redirect (308)" } },
    /* security S44 */
    { "a.test", { OK("127.0.0.1"), OK("169.254.169.254") },
        { { "a.test", FOUND, { "169.254.169.254", "10.0.0.1" }, FOUND,
            NULL } },
        false, { "good", "unknown private addresses" } },
    { "a.test", { OK("127.0.0.1"), OK("10.0.0.1") },
        { { "a.test", FOUND, { "10.0.0.1" }, FOUND, NULL } }, true,
        { "good", "good 10.0.0.1" } },
    { "192.0.2.9",
        { OK("127.0.0.1"),
            { "192.0.2.9", 80, ACME_PROBE_ANSWERED, 404, "", false } },
        { { .name = NULL } }, false,
        { "good", "bad 192.0.2.9 is 192.0.2.9, which answered 404", "-",
            "-" } },
    /* CAA: the name's own, or of a domain above it */
    { "b.a.test", { OK("127.0.0.1") },
        { { "b.a.test", FOUND, { NULL }, FOUND, "ca.test" },
            { "a.test", FOUND, { NULL }, FOUND, "other.test" } },
        false, { "good", "unknown", "good allow it" } },
    { "b.a.test", { OK("127.0.0.1") },
        { { "a.test", FOUND, { NULL }, FOUND, "other.test" } }, false,
        { "good", "",
            "bad the CAA records of a.test, for b.a.test allow "
            "\"other.test\", not \"ca.test\"" } },
    { "b.a.test", { OK("127.0.0.1") },
        { { "test", FOUND, { NULL }, FOUND, "ca.test; accounturi=x" } }, false,
        { "good", "", "bad another account" } },
    { "b.a.test", { OK("127.0.0.1") },
        { { "a.test", FOUND, { NULL }, FOUND,
            "ca.test; validationmethods=http-01" } },
        false, { "good", "", "good" } },
    /* a DNS that fails */
    { "a.test", { OK("127.0.0.1") },
        { { "a.test", ACME_LOOKUP_BOGUS, { NULL }, FOUND, NULL } }, false,
        { "good", "unknown", "", "bad a.test are bogus" } },
    { "b.a.test", { OK("127.0.0.1") },
        { { "a.test", FOUND, { NULL }, ACME_LOOKUP_BOGUS, NULL } }, false,
        { "good", "", "-", "bad a.test are bogus" } },
    { "a.test", { OK("127.0.0.1") },
        { { "a.test", ACME_LOOKUP_FAILED, { NULL }, FOUND, NULL } }, false,
        { "good", "unknown", "", "doubt SERVFAIL" } },
    { "a.test", { OK("127.0.0.1") },
        { { "a.test", ACME_LOOKUP_SILENT, { NULL }, FOUND, NULL } }, false,
        { "good", "unknown", "-", "unknown no resolver" } },
};

static const char *const identity[] = { "ca.test" };

struct fixture {
    struct acme_config *config;
    struct acme_proof proof;
    struct fake_host host;
    struct acme_arena *arena;
    struct acme_preflight_case what;
};

static void
open_fixture(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    memset(&net, 0, sizeof(net));
    strcpy(net.thumbprint, THUMBPRINT);
    fake_host_init(&f->host);
    acme_proof_init(&f->proof);
    f->arena = acme_arena_new();
    f->config = acme_config_new("/none", "test", "test");
    f->config->reach.http = ACME_ARRIVAL_YES;
    f->config->nlisteners = 2;
    f->config->listener[0] =
        (struct acme_listener){ "127.0.0.1", 80, false, true };
    f->config->listener[1] =
        (struct acme_listener){ "127.0.0.2", 8080, false, false };
    f->what = (struct acme_preflight_case){ .config = f->config,
        .proof = &f->proof,
        .host = &f->host.host,
        .means = &means,
        .arena = f->arena,
        .thumbprint = THUMBPRINT,
        .account = "https://ca.test/acct/1",
        .nidentities = 1,
        .identity = identity,
        .present = present };
}

static void
close_fixture(struct fixture *f)
{
    acme_config_free(f->config);
    acme_arena_free(f->arena);
    fake_host_clear(&f->host);
}

static void
expect(const struct acme_preflight_row *row, enum acme_check check,
    const char *wanted, size_t number)
{
    const struct acme_finding *finding = &row->check[check];
    const char *verdict = acme_verdict_name(finding->verdict);
    size_t len = wanted != NULL ? strcspn(wanted, " ") : 0;

    if (len == 0)
        return;
    if (strlen(verdict) != len || strncmp(verdict, wanted, len) != 0 ||
        (wanted[len] != '\0' &&
            strstr(finding->text, wanted + len + 1) == NULL))
        fail_msg("row %zu, %s: %s %s", number, acme_check_name(check), verdict,
            finding->text);
}

static void
test_rows(void **state)
{
    struct acme_preflight_row row;
    struct acme_error err;
    struct fixture f;
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        open_fixture(&f);
        memcpy(net.place, rows[i].place, sizeof(net.place));
        memcpy(net.zone, rows[i].zone, sizeof(net.zone));
        f.what.private_too = rows[i].private_too;
        acme_error_clear(&err);
        assert_int_equal(
            acme_preflight_run(&f.what, &rows[i].name, 1, &row, &err),
            ACME_OK);
        for (k = 0; k < ACME_CHECKS; k++)
            expect(&row, (enum acme_check)k, rows[i].wanted[k], i);
        /* where port 80 leads for certain, no other is asked */
        assert_null(strstr(net.log, "8080"));
        assert_null(strstr(net.log, "169.254"));
        close_fixture(&f);
    }
}

/* ---- more of it ------------------------------------------------------- */

static void
test_listeners(void **state)
{
    static const char *const names[] = { "a.test" };
    struct acme_preflight_row row;
    struct acme_error err;
    struct fixture f;

    (void)state;
    acme_error_clear(&err);
    open_fixture(&f);
    f.what.means = &no_dns;
    /* None for certain: any of them may do. */
    f.config->listener[0].certain = false;
    f.config->reach.http = ACME_ARRIVAL_UNKNOWN;
    net.place[0] = (struct place)OK("127.0.0.2");
    net.place[0].port = 8080;
    assert_int_equal(acme_preflight_run(&f.what, names, 1, &row, &err),
        ACME_OK);
    expect(&row, ACME_CHECK_BINDING, "good 127.0.0.2:8080", 0);
    expect(&row, ACME_CHECK_REACH, "unknown", 0);
    expect(&row, ACME_CHECK_CAA, "-", 0);
    assert_int_equal(net.lookups, 0);
    /* None at all: another node answers. */
    f.config->nlisteners = 0;
    assert_int_equal(acme_preflight_run(&f.what, names, 1, &row, &err),
        ACME_OK);
    expect(&row, ACME_CHECK_BINDING, "unknown nothing of this server", 1);
    /* Without an account there is no right answer. */
    f.what.thumbprint = NULL;
    net.probes = 0;
    assert_int_equal(acme_preflight_run(&f.what, names, 1, &row, &err),
        ACME_OK);
    expect(&row, ACME_CHECK_BINDING, "unknown no account", 2);
    assert_int_equal(net.probes, 0);
    close_fixture(&f);
}

/* ---- handshakes ------------------------------------------------------- */

#define TLS(at, proved)                                           \
    {                                                             \
        .address = (at), .port = 443, .end = ACME_PROBE_ANSWERED, \
        .status = (int)(proved)                                   \
    }
#define NO_ZONE          \
    {                    \
        {                \
            .name = NULL \
        }                \
    }
#define AT(text)                                     \
    {                                                \
        {                                            \
            "a.test", FOUND, { (text) }, FOUND, NULL \
        }                                            \
    }

static const struct row tls_rows[] = {
    /* this server */
    { "a.test", { TLS("127.0.0.1", ACME_ALPN_PROVEN) }, NO_ZONE, false,
        { "good answered at 127.0.0.1:443", "bad a.test has no address",
            "good", "good" } },
    { "a.test", { TLS("127.0.0.1", ACME_ALPN_NO_PROTOCOL) }, NO_ZONE, false,
        { "bad this server does not answer the challenge for a.test: "
          "127.0.0.1:443 answered as to anybody, without the protocol "
          "acme-tls/1" } },
    { "a.test",
        { { .address = "127.0.0.1",
            .port = 443,
            .end = ACME_PROBE_ANSWERED,
            .status = ACME_ALPN_NO_HANDSHAKE,
            .body = "it does not know the name" } },
        NO_ZONE, false,
        { "bad 127.0.0.1:443 refused the handshake: it does not know the "
          "name" } },
    { "a.test", { TLS("127.0.0.1", ACME_ALPN_ORDINARY) }, NO_ZONE, false,
        { "bad an ordinary certificate" } },
    { "a.test", { TLS("127.0.0.1", ACME_ALPN_OTHER_NAME) }, NO_ZONE, false,
        { "bad of another name" } },
    { "a.test", { TLS("127.0.0.1", ACME_ALPN_MALFORMED) }, NO_ZONE, false,
        { "bad malformed" } },
    { "a.test", { TLS("127.0.0.1", ACME_ALPN_ISSUED) }, NO_ZONE, false,
        { "bad not self-signed" } },
    { "a.test", { { .address = NULL } }, NO_ZONE, false,
        { "bad could not be asked: Connection refused" } },
    { "a.test", { { "127.0.0.1", 443, ACME_PROBE_SILENT, 0, NULL, false } },
        NO_ZONE, false, { "doubt did not answer within 5 s" } },
    /* another order's, whose proof comes first: nobody's fault */
    { "a.test", { TLS("127.0.0.1", ACME_ALPN_OTHER_ANSWER) }, NO_ZONE, false,
        { "unknown another order" } },
    { "a.test", { TLS("127.0.0.1", ACME_ALPN_NOT_JUDGED) }, NO_ZONE, false,
        { "doubt memory" } },
    /* the outside */
    { "a.test",
        { TLS("127.0.0.1", ACME_ALPN_PROVEN),
            TLS("192.0.2.1", ACME_ALPN_PROVEN) },
        AT("192.0.2.1"), false, { "good", "good answered at 192.0.2.1" } },
    { "a.test",
        { TLS("127.0.0.1", ACME_ALPN_PROVEN),
            TLS("192.0.2.7", ACME_ALPN_NO_PROTOCOL) },
        AT("192.0.2.7"), false,
        { "good",
            "bad a.test resolves to 192.0.2.7, which answered as to anybody, "
            "without the protocol acme-tls/1: it is another server, or one in "
            "front that ends TLS" } },
    { "a.test",
        { TLS("127.0.0.1", ACME_ALPN_PROVEN),
            TLS("192.0.2.7", ACME_ALPN_OTHER_ANSWER) },
        AT("192.0.2.7"), false, { "good", "doubt another account" } },
    { "a.test", { TLS("127.0.0.1", ACME_ALPN_PROVEN) }, AT("192.0.2.7"), false,
        { "good", "doubt could not be asked: Connection refused" } },
    /* security S44 */
    { "a.test",
        { TLS("127.0.0.1", ACME_ALPN_PROVEN),
            TLS("169.254.169.254", ACME_ALPN_PROVEN) },
        AT("169.254.169.254"), false,
        { "good", "unknown private addresses" } },
    { "192.0.2.9",
        { TLS("127.0.0.1", ACME_ALPN_PROVEN),
            TLS("192.0.2.9", ACME_ALPN_NO_PROTOCOL) },
        NO_ZONE, false, { "good", "bad 192.0.2.9 is 192.0.2.9", "-", "-" } },
};

static void
open_tls(struct fixture *f)
{
    open_fixture(f);
    f->config->reach.tls = ACME_ARRIVAL_YES;
    f->config->nlisteners = 2;
    f->config->listener[0] =
        (struct acme_listener){ "127.0.0.1", 443, true, true };
    f->config->listener[1] =
        (struct acme_listener){ "127.0.0.2", 80, false, true };
    f->proof.nchallenges = 1;
    f->proof.challenge[0] = ACME_TLS_ALPN_01;
}

static void
test_handshakes(void **state)
{
    struct acme_preflight_row row;
    struct acme_error err;
    struct fixture f;
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof(tls_rows) / sizeof(tls_rows[0]); i++) {
        open_tls(&f);
        memcpy(net.place, tls_rows[i].place, sizeof(net.place));
        memcpy(net.zone, tls_rows[i].zone, sizeof(net.zone));
        acme_error_clear(&err);
        assert_int_equal(
            acme_preflight_run(&f.what, &tls_rows[i].name, 1, &row, &err),
            ACME_OK);
        for (k = 0; k < ACME_CHECKS; k++)
            expect(&row, (enum acme_check)k, tls_rows[i].wanted[k], i);
        assert_int_equal(net.presented, 1);
        assert_int_equal(net.shown[ACME_TLS_ALPN_01], 1);
        assert_null(strstr(net.log, ":80"));
        assert_null(strstr(net.log, "169.254"));
        close_fixture(&f);
    }
}

/* What cannot be shown is not asked for; nor is anything shown to nobody. */
static void
test_not_shown(void **state)
{
    static const char *const names[] = { "a.test" };
    struct acme_preflight_row row;
    struct acme_error err;
    struct fixture f;

    (void)state;
    acme_error_clear(&err);
    open_tls(&f);
    net.busy = true;
    net.place[0] = (struct place)TLS("127.0.0.1", ACME_ALPN_PROVEN);
    net.zone[0] =
        (struct zone){ "a.test", FOUND, { "192.0.2.1" }, FOUND, NULL };
    assert_int_equal(acme_preflight_run(&f.what, names, 1, &row, &err),
        ACME_OK);
    expect(&row, ACME_CHECK_BINDING, "unknown an order is in flight", 0);
    expect(&row, ACME_CHECK_REACH, "unknown an order is in flight", 0);
    f.what.means = &no_dns;
    f.config->nlisteners = 0;
    net.presented = 0;
    assert_int_equal(acme_preflight_run(&f.what, names, 1, &row, &err),
        ACME_OK);
    assert_int_equal(net.presented, 0);
    expect(&row, ACME_CHECK_BINDING, "unknown nothing of this server", 1);
    expect(&row, ACME_CHECK_REACH, "unknown not known", 1);
    f.what.thumbprint = NULL;
    assert_int_equal(acme_preflight_run(&f.what, names, 1, &row, &err),
        ACME_OK);
    expect(&row, ACME_CHECK_BINDING, "unknown no account", 2);
    close_fixture(&f);
}

/* Names are shown as what they are proved by, all at once. */
static void
test_kinds(void **state)
{
    static const char *const names[] = { "a.test", "192.0.2.9", "b.test" };
    struct acme_preflight_row row[3];
    struct acme_error err;
    struct fixture f;

    (void)state;
    acme_error_clear(&err);
    open_tls(&f);
    f.what.means = &no_dns;
    f.config->listener[1].port = 80;
    f.config->reach.http = ACME_ARRIVAL_YES;
    f.proof.nchallenges = 0; /* http-01, which can work for all */
    net.place[0] = (struct place){ .address = "127.0.0.2",
        .port = 80,
        .end = ACME_PROBE_ANSWERED,
        .shown = true };
    assert_int_equal(acme_preflight_run(&f.what, names, 3, row, &err),
        ACME_OK);
    assert_int_equal(net.presented, 1);
    assert_int_equal(net.shown[ACME_HTTP_01], 3);
    assert_int_equal(net.shown[ACME_TLS_ALPN_01], 0);
    expect(&row[0], ACME_CHECK_BINDING, "good 127.0.0.2:80", 0);
    expect(&row[2], ACME_CHECK_BINDING, "good 127.0.0.2:80", 2);
    f.proof.nchallenges = 1;
    memset(&net.shown, 0, sizeof(net.shown));
    net.place[1] = (struct place)TLS("127.0.0.1", ACME_ALPN_PROVEN);
    assert_int_equal(acme_preflight_run(&f.what, names, 3, row, &err),
        ACME_OK);
    assert_int_equal(net.shown[ACME_TLS_ALPN_01], 3);
    expect(&row[1], ACME_CHECK_BINDING, "good 127.0.0.1:443", 1);
    close_fixture(&f);
}

/* A resolver that does not answer costs one question, however many names; what
 * is above them all is asked for once. */
static void
test_questions(void **state)
{
    static const char *const names[] = { "a.a.test", "b.a.test", "*.a.test" };
    struct acme_preflight_row row[3];
    struct acme_error err;
    struct fixture f;

    (void)state;
    acme_error_clear(&err);
    open_fixture(&f);
    f.proof.command.kind = ACME_COMMAND_UACME;
    net.place[0] = (struct place)OK("127.0.0.1");
    assert_int_equal(acme_preflight_run(&f.what, names, 3, row, &err),
        ACME_OK);
    /* addresses of two; CAA of a.a.test, b.a.test, a.test and test */
    assert_int_equal(net.lookups, 6);
    assert_int_equal(row[2].type, ACME_DNS_01);
    expect(&row[2], ACME_CHECK_BINDING, "-", 2);
    expect(&row[2], ACME_CHECK_REACH, "-", 2);
    net.zone[0] =
        (struct zone){ "a.a.test", ACME_LOOKUP_SILENT, { NULL }, FOUND, NULL };
    net.lookups = 0;
    assert_int_equal(acme_preflight_run(&f.what, names, 3, row, &err),
        ACME_OK);
    assert_int_equal(net.lookups, 1);
    expect(&row[1], ACME_CHECK_CAA, "-", 1);
    close_fixture(&f);
}

static void
test_stop(void **state)
{
    static const char *const names[] = { "a.test" };
    struct acme_preflight_row row;
    struct acme_error err;
    struct fixture f;

    (void)state;
    acme_error_clear(&err);
    open_fixture(&f);
    net.stop = true;
    assert_int_equal(acme_preflight_run(&f.what, names, 1, &row, &err),
        ACME_STOPPING);
    close_fixture(&f);
}

/* The worst come first, and what does not fit is not cut. */
static void
test_sum(void **state)
{
    struct acme_preflight_row row[2];
    char text[64];

    (void)state;
    memset(row, 0, sizeof(row));
    assert_int_equal(acme_preflight_sum(row, 2, text, sizeof(text)),
        ACME_VERDICT_GOOD);
    row[0].check[0] = (struct acme_finding){ ACME_VERDICT_UNKNOWN, "unknown" };
    assert_int_equal(acme_preflight_sum(row, 2, text, sizeof(text)),
        ACME_VERDICT_GOOD);
    assert_string_equal(text, "");
    row[0].check[1] = (struct acme_finding){ ACME_VERDICT_DOUBT, "a doubt" };
    assert_int_equal(acme_preflight_sum(row, 2, text, sizeof(text)),
        ACME_VERDICT_DOUBT);
    row[1].check[2] = (struct acme_finding){ ACME_VERDICT_BAD, "it is bad" };
    assert_int_equal(acme_preflight_sum(row, 2, text, sizeof(text)),
        ACME_VERDICT_BAD);
    assert_string_equal(text, "it is bad; a doubt");
    assert_int_equal(acme_preflight_sum(row, 2, text, 15), ACME_VERDICT_BAD);
    assert_string_equal(text, "it is bad");
}

/* ---- in a job --------------------------------------------------------- */

static struct acme_proof *
open_job(struct fake_drive *d, enum acme_preflight how)
{
    static struct acme_proof proof;

    memset(&net, 0, sizeof(net));
    d->preflight = &no_dns;
    proof = *d->config->lineage[0].proof;
    proof.preflight = how;
    d->config->lineage[0].proof = &proof;
    d->config->nlisteners = 1;
    d->config->listener[0] =
        (struct acme_listener){ "127.0.0.1", 80, false, true };
    return &proof;
}

/* Answers as our server would. */
static void
answer_rightly(struct fake_drive *d)
{
    char url[ACME_URL_MAX];
    struct acme_key *key = NULL;

    assert_int_equal(acme_vault_account(d->vault, 0, &key, url, &d->err),
        ACME_OK);
    assert_int_equal(acme_key_thumbprint(key, net.thumbprint, &d->err),
        ACME_OK);
    acme_key_unref(key);
    net.place[0] = (struct place)OK("127.0.0.1");
}

static void
read_record(struct fake_drive *d, struct acme_record *record)
{
    struct acme_vault_unit view;

    assert_int_equal(acme_vault_unit(d->vault, 0, &view, &d->err), ACME_OK);
    *record = view.record;
    acme_vault_unit_clear(&view);
}

static void
test_job_requires(void **state)
{
    struct fake_drive *d = *state;
    struct acme_proof *proof = open_job(d, ACME_PREFLIGHT_REQUIRE);
    struct fake_job_outcome out;
    struct acme_record record;

    fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_UNREADY,
        "a.test: 127.0.0.1:80 could not be asked");
    assert_false(out.result.ordered);
    assert_int_equal(net.presented, 0);
    read_record(d, &record);
    assert_non_null(strstr(record.preflight, "a.test: 127.0.0.1:80 could"));
    assert_int_equal(record.preflight_since, d->host.now);
    /* the token that was shown is none any more */
    assert_false(helper_tmp_exists(&d->tmp, "state/orders/a.test"));
    /* told once */
    assert_true(fake_host_logged(&d->host, "warn: pre-flight"));
    acme_buf_reset(&d->host.lines);
    fake_job_run(d, 0, false, &out);
    assert_false(fake_host_logged(&d->host, "pre-flight"));
    answer_rightly(d);
    fake_job_need(d, 0, false, &out);
    assert_int_equal(out.result.version, 1);
    assert_true(fake_host_logged(&d->host, "nothing to doubt any more"));
    read_record(d, &record);
    assert_string_equal(record.preflight, "");
    /* what is off does not look */
    proof->preflight = ACME_PREFLIGHT_OFF;
    net.probes = 0;
    fake_job_need(d, 0, true, &out);
    assert_int_equal(net.probes, 0);
}

static void
test_job_warns(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;
    struct acme_record record;

    (void)open_job(d, ACME_PREFLIGHT_WARN);
    fake_job_need(d, 0, false, &out);
    assert_int_equal(out.result.version, 1);
    assert_true(net.probes > 0);
    assert_true(fake_host_logged(&d->host, "warn: pre-flight"));
    read_record(d, &record);
    assert_true(record.preflight[0] != '\0');
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_handshakes),
        cmocka_unit_test(test_not_shown),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_sum),
        cmocka_unit_test_setup_teardown(test_job_requires, fake_job_setup,
            fake_drive_teardown),
        cmocka_unit_test_setup_teardown(test_job_warns, fake_job_setup,
            fake_drive_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
