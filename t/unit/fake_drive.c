#include "fake_drive.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "drive/acme_challenge.h"
#include "wrap/acme_hash.h"

static const char *const bases[] = { "https://ca.test", "https://other.test" };
static const char *const directories[] = { FAKE_CA_DIRECTORY,
    FAKE_DRIVE_OTHER };
static const char *const issuers[] = { "test", "other" };

const char *
fake_drive_path(const char *fmt, ...)
{
    static char text[4][512];
    static unsigned next;
    char *out = text[next++ % 4];
    int len = snprintf(out, sizeof(text[0]), "state/");
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(out + len, sizeof(text[0]) - (size_t)len, fmt, args);
    va_end(args);
    return out;
}

static void
need(struct fake_drive *d, enum acme_rc rc, const char *what)
{
    char line[1024];

    if (rc != ACME_OK)
        fail_msg("%s: %s", what, acme_error_line(&d->err, line, sizeof(line)));
}

/* ---- between engine, CAs and store ------------------------------------ */

static const char *
validate_alpn(struct fake_drive *d, const struct fake_validation *v)
{
    char identifier[ACME_NAME_MAX + 1];
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];

    if (!acme_area_alpn_answer(d->area, v->name, identifier, answer))
        return "not answered";
    assert_string_equal(identifier, v->name);
    return strcmp(answer, v->key_authorization) == 0 ? NULL : "wrong answer";
}

static const char *
validate(void *ctx, const struct fake_validation *v)
{
    struct fake_drive *d = ctx;
    char path[256], answer[ACME_KEY_AUTHORIZATION_MAX + 1];

    if (strcmp(v->type, "tls-alpn-01") == 0)
        return validate_alpn(d, v);
    if (strcmp(v->type, "http-01") != 0)
        return "only http-01 and tls-alpn-01 are tried";
    (void)snprintf(path, sizeof(path), "%s%s", ACME_CHALLENGE_PATH, v->token);
    if (!acme_challenge_answer(d->config, d->area, &acme_answering_default,
            v->name, strlen(v->name), path, strlen(path), answer))
        return "not answered";
    return strcmp(answer, v->key_authorization) == 0 ? NULL : "wrong answer";
}

/* A transport that can be cut off, one per CA. */
struct line {
    struct fake_drive *d;
    struct acme_transport ca;
};

static struct line lines[2];

static enum acme_rc
cut_off(struct fake_drive *d, struct acme_error *err)
{
    if (!d->dead && d->cut_rc == ACME_STOPPING)
        d->host.stopping = true;
    acme_error_clear(err);
    return acme_error_set(err, d->dead ? ACME_NET : d->cut_rc, "cut off");
}

static enum acme_rc
fetch(struct fake_drive *d, const struct acme_http_request *request,
    struct acme_http_response *response, struct acme_error *err)
{
    bool ocsp = strncmp(request->url, FAKE_DRIVE_RESPONDER,
                    strlen(FAKE_DRIVE_RESPONDER)) == 0;
    const struct acme_buf *body = ocsp ? d->ocsp : d->crl;
    int status = ocsp ? d->ocsp_status : 404;

    if (ocsp)
        d->asked++;
    else
        d->fetched++;
    acme_http_response_clear(response);
    acme_buf_init(&response->body, request->max_body);
    response->status = body != NULL ? 200 : status;
    if (body != NULL)
        acme_buf_add(&response->body, body->data, body->len);
    return response->status != 0
               ? ACME_OK
               : acme_error_set(err, ACME_NET, "nobody answers");
}

static enum acme_rc
perform(void *ctx, const struct acme_http_request *request,
    struct acme_http_response *response, struct acme_error *err)
{
    struct line *line = ctx;
    struct fake_drive *d = line->d;
    bool last;
    enum acme_rc rc;

    d->exchanges++;
    last = d->cut_at != 0 && d->exchanges == d->cut_at;
    if (d->dead || (d->cut_at != 0 && d->exchanges >= d->cut_at &&
                       !(last && d->cut == FAKE_CUT_ANSWER)))
        return cut_off(d, err);
    if (d->silent && !request->plain)
        return acme_error_set(err, ACME_NET, "the CA is silent");
    rc = request->plain
             ? fetch(d, request, response, err)
             : line->ca.perform(line->ca.ctx, request, response, err);
    if (rc == ACME_OK)
        response->date = d->host.now + d->ahead[line - lines];
    return last ? cut_off(d, err) : rc;
}

struct acme_transport
fake_drive_transport(struct fake_drive *d, size_t issuer)
{
    struct acme_transport transport = { .ctx = &lines[issuer],
        .perform = perform };

    lines[issuer].d = d;
    lines[issuer].ca = fake_ca_transport(issuer == 0 ? d->ca : d->other);
    return transport;
}

static enum acme_rc
open_line(void *ctx, size_t issuer, struct acme_transport *transport,
    struct acme_error *err)
{
    (void)err;
    *transport = fake_drive_transport(ctx, issuer);
    return ACME_OK;
}

/* One frame to the keeper and back, as between two processes. */
static void
carry(struct fake_drive *d, struct acme_buf *request, struct acme_buf *reply)
{
    struct acme_buf arrived, answer;
    int fds[2];

    acme_buf_init_secret(&arrived, ACME_FRAME_MAX);
    acme_buf_init_secret(&answer, ACME_FRAME_MAX);
    need(d, acme_frame_pair(fds, &d->err), "pair");
    need(d, acme_frame_send(fds[0], request, &d->err), "send");
    need(d, acme_frame_recv(fds[1], &arrived, &d->err), "receive");
    if (acme_keeper_answer(d->keeper, &arrived, &answer)) {
        need(d, acme_frame_send(fds[1], &answer, &d->err), "answer");
        need(d, acme_frame_recv(fds[0], reply, &d->err), "take");
    } else {
        d->killed = true;
    }
    close(fds[0]);
    close(fds[1]);
    acme_buf_clear(&arrived);
    acme_buf_clear(&answer);
}

enum acme_rc
fake_drive_exchange(void *ctx, struct acme_buf *request,
    struct acme_buf *reply, struct acme_error *err)
{
    struct fake_drive *d = ctx;
    bool act = !d->dead;

    d->frames++;
    if (d->dead_at != 0 && d->frames >= d->dead_at) {
        act = act && d->dead_late;
        d->dead = true;
    }
    if (act)
        carry(d, request, reply);
    if (d->dead || d->killed)
        return acme_error_set(err, ACME_IO, "the store is gone");
    return ACME_OK;
}

static void
take_done(void *ctx, uint64_t id, bool ok, const char *text)
{
    struct fake_drive *d = ctx;

    d->ndone++;
    d->done_id = id;
    d->done_ok = ok;
    (void)snprintf(d->done_text, sizeof(d->done_text), "%s", text);
}

static uint32_t
draw(void *ctx)
{
    const struct fake_drive *d = ctx;

    return d->random;
}

static bool
idle(void *ctx, unsigned ms)
{
    struct fake_drive *d = ctx;

    return d->host.host.wait(d->host.host.ctx, ms);
}

/* ---- life ------------------------------------------------------------- */

static void
add_issuer(struct fake_drive *d, size_t i)
{
    char directory[256];
    struct acme_issuer issuer = { .name = issuers[i],
        .directory = directory,
        .ncontacts = d->contact != NULL,
        .contact = { d->contact },
        .terms_accepted = d->terms_accepted,
        .key_type = ACME_KEY_ECDSA_256,
        .verify = true,
        .renewal_info = d->renewal_info };
    size_t index = 99;

    (void)snprintf(directory, sizeof(directory), "%s%s",
        i == 0 && d->base != NULL ? d->base : "",
        i == 0 && d->base != NULL ? "/dir" : directories[i]);
    need(d, acme_config_add_issuer(d->config, &issuer, &index, &d->err),
        "issuer");
    assert_int_equal(index, i);
}

void
fake_drive_new_config(struct fake_drive *d)
{
    fake_drive_close(d);
    acme_config_free(d->config);
    d->config = acme_config_new(helper_tmp_path(&d->tmp, "state"), "nginx",
        d->instance);
    assert_non_null(d->config);
    add_issuer(d, 0);
    add_issuer(d, 1);
}

static struct fake_ca *
new_ca(struct fake_drive *d, size_t i)
{
    struct fake_ca *ca = fake_ca_new(&d->host);

    assert_non_null(ca);
    ca->conf.base = bases[i];
    ca->conf.validation_polls = 1;
    ca->conf.issuance_polls = 1;
    ca->conf.validate = validate;
    ca->conf.validate_ctx = d;
    return ca;
}

int
fake_drive_setup(void **state)
{
    struct fake_drive *d = calloc(1, sizeof(*d));

    assert_non_null(d);
    acme_error_clear(&d->err);
    helper_tmp_init(&d->tmp);
    fake_host_init(&d->host);
    d->instance = "/etc/nginx/nginx.conf";
    d->terms_accepted = true;
    d->contact = "mailto:admin@a.test";
    d->random = UINT32_C(1) << 31;
    d->ca = new_ca(d, 0);
    d->other = new_ca(d, 1);
    need(d, acme_area_new(8, 2, &d->area, &d->err), "area");
    fake_drive_new_config(d);
    *state = d;
    return 0;
}

int
fake_drive_teardown(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_close(d);
    assert_string_equal(fake_ca_complaints(d->ca), "");
    assert_string_equal(fake_ca_complaints(d->other), "");
    assert_int_equal(ERR_peek_error(), 0);
    acme_config_free(d->config);
    acme_area_free(d->area);
    fake_ca_free(d->ca);
    fake_ca_free(d->other);
    fake_host_clear(&d->host);
    helper_tmp_clear(&d->tmp);
    free(d);
    return 0;
}

size_t
fake_drive_lineage(struct fake_drive *d, const char *name, size_t issuer,
    const char *names, const char *type)
{
    const char *list[16];
    char *copy = strdup(names), *at, *save = NULL;
    struct acme_lineage lineage = { .name = name,
        .issuer = issuer,
        .names = list,
        .proof = d->proof,
        .timing = d->timing };
    char *types = strdup(type != NULL ? type : "ecdsa:256");
    size_t index = 0;

    assert_non_null(copy);
    assert_non_null(types);
    for (at = strtok_r(copy, " ", &save); at != NULL;
         at = strtok_r(NULL, " ", &save))
        list[lineage.nnames++] = at;
    for (at = strtok_r(types, " ", &save); at != NULL;
         at = strtok_r(NULL, " ", &save))
        need(d,
            acme_key_type_parse(at, &lineage.type[lineage.ntypes++], &d->err),
            "type");
    if (d->fall_back)
        lineage.fallback[lineage.nfallbacks++] = 1 - issuer;
    need(d, acme_config_add_lineage(d->config, &lineage, &index, &d->err),
        "lineage");
    free(types);
    free(copy);
    return index;
}

static long long
ticks_ms(void *ctx)
{
    const struct fake_drive *d = ctx;

    return 1000LL * (d->host.now - d->set);
}

static void
open_engine(struct fake_drive *d)
{
    struct acme_engine_conf conf = { .config = d->config,
        .sweeps = d->sweeps,
        .host = &d->host.host,
        .vault = d->vault,
        .network = { d, open_line },
        .present_ms = d->present_ms,
        .preflight = d->preflight,
        .idle = idle,
        .idle_ctx = d,
        .ticks_ms = ticks_ms,
        .random = draw,
        .random_ctx = d };

    need(d, acme_engine_new(&conf, &d->engine, &d->err), "engine");
    need(d, acme_engine_plan(d->engine, d->crashed, &d->err), "plan");
}

void
fake_drive_open(struct fake_drive *d)
{
    acme_error_clear(&d->err);
    need(d, acme_config_finish(d->config, &d->err), "finish");
    need(d,
        acme_store_open(d->config->state_dir, ACME_STORE_WRITE, &d->store,
            &d->err),
        "store");
    need(d,
        acme_keeper_new(d->config, d->store, d->area, &d->host.host,
            &d->keeper, &d->err),
        "keeper");
    acme_keeper_on_done(d->keeper, take_done, d);
    acme_keeper_start(d->keeper, d->role);
    acme_keeper_settle(d->keeper);
    need(d, acme_vault_new_direct(fake_drive_exchange, d, &d->vault, &d->err),
        "vault");
    open_engine(d);
}

void
fake_drive_close(struct fake_drive *d)
{
    acme_engine_free(d->engine);
    acme_vault_free(d->vault);
    acme_keeper_free(d->keeper);
    acme_store_close(d->store);
    d->engine = NULL;
    d->vault = NULL;
    d->keeper = NULL;
    d->store = NULL;
}

void
fake_drive_restart(struct fake_drive *d)
{
    fake_drive_close(d);
    d->cut_at = d->dead_at = 0;
    d->dead = d->killed = false;
    d->host.stopping = false;
    d->host.stop_after = -1;
    fake_drive_open(d);
}

unsigned
fake_drive_run(struct fake_drive *d)
{
    unsigned n = 0;

    while (n < 100 && !d->host.stopping && acme_engine_run_one(d->engine))
        n++;
    if (n == 100)
        fail_msg("jobs without end:\n%s", fake_host_lines(&d->host));
    return n;
}

unsigned
fake_drive_next(struct fake_drive *d)
{
    time_t next = acme_engine_next(d->engine);

    if (next > d->host.now)
        d->host.now = next;
    return fake_drive_run(d);
}

void
fake_drive_until(struct fake_drive *d, const char *name, unsigned version,
    unsigned most)
{
    unsigned n = 0;

    while (fake_drive_version(d, name) < version && n < most)
        n += fake_drive_next(d);
    if (fake_drive_version(d, name) != version)
        fail_msg("%s has version %u, not %u, after %u jobs:\n%s", name,
            fake_drive_version(d, name), version, n,
            fake_host_lines(&d->host));
}

void
fake_drive_cut(struct fake_drive *d, unsigned n, enum fake_cut cut,
    enum acme_rc rc)
{
    d->cut_at = n == 0 ? 0 : d->exchanges + n;
    d->cut = cut;
    d->cut_rc = rc;
}

void
fake_drive_die(struct fake_drive *d, unsigned n, bool late)
{
    d->dead_at = n == 0 ? 0 : d->frames + n;
    d->dead_late = late;
}

void
fake_drive_ask(struct fake_drive *d, size_t lineage, unsigned flags,
    uint64_t id)
{
    acme_engine_request(d->engine, lineage, flags, id);
}

/* ---- what came of it -------------------------------------------------- */

unsigned
fake_drive_version(struct fake_drive *d, const char *name)
{
    char target[300] = "";
    const char *number;

    if (readlinkat(d->tmp.fd, fake_drive_path("live/%s", name), target,
            sizeof(target) - 1) < 0)
        return 0;
    number = strrchr(target, '/');
    assert_non_null(number);
    return (unsigned)strtoul(number + 1, NULL, 10);
}

static size_t
find(struct fake_drive *d, const char *name)
{
    size_t i;

    for (i = 0; i < d->config->nlineages; i++) {
        if (strcmp(d->config->lineage[i].name, name) == 0)
            return i;
    }
    fail_msg("no lineage %s", name);
    return 0;
}

unsigned
fake_drive_served(struct fake_drive *d, const char *name)
{
    return acme_area_version(d->area, find(d, name));
}

static struct acme_chain *
read_chain(struct fake_drive *d, const char *name)
{
    char *pem = helper_tmp_gets(&d->tmp,
        fake_drive_path("live/%s/fullchain.pem", name));
    struct acme_chain *chain = NULL;

    assert_non_null(pem);
    need(d, acme_chain_from_pem(pem, strlen(pem), &chain, &d->err), "chain");
    free(pem);
    return chain;
}

void
fake_drive_leaf(struct fake_drive *d, const char *name, struct acme_leaf *leaf)
{
    struct acme_chain *chain = read_chain(d, name);

    need(d, acme_chain_leaf(chain, leaf, &d->err), "leaf");
    acme_chain_free(chain);
}

bool
fake_drive_covers(struct fake_drive *d, const char *name, const char *covered)
{
    struct acme_chain *chain = read_chain(d, name);
    bool covers = acme_chain_covers(chain, covered);

    acme_chain_free(chain);
    return covers;
}

void
fake_drive_record(struct fake_drive *d, const char *name,
    struct acme_record *record)
{
    char *text =
        helper_tmp_gets(&d->tmp, fake_drive_path("record/%s.json", name));

    acme_record_init(record);
    if (text != NULL)
        need(d, acme_record_parse(text, strlen(text), record, &d->err),
            "record");
    free(text);
}

void
fake_drive_write_record(struct fake_drive *d, const char *name,
    const struct acme_record *record)
{
    struct acme_buf text;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    need(d, acme_record_render(record, &text, &d->err), "record");
    helper_tmp_write(&d->tmp, fake_drive_path("record/%s.json", name),
        text.data, text.len);
    acme_buf_clear(&text);
}

bool
fake_drive_has_order(struct fake_drive *d, const char *name)
{
    return helper_tmp_exists(&d->tmp,
        fake_drive_path("orders/%s/order.json", name));
}

/* ---- everything that is there ----------------------------------------- */

static void
add_file(struct fake_drive *d, const char *path, const struct stat *st,
    struct acme_buf *out)
{
    char hash[ACME_HASH_HEX] = "", target[512] = "";
    char *text;

    if (S_ISREG(st->st_mode) && (text = helper_tmp_gets(&d->tmp, path))) {
        acme_hash_hex(text, (size_t)st->st_size, hash);
        free(text);
    }
    if (S_ISLNK(st->st_mode))
        (void)!readlinkat(d->tmp.fd, path, target, sizeof(target) - 1);
    acme_buf_addf(out, "%s %o %s%s\n", path, (unsigned)st->st_mode, hash,
        target);
}

static void
add_tree(struct fake_drive *d, const char *path, struct acme_buf *out)
{
    struct dirent **entries = NULL;
    int i,
        n = scandir(helper_tmp_path(&d->tmp, path), &entries, NULL, alphasort);
    char below[1024];
    struct stat st;

    assert_true(n >= 2);
    for (i = 0; i < n; i++) {
        (void)snprintf(below, sizeof(below), "%s/%s", path,
            entries[i]->d_name);
        if (strcmp(entries[i]->d_name, ".") != 0 &&
            strcmp(entries[i]->d_name, "..") != 0 &&
            strcmp(below, "state/locks") != 0) {
            assert_int_equal(
                fstatat(d->tmp.fd, below, &st, AT_SYMLINK_NOFOLLOW), 0);
            add_file(d, below, &st, out);
            if (S_ISDIR(st.st_mode))
                add_tree(d, below, out);
        }
        free(entries[i]);
    }
    free(entries);
}

char *
fake_drive_listing(struct fake_drive *d)
{
    struct acme_buf out;
    char *text;

    acme_buf_init(&out, (size_t)1 << 24);
    add_tree(d, "state", &out);
    assert_true(acme_buf_ok(&out));
    text = strdup(acme_buf_str(&out));
    assert_non_null(text);
    acme_buf_clear(&out);
    return text;
}
