/*
 * events: what has happened, from the state directory alone; and what goes on
 * happening.
 */
#include "acmectl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/acme_time.h"
#include "wrap/acme_idn.h"

/* How often is looked for what is new (ms). */
#define LOOK_MS 250

struct events {
    struct ctl *ctl;
    struct acme_store *store;
    const char *name;    /* -d; NULL: not given */
    const char *lineage; /* NULL: all */
    char found[ACME_LINEAGE_MAX + 1];
    size_t nfound;
    size_t shown;
    struct acme_events_place place;
};

/* ---- what the command line says --------------------------------------- */

static int
check_usage(struct events *events)
{
    struct ctl *ctl = events->ctl;
    int code = ctl_read_domains(ctl);

    if (code != CTL_OK)
        return code;
    if (ctl->domains.n > 1)
        return ctl_fail(CTL_USAGE,
            "unexpected \"%s\": events are of one "
            "lineage, or all",
            ctl->domains.word[1]);
    if (ctl->domains.n > 0 && ctl->cert_name != NULL)
        return ctl_fail(CTL_USAGE, "-d and --cert-name say the same, one of "
                                   "them will do");
    events->name = ctl->domains.n > 0 ? ctl->domains.word[0] : NULL;
    return CTL_OK;
}

/* ---- -d --------------------------------------------------------------- */

static bool
declares(const struct acme_settings *settings, const char *name)
{
    size_t i, k;

    for (i = 0; i < settings->ndeclared; i++)
        for (k = 0; k < settings->declared[i].nnames; k++)
            if (strcmp(settings->declared[i].names[k], name) == 0)
                return true;
    return false;
}

static enum acme_rc
find_lineage(void *ctx, const char *lineage, struct acme_error *err)
{
    struct events *events = ctx;
    struct acme_settings *settings = NULL;
    struct acme_error ignored;

    (void)err;
    acme_error_clear(&ignored);
    if (acme_store_settings_read(events->store, lineage, &settings,
            &ignored) == ACME_OK &&
        declares(settings, events->name)) {
        (void)snprintf(events->found, sizeof(events->found), "%s", lineage);
        events->nfound++;
    }
    acme_settings_free(settings);
    return ACME_OK;
}

/* The lineage that is named, or that has the name. */
static int
choose_lineage(struct events *events)
{
    struct acme_error err;

    events->lineage = events->ctl->cert_name;
    if (events->name == NULL)
        return CTL_OK;
    acme_error_clear(&err);
    if (acme_store_lineages(events->store, find_lineage, events, &err) !=
        ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    if (events->nfound > 1)
        return ctl_fail(CTL_FAILED,
            "\"%s\" is in %zu lineages; say which with --cert-name",
            events->name, events->nfound);
    if (events->nfound == 0)
        return ctl_fail(CTL_FAILED, "no lineage has the name \"%s\"",
            events->name);
    events->lineage = events->found;
    return CTL_OK;
}

/* ---- showing ---------------------------------------------------------- */

static const char *
subject_label(enum acme_event_kind kind)
{
    switch (kind) {
    case ACME_EVENT_ACCOUNT_CREATED:
    case ACME_EVENT_ACCOUNT_UPDATED:
    case ACME_EVENT_ACCOUNT_REKEYED:
    case ACME_EVENT_ACCOUNT_DEACTIVATED:
        return "account key ";
    case ACME_EVENT_FAILED_OVER:
        return "instead of ";
    default:
        return "";
    }
}

static void
print_part(const char *label, const char *text)
{
    if (text[0] != '\0')
        (void)printf(", %s%s", label, text);
}

static void
print_time(const char *label, time_t t)
{
    char text[ACME_TIME_TEXT];

    if (t != 0)
        print_part(label, acme_time_format(t, text));
}

static void
print_text(const struct acme_event *event)
{
    char at[ACME_TIME_TEXT];

    (void)printf("%s %s%s%s: %s", acme_time_format(event->at, at),
        acme_event_word(event->kind), event->lineage[0] != '\0' ? " " : "",
        event->lineage, event->text);
    print_part(subject_label(event->kind), event->subject);
    print_part("key ", acme_key_type_name(event->key));
    print_part("issuer ", event->issuer);
    if (event->version != 0)
        (void)printf(", version %u", event->version);
    print_part("serial ", event->serial);
    print_time("valid until ", event->not_after);
    print_time("next attempt at ", event->next_attempt);
    print_part("by ", event->by);
    (void)putchar('\n');
}

static enum acme_rc
print_json(const struct acme_event *event, struct acme_error *err)
{
    struct acme_buf line;
    enum acme_rc rc;

    acme_buf_init(&line, ACME_EVENT_LINE_MAX);
    rc = acme_event_render(event, &line, err);
    if (rc == ACME_OK)
        (void)puts(acme_buf_str(&line));
    acme_buf_clear(&line);
    return rc;
}

static enum acme_rc
show(void *ctx, const struct acme_event *event, struct acme_error *err)
{
    struct events *events = ctx;

    events->shown++;
    if (events->ctl->quiet)
        return ACME_OK;
    if (events->ctl->json)
        return print_json(event, err);
    print_text(event);
    return ACME_OK;
}

static int
show_more(struct events *events, size_t most)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_store_events(events->store, events->lineage, most, &events->place,
            show, events, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    if (fflush(stdout) != 0)
        return ctl_fail(CTL_FAILED, "cannot write");
    return CTL_OK;
}

static bool
is_lineage(const struct events *events)
{
    struct acme_settings *settings = NULL;
    struct acme_error ignored;
    unsigned number;
    bool is;

    acme_error_clear(&ignored);
    is = acme_store_settings_read(events->store, events->lineage, &settings,
             &ignored) == ACME_OK;
    acme_settings_free(settings);
    acme_error_clear(&ignored);
    return is || acme_store_live(events->store, events->lineage, &number,
                     &ignored) == ACME_OK;
}

/* Until somebody ends us. */
static int
follow(struct events *events)
{
    const struct timespec pause = { 0, LOOK_MS * 1000000L };
    int code = CTL_OK;

    while (code == CTL_OK) {
        (void)nanosleep(&pause, NULL);
        code = show_more(events, SIZE_MAX);
    }
    return code;
}

int
ctl_events(struct ctl *ctl)
{
    struct events events = { .ctl = ctl };
    int code = check_usage(&events);

    if (code == CTL_OK)
        code = ctl_open_one(ctl, &events.store);
    if (code == CTL_OK)
        code = choose_lineage(&events);
    if (code == CTL_OK)
        code = show_more(&events, (size_t)ctl->lines);
    if (code == CTL_OK && ctl->follow)
        code = follow(&events);
    /* one that is gone may have left events */
    if (code == CTL_OK && events.lineage != NULL && events.shown == 0 &&
        !is_lineage(&events))
        code =
            ctl_fail(CTL_FAILED, "there is no lineage \"%s\"", events.lineage);
    acme_store_close(events.store);
    return code;
}
