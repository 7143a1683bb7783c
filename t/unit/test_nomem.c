/*
 * The core's flows with one allocation failing, the first, the second and so
 * on: nothing crashes or leaks (make asan), the error says what it is, no
 * output is touched, and what is in the state directory is as good as before.
 * Nor does short memory make a good certificate a bad one, or order another.
 *
 * malloc() and its like are this program's own and forward to the C library's
 * or to a sanitizer's, so that jansson's and OpenSSL's calls are seen too.
 * Under valgrind, which takes its own, the flows run with nothing failing.
 *
 *     ACME_NOMEM=all             every allocation, not only a choice
 *     ACME_NOMEM=job:123         one of them, with the stack that failed
 *     ACME_NOMEM=job:all         every one of a flow
 *     ACME_NOMEM=trace           each is named before it is tried
 */
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <jansson.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "drive/acme_challenge.h"
#include "drive/acme_control.h"
#include "drive/acme_job.h"
#include "drive/acme_status.h"
#include "fake_drive.h"
#include "fake_runner.h"
#include "helper_store.h"
#include "state/acme_live.h"
#include "state/acme_live_alpn.h"
#include "wrap/acme_csr.h"
#include "wrap/acme_json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NEVER ULONG_MAX

/* ---- the C library's malloc(), failing once --------------------------- */

/* Called before a sanitizer has set itself up. */
#define EARLY                                                        \
    __attribute__((no_sanitize("address"), no_sanitize("undefined"), \
        no_sanitize("thread")))
#define EXPORT EARLY __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

/* A sanitizer's, where there is one. */
#define WEAK __attribute__((weak))
WEAK void *__interceptor_malloc(size_t size);
WEAK void *__interceptor_calloc(size_t n, size_t size);
WEAK void *__interceptor_realloc(void *old, size_t size);

/* Counts between arm() and disarm(), but not where the test's own half of a
 * flow runs: pause() to go_on(). */
static struct {
    bool armed;
    bool failed;
    bool show; /* the stack of the one that fails */
    unsigned long seen, fail_at;
} allocations;

static void
show_stack(void)
{
    void *frame[32];

    backtrace_symbols_fd(frame, backtrace(frame, COUNT(frame)), 2);
}

EARLY static bool
fails(void)
{
    if (!allocations.armed || allocations.seen++ != allocations.fail_at)
        return false;
    allocations.failed = true;
    allocations.armed = false;
    if (allocations.show)
        show_stack();
    allocations.armed = true;
    return true;
}

static void *
real_malloc(size_t size)
{
    return __interceptor_malloc != NULL ? __interceptor_malloc(size)
                                        : __libc_malloc(size);
}

EXPORT void *
malloc(size_t size)
{
    return fails() ? NULL : real_malloc(size);
}

EXPORT void *
calloc(size_t n, size_t size)
{
    if (fails())
        return NULL;
    return __interceptor_calloc != NULL ? __interceptor_calloc(n, size)
                                        : __libc_calloc(n, size);
}

EXPORT void *
realloc(void *old, size_t size)
{
    if (fails())
        return NULL;
    return __interceptor_realloc != NULL ? __interceptor_realloc(old, size)
                                         : __libc_realloc(old, size);
}

/* A sanitizer's own would take memory past us. */
EXPORT char *
strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);

    return copy == NULL ? NULL : memcpy(copy, text, size);
}

static void
arm(unsigned long fail_at)
{
    allocations.failed = false;
    allocations.seen = 0;
    allocations.fail_at = fail_at;
    allocations.armed = true;
}

static bool
pause_count(void)
{
    bool armed = allocations.armed;

    allocations.armed = false;
    return armed;
}

static void
go_on(bool armed)
{
    allocations.armed = armed;
}

/* False under valgrind. */
static bool
can_fail(void)
{
    void *(*volatile allocate)(size_t) = malloc;
    void *memory;

    arm(0);
    memory = allocate(1);
    allocations.armed = false;
    free(memory);
    return memory == NULL;
}

/* ---- flows and points ------------------------------------------------- */

/* One run of a flow with the n-th allocation failing. */
struct point {
    unsigned long n;
    bool failed; /* it came to that allocation */
    unsigned long seen;
    enum acme_rc rc;
    struct acme_error err;
};

static char at[64]; /* "job:123", while it is tried */

/* A flow sets up, runs between begin() and end(), looks at what came of it. */
static void
begin(struct point *p)
{
    acme_error_clear(&p->err);
    arm(p->n);
}

static void
end(struct point *p, enum acme_rc rc)
{
    allocations.armed = false;
    p->failed = allocations.failed;
    p->seen = allocations.seen;
    p->rc = rc;
    assert_int_equal(rc, p->err.rc);
    assert_int_equal(ERR_peek_error(), 0);
}

#define MAY(rc) (1u << (rc))

/* What a failed allocation may lead to, besides ACME_OK. */
static void
expect(const struct point *p, unsigned may)
{
    char line[1024];

    if (p->rc == ACME_OK || (p->failed && (may & MAY(p->rc)) != 0))
        return;
    fail_msg("%s: %s: %s", at, acme_rc_name(p->rc),
        acme_error_line(&p->err, line, sizeof(line)));
}

#define ALL_FIRST 120 /* these are all tried */

struct tally {
    unsigned long points, ok, nomem, other;
};

/* A bit for each of the first descriptors. */
static uint64_t
open_files(void)
{
    uint64_t open = 0;
    int fd;

    for (fd = 0; fd < 64; fd++)
        open |= (uint64_t)(fcntl(fd, F_GETFD) != -1) << fd;
    return open;
}

static void
try(const char *name, void (*flow)(struct point *p), unsigned long n,
    struct point *p, struct tally *tally)
{
    uint64_t before = open_files();

    memset(p, 0, sizeof(*p));
    p->n = n;
    (void)snprintf(at, sizeof(at), "%s:%ld", name, (long)n);
    flow(p);
    /* none is left open, and nobody else's is closed */
    assert_true(open_files() == before);
    at[0] = '\0';
    if (tally == NULL || !p->failed)
        return;
    tally->points++;
    tally->ok += p->rc == ACME_OK;
    tally->nomem += p->rc == ACME_NOMEM;
    tally->other += p->rc != ACME_OK && p->rc != ACME_NOMEM;
}

static bool
mode_is(const char *mode)
{
    const char *wanted = getenv("ACME_NOMEM");

    return wanted != NULL && strcmp(wanted, mode) == 0;
}

/* "NAME:N"; false: all of them are to be tried.  *n NEVER: none is. */
static bool
only_one(const char *name, unsigned long *n, bool *all)
{
    const char *wanted = getenv("ACME_NOMEM");
    size_t len = strlen(name);

    *n = NEVER;
    *all = wanted != NULL && strcmp(wanted, "all") == 0;
    if (wanted == NULL || strchr(wanted, ':') == NULL)
        return false;
    if (strncmp(wanted, name, len) != 0 || wanted[len] != ':')
        return true;
    *all = strcmp(wanted + len + 1, "all") == 0;
    *n = strtoul(wanted + len + 1, NULL, 10);
    return !*all;
}

/* After the first ones every k-th, so that there are `more` of them. */
static void
replay(const char *name, void (*flow)(struct point *p), unsigned long more)
{
    struct tally tally = { 0, 0, 0, 0 };
    unsigned long n, step = 1;
    struct point p;
    bool all;

    try(name, flow, NEVER, &p, NULL); /* OpenSSL fetches what it needs once */
    assert_int_equal(p.rc, ACME_OK);
    try(name, flow, NEVER, &p, NULL);
    if (!can_fail()) {
        print_message("%s: allocations do not fail here\n", name);
        return;
    }
    if (only_one(name, &n, &all)) {
        allocations.show = n != NEVER;
        try(name, flow, n, &p, NULL);
        allocations.show = false;
        return;
    }
    if (p.seen > ALL_FIRST && !all)
        step = 1 + (p.seen - ALL_FIRST) / more;
    for (n = 0; n == 0 || p.failed; n += n < ALL_FIRST ? 1 : step) {
        if (mode_is("trace"))
            (void)fprintf(stderr, "%s:%lu\n", name, n);
        try(name, flow, n, &p, &tally);
    }
    assert_int_equal(p.rc, ACME_OK); /* nothing failed any more */
    print_message("%s: %lu allocations, every %lu. after %d: %lu points; "
                  "%lu out of memory, %lu other errors, %lu harmless\n",
        name, p.seen, step, ALL_FIRST, tally.points, tally.nomem, tally.other,
        tally.ok);
}

static int
say_where(void **state)
{
    (void)state;
    allocations.armed = false;
    if (at[0] != '\0')
        (void)fprintf(stderr, "# at %s\n", at);
    at[0] = '\0';
    return 0;
}

/* Keys and certificates for "example.com", made once: ECDSA and RSA. */
static struct acme_version pairs;

/* ---- configuration ---------------------------------------------------- */

static enum acme_rc
fill_config(struct acme_config *config, size_t index[3],
    struct acme_error *err)
{
    static const char *const one[] = { "a.test", "www.a.test" };
    static const char *const two[] = { "www.b.test", "b.test" };
    const struct acme_issuer issuer = { .name = "test",
        .directory = FAKE_CA_DIRECTORY,
        .ncontacts = 1,
        .contact = { "mailto:admin@a.test" },
        .terms_accepted = true,
        .key_type = ACME_KEY_ECDSA_256,
        .key_file = "/etc/account.pem",
        .verify = true };
    const struct acme_lineage lineages[] = {
        { .names = one, .nnames = 2, .ntypes = 1, .type = { 1 } },
        { .name = "a.test",
            .names = two,
            .nnames = 2,
            .ntypes = 1,
            .type = { 1 } },
    };
    enum acme_rc rc = acme_config_add_issuer(config, &issuer, &index[0], err);
    size_t i;

    for (i = 0; rc == ACME_OK && i < COUNT(lineages); i++)
        rc = acme_config_add_lineage(config, &lineages[i], &index[i + 1], err);
    return rc == ACME_OK ? acme_config_finish(config, err) : rc;
}

static void
config_flow(struct point *p)
{
    size_t index[3] = { 99, 99, 99 }, found = 99;
    struct acme_config *config;
    enum acme_rc rc;

    begin(p);
    config = acme_config_new("/var/lib/acme", "nginx", "/etc/nginx.conf");
    rc = config == NULL ? acme_error_nomem(&p->err)
                        : fill_config(config, index, &p->err);
    end(p, rc);
    expect(p, MAY(ACME_NOMEM));
    if (rc == ACME_OK) {
        assert_true(acme_config_find_name(config, "www.a.test", &found));
        assert_int_equal(found, 0);
        assert_true(acme_config_find_name(config, "b.test", &found));
        assert_int_equal(found, 1);
        assert_string_equal(config->lineage[0].name, "a.test-0001");
    }
    acme_config_free(config);
}

static void
test_config(void **state)
{
    (void)state;
    replay("config", config_flow, 1000);
}

/* What is told of a name that could not be added does not stay. */
static void
config_again_flow(struct point *p)
{
    struct acme_config *config =
        acme_config_new("/var/lib/acme", "nginx", "/etc/nginx.conf");
    size_t index[3] = { 99, 99, 99 };
    struct acme_error err;
    enum acme_rc rc;
    size_t before;

    assert_non_null(config);
    begin(p);
    rc = fill_config(config, index, &p->err);
    end(p, rc);
    expect(p, MAY(ACME_NOMEM));
    before = config->nlineages;
    assert_true((index[1] == 99) == (before == 0));
    assert_true((index[2] == 99) == (before < 2));
    acme_error_clear(&err);
    if (rc != ACME_OK && index[0] == 99)
        assert_int_equal(fill_config(config, index, &err), ACME_OK);
    acme_config_free(config);
}

static void
test_config_again(void **state)
{
    (void)state;
    replay("config-again", config_again_flow, 1000);
}

/* ---- settings and records --------------------------------------------- */

static struct acme_config *
new_config(void)
{
    struct acme_config *config =
        acme_config_new("/var/lib/acme", "nginx", "/etc/nginx.conf");
    size_t index[3];
    struct acme_error err;

    acme_error_clear(&err);
    assert_non_null(config);
    assert_int_equal(fill_config(config, index, &err), ACME_OK);
    return config;
}

static enum acme_rc
declare(const struct acme_config *config, struct acme_settings *settings,
    struct acme_error *err)
{
    bool changed = false;
    enum acme_rc rc;

    rc = acme_settings_declare(settings, "nginx:/a", config, 0, FAKE_NOW,
        &changed, err);
    if (rc == ACME_OK)
        rc = acme_settings_declare(settings, "nginx:/b", config, 1,
            FAKE_NOW + 1, &changed, err);
    return rc;
}

static void
settings_flow(struct point *p)
{
    struct acme_config *config = new_config();
    struct acme_arena *arena = NULL;
    struct acme_settings *settings = NULL, *read = NULL;
    struct acme_lineage wanted = { .nnames = 99 };
    const char *conflict = "untouched";
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    begin(p);
    arena = acme_arena_new();
    settings = acme_settings_new();
    rc = arena == NULL || settings == NULL
             ? acme_error_nomem(&p->err)
             : declare(config, settings, &p->err);
    if (rc == ACME_OK)
        rc = acme_settings_render(settings, &text, &p->err);
    if (rc == ACME_OK)
        rc =
            acme_settings_parse(acme_buf_str(&text), text.len, &read, &p->err);
    if (rc == ACME_OK)
        rc = acme_settings_wanted(read, arena, &wanted, &conflict, &p->err);
    end(p, rc);
    expect(p, MAY(ACME_NOMEM));
    if (rc == ACME_OK) {
        assert_int_equal(read->ndeclared, 2);
        assert_int_equal(wanted.nnames, 4);
        assert_null(conflict);
    } else {
        assert_int_equal(wanted.nnames, 99);
        assert_string_equal(conflict, "untouched");
    }
    acme_settings_free(settings);
    acme_settings_free(read);
    acme_arena_free(arena);
    acme_buf_clear(&text);
    acme_config_free(config);
}

static void
test_settings(void **state)
{
    (void)state;
    replay("settings", settings_flow, 1000);
}

static void
record_flow(struct point *p)
{
    struct acme_record record, read;
    struct acme_buf text;
    enum acme_rc rc;

    acme_record_init(&record);
    acme_record_init(&read);
    record.renew_at = FAKE_NOW;
    record.attempt = FAKE_NOW + 1;
    read.attempt = 7;
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    begin(p);
    rc = acme_record_render(&record, &text, &p->err);
    if (rc == ACME_OK)
        rc = acme_record_parse(acme_buf_str(&text), text.len, &read, &p->err);
    end(p, rc);
    expect(p, MAY(ACME_NOMEM));
    assert_int_equal(read.attempt, rc == ACME_OK ? FAKE_NOW + 1 : 7);
    acme_buf_clear(&text);
}

static void
test_record(void **state)
{
    (void)state;
    replay("record", record_flow, 1000);
}

/* ---- keys and certificates -------------------------------------------- */

static void
key_flow(struct point *p)
{
    struct acme_key *made = NULL, *read = NULL;
    char thumbprint[ACME_THUMBPRINT_LEN + 1] = "";
    struct acme_buf pem, csr;
    static const char *const names[] = { "a.test", "192.0.2.1" };
    enum acme_rc rc;

    acme_buf_init_secret(&pem, ACME_STATE_PEM_MAX);
    acme_buf_init(&csr, ACME_STATE_PEM_MAX);
    begin(p);
    rc = acme_key_generate(ACME_KEY_ECDSA_256, &made, &p->err);
    if (rc == ACME_OK)
        rc = acme_key_to_pem(made, &pem, &p->err);
    if (rc == ACME_OK)
        rc = acme_key_from_pem(acme_buf_str(&pem), pem.len, &read, &p->err);
    if (rc == ACME_OK)
        rc = acme_key_thumbprint(read, thumbprint, &p->err);
    if (rc == ACME_OK)
        rc = acme_csr_new(read, names, 2, NULL, &csr, &p->err);
    end(p, rc);
    /* OpenSSL's reason may be another one than the allocation. */
    expect(p, MAY(ACME_NOMEM) | MAY(ACME_CRYPTO));
    assert_true((thumbprint[0] != '\0') || rc != ACME_OK);
    acme_key_unref(made);
    acme_key_unref(read);
    acme_buf_clear(&pem);
    acme_buf_clear(&csr);
}

static void
test_key(void **state)
{
    (void)state;
    replay("key", key_flow, 200);
}

static void
placeholder_flow(struct point *p)
{
    static const char *const names[] = { "a.test", "192.0.2.1" };
    struct acme_placeholder *placeholder = NULL;
    struct acme_buf key, cert;
    enum acme_rc rc;

    acme_buf_init_secret(&key, ACME_STATE_PEM_MAX);
    acme_buf_init(&cert, ACME_CHAIN_PEM_MAX);
    begin(p);
    rc = acme_live_placeholder_new(&placeholder, &p->err);
    if (rc == ACME_OK)
        rc = acme_live_placeholder_key(placeholder, &key, &p->err);
    if (rc == ACME_OK)
        rc = acme_live_placeholder_cert(placeholder, names, 2, &cert, &p->err);
    end(p, rc);
    expect(p, MAY(ACME_NOMEM) | MAY(ACME_CRYPTO));
    acme_live_placeholder_free(placeholder);
    acme_buf_clear(&key);
    acme_buf_clear(&cert);
}

static void
test_placeholder(void **state)
{
    (void)state;
    replay("placeholder", placeholder_flow, 150);
}

/* The gate: a good certificate is never refused for want of memory. */
static void
gate_flow(struct point *p)
{
    static const char *const names[] = { "example.com" };
    const struct acme_pair *pair = &pairs.pair[0];
    struct acme_chain *chain = NULL;
    struct acme_key *key = NULL;
    struct acme_leaf leaf;
    unsigned surplus = 99;
    enum acme_rc rc;

    begin(p);
    rc = acme_key_from_der(pair->key.data, pair->key.len, &key, &p->err);
    if (rc == ACME_OK)
        rc = acme_chain_from_der(pair->chain.data, pair->chain.len, &chain,
            &p->err);
    if (rc == ACME_OK)
        rc = acme_chain_check(chain, key, names, 1, time(NULL), &surplus,
            &p->err);
    if (rc == ACME_OK)
        rc = acme_chain_check_links(chain, &p->err);
    if (rc == ACME_OK)
        rc = acme_chain_leaf(chain, &leaf, &p->err);
    end(p, rc);
    expect(p, MAY(ACME_NOMEM));
    acme_chain_free(chain);
    acme_key_unref(key);
}

static void
test_gate(void **state)
{
    (void)state;
    replay("gate", gate_flow, 300);
}

/* ---- the store -------------------------------------------------------- */

static enum acme_rc
write_all(struct acme_store *store, const struct acme_config *config,
    struct acme_version *version, struct acme_error *err)
{
    const struct acme_pair *pair = &version->pair[0];
    struct acme_settings *settings = acme_settings_new();
    enum acme_rc rc = settings == NULL ? acme_error_nomem(err) : ACME_OK;

    if (rc == ACME_OK)
        rc = declare(config, settings, err);
    if (rc == ACME_OK)
        rc = acme_store_settings_write(store, "a.test", settings, err);
    if (rc == ACME_OK)
        rc = acme_store_order_write(store, "a.test", "{}", 2, pair->key.data,
            pair->key.len, err);
    if (rc == ACME_OK)
        rc = acme_store_record_write(store, "a.test", "{}", 2, err);
    if (rc == ACME_OK)
        rc = acme_store_version_write(store, "a.test", version, FAKE_NOW, err);
    if (rc == ACME_OK)
        acme_error_clear(err); /* something was left for recovery */
    if (rc == ACME_OK)
        rc = acme_store_order_drop(store, "a.test", err);
    acme_settings_free(settings);
    return rc;
}

/* `err` may tell of damage where there is none: none is what is expected. */
static enum acme_rc
read_all(struct acme_store *store, struct acme_version *version,
    struct acme_error *err)
{
    struct acme_settings *settings = NULL;
    struct acme_buf text, key;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    acme_buf_init_secret(&key, ACME_STATE_PEM_MAX);
    rc = acme_store_settings_read(store, "a.test", &settings, err);
    if (rc == ACME_OK)
        rc = acme_store_live_read(store, "a.test", version, err);
    if (rc == ACME_OK)
        rc = acme_store_record_read(store, "a.test", &text, err);
    if (rc == ACME_OK &&
        acme_store_order_read(store, "a.test", &text, &key, err) == ACME_NOENT)
        acme_error_clear(err);
    acme_settings_free(settings);
    acme_buf_clear(&text);
    acme_buf_clear(&key);
    return err->rc;
}

static void
need(enum acme_rc rc, const struct acme_error *err)
{
    char line[1024];

    if (rc != ACME_OK)
        fail_msg("%s: %s", at, acme_error_line(err, line, sizeof(line)));
}

/* A good state directory, whatever has been before. */
static void
check_state(const struct helper_tmp *tmp, struct acme_config *config)
{
    struct acme_store *store = helper_store_open(tmp);
    struct acme_version version;
    struct acme_error err;
    unsigned number = 0;
    bool moved;

    acme_error_clear(&err);
    acme_version_init(&version);
    need(acme_store_recover(store, "a.test", &moved, &err), &err);
    if (acme_store_live(store, "a.test", &number, &err) == ACME_OK) {
        need(acme_store_live_read(store, "a.test", &version, &err), &err);
        assert_true(helper_store_same(&version, &pairs));
    }
    acme_error_clear(&err);
    need(write_all(store, config, &pairs, &err), &err);
    need(read_all(store, &version, &err), &err);
    assert_int_equal(version.number, number + 1);
    assert_true(helper_store_same(&version, &pairs));
    assert_int_equal(helper_tmp_count(tmp, "state/archive/a.test"),
        version.number);
    acme_version_clear(&version);
    acme_store_close(store);
}

static void
store_flow(struct point *p)
{
    struct acme_config *config = new_config();
    struct acme_store *store = NULL;
    struct acme_version version;
    struct helper_tmp tmp;
    enum acme_rc rc;

    helper_tmp_init_fast(&tmp);
    acme_version_init(&version);
    begin(p);
    rc = acme_store_open(helper_tmp_path(&tmp, "state"), ACME_STORE_WRITE,
        &store, &p->err);
    if (rc == ACME_OK)
        rc = write_all(store, config, &pairs, &p->err);
    if (rc == ACME_OK)
        rc = read_all(store, &version, &p->err);
    end(p, rc);
    expect(p, MAY(ACME_NOMEM) | MAY(ACME_IO));
    assert_true(rc != ACME_OK || helper_store_same(&version, &pairs));
    acme_version_clear(&version);
    acme_store_close(store);
    check_state(&tmp, config);
    helper_tmp_clear(&tmp);
    acme_config_free(config);
}

static void
test_store(void **state)
{
    (void)state;
    replay("store", store_flow, 100);
}

/* Two versions and something half done: what is live is read, not the one
 * before it, and recovery may be had again. */
static void
store_read_flow(struct point *p)
{
    struct acme_config *config = new_config();
    struct acme_store *store;
    struct acme_version version;
    struct helper_tmp tmp;
    bool moved = false;
    enum acme_rc rc;

    helper_tmp_init_fast(&tmp);
    acme_version_init(&version);
    acme_error_clear(&p->err);
    store = helper_store_open(&tmp);
    need(write_all(store, config, &pairs, &p->err), &p->err);
    need(write_all(store, config, &pairs, &p->err), &p->err);
    helper_tmp_mkdir(&tmp, "state/archive/a.test/3.tmp");
    helper_tmp_puts(&tmp, "state/archive/a.test/3.tmp/privkey.pem", "x");
    begin(p);
    rc = acme_store_recover(store, "a.test", &moved, &p->err);
    if (rc == ACME_OK)
        rc = read_all(store, &version, &p->err);
    end(p, rc);
    expect(p, MAY(ACME_NOMEM) | MAY(ACME_IO));
    assert_false(moved);
    if (rc == ACME_OK)
        assert_int_equal(version.number, 2);
    acme_version_clear(&version);
    acme_store_close(store);
    helper_tmp_remove(&tmp, "state/archive/a.test/3.tmp");
    check_state(&tmp, config);
    helper_tmp_clear(&tmp);
    acme_config_free(config);
}

static void
test_store_read(void **state)
{
    (void)state;
    replay("store-read", store_read_flow, 150);
}

/* ---- a service: keeper, engine, job ----------------------------------- */

/*
 * fake_drive with its own half uncounted, and frames that are lost for good
 * when memory for one is short: that process has ended then.
 */
struct world {
    struct fake_drive *d;
    struct fake_host *fake;
    void (*log)(void *ctx, enum acme_level level, const char *line);
    bool (*wait)(void *ctx, unsigned ms);
    struct acme_transport ca;
    int fds[2];
    bool gone;
};

static struct world world;

static void
log_uncounted(void *ctx, enum acme_level level, const char *line)
{
    bool armed = pause_count();

    world.log(ctx, level, line);
    go_on(armed);
}

/* libcurl takes some memory too. */
static enum acme_rc
perform(void *ctx, const struct acme_http_request *request,
    struct acme_http_response *response, struct acme_error *err)
{
    void *own = malloc(100);
    bool armed = pause_count();
    enum acme_rc rc = ACME_NOMEM;

    (void)ctx;
    if (own != NULL)
        rc = world.ca.perform(world.ca.ctx, request, response, err);
    else
        (void)acme_error_nomem(err);
    free(own);
    go_on(armed);
    return rc;
}

static enum acme_rc
open_line(void *ctx, size_t issuer, struct acme_transport *transport,
    struct acme_error *err)
{
    bool armed = pause_count();

    (void)ctx;
    (void)err;
    world.ca = fake_drive_transport(world.d, issuer);
    transport->ctx = NULL;
    transport->perform = perform;
    go_on(armed);
    return ACME_OK;
}

/* The store process's turn; false: it has ended. */
static bool
answer_frame(void)
{
    struct acme_buf request, reply;
    struct acme_error err;
    bool good;

    acme_error_clear(&err);
    acme_buf_init_secret(&request, ACME_FRAME_MAX);
    acme_buf_init_secret(&reply, ACME_FRAME_MAX);
    good = acme_frame_recv(world.fds[1], &request, &err) == ACME_OK;
    if (good && !acme_keeper_answer(world.d->keeper, &request, &reply))
        fail_msg("%s: the store calls a good frame bad", at);
    good = good && acme_frame_send(world.fds[1], &reply, &err) == ACME_OK;
    acme_buf_clear(&request);
    acme_buf_clear(&reply);
    return good;
}

static enum acme_rc
exchange(void *ctx, struct acme_buf *request, struct acme_buf *reply,
    struct acme_error *err)
{
    enum acme_rc rc;

    (void)ctx;
    if (world.gone)
        return acme_error_set(err, ACME_IO, "the store is gone");
    rc = acme_frame_send(world.fds[0], request, err);
    if (rc == ACME_OK && !answer_frame())
        rc = acme_error_set(err, ACME_IO, "the store is gone");
    if (rc == ACME_OK)
        rc = acme_frame_recv(world.fds[0], reply, err);
    world.gone = rc != ACME_OK;
    return rc;
}

static void
open_world_with(const struct acme_proof *proof, const char *name,
    const char *names, const char *types)
{
    void *state = NULL;

    memset(&world, 0, sizeof(world));
    assert_int_equal(fake_drive_setup(&state), 0);
    world.d = state;
    world.fake = &world.d->host;
    world.log = world.fake->host.log;
    world.fake->host.log = log_uncounted;
    world.d->proof = proof;
    fake_drive_lineage(world.d, name, 0, names, types);
    need(acme_config_finish(world.d->config, &world.d->err), &world.d->err);
    need(acme_frame_pair(world.fds, &world.d->err), &world.d->err);
}

static void
open_world(const char *name, const char *names, const char *types)
{
    open_world_with(NULL, name, names, types);
}

static void
close_world(void)
{
    void *state = world.d;

    close(world.fds[0]);
    close(world.fds[1]);
    assert_int_equal(fake_drive_teardown(&state), 0);
}

static enum acme_rc
open_keeper(struct acme_error *err)
{
    struct fake_drive *d = world.d;
    enum acme_rc rc;

    rc = acme_store_open(d->config->state_dir, ACME_STORE_WRITE, &d->store,
        err);
    if (rc == ACME_OK)
        rc = acme_keeper_new(d->config, d->store, d->area, &d->host.host,
            &d->keeper, err);
    if (rc != ACME_OK)
        return rc;
    acme_keeper_start(d->keeper, d->role);
    acme_keeper_settle(d->keeper);
    return acme_vault_new_direct(exchange, NULL, &d->vault, err);
}

static uint32_t
draw(void *ctx)
{
    (void)ctx;
    return UINT32_C(1) << 31;
}

static bool
idle(void *ctx, unsigned ms)
{
    (void)ctx;
    return world.fake->host.wait(world.fake->host.ctx, ms);
}

static enum acme_rc
open_engine(struct acme_error *err)
{
    struct fake_drive *d = world.d;
    struct acme_engine_conf conf = { .config = d->config,
        .host = &d->host.host,
        .vault = d->vault,
        .network = { NULL, open_line },
        .idle = idle,
        .random = draw };
    enum acme_rc rc = acme_engine_new(&conf, &d->engine, err);

    return rc == ACME_OK ? acme_engine_plan(d->engine, false, err) : rc;
}

static void
nobody(void *ctx, size_t lineage)
{
    (void)ctx;
    (void)lineage;
}

/* What a certificate more costs nobody has asked for; what the disk holds
 * after a service that ended, and one that was started again. */
static void
check_service(const char *name, unsigned most_issued)
{
    struct fake_drive *d = world.d;
    char *listing;

    assert_int_equal(fake_drive_version(d, name), fake_drive_served(d, name));
    assert_true(fake_ca_issued(d->ca) <= most_issued);
    assert_false(fake_drive_has_order(d, name));
    listing = fake_drive_listing(d);
    if (strstr(listing, "refused") != NULL || strstr(listing, ".tmp") != NULL)
        fail_msg("%s: left behind:\n%s", at, listing);
    free(listing);
}

/* ---- keeper ----------------------------------------------------------- */

static void
write_pairs(void)
{
    struct fake_drive *d = world.d;
    struct acme_store *store = helper_store_open(&d->tmp);

    need(acme_store_version_write(store, "example.com", &pairs, FAKE_NOW,
             &d->err),
        &d->err);
    acme_store_close(store);
}

static enum acme_rc
keeper_run(struct acme_vault_unit units[2], struct acme_error *err)
{
    struct fake_drive *d = world.d;
    enum acme_rc rc = open_keeper(err);
    size_t i;

    if (rc == ACME_OK)
        acme_keeper_look(d->keeper, nobody, NULL);
    for (i = 0; rc == ACME_OK && i < 2; i++)
        rc = acme_vault_unit(d->vault, i, &units[i], err);
    return rc;
}

static void
keeper_flow(struct point *p)
{
    struct acme_vault_unit units[2];
    struct fake_drive *d;
    const char *why;
    enum acme_rc rc;
    size_t i;

    memset(units, 0, sizeof(units));
    open_world("example.com", "example.com", "ecdsa:256 rsa:2048");
    d = world.d;
    write_pairs();
    write_pairs();
    begin(p);
    rc = keeper_run(units, &p->err);
    end(p, rc);
    expect(p, MAY(ACME_NOMEM) | MAY(ACME_IO));
    for (i = 0; rc == ACME_OK && i < 2; i++) {
        assert_true(units[i].type == pairs.pair[i].type);
        assert_true(units[i].leaf != NULL || units[i].version == 0);
        units[i].other_issuer = false; /* it is that of helper_store.h */
        if (units[i].version != 0 && acme_job_is_needed(&units[i], &why))
            fail_msg("%s: another one is needed: %s", at, why);
    }
    for (i = 0; i < 2; i++)
        acme_vault_unit_clear(&units[i]);
    if (fake_drive_served(d, "example.com") != 2 &&
        fake_drive_served(d, "example.com") != 0)
        fail_msg("%s: version %u is served:\n%s", at,
            fake_drive_served(d, "example.com"), fake_host_lines(&d->host));
    if (fake_drive_served(d, "example.com") == 0 && rc == ACME_OK &&
        d->host.nlines == 0)
        fail_msg("%s: nothing is served, and nobody told", at);
    fake_drive_restart(d);
    assert_int_equal(fake_drive_served(d, "example.com"), 2);
    close_world();
}

static void
test_keeper(void **state)
{
    (void)state;
    replay("keeper", keeper_flow, 100);
}

/* ---- a job ------------------------------------------------------------ */

static enum acme_rc
run_job(size_t unit, struct acme_job_result *result, struct acme_error *err)
{
    struct acme_connection_conf conf = { FAKE_CA_DIRECTORY, NULL, 0 };
    struct fake_drive *d = world.d;
    struct acme_job job = { .config = d->config,
        .host = &d->host.host,
        .vault = d->vault,
        .unit = unit,
        .force = d->role == ACME_KEEPER_TRIES,
        .trial = d->role == ACME_KEEPER_TRIES,
        .runner = d->runner,
        .preflight = d->preflight };
    struct acme_transport transport = { .perform = perform };
    struct acme_connection *connection;
    enum acme_rc rc;

    world.ca = fake_drive_transport(d, 0);
    connection = acme_connection_new(&conf, &d->host.host, transport);
    if (connection != NULL)
        job.client = acme_client_new(connection, &d->host.host);
    rc = job.client != NULL ? acme_job_run(&job, result, err)
                            : acme_error_nomem(err);
    acme_client_free(job.client);
    acme_connection_free(connection);
    return rc;
}

#define OF_A_JOB \
    (MAY(ACME_NOMEM) | MAY(ACME_IO) | MAY(ACME_CRYPTO) | MAY(ACME_LATER))

/* Once more after what happened, in a service that has been started again. */
static void
job_again(const char *name, unsigned most_issued)
{
    struct acme_job_result result;
    struct fake_drive *d = world.d;
    struct acme_error err;
    enum acme_rc rc = ACME_LATER;
    unsigned i;

    fake_drive_restart(d);
    for (i = 0; i < 3 && rc == ACME_LATER; i++) {
        acme_error_clear(&err);
        rc = run_job(0, &result, &err);
        if (rc == ACME_LATER && err.retry_at > d->host.now)
            d->host.now = err.retry_at;
    }
    need(rc, &err);
    check_service(name, most_issued);
}

static void
job_flow(struct point *p)
{
    struct acme_job_result result;
    struct fake_drive *d;
    struct acme_error err;
    enum acme_rc rc;

    open_world("a.test", "a.test www.a.test", NULL);
    d = world.d;
    acme_error_clear(&err);
    need(open_keeper(&err), &err);
    begin(p);
    rc = run_job(0, &result, &p->err);
    end(p, rc);
    expect(p, OF_A_JOB);
    if (rc == ACME_OK) {
        assert_int_equal(result.version, 1);
        assert_int_equal(fake_drive_version(d, "a.test"), 1);
    }
    job_again("a.test", 1);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(fake_ca_accounts(d->ca), 1);
    assert_true(fake_ca_count(d->ca, FAKE_NEW_ORDER) <= 2);
    close_world();
}

static void
test_job(void **state)
{
    (void)state;
    replay("job", job_flow, 120);
}

/* A dry run leaves nothing, wherever it has ended. */
static void
trial_flow(struct point *p)
{
    struct acme_job_result result;
    struct fake_drive *d;
    struct acme_error err;
    char *before, *after;
    enum acme_rc rc;

    open_world("a.test", "a.test www.a.test", NULL);
    d = world.d;
    acme_error_clear(&err);
    need(open_keeper(&err), &err);
    need(run_job(0, &result, &err), &err);
    fake_drive_close(d);
    d->role = ACME_KEEPER_TRIES;
    d->ca->conf.reuse_authz = true;
    need(open_keeper(&err), &err);
    before = fake_drive_listing(d);
    begin(p);
    rc = run_job(0, &result, &p->err);
    end(p, rc);
    expect(p, OF_A_JOB);
    if (rc == ACME_OK)
        assert_int_equal(result.version, 0);
    fake_drive_close(d);
    after = fake_drive_listing(d);
    if (strcmp(before, after) != 0)
        fail_msg("%s: changed\n%s\nto\n%s", at, before, after);
    free(before);
    free(after);
    close_world();
}

static void
test_trial(void **state)
{
    (void)state;
    replay("trial", trial_flow, 60);
}

/* What runs its command has memory of its own. */
static bool
wait_uncounted(void *ctx, unsigned ms)
{
    bool armed = pause_count(), going = world.wait(ctx, ms);

    go_on(armed);
    return going;
}

static void
wildcard_flow(struct point *p)
{
    struct acme_job_result result;
    struct fake_runner runner;
    struct acme_proof proof;
    struct fake_drive *d;
    struct acme_error err;
    enum acme_rc rc;

    fake_runner_proof(&proof, ACME_COMMAND_CERTBOT);
    open_world_with(&proof, "a.test", "a.test *.a.test", NULL);
    d = world.d;
    fake_runner_open(&runner, d);
    world.wait = d->host.host.wait;
    d->host.host.wait = wait_uncounted;
    acme_error_clear(&err);
    need(open_keeper(&err), &err);
    begin(p);
    rc = run_job(0, &result, &p->err);
    end(p, rc);
    expect(p, OF_A_JOB);
    job_again("a.test", 1);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_true(fake_ca_count(d->ca, FAKE_NEW_ORDER) <= 2);
    /* what is there still was told of, or is not known any more */
    if (runner.n > 0 && !p->failed)
        fail_msg("%s: %zu records are left: %s", at, runner.n, runner.log);
    fake_runner_close(&runner);
    close_world();
}

static void
test_wildcard(void **state)
{
    (void)state;
    replay("wildcard", wildcard_flow, 100);
}

/* Everybody answers, and nobody as he should. */
static bool
probe_strangers(struct acme_probe *probe, size_t n, unsigned ms,
    const struct acme_host *host)
{
    size_t i;

    (void)ms;
    (void)host;
    for (i = 0; i < n; i++) {
        probe[i].end = ACME_PROBE_ANSWERED;
        probe[i].status = 404;
    }
    return true;
}

static enum acme_lookup_end
find_address(void *ctx, const char *name, unsigned ms,
    struct acme_addresses *out)
{
    (void)ctx;
    (void)name;
    (void)ms;
    out->n = 1;
    (void)snprintf(out->text[0], sizeof(out->text[0]), "192.0.2.1");
    return ACME_LOOKUP_FOUND;
}

static enum acme_lookup_end
find_no_caa(void *ctx, const char *domain, unsigned ms,
    struct acme_arena *arena, const struct acme_caa_property **property,
    size_t *n)
{
    (void)ctx;
    (void)domain;
    (void)ms;
    (void)arena;
    (void)property;
    *n = 0;
    return ACME_LOOKUP_NOTHING;
}

static void
preflight_flow(struct point *p)
{
    static const struct acme_lookup lookup = { NULL, find_address,
        find_no_caa };
    static const struct acme_preflight_means means = { .probe =
                                                           probe_strangers,
        .lookup = &lookup };
    struct acme_job_result result;
    struct fake_drive *d;
    struct acme_error err;
    enum acme_rc rc;

    open_world("a.test", "a.test www.a.test", NULL);
    d = world.d;
    d->preflight = &means;
    acme_error_clear(&err);
    need(open_keeper(&err), &err);
    begin(p);
    rc = run_job(0, &result, &p->err);
    end(p, rc);
    expect(p, OF_A_JOB);
    if (rc == ACME_OK)
        assert_true(fake_host_logged(&d->host, "pre-flight, lineage"));
    job_again("a.test", 1);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    close_world();
}

static void
test_preflight(void **state)
{
    (void)state;
    replay("preflight", preflight_flow, 60);
}

/* One of two key types is renewed: the other stays with it. */
static void
job_of_two_flow(struct point *p)
{
    struct acme_job_result result;
    struct acme_version version;
    struct fake_drive *d;
    struct acme_error err;
    enum acme_rc rc;

    open_world("example.com", "example.com", "ecdsa:256 rsa:2048");
    d = world.d;
    write_pairs();
    acme_error_clear(&err);
    need(open_keeper(&err), &err);
    begin(p);
    rc = run_job(0, &result, &p->err);
    end(p, rc);
    expect(p, OF_A_JOB);
    job_again("example.com", 1);
    acme_version_init(&version);
    need(acme_store_live_read(d->store, "example.com", &version, &err), &err);
    if (version.npairs != 2 || version.number != 2)
        fail_msg("%s: version %u has %zu pairs", at, version.number,
            version.npairs);
    assert_memory_equal(version.pair[1].key.data, pairs.pair[1].key.data,
        pairs.pair[1].key.len);
    acme_version_clear(&version);
    close_world();
}

static void
test_job_of_two(void **state)
{
    (void)state;
    replay("job-of-two", job_of_two_flow, 60);
}

/* ---- the engine ------------------------------------------------------- */

/* From the start of a service to the next renewal's plan. */
static enum acme_rc
engine_run(struct acme_error *err)
{
    struct fake_drive *d = world.d;
    unsigned n = 0;
    enum acme_rc rc = open_keeper(err);

    if (rc == ACME_OK)
        rc = open_engine(err);
    while (rc == ACME_OK && n < 20 && acme_engine_run_one(d->engine))
        n++;
    assert_true(n < 20);
    return rc;
}

static void
engine_flow(struct point *p)
{
    struct fake_drive *d;
    enum acme_rc rc;
    time_t start;
    unsigned n;

    open_world("a.test", "a.test www.a.test", NULL);
    d = world.d;
    begin(p);
    rc = engine_run(&p->err);
    end(p, rc);
    expect(p, MAY(ACME_NOMEM) | MAY(ACME_IO));
    if (rc != ACME_OK || world.gone || p->n % 2 != 0)
        fake_drive_restart(d);
    start = d->host.now;
    for (n = 0; n < 6 && fake_drive_version(d, "a.test") < 1; n++)
        (void)fake_drive_next(d);
    if (fake_drive_version(d, "a.test") != 1)
        fail_msg("%s: no certificate:\n%s", at, fake_host_lines(&d->host));
    if (d->host.now > start + 7200)
        fail_msg("%s: it took %ld s:\n%s", at, (long)(d->host.now - start),
            fake_host_lines(&d->host));
    (void)fake_drive_run(d);
    check_service("a.test", 1);
    if (acme_engine_next(d->engine) <= d->host.now)
        fail_msg("%s: no renewal is planned:\n%s", at,
            fake_host_lines(&d->host));
    assert_true(fake_ca_count(d->ca, FAKE_NEW_ORDER) <= 2);
    close_world();
}

static void
test_engine(void **state)
{
    (void)state;
    replay("engine", engine_flow, 80);
}

/* A look at renewal information: it may fail, which costs nothing but the
 * time to the next one. */
static void
look_flow(struct point *p)
{
    struct acme_record record;
    struct fake_drive *d;
    struct acme_error err;
    unsigned n;

    open_world("a.test", "a.test", NULL);
    d = world.d;
    d->config->issuer[0].renewal_info = d->ca->conf.renewal_info = true;
    d->ca->conf.renewal_start = d->host.now + 40L * 86400;
    d->ca->conf.renewal_end = d->ca->conf.renewal_start + 86400;
    acme_error_clear(&err);
    need(engine_run(&err), &err);
    while (fake_drive_version(d, "a.test") < 1)
        (void)fake_drive_next(d);
    fake_host_pass(&d->host, 2);
    begin(p);
    (void)acme_engine_run_one(d->engine);
    end(p, ACME_OK);
    if (world.gone || p->n % 2 != 0)
        fake_drive_restart(d);
    for (n = 0; n < 8 * 60; n++) {
        fake_drive_record(d, "a.test", &record);
        if (record.window.end != 0)
            break;
        fake_host_pass(&d->host, 60);
        (void)fake_drive_run(d);
    }
    if (record.window.end != d->ca->conf.renewal_end)
        fail_msg("%s: no window:\n%s", at, fake_host_lines(&d->host));
    assert_int_equal(record.failures, 0);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 1);
    assert_in_range(acme_engine_next(d->engine), d->ca->conf.renewal_start,
        d->ca->conf.renewal_end);
    check_service("a.test", 1);
    close_world();
}

static void
test_look(void **state)
{
    (void)state;
    replay("look", look_flow, 60);
}

/* A look at whether it is revoked: that it is is learned sooner or later, and
 * nothing else ever. */
static void
revoked_flow(struct point *p, bool revoked)
{
    struct helper_ca_ocsp options = { .reason = revoked ? 4 : -1,
        .status = revoked ? 1 : 0 };
    struct acme_record record;
    struct acme_buf answer;
    struct acme_leaf leaf;
    struct fake_drive *d;
    struct acme_error err;
    unsigned n;

    open_world("a.test", "a.test", NULL);
    d = world.d;
    d->config->issuer[0].renewal_info = true;
    d->ca->conf.certificate.ocsp_url = "OCSP;URI:" FAKE_DRIVE_RESPONDER;
    acme_error_clear(&err);
    need(engine_run(&err), &err);
    while (fake_drive_version(d, "a.test") < 1)
        (void)fake_drive_next(d);
    fake_drive_leaf(d, "a.test", &leaf);
    fake_drive_record(d, "a.test", &record);
    d->host.now = record.revocation.next_look;
    options.this_update = d->host.now;
    options.next_update = d->host.now + 86400;
    options.serial = leaf.serial;
    acme_buf_init(&answer, 1 << 16);
    fake_ca_ocsp(d->ca, &options, &answer);
    d->ocsp = &answer;
    (void)acme_engine_run_one(d->engine); /* renewal information: none */
    fake_host_pass(&d->host, 3);
    begin(p);
    (void)acme_engine_run_one(d->engine);
    end(p, ACME_OK);
    if (world.gone || p->n % 2 != 0)
        fake_drive_restart(d);
    for (n = 0; n < 8 * 60 && (d->asked == 0 || revoked) &&
                fake_drive_version(d, "a.test") == 1;
         n++) {
        fake_host_pass(&d->host, 60);
        (void)fake_drive_run(d);
    }
    assert_true(d->asked > 0);
    fake_drive_record(d, "a.test", &record);
    assert_false(record.revocation.revoked); /* not the one that is live */
    assert_int_equal(record.failures, 0);
    assert_int_equal(fake_drive_version(d, "a.test"), revoked ? 2 : 1);
    check_service("a.test", revoked ? 2 : 1);
    acme_buf_clear(&answer);
    close_world();
}

static void
revocation_flow(struct point *p)
{
    revoked_flow(p, true);
}

static void
no_revocation_flow(struct point *p)
{
    revoked_flow(p, false);
}

static void
test_revocation(void **state)
{
    (void)state;
    replay("revocation", revocation_flow, 50);
    replay("no-revocation", no_revocation_flow, 30);
}

/* ---- workers ---------------------------------------------------------- */

#define THUMBPRINT "0123456789012345678901234567890123456789abc"

static struct acme_area *
filled_area(void)
{
    struct acme_area_token token = { .name = "a.test",
        .token = "token",
        .thumbprint = THUMBPRINT };
    struct acme_area_pair pair[2] = { { .staple_len = 0 } };
    struct acme_area *area = NULL;
    struct acme_error err;
    size_t i;

    acme_error_clear(&err);
    need(acme_area_new(2, 1, &area, &err), &err);
    for (i = 0; i < 2; i++) {
        pair[i].type = pairs.pair[i].type;
        pair[i].spare = false;
        pair[i].key = pairs.pair[i].key.data;
        pair[i].key_len = pairs.pair[i].key.len;
        pair[i].chain = pairs.pair[i].chain.data;
        pair[i].chain_len = pairs.pair[i].chain.len;
        pair[i].staple = "good";
        pair[i].staple_len = 4;
        pair[i].staple_until = time(NULL) + 3600;
    }
    need(acme_area_put(area, 0, pair, 2, 1, &err), &err);
    acme_area_put_tokens(area, &token, 1);
    return area;
}

static void
live_flow(struct point *p)
{
    struct acme_area *area = filled_area();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL *ssl = SSL_new(ctx);
    struct acme_live_cache *cache = NULL;
    enum acme_live_result live = ACME_LIVE_NONE, self = ACME_LIVE_NONE;
    bool stapled = false;
    enum acme_rc rc;

    assert_non_null(ssl);
    begin(p);
    rc = acme_live_cache_new(area, 2, 1, &cache, &p->err);
    if (rc == ACME_OK) {
        self = acme_live_apply_placeholder(cache, ssl);
        live = acme_live_apply(cache, 0, ssl);
        stapled = acme_live_staple(cache, 0, ssl);
    }
    end(p, rc);
    expect(p, MAY(ACME_NOMEM));
    assert_true(p->failed || live == ACME_LIVE_SET);
    assert_true(p->failed || self == ACME_LIVE_SET);
    assert_true(p->failed || stapled);
    if (live == ACME_LIVE_SET)
        assert_int_equal(SSL_check_private_key(ssl), 1);
    if (rc == ACME_OK) { /* the next connection has it */
        SSL_free(ssl);
        ssl = SSL_new(ctx);
        assert_int_equal(acme_live_apply(cache, 0, ssl), ACME_LIVE_SET);
        assert_true(acme_live_staple(cache, 0, ssl));
        assert_int_equal(SSL_check_private_key(ssl), 1);
        assert_int_equal(acme_live_apply_placeholder(cache, ssl),
            ACME_LIVE_SET);
    }
    acme_live_cache_free(cache);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    acme_area_free(area);
}

static void
test_live(void **state)
{
    (void)state;
    replay("live", live_flow, 200);
}

static struct acme_area *
validated_area(void)
{
    struct acme_area_token token = { .name = "a.test",
        .token = "token",
        .thumbprint = THUMBPRINT,
        .type = ACME_TLS_ALPN_01 };
    struct acme_area *area = NULL;
    struct acme_error err;
    size_t i;

    acme_error_clear(&err);
    need(acme_area_new(1, 1, &area, &err), &err);
    for (i = 0; i < 2; i++)
        need(acme_area_put_alpn_key(area,
                 acme_key_algorithm_number(pairs.pair[i].type),
                 pairs.pair[i].key.data, pairs.pair[i].key.len, &err),
            &err);
    acme_area_put_tokens(area, &token, 1);
    return area;
}

static void
live_alpn_flow(struct point *p)
{
    struct acme_area *area = validated_area();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL *ssl = SSL_new(ctx);
    struct acme_live_alpn *alpn = NULL;
    enum acme_live_result live = ACME_LIVE_NONE;
    enum acme_rc rc;

    assert_non_null(ssl);
    begin(p);
    rc = acme_live_alpn_new(area, &alpn, &p->err);
    if (rc == ACME_OK)
        live = acme_live_alpn_apply(alpn, "a.test", ssl);
    end(p, rc);
    expect(p, MAY(ACME_NOMEM));
    assert_true(p->failed || live == ACME_LIVE_SET);
    if (live == ACME_LIVE_SET)
        assert_int_equal(SSL_check_private_key(ssl), 1);
    if (rc == ACME_OK) { /* the next connection has it */
        SSL_free(ssl);
        ssl = SSL_new(ctx);
        assert_int_equal(acme_live_alpn_apply(alpn, "a.test", ssl),
            ACME_LIVE_SET);
        assert_int_equal(SSL_check_private_key(ssl), 1);
    }
    acme_live_alpn_free(alpn);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    acme_area_free(area);
}

static void
test_live_alpn(void **state)
{
    (void)state;
    replay("live alpn", live_alpn_flow, 150);
}

/* A request is answered without any memory. */
static void
challenge_flow(struct point *p)
{
    static const char path[] = ACME_CHALLENGE_PATH "token";
    struct acme_config *config = new_config();
    struct acme_area *area = filled_area();
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    bool answered;

    begin(p);
    answered = acme_challenge_answer(config, area, &acme_answering_default,
        "A.test:80", 9, path, strlen(path), answer);
    end(p, ACME_OK);
    assert_true(answered);
    assert_string_equal(answer, "token." THUMBPRINT);
    assert_int_equal(p->seen, 0);
    acme_area_free(area);
    acme_config_free(config);
}

static void
test_challenge(void **state)
{
    (void)state;
    replay("challenge", challenge_flow, 1);
}

/* A thumbprint file, and its place in a configuration. */
static void
thumbprint_flow(struct point *p)
{
    struct acme_config *config = new_config();
    struct acme_thumbprint thumbprint = { THUMBPRINT, NULL };
    char value[ACME_THUMBPRINT_LEN + 1];
    struct helper_tmp tmp;
    size_t index;
    enum acme_rc rc;

    helper_tmp_init(&tmp);
    helper_tmp_puts(&tmp, "t", THUMBPRINT "\n");
    begin(p);
    rc = acme_thumbprint_read(helper_tmp_path(&tmp, "t"), value, &p->err);
    if (rc == ACME_OK)
        rc = acme_config_add_thumbprint(config, &thumbprint, &index, &p->err);
    end(p, rc);
    expect(p, MAY(ACME_NOMEM));
    if (rc == ACME_OK)
        assert_string_equal(value, THUMBPRINT);
    helper_tmp_clear(&tmp);
    acme_config_free(config);
}

static void
test_thumbprint(void **state)
{
    (void)state;
    replay("thumbprint", thumbprint_flow, 50);
}

/* ---- status ----------------------------------------------------------- */

static enum acme_rc
render_status(struct acme_buf *text, struct acme_error *err)
{
    struct acme_store *store = NULL;
    struct acme_json *status = NULL;
    const char *dir = world.d->config->state_dir;
    enum acme_rc rc = acme_store_open(dir, ACME_STORE_READ, &store, err);

    if (rc == ACME_OK)
        rc = acme_status_all(store, dir, FAKE_NOW, &status, err);
    if (rc == ACME_OK)
        rc = acme_json_render(status, true, text, err);
    acme_json_free(status);
    acme_store_close(store);
    return rc;
}

static void
status_flow(struct point *p)
{
    struct acme_buf text, before;
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    acme_buf_init(&text, ACME_JSON_MAX);
    acme_buf_init(&before, ACME_JSON_MAX);
    need(render_status(&before, &err), &err);
    begin(p);
    rc = render_status(&text, &p->err);
    end(p, rc);
    expect(p, MAY(ACME_NOMEM) | MAY(ACME_IO));
    if (rc == ACME_OK && strcmp(acme_buf_str(&text), acme_buf_str(&before)))
        fail_msg("%s: another status: %s\ninstead of %s", at,
            acme_buf_str(&text), acme_buf_str(&before));
    acme_buf_clear(&text);
    acme_buf_clear(&before);
}

static void
test_status(void **state)
{
    (void)state;
    open_world("example.com", "example.com", "ecdsa:256 rsa:2048");
    write_pairs();
    fake_drive_open(world.d);
    replay("status", status_flow, 150);
    close_world();
}

/* ---- */

static int
make_pairs(void **state)
{
    static const enum acme_key_type types[] = { ACME_KEY_ECDSA_256,
        ACME_KEY_RSA_2048 };

    (void)state;
    helper_store_version(&pairs, 2, types);
    return 0;
}

static int
free_pairs(void **state)
{
    (void)state;
    acme_version_clear(&pairs);
    return 0;
}

#define TEST(f) cmocka_unit_test_teardown(f, say_where)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_config),
        TEST(test_config_again),
        TEST(test_settings),
        TEST(test_record),
        TEST(test_key),
        TEST(test_placeholder),
        TEST(test_gate),
        TEST(test_store),
        TEST(test_store_read),
        TEST(test_keeper),
        TEST(test_job),
        TEST(test_trial),
        TEST(test_wildcard),
        TEST(test_preflight),
        TEST(test_job_of_two),
        TEST(test_engine),
        TEST(test_look),
        TEST(test_revocation),
        TEST(test_live),
        TEST(test_live_alpn),
        TEST(test_challenge),
        TEST(test_thumbprint),
        TEST(test_status),
    };

    /* jansson 2.14 loses characters of a string, or writes past one, when
     * memory is short while it reads (its issue 362): its own allocations do
     * not fail. */
    json_set_alloc_funcs(real_malloc, free);
    return cmocka_run_group_tests(tests, make_pairs, free_pairs);
}
