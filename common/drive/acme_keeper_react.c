/*
 * What the command for events is told by the store, how often, and how long:
 * the rates are mod_md's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "drive/acme_keeper_private.h"

#define HOUR ((time_t)3600)
#define DAY (24 * HOUR)

/* How often a command wants to hear of it at most, as mod_md has it. */
static time_t
rate_of(enum acme_event_kind kind)
{
    switch (kind) {
    case ACME_EVENT_RENEWED:
    case ACME_EVENT_INSTALLED:
    case ACME_EVENT_EXPIRING:
        return DAY;
    case ACME_EVENT_ERRORED:
        return HOUR;
    default:
        return 0;
    }
}

/* Whether it has to be told in the end. */
static bool
is_insistent(enum acme_event_kind kind)
{
    return kind == ACME_EVENT_RENEWED || kind == ACME_EVENT_EXPIRING;
}

/* The engine asks of these itself, as the answer counts. */
static bool
is_engines(enum acme_event_kind kind)
{
    return kind == ACME_EVENT_RENEWING || kind == ACME_EVENT_CHALLENGE_SETUP;
}

static bool
was_told(const struct acme_keeper *keeper, const struct acme_event *event)
{
    struct acme_told *told = malloc(sizeof(*told));
    const time_t rate = rate_of(event->kind);
    time_t at = 0;

    if (told != NULL && rate > 0) {
        acme_store_told_read(keeper->store, event->lineage, told);
        at = acme_told_at(told, acme_event_word(event->kind));
    }
    free(told);
    return at != 0 && at <= event->at && at + rate > event->at;
}

/* A newer one of its kind says all that the older one would. */
static void
forget_older(struct acme_keeper *keeper, size_t lineage,
    enum acme_hooks_item stage, enum acme_event_kind kind)
{
    struct acme_asked *asked, *next;

    for (asked = keeper->asked; asked != NULL; asked = next) {
        next = asked->next;
        if (asked->stage == stage && asked->lineage == lineage &&
            asked->kind == kind && asked->again != 0)
            acme_asked_forget(keeper, asked);
    }
}

/* The command runs with one of this kind, or is about to: with its end it has
 * been told. */
static struct acme_asked *
find_telling(const struct acme_keeper *keeper, size_t lineage,
    enum acme_event_kind kind)
{
    struct acme_asked *asked = keeper->asked;

    while (asked != NULL &&
           (asked->stage != ACME_HOOKS_EVENT || asked->lineage != lineage ||
               asked->kind != kind || asked->again != 0))
        asked = asked->next;
    return asked;
}

/* A new one goes on its way; one that is on it is not told twice, but what is
 * still to be sent, or sent again if the program fails, is the newest. */
static void
send_or_replace(struct acme_keeper *keeper, struct acme_asked *telling,
    const struct acme_event *event, size_t lineage,
    struct acme_stage_ask *stage)
{
    struct acme_asked *asked;

    if (telling != NULL) {
        if (!telling->sent || telling->kept)
            acme_asked_replace(telling, stage);
        return;
    }
    asked = acme_asked_new(keeper, lineage);
    if (asked == NULL)
        return;
    asked->kind = event->kind;
    asked->kept = is_insistent(event->kind);
    (void)acme_asked_send(keeper, asked, stage);
}

static void
tell(struct acme_keeper *keeper, const struct acme_event *event,
    size_t lineage, enum acme_hooks_item whom)
{
    struct acme_stage_ask stage = { .stage = whom };
    struct acme_asked *telling = NULL;
    struct acme_error ignored;
    struct acme_buf line;

    acme_error_clear(&ignored);
    acme_buf_init(&line, ACME_STAGE_JSON_MAX);
    forget_older(keeper, lineage, whom, event->kind);
    if (whom == ACME_HOOKS_EVENT && rate_of(event->kind) > 0)
        telling = find_telling(keeper, lineage, event->kind);
    if (acme_event_render(event, &line, &ignored) == ACME_OK) {
        acme_buf_add_str(&line, "\n");
        stage.unit = (uint32_t)acme_unit(lineage, 0);
        stage.version = event->version;
        stage.json = acme_buf_str(&line);
        stage.json_len = line.len;
        (void)snprintf(stage.event, sizeof(stage.event), "%s",
            acme_event_word(event->kind));
        send_or_replace(keeper, telling, event, lineage, &stage);
    }
    acme_buf_clear(&line);
}

void
acme_keeper_react(struct acme_keeper *keeper, const struct acme_event *event)
{
    const struct acme_hooks *hooks;
    size_t lineage;

    if (keeper->runner == -1 || is_engines(event->kind) ||
        !acme_config_find_lineage(keeper->config, event->lineage, &lineage))
        return;
    hooks = keeper->config->lineage[lineage].hooks;
    if (hooks->n[ACME_HOOKS_EVENT] > 0 && !was_told(keeper, event))
        tell(keeper, event, lineage, ACME_HOOKS_EVENT);
    if (hooks->n[ACME_HOOKS_NOTIFY] > 0 && event->kind == ACME_EVENT_RENEWED)
        tell(keeper, event, lineage, ACME_HOOKS_NOTIFY);
}

bool
acme_asked_conclude_event(struct acme_keeper *keeper, struct acme_asked *asked,
    bool good)
{
    const time_t now = keeper->host->now(keeper->host->ctx);
    const char *name = keeper->config->lineage[asked->lineage].name;
    struct acme_told *told;
    struct acme_error ignored;

    if (!good) {
        asked->again = now + acme_asked_pause(asked->tries++);
        return asked->kept;
    }
    if (asked->stage == ACME_HOOKS_NOTIFY)
        return false;
    acme_error_clear(&ignored);
    told = malloc(sizeof(*told));
    if (told != NULL) {
        acme_store_told_read(keeper->store, name, told);
        acme_told_note(told, acme_event_word(asked->kind), now);
        (void)acme_store_told_write(keeper->store, name, told, &ignored);
    }
    free(told);
    return false;
}
