/*
 * Events: what the store notices itself, what its engine says has happened,
 * and the one way that all of them go.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_keeper_private.h"
#include "state/acme_warn.h"

#define DAY ((time_t)24 * 3600)

/* Lineages whose end is looked at, each second. */
#define EXPIRY_LOOKS 256

static time_t
now(const struct acme_keeper *keeper)
{
    return keeper->host->now(keeper->host->ctx);
}

/* ---- the way of all events -------------------------------------------- */

/* acmectl's configuration is nobody's. */
static void
put_writer(const struct acme_keeper *keeper, struct acme_event *event)
{
    char by[ACME_LOG_LINE_MAX] = "acmectl";

    if (keeper->role != ACME_KEEPER_OBEYS)
        acme_keeper_declared_by(keeper, by, sizeof(by));
    acme_event_put(event->by, by);
}

static void
write_line(struct acme_keeper *keeper, const struct acme_event *event)
{
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = acme_store_event_write(keeper->store, event, &err);
    if (rc != ACME_OK && !keeper->journal_fails)
        acme_keeper_log(keeper, ACME_LOG_ERROR, &err, "cannot note event");
    keeper->journal_fails = rc != ACME_OK;
}

void
acme_keeper_event(struct acme_keeper *keeper, const struct acme_event *event)
{
    struct acme_event one = *event;

    if (keeper->role == ACME_KEEPER_READS || keeper->role == ACME_KEEPER_TRIES)
        return;
    one.at = now(keeper);
    put_writer(keeper, &one);
    write_line(keeper, &one);
    keeper->status.events_at = 0;
    acme_keeper_react(keeper, &one);
    acme_keeper_track(keeper, &one);
}

/* ---- what is filled in ------------------------------------------------ */

static void
put_leaf(struct acme_event *event, const struct acme_buf *der)
{
    struct acme_chain *chain = NULL;
    struct acme_error ignored;
    struct acme_leaf leaf;

    acme_error_clear(&ignored);
    if (acme_chain_from_der(der->data, der->len, &chain, &ignored) ==
            ACME_OK &&
        acme_chain_leaf(chain, &leaf, &ignored) == ACME_OK) {
        acme_event_put(event->serial, leaf.serial);
        event->not_after = leaf.not_after;
    }
    acme_chain_free(chain);
}

void
acme_keeper_event_init(const struct acme_keeper *keeper, size_t i,
    const struct acme_pair *pair, enum acme_event_kind kind,
    struct acme_event *event)
{
    size_t issuer;

    acme_event_init(event, kind);
    (void)snprintf(event->lineage, sizeof(event->lineage), "%s",
        keeper->config->lineage[i].name);
    if (pair == NULL)
        return;
    event->key = pair->type;
    acme_event_put(event->issuer,
        acme_keeper_issuer_of(keeper, i, pair, &issuer)
            ? keeper->config->issuer[issuer].name
            : pair->origin.issuer);
    put_leaf(event, &pair->chain);
}

/* ---- versions --------------------------------------------------------- */

static void
tell_version(struct acme_keeper *keeper, size_t i,
    const struct acme_version *version, const struct acme_pair *pair,
    enum acme_event_kind kind, const char *text)
{
    struct acme_event event;

    acme_keeper_event_init(keeper, i, pair, kind, &event);
    event.version = version->number;
    acme_event_put(event.text, text);
    acme_keeper_event(keeper, &event);
}

void
acme_keeper_tell_renewed(struct acme_keeper *keeper, size_t i,
    const struct acme_version *version, const struct acme_pair *pair,
    bool first)
{
    tell_version(keeper, i, version, pair, ACME_EVENT_RENEWED,
        first ? "certificate obtained" : "certificate renewed");
}

void
acme_keeper_tell_installed(struct acme_keeper *keeper, size_t i,
    const struct acme_version *version, const struct acme_pair *pair)
{
    tell_version(keeper, i, version, pair, ACME_EVENT_INSTALLED,
        "certificate is served");
}

void
acme_keeper_tell_recovered(struct acme_keeper *keeper, size_t i)
{
    struct acme_version live;
    struct acme_error ignored;

    acme_error_clear(&ignored);
    acme_version_init(&live);
    if (acme_store_live_read(keeper->store, keeper->config->lineage[i].name,
            &live, &ignored) == ACME_OK)
        tell_version(keeper, i, &live, &live.pair[0], ACME_EVENT_RENEWED,
            "certificate switched live after an interrupted renewal");
    acme_version_clear(&live);
}

void
acme_keeper_tell_rolled_back(struct acme_keeper *keeper, size_t i,
    unsigned version)
{
    struct acme_event event;

    acme_keeper_event_init(keeper, i, NULL, ACME_EVENT_ROLLED_BACK, &event);
    event.version = version;
    acme_event_put(event.text, "an older version is live again");
    acme_keeper_event(keeper, &event);
}

/* ---- the end of a certificate ----------------------------------------- */

static void
learn_life(struct acme_served *served)
{
    struct acme_chain *chain = NULL;
    struct acme_error ignored;
    struct acme_leaf leaf;

    if (served->life_known)
        return;
    acme_error_clear(&ignored);
    served->not_before = served->not_after = 0;
    if (acme_chain_from_der(served->leaf.data, served->leaf.len, &chain,
            &ignored) == ACME_OK &&
        acme_chain_leaf(chain, &leaf, &ignored) == ACME_OK) {
        served->not_before = leaf.not_before;
        served->not_after = leaf.not_after;
    }
    served->life_known = ignored.rc != ACME_NOMEM;
    acme_chain_free(chain);
}

/* Of what is served of a lineage, the first that ends; NULL: none of it is
 * about to. */
static const struct acme_served *
find_ending(struct acme_keeper *keeper, size_t i)
{
    const struct acme_served *ending = NULL;
    size_t k;

    for (k = 0; k < ACME_ALGORITHMS; k++) {
        struct acme_served *served = &keeper->kept[i].served[k];

        if (served->type == ACME_KEY_NONE)
            continue;
        learn_life(served);
        if (acme_warn_is_due(keeper->config->lineage[i].hooks,
                served->not_before, served->not_after, now(keeper)) &&
            (ending == NULL || served->not_after < ending->not_after))
            ending = served;
    }
    return ending;
}

/* Whoever told it, and before which start. */
static enum acme_rc
note_told(void *ctx, const struct acme_event *event, struct acme_error *err)
{
    struct acme_keeper *keeper = ctx;
    size_t i;

    (void)err;
    if (event->kind == ACME_EVENT_EXPIRING && event->at <= now(keeper) &&
        acme_config_find_lineage(keeper->config, event->lineage, &i) &&
        event->at > keeper->kept[i].expiring)
        keeper->kept[i].expiring = event->at;
    return ACME_OK;
}

/* Why it has not been renewed, as far as there is a failure, and when that is
 * tried again. */
static void
put_attempt(struct acme_keeper *keeper, size_t i,
    const struct acme_served *served, struct acme_event *event)
{
    struct acme_record *record = malloc(sizeof(*record));
    char line[ACME_LOG_LINE_MAX], text[ACME_LOG_LINE_MAX * 2];
    struct acme_error ignored;
    struct acme_buf json;

    acme_error_clear(&ignored);
    acme_buf_init(&json, ACME_STATE_JSON_MAX);
    acme_keeper_read_record(keeper, i, acme_key_algorithm_number(served->type),
        &json, &ignored);
    if (record != NULL && json.len > 0 &&
        acme_record_parse(acme_buf_str(&json), json.len, record, &ignored) ==
            ACME_OK) {
        event->next_attempt = record->next_attempt;
        if (record->failures > 0 && record->error.rc != ACME_OK) {
            (void)snprintf(text, sizeof(text), "%s: %s", event->text,
                acme_error_line(&record->error, line, sizeof(line)));
            acme_event_put(event->problem, record->error.type);
            acme_event_put(event->text, text);
        }
    }
    acme_buf_clear(&json);
    free(record);
}

static void
tell_ending(struct acme_keeper *keeper, size_t i,
    const struct acme_served *served)
{
    const bool expired = served->not_after <= now(keeper);
    char when[ACME_TIME_TEXT];
    struct acme_event event;

    acme_keeper_event_init(keeper, i, NULL, ACME_EVENT_EXPIRING, &event);
    event.key = served->type;
    event.version = keeper->kept[i].published;
    if (served->issued_by_known)
        acme_event_put(event.issuer,
            keeper->config->issuer[served->issued_by].name);
    put_leaf(&event, &served->leaf);
    (void)snprintf(event.text, sizeof(event.text),
        "certificate %s at %s, and has not been renewed",
        expired ? "has expired" : "expires",
        acme_time_format(served->not_after, when));
    put_attempt(keeper, i, served, &event);
    acme_keeper_event(keeper, &event);
    keeper->kept[i].expiring = now(keeper);
}

static bool
is_told(const struct acme_keeper *keeper, size_t i)
{
    time_t told = keeper->kept[i].expiring;

    return told != 0 && told <= now(keeper) && now(keeper) < told + DAY;
}

static void
look_at_end(struct acme_keeper *keeper, size_t i)
{
    struct acme_events_place from = { 0 };
    const struct acme_served *ending;
    struct acme_error ignored;

    if (is_told(keeper, i))
        return;
    ending = find_ending(keeper, i);
    if (ending == NULL)
        return;
    acme_error_clear(&ignored);
    (void)acme_store_events(keeper->store, NULL, SIZE_MAX, &from, note_told,
        keeper, &ignored);
    if (!is_told(keeper, i))
        tell_ending(keeper, i, ending);
}

void
acme_keeper_tell_expiring(struct acme_keeper *keeper)
{
    size_t n = keeper->config->nlineages;

    if (keeper->role != ACME_KEEPER_DECLARES)
        return;
    for (n = n < EXPIRY_LOOKS ? n : EXPIRY_LOOKS; n > 0; n--) {
        look_at_end(keeper, keeper->looked_at);
        keeper->looked_at =
            (keeper->looked_at + 1) % keeper->config->nlineages;
    }
}

/* ---- the engine's, and accounts --------------------------------------- */

void
acme_call_account_event(struct acme_call *call, enum acme_event_kind kind,
    const char *id, const char *text)
{
    struct acme_event event;

    acme_event_init(&event, kind);
    acme_event_put(event.issuer,
        call->keeper->config->issuer[call->index].name);
    acme_event_put(event.subject, id);
    acme_event_put(event.text, text);
    acme_keeper_event(call->keeper, &event);
}

static bool
is_engines(uint64_t kind)
{
    return kind == ACME_EVENT_RENEWING || kind == ACME_EVENT_CHALLENGE_SETUP ||
           kind == ACME_EVENT_ERRORED || kind == ACME_EVENT_FAILED_OVER;
}

/* An engine in wrong hands can say here that it renews, or fails, which it can
 * do as well; of its own lineages only. */
void
acme_keeper_answer_event(struct acme_call *call)
{
    const struct acme_kept *kept = &call->keeper->kept[call->index];
    char subject[ACME_EVENT_TEXT_MAX], problem[ACME_EVENT_TEXT_MAX];
    char text[ACME_EVENT_TEXT_MAX];
    struct acme_event event;
    uint64_t kind = acme_frame_get_u64(&call->in), next;
    size_t issuer = acme_call_get_issuer(call);

    next = acme_frame_get_u64(&call->in);
    acme_frame_get_text(&call->in, subject, sizeof(subject));
    acme_frame_get_text(&call->in, problem, sizeof(problem));
    acme_frame_get_text(&call->in, text, sizeof(text));
    if (!is_engines(kind) || next > INT64_MAX)
        call->in.bad = true;
    if (call->in.bad)
        return;
    acme_keeper_event_init(call->keeper, call->index, NULL,
        (enum acme_event_kind)kind, &event);
    event.key = acme_lineage_type(&kept->wanted, call->algorithm);
    event.next_attempt = (time_t)next;
    acme_event_put(event.issuer, call->keeper->config->issuer[issuer].name);
    acme_event_put(event.subject, subject);
    acme_event_put(event.problem, problem);
    acme_event_put(event.text, text);
    acme_keeper_event(call->keeper, &event);
    acme_call_reply(call);
}
