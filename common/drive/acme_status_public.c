/*
 * What others than root are told of a lineage: nothing that says where files
 * are or what is run, and no word of a program's.  Members are told because
 * they are in the table below; one that is new is not, until it is there.
 */
#include <stdio.h>
#include <string.h>

#include "base/acme_error.h"
#include "drive/acme_status.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* In place of a text of ours that may have a path or a command. */
#define ELSEWHERE "acmectl status tells it"

/* Errors whose text is of the CA, the network or a certificate. */
static const enum acme_rc outside[] = { ACME_PROBLEM, ACME_NET, ACME_WIRE,
    ACME_REFUSED };

/* An absolute path, at the beginning of a word: that of a URL is not. */
static bool
names_path(const char *text)
{
    const char *at = text;

    while ((at = strchr(at, '/')) != NULL) {
        if (at == text || strchr(" \"'(=", at[-1]) != NULL)
            return true;
        at++;
    }
    return false;
}

static void
copy(struct acme_json *to, const char *name, const struct acme_json *value)
{
    if (value != NULL)
        acme_json_set(to, name, acme_json_copy(value));
}

static void
elsewhere(struct acme_json *to, const char *name,
    const struct acme_json *value)
{
    (void)value;
    acme_json_set_str(to, name, ELSEWHERE);
}

static void
pathless(struct acme_json *to, const char *name, const struct acme_json *value)
{
    const char *text = acme_json_text(value);

    if (text == NULL || names_path(text))
        elsewhere(to, name, value);
    else
        copy(to, name, value);
}

/* "SERVER:CONFIGURATION" without the configuration, which is a path. */
static void
servers(struct acme_json *to, const char *name, const struct acme_json *value)
{
    struct acme_json *list = acme_json_array();
    size_t i, n = acme_json_count(value);
    char server[64];

    for (i = 0; i < n; i++) {
        const char *by = acme_json_text(acme_json_at(value, i));

        (void)snprintf(server, sizeof(server), "%.*s",
            by != NULL ? (int)strcspn(by, ":") : 0, by != NULL ? by : "");
        acme_json_append_str(list, server);
    }
    acme_json_set(to, name, list);
}

/* That they ran, and whether it went well. */
static void
runs(struct acme_json *to, const char *name, const struct acme_json *value)
{
    struct acme_json *list = acme_json_array();
    size_t i, n = acme_json_count(value);

    for (i = 0; i < n; i++) {
        const struct acme_json *hook = acme_json_at(value, i);
        struct acme_json *one = acme_json_object();

        copy(one, "stage", acme_json_get(hook, "stage"));
        copy(one, "at", acme_json_get(hook, "at"));
        copy(one, "ms", acme_json_get(hook, "ms"));
        if (acme_json_get(hook, "error") != NULL)
            acme_json_set_bool(one, "failed", true);
        acme_json_append(list, one);
    }
    acme_json_set(to, name, list);
}

static bool
is_outside(const char *result)
{
    size_t i;

    for (i = 0; result != NULL && i < COUNT(outside); i++)
        if (strcmp(result, acme_rc_name(outside[i])) == 0)
            return true;
    return false;
}

/* The CA's own words are told; ours may be of a file or a program. */
static void
problem(struct acme_json *to, const char *name, const struct acme_json *value)
{
    struct acme_json *told = acme_json_copy(value);

    if (is_outside(acme_json_str(value, "result")))
        pathless(told, "text", acme_json_get(value, "text"));
    else
        elsewhere(told, "text", NULL);
    acme_json_set(to, name, told);
}

static const struct {
    const char *name;
    void (*tell)(struct acme_json *to, const char *name,
        const struct acme_json *value);
} members[] = {
    { "name", copy },
    { "state", copy },
    { "state_text", copy },
    { "test_ca", copy },
    { "names", copy },
    { "keys", copy },
    { "conflict", elsewhere },
    { "issuer", copy },
    { "fallbacks", copy },
    { "declared", servers },
    { "damage", elsewhere },
    { "certificates", copy },
    { "version", copy },
    { "versions", copy },
    { "serial", copy },
    { "fingerprint", copy },
    { "signed_by", copy },
    { "not_before", copy },
    { "not_after", copy },
    { "names_missing", copy },
    { "renew_at", copy },
    { "renew_why", copy },
    { "timing", copy },
    { "renewal_info", copy },
    { "asked", copy },
    { "next_attempt", copy },
    { "failures", copy },
    { "wait_for_config", copy },
    { "at_work", copy },
    { "last_attempt", copy },
    { "steps", copy },
    { "error", problem },
    { "clock_ahead", copy },
    { "left_out", copy },
    { "complete_at", copy },
    { "preflight", pathless },
    { "preflight_since", copy },
    { "hooks", runs },
};

static void
set_text(struct acme_json *to, const char *name, const char *text)
{
    acme_json_set_str(to, name, text[0] != '\0' ? text : NULL);
}

/* Of failures the text is told that a CA's problem made; others' may be of a
 * file or a program. */
struct acme_json *
acme_status_public_event(const struct acme_event *event)
{
    const bool ours =
        event->kind == ACME_EVENT_ERRORED && event->problem[0] == '\0';
    struct acme_json *told = acme_json_object();

    acme_json_set_time(told, "at", event->at);
    acme_json_set_str(told, "event", acme_event_word(event->kind));
    set_text(told, "lineage", event->lineage);
    set_text(told, "issuer", event->issuer);
    if (event->version != 0)
        acme_json_set_int(told, "version", event->version);
    acme_json_set_time(told, "not_after", event->not_after);
    set_text(told, "problem", event->problem);
    set_text(told, "text",
        ours || names_path(event->text) ? ELSEWHERE : event->text);
    return told;
}

struct acme_json *
acme_status_public(const struct acme_json *lineage)
{
    struct acme_json *whole = acme_json_copy(lineage), *told = NULL;
    const struct acme_json *value;
    size_t i;

    if (whole != NULL)
        told = acme_json_object();
    for (i = 0; told != NULL && i < COUNT(members); i++) {
        value = acme_json_get(whole, members[i].name);
        if (value != NULL)
            members[i].tell(told, members[i].name, value);
    }
    acme_json_free(whole);
    return told;
}
