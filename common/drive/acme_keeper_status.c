/*
 * What workers can tell of lineages: rendered here when something of them has
 * changed, a little at a time, as thousands may have at once.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "base/acme_version.h"
#include "drive/acme_keeper_private.h"
#include "drive/acme_status.h"

/* How long is rendered in one look (ms): frames and handshakes of others are
 * not to notice. */
#define RENDER_MS 40

/* Each lineage is looked at for what others have changed in so many looks,
 * and rendered again after so long (seconds) whatever there is to be seen:
 * files that nobody is meant to touch are read then. */
#define STAMP_LOOKS 60
#define AGAIN 3600

/* Events that others have written are looked for so often (seconds). */
#define EVENTS_EVERY 10

static time_t
now(const struct acme_keeper *keeper)
{
    return keeper->host->now(keeper->host->ctx);
}

bool
acme_keeper_status_init(struct acme_keeper *keeper)
{
    struct acme_keeper_status *status = &keeper->status;

    if (keeper->area == NULL)
        return true;
    status->since = now(keeper);
    status->heap = acme_heap_new(keeper->config->nlineages);
    status->shown =
        calloc(keeper->config->nlineages + 1, sizeof(*status->shown));
    status->tally =
        calloc(keeper->config->nissuers + 1, sizeof(*status->tally));
    return status->heap != NULL && status->shown != NULL &&
           status->tally != NULL;
}

void
acme_keeper_status_free(struct acme_keeper *keeper)
{
    acme_heap_free(keeper->status.heap);
    free(keeper->status.shown);
    free(keeper->status.tally);
}

/* ---- what was counted, and has happened ------------------------------- */

void
acme_keeper_answer_tally(struct acme_call *call)
{
    struct acme_keeper_status *status = &call->keeper->status;
    struct acme_tally tally;
    size_t i;

    for (i = 0; i < ACME_TALLY_COUNTS; i++)
        tally.count[i] = acme_frame_get_u64(&call->in);
    if (status->tally != NULL && !call->in.bad) {
        status->tally[call->index] = tally;
        status->told = false;
    }
    acme_call_reply(call);
}

/* What people want to know of afterwards. */
static bool
is_recent(const struct acme_keeper *keeper, const struct acme_event *event)
{
    static const enum acme_event_kind kinds[] = { ACME_EVENT_RENEWED,
        ACME_EVENT_ERRORED, ACME_EVENT_FAILED_OVER, ACME_EVENT_ROLLED_BACK,
        ACME_EVENT_REVOKED, ACME_EVENT_REFUSED };
    size_t i, lineage;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (event->kind == kinds[i])
            return acme_config_find_lineage(keeper->config, event->lineage,
                &lineage);
    return false;
}

/* A CA that is down makes many failures: of them, and of the rest, there are
 * at most as many as there is room for, but half the room is always to be had.
 * The one that goes; or the first free place. */
static size_t
choose_place(const struct acme_keeper_status *status, bool failed)
{
    size_t i, same = 0, last[2] = { 0, 0 };

    if (status->nevents < ACME_RECENT)
        return status->nevents;
    for (i = 0; i < ACME_RECENT; i++) {
        bool one = status->event[i].kind == ACME_EVENT_ERRORED;

        last[one] = i;
        same += one == failed;
    }
    return last[same >= ACME_RECENT / 2 ? failed : !failed];
}

static enum acme_rc
take_event(void *ctx, const struct acme_event *event, struct acme_error *err)
{
    struct acme_keeper *keeper = ctx;
    struct acme_keeper_status *status = &keeper->status;
    struct acme_event *list = status->event;

    (void)err;
    if (!is_recent(keeper, event))
        return ACME_OK;
    memmove(list + 1, list,
        choose_place(status, event->kind == ACME_EVENT_ERRORED) *
            sizeof(*list));
    list[0] = *event;
    status->nevents += status->nevents < ACME_RECENT;
    status->told = false;
    return ACME_OK;
}

/* Others write some as well. */
static void
look_for_events(struct acme_keeper *keeper)
{
    struct acme_keeper_status *status = &keeper->status;
    struct acme_error ignored;

    if (status->events_at > now(keeper) &&
        status->events_at <= now(keeper) + EVENTS_EVERY)
        return;
    acme_error_clear(&ignored);
    (void)acme_store_events(keeper->store, NULL, SIZE_MAX, &status->place,
        take_event, keeper, &ignored);
    status->events_at = now(keeper) + EVENTS_EVERY;
}

/* ---- what has to be rendered ------------------------------------------ */

/* First come, first served: whatever changes all the time has its turn. */
void
acme_keeper_touch(struct acme_keeper *keeper, size_t i)
{
    struct acme_keeper_status *status = &keeper->status;

    if (status->heap == NULL || status->shown[i].touched)
        return;
    status->shown[i].touched = true;
    acme_heap_put(status->heap, i, 0, ++status->turn);
}

bool
acme_keeper_is_behind(const struct acme_keeper *keeper)
{
    int64_t at;
    size_t i;

    return keeper->status.heap != NULL &&
           acme_heap_first(keeper->status.heap, &i, &at) &&
           at <= (int64_t)now(keeper);
}

static uint64_t
stamp_of(const struct acme_keeper *keeper, size_t i)
{
    const struct acme_kept *kept = &keeper->kept[i];
    uint64_t stamp =
        acme_store_stamp(keeper->store, keeper->config->lineage[i].name);
    size_t k;

    for (k = 0; k < ACME_ALGORITHMS; k++)
        if (kept->served[k].leaf.len > 0 &&
            acme_store_is_revoked(keeper->store, kept->served[k].leaf.data,
                kept->served[k].leaf.len))
            stamp ^= (uint64_t)1 << k;
    return stamp;
}

/* Who had the clock set back, or changed files beside us. */
static void
look_for_changes(struct acme_keeper *keeper)
{
    struct acme_keeper_status *status = &keeper->status;
    size_t n = keeper->config->nlineages, some = n / STAMP_LOOKS + 1, k;

    for (k = 0; k < some && k < n; k++) {
        size_t i = status->next++ % n;

        if (!status->shown[i].touched &&
            (status->shown[i].at > now(keeper) ||
                status->shown[i].stamp != stamp_of(keeper, i)))
            acme_keeper_touch(keeper, i);
    }
}

/* ---- rendering -------------------------------------------------------- */

static enum acme_rc
put_text(struct acme_keeper *keeper, size_t i, struct acme_json *json,
    struct acme_error *err)
{
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_STATUS_BYTES);
    rc = acme_status_text(json, ACME_STATUS_BYTES, &text, err);
    if (rc == ACME_OK)
        rc = acme_area_put_status(keeper->area, i, text.data, text.len, err);
    acme_buf_clear(&text);
    return rc;
}

static void
count(struct acme_keeper_status *status, struct acme_shown *shown,
    enum acme_condition condition)
{
    if (shown->there)
        status->count[shown->condition]--;
    status->count[condition]++;
    shown->there = true;
    shown->condition = condition;
}

/* A note may be of a job at work, and is read as the engine's word is. */
static enum acme_rc
render(struct acme_keeper *keeper, size_t i, time_t *until)
{
    const struct acme_note *note = keeper->kept[i].note;
    const struct acme_buf *notes[ACME_ALGORITHMS];
    struct acme_status_lineage one = { .json = NULL };
    struct acme_json *told = NULL;
    struct acme_error err;
    enum acme_rc rc;
    size_t k;

    acme_error_clear(&err);
    for (k = 0; k < ACME_ALGORITHMS; k++)
        notes[k] = &note[k].record;
    rc = acme_status_lineage(keeper->store, keeper->config->lineage[i].name,
        now(keeper), notes, &one, &err);
    if (rc == ACME_OK) {
        told = acme_status_public(one.json);
        rc = put_text(keeper, i, told, &err);
    }
    if (rc == ACME_OK) {
        count(&keeper->status, &keeper->status.shown[i], one.condition);
        *until = one.until;
    }
    acme_json_free(told);
    acme_json_free(one.json);
    return rc;
}

/* What could not be rendered, as memory was short, comes again. */
static void
render_one(struct acme_keeper *keeper, size_t i)
{
    struct acme_keeper_status *status = &keeper->status;
    struct acme_shown *shown = &status->shown[i];
    time_t at = now(keeper), again = at + AGAIN, until = 0;

    shown->touched = false;
    shown->at = at;
    shown->stamp = stamp_of(keeper, i);
    if (render(keeper, i, &until) != ACME_OK)
        again = at + 1;
    else if (until > at && until < again)
        again = until;
    acme_heap_put(status->heap, i, again, (int64_t)i);
}

static struct acme_json *
server_json(const struct acme_keeper *keeper)
{
    struct acme_json *json = acme_json_object();

    acme_json_set_str(json, "name", keeper->config->server);
    acme_json_set_str(json, "version", ACME_VERSION);
    acme_json_set_time(json, "since", keeper->status.since);
    return json;
}

/* Those with one name are one to people, and to a label of metrics. */
static struct acme_json *
issuer_json(const struct acme_keeper *keeper, size_t issuer)
{
    const struct acme_config *config = keeper->config;
    const char *name = config->issuer[issuer].name;
    struct acme_tally all = { .count = { 0 } };
    char clean[ACME_LOG_LINE_MAX];
    size_t i;

    for (i = 0; i < config->nissuers; i++) {
        if (strcmp(config->issuer[i].name, name) != 0)
            continue;
        if (i < issuer)
            return NULL;
        acme_tally_sum(&all, &keeper->status.tally[i]);
    }
    return acme_tally_render(
        acme_log_clean(clean, sizeof(clean), name, strlen(name)), &all);
}

static struct acme_json *
issuers_json(const struct acme_keeper *keeper)
{
    struct acme_json *list = acme_json_array(), *one;
    size_t i;

    for (i = 0; i < keeper->config->nissuers; i++) {
        one = issuer_json(keeper, i);
        if (one != NULL)
            acme_json_append(list, one);
    }
    return list;
}

static struct acme_json *
recent_json(const struct acme_keeper_status *status)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < status->nevents; i++)
        acme_json_append(list, acme_status_public_event(&status->event[i]));
    return list;
}

/* The document without its lineages. */
static void
render_server(struct acme_keeper *keeper)
{
    struct acme_json *json = acme_json_object();
    struct acme_error ignored;

    acme_error_clear(&ignored);
    acme_json_set_int(json, "schema", ACME_STATUS_SCHEMA);
    acme_json_set_bool(json, "separated", geteuid() == 0);
    acme_json_set(json, "server", server_json(keeper));
    acme_json_set(json, "counts", acme_status_counts(keeper->status.count));
    acme_json_set(json, "issuers", issuers_json(keeper));
    acme_json_set(json, "recent", recent_json(&keeper->status));
    (void)put_text(keeper, ACME_AREA_SERVER, json, &ignored);
    acme_json_free(json);
}

void
acme_keeper_render(struct acme_keeper *keeper)
{
    struct acme_keeper_status *status = &keeper->status;
    const long long end = acme_time_ms() + RENDER_MS;
    unsigned before[ACME_CONDITIONS];
    int64_t at;
    size_t i;

    if (status->heap == NULL)
        return;
    memcpy(before, status->count, sizeof(before));
    look_for_changes(keeper);
    look_for_events(keeper);
    while (
        acme_heap_first(status->heap, &i, &at) && at <= (int64_t)now(keeper)) {
        render_one(keeper, i);
        if (acme_time_ms() >= end)
            break;
    }
    if (!status->told || memcmp(before, status->count, sizeof(before)) != 0)
        render_server(keeper);
    status->told = true;
}
