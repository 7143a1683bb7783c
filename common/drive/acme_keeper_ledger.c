/*
 * New accounts are counted here and not by the engine: whatever their keys
 * are, they are of one machine, and jobs that make them go side by side.
 */
#include "drive/acme_keeper_private.h"
#include "state/acme_ledger.h"

/* What cannot be read is empty: the CA counts as well. */
static void
read_ledger(const struct acme_call *call, struct acme_ledger *ledger)
{
    struct acme_keeper *keeper = call->keeper;
    struct acme_error ignored;
    struct acme_buf text;

    acme_error_clear(&ignored);
    acme_ledger_init(ledger);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (acme_store_ledger_read(keeper->store,
            &keeper->config->issuer[call->index], NULL, &text,
            &ignored) == ACME_OK)
        (void)acme_ledger_parse(acme_buf_str(&text), text.len, ledger,
            &ignored);
    acme_buf_clear(&text);
}

static void
write_ledger(const struct acme_call *call, const struct acme_ledger *ledger,
    time_t now)
{
    struct acme_keeper *keeper = call->keeper;
    struct acme_error ignored;
    struct acme_buf text;

    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (acme_ledger_render(ledger, now, &text, &ignored) == ACME_OK)
        (void)acme_store_ledger_write(keeper->store,
            &keeper->config->issuer[call->index], NULL, text.data, text.len,
            &ignored);
    acme_buf_clear(&text);
}

/* Returns when the account may be made; 0: now, and it is counted. */
static time_t
count(const struct acme_call *call, const struct acme_limits *limits,
    bool made)
{
    const struct acme_host *host = call->keeper->host;
    const time_t now = host->now(host->ctx);
    struct acme_ledger ledger;
    time_t at = 0;

    read_ledger(call, &ledger);
    if (made)
        at = acme_ledger_next(&ledger, limits, ACME_LEDGER_ACCOUNTS, "", now);
    if (made && at == 0)
        acme_ledger_take(&ledger, limits, ACME_LEDGER_ACCOUNTS, "", now);
    else if (!made)
        acme_ledger_give_back(&ledger, limits, ACME_LEDGER_ACCOUNTS, "", now);
    if (at == 0)
        write_ledger(call, &ledger, now);
    acme_ledger_clear(&ledger);
    return at;
}

void
acme_keeper_answer_ledger_account(struct acme_call *call)
{
    const struct acme_issuer *issuer =
        &call->keeper->config->issuer[call->index];
    const struct acme_limits *limits = acme_limits_of(issuer->directory);
    bool made = acme_frame_get_u64(&call->in) != 0;
    time_t at = 0;

    if (!call->in.bad && limits != NULL)
        at = count(call, limits, made);
    acme_call_reply(call);
    acme_frame_add_u64(call->reply, (uint64_t)at);
}
