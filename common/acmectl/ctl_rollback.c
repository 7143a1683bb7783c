/*
 * rollback: an older version of a lineage becomes live again.  Servers that
 * run see that for themselves; nothing is ordered and nothing taken away.
 */
#include "acmectl/ctl_lineage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/acme_time.h"

struct rollback {
    struct ctl *ctl;
    struct acme_store *store;
    const char *name;
    unsigned back; /* versions; 0: */
    unsigned to;   /* this one */
    unsigned live; /* 0: none that can be told */
    time_t now;
    struct ctl_version *version; /* the one that is chosen */
    struct acme_json *result;    /* with --json */
    struct acme_json *warnings;
    int lock;
};

/* ---- what the command line says --------------------------------------- */

static int
check_usage(struct rollback *rollback)
{
    const struct ctl *ctl = rollback->ctl;

    if (ctl->cert_name == NULL)
        return ctl_fail(CTL_USAGE,
            "say which lineage, by --cert-name NAME; acmectl versions lists "
            "what there is");
    if (ctl->checkpoints != 0 && ctl->to != 0)
        return ctl_fail(CTL_USAGE,
            "--checkpoints says how many versions to go back, --to to which "
            "one: give one of them");
    rollback->name = ctl->cert_name;
    rollback->to = (unsigned)ctl->to;
    if (ctl->to == 0)
        rollback->back =
            ctl->checkpoints != 0 ? (unsigned)ctl->checkpoints : 1;
    return CTL_OK;
}

/* ---- saying it -------------------------------------------------------- */

static void
warn(struct rollback *rollback, const char *text)
{
    (void)fprintf(stderr, "acmectl: %s: %s\n", rollback->name, text);
    if (rollback->warnings != NULL)
        acme_json_append_str(rollback->warnings, text);
}

/* ---- to which --------------------------------------------------------- */

static int
look(struct rollback *rollback, unsigned number)
{
    if (ctl_version_look(rollback->store, rollback->name, number,
            rollback->now, rollback->version))
        return CTL_OK;
    return ctl_fail(CTL_FAILED, "out of memory");
}

/* The last of those it passes that is no damaged one, into ->to; 0: none. */
static int
count_back(struct rollback *rollback)
{
    unsigned number[CTL_VERSIONS_MAX], passed = 0;
    char text[700];
    size_t n = 0, i;
    int code;

    code = ctl_version_numbers(rollback->store, rollback->name, number, &n);
    for (i = 0; code == CTL_OK && i < n && passed < rollback->back; i++) {
        if (rollback->live != 0 && number[i] >= rollback->live)
            continue;
        code = look(rollback, number[i]);
        if (code == CTL_OK && rollback->version->damaged) {
            (void)snprintf(text, sizeof(text), "version %u is passed over: %s",
                number[i], rollback->version->damage);
            warn(rollback, text);
            continue;
        }
        rollback->to = number[i];
        passed++;
    }
    if (code == CTL_OK && passed > 0 && passed < rollback->back) {
        (void)snprintf(text, sizeof(text),
            "there %s only %u older version%s; going back to the oldest",
            passed == 1 ? "is" : "are", passed, passed == 1 ? "" : "s");
        warn(rollback, text);
    }
    return code;
}

static int
check_target(struct rollback *rollback)
{
    char against[700];
    int code = look(rollback, rollback->to);

    if (code != CTL_OK || ctl_version_against(rollback->version, against,
                              sizeof(against))[0] == '\0')
        return code;
    if (rollback->version->damaged)
        return ctl_fail(CTL_FAILED,
            "%s: version %u cannot be live: %s; acmectl versions --cert-name "
            "%s lists the others",
            rollback->name, rollback->to, rollback->version->damage,
            rollback->name);
    if (!rollback->ctl->force)
        return ctl_fail(CTL_FAILED,
            "%s: version %u is not made live: %s; with --force it is, and "
            "clients will be told that it is not valid",
            rollback->name, rollback->to, against);
    warn(rollback, against);
    return CTL_OK;
}

/* ->to is 0 where there is nothing to be done. */
static int
choose(struct rollback *rollback)
{
    struct acme_error ignored;
    int code = CTL_OK;

    acme_error_clear(&ignored);
    rollback->live = 0;
    (void)acme_store_live(rollback->store, rollback->name, &rollback->live,
        &ignored);
    if (rollback->back > 0)
        code = count_back(rollback);
    if (code != CTL_OK)
        return code;
    if (rollback->to == 0) {
        warn(rollback, "there is no older version to roll back to");
    } else if (rollback->to == rollback->live) {
        warn(rollback, "that version is live already");
        rollback->to = 0;
    } else {
        code = check_target(rollback);
    }
    return code;
}

/* ---- doing it --------------------------------------------------------- */

static int
move(struct rollback *rollback)
{
    char text[200];
    struct acme_error err;
    bool due = false;
    int code;

    code = ctl_mark_due(rollback->store, rollback->name, rollback->version,
        true, &due);
    if (code != CTL_OK)
        return code;
    acme_error_clear(&err);
    if (acme_store_switch(rollback->store, rollback->name, rollback->to,
            &err) != ACME_OK)
        return ctl_fail(CTL_FAILED,
            "%s: version %u was not made live, what was live is: %s",
            rollback->name, rollback->to, err.what);
    if (err.rc != ACME_OK)
        warn(rollback, err.what);
    (void)snprintf(text, sizeof(text),
        rollback->to < rollback->live ? "rolled back from version %u"
                                      : "taken back instead of version %u",
        rollback->live);
    code = ctl_note_event(rollback->store, rollback->name,
        ACME_EVENT_ROLLED_BACK, rollback->version, text);
    ctl_tell_live(rollback->ctl, rollback->store, rollback->name,
        rollback->version, due, rollback->result);
    return code;
}

static int
run(struct rollback *rollback)
{
    int code = ctl_open_changing(rollback->ctl, &rollback->store);

    if (code == CTL_OK)
        code = ctl_lineage_need(rollback->store, rollback->name);
    if (code == CTL_OK)
        code = ctl_lineage_lock(rollback->ctl, rollback->store, rollback->name,
            &rollback->lock);
    if (code == CTL_OK)
        code = choose(rollback);
    if (code == CTL_OK && rollback->to != 0)
        code = move(rollback);
    return code;
}

static void
put_result(struct rollback *rollback, int code)
{
    acme_json_set_str(rollback->result, "name", rollback->name);
    acme_json_set_bool(rollback->result, "ok", code == CTL_OK);
    if (rollback->live != 0)
        acme_json_set_int(rollback->result, "from", rollback->live);
    if (code == CTL_OK && rollback->to != 0) {
        acme_json_set_int(rollback->result, "to", rollback->to);
        acme_json_set_str(rollback->result, "serial",
            rollback->version->leaf[0].serial);
        acme_json_set_time(rollback->result, "not_after",
            rollback->version->not_after);
    }
    acme_json_set(rollback->result, "warnings", rollback->warnings);
    (void)ctl_print_json(rollback->result);
}

int
ctl_rollback(struct ctl *ctl)
{
    struct rollback rollback = { .ctl = ctl, .lock = -1, .now = time(NULL) };
    int code = check_usage(&rollback);

    if (code != CTL_OK)
        return code;
    if (ctl->json) {
        rollback.result = acme_json_object();
        rollback.warnings = acme_json_array();
    }
    rollback.version = calloc(1, sizeof(*rollback.version));
    code = rollback.version != NULL ? run(&rollback)
                                    : ctl_fail(CTL_FAILED, "out of memory");
    if (rollback.result != NULL)
        put_result(&rollback, code);
    if (rollback.lock != -1)
        (void)close(rollback.lock);
    free(rollback.version);
    acme_store_close(rollback.store);
    return code;
}
