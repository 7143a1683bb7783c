/*
 * enhance: what servers do about requests for the names of a lineage, so that
 * clients come by https.  It is kept in the lineage's settings, where servers
 * that run see it; no configuration is written, and what a server's own
 * directive says goes before.
 */
#include "acmectl/ctl_lineage.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/acme_time.h"
#include "state/acme_enhance.h"

#define SUPPORTED "redirect, hsts, auto-hsts, uir"

struct enhance {
    struct ctl *ctl;
    struct acme_store *store;
    struct acme_json *results; /* with --json */
    time_t now;
    int code; /* of all lineages */
};

/* ---- what the command line says --------------------------------------- */

static bool
changes(const struct ctl *ctl)
{
    return ctl->redirect || ctl->no_redirect || ctl->hsts || ctl->no_hsts ||
           ctl->auto_hsts || ctl->no_auto_hsts || ctl->uir || ctl->no_uir ||
           ctl->staple_ocsp;
}

static int
check_pair(bool one, const char *name, bool other, const char *other_name)
{
    if (one && other)
        return ctl_fail(CTL_USAGE,
            "--%s and --%s contradict each other: give one of them", name,
            other_name);
    return CTL_OK;
}

static int
check_usage(const struct ctl *ctl)
{
    int code;

    code =
        check_pair(ctl->redirect, "redirect", ctl->no_redirect, "no-redirect");
    if (code == CTL_OK)
        code = check_pair(ctl->hsts, "hsts", ctl->auto_hsts, "auto-hsts");
    if (code == CTL_OK)
        code = check_pair(ctl->hsts, "hsts", ctl->no_hsts, "no-hsts");
    if (code == CTL_OK)
        code = check_pair(ctl->auto_hsts, "auto-hsts",
            ctl->no_auto_hsts || ctl->no_hsts,
            ctl->no_hsts ? "no-hsts" : "no-auto-hsts");
    if (code == CTL_OK)
        code = check_pair(ctl->uir, "uir", ctl->no_uir, "no-uir");
    if (code != CTL_OK)
        return code;
    if (changes(ctl) && ctl->cert_names.n == 0)
        return ctl_fail(CTL_USAGE,
            "say of which lineage, by --cert-name NAME; acmectl certificates "
            "lists them");
    if (ctl->staple_ocsp)
        return ctl_fail(CTL_FAILED,
            "staple-ocsp is no enhancement of a lineage: write acme_stapling "
            "(nginx) or ACMEStapling (Apache httpd) into the server's "
            "configuration; supported are " SUPPORTED);
    return CTL_OK;
}

/* ---- changing --------------------------------------------------------- */

static void
warn(const char *name, const char *what, const char *text)
{
    (void)ctl_fail(CTL_OK, "%s: %s %s", name, what, text);
}

/* One of them on, or taken back; what is so already is told. */
static void
set(const char *name, const char *what, bool on, bool off, bool is_on)
{
    if (on && is_on)
        warn(name, what, "is on already");
    if (off && !is_on)
        warn(name, what, "is not on");
}

static struct acme_enhance
apply(const struct ctl *ctl, const char *name,
    const struct acme_enhance *before)
{
    const enum acme_hsts_mode mode = before->hsts.mode;
    struct acme_enhance after = *before;

    set(name, "redirect", ctl->redirect, ctl->no_redirect,
        before->redirect != ACME_REDIRECT_UNSAID);
    set(name, "hsts", ctl->hsts, ctl->no_hsts && mode == ACME_HSTS_UNSAID,
        mode == ACME_HSTS_FIXED);
    set(name, "auto-hsts", ctl->auto_hsts, ctl->no_auto_hsts,
        mode == ACME_HSTS_AUTO);
    set(name, "uir", ctl->uir, ctl->no_uir,
        before->upgrade != ACME_UPGRADE_UNSAID);
    if (ctl->redirect || ctl->no_redirect)
        after.redirect =
            ctl->redirect ? ACME_REDIRECT_PERMANENT : ACME_REDIRECT_UNSAID;
    if (ctl->no_hsts || (ctl->no_auto_hsts && mode == ACME_HSTS_AUTO))
        memset(&after.hsts, 0, sizeof(after.hsts));
    if (ctl->auto_hsts && mode != ACME_HSTS_AUTO)
        after.hsts = (struct acme_hsts){ .mode = ACME_HSTS_AUTO };
    if (ctl->hsts && mode != ACME_HSTS_FIXED)
        after.hsts = (struct acme_hsts){ .mode = ACME_HSTS_FIXED,
            .max_age = ACME_HSTS_LONG };
    if (ctl->uir || ctl->no_uir)
        after.upgrade = ctl->uir ? ACME_UPGRADE_ON : ACME_UPGRADE_UNSAID;
    return after;
}

/* Who is to do it, and when. */
static void
tell_servers(const struct enhance *enhance, const char *name)
{
    struct acme_buf by;
    bool any;

    acme_buf_init(&by, ACME_STATE_JSON_MAX);
    any = ctl_lineage_declarers(enhance->store, name, true, &by) > 0;
    acme_buf_clear(&by);
    if (!any)
        warn(name, "is served by no server",
            "of this state directory; one that is configured to do so will "
            "see what was said now");
    else if (!enhance->ctl->quiet && enhance->results == NULL)
        (void)printf("%s: kept; %s, unless a directive of theirs says "
                     "something else, and once there is a valid "
                     "certificate\n",
            name,
            ctl_servers_running(enhance->store) > 0
                ? "servers that run do so within two seconds"
                : "servers do so when they run");
}

static int
change(const struct enhance *enhance, const char *name,
    struct acme_settings *settings)
{
    const struct acme_enhance after =
        apply(enhance->ctl, name, &settings->enhance);
    struct acme_error err;

    if (!acme_settings_enhance(settings, &after, enhance->now))
        return CTL_OK;
    acme_error_clear(&err);
    if (acme_store_settings_write(enhance->store, name, settings, &err) !=
        ACME_OK)
        return ctl_fail(CTL_FAILED, "%s: nothing was changed: %s", name,
            err.what);
    tell_servers(enhance, name);
    return CTL_OK;
}

/* ---- showing ---------------------------------------------------------- */

static void
show_growing(const struct enhance *enhance, const struct acme_settings *said,
    time_t issued)
{
    const unsigned age =
        acme_hsts_auto(said->hsts_since, issued, enhance->now);
    const time_t next = acme_hsts_auto_next(said->hsts_since, enhance->now);
    char since[ACME_TIME_TEXT], until[ACME_TIME_TEXT];

    (void)printf("    auto-hsts: %s, max-age=%u, since %s",
        said->enhance.hsts.mode == ACME_HSTS_AUTO ? "on"
                                                  : "by a server's directive",
        age, acme_time_format(said->hsts_since, since));
    if (next != 0)
        (void)printf("; max-age=%u from %s",
            acme_hsts_auto(said->hsts_since, issued, next),
            acme_time_format(next, until));
    else if (age != ACME_HSTS_LONG)
        (void)printf("; max-age=%d when it is renewed", ACME_HSTS_LONG);
    (void)printf("\n");
}

static void
show(const struct enhance *enhance, const char *name,
    const struct acme_settings *said, time_t issued)
{
    char text[ACME_HSTS_TEXT];
    const struct acme_enhance *enhanced = &said->enhance;

    (void)printf("%s\n    redirect: %s\n    hsts: %s\n", name,
        enhanced->redirect != ACME_REDIRECT_UNSAID
            ? acme_redirect_word(enhanced->redirect)
            : "not on",
        enhanced->hsts.mode == ACME_HSTS_FIXED
            ? acme_hsts_text(&enhanced->hsts, enhanced->hsts.max_age, text)
            : "not on");
    if (said->hsts_since != 0)
        show_growing(enhance, said, issued);
    else
        (void)printf("    auto-hsts: not on\n");
    (void)printf("    uir: %s\n",
        enhanced->upgrade == ACME_UPGRADE_ON ? "on" : "not on");
}

static void
put(const struct enhance *enhance, const char *name,
    const struct acme_settings *said, time_t issued)
{
    const struct acme_enhance *enhanced = &said->enhance;
    struct acme_json *one = acme_json_object();

    acme_json_set_str(one, "name", name);
    acme_json_set_bool(one, "redirect",
        enhanced->redirect != ACME_REDIRECT_UNSAID);
    acme_json_set_bool(one, "hsts", enhanced->hsts.mode == ACME_HSTS_FIXED);
    acme_json_set_bool(one, "auto_hsts",
        enhanced->hsts.mode == ACME_HSTS_AUTO);
    acme_json_set_bool(one, "uir", enhanced->upgrade == ACME_UPGRADE_ON);
    if (said->hsts_since != 0) {
        acme_json_set_time(one, "auto_hsts_since", said->hsts_since);
        acme_json_set_int(one, "auto_hsts_max_age",
            acme_hsts_auto(said->hsts_since, issued, enhance->now));
    }
    acme_json_append(enhance->results, one);
}

/* When what is live was obtained; 0: not known. */
static time_t
issued_at(const struct enhance *enhance, const char *name)
{
    struct acme_version version;
    struct acme_error ignored;
    time_t issued = 0;
    size_t i;

    acme_error_clear(&ignored);
    acme_version_init(&version);
    (void)acme_store_live_read(enhance->store, name, &version, &ignored);
    for (i = 0; i < version.npairs; i++)
        if (i == 0 || version.pair[i].origin.obtained < issued)
            issued = version.pair[i].origin.obtained;
    acme_version_clear(&version);
    return issued;
}

/* ---- one lineage ------------------------------------------------------ */

static int
read_settings(const struct enhance *enhance, const char *name,
    struct acme_settings **settings)
{
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = acme_store_settings_read(enhance->store, name, settings, &err);
    if (rc == ACME_NOENT) {
        *settings = acme_settings_new();
        rc = *settings != NULL ? ACME_OK : ACME_NOMEM;
    }
    return rc == ACME_OK
               ? CTL_OK
               : ctl_fail(CTL_FAILED, "%s: its settings: %s", name, err.what);
}

static int
enhance_one(const struct enhance *enhance, const char *name)
{
    const bool changing = changes(enhance->ctl);
    struct acme_settings *settings = NULL;
    int lock = -1, code = CTL_OK;

    if (changing)
        code = ctl_lineage_lock(enhance->ctl, enhance->store, name, &lock);
    if (code == CTL_OK)
        code = read_settings(enhance, name, &settings);
    if (code == CTL_OK && changing)
        code = change(enhance, name, settings);
    if (code == CTL_OK && enhance->results != NULL)
        put(enhance, name, settings, issued_at(enhance, name));
    else if (code == CTL_OK && !changing)
        show(enhance, name, settings, issued_at(enhance, name));
    acme_settings_free(settings);
    if (lock != -1)
        (void)close(lock);
    return code;
}

/* All of them; one that cannot be read does not hide the others. */
static enum acme_rc
visit(void *ctx, const char *name, struct acme_error *err)
{
    struct enhance *enhance = ctx;
    int code = enhance_one(enhance, name);

    (void)err;
    if (code != CTL_OK)
        enhance->code = code;
    return ACME_OK;
}

static int
run(struct enhance *enhance)
{
    const struct ctl_words *names = &enhance->ctl->cert_names;
    struct acme_error err;
    int code = CTL_OK;
    size_t i;

    acme_error_clear(&err);
    for (i = 0; i < names->n && code == CTL_OK; i++)
        code = ctl_lineage_need(enhance->store, names->word[i]);
    for (i = 0; i < names->n && code == CTL_OK; i++)
        code = enhance_one(enhance, names->word[i]);
    if (names->n == 0 &&
        ctl_lineages(enhance->store, visit, enhance, &err) != ACME_OK)
        code = ctl_fail(CTL_FAILED, "%s", err.what);
    return code != CTL_OK ? code : enhance->code;
}

int
ctl_enhance(struct ctl *ctl)
{
    struct enhance enhance = { .ctl = ctl, .now = time(NULL) };
    int code = check_usage(ctl);

    if (code == CTL_OK)
        code = changes(ctl) ? ctl_open_changing(ctl, &enhance.store)
                            : ctl_open_one(ctl, &enhance.store);
    if (code == CTL_OK) {
        enhance.results = ctl->json ? acme_json_array() : NULL;
        code = run(&enhance);
    }
    if (enhance.results != NULL)
        (void)ctl_print_json(enhance.results);
    else if (code == CTL_OK && !changes(ctl))
        (void)printf("supported: " SUPPORTED "\n");
    acme_store_close(enhance.store);
    return code;
}
