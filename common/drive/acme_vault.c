#include "drive/acme_vault.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The store sends a notice per request of a person or change on disk, and
 * the engine looks between two exchanges. */
#define NOTICES_MAX 256

struct acme_vault {
    int fd;
    atomic_bool gone;
    /* From a question to the end of its answer: what follows is one
     * thread's. */
    pthread_mutex_t lock;
    acme_vault_exchange *exchange;
    void *ctx;
    struct acme_buf request, reply;
    struct acme_notice notice[NOTICES_MAX];
    size_t nnotices;
};

static enum acme_rc
vault_new(struct acme_vault **out, struct acme_error *err)
{
    struct acme_vault *vault = calloc(1, sizeof(*vault));

    if (vault == NULL)
        return acme_error_nomem(err);
    vault->fd = -1;
    atomic_init(&vault->gone, false);
    if (pthread_mutex_init(&vault->lock, NULL) != 0) {
        free(vault);
        return acme_error_nomem(err);
    }
    acme_buf_init_secret(&vault->request, ACME_FRAME_MAX);
    acme_buf_init_secret(&vault->reply, ACME_FRAME_MAX);
    *out = vault;
    return ACME_OK;
}

/* A full queue loses the oldest CHANGED: every one of them is found again by
 * looking, a RENEW has somebody waiting. */
static void
queue(struct acme_vault *vault, const struct acme_notice *notice)
{
    if (vault->nnotices == NOTICES_MAX) {
        if (notice->verb == ACME_VERB_CHANGED)
            return;
        memmove(vault->notice, vault->notice + 1,
            (NOTICES_MAX - 1) * sizeof(vault->notice[0]));
        vault->nnotices--;
    }
    vault->notice[vault->nnotices++] = *notice;
}

static bool
take_notice(struct acme_vault *vault, struct acme_frame *frame)
{
    struct acme_notice notice;

    memset(&notice, 0, sizeof(notice));
    if (frame->verb < ACME_VERB_RENEW)
        return false;
    notice.verb = frame->verb;
    notice.lineage = frame->index;
    if (frame->verb == ACME_VERB_RENEW) {
        notice.flags = (unsigned)acme_frame_get_u64(frame);
        notice.id = acme_frame_get_u64(frame);
    }
    if (acme_frame_end(frame))
        queue(vault, &notice);
    return true;
}

static enum acme_rc
exchange_over_socket(void *ctx, struct acme_buf *request,
    struct acme_buf *reply, struct acme_error *err)
{
    struct acme_vault *vault = ctx;
    struct acme_frame frame;
    enum acme_rc rc;

    rc = acme_frame_send(vault->fd, request, err);
    while (rc == ACME_OK) {
        rc = acme_frame_recv(vault->fd, reply, err);
        if (rc != ACME_OK)
            break;
        if (!acme_frame_open(&frame, reply->data, reply->len))
            return acme_error_set(err, ACME_IO, "bad frame of the store");
        if (!take_notice(vault, &frame))
            return ACME_OK;
    }
    vault->gone = true;
    return rc;
}

enum acme_rc
acme_vault_new(int fd, struct acme_vault **vault, struct acme_error *err)
{
    enum acme_rc rc = vault_new(vault, err);

    if (rc == ACME_OK) {
        (*vault)->fd = fd;
        (*vault)->exchange = exchange_over_socket;
        (*vault)->ctx = *vault;
    }
    return rc;
}

enum acme_rc
acme_vault_new_direct(acme_vault_exchange *exchange, void *ctx,
    struct acme_vault **vault, struct acme_error *err)
{
    enum acme_rc rc = vault_new(vault, err);

    if (rc == ACME_OK) {
        (*vault)->exchange = exchange;
        (*vault)->ctx = ctx;
    }
    return rc;
}

void
acme_vault_free(struct acme_vault *vault)
{
    if (vault == NULL)
        return;
    acme_buf_clear(&vault->request);
    acme_buf_clear(&vault->reply);
    (void)pthread_mutex_destroy(&vault->lock);
    free(vault);
}

static bool
readable(int fd)
{
    struct pollfd pfd = { fd, POLLIN, 0 };

    return fd >= 0 && poll(&pfd, 1, 0) == 1;
}

bool
acme_vault_is_gone(const struct acme_vault *vault)
{
    return vault->gone;
}

/* False: a frame that is no notice, or the end. */
static bool
receive_notices(struct acme_vault *vault)
{
    struct acme_error ignored;
    struct acme_frame frame;

    while (vault->nnotices == 0 && readable(vault->fd)) {
        acme_error_clear(&ignored);
        if (acme_frame_recv(vault->fd, &vault->reply, &ignored) != ACME_OK ||
            !acme_frame_open(&frame, vault->reply.data, vault->reply.len) ||
            !take_notice(vault, &frame))
            return false;
    }
    return true;
}

bool
acme_vault_notice(struct acme_vault *vault, struct acme_notice *notice,
    enum acme_rc *rc)
{
    bool found;

    (void)pthread_mutex_lock(&vault->lock);
    *rc = receive_notices(vault) ? ACME_OK : ACME_IO;
    if (*rc != ACME_OK)
        vault->gone = true;
    found = *rc == ACME_OK && vault->nnotices > 0;
    if (found) {
        *notice = vault->notice[0];
        vault->nnotices--;
        memmove(vault->notice, vault->notice + 1,
            vault->nnotices * sizeof(vault->notice[0]));
    }
    (void)pthread_mutex_unlock(&vault->lock);
    return found;
}

/* ---- one question and its answer -------------------------------------- */

/* Every ask() needs its finish(). */
static struct acme_buf *
ask(struct acme_vault *vault, enum acme_verb verb, size_t index)
{
    (void)pthread_mutex_lock(&vault->lock);
    acme_frame_begin(&vault->request, verb, (uint32_t)index);
    return &vault->request;
}

/*
 * Sends vault->request and reads the first field of the reply.  The caller
 * goes on reading `frame` when ACME_OK comes back.
 */
static enum acme_rc
answer(struct acme_vault *vault, struct acme_frame *frame,
    struct acme_error *err)
{
    enum acme_rc rc;

    if (!acme_buf_ok(&vault->request))
        return acme_error_nomem(err);
    rc = vault->exchange(vault->ctx, &vault->request, &vault->reply, err);
    if (rc != ACME_OK)
        return rc;
    if (!acme_frame_open(frame, vault->reply.data, vault->reply.len))
        return acme_error_set(err, ACME_IO, "bad frame of the store");
    return acme_frame_get_error(frame, err);
}

/* Forgets key material that passed through the buffers, and lets others ask.
 * Nothing that `frame` points to is valid any more. */
static enum acme_rc
finish(struct acme_vault *vault, const struct acme_frame *frame,
    enum acme_rc rc, struct acme_error *err)
{
    if (rc == ACME_OK && !acme_frame_end(frame))
        rc = acme_error_set(err, ACME_IO, "bad frame of the store");
    acme_buf_clear(&vault->request);
    acme_buf_clear(&vault->reply);
    (void)pthread_mutex_unlock(&vault->lock);
    return rc;
}

static enum acme_rc
simple(struct acme_vault *vault, struct acme_error *err)
{
    struct acme_frame frame;
    enum acme_rc rc;

    memset(&frame, 0, sizeof(frame));
    rc = answer(vault, &frame, err);
    return finish(vault, &frame, rc, err);
}

/* Sends vault->request.  The answer is one field, appended to `out`. */
static enum acme_rc
fetch(struct acme_vault *vault, struct acme_buf *out, struct acme_error *err)
{
    struct acme_frame frame;
    const void *data;
    size_t len;
    enum acme_rc rc;

    memset(&frame, 0, sizeof(frame));
    rc = answer(vault, &frame, err);
    if (rc == ACME_OK) {
        acme_frame_get(&frame, &data, &len);
        acme_buf_add(out, data, len);
        if (!acme_buf_ok(out))
            rc = acme_error_nomem(err);
    }
    return finish(vault, &frame, rc, err);
}

enum acme_rc
acme_vault_done(struct acme_vault *vault, uint64_t id, bool ok,
    const char *text, struct acme_error *err)
{
    struct acme_buf *request = ask(vault, ACME_VERB_DONE, 0);

    acme_frame_add_u64(request, id);
    acme_frame_add_u64(request, ok);
    acme_frame_add_text(request, text);
    return simple(vault, err);
}

/* ---- lineages --------------------------------------------------------- */

static enum acme_rc
get_names(struct acme_frame *frame, struct acme_vault_unit *out,
    struct acme_error *err)
{
    char name[ACME_NAME_MAX + 1];
    uint64_t i, n = acme_frame_get_u64(frame);

    if (n > ACME_NAMES_MAX)
        return acme_error_set(err, ACME_IO, "bad frame of the store");
    out->names =
        acme_arena_alloc(out->arena, (size_t)(n + 1) * sizeof(out->names[0]));
    if (out->names == NULL)
        return acme_error_nomem(err);
    for (i = 0; i < n; i++) {
        acme_frame_get_text(frame, name, sizeof(name));
        out->names[i] = acme_arena_strdup(out->arena, name);
        if (out->names[i] == NULL)
            return acme_error_nomem(err);
    }
    out->nnames = (size_t)n;
    return ACME_OK;
}

/* Or the CA has told. */
static enum acme_rc
is_known_revoked(const struct acme_vault_unit *unit, bool *revoked,
    struct acme_error *err)
{
    struct acme_leaf leaf;
    enum acme_rc rc;

    if (unit->leaf == NULL || !unit->record.revocation.revoked)
        return ACME_OK;
    rc = acme_chain_leaf(unit->leaf, &leaf, err);
    if (rc == ACME_OK &&
        strcmp(leaf.fingerprint, unit->record.revocation.certificate) == 0)
        *revoked = true;
    return rc;
}

static enum acme_rc
get_unit(struct acme_frame *frame, struct acme_vault_unit *out,
    struct acme_error *err)
{
    struct acme_error unreadable;
    char conflict[ACME_LOG_LINE_MAX];
    const void *data;
    uint64_t issued_by;
    size_t len;
    enum acme_rc rc;

    rc = get_names(frame, out, err);
    if (rc != ACME_OK)
        return rc;
    out->must_staple = acme_frame_get_u64(frame) != 0;
    out->reuse_key = acme_frame_get_u64(frame) != 0;
    out->allow_subset = acme_frame_get_u64(frame) != 0;
    out->csr = acme_frame_get_u64(frame) != 0;
    out->type = (enum acme_key_type)acme_frame_get_u64(frame);
    acme_frame_get_text(frame, conflict, sizeof(conflict));
    if (conflict[0] != '\0') {
        out->conflict = acme_arena_strdup(out->arena, conflict);
        if (out->conflict == NULL)
            return acme_error_nomem(err);
    }
    out->version = (unsigned)acme_frame_get_u64(frame);
    out->live_type = (enum acme_key_type)acme_frame_get_u64(frame);
    out->order = acme_frame_get_u64(frame) != 0;
    out->other_issuer = acme_frame_get_u64(frame) != 0;
    out->revoked = acme_frame_get_u64(frame) != 0;
    issued_by = acme_frame_get_u64(frame); /* 0: none, else one more */
    out->issued_by_known = issued_by != 0;
    out->issued_by = issued_by != 0 ? (size_t)issued_by - 1 : 0;
    out->staple_since = (time_t)acme_frame_get_u64(frame);
    out->staple_until = (time_t)acme_frame_get_u64(frame);
    acme_frame_get(frame, &data, &len);
    if (len > 0) {
        rc = acme_chain_from_der(data, len, &out->leaf, err);
        if (rc != ACME_OK)
            return rc;
    }
    acme_frame_get(frame, &data, &len);
    /* A record that cannot be read is an empty one: it only remembers. */
    acme_error_clear(&unreadable);
    rc = acme_record_parse(data, len, &out->record, &unreadable);
    if (rc == ACME_NOMEM)
        return acme_error_nomem(err);
    if (rc != ACME_OK)
        acme_record_init(&out->record);
    return is_known_revoked(out, &out->revoked, err);
}

enum acme_rc
acme_vault_unit(struct acme_vault *vault, size_t unit,
    struct acme_vault_unit *out, struct acme_error *err)
{
    struct acme_vault_unit found;
    struct acme_frame frame;
    enum acme_rc rc;

    memset(&found, 0, sizeof(found));
    memset(&frame, 0, sizeof(frame));
    acme_record_init(&found.record);
    found.arena = acme_arena_new();
    if (found.arena == NULL)
        return acme_error_nomem(err);
    (void)ask(vault, ACME_VERB_UNIT, unit);
    rc = answer(vault, &frame, err);
    if (rc == ACME_OK)
        rc = get_unit(&frame, &found, err);
    rc = finish(vault, &frame, rc, err);
    if (rc == ACME_OK)
        *out = found;
    else
        acme_vault_unit_clear(&found);
    return rc;
}

void
acme_vault_unit_clear(struct acme_vault_unit *unit)
{
    acme_chain_free(unit->leaf);
    acme_arena_free(unit->arena);
    memset(unit, 0, sizeof(*unit));
}

bool
acme_vault_traffic(struct acme_vault *vault, size_t unit)
{
    struct acme_error ignored;
    struct acme_frame frame;
    bool traffic = true;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    memset(&frame, 0, sizeof(frame));
    (void)ask(vault, ACME_VERB_TRAFFIC, unit);
    rc = answer(vault, &frame, &ignored);
    if (rc == ACME_OK)
        traffic = acme_frame_get_u64(&frame) != 0;
    (void)finish(vault, &frame, rc, &ignored);
    return traffic;
}

static enum acme_rc
tell_record(struct acme_vault *vault, enum acme_verb verb, size_t unit,
    const struct acme_record *record, struct acme_error *err)
{
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    rc = acme_record_render(record, &text, err);
    if (rc == ACME_OK) {
        acme_frame_add(ask(vault, verb, unit), text.data, text.len);
        rc = simple(vault, err);
    }
    acme_buf_clear(&text);
    return rc;
}

enum acme_rc
acme_vault_record(struct acme_vault *vault, size_t unit,
    const struct acme_record *record, struct acme_error *err)
{
    return tell_record(vault, ACME_VERB_RECORD, unit, record, err);
}

enum acme_rc
acme_vault_note(struct acme_vault *vault, size_t unit,
    const struct acme_record *record, struct acme_error *err)
{
    return tell_record(vault, ACME_VERB_NOTE, unit, record, err);
}

enum acme_rc
acme_vault_lock(struct acme_vault *vault, size_t unit, struct acme_error *err)
{
    (void)ask(vault, ACME_VERB_LOCK, unit);
    return simple(vault, err);
}

void
acme_vault_unlock(struct acme_vault *vault, size_t unit)
{
    struct acme_error ignored;

    acme_error_clear(&ignored);
    (void)ask(vault, ACME_VERB_UNLOCK, unit);
    (void)simple(vault, &ignored);
}

/* ---- keys in frames --------------------------------------------------- */

/* An operator's own, of which we have the public half: an empty field. */
static enum acme_rc
add_key(struct acme_buf *request, const struct acme_key *key,
    struct acme_error *err)
{
    struct acme_buf der;
    enum acme_rc rc;

    acme_buf_init_secret(&der, ACME_STATE_PEM_MAX);
    rc = acme_key_is_public(key) ? ACME_OK : acme_key_to_der(key, &der, err);
    if (rc == ACME_OK)
        acme_frame_add(request, der.data, der.len);
    acme_buf_clear(&der);
    return rc;
}

static enum acme_rc
get_key(struct acme_frame *frame, struct acme_key **key,
    struct acme_error *err)
{
    const void *data;
    size_t len;

    acme_frame_get(frame, &data, &len);
    return acme_key_from_der(data, len, key, err);
}

/* The answer is a key. */
static enum acme_rc
fetch_key(struct acme_vault *vault, struct acme_key **key,
    struct acme_error *err)
{
    struct acme_buf der;
    enum acme_rc rc;

    acme_buf_init_secret(&der, ACME_FRAME_MAX);
    rc = fetch(vault, &der, err);
    if (rc == ACME_OK)
        rc = acme_key_from_der(der.data, der.len, key, err);
    acme_buf_clear(&der);
    return rc;
}

enum acme_rc
acme_vault_account(struct acme_vault *vault, size_t issuer,
    struct acme_key **key, char url[ACME_URL_MAX], struct acme_error *err)
{
    struct acme_frame frame;
    struct acme_key *found = NULL;
    enum acme_rc rc;

    memset(&frame, 0, sizeof(frame));
    (void)ask(vault, ACME_VERB_ACCOUNT, issuer);
    rc = answer(vault, &frame, err);
    if (rc == ACME_OK)
        rc = get_key(&frame, &found, err);
    if (rc == ACME_OK)
        acme_frame_get_text(&frame, url, ACME_URL_MAX);
    rc = finish(vault, &frame, rc, err);
    if (rc == ACME_OK)
        *key = found;
    else
        acme_key_unref(found);
    return rc;
}

enum acme_rc
acme_vault_account_key(struct acme_vault *vault, size_t issuer,
    struct acme_key **key, struct acme_error *err)
{
    struct acme_frame frame;
    struct acme_key *counts = NULL;
    enum acme_rc rc;

    memset(&frame, 0, sizeof(frame));
    rc = add_key(ask(vault, ACME_VERB_ACCOUNT_KEY, issuer), *key, err);
    if (rc == ACME_OK)
        rc = answer(vault, &frame, err);
    if (rc == ACME_OK)
        rc = get_key(&frame, &counts, err);
    rc = finish(vault, &frame, rc, err);
    if (rc == ACME_OK) {
        acme_key_unref(*key);
        *key = counts;
    } else {
        acme_key_unref(counts);
    }
    return rc;
}

enum acme_rc
acme_vault_account_url(struct acme_vault *vault, size_t issuer,
    const char *url, bool *is_new, struct acme_error *err)
{
    struct acme_frame frame;
    enum acme_rc rc;

    memset(&frame, 0, sizeof(frame));
    acme_frame_add_text(ask(vault, ACME_VERB_ACCOUNT_URL, issuer), url);
    rc = answer(vault, &frame, err);
    if (rc == ACME_OK)
        *is_new = acme_frame_get_u64(&frame) != 0;
    return finish(vault, &frame, rc, err);
}

enum acme_rc
acme_vault_account_dead(struct acme_vault *vault, size_t issuer,
    struct acme_error *err)
{
    (void)ask(vault, ACME_VERB_ACCOUNT_DEAD, issuer);
    return simple(vault, err);
}

enum acme_rc
acme_vault_other_key(struct acme_vault *vault, size_t issuer, bool ours,
    struct acme_key **key, struct acme_error *err)
{
    acme_frame_add_u64(ask(vault, ACME_VERB_OTHER_KEY, issuer), ours);
    return fetch_key(vault, key, err);
}

enum acme_rc
acme_vault_account_moved(struct acme_vault *vault, size_t issuer,
    struct acme_error *err)
{
    (void)ask(vault, ACME_VERB_ACCOUNT_MOVED, issuer);
    return simple(vault, err);
}

enum acme_rc
acme_vault_contacts(struct acme_vault *vault, size_t issuer, bool *due,
    struct acme_error *err)
{
    struct acme_frame frame;
    bool found = false;
    enum acme_rc rc;

    memset(&frame, 0, sizeof(frame));
    (void)ask(vault, ACME_VERB_CONTACTS, issuer);
    rc = answer(vault, &frame, err);
    if (rc == ACME_OK)
        found = acme_frame_get_u64(&frame) != 0;
    rc = finish(vault, &frame, rc, err);
    if (rc == ACME_OK)
        *due = found;
    return rc;
}

enum acme_rc
acme_vault_contacts_told(struct acme_vault *vault, size_t issuer,
    enum acme_contacts how, struct acme_error *err)
{
    acme_frame_add_u64(ask(vault, ACME_VERB_CONTACTS_TOLD, issuer), how);
    return simple(vault, err);
}

enum acme_rc
acme_vault_binding(struct acme_vault *vault, size_t issuer,
    struct acme_binding *binding, struct acme_error *err)
{
    char kid[ACME_EAB_KID_MAX + 1], alg[sizeof(binding->alg)];
    struct acme_frame frame;
    const void *key;
    size_t len;
    enum acme_rc rc;

    memset(&frame, 0, sizeof(frame));
    (void)ask(vault, ACME_VERB_BINDING, issuer);
    rc = answer(vault, &frame, err);
    if (rc == ACME_OK) {
        acme_frame_get_text(&frame, kid, sizeof(kid));
        acme_frame_get_text(&frame, alg, sizeof(alg));
        acme_frame_get(&frame, &key, &len);
        rc = acme_binding_set(binding, kid, alg, key, len, err);
    }
    return finish(vault, &frame, rc, err);
}

enum acme_rc
acme_vault_tsig(struct acme_vault *vault, size_t unit, struct acme_tsig *key,
    struct acme_error *err)
{
    char name[sizeof(key->name)], alg[sizeof(key->alg)];
    struct acme_frame frame;
    const void *secret;
    size_t len;
    enum acme_rc rc;

    memset(&frame, 0, sizeof(frame));
    (void)ask(vault, ACME_VERB_TSIG, unit);
    rc = answer(vault, &frame, err);
    if (rc == ACME_OK) {
        acme_frame_get_text(&frame, name, sizeof(name));
        acme_frame_get_text(&frame, alg, sizeof(alg));
        acme_frame_get(&frame, &secret, &len);
        rc = acme_tsig_set(key, name, alg, secret, len, err);
    }
    return finish(vault, &frame, rc, err);
}

enum acme_rc
acme_vault_chain(struct acme_vault *vault, size_t unit,
    struct acme_chain **chain, struct acme_error *err)
{
    struct acme_buf der;
    enum acme_rc rc;

    acme_buf_init(&der, ACME_FRAME_MAX);
    (void)ask(vault, ACME_VERB_CHAIN, unit);
    rc = fetch(vault, &der, err);
    if (rc == ACME_OK)
        rc = acme_chain_from_der(der.data, der.len, chain, err);
    acme_buf_clear(&der);
    return rc;
}

enum acme_rc
acme_vault_live_key(struct acme_vault *vault, size_t unit,
    struct acme_key **key, struct acme_error *err)
{
    (void)ask(vault, ACME_VERB_LIVE_KEY, unit);
    return fetch_key(vault, key, err);
}

/* ---- the operator's signing request ----------------------------------- */

enum acme_rc
acme_vault_csr(struct acme_vault *vault, size_t unit, struct acme_csr **csr,
    struct acme_error *err)
{
    struct acme_buf der;
    enum acme_rc rc;

    acme_buf_init(&der, ACME_FRAME_MAX);
    (void)ask(vault, ACME_VERB_CSR, unit);
    rc = fetch(vault, &der, err);
    if (rc == ACME_OK)
        rc = acme_csr_parse(der.data, der.len, csr, err);
    acme_buf_clear(&der);
    return rc;
}

/* ---- orders and versions ---------------------------------------------- */

enum acme_rc
acme_vault_order(struct acme_vault *vault, size_t unit, struct acme_buf *text,
    struct acme_key **key, struct acme_error *err)
{
    struct acme_frame frame;
    struct acme_key *found = NULL;
    const void *data;
    size_t len;
    enum acme_rc rc;

    memset(&frame, 0, sizeof(frame));
    (void)ask(vault, ACME_VERB_ORDER, unit);
    rc = answer(vault, &frame, err);
    if (rc == ACME_OK) {
        acme_frame_get(&frame, &data, &len);
        acme_buf_add(text, data, len);
        acme_frame_get(&frame, &data, &len);
        if (len > 0)
            rc = acme_key_from_der(data, len, &found, err);
    }
    if (rc == ACME_OK && !acme_buf_ok(text))
        rc = acme_error_nomem(err);
    rc = finish(vault, &frame, rc, err);
    if (rc == ACME_OK)
        *key = found;
    else
        acme_key_unref(found);
    return rc;
}

enum acme_rc
acme_vault_order_put(struct acme_vault *vault, size_t unit,
    const struct acme_buf *text, const struct acme_key *key,
    struct acme_error *err)
{
    struct acme_buf *request = ask(vault, ACME_VERB_ORDER_PUT, unit);
    struct acme_frame frame;
    enum acme_rc rc;

    memset(&frame, 0, sizeof(frame));
    acme_frame_add(request, text->data, text->len);
    rc = add_key(request, key, err);
    if (rc == ACME_OK)
        rc = answer(vault, &frame, err);
    return finish(vault, &frame, rc, err);
}

enum acme_rc
acme_vault_order_note(struct acme_vault *vault, size_t unit,
    const struct acme_buf *text, struct acme_error *err)
{
    acme_frame_add(ask(vault, ACME_VERB_ORDER_NOTE, unit), text->data,
        text->len);
    return simple(vault, err);
}

enum acme_rc
acme_vault_order_drop(struct acme_vault *vault, size_t unit,
    struct acme_error *err)
{
    (void)ask(vault, ACME_VERB_ORDER_DROP, unit);
    return simple(vault, err);
}

enum acme_rc
acme_vault_challenges(struct acme_vault *vault, size_t unit, size_t issuer,
    const struct acme_area_token *tokens, size_t ntokens, bool *others,
    struct acme_error *err)
{
    struct acme_buf *request = ask(vault, ACME_VERB_CHALLENGES, unit);
    struct acme_frame frame;
    enum acme_rc rc;
    size_t i;

    acme_frame_add_u64(request, issuer);
    acme_frame_add_u64(request, ntokens);
    for (i = 0; i < ntokens; i++) {
        acme_frame_add_u64(request, tokens[i].type);
        acme_frame_add_text(request, tokens[i].name);
        acme_frame_add_text(request, tokens[i].token);
    }
    memset(&frame, 0, sizeof(frame));
    rc = answer(vault, &frame, err);
    if (rc == ACME_OK)
        *others = acme_frame_get_u64(&frame) != 0;
    return finish(vault, &frame, rc, err);
}

enum acme_rc
acme_vault_version(struct acme_vault *vault, size_t unit, size_t issuer,
    const struct acme_key *key, const struct acme_chain *chain,
    const char *order_url, const struct acme_buf *staple,
    const struct acme_left_out *left_out, unsigned *version,
    struct acme_error *err)
{
    struct acme_buf *request = ask(vault, ACME_VERB_VERSION, unit);
    struct acme_frame frame;
    struct acme_buf der;
    unsigned number = 0, i;
    enum acme_rc rc;

    memset(&frame, 0, sizeof(frame));
    acme_buf_init(&der, ACME_CHAIN_DER_MAX);
    acme_frame_add_u64(request, issuer);
    rc = add_key(request, key, err);
    if (rc == ACME_OK)
        rc = acme_chain_to_der(chain, 0, 0, &der, err);
    if (rc == ACME_OK) {
        acme_frame_add(request, der.data, der.len);
        acme_frame_add_text(request, order_url);
        acme_frame_add(request, staple->data, staple->len);
        acme_frame_add_u64(request, left_out != NULL ? left_out->n : 0);
        for (i = 0; left_out != NULL && i < left_out->n; i++)
            acme_frame_add_text(request, left_out->item[i].name);
        rc = answer(vault, &frame, err);
    }
    if (rc == ACME_OK)
        number = (unsigned)acme_frame_get_u64(&frame);
    rc = finish(vault, &frame, rc, err);
    acme_buf_clear(&der);
    if (rc == ACME_OK)
        *version = number;
    return rc;
}

enum acme_rc
acme_vault_revoked(struct acme_vault *vault, size_t issuer,
    const struct acme_chain *chain, const char *reason, bool barred,
    struct acme_error *err)
{
    struct acme_buf der;
    enum acme_rc rc;

    acme_buf_init(&der, ACME_CHAIN_DER_MAX);
    rc = acme_chain_to_der(chain, 0, 1, &der, err);
    if (rc == ACME_OK) {
        struct acme_buf *request = ask(vault, ACME_VERB_REVOKED, issuer);

        acme_frame_add(request, der.data, der.len);
        acme_frame_add_text(request, reason);
        acme_frame_add_u64(request, barred);
        rc = simple(vault, err);
    }
    acme_buf_clear(&der);
    return rc;
}

static enum acme_rc
count_account(struct acme_vault *vault, size_t issuer, bool made,
    time_t *not_before, struct acme_error *err)
{
    struct acme_frame frame;
    uint64_t at = 0;
    enum acme_rc rc;

    memset(&frame, 0, sizeof(frame));
    acme_frame_add_u64(ask(vault, ACME_VERB_LEDGER_ACCOUNT, issuer), made);
    rc = answer(vault, &frame, err);
    if (rc == ACME_OK)
        at = acme_frame_get_u64(&frame);
    rc = finish(vault, &frame, rc, err);
    if (rc == ACME_OK && not_before != NULL)
        *not_before = (time_t)at;
    return rc;
}

enum acme_rc
acme_vault_account_room(struct acme_vault *vault, size_t issuer,
    time_t *not_before, struct acme_error *err)
{
    return count_account(vault, issuer, true, not_before, err);
}

enum acme_rc
acme_vault_account_unmade(struct acme_vault *vault, size_t issuer,
    struct acme_error *err)
{
    return count_account(vault, issuer, false, NULL, err);
}

enum acme_rc
acme_vault_learned(struct acme_vault *vault, size_t unit,
    const char *fingerprint, const char *by, const char *reason,
    struct acme_error *err)
{
    struct acme_buf *request = ask(vault, ACME_VERB_LEARNED, unit);

    acme_frame_add_text(request, fingerprint);
    acme_frame_add_text(request, by);
    acme_frame_add_text(request, reason);
    return simple(vault, err);
}

enum acme_rc
acme_vault_staple(struct acme_vault *vault, size_t unit,
    const char *fingerprint, const void *der, size_t len,
    struct acme_error *err)
{
    struct acme_buf *request = ask(vault, ACME_VERB_STAPLE, unit);

    acme_frame_add_text(request, fingerprint);
    acme_frame_add(request, der, len);
    return simple(vault, err);
}

void
acme_vault_event(struct acme_vault *vault, size_t unit, size_t issuer,
    const struct acme_event *event)
{
    struct acme_buf *request = ask(vault, ACME_VERB_EVENT, unit);
    struct acme_error ignored;

    acme_error_clear(&ignored);
    acme_frame_add_u64(request, event->kind);
    acme_frame_add_u64(request, issuer);
    acme_frame_add_u64(request, (uint64_t)event->next_attempt);
    acme_frame_add_text(request, event->subject);
    acme_frame_add_text(request, event->problem);
    acme_frame_add_text(request, event->text);
    (void)simple(vault, &ignored);
}

void
acme_vault_request(struct acme_vault *vault, size_t unit,
    const struct acme_buf *der)
{
    struct acme_error ignored;

    acme_error_clear(&ignored);
    acme_frame_add(ask(vault, ACME_VERB_REQUEST, unit), der->data, der->len);
    (void)simple(vault, &ignored);
}

void
acme_vault_tally(struct acme_vault *vault, size_t issuer,
    const struct acme_tally *tally)
{
    struct acme_buf *request = ask(vault, ACME_VERB_TALLY, issuer);
    struct acme_error ignored;
    size_t i;

    acme_error_clear(&ignored);
    for (i = 0; i < ACME_TALLY_COUNTS; i++)
        acme_frame_add_u64(request, tally->count[i]);
    (void)simple(vault, &ignored);
}

enum acme_rc
acme_vault_ledger(struct acme_vault *vault, size_t issuer,
    struct acme_buf *text, struct acme_error *err)
{
    (void)ask(vault, ACME_VERB_LEDGER, issuer);
    return fetch(vault, text, err);
}

enum acme_rc
acme_vault_ledger_put(struct acme_vault *vault, size_t issuer,
    const struct acme_buf *text, struct acme_error *err)
{
    acme_frame_add(ask(vault, ACME_VERB_LEDGER_PUT, issuer), text->data,
        text->len);
    return simple(vault, err);
}
