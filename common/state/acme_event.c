#include "state/acme_event.h"

#include <string.h>

#include "base/acme_log.h"
#include "wrap/acme_json.h"

static const char *const words[ACME_EVENT_KINDS] = {
    [ACME_EVENT_NONE] = "",
    [ACME_EVENT_RENEWING] = "renewing",
    [ACME_EVENT_CHALLENGE_SETUP] = "challenge-setup",
    [ACME_EVENT_RENEWED] = "renewed",
    [ACME_EVENT_INSTALLED] = "installed",
    [ACME_EVENT_EXPIRING] = "expiring",
    [ACME_EVENT_ERRORED] = "errored",
    [ACME_EVENT_FAILED_OVER] = "failed-over",
    [ACME_EVENT_ROLLED_BACK] = "rolled-back",
    [ACME_EVENT_REVOKED] = "revoked",
    [ACME_EVENT_REFUSED] = "refused",
    [ACME_EVENT_DELETED] = "deleted",
    [ACME_EVENT_ACCOUNT_CREATED] = "account-created",
    [ACME_EVENT_ACCOUNT_UPDATED] = "account-updated",
    [ACME_EVENT_ACCOUNT_REKEYED] = "account-rekeyed",
    [ACME_EVENT_ACCOUNT_DEACTIVATED] = "account-deactivated",
    [ACME_EVENT_HOOK] = "hook",
};

void
acme_event_init(struct acme_event *event, enum acme_event_kind kind)
{
    memset(event, 0, sizeof(*event));
    event->kind = kind;
}

void
acme_event_put(char out[ACME_EVENT_TEXT_MAX], const char *text)
{
    (void)acme_log_clean(out, ACME_EVENT_TEXT_MAX, text, strlen(text));
}

const char *
acme_event_word(enum acme_event_kind kind)
{
    return (size_t)kind < ACME_EVENT_KINDS ? words[kind] : "";
}

/* ---- JSON ------------------------------------------------------------- */

static enum acme_event_kind
kind_of(const char *word)
{
    size_t i;

    for (i = 1; word != NULL && i < ACME_EVENT_KINDS; i++) {
        if (strcmp(words[i], word) == 0)
            return (enum acme_event_kind)i;
    }
    return ACME_EVENT_NONE;
}

static void
get_text(const struct acme_json *json, const char *name, char *out,
    size_t size)
{
    const char *text = acme_json_str(json, name);

    if (text != NULL)
        (void)acme_log_clean(out, size, text, strlen(text));
}

enum acme_rc
acme_event_parse(const char *text, size_t len, struct acme_event *event,
    struct acme_error *err)
{
    struct acme_json *json = NULL;
    struct acme_error ignored;
    enum acme_event_kind kind;
    const char *key;
    int64_t version;
    enum acme_rc rc = acme_json_parse(text, len, "event", &json, err);

    if (rc != ACME_OK)
        return rc;
    kind = kind_of(acme_json_str(json, "event"));
    if (kind == ACME_EVENT_NONE) {
        acme_json_free(json);
        return acme_error_set(err, ACME_WIRE, "event: of no known kind");
    }
    acme_event_init(event, kind);
    event->at = (time_t)acme_json_time(json, "at");
    get_text(json, "lineage", event->lineage, sizeof(event->lineage));
    acme_error_clear(&ignored);
    key = acme_json_str(json, "key");
    if (key != NULL)
        (void)acme_key_type_parse(key, &event->key, &ignored);
    get_text(json, "issuer", event->issuer, sizeof(event->issuer));
    version = acme_json_int(json, "version", 0);
    if (version > 0 && version <= UINT32_MAX)
        event->version = (unsigned)version;
    get_text(json, "serial", event->serial, sizeof(event->serial));
    event->not_after = (time_t)acme_json_time(json, "not_after");
    event->next_attempt = (time_t)acme_json_time(json, "next_attempt");
    get_text(json, "subject", event->subject, sizeof(event->subject));
    get_text(json, "problem", event->problem, sizeof(event->problem));
    get_text(json, "text", event->text, sizeof(event->text));
    get_text(json, "by", event->by, sizeof(event->by));
    acme_json_free(json);
    return ACME_OK;
}

static void
set_text(struct acme_json *json, const char *name, const char *text)
{
    char clean[ACME_EVENT_TEXT_MAX];

    acme_event_put(clean, text);
    if (clean[0] != '\0')
        acme_json_set_str(json, name, clean);
}

enum acme_rc
acme_event_render(const struct acme_event *event, struct acme_buf *out,
    struct acme_error *err)
{
    struct acme_json *json = acme_json_object();
    enum acme_rc rc;

    acme_json_set_time(json, "at", event->at);
    acme_json_set_str(json, "event", acme_event_word(event->kind));
    set_text(json, "lineage", event->lineage);
    if (event->key != ACME_KEY_NONE)
        acme_json_set_str(json, "key", acme_key_type_name(event->key));
    set_text(json, "issuer", event->issuer);
    if (event->version != 0)
        acme_json_set_int(json, "version", event->version);
    set_text(json, "serial", event->serial);
    acme_json_set_time(json, "not_after", event->not_after);
    acme_json_set_time(json, "next_attempt", event->next_attempt);
    set_text(json, "subject", event->subject);
    set_text(json, "problem", event->problem);
    set_text(json, "text", event->text);
    set_text(json, "by", event->by);
    rc = acme_json_render(json, false, out, err);
    acme_json_free(json);
    return rc;
}
