/*
 * The engine and its CAs: which one a unit asks, and how long each wants to be
 * left alone.
 */
#include <string.h>

#include "drive/acme_engine_private.h"
#include "wrap/acme_json.h"

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
    next = acme_schedule_after(err, asked->failures, 0, now(engine),
        engine->planned[unit].not_after, draw(engine));
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
        !acme_schedule_is_long(until, now(engine), planned->not_after))
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

time_t
acme_engine_not_before(struct acme_engine *engine, size_t issuer)
{
    struct ledger *ledger = &engine->ledger[issuer];
    struct acme_json *json = NULL;
    struct acme_error ignored;
    struct acme_buf text;

    if (ledger->read)
        return ledger->not_before;
    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (acme_vault_ledger(engine->conf.vault, issuer, &text, &ignored) ==
            ACME_OK &&
        text.len > 0 &&
        acme_json_parse(acme_buf_str(&text), text.len, "ledger", &json,
            &ignored) == ACME_OK)
        ledger->not_before = (time_t)acme_json_time(json, "not_before");
    ledger->read = true;
    acme_json_free(json);
    acme_buf_clear(&text);
    return ledger->not_before;
}

static void
save_ledger(struct acme_engine *engine, size_t issuer)
{
    struct acme_json *json = acme_json_object();
    struct acme_error ignored;
    struct acme_buf text;

    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    acme_json_set_time(json, "not_before", engine->ledger[issuer].not_before);
    if (json != NULL &&
        acme_json_render(json, true, &text, &ignored) == ACME_OK)
        (void)acme_vault_ledger_put(engine->conf.vault, issuer, &text,
            &ignored);
    acme_json_free(json);
    acme_buf_clear(&text);
}

/* A CA that asked for patience is left alone, by its other lineages too. */
void
acme_engine_note_patience(struct acme_engine *engine, size_t issuer,
    const struct acme_error *err)
{
    time_t until = err->retry_at;

    if (err->http_status != 429 && err->http_status != 503)
        return;
    if (err->http_status == 429 && until > now(engine) + LIMITED_PAUSE)
        until = now(engine) + LIMITED_PAUSE;
    if (until > now(engine) + ACME_RETRY_AFTER_MAX)
        until = now(engine) + ACME_RETRY_AFTER_MAX;
    if (until <= acme_engine_not_before(engine, issuer))
        return;
    engine->ledger[issuer].not_before = until;
    save_ledger(engine, issuer);
}
