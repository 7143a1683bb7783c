/*
 * What the objects below the state directory mean together: whether every
 * lineage has the version that its link names, whether pairs are pairs, and
 * whether somebody can sign for every account.
 */
#include "state/acme_store_check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_name.h"
#include "state/acme_store_private.h"

/* A mark that is older than this is nobody's work any more (seconds). */
#define PENDING_AGE 60

/* One lineage, while it is looked at. */
struct look {
    struct acme_store_check *check;
    const char *name;
    bool locked;   /* we hold its lock */
    bool declared; /* somebody wants it */
    unsigned live;
    enum acme_rc live_rc;
    struct acme_error live_err;
};

static enum acme_rc
tell(const struct look *look, enum acme_ailment ailment, bool repaired,
    const char *path, const char *what, const char *cure,
    struct acme_error *err)
{
    struct acme_finding finding = { .ailment = ailment,
        .wrong = true,
        .repaired = repaired,
        .cure = repaired ? "" : cure };

    (void)snprintf(finding.what, sizeof(finding.what), "%s", what);
    return acme_store_check_tell(look->check, &finding, path, err);
}

/* ---- versions --------------------------------------------------------- */

static enum acme_rc
read_chain(const struct acme_store *store, const char *path,
    struct acme_buf *der, struct acme_error *err)
{
    struct acme_chain *chain = NULL;
    struct acme_buf pem;
    enum acme_rc rc;

    acme_buf_init(&pem, ACME_STATE_PEM_MAX);
    rc = acme_store_read(store, path, ACME_STATE_PEM_MAX, &pem, err);
    /* a leaf of a CA without intermediates has an empty chain.pem */
    if (rc == ACME_OK && pem.len > 0)
        rc = acme_chain_from_pem(acme_buf_str(&pem), pem.len, &chain, err);
    if (rc == ACME_OK && chain != NULL)
        rc = acme_chain_to_der(chain, 0, 0, der, err);
    acme_chain_free(chain);
    acme_buf_clear(&pem);
    return rc;
}

/* cert.pem and chain.pem, which other programs are pointed at, are what
 * fullchain.pem is. */
static enum acme_rc
compare_files(const struct acme_store *store, const char *dir,
    const char *extra, const struct acme_buf *full, struct acme_error *err)
{
    static const char *const stems[] = { "cert", "chain" };
    char path[ACME_STORE_PATH_MAX];
    struct acme_error why;
    struct acme_buf both;
    enum acme_rc rc = ACME_OK;
    size_t i;

    acme_error_clear(&why);
    acme_buf_init(&both, 2 * (size_t)ACME_STATE_PEM_MAX);
    for (i = 0; i < 2 && rc == ACME_OK; i++) {
        rc = acme_store_file_path(path, dir, stems[i], extra, &why);
        if (rc == ACME_OK)
            rc = read_chain(store, path, &both, &why);
    }
    if (rc != ACME_OK)
        rc = acme_store_damaged(err, path, &why);
    else if (both.len != full->len ||
             memcmp(both.data, full->data, both.len) != 0)
        rc = acme_error_set(err, ACME_IO,
            "cert.pem and chain.pem together are not fullchain.pem");
    acme_buf_clear(&both);
    return rc;
}

static enum acme_rc
look_at_files(const struct look *look, const struct acme_version *version,
    struct acme_error *err)
{
    char dir[ACME_STORE_VERSION_MAX];
    enum acme_rc rc = ACME_OK;
    size_t i;

    acme_store_version_path(dir, look->name, version->number);
    for (i = 0; i < version->npairs && rc == ACME_OK; i++)
        rc = compare_files(look->check->store, dir,
            i == 0 ? NULL : acme_key_algorithm(version->pair[i].type),
            &version->pair[i].chain, err);
    return rc;
}

static enum acme_rc
look_at_version(const struct look *look, unsigned number,
    struct acme_error *err)
{
    struct acme_finding finding = { .ailment = ACME_AILMENT_VERSION };
    char path[ACME_STORE_VERSION_MAX];
    struct acme_version version;
    struct acme_error why;
    enum acme_rc rc;

    look->check->nversions++;
    acme_error_clear(&why);
    acme_version_init(&version);
    acme_store_version_path(path, look->name, number);
    rc = acme_store_version_read(look->check->store, look->name, number,
        &version, &why);
    if (rc == ACME_OK)
        rc = look_at_files(look, &version, &why);
    acme_version_clear(&version);
    if (rc == ACME_NOMEM)
        return acme_error_nomem(err);
    if (rc == ACME_OK)
        return ACME_OK;
    finding.wrong = look->live_rc == ACME_OK && look->live == number;
    finding.cure =
        finding.wrong
            ? "it is the live one: acmectl renew --force replaces it"
            : "nothing serves it, and there is no way back to it; it goes "
              "when newer ones have come";
    (void)snprintf(finding.what, sizeof(finding.what), "%s", why.what);
    return acme_store_check_tell(look->check, &finding, path, err);
}

/* What acme_store_recover() would go on with: nothing below live. */
static enum acme_rc
look_at_mark(const struct look *look, unsigned number, struct acme_error *err)
{
    char path[ACME_STORE_VERSION_MAX + 16];
    struct stat st;

    if (look->live_rc == ACME_OK && number < look->live)
        return ACME_OK;
    acme_store_version_path(path, look->name, number);
    (void)snprintf(path + strlen(path), 16, "/pending");
    if (fstatat(look->check->store->fd, path, &st, AT_SYMLINK_NOFOLLOW) ==
            -1 ||
        (!look->locked && st.st_mtime > look->check->now - PENDING_AGE))
        return ACME_OK;
    return tell(look, ACME_AILMENT_PENDING, false, path,
        "the program that wrote this version ended before it was live",
        "the next renewal goes on with it, or --repair does", err);
}

static enum acme_rc
look_at_versions(const struct look *look, const struct acme_store_numbers *all,
    struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < all->count && rc == ACME_OK; i++) {
        rc = look_at_version(look, all->number[i], err);
        if (rc == ACME_OK)
            rc = look_at_mark(look, all->number[i], err);
    }
    return rc;
}

/* ---- the live link ---------------------------------------------------- */

/* The newest that is sound. */
static unsigned
newest_of(const struct look *look, const struct acme_store_numbers *all,
    struct acme_error *why)
{
    struct acme_version version;
    enum acme_rc rc = ACME_NOENT;
    size_t i;

    acme_version_init(&version);
    for (i = 0; i < all->count && rc != ACME_OK && rc != ACME_NOMEM; i++)
        rc = acme_store_version_read(look->check->store, look->name,
            all->number[i], &version, why);
    acme_version_clear(&version);
    return rc == ACME_OK ? all->number[i - 1] : 0;
}

/* The one that servers fall back to, which a repair makes the live one: what
 * is served stays the same. */
static unsigned
fallback_of(const struct look *look, struct acme_error *why)
{
    struct acme_version version;
    unsigned number = 0;

    acme_version_init(&version);
    if (acme_store_live_read(look->check->store, look->name, &version, why) ==
        ACME_OK)
        number = version.number;
    acme_version_clear(&version);
    return number;
}

static enum acme_rc
tell_of_link(const struct look *look, unsigned sound, bool repaired,
    struct acme_error *err)
{
    const bool dangles = look->live_err.rc != ACME_NOENT;
    char path[ACME_STORE_PATH_MAX], what[512];

    (void)snprintf(path, sizeof(path), "live/%s", look->name);
    if (sound == 0)
        (void)snprintf(what, sizeof(what), "%.400s; nothing can be served",
            look->live_err.what);
    else
        (void)snprintf(what, sizeof(what), "%.380s; %s version %u%s",
            look->live_err.what,
            repaired  ? "now it is"
            : dangles ? "servers use"
                      : "nothing is served, though there is",
            sound, dangles && !repaired ? " instead" : "");
    return tell(look, ACME_AILMENT_LIVE, repaired, path, what,
        sound != 0 ? "acmectl relink, or --repair, makes that the live one"
                   : "acmectl renew --force gets a new certificate; or "
                     "restore a backup",
        err);
}

static enum acme_rc
relink(struct look *look, unsigned sound, struct acme_error *err)
{
    struct acme_error why;
    bool repaired = false;

    acme_error_clear(&why);
    if (look->locked && sound != 0)
        repaired = acme_store_switch(look->check->store, look->name, sound,
                       &why) == ACME_OK;
    if (why.rc == ACME_NOMEM)
        return acme_error_nomem(err);
    if (repaired) {
        look->live = sound;
        look->live_rc = ACME_OK;
    }
    return tell_of_link(look, sound, repaired, err);
}

/* One without a link that nobody wants is half deleted. */
static enum acme_rc
look_at_absent_link(struct look *look, const struct acme_store_numbers *all,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_error why;
    unsigned sound;

    if (all->count == 0)
        return ACME_OK;
    (void)snprintf(path, sizeof(path), "live/%s", look->name);
    if (!look->declared)
        return tell(look, ACME_AILMENT_ORPHAN, false, path,
            "there is no live link, and nobody wants this certificate any "
            "more",
            "acmectl delete removes what is left, acmectl relink brings it "
            "back",
            err);
    acme_error_clear(&why);
    sound = newest_of(look, all, &why);
    if (why.rc == ACME_NOMEM)
        return acme_error_nomem(err);
    (void)snprintf(look->live_err.what, sizeof(look->live_err.what),
        "there is no live link");
    return relink(look, sound, err);
}

/* One that is not ours was made by somebody, for whatever reason. */
static enum acme_rc
look_at_link(struct look *look, const struct acme_store_numbers *all,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_error why;
    unsigned sound;

    if (look->live_rc == ACME_NOENT)
        return look_at_absent_link(look, all, err);
    (void)snprintf(path, sizeof(path), "live/%s", look->name);
    if (look->live_rc != ACME_OK)
        return tell(look, ACME_AILMENT_PLANTED, false, path,
            look->live_err.what,
            "find out who made it, remove it, and use acmectl relink", err);
    acme_error_clear(&why);
    sound = fallback_of(look, &why);
    if (why.rc == ACME_NOMEM)
        return acme_error_nomem(err);
    if (sound == look->live)
        return ACME_OK;
    look->live_err = why;
    return relink(look, sound, err);
}

/* ---- one lineage ------------------------------------------------------ */

static enum acme_rc
look_at_settings(struct look *look, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_settings *settings = NULL;
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    rc = acme_store_settings_read(look->check->store, look->name, &settings,
        &why);
    look->declared = rc == ACME_OK && settings->ndeclared > 0;
    acme_settings_free(settings);
    if (rc == ACME_NOMEM)
        return acme_error_nomem(err);
    if (rc == ACME_OK || rc == ACME_NOENT)
        return ACME_OK;
    (void)snprintf(path, sizeof(path), "renewal/%s.json", look->name);
    return tell(look, ACME_AILMENT_DAMAGED, false, path, why.what,
        "reload the server that declares it, which writes it again", err);
}

/* What a crash left half-made; *moved: live is another version now. */
static enum acme_rc
recover(const struct look *look, struct acme_error *err)
{
    struct acme_store *store = look->check->store;
    char path[ACME_STORE_PATH_MAX];
    struct acme_error why;
    bool moved = false, settled = acme_store_is_settled(store, look->name);
    enum acme_rc rc;

    acme_error_clear(&why);
    rc = acme_store_recover(store, look->name, &moved, &why);
    if (rc == ACME_NOMEM)
        return acme_error_nomem(err);
    (void)snprintf(path, sizeof(path), "archive/%s", look->name);
    if (moved)
        return tell(look, ACME_AILMENT_PENDING, true, path,
            "the newest version is complete but was not live; now it is", "",
            err);
    if (rc == ACME_OK && !settled && acme_store_is_settled(store, look->name))
        return tell(look, ACME_AILMENT_TEMPORARY, true, path,
            "what a crash had left was removed", "", err);
    return ACME_OK; /* what it could not do is found below */
}

static enum acme_rc
take_lock(struct look *look, int *lock, struct acme_error *err)
{
    struct acme_finding finding = { .ailment = ACME_AILMENT_LOCKED,
        .cure = "run acmectl doctor --repair again when that is done" };
    char path[ACME_STORE_PATH_MAX];
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    rc =
        acme_store_lock(look->check->store, "lineage", look->name, lock, &why);
    look->locked = rc == ACME_OK;
    if (look->locked)
        return ACME_OK;
    (void)snprintf(path, sizeof(path), "locks/lineage-%s", look->name);
    (void)snprintf(finding.what, sizeof(finding.what),
        "nothing of this lineage is repaired: %.460s", why.what);
    return acme_store_check_tell(look->check, &finding, path, err);
}

static enum acme_rc
look_at_lineage(struct look *look, struct acme_error *err)
{
    struct acme_store_numbers all = { 0, 0, NULL };
    struct acme_error why;
    enum acme_rc rc = ACME_OK;

    look->check->nlineages++;
    acme_error_clear(&look->live_err);
    acme_error_clear(&why);
    if (look->locked)
        rc = recover(look, err);
    if (rc == ACME_OK)
        rc = look_at_settings(look, err);
    look->live_rc = acme_store_live(look->check->store, look->name,
        &look->live, &look->live_err);
    /* an archive that cannot be listed is among the objects */
    if (rc == ACME_OK && acme_store_versions(look->check->store, look->name,
                             &all, &why) == ACME_OK) {
        rc = look_at_link(look, &all, err);
        if (rc == ACME_OK)
            rc = look_at_versions(look, &all, err);
    }
    free(all.number);
    return rc;
}

static enum acme_rc
visit_lineage(void *ctx, const char *name, struct acme_error *err)
{
    struct look look = { .check = ctx, .name = name };
    enum acme_rc rc = ACME_OK;
    int lock = -1;

    if (look.check->repair)
        rc = take_lock(&look, &lock, err);
    if (rc == ACME_OK)
        rc = look_at_lineage(&look, err);
    if (lock != -1)
        close(lock);
    return rc;
}

static bool
is_there(const struct acme_store *store, const char *path)
{
    struct stat st;

    return fstatat(store->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Versions of one that has neither settings nor a link. */
static enum acme_rc
visit_archive(void *ctx, const char *name, struct acme_error *err)
{
    const struct acme_store_check *check = ctx;
    char live[ACME_STORE_PATH_MAX], settings[ACME_STORE_PATH_MAX];
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (acme_store_path(live, "live/", name, "", &ignored) != ACME_OK ||
        acme_store_path(settings, "renewal/", name, ".json", &ignored) !=
            ACME_OK ||
        is_there(check->store, live) || is_there(check->store, settings))
        return ACME_OK;
    return visit_lineage(ctx, name, err);
}

enum acme_rc
acme_store_check_lineages(struct acme_store_check *check,
    struct acme_error *err)
{
    enum acme_rc rc =
        acme_store_lineages(check->store, visit_lineage, check, err);

    if (rc == ACME_OK)
        rc = acme_dir_list(check->store->fd, "archive", visit_archive, check,
            err);
    return rc;
}

/* ---- accounts --------------------------------------------------------- */

struct accounts {
    struct acme_store_check *check;
    bool own_keys; /* somebody has one in a file of his */
};

static enum acme_rc
find_own_keys(void *ctx, const char *name, struct acme_error *err)
{
    struct accounts *accounts = ctx;
    struct acme_settings *settings = NULL;
    struct acme_error ignored;
    size_t i, k;

    (void)err;
    acme_error_clear(&ignored);
    if (acme_store_settings_read(accounts->check->store, name, &settings,
            &ignored) != ACME_OK)
        return ACME_OK;
    for (i = 0; i < settings->ndeclared; i++) {
        const struct acme_declaration *one = &settings->declared[i];

        accounts->own_keys |= one->issuer.key_file != NULL;
        for (k = 0; k < one->nfallbacks; k++)
            accounts->own_keys |= one->fallback[k].key_file != NULL;
    }
    acme_settings_free(settings);
    return ACME_OK;
}

static enum acme_rc
visit_account(void *ctx, const char *id, const struct acme_json *account,
    struct acme_error *err)
{
    struct accounts *accounts = ctx;
    struct acme_finding finding = { .ailment = ACME_AILMENT_KEY,
        .wrong = true };
    char path[ACME_STORE_PATH_MAX];
    struct acme_key *key = NULL;
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    rc = acme_store_key_read(accounts->check->store, id, &key, &why);
    acme_key_unref(key);
    if (rc == ACME_OK)
        return ACME_OK;
    if (rc == ACME_NOMEM)
        return acme_error_nomem(err);
    (void)snprintf(path, sizeof(path), "keys/%s.pem", id);
    if (rc == ACME_NOENT) {
        finding.wrong = !accounts->own_keys;
        (void)snprintf(finding.what, sizeof(finding.what),
            "the key of the account %.200s is not here%s",
            acme_json_str(account, "url"),
            accounts->own_keys ? "; it may be a file of the operator's" : "");
        finding.cure = finding.wrong
                           ? "restore it from a backup; else servers make "
                             "another account"
                           : "";
    } else {
        (void)snprintf(finding.what, sizeof(finding.what), "%s", why.what);
        finding.cure = "restore it from a backup";
    }
    return acme_store_check_tell(accounts->check, &finding, path, err);
}

/* Challenges that nobody here can answer, a line each. */
static enum acme_rc
look_at_challenges(struct acme_store_check *check, struct acme_error *err)
{
    struct acme_finding finding = { .ailment = ACME_AILMENT_ORPHAN,
        .cure = "the next attempt makes a new order" };
    struct acme_area_token *tokens = NULL;
    struct acme_buf problems;
    enum acme_rc rc;
    size_t n = 0, len;
    const char *line;

    acme_buf_init(&problems, ACME_STATE_JSON_MAX);
    rc = acme_store_tokens(check->store, &tokens, &n, &problems, err);
    free(tokens);
    line = acme_buf_str(&problems);
    for (; rc == ACME_OK && *line != '\0'; line += len + (line[len] != '\0')) {
        len = strcspn(line, "\n");
        (void)snprintf(finding.what, sizeof(finding.what), "%.*s", (int)len,
            line);
        rc = acme_store_check_tell(check, &finding, "orders", err);
    }
    acme_buf_clear(&problems);
    return rc;
}

enum acme_rc
acme_store_check_accounts(struct acme_store_check *check,
    struct acme_error *err)
{
    struct accounts accounts = { check, false };
    enum acme_rc rc;

    rc = acme_store_lineages(check->store, find_own_keys, &accounts, err);
    if (rc == ACME_OK)
        rc = acme_store_accounts(check->store, visit_account, &accounts, err);
    return rc == ACME_OK ? look_at_challenges(check, err) : rc;
}
