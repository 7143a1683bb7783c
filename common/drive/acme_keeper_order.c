/*
 * Orders in flight and their challenges, as the engine has them kept.
 */
#include <stdlib.h>
#include <string.h>

#include "base/acme_base64.h"
#include "drive/acme_control.h"
#include "drive/acme_keeper_private.h"

void
acme_keeper_answer_order(struct acme_call *call)
{
    const struct acme_buf *note = &acme_call_note(call)->order;
    struct acme_buf text, key;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    acme_buf_init_secret(&key, ACME_STATE_PEM_MAX);
    (void)acme_store_order_read(call->keeper->store, call->unit, &text, &key,
        &call->err);
    if (call->err.rc == ACME_OK && acme_call_is_barred(call, &key))
        (void)acme_error_set(&call->err, ACME_IO,
            "the order's key was revoked as compromised");
    if (call->err.rc == ACME_OK && note->len > 0) {
        acme_buf_reset(&text);
        acme_buf_add(&text, note->data, note->len);
    }
    acme_call_reply(call);
    if (call->err.rc == ACME_OK) {
        acme_frame_add(call->reply, text.data, text.len);
        acme_frame_add(call->reply, key.data, key.len);
    }
    acme_buf_clear(&text);
    acme_buf_clear(&key);
}

void
acme_keeper_answer_order_put(struct acme_call *call)
{
    const void *text, *key;
    size_t text_len, key_len;

    acme_frame_get(&call->in, &text, &text_len);
    acme_frame_get(&call->in, &key, &key_len);
    if (!call->in.bad &&
        acme_store_order_write(call->keeper->store, call->unit, text, text_len,
            key, key_len, &call->err) == ACME_OK) {
        call->keeper->kept[call->index].served[call->algorithm].order = true;
        acme_buf_reset(&acme_call_note(call)->order);
    }
    acme_call_reply(call);
}

void
acme_keeper_answer_order_note(struct acme_call *call)
{
    acme_call_keep_note(call, &acme_call_note(call)->order);
}

void
acme_call_drop_order(struct acme_call *call, struct acme_error *err)
{
    struct acme_keeper *keeper = call->keeper;

    if (acme_store_order_drop(keeper->store, call->unit, err) == ACME_OK) {
        keeper->kept[call->index].served[call->algorithm].order = false;
        acme_buf_reset(&acme_call_note(call)->order);
    }
}

void
acme_keeper_answer_order_drop(struct acme_call *call)
{
    acme_call_drop_order(call, &call->err);
    acme_call_reply(call);
}

/* ---- challenges ------------------------------------------------------- */

static bool
is_wanted(const struct acme_kept *kept, const char *name)
{
    size_t i;

    for (i = 0; i < kept->wanted.nnames; i++) {
        if (strcmp(kept->wanted.names[i], name) == 0)
            return true;
    }
    return false;
}

/* Of a name the challenge that was presented last counts (acme_area.h).  What
 * no order is for is a selftest's, or a dry run's, whose order is in memory:
 * any order's comes before it. */
static int64_t
presented(const struct acme_call *call)
{
    const struct acme_kept *kept = &call->keeper->kept[call->index];
    const struct acme_host *host = call->keeper->host;

    return kept->served[call->algorithm].order ? host->now(host->ctx) : 0;
}

/* The engine may ask for answers only about names of this lineage: whatever
 * else it says would prove somebody else's name. */
static bool
get_tokens(struct acme_call *call, struct acme_area_token *tokens, size_t n)
{
    const struct acme_kept *kept = &call->keeper->kept[call->index];
    uint64_t type;
    size_t i;

    for (i = 0; i < n; i++) {
        type = acme_frame_get_u64(&call->in);
        acme_frame_get_text(&call->in, tokens[i].name, sizeof(tokens[i].name));
        acme_frame_get_text(&call->in, tokens[i].token,
            sizeof(tokens[i].token));
        if (call->in.bad || type >= ACME_CHALLENGE_TYPES ||
            !is_wanted(kept, tokens[i].name) ||
            !acme_token_ok(tokens[i].token, strlen(tokens[i].token))) {
            call->in.bad = true;
            return false;
        }
        tokens[i].type = (enum acme_challenge_type)type;
        tokens[i].presented = presented(call);
    }
    return acme_frame_end(&call->in);
}

struct others {
    const char *own;
    bool found;
};

static enum acme_rc
note_other(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    struct others *others = ctx;

    (void)err;
    if (strncmp(server->config, others->own, sizeof(server->config) - 1) != 0)
        others->found = true;
    return ACME_OK;
}

/* Whether other servers live on the state directory. */
static bool
has_others(struct acme_keeper *keeper)
{
    struct others others = { keeper->config->instance, false };
    struct acme_error ignored;

    if (keeper->others_known)
        return keeper->others;
    acme_error_clear(&ignored);
    (void)acme_control_servers(acme_store_fd(keeper->store), note_other,
        &others, &ignored);
    keeper->others = others.found;
    keeper->others_known = true;
    return others.found;
}

/* Tells whose challenges these are. */
static enum acme_rc
sign_tokens(struct acme_area_token *tokens, size_t n,
    const struct acme_account_entry *entry, struct acme_error *err)
{
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    enum acme_rc rc = acme_key_thumbprint(entry->key, thumbprint, err);
    size_t i;

    for (i = 0; rc == ACME_OK && i < n; i++)
        memcpy(tokens[i].thumbprint, thumbprint, sizeof(thumbprint));
    return rc;
}

void
acme_keeper_answer_challenges(struct acme_call *call)
{
    struct acme_keeper *keeper = call->keeper;
    size_t issuer = acme_call_get_issuer(call);
    const struct acme_account_entry *entry;
    struct acme_area_token *tokens = NULL;
    uint64_t n = acme_frame_get_u64(&call->in);

    if (call->in.bad || n > ACME_NAMES_MAX) {
        call->in.bad = true;
        return;
    }
    tokens = calloc((size_t)n + 1, sizeof(*tokens));
    if (tokens == NULL)
        (void)acme_error_nomem(&call->err);
    else if (get_tokens(call, tokens, (size_t)n) &&
             acme_keeper_account(keeper, issuer, &entry, &call->err) ==
                 ACME_OK &&
             sign_tokens(tokens, (size_t)n, entry, &call->err) == ACME_OK &&
             acme_store_challenges_write(keeper->store, call->unit, entry->id,
                 tokens, (size_t)n, &call->err) == ACME_OK)
        acme_keeper_add_tokens(keeper, tokens, (size_t)n);
    acme_call_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add_u64(call->reply, has_others(keeper));
    free(tokens);
}
