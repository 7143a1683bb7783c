#include "drive/acme_stage_ask.h"

#include <string.h>

#include "base/acme_text.h"
#include "drive/acme_track.h"
#include "state/acme_challenge_type.h"

#define RENEWS 1u
#define FAILED 2u

#define SETUP "challenge-setup:"

void
acme_stage_ask_render(const struct acme_stage_ask *ask, struct acme_buf *frame)
{
    acme_frame_begin(frame, ACME_VERB_STAGE, ask->unit);
    acme_frame_add_u64(frame, ask->stage);
    acme_frame_add_u64(frame,
        (ask->renews ? RENEWS : 0) | (ask->failed ? FAILED : 0));
    acme_frame_add_u64(frame, ask->version);
    acme_frame_add_u64(frame, ask->id);
    acme_frame_add_text(frame, ask->event);
    acme_frame_add_text(frame, ask->track);
    acme_frame_add(frame, ask->domains, ask->domains_len);
    acme_frame_add(frame, ask->json, ask->json_len);
}

/* "challenge-setup:TYPE:NAME". */
static bool
is_setup(const struct acme_lineage *lineage, const char *word)
{
    size_t i;

    if (strncmp(word, SETUP, strlen(SETUP)) != 0)
        return false;
    word += strlen(SETUP);
    for (i = 0; i < ACME_CHALLENGE_TYPES; i++) {
        const char *type = acme_challenge_name((enum acme_challenge_type)i);
        const size_t len = strlen(type);

        if (strncmp(word, type, len) == 0 && word[len] == ':')
            return acme_text_in(lineage->names, lineage->nnames,
                word + len + 1);
    }
    return false;
}

static bool
is_of_engine(const struct acme_config *config,
    const struct acme_stage_ask *ask)
{
    const struct acme_lineage *lineage;

    if (ask->unit == ACME_STAGE_ALL || ask->domains_len != 0 ||
        ask->json_len != 0 || ask->version != 0 || ask->id != 0 ||
        ask->track[0] != '\0')
        return false;
    lineage = &config->lineage[acme_unit_lineage(ask->unit)];
    if (ask->stage == ACME_HOOKS_EVENT)
        return strcmp(ask->event, "renewing") == 0 ||
               is_setup(lineage, ask->event);
    if (ask->stage == ACME_HOOKS_TRACKING)
        return strcmp(ask->event, ACME_TRACK_CREATE) == 0;
    return ask->event[0] == '\0' &&
           (ask->stage == ACME_HOOKS_PRE || ask->stage == ACME_HOOKS_POST);
}

bool
acme_stage_ask_parse(struct acme_frame *frame,
    const struct acme_config *config, bool of_engine,
    struct acme_stage_ask *ask)
{
    const void *domains, *json;
    uint64_t stage, flags;

    memset(ask, 0, sizeof(*ask));
    ask->unit = frame->index;
    stage = acme_frame_get_u64(frame);
    flags = acme_frame_get_u64(frame);
    ask->version = (unsigned)acme_frame_get_u64(frame);
    ask->id = acme_frame_get_u64(frame);
    acme_frame_get_text(frame, ask->event, sizeof(ask->event));
    acme_frame_get_text(frame, ask->track, sizeof(ask->track));
    acme_frame_get(frame, &domains, &ask->domains_len);
    acme_frame_get(frame, &json, &ask->json_len);
    if (!acme_frame_end(frame) || frame->verb != ACME_VERB_STAGE ||
        stage >= ACME_HOOKS_COMMANDS || ask->json_len > ACME_STAGE_JSON_MAX ||
        (ask->unit != ACME_STAGE_ALL &&
            acme_unit_lineage(ask->unit) >= config->nlineages))
        return false;
    ask->stage = (enum acme_hooks_item)stage;
    ask->renews = (flags & RENEWS) != 0;
    ask->failed = (flags & FAILED) != 0;
    ask->domains = domains;
    ask->json = json;
    return !of_engine || is_of_engine(config, ask);
}

/* ---- answers ---------------------------------------------------------- */

void
acme_stage_answer_begin(const struct acme_stage_ask *ask,
    const struct acme_error *err, struct acme_buf *frame)
{
    acme_frame_begin(frame, ACME_VERB_STAGE, ask->unit);
    acme_frame_add_u64(frame, ask->stage);
    acme_frame_add_u64(frame, ask->id);
    acme_frame_add_error(frame, err);
}

void
acme_stage_answer_add(const struct acme_stage_outcome *outcome,
    struct acme_buf *frame)
{
    if (frame->len + sizeof(*outcome) + 64 > ACME_FRAME_MAX)
        return;
    acme_frame_add_text(frame, outcome->text);
    acme_frame_add_u64(frame, outcome->ms);
    acme_frame_add_text(frame, outcome->error);
    acme_frame_add_text(frame, outcome->tail);
}

bool
acme_stage_answer_open(struct acme_frame *frame, const struct acme_buf *data,
    struct acme_stage_answer *answer)
{
    uint64_t stage;

    memset(answer, 0, sizeof(*answer));
    acme_error_clear(&answer->err);
    if (!acme_frame_open(frame, data->data, data->len) ||
        frame->verb != ACME_VERB_STAGE)
        return false;
    answer->unit = frame->index;
    stage = acme_frame_get_u64(frame);
    answer->id = acme_frame_get_u64(frame);
    (void)acme_frame_get_error(frame, &answer->err);
    if (frame->bad || stage >= ACME_HOOKS_COMMANDS)
        return false;
    answer->stage = (enum acme_hooks_item)stage;
    answer->has_outcomes = frame->at != frame->end;
    return true;
}

bool
acme_stage_answer_next(struct acme_frame *frame,
    struct acme_stage_outcome *outcome)
{
    if (frame->bad || frame->at == frame->end)
        return false;
    acme_frame_get_text(frame, outcome->text, sizeof(outcome->text));
    outcome->ms = (unsigned)acme_frame_get_u64(frame);
    acme_frame_get_text(frame, outcome->error, sizeof(outcome->error));
    acme_frame_get_text(frame, outcome->tail, sizeof(outcome->tail));
    return !frame->bad;
}
