/*
 * relink (update_symlinks): a live link that is gone, or leads to nothing that
 * can be served, is pointed to the newest version that can.  One that is good
 * is left alone: after a rollback an older version is live on purpose.
 */
#include "acmectl/ctl_lineage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct relink {
    struct ctl *ctl;
    struct acme_store *store;
    struct ctl_version *version;
    struct acme_json *results; /* with --json */
    bool found;
    int code;
};

static void
tell(struct relink *relink, const char *name, const char *text,
    unsigned number, bool ok)
{
    struct acme_json *one;

    if (!ok)
        relink->code = ctl_fail(CTL_FAILED, "%s: %s", name, text);
    if (relink->results != NULL) {
        one = acme_json_object();
        acme_json_set_str(one, "name", name);
        acme_json_set_bool(one, "ok", ok);
        if (number != 0)
            acme_json_set_int(one, "version", number);
        acme_json_set_str(one, "text", text);
        acme_json_append(relink->results, one);
    } else if (ok && !relink->ctl->quiet) {
        (void)printf("%s: %s\n", name, text);
    }
}

/* The newest that is good, else the newest that can be read; 0: none. */
static unsigned
choose(struct relink *relink, const char *name)
{
    unsigned number[CTL_VERSIONS_MAX], sound = 0;
    const time_t now = time(NULL);
    struct acme_error ignored;
    char against[700];
    size_t n = 0, i;

    acme_error_clear(&ignored);
    (void)acme_store_version_numbers(relink->store, name, number,
        CTL_VERSIONS_MAX, &n, &ignored);
    for (i = 0; i < n; i++) {
        if (!ctl_version_look(relink->store, name, number[i], now,
                relink->version) ||
            relink->version->damaged)
            continue;
        if (ctl_version_against(relink->version, against,
                sizeof(against))[0] == '\0')
            return number[i];
        if (sound == 0)
            sound = number[i];
    }
    return sound;
}

/* Something else than a link is somebody's, and may be all that he has. */
static bool
is_replaceable(const struct relink *relink, const char *name)
{
    char path[ACME_LINEAGE_MAX + 16];
    struct stat st;

    (void)snprintf(path, sizeof(path), "live/%s", name);
    return fstatat(acme_store_fd(relink->store), path, &st,
               AT_SYMLINK_NOFOLLOW) == -1 ||
           S_ISLNK(st.st_mode);
}

static void
repair(struct relink *relink, const char *name, const struct acme_error *why)
{
    unsigned number = choose(relink, name);
    struct acme_error err;
    char text[900];
    bool due = false;

    acme_error_clear(&err);
    if (!is_replaceable(relink, name)) {
        (void)snprintf(text, sizeof(text),
            "live/%s is no symbolic link: find out what it is, move it away, "
            "and use relink again",
            name);
        tell(relink, name, text, 0, false);
        return;
    }
    if (number == 0) {
        (void)snprintf(text, sizeof(text),
            "no version in archive/%s can be read (%s); acmectl renew --force "
            "gets a new certificate, or restore a backup",
            name, why->what);
        tell(relink, name, text, 0, false);
        return;
    }
    (void)ctl_version_look(relink->store, name, number, time(NULL),
        relink->version);
    if (ctl_mark_due(relink->store, name, relink->version, true, &due) !=
            CTL_OK ||
        acme_store_switch(relink->store, name, number, &err) != ACME_OK) {
        tell(relink, name, err.what, 0, false);
        return;
    }
    (void)snprintf(text, sizeof(text), "live/%s now is version %u (%.500s)",
        name, number, why->rc == ACME_NOENT ? "there was no link" : why->what);
    tell(relink, name, text, number, true);
}

/* ACME_OK: it is good. */
static enum acme_rc
look(struct relink *relink, const char *name, unsigned *live,
    struct acme_error *why)
{
    struct acme_version version;
    enum acme_rc rc;

    rc = acme_store_live(relink->store, name, live, why);
    if (rc != ACME_OK)
        return rc;
    acme_version_init(&version);
    rc = acme_store_version_read(relink->store, name, *live, &version, why);
    acme_version_clear(&version);
    return rc;
}

static enum acme_rc
relink_one(void *ctx, const char *name, struct acme_error *err)
{
    struct relink *relink = ctx;
    const char *wanted = relink->ctl->cert_name;
    struct acme_error why;
    unsigned live = 0;
    size_t n = 0;
    enum acme_rc rc;
    int lock = -1, code;

    if (wanted != NULL && strcmp(wanted, name) != 0)
        return ACME_OK;
    relink->found = true;
    code = ctl_lineage_lock(relink->ctl, relink->store, name, &lock);
    if (code != CTL_OK) {
        relink->code = code;
        return ACME_OK;
    }
    acme_error_clear(&why);
    rc = look(relink, name, &live, &why);
    if (rc == ACME_NOENT) {
        struct acme_error ignored;
        unsigned newest = 0;

        acme_error_clear(&ignored);
        (void)acme_store_version_numbers(relink->store, name, &newest, 1, &n,
            &ignored);
    }
    if (rc == ACME_NOMEM)
        (void)acme_error_nomem(err);
    else if (rc == ACME_OK)
        tell(relink, name, "live as it should be", live, true);
    else if (rc == ACME_NOENT && n == 0)
        tell(relink, name, "no certificate yet", 0, true);
    else
        repair(relink, name, &why);
    (void)close(lock);
    return rc == ACME_NOMEM ? rc : ACME_OK;
}

int
ctl_relink(struct ctl *ctl)
{
    struct relink relink = { .ctl = ctl, .code = CTL_OK };
    struct acme_error err;
    int code;

    code = ctl_open_changing(ctl, &relink.store);
    if (code == CTL_OK && ctl->cert_name != NULL)
        code = ctl_lineage_need(relink.store, ctl->cert_name);
    if (code != CTL_OK) {
        acme_store_close(relink.store);
        return code;
    }
    acme_error_clear(&err);
    relink.version = calloc(1, sizeof(*relink.version));
    relink.results = ctl->json ? acme_json_array() : NULL;
    if (relink.version == NULL ||
        ctl_lineages(relink.store, relink_one, &relink, &err) != ACME_OK)
        relink.code = ctl_fail(CTL_FAILED, "%s",
            relink.version == NULL ? "out of memory" : err.what);
    if (relink.results != NULL)
        (void)ctl_print_json(relink.results);
    free(relink.version);
    acme_store_close(relink.store);
    return relink.code;
}
