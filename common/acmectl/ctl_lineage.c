/*
 * What verbs that change a lineage share.
 */
#define _GNU_SOURCE
#include "acmectl/ctl_lineage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "base/acme_time.h"
#include "drive/acme_control.h"
#include "state/acme_dir.h"
#include "state/acme_schedule.h"

/* How often a lock is tried (ms). */
#define LOCK_EVERY_MS 100

/* The middle of what chance does to the time of a renewal. */
#define MIDDLE UINT32_C(0x80000000)

int
ctl_open_changing(struct ctl *ctl, struct acme_store **store)
{
    int code = ctl_find_one(ctl);

    return code == CTL_OK ? ctl_open_writing(ctl, store) : code;
}

/* ---- which ------------------------------------------------------------ */

static bool
is_below(const struct acme_store *store, const char *dir, const char *name,
    const char *suffix)
{
    char path[ACME_LINEAGE_MAX + 64];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix);
    return fstatat(acme_store_fd(store), path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int
ctl_lineage_need(struct acme_store *store, const char *name)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_lineage_name_check(name, &err) != ACME_OK)
        return ctl_fail(CTL_USAGE, "--cert-name: %s", err.what);
    if (is_below(store, "renewal", name, ".json") ||
        is_below(store, "live", name, "") ||
        is_below(store, "archive", name, ""))
        return CTL_OK;
    return ctl_fail(CTL_FAILED,
        "there is no lineage \"%s\"; acmectl certificates lists them", name);
}

struct collected {
    struct acme_dir_names names;
    const char *suffix;
};

static enum acme_rc
collect(void *ctx, const char *entry, struct acme_error *err)
{
    struct collected *all = ctx;
    size_t len = strlen(entry), cut = strlen(all->suffix);
    struct acme_error ignored;
    char *name, **grown;

    if (len <= cut || strcmp(entry + len - cut, all->suffix) != 0)
        return ACME_OK;
    name = strndup(entry, len - cut);
    if (name == NULL)
        return acme_error_nomem(err);
    acme_error_clear(&ignored);
    if (acme_lineage_name_check(name, &ignored) != ACME_OK) {
        free(name);
        return ACME_OK;
    }
    grown = realloc(all->names.name,
        (all->names.count + 1) * sizeof(*all->names.name));
    if (grown == NULL) {
        free(name);
        return acme_error_nomem(err);
    }
    all->names.name = grown;
    all->names.name[all->names.count++] = name;
    return ACME_OK;
}

static int
in_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum acme_rc
ctl_lineages(struct acme_store *store,
    enum acme_rc (*visit)(void *ctx, const char *name, struct acme_error *err),
    void *ctx, struct acme_error *err)
{
    static const char *const dirs[][2] = { { "renewal", ".json" },
        { "live", "" }, { "archive", "" } };
    struct collected all;
    enum acme_rc rc = ACME_OK;
    size_t i;

    memset(&all, 0, sizeof(all));
    for (i = 0; i < 3 && rc == ACME_OK; i++) {
        all.suffix = dirs[i][1];
        rc = acme_dir_list(acme_store_fd(store), dirs[i][0], collect, &all,
            err);
    }
    if (all.names.count > 0)
        qsort(all.names.name, all.names.count, sizeof(*all.names.name),
            in_order);
    for (i = 0; i < all.names.count && rc == ACME_OK; i++)
        if (i == 0 || strcmp(all.names.name[i], all.names.name[i - 1]) != 0)
            rc = visit(ctx, all.names.name[i], err);
    acme_dir_names_free(&all.names);
    return rc;
}

/* ---- the lock --------------------------------------------------------- */

static long long
now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
mend(struct acme_store *store, const char *name)
{
    struct acme_error ignored;
    bool moved = false;

    acme_error_clear(&ignored);
    (void)acme_store_recover(store, name, &moved, &ignored);
    if (moved)
        (void)fprintf(stderr,
            "acmectl: %s: a renewal that was interrupted has been completed\n",
            name);
}

int
ctl_lineage_lock(const struct ctl *ctl, struct acme_store *store,
    const char *name, int *lock)
{
    const struct timespec pause = { 0, LOCK_EVERY_MS * 1000000L };
    const long long until = now_ms() + ctl->lock_timeout * 1000LL;
    struct acme_error err;
    enum acme_rc rc;
    bool told = false;

    for (;;) {
        acme_error_clear(&err);
        rc = acme_store_lock(store, "lineage", name, lock, &err);
        if (rc != ACME_BUSY || now_ms() >= until)
            break;
        if (!told && ctl->verbose)
            (void)fprintf(stderr, "acmectl: %s: waiting, %s\n", name,
                err.what);
        told = true;
        (void)nanosleep(&pause, NULL);
    }
    if (rc == ACME_BUSY)
        return ctl_fail(CTL_LOCKED,
            "%s: somebody is at work on it: %s; try again, or wait longer "
            "with --lock-timeout SECONDS",
            name, err.what);
    if (rc != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s: %s", name, err.what);
    mend(store, name);
    return CTL_OK;
}

/* ---- who wants it ----------------------------------------------------- */

static bool
is_of_server(const char *by)
{
    return strcmp(by, "acmectl") != 0 && strncmp(by, "acmectl:", 8) != 0;
}

static void
add_by(struct acme_buf *by, const char *text)
{
    char clean[300];

    acme_buf_addf(by, "%s%s", by->len > 0 ? ", " : "",
        acme_log_clean(clean, sizeof(clean), text, strlen(text)));
}

size_t
ctl_lineage_declarers(struct acme_store *store, const char *name, bool servers,
    struct acme_buf *by)
{
    struct acme_settings *settings = NULL;
    struct acme_error err;
    size_t i, n = 0;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = acme_store_settings_read(store, name, &settings, &err);
    if (rc == ACME_NOENT)
        return 0;
    if (rc != ACME_OK) {
        add_by(by, "somebody (its settings cannot be read)");
        return 1;
    }
    for (i = 0; i < settings->ndeclared; i++) {
        if (servers && !is_of_server(settings->declared[i].by))
            continue;
        add_by(by, settings->declared[i].by);
        n++;
    }
    acme_settings_free(settings);
    return n;
}

enum acme_rc
ctl_names_of_lines(struct acme_arena *arena, const char *lines,
    struct acme_match_names *names, struct acme_error *err)
{
    const char **list =
        acme_arena_alloc(arena, (strlen(lines) + 1) * sizeof(*list));
    size_t len;

    if (list == NULL)
        return acme_error_nomem(err);
    names->n = 0;
    names->name = list;
    for (; *lines != '\0'; lines += len + (lines[len] == '\n')) {
        len = strcspn(lines, "\n");
        list[names->n] = acme_arena_strndup(arena, lines, len);
        if (list[names->n++] == NULL)
            return acme_error_nomem(err);
    }
    return ACME_OK;
}

static enum acme_rc
count_server(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    size_t *n = ctx;

    (void)server;
    (void)err;
    ++*n;
    return ACME_OK;
}

size_t
ctl_servers_running(struct acme_store *store)
{
    struct acme_error ignored;
    size_t n = 0;

    acme_error_clear(&ignored);
    (void)acme_control_servers(acme_store_fd(store), count_server, &n,
        &ignored);
    return n;
}

/* ---- a version -------------------------------------------------------- */

static enum acme_rc
look_at_pair(struct acme_store *store, const struct acme_pair *pair,
    time_t now, struct ctl_version *version, struct acme_error *err)
{
    struct acme_leaf *leaf = &version->leaf[version->npairs];
    struct acme_chain *chain = NULL;
    struct acme_key *key = NULL;
    struct acme_buf names;
    enum acme_rc rc;
    size_t i;

    acme_buf_init(&names, sizeof(version->names) - 1);
    rc = acme_chain_from_der(pair->chain.data, pair->chain.len, &chain, err);
    if (rc == ACME_OK)
        rc = acme_chain_leaf(chain, leaf, err);
    if (rc == ACME_OK && pair->key.len > 0)
        rc = acme_key_from_der(pair->key.data, pair->key.len, &key, err);
    if (rc != ACME_OK)
        goto done;
    if (version->npairs == 0) {
        struct acme_error ignored;

        acme_error_clear(&ignored);
        (void)acme_chain_names(chain, &names, &ignored);
        for (i = 0; i < names.len; i++)
            if (names.data[i] == '\n')
                names.data[i] = i + 1 < names.len ? ' ' : '\0';
        if (acme_buf_ok(&names))
            (void)snprintf(version->names, sizeof(version->names), "%s",
                acme_buf_str(&names));
    }
    version->type[version->npairs] = pair->type;
    version->origin[version->npairs] = pair->origin;
    version->keyless[version->npairs] = pair->key.len == 0;
    version->expired |= leaf->not_after <= now;
    version->early |= leaf->not_before > now + 3600;
    version->revoked |= acme_store_is_revoked(store, pair->chain.data,
        acme_chain_der_first(pair->chain.data, pair->chain.len));
    version->barred |= key != NULL && acme_store_is_barred(store, key);
    if (version->npairs == 0 || leaf->not_after < version->not_after) {
        version->not_before = leaf->not_before;
        version->not_after = leaf->not_after;
    }
    version->npairs++;

done:
    acme_buf_clear(&names);
    acme_chain_free(chain);
    acme_key_unref(key);
    return rc;
}

bool
ctl_version_look(struct acme_store *store, const char *name, unsigned number,
    time_t now, struct ctl_version *version)
{
    struct acme_version files;
    struct acme_error err;
    enum acme_rc rc;
    size_t i;

    memset(version, 0, sizeof(*version));
    version->number = number;
    acme_error_clear(&err);
    acme_version_init(&files);
    rc = acme_store_version_read(store, name, number, &files, &err);
    for (i = 0; rc == ACME_OK && i < files.npairs; i++)
        rc = look_at_pair(store, &files.pair[i], now, version, &err);
    acme_version_clear(&files);
    if (rc == ACME_OK && version->npairs > 0)
        return true;
    version->damaged = true;
    (void)snprintf(version->damage, sizeof(version->damage), "%s",
        rc == ACME_OK ? "it has no certificate" : err.what);
    return rc != ACME_NOMEM;
}

int
ctl_version_numbers(struct acme_store *store, const char *name,
    unsigned number[CTL_VERSIONS_MAX], size_t *n)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_store_version_numbers(store, name, number, CTL_VERSIONS_MAX, n,
            &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s: %s", name, err.what);
    return CTL_OK;
}

const char *
ctl_version_against(const struct ctl_version *version, char *text, size_t size)
{
    char when[ACME_TIME_TEXT];

    text[0] = '\0';
    if (version->damaged)
        (void)snprintf(text, size, "it is damaged: %s", version->damage);
    else if (version->barred)
        (void)snprintf(text, size, "its key was revoked as compromised");
    else if (version->revoked)
        (void)snprintf(text, size, "it was revoked");
    else if (version->expired)
        (void)snprintf(text, size, "it expired at %s",
            acme_time_format(version->not_after, when));
    else if (version->early)
        (void)snprintf(text, size, "it is not valid before %s",
            acme_time_format(version->not_before, when));
    return text;
}

/* ---- and then --------------------------------------------------------- */

static bool
has_word(const char *words, const char *word)
{
    const size_t len = strlen(word);
    const char *at = words;

    while ((at = strstr(at, word)) != NULL) {
        if ((at == words || at[-1] == ' ') &&
            (at[len] == ' ' || at[len] == '\0'))
            return true;
        at += len;
    }
    return false;
}

/* A name that is wanted and not in it; NULL: none. */
static const char *
missing_name(const struct acme_settings *settings,
    const struct ctl_version *version)
{
    const struct acme_declaration *by;
    size_t i, k;

    if (version->names[0] == '\0')
        return NULL; /* there are too many to be told here */
    for (i = 0; i < settings->ndeclared; i++) {
        by = &settings->declared[i];
        for (k = 0; k < by->nnames; k++)
            if (!has_word(version->names, by->names[k]))
                return by->names[k];
    }
    return NULL;
}

static void
say_time(const struct acme_declaration *by, const struct ctl_version *live,
    time_t now, time_t *at, char *text, size_t size)
{
    char when[ACME_TIME_TEXT];
    time_t one;
    size_t i;

    for (i = 0; i < live->npairs; i++) {
        one = acme_schedule_usual(&by->timing, live->leaf[i].not_before,
            live->leaf[i].not_after, MIDDLE);
        if (*at == 0 || one < *at)
            *at = one;
    }
    if (*at <= now)
        (void)snprintf(text, size,
            "it is due: the next renewal comes at once and is live then");
    else
        (void)snprintf(text, size,
            "the next renewal comes at about %s, unless the CA suggests "
            "another time",
            acme_time_format(*at, when));
}

const char *
ctl_next_renewal(struct acme_store *store, const char *name,
    const struct ctl_version *live, time_t now, time_t *at, char *text,
    size_t size)
{
    struct acme_settings *settings = NULL;
    const char *missing = NULL;
    struct acme_error ignored;
    enum acme_rc rc;

    *at = 0;
    acme_error_clear(&ignored);
    rc = acme_store_settings_read(store, name, &settings, &ignored);
    if (rc == ACME_OK && settings->ndeclared > 0)
        missing = missing_name(settings, live);
    if (rc != ACME_OK || settings->ndeclared == 0)
        (void)snprintf(text, size,
            "nobody declares it, so that it is not renewed");
    else if (acme_schedule_is_manual(&settings->declared[0].timing))
        (void)snprintf(text, size,
            "it is renewed when somebody asks for it, and never else");
    else if (live->revoked || live->barred)
        (void)snprintf(text, size,
            "it was revoked: the next renewal comes at once and is live then");
    else if (missing != NULL)
        (void)snprintf(text, size,
            "it lacks \"%s\": the next renewal comes at once and is live then",
            missing);
    else if (!acme_store_is_settled(store, name))
        (void)snprintf(text, size,
            "an order is on its way, which is gone on with and is live then");
    else
        say_time(&settings->declared[0], live, now, at, text, size);
    acme_settings_free(settings);
    return text;
}

int
ctl_mark_due(struct acme_store *store, const char *name,
    const struct ctl_version *version, bool renews, bool *is_due)
{
    struct acme_settings *settings = NULL;
    struct acme_due due = { .renews = renews };
    struct acme_error err;
    bool mirror = false;
    enum acme_rc rc;
    size_t i;

    acme_error_clear(&err);
    *is_due = false;
    if (acme_store_settings_read(store, name, &settings, &err) == ACME_OK) {
        for (i = 0; i < settings->ndeclared; i++) {
            const struct acme_hooks *hooks = &settings->declared[i].hooks;

            *is_due |= hooks->directories || acme_hooks_any(hooks);
            mirror |= hooks->n[ACME_HOOKS_MIRROR] > 0;
        }
    }
    acme_settings_free(settings);
    if (!*is_due)
        return CTL_OK;
    acme_error_clear(&err);
    memcpy(due.fingerprint, version->leaf[0].fingerprint,
        sizeof(due.fingerprint));
    rc = acme_store_due_write(store, ACME_DUE_DEPLOY, name, &due, &err);
    if (rc == ACME_OK && mirror)
        rc = acme_store_due_write(store, ACME_DUE_MIRROR, name, &due, &err);
    if (rc != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s: %s", name, err.what);
    return CTL_OK;
}

/* ---- saying it -------------------------------------------------------- */

void
ctl_tell_live(const struct ctl *ctl, struct acme_store *store,
    const char *name, const struct ctl_version *version, bool due,
    struct acme_json *result)
{
    const bool runs = ctl_servers_running(store) > 0;
    char until[ACME_TIME_TEXT], text[700];
    time_t at = 0;

    (void)ctl_next_renewal(store, name, version, time(NULL), &at, text,
        sizeof(text));
    if (result != NULL) {
        acme_json_set_str(result, "renewal", text);
        if (at != 0)
            acme_json_set_time(result, "renew_at", at);
    }
    if (result != NULL || ctl->quiet)
        return;
    (void)printf("%s: version %u is live (serial %s, valid until %s)\n", name,
        version->number, version->leaf[0].serial,
        acme_time_format(version->not_after, until));
    (void)printf("%s: %s%s\n", name,
        runs ? "the servers that run serve it within 2 seconds"
             : "no server runs; it is served from the next start on",
        !due   ? ""
        : runs ? ", and run its deploy hooks"
               : ", which runs its deploy hooks");
    (void)printf("%s: %s\n", name, text);
}

int
ctl_note_event(struct acme_store *store, const char *name,
    enum acme_event_kind kind, const struct ctl_version *version,
    const char *text)
{
    struct acme_event event;
    struct acme_error err;

    acme_error_clear(&err);
    acme_event_init(&event, kind);
    event.at = time(NULL);
    (void)snprintf(event.lineage, sizeof(event.lineage), "%s", name);
    if (version != NULL) {
        event.version = version->number;
        event.key = version->type[0];
        event.not_after = version->leaf[0].not_after;
        acme_event_put(event.serial, version->leaf[0].serial);
        acme_event_put(event.issuer, version->origin[0].issuer);
    }
    acme_event_put(event.text, text);
    acme_event_put(event.by, "acmectl");
    if (acme_store_event_write(store, &event, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s: it was done, but not noted: %s", name,
            err.what);
    return CTL_OK;
}
