#include "state/acme_told.h"

#include <stdio.h>
#include <string.h>

#include "base/acme_log.h"

/* ---- hooks ------------------------------------------------------------ */

void
acme_told_begin(struct acme_told *told, const char *stage)
{
    size_t i, kept = 0;

    for (i = 0; i < told->nhooks; i++)
        if (strcmp(told->hook[i].stage, stage) != 0)
            told->hook[kept++] = told->hook[i];
    told->nhooks = kept;
}

void
acme_told_add(struct acme_told *told, const struct acme_told_hook *hook)
{
    if (told->nhooks < ACME_TOLD_HOOKS_MAX)
        told->hook[told->nhooks++] = *hook;
}

/* ---- events ----------------------------------------------------------- */

time_t
acme_told_at(const struct acme_told *told, const char *word)
{
    size_t i;

    for (i = 0; i < told->nevents; i++)
        if (strcmp(told->event[i].word, word) == 0)
            return told->event[i].at;
    return 0;
}

void
acme_told_note(struct acme_told *told, const char *word, time_t at)
{
    size_t i;

    for (i = 0; i < told->nevents; i++)
        if (strcmp(told->event[i].word, word) == 0)
            break;
    if (i == ACME_TOLD_EVENTS_MAX)
        return;
    if (i == told->nevents)
        told->nevents++;
    (void)snprintf(told->event[i].word, sizeof(told->event[i].word), "%s",
        word);
    told->event[i].at = at;
}

/* ---- JSON ------------------------------------------------------------- */

static struct acme_json *
render_hook(const struct acme_told_hook *hook)
{
    struct acme_json *json = acme_json_object();

    acme_json_set_str(json, "stage", hook->stage);
    acme_json_set_str(json, "command", hook->text);
    acme_json_set_time(json, "at", hook->at);
    acme_json_set_int(json, "ms", hook->ms);
    acme_json_set_str(json, "error",
        hook->error[0] != '\0' ? hook->error : NULL);
    acme_json_set_str(json, "output",
        hook->tail[0] != '\0' ? hook->tail : NULL);
    return json;
}

struct acme_json *
acme_told_render_hooks(const struct acme_told *told)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < told->nhooks; i++)
        acme_json_append(list, render_hook(&told->hook[i]));
    return list;
}

static struct acme_json *
render_tracks(const struct acme_told *told)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < ACME_ALGORITHMS; i++) {
        struct acme_json *json = acme_json_object();

        acme_json_set_str(json, "record", told->track[i].id);
        acme_json_set_bool(json, "ready", told->track[i].ready);
        acme_json_append(list, json);
    }
    return list;
}

enum acme_rc
acme_told_render(const struct acme_told *told, struct acme_buf *out,
    struct acme_error *err)
{
    struct acme_json *root = acme_json_object(), *events = acme_json_object();
    enum acme_rc rc;
    size_t i;

    for (i = 0; i < told->nevents; i++)
        acme_json_set_time(events, told->event[i].word, told->event[i].at);
    acme_json_set(root, "events", events);
    acme_json_set(root, "tracking", render_tracks(told));
    acme_json_set(root, "hooks", acme_told_render_hooks(told));
    rc = root == NULL ? acme_error_nomem(err)
                      : acme_json_render(root, true, out, err);
    acme_json_free(root);
    return rc;
}

/* What was written by us, but may have been changed since: it is printed. */
static void
copy_text(const struct acme_json *json, const char *name, char *out,
    size_t size)
{
    const char *text = acme_json_str(json, name);

    out[0] = '\0';
    if (text != NULL)
        (void)acme_log_clean(out, size, text, strlen(text));
}

static void
parse_hook(const struct acme_json *json, struct acme_told *told)
{
    struct acme_told_hook hook;

    memset(&hook, 0, sizeof(hook));
    copy_text(json, "stage", hook.stage, sizeof(hook.stage));
    copy_text(json, "command", hook.text, sizeof(hook.text));
    hook.at = (time_t)acme_json_time(json, "at");
    hook.ms = (unsigned)acme_json_int(json, "ms", 0);
    copy_text(json, "error", hook.error, sizeof(hook.error));
    copy_text(json, "output", hook.tail, sizeof(hook.tail));
    acme_told_add(told, &hook);
}

static void
parse_track(const struct acme_json *json, struct acme_told_track *track)
{
    const char *id = acme_json_str(json, "record");

    if (id != NULL && strlen(id) < sizeof(track->id))
        memcpy(track->id, id, strlen(id) + 1);
    track->ready = acme_json_bool(json, "ready", false);
}

void
acme_told_parse(const char *text, size_t len, struct acme_told *told)
{
    static const char *const words[] = { "renewing", "renewed", "installed",
        "expiring", "errored", "failed-over", "rolled-back", "revoked",
        "refused", "deleted", "account-created", "account-updated",
        "account-rekeyed", "account-deactivated" };
    const struct acme_json *events, *hooks, *tracks;
    struct acme_json *root = NULL;
    struct acme_error ignored;
    size_t i;

    memset(told, 0, sizeof(*told));
    acme_error_clear(&ignored);
    if (acme_json_parse(text, len, "told", &root, &ignored) != ACME_OK)
        return;
    events = acme_json_get(root, "events");
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const time_t at = (time_t)acme_json_time(events, words[i]);

        if (at != 0)
            acme_told_note(told, words[i], at);
    }
    hooks = acme_json_get(root, "hooks");
    for (i = 0; i < acme_json_count(hooks); i++)
        parse_hook(acme_json_at(hooks, i), told);
    tracks = acme_json_get(root, "tracking");
    for (i = 0; i < acme_json_count(tracks) && i < ACME_ALGORITHMS; i++)
        parse_track(acme_json_at(tracks, i), &told->track[i]);
    acme_json_free(root);
}
