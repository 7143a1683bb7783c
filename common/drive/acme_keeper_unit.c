/*
 * What the engine asks and says of a unit: what is wanted of it and what is
 * there, the lock, its record; and the ledger of the CA.
 */
#include "drive/acme_keeper_private.h"

void
acme_keeper_read_record(struct acme_keeper *keeper, size_t lineage,
    size_t algorithm, struct acme_buf *record, struct acme_error *why)
{
    const struct acme_buf *note =
        &keeper->kept[lineage].note[algorithm].record;
    char unit[ACME_UNIT_NAME_MAX];

    acme_store_unit_name(unit, keeper->config->lineage[lineage].name,
        algorithm);
    if (note->len > 0)
        acme_buf_add(record, note->data, note->len);
    else if (acme_store_record_read(keeper->store, unit, record, why) !=
             ACME_OK)
        acme_keeper_log(keeper, ACME_LOG_ERROR, why, "record left out");
}

void
acme_keeper_answer_unit(struct acme_call *call)
{
    const struct acme_kept *kept = &call->keeper->kept[call->index];
    const struct acme_served *served = &kept->served[call->algorithm];
    enum acme_key_type type;
    struct acme_error why;
    struct acme_buf record;
    size_t i;

    acme_error_clear(&why);
    acme_buf_init(&record, ACME_STATE_JSON_MAX);
    if (kept->unsettled)
        acme_keeper_settle_one(call->keeper, call->index);
    if (kept->unread)
        (void)acme_keeper_look_at(call->keeper, call->index);
    type = acme_lineage_type(&kept->wanted, call->algorithm);
    if (type != ACME_KEY_NONE)
        acme_keeper_read_record(call->keeper, call->index, call->algorithm,
            &record, &why);
    /* Less than there is would be taken for a reason to order. */
    if (kept->unread || kept->unsettled || why.rc == ACME_NOMEM)
        (void)acme_error_nomem(&call->err);

    acme_call_reply(call);
    acme_frame_add_u64(call->reply, kept->wanted.nnames);
    for (i = 0; i < kept->wanted.nnames; i++)
        acme_frame_add_text(call->reply, kept->wanted.names[i]);
    acme_frame_add_u64(call->reply, kept->wanted.must_staple);
    acme_frame_add_u64(call->reply, kept->wanted.reuse_key);
    acme_frame_add_u64(call->reply, kept->wanted.allow_subset);
    acme_frame_add_u64(call->reply, kept->wanted.csr_file != NULL);
    acme_frame_add_u64(call->reply, type);
    acme_frame_add_text(call->reply,
        kept->conflict != NULL ? kept->conflict : "");
    acme_frame_add_u64(call->reply, kept->published);
    acme_frame_add_u64(call->reply, served->type);
    acme_frame_add_u64(call->reply, served->order);
    acme_frame_add_u64(call->reply, served->other_issuer);
    acme_frame_add_u64(call->reply, acme_store_is_revoked(call->keeper->store,
                                        served->leaf.data, served->leaf.len));
    acme_frame_add_u64(call->reply,
        served->issued_by_known ? served->issued_by + 1 : 0);
    acme_frame_add_u64(call->reply, (uint64_t)served->staple.since);
    acme_frame_add_u64(call->reply, (uint64_t)served->staple.until);
    acme_frame_add(call->reply, served->leaf.data, served->leaf.len);
    acme_frame_add(call->reply, record.data, record.len);
    acme_buf_clear(&record);
}

void
acme_keeper_answer_record(struct acme_call *call)
{
    const void *data;
    size_t len;

    acme_frame_get(&call->in, &data, &len);
    if (!call->in.bad && acme_store_record_write(call->keeper->store,
                             call->unit, data, len, &call->err) == ACME_OK)
        acme_buf_reset(&acme_call_note(call)->record);
    acme_keeper_touch(call->keeper, call->index);
    acme_call_reply(call);
}

void
acme_keeper_answer_note(struct acme_call *call)
{
    acme_call_keep_note(call, &acme_call_note(call)->record);
    acme_keeper_touch(call->keeper, call->index);
}

/*
 * Whoever had the lock before may have renewed, ordered or declared within
 * the second since we looked; while we have it nobody else does.
 */
static void
refresh(struct acme_keeper *keeper, size_t i)
{
    if (!acme_store_is_settled(keeper->store, keeper->config->lineage[i].name))
        acme_keeper_recover(keeper, i);
    acme_keeper_settle_one(keeper, i);
    (void)acme_keeper_look_at(keeper, i);
    acme_keeper_look_at_orders(keeper, i);
}

void
acme_keeper_answer_lock(struct acme_call *call)
{
    struct acme_kept *kept = &call->keeper->kept[call->index];

    if (kept->lock == -1 &&
        acme_store_lock(call->keeper->store, "lineage", call->name,
            &kept->lock, &call->err) == ACME_OK)
        refresh(call->keeper, call->index);
    acme_call_reply(call);
}

void
acme_keeper_answer_unlock(struct acme_call *call)
{
    size_t k;

    for (k = 0; k < ACME_ALGORITHMS; k++)
        acme_keeper_write_order(call->keeper, call->index, k);
    acme_keeper_unlock(&call->keeper->kept[call->index]);
    acme_call_reply(call);
}

void
acme_keeper_answer_traffic(struct acme_call *call)
{
    const struct acme_area *area = call->keeper->area;

    acme_call_reply(call);
    acme_frame_add_u64(call->reply,
        area == NULL || acme_area_has_traffic(area, call->index));
}

/* ---- ledger ----------------------------------------------------------- */

void
acme_keeper_answer_ledger(struct acme_call *call)
{
    struct acme_keeper *keeper = call->keeper;
    const struct acme_account_entry *entry;
    struct acme_buf text;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (acme_keeper_account(keeper, call->index, &entry, &call->err) ==
        ACME_OK)
        (void)acme_store_ledger_read(keeper->store,
            &keeper->config->issuer[call->index], entry->id, &text,
            &call->err);
    acme_call_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add(call->reply, text.data, text.len);
    acme_buf_clear(&text);
}

void
acme_keeper_answer_ledger_put(struct acme_call *call)
{
    struct acme_keeper *keeper = call->keeper;
    const struct acme_account_entry *entry;
    const void *data;
    size_t len;

    acme_frame_get(&call->in, &data, &len);
    if (!call->in.bad && acme_keeper_account(keeper, call->index, &entry,
                             &call->err) == ACME_OK)
        (void)acme_store_ledger_write(keeper->store,
            &keeper->config->issuer[call->index], entry->id, data, len,
            &call->err);
    acme_call_reply(call);
}
