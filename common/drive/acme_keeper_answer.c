/*
 * The engine's frames, each to what answers it: nothing in them is believed.
 */
#include <string.h>

#include "base/acme_log.h"
#include "drive/acme_keeper_private.h"

void
acme_call_reply(struct acme_call *call)
{
    acme_frame_begin(call->reply, call->in.verb, call->in.index);
    acme_frame_add_error(call->reply, &call->err);
}

struct acme_note *
acme_call_note(const struct acme_call *call)
{
    return &call->keeper->kept[call->index].note[call->algorithm];
}

void
acme_call_keep_note(struct acme_call *call, struct acme_buf *note)
{
    const void *data;
    size_t len;

    acme_frame_get(&call->in, &data, &len);
    acme_buf_reset(note);
    acme_buf_add(note, data, len);
    if (!acme_buf_ok(note)) {
        acme_buf_reset(note);
        (void)acme_error_nomem(&call->err);
    }
    acme_call_reply(call);
}

bool
acme_call_is_barred(const struct acme_call *call, const struct acme_buf *der)
{
    struct acme_error ignored;
    struct acme_key *key = NULL;
    bool barred;

    acme_error_clear(&ignored);
    barred =
        acme_key_from_der(der->data, der->len, &key, &ignored) == ACME_OK &&
        acme_store_is_barred(call->keeper->store, key);
    acme_key_unref(key);
    return barred;
}

size_t
acme_call_get_issuer(struct acme_call *call)
{
    const struct acme_lineage *lineage =
        &call->keeper->config->lineage[call->index];
    uint64_t issuer = acme_frame_get_u64(&call->in);
    size_t i;

    if (issuer == lineage->issuer)
        return lineage->issuer;
    for (i = 0; i < lineage->nfallbacks; i++)
        if (issuer == lineage->fallback[i])
            return lineage->fallback[i];
    call->in.bad = true;
    return lineage->issuer;
}

static void
answer_done(struct acme_call *call)
{
    char text[ACME_LOG_LINE_MAX];
    uint64_t id = acme_frame_get_u64(&call->in);
    uint64_t ok = acme_frame_get_u64(&call->in);

    acme_frame_get_text(&call->in, text, sizeof(text));
    if (!call->in.bad && call->keeper->done != NULL)
        call->keeper->done(call->keeper->done_ctx, id, ok != 0, text);
    acme_call_reply(call);
}

/* ---- dispatch --------------------------------------------------------- */

enum scope {
    OF_UNIT,
    OF_ISSUER,
    OF_NOTHING
};

/* Number of fields in a request, or of one that its answer counts itself. */
#define ANY_NUMBER SIZE_MAX

static const struct {
    enum acme_verb verb;
    enum scope scope;
    size_t nfields;
    void (*answer)(struct acme_call *call);
} verbs[] = {
    { ACME_VERB_UNIT, OF_UNIT, 0, acme_keeper_answer_unit },
    { ACME_VERB_RECORD, OF_UNIT, 1, acme_keeper_answer_record },
    { ACME_VERB_NOTE, OF_UNIT, 1, acme_keeper_answer_note },
    { ACME_VERB_LOCK, OF_UNIT, 0, acme_keeper_answer_lock },
    { ACME_VERB_UNLOCK, OF_UNIT, 0, acme_keeper_answer_unlock },
    { ACME_VERB_ACCOUNT, OF_ISSUER, 0, acme_keeper_answer_account },
    { ACME_VERB_ACCOUNT_KEY, OF_ISSUER, 1, acme_keeper_answer_account_key },
    { ACME_VERB_ACCOUNT_URL, OF_ISSUER, 1, acme_keeper_answer_account_url },
    { ACME_VERB_ACCOUNT_DEAD, OF_ISSUER, 0, acme_keeper_answer_account_dead },
    { ACME_VERB_OTHER_KEY, OF_ISSUER, 1, acme_keeper_answer_other_key },
    { ACME_VERB_ACCOUNT_MOVED, OF_ISSUER, 0,
        acme_keeper_answer_account_moved },
    { ACME_VERB_CONTACTS, OF_ISSUER, 0, acme_keeper_answer_contacts },
    { ACME_VERB_CONTACTS_TOLD, OF_ISSUER, 1,
        acme_keeper_answer_contacts_told },
    { ACME_VERB_BINDING, OF_ISSUER, 0, acme_keeper_answer_binding },
    { ACME_VERB_TSIG, OF_UNIT, 0, acme_keeper_answer_tsig },
    { ACME_VERB_ORDER, OF_UNIT, 0, acme_keeper_answer_order },
    { ACME_VERB_ORDER_PUT, OF_UNIT, 2, acme_keeper_answer_order_put },
    { ACME_VERB_ORDER_NOTE, OF_UNIT, 1, acme_keeper_answer_order_note },
    { ACME_VERB_CHALLENGES, OF_UNIT, ANY_NUMBER,
        acme_keeper_answer_challenges },
    { ACME_VERB_ORDER_DROP, OF_UNIT, 0, acme_keeper_answer_order_drop },
    { ACME_VERB_CHAIN, OF_UNIT, 0, acme_keeper_answer_chain },
    { ACME_VERB_CSR, OF_UNIT, 0, acme_keeper_answer_csr },
    { ACME_VERB_LIVE_KEY, OF_UNIT, 0, acme_keeper_answer_live_key },
    { ACME_VERB_VERSION, OF_UNIT, ANY_NUMBER, acme_keeper_answer_version },
    { ACME_VERB_LEDGER, OF_ISSUER, 0, acme_keeper_answer_ledger },
    { ACME_VERB_LEDGER_PUT, OF_ISSUER, 1, acme_keeper_answer_ledger_put },
    { ACME_VERB_LEDGER_ACCOUNT, OF_ISSUER, 1,
        acme_keeper_answer_ledger_account },
    { ACME_VERB_TRAFFIC, OF_UNIT, 0, acme_keeper_answer_traffic },
    { ACME_VERB_REVOKED, OF_ISSUER, 3, acme_keeper_answer_revoked },
    { ACME_VERB_LEARNED, OF_UNIT, 3, acme_keeper_answer_learned },
    { ACME_VERB_STAPLE, OF_UNIT, 2, acme_keeper_answer_staple },
    { ACME_VERB_EVENT, OF_UNIT, 6, acme_keeper_answer_event },
    { ACME_VERB_REQUEST, OF_UNIT, 1, acme_keeper_answer_request },
    { ACME_VERB_TALLY, OF_ISSUER, ACME_TALLY_COUNTS,
        acme_keeper_answer_tally },
    { ACME_VERB_DONE, OF_NOTHING, 3, answer_done },
};

/* Before anything is done: a frame is all good or it is nothing. */
static bool
has_fields(struct acme_frame frame, size_t n)
{
    const void *data;
    size_t len;

    if (n == ANY_NUMBER)
        return true;
    while (n-- > 0)
        acme_frame_get(&frame, &data, &len);
    return acme_frame_end(&frame);
}

static bool
in_range(const struct acme_keeper *keeper, enum scope scope, size_t index)
{
    switch (scope) {
    case OF_UNIT:
        return acme_unit_lineage(index) < keeper->config->nlineages;
    case OF_ISSUER:
        return index < keeper->config->nissuers;
    default:
        return index == 0;
    }
}

static void
choose_unit(struct acme_call *call)
{
    size_t unit = call->index;

    call->index = acme_unit_lineage(unit);
    call->algorithm = acme_unit_algorithm(unit);
    call->name = call->keeper->config->lineage[call->index].name;
    acme_store_unit_name(call->unit, call->name, call->algorithm);
}

bool
acme_keeper_answer(struct acme_keeper *keeper, const struct acme_buf *request,
    struct acme_buf *reply)
{
    void (*answer)(struct acme_call * call);
    struct acme_call call;
    size_t i;

    memset(&call, 0, sizeof(call));
    call.keeper = keeper;
    call.reply = reply;
    acme_error_clear(&call.err);
    if (!acme_frame_open(&call.in, request->data, request->len))
        return false;
    call.index = call.in.index;
    for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (verbs[i].verb != call.in.verb)
            continue;
        if (!in_range(keeper, verbs[i].scope, call.index) ||
            !has_fields(call.in, verbs[i].nfields))
            return false;
        answer = verbs[i].answer;
        if (keeper->role == ACME_KEEPER_TRIES &&
            !acme_keeper_is_tried(call.in.verb, &answer))
            return false;
        if (verbs[i].scope == OF_UNIT)
            choose_unit(&call);
        answer(&call);
        return acme_frame_end(&call.in);
    }
    return false;
}
