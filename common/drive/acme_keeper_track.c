/*
 * Tracking records, as the store has them kept: what is opened for an attempt
 * gets the signing request and the certificate, and is closed when deploy
 * hooks were run, or the attempt has failed.  What cannot be written is told
 * by the runner, and nobody's concern: nothing is tried again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drive/acme_keeper_private.h"
#include "drive/acme_track.h"

static bool
is_tracked(const struct acme_keeper *keeper, size_t lineage)
{
    return keeper->runner != -1 &&
           keeper->config->lineage[lineage].hooks->n[ACME_HOOKS_TRACKING] > 0;
}

static bool
wants(const struct acme_keeper *keeper, size_t lineage,
    enum acme_track_data data)
{
    return (keeper->config->lineage[lineage].hooks->tracking_data &
               1u << data) != 0;
}

/* NULL: out of memory. */
static struct acme_told *
read_told(const struct acme_keeper *keeper, size_t lineage)
{
    struct acme_told *told = malloc(sizeof(*told));

    if (told != NULL)
        acme_store_told_read(keeper->store,
            keeper->config->lineage[lineage].name, told);
    return told;
}

static void
write_told(struct acme_keeper *keeper, size_t lineage,
    const struct acme_told *told)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_store_told_write(keeper->store,
            keeper->config->lineage[lineage].name, told, &err) != ACME_OK)
        acme_keeper_log(keeper, ACME_LOG_WARN, &err,
            "cannot remember a tracking record");
}

/* `track` "": a record of a deployment alone, which is made first. */
static void
ask_for(struct acme_keeper *keeper, size_t lineage, const char *track,
    const char *action, const char *content, size_t len)
{
    struct acme_stage_ask stage = { .stage = ACME_HOOKS_TRACKING,
        .unit = (uint32_t)acme_unit(lineage, 0),
        .json = content,
        .json_len = len };
    struct acme_asked *asked = acme_asked_new(keeper, lineage);

    if (asked == NULL)
        return;
    (void)snprintf(stage.event, sizeof(stage.event), "%s", action);
    (void)snprintf(stage.track, sizeof(stage.track), "%s", track);
    (void)acme_asked_send(keeper, asked, &stage);
}

static void
send_text(struct acme_keeper *keeper, size_t lineage, const char *track,
    const char *action, const char *text)
{
    ask_for(keeper, lineage, track, action, text, strlen(text));
}

/* Half of it would be worse than a word about it. */
static void
send_data(struct acme_keeper *keeper, size_t lineage, const char *track,
    const char *action, const struct acme_buf *data)
{
    char text[128];

    if (data->len <= ACME_STAGE_JSON_MAX) {
        ask_for(keeper, lineage, track, action, acme_buf_str(data), data->len);
        return;
    }
    (void)snprintf(text, sizeof(text),
        "not saved (%s): %zu bytes are more than the %zu of a record", action,
        data->len, ACME_STAGE_JSON_MAX);
    send_text(keeper, lineage, track, ACME_TRACK_UPDATE, text);
}

/* ---- attempts --------------------------------------------------------- */

void
acme_keeper_track_opened(struct acme_keeper *keeper,
    const struct acme_stage_answer *answer, struct acme_frame *outcomes)
{
    const size_t lineage = acme_unit_lineage(answer->unit);
    struct acme_stage_outcome outcome;
    struct acme_told_track *track;
    struct acme_told *told;

    if (answer->err.rc != ACME_OK ||
        !acme_stage_answer_next(outcomes, &outcome) ||
        strlen(outcome.tail) >= sizeof(track->id))
        return;
    told = read_told(keeper, lineage);
    if (told == NULL)
        return;
    track = &told->track[acme_unit_algorithm(answer->unit)];
    if (track->id[0] != '\0' && is_tracked(keeper, lineage))
        send_text(keeper, lineage, track->id, ACME_TRACK_FAILURE,
            "another attempt has begun");
    memcpy(track->id, outcome.tail, strlen(outcome.tail) + 1);
    track->ready = false;
    write_told(keeper, lineage, told);
    free(told);
}

static void
save_certificate(struct acme_keeper *keeper, size_t lineage, const char *track,
    const struct acme_event *event)
{
    struct acme_chain *chain = NULL;
    struct acme_version live;
    struct acme_error ignored;
    struct acme_buf pem;
    size_t i;

    acme_error_clear(&ignored);
    acme_version_init(&live);
    acme_buf_init(&pem, ACME_CHAIN_PEM_MAX);
    (void)acme_store_live_read(keeper->store,
        keeper->config->lineage[lineage].name, &live, &ignored);
    for (i = 0; i < live.npairs; i++)
        if (live.pair[i].type == event->key &&
            acme_chain_from_der(live.pair[i].chain.data,
                live.pair[i].chain.len, &chain, &ignored) == ACME_OK)
            break;
    if (chain != NULL &&
        acme_chain_to_pem(chain, 0, 0, &pem, &ignored) == ACME_OK)
        send_data(keeper, lineage, track, ACME_TRACK_SAVE ":crt", &pem);
    acme_chain_free(chain);
    acme_buf_clear(&pem);
    acme_version_clear(&live);
}

/* Whether the record has changed. */
static bool
track_one(struct acme_keeper *keeper, size_t lineage,
    const struct acme_event *event, struct acme_told_track *track)
{
    char text[3 * ACME_EVENT_TEXT_MAX];

    switch (event->kind) {
    case ACME_EVENT_RENEWED:
        if (wants(keeper, lineage, ACME_TRACK_CRT))
            save_certificate(keeper, lineage, track->id, event);
        (void)snprintf(text, sizeof(text), "%s: version %u, serial %s",
            event->text, event->version, event->serial);
        send_text(keeper, lineage, track->id, ACME_TRACK_UPDATE, text);
        track->ready = true;
        return true;
    case ACME_EVENT_ERRORED:
        send_text(keeper, lineage, track->id, ACME_TRACK_FAILURE, event->text);
        memset(track, 0, sizeof(*track));
        return true;
    case ACME_EVENT_FAILED_OVER:
    case ACME_EVENT_REFUSED:
        send_text(keeper, lineage, track->id, ACME_TRACK_UPDATE, event->text);
        return false;
    default:
        return false;
    }
}

void
acme_keeper_track(struct acme_keeper *keeper, const struct acme_event *event)
{
    struct acme_told_track *track;
    struct acme_told *told;
    size_t lineage;

    if (event->key == ACME_KEY_NONE ||
        !acme_config_find_lineage(keeper->config, event->lineage, &lineage) ||
        !is_tracked(keeper, lineage))
        return;
    told = read_told(keeper, lineage);
    if (told == NULL)
        return;
    track = &told->track[acme_key_algorithm_number(event->key)];
    if (track->id[0] != '\0' && track_one(keeper, lineage, event, track))
        write_told(keeper, lineage, told);
    free(told);
}

/* A signing request is all that an engine can put into a record. */
void
acme_keeper_answer_request(struct acme_call *call)
{
    struct acme_keeper *keeper = call->keeper;
    struct acme_csr *csr = NULL;
    struct acme_told *told;
    struct acme_buf pem;
    const void *der;
    size_t len;

    acme_frame_get(&call->in, &der, &len);
    if (call->in.bad ||
        acme_csr_parse(der, len, &csr, &call->err) != ACME_OK) {
        call->in.bad = call->err.rc != ACME_NOMEM;
        return;
    }
    acme_buf_init(&pem, len * 2 + 128); /* base64 with its frame */
    told = read_told(keeper, call->index);
    if (told != NULL && is_tracked(keeper, call->index) &&
        wants(keeper, call->index, ACME_TRACK_CSR) &&
        told->track[call->algorithm].id[0] != '\0' &&
        acme_csr_to_pem(csr, &pem, &call->err) == ACME_OK)
        send_data(keeper, call->index, told->track[call->algorithm].id,
            ACME_TRACK_SAVE ":csr", &pem);
    acme_call_reply(call);
    acme_buf_clear(&pem);
    acme_csr_free(csr);
    free(told);
}

/* ---- deployments ------------------------------------------------------ */

static void
list_hooks(const struct acme_told *told, bool failed, struct acme_buf *text)
{
    const char *before = failed ? "failed: " : "run: ";
    size_t i;

    for (i = 0; i < told->nhooks; i++) {
        const struct acme_told_hook *hook = &told->hook[i];

        if (strcmp(hook->stage, acme_hooks_item_name(ACME_HOOKS_DEPLOY)) !=
                0 ||
            (hook->error[0] != '\0') != failed)
            continue;
        acme_buf_add_str(text, text->len > 0 ? "; " : "");
        acme_buf_add_str(text, before);
        acme_buf_add_str(text, hook->text);
        if (failed)
            acme_buf_addf(text, " (%s)", hook->error);
    }
}

/* With a hook that has failed the record stays open: the next deployment may
 * close it. */
void
acme_keeper_track_deployed(struct acme_keeper *keeper, size_t lineage,
    const struct acme_stage_answer *answer)
{
    const bool failed = answer->err.rc != ACME_OK;
    const char *action = failed ? ACME_TRACK_UPDATE : ACME_TRACK_SUCCESS;
    struct acme_told *told;
    struct acme_buf text;
    bool any = false;
    size_t i;

    if (!is_tracked(keeper, lineage) || (failed && !answer->has_outcomes))
        return;
    told = read_told(keeper, lineage);
    if (told == NULL)
        return;
    acme_buf_init(&text, ACME_STAGE_JSON_MAX);
    acme_buf_add_str(&text, "deployed");
    if (answer->has_outcomes) {
        list_hooks(told, false, &text);
        list_hooks(told, true, &text);
    }
    for (i = 0; i < ACME_ALGORITHMS; i++) {
        if (!told->track[i].ready)
            continue;
        any = true;
        send_text(keeper, lineage, told->track[i].id, action,
            acme_buf_str(&text));
        if (!failed)
            memset(&told->track[i], 0, sizeof(told->track[i]));
    }
    if (any)
        write_told(keeper, lineage, told);
    else if (answer->has_outcomes)
        send_text(keeper, lineage, "", action, acme_buf_str(&text));
    acme_buf_clear(&text);
    free(told);
}
