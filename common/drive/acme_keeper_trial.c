/*
 * A dry run: what an engine would have the store keep of a lineage is kept in
 * memory, until the store ends.  Of what it says nothing reaches the disk but
 * accounts, which a CA has for good, and, as long as they are to be answered,
 * the challenges: running servers find them beside those of orders.  That is
 * so whatever the engine asks for: a dry run is the store's (acme_keeper.h).
 */
#include <string.h>

#include "drive/acme_keeper_private.h"

/* ---- the challenges of a trial ---------------------------------------- */

static enum acme_rc
drop_challenges(struct acme_keeper *keeper, size_t i, size_t algorithm,
    struct acme_error *err)
{
    char unit[ACME_UNIT_NAME_MAX];
    enum acme_rc rc;

    acme_store_unit_name(unit, keeper->config->lineage[i].name, algorithm);
    acme_store_trial_name(unit, unit);
    rc = acme_store_order_drop(keeper->store, unit, err);
    if (rc == ACME_OK)
        keeper->kept[i].note[algorithm].shown = false;
    return rc;
}

void
acme_keeper_end_trials(struct acme_keeper *keeper)
{
    struct acme_error ignored;
    size_t i, k;

    for (i = 0; i < keeper->config->nlineages; i++)
        for (k = 0; k < ACME_ALGORITHMS; k++) {
            acme_error_clear(&ignored);
            if (keeper->kept[i].note[k].shown)
                (void)drop_challenges(keeper, i, k, &ignored);
        }
}

static void
try_challenges(struct acme_call *call)
{
    acme_call_note(call)->shown = true;
    acme_store_trial_name(call->unit, call->unit);
    acme_keeper_answer_challenges(call);
}

/* ---- the lock --------------------------------------------------------- */

/* One that was killed may have left something. */
static void
try_lock(struct acme_call *call)
{
    struct acme_keeper *keeper = call->keeper;
    struct acme_kept *kept = &keeper->kept[call->index];
    struct acme_error ignored;

    if (kept->lock == -1 &&
        acme_store_lock(keeper->store, "lineage", call->name, &kept->lock,
            &call->err) == ACME_OK) {
        acme_keeper_settle_one(keeper, call->index);
        (void)acme_keeper_look_at(keeper, call->index);
        acme_error_clear(&ignored);
        (void)drop_challenges(keeper, call->index, call->algorithm, &ignored);
    }
    acme_call_reply(call);
}

/* While an order goes on, another dry run would take its challenges for one's
 * that was killed. */
static void
try_unlock(struct acme_call *call)
{
    struct acme_kept *kept = &call->keeper->kept[call->index];
    bool goes_on = false;
    size_t k;

    for (k = 0; k < ACME_ALGORITHMS; k++)
        goes_on = goes_on || kept->note[k].order.len > 0;
    if (!goes_on)
        acme_keeper_unlock(kept);
    acme_call_reply(call);
}

/* ---- the order -------------------------------------------------------- */

static void
try_order(struct acme_call *call)
{
    const struct acme_note *note = acme_call_note(call);

    if (note->order.len == 0)
        (void)acme_error_set(&call->err, ACME_NOENT, "no order");
    acme_call_reply(call);
    if (call->err.rc != ACME_OK)
        return;
    acme_frame_add(call->reply, note->order.data, note->order.len);
    acme_frame_add(call->reply, note->key.data, note->key.len);
}

static void
forget_order(struct acme_note *note)
{
    acme_buf_clear(&note->order);
    acme_buf_clear(&note->key);
}

static void
try_order_put(struct acme_call *call)
{
    struct acme_note *note = acme_call_note(call);
    const void *text, *key;
    size_t text_len, key_len;

    acme_frame_get(&call->in, &text, &text_len);
    acme_frame_get(&call->in, &key, &key_len);
    forget_order(note);
    acme_buf_add(&note->order, text, text_len);
    acme_buf_add(&note->key, key, key_len);
    if (!acme_buf_ok(&note->order) || !acme_buf_ok(&note->key)) {
        forget_order(note);
        (void)acme_error_nomem(&call->err);
    }
    acme_call_reply(call);
}

void
acme_keeper_drop_trial(struct acme_call *call)
{
    forget_order(acme_call_note(call));
    (void)drop_challenges(call->keeper, call->index, call->algorithm,
        &call->err);
}

static void
try_order_drop(struct acme_call *call)
{
    acme_keeper_drop_trial(call);
    acme_call_reply(call);
}

/* The key of a certificate that nobody is to have is always a new one. */
static void
try_live_key(struct acme_call *call)
{
    (void)acme_error_set(&call->err, ACME_NOENT, "no key to be kept");
    acme_call_reply(call);
}

/* ---- what an engine may say ------------------------------------------- */

/* What is not here is none of its business; what is here in its usual form
 * reads, or keeps an account, or knows itself what a dry run is. */
static const struct {
    enum acme_verb verb;
    void (*answer)(struct acme_call *call);
} tried[] = {
    { ACME_VERB_UNIT, acme_keeper_answer_unit },
    { ACME_VERB_RECORD, acme_keeper_answer_note },
    { ACME_VERB_NOTE, acme_keeper_answer_note },
    { ACME_VERB_LOCK, try_lock },
    { ACME_VERB_UNLOCK, try_unlock },
    { ACME_VERB_ACCOUNT, acme_keeper_answer_account },
    { ACME_VERB_ACCOUNT_KEY, acme_keeper_answer_account_key },
    { ACME_VERB_ACCOUNT_URL, acme_keeper_answer_account_url },
    { ACME_VERB_OTHER_KEY, acme_keeper_answer_other_key },
    { ACME_VERB_ACCOUNT_MOVED, acme_keeper_answer_account_moved },
    { ACME_VERB_CONTACTS, acme_keeper_answer_contacts },
    { ACME_VERB_CONTACTS_TOLD, acme_keeper_answer_contacts_told },
    { ACME_VERB_BINDING, acme_keeper_answer_binding },
    { ACME_VERB_TSIG, acme_keeper_answer_tsig },
    { ACME_VERB_ORDER, try_order },
    { ACME_VERB_ORDER_PUT, try_order_put },
    { ACME_VERB_ORDER_NOTE, acme_keeper_answer_order_note },
    { ACME_VERB_CHALLENGES, try_challenges },
    { ACME_VERB_ORDER_DROP, try_order_drop },
    { ACME_VERB_CSR, acme_keeper_answer_csr },
    { ACME_VERB_LIVE_KEY, try_live_key },
    { ACME_VERB_VERSION, acme_keeper_answer_version },
    { ACME_VERB_LEDGER, acme_keeper_answer_ledger },
    { ACME_VERB_LEDGER_ACCOUNT, acme_keeper_answer_ledger_account },
    { ACME_VERB_EVENT, acme_keeper_answer_event },
};

bool
acme_keeper_is_tried(enum acme_verb verb,
    void (**answer)(struct acme_call *call))
{
    size_t i;

    for (i = 0; i < sizeof(tried) / sizeof(tried[0]); i++)
        if (tried[i].verb == verb) {
            *answer = tried[i].answer;
            return true;
        }
    return verb == ACME_VERB_DONE;
}
