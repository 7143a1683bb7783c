/*
 * The engine and its CAs: which one a unit asks, and how long each wants to be
 * left alone.
 */
#include <stdlib.h>
#include <string.h>

#include "drive/acme_engine_private.h"
#include "wrap/acme_hash.h"

/* After a 429 the CA's other lineages pause so long: the limit may be theirs
 * too, or only that name's. */
#define LIMITED_PAUSE 60

/* ---- which CA --------------------------------------------------------- */

size_t
acme_engine_issuer(const struct acme_engine *engine, size_t unit)
{
    return acme_lineage_issuer(wish_of(engine, unit),
        engine->planned[unit].ca);
}

/* From now on: as the record's list says. */
static void
ask_next(struct acme_record *record, size_t ca, time_t now)
{
    const struct acme_schedule_ca *next = &record->list[ca];

    record->ca = (unsigned)ca;
    record->next_attempt = next->next > now ? next->next : now;
    record->wait_for_config = next->next > now && next->wait_for_config;
}

/* By our clock. */
static time_t
live_until(const struct acme_engine *engine, size_t unit)
{
    time_t not_after = engine->planned[unit].not_after;

    return not_after == 0 ? 0 : not_after - acme_engine_offset(engine, unit);
}

struct acme_schedule_next
acme_engine_after(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, size_t issuer, const struct acme_error *err)
{
    struct acme_record *record = &view->record;
    const struct acme_lineage *wish = wish_of(engine, unit);
    size_t n = acme_lineage_cas(wish), ca = acme_lineage_ca(wish, issuer);
    struct acme_schedule_ca *asked = &record->list[ca];
    struct acme_schedule_next next;

    asked->failures = n > 1 ? asked->failures + 1 : record->failures;
    next = acme_schedule_after(&wish->timing, err, asked->failures, 0,
        now(engine), live_until(engine, unit), draw(engine));
    asked->next = next.at;
    asked->wait_for_config = next.wait_for_config;
    if (next.next_ca && view->conflict == NULL)
        ca = acme_schedule_choose(record->list, n, now(engine));
    ask_next(record, ca, now(engine));
    if (asked != &record->list[ca])
        next.why = "there is another CA to ask";
    next.at = record->next_attempt;
    next.wait_for_config = record->wait_for_config;
    return next;
}

bool
acme_engine_ask_another(struct acme_engine *engine, size_t unit,
    struct acme_record *record, time_t until)
{
    const struct planned *planned = &engine->planned[unit];
    size_t n = acme_lineage_cas(wish_of(engine, unit)), ca;

    if (n == 1 ||
        !acme_schedule_is_long(until, now(engine), live_until(engine, unit)))
        return false;
    record->list[planned->ca].next = until;
    record->list[planned->ca].wait_for_config = false;
    ca = acme_schedule_choose(record->list, n, now(engine));
    if (ca == planned->ca)
        return false;
    ask_next(record, ca, now(engine));
    return true;
}

/* ---- ledger ----------------------------------------------------------- */

/* Others write it too: another server, acmectl. */
static struct ledger *
read_ledger(struct acme_engine *engine, size_t issuer)
{
    struct ledger *ledger = &engine->ledger[issuer];
    struct acme_error ignored;
    struct acme_buf text;

    if (ledger->read == now(engine))
        return ledger;
    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (acme_vault_ledger(engine->conf.vault, issuer, &text, &ignored) ==
        ACME_OK)
        (void)acme_ledger_parse(acme_buf_str(&text), text.len, &ledger->is,
            &ignored);
    acme_buf_clear(&text);
    ledger->limits =
        acme_limits_of(engine->conf.config->issuer[issuer].directory);
    ledger->read = now(engine);
    return ledger;
}

static void
save_ledger(struct acme_engine *engine, size_t issuer)
{
    struct acme_error ignored;
    struct acme_buf text;

    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (acme_ledger_render(&engine->ledger[issuer].is, now(engine), &text,
            &ignored) == ACME_OK)
        (void)acme_vault_ledger_put(engine->conf.vault, issuer, &text,
            &ignored);
    acme_buf_clear(&text);
}

time_t
acme_engine_not_before(struct acme_engine *engine, size_t issuer)
{
    time_t at = read_ledger(engine, issuer)->is.not_before;

    /* Further away than anybody could ask for: the clock was set back. */
    return at > now(engine) + ACME_RETRY_AFTER_MAX ? 0 : at;
}

/* True: it is new. */
static bool
note_patience(struct acme_engine *engine, struct ledger *ledger,
    const struct acme_error *err)
{
    time_t until = err->retry_at;

    if (err->http_status != 429 && err->http_status != 503)
        return false;
    if (err->http_status == 429 && until > now(engine) + LIMITED_PAUSE)
        until = now(engine) + LIMITED_PAUSE;
    if (until > now(engine) + ACME_RETRY_AFTER_MAX)
        until = now(engine) + ACME_RETRY_AFTER_MAX;
    if (until <= ledger->is.not_before)
        return false;
    ledger->is.not_before = until;
    return true;
}

static int
compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The same for the same names in any order; false: out of memory. */
static bool
hash_set(const struct acme_lineage *wish, char hash[ACME_HASH_HEX])
{
    const char **sorted = calloc(wish->nnames + 1, sizeof(*sorted));
    struct acme_buf text;
    bool good;
    size_t i;

    if (sorted == NULL)
        return false;
    memcpy(sorted, wish->names, wish->nnames * sizeof(*sorted));
    qsort(sorted, wish->nnames, sizeof(*sorted), compare);
    acme_buf_init(&text, ACME_FRAME_MAX);
    for (i = 0; i < wish->nnames; i++)
        acme_buf_addf(&text, "%s\n", sorted[i]);
    good = acme_buf_ok(&text);
    acme_hash_hex(text.data, text.len, hash);
    acme_buf_clear(&text);
    free(sorted);
    return good;
}

/* Whether it is one of those that the certificate may do without, which are
 * counted for themselves. */
static bool
is_unproved(const struct acme_vault_unit *view,
    const struct acme_job_result *result, const char *name)
{
    unsigned i;

    for (i = 0; i < result->nunproved; i++)
        if (result->unproved[i] < view->nnames &&
            strcmp(view->names[result->unproved[i]], name) == 0)
            return true;
    return false;
}

static void
take_failure(struct acme_engine *engine, struct ledger *ledger,
    const char *name)
{
    acme_ledger_take(&ledger->is, ledger->limits, ACME_LEDGER_FAILURES, name,
        now(engine));
}

/* Names that the CA has told of, or all: one of them it was. */
static void
take_failures(struct acme_engine *engine, struct ledger *ledger,
    const struct acme_vault_unit *view, const struct acme_crew_ended *ended)
{
    const struct acme_lineage *wish = wish_of(engine, ended->unit);
    const struct acme_job_result *result = &ended->result;
    const struct acme_error *err = &ended->err;
    bool failed = acme_schedule_is_validation(err);
    size_t i;

    for (i = 0; i < result->nunproved; i++)
        if (result->unproved[i] < view->nnames)
            take_failure(engine, ledger, view->names[result->unproved[i]]);
    for (i = 0; failed && i < err->nsub; i++)
        if (!is_unproved(view, result, err->sub[i].identifier))
            take_failure(engine, ledger, err->sub[i].identifier);
    for (i = 0; failed && err->nsub == 0 && i < wish->nnames; i++)
        if (!is_unproved(view, result, wish->names[i]))
            take_failure(engine, ledger, wish->names[i]);
}

/* True: there is something to write. */
static bool
take(struct acme_engine *engine, struct ledger *ledger,
    const struct acme_vault_unit *view, const struct acme_crew_ended *ended)
{
    const struct acme_lineage *wish = wish_of(engine, ended->unit);
    const struct acme_job_result *result = &ended->result;
    bool failed =
        result->nunproved > 0 || acme_schedule_is_validation(&ended->err);
    char set[ACME_HASH_HEX];

    if (ledger->limits == NULL)
        return false;
    if (result->ordered && !result->replaces)
        acme_ledger_take(&ledger->is, ledger->limits, ACME_LEDGER_ORDERS, "",
            now(engine));
    if (result->issued && !result->replaces && hash_set(wish, set))
        acme_ledger_take(&ledger->is, ledger->limits, ACME_LEDGER_SETS, set,
            now(engine));
    if (failed)
        take_failures(engine, ledger, view, ended);
    return result->ordered || result->issued || failed;
}

void
acme_engine_keep_account(struct acme_engine *engine,
    const struct acme_vault_unit *view, const struct acme_crew_ended *ended)
{
    struct ledger *ledger = read_ledger(engine, ended->issuer);
    bool taken = take(engine, ledger, view, ended);

    if (note_patience(engine, ledger, &ended->err) || taken)
        save_ledger(engine, ended->issuer);
}

void
acme_engine_no_account(struct acme_engine *engine, size_t issuer, time_t until)
{
    engine->ledger[issuer].account = until;
}

/* Further away than any limit: the clock was set back. */
time_t
acme_engine_account_at(const struct acme_engine *engine, size_t issuer)
{
    time_t at = engine->ledger[issuer].account;

    return at > now(engine) + ACME_RETRY_AFTER_MAX ? 0 : at;
}

time_t
acme_engine_within_limits(struct acme_engine *engine, size_t unit)
{
    const struct planned *planned = &engine->planned[unit];
    const struct acme_lineage *wish = wish_of(engine, unit);
    const struct ledger *ledger =
        read_ledger(engine, acme_engine_issuer(engine, unit));
    char set[ACME_HASH_HEX];
    time_t at[2] = { 0, 0 }, latest = 0, one;
    size_t i;

    /* What goes on costs nothing, and a person may find out himself. */
    if (ledger->limits == NULL || planned->order || planned->asked)
        return 0;
    if (!planned->renews) {
        at[0] = acme_ledger_next(&ledger->is, ledger->limits,
            ACME_LEDGER_ORDERS, "", now(engine));
        if (hash_set(wish, set))
            at[1] = acme_ledger_next(&ledger->is, ledger->limits,
                ACME_LEDGER_SETS, set, now(engine));
        latest = at[0] > at[1] ? at[0] : at[1];
    }
    for (i = 0; i < wish->nnames; i++) {
        one = acme_ledger_next(&ledger->is, ledger->limits,
            ACME_LEDGER_FAILURES, wish->names[i], now(engine));
        latest = one > latest ? one : latest;
    }
    return latest;
}
