/*
 * renew: asks the server that has the lineage and waits for its answer, or,
 * where no server runs, does the work with a store and an engine of our own.
 * A dry run is always ours: a store that keeps nothing, and another CA, are no
 * server's business; servers that run answer its challenges as they do those
 * of any order in the state directory.
 */
#include "acmectl/ctl_alone.h"
#include "acmectl/ctl_trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drive/acme_control.h"
#include "drive/acme_obeyed.h"
#include "state/acme_frame.h"
#include "state/acme_schedule.h"

struct renewal {
    struct ctl *ctl;
    struct acme_store *store;
    struct ctl_alone alone;    /* lineages that no server has */
    bool found[CTL_WORDS_MAX]; /* of the names given */
    size_t ntold, failed;
    struct acme_json *results; /* with --json */
};

/* ---- saying how it went ----------------------------------------------- */

/* The result, with --json. */
static struct acme_json *
tell(struct renewal *renewal, const char *name, bool ok, const char *text)
{
    struct acme_json *one = NULL;

    ctl_progress_clear();
    renewal->ntold++;
    if (!ok)
        renewal->failed++;
    if (renewal->results != NULL) {
        one = acme_json_object();
        acme_json_set_str(one, "name", name);
        acme_json_set_str(one, "state_dir", renewal->alone.state_dir);
        acme_json_set_bool(one, "ok", ok);
        acme_json_set_str(one, "text", text);
        acme_json_append(renewal->results, one);
    } else if (!ok) {
        (void)ctl_fail(CTL_FAILED, "%s: %s", name, text);
    } else if (!renewal->ctl->quiet) {
        (void)printf("%s: %s\n", name, text);
    }
    return one;
}

/* ---- asking servers --------------------------------------------------- */

struct question {
    struct renewal *renewal;
    const char *name;
    bool answered;
    char gone[1024]; /* why a server that was asked did not answer */
};

/* A server that reloads replaces its store: whoever was asking asks the new
 * one, which goes on with the order of the old. */
#define ASK_TIMES 5

static enum acme_rc
ask_server(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    struct question *question = ctx;
    struct renewal *renewal = question->renewal;
    struct acme_error own;
    char text[1024];
    bool ok = false;

    (void)err;
    renewal->alone.servers = true;
    if (question->answered)
        return ACME_OK;
    acme_error_clear(&own);
    switch (acme_control_ask(acme_store_fd(renewal->store), server->instance,
        question->name, renewal->ctl->force ? ACME_RENEW_FORCE : 0,
        !renewal->ctl->no_wait, &ok, text, sizeof(text), ctl_progress_tick,
        &renewal->alone.progress, &own)) {
    case ACME_OK:
        (void)tell(renewal, question->name, ok, text);
        question->answered = true;
        break;
    case ACME_NOENT: /* not a lineage of that one */
        break;
    default:
        (void)snprintf(question->gone, sizeof(question->gone), "%s", own.what);
        break;
    }
    return ACME_OK;
}

/* ---- doing it ourselves ----------------------------------------------- */

static enum acme_rc
add_trial_issuer(void *ctx, struct acme_config *config,
    const struct acme_declaration *by, struct acme_lineage *wanted,
    struct acme_error *err)
{
    struct renewal *renewal = ctx;
    struct acme_arena *arena = acme_arena_new();
    struct acme_issuer issuer;
    enum acme_rc rc;

    if (arena == NULL)
        return acme_error_nomem(err);
    wanted->nfallbacks = 0;
    rc = ctl_trial_issuer(renewal->ctl, &by->issuer, arena, &issuer, err);
    if (rc == ACME_OK)
        rc = acme_config_share_issuer(config, &issuer, &wanted->issuer, err);
    acme_arena_free(arena);
    return rc;
}

/* The lineage as its settings say, put into a configuration of our own. */
static enum acme_rc
add_alone(struct renewal *renewal, const char *name, struct acme_error *err)
{
    struct acme_settings *settings = NULL;
    enum acme_rc rc =
        acme_store_settings_read(renewal->store, name, &settings, err);

    if (rc == ACME_OK)
        rc = acme_obeyed_add(renewal->alone.config, name, settings,
            renewal->ctl->dry_run ? add_trial_issuer : acme_obeyed_issuers,
            renewal, err);
    acme_settings_free(settings);
    return rc;
}

/* Those that a dry run does not run. */
static void
tell_hooks(struct renewal *renewal, size_t lineage, struct acme_json *result)
{
    struct acme_json *list = result != NULL ? acme_json_array() : NULL;

    ctl_trial_hooks(renewal->ctl, renewal->store, renewal->alone.config,
        lineage, list);
    if (list != NULL)
        acme_json_set(result, "not_run", list);
}

static void
on_done(void *ctx, size_t lineage, bool ok, const char *text)
{
    struct renewal *renewal = ctx;
    struct acme_json *result;

    result =
        tell(renewal, renewal->alone.config->lineage[lineage].name, ok, text);
    if (ok && renewal->ctl->dry_run)
        tell_hooks(renewal, lineage, result);
}

/* ---- the verb --------------------------------------------------------- */

static enum acme_rc
ask_servers(struct question *question, struct acme_error *err)
{
    struct renewal *renewal = question->renewal;
    enum acme_rc rc = ACME_OK;
    int i;

    for (i = 0; i < ASK_TIMES; i++) {
        question->gone[0] = '\0';
        rc = acme_control_servers(acme_store_fd(renewal->store), ask_server,
            question, err);
        if (rc != ACME_OK || question->answered || question->gone[0] == '\0')
            return rc;
        (void)sleep(1);
    }
    (void)tell(renewal, question->name, false, question->gone);
    question->answered = true;
    return rc;
}

static bool
is_meant(struct renewal *renewal, const char *name)
{
    const struct ctl *ctl = renewal->ctl;
    bool is = ctl->cert_names.n == 0;
    size_t i;

    for (i = 0; i < ctl->cert_names.n; i++)
        if (strcmp(ctl->cert_names.word[i], name) == 0)
            is = renewal->found[i] = true;
    return is;
}

/* Whether that is for a person to say, who has not: he would name it, or use
 * force. */
static bool
is_left_alone(struct renewal *renewal, const char *name)
{
    struct acme_settings *settings = NULL;
    struct acme_error ignored;
    bool manual;

    if (renewal->ctl->cert_names.n > 0 || renewal->ctl->force ||
        renewal->ctl->dry_run)
        return false;
    acme_error_clear(&ignored);
    manual = acme_store_settings_read(renewal->store, name, &settings,
                 &ignored) == ACME_OK &&
             settings->ndeclared > 0 &&
             acme_schedule_is_manual(&settings->declared[0].timing);
    acme_settings_free(settings);
    return manual;
}

static enum acme_rc
renew_one(void *ctx, const char *name, struct acme_error *err)
{
    struct renewal *renewal = ctx;
    struct question question = { renewal, name, false, "" };
    struct acme_error own;
    enum acme_rc rc;

    if (!is_meant(renewal, name))
        return ACME_OK;
    if (is_left_alone(renewal, name)) {
        (void)tell(renewal, name, true,
            "left alone: it is renewed when --cert-name names it");
        return ACME_OK;
    }
    renewal->alone.progress.of = name;
    renewal->alone.progress.since = time(NULL);
    rc = renewal->ctl->dry_run ? ACME_OK : ask_servers(&question, err);
    if (rc != ACME_OK || question.answered)
        return rc;
    acme_error_clear(&own);
    rc = add_alone(renewal, name, &own);
    if (rc == ACME_NOENT) /* dormant: left alone, unless it is meant */
        (void)tell(renewal, name, renewal->ctl->cert_name == NULL,
            "not renewed, no server declares it any more");
    else if (rc != ACME_OK)
        (void)tell(renewal, name, false, own.what);
    return ACME_OK;
}

static int
renew_all(struct renewal *renewal)
{
    struct acme_error err;

    acme_error_clear(&err);
    if ((renewal->ctl->dry_run &&
            ctl_add_servers(renewal->store, renewal->alone.config,
                &renewal->alone.servers, &err) != ACME_OK) ||
        acme_store_lineages(renewal->store, renew_one, renewal, &err) !=
            ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    return renewal->alone.config->nlineages > 0
               ? ctl_alone_run(&renewal->alone)
               : CTL_OK;
}

static int
renew_in(struct renewal *renewal, const char *state_dir)
{
    struct ctl *ctl = renewal->ctl;
    struct ctl_alone *alone = &renewal->alone;
    int code = ctl_open(state_dir, &renewal->store);

    if (code == CTL_OK)
        code = ctl_server_known(ctl, renewal->store);
    if (code != CTL_OK)
        goto done;
    *alone =
        (struct ctl_alone){ .progress = { .ctl = ctl, .what = "renewing" },
            .config = acme_config_new(state_dir, "acmectl", "renew"),
            .state_dir = state_dir,
            .flags = (ctl->force ? ACME_RENEW_FORCE : 0) |
                     (ctl->dry_run ? ACME_RENEW_TRIAL : 0),
            .done = on_done,
            .ctx = renewal };
    code = alone->config != NULL ? renew_all(renewal)
                                 : ctl_fail(CTL_FAILED, "out of memory");
    acme_config_free(alone->config);

done:
    acme_store_close(renewal->store);
    renewal->store = NULL;
    return code;
}

/* Of the names given, those that are nowhere. */
static int
check_found(const struct renewal *renewal)
{
    int code = CTL_OK;
    size_t i;

    for (i = 0; i < renewal->ctl->cert_names.n; i++)
        if (!renewal->found[i])
            code = ctl_fail(CTL_FAILED,
                "there is no lineage \"%s\"; acmectl certificates lists them",
                renewal->ctl->cert_names.word[i]);
    return code;
}

/* What is wrong with one state directory is no reason to leave out the next.
 */
int
ctl_renew(struct ctl *ctl)
{
    struct renewal renewal = { .ctl = ctl };
    int code = ctl_trial_check(ctl), one;
    size_t i;

    if (code == CTL_OK)
        code = ctl_find_states(ctl);
    if (code != CTL_OK)
        return code;
    renewal.results = ctl->json ? acme_json_array() : NULL;
    for (i = 0; i < ctl->nstates; i++) {
        one = renew_in(&renewal, ctl->state[i]);
        code = code == CTL_OK ? one : code;
    }
    if (code == CTL_OK)
        code = check_found(&renewal);
    if (renewal.failed > 0 && renewal.ntold > 1)
        (void)ctl_fail(CTL_FAILED, "%zu of %zu lineages failed",
            renewal.failed, renewal.ntold);
    if (code == CTL_OK && renewal.failed > 0)
        code = CTL_FAILED;
    if (renewal.results != NULL)
        (void)ctl_print_json(renewal.results);
    return code;
}
