/*
 * Every object below the state directory, one by one: what it is, whose, and
 * who may read it.  What lineages and accounts mean by them is in
 * acme_store_check_lineages.c.
 */
#define _GNU_SOURCE /* O_PATH */
#include "state/acme_store_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "state/acme_dir_private.h"
#include "state/acme_store_private.h"

/* Deeper than accounts/HOST/PATH... of any CA, and than anything else. */
#define DEPTH_MAX 24

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const words[ACME_AILMENTS] = {
    [ACME_AILMENT_MODE] = "mode",
    [ACME_AILMENT_OWNER] = "owner",
    [ACME_AILMENT_PLANTED] = "planted",
    [ACME_AILMENT_TEMPORARY] = "temporary",
    [ACME_AILMENT_DAMAGED] = "damaged",
    [ACME_AILMENT_UNKNOWN] = "unknown",
    [ACME_AILMENT_ORPHAN] = "orphan",
    [ACME_AILMENT_PENDING] = "pending",
    [ACME_AILMENT_LIVE] = "live",
    [ACME_AILMENT_VERSION] = "version",
    [ACME_AILMENT_KEY] = "key",
    [ACME_AILMENT_LOCKED] = "locked",
};

const char *
acme_ailment_word(enum acme_ailment ailment)
{
    return words[ailment];
}

enum acme_rc
acme_store_check_tell(struct acme_store_check *check,
    struct acme_finding *finding, const char *path, struct acme_error *err)
{
    char clean[sizeof(finding->what)];

    acme_log_clean(finding->path, sizeof(finding->path), path, strlen(path));
    acme_log_clean(clean, sizeof(clean), finding->what, strlen(finding->what));
    memcpy(finding->what, clean, sizeof(clean));
    return check->visit(check->ctx, finding, err);
}

/* ---- what belongs where ----------------------------------------------- */

/* What is at the top, and the permission bits that may be there. */
static const struct place {
    const char *name;
    mode_t dirs, files;
    bool of_lineages; /* its entries are named by lineages or units */
} places[] = {
    { "format", 0, 0600, false },
    { "accounts", 0700, 0600, false },
    { "keys", 0700, 0600, false },
    /* certificates are no secret, and a key group may be given */
    { "archive", 0750, 0644, false },
    { "live", 0750, 0600, false },
    { "renewal", 0700, 0600, false },
    { "record", 0700, 0600, true },
    { "orders", 0700, 0600, true },
    { "ledger", 0700, 0600, false },
    { "locks", 0700, 0600, false },
    { "servers", 0700, 0600, false },
    { "revoked", 0700, 0600, false },
    { "staples", 0700, 0600, true },
    { "told", 0700, 0600, true },
    { "due", 0700, 0600, true },
    { "due-mirror", 0700, 0600, true },
    /* programs of the operator's, who may let others read them */
    { "renewal-hooks", 0755, 0755, false },
    { "events.jsonl", 0, 0600, false },
    { "events.1.jsonl", 0, 0600, false },
    { "events.2.jsonl", 0, 0600, false },
};

static const struct place *
place_of(const char *path)
{
    size_t len = strcspn(path, "/"), i;

    for (i = 0; i < COUNT(places); i++)
        if (strlen(places[i].name) == len &&
            memcmp(places[i].name, path, len) == 0)
            return &places[i];
    return NULL;
}

static bool
ends_in(const char *text, const char *end)
{
    size_t len = strlen(text), more = strlen(end);

    return len >= more && strcmp(text + len - more, end) == 0;
}

static const char *
base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static bool
is_temporary(const char *path)
{
    const char *base = base_of(path);

    return base[0] == '.' && strlen(base) > 5 && ends_in(base, ".tmp");
}

/* A group that was given to it on purpose may read it. */
static mode_t
allowed_bits(const struct place *place, const char *path,
    const struct stat *st)
{
    const bool is_key =
        strncmp(base_of(path), "privkey", 7) == 0 || !ends_in(path, ".pem");

    if (S_ISDIR(st->st_mode))
        return place->dirs;
    if (strcmp(place->name, "archive") == 0 && is_key)
        return st->st_gid != getegid() ? 0640 : 0600;
    return place->files;
}

/* ---- one object ------------------------------------------------------- */

static enum acme_rc
tell(struct acme_store_check *check, enum acme_ailment ailment, bool wrong,
    const char *path, const char *what, const char *cure,
    struct acme_error *err)
{
    struct acme_finding finding = { .ailment = ailment,
        .wrong = wrong,
        .cure = cure };

    (void)snprintf(finding.what, sizeof(finding.what), "%s", what);
    return acme_store_check_tell(check, &finding, path, err);
}

static const char *
kind_of(mode_t mode)
{
    if (S_ISLNK(mode))
        return "it is a symbolic link, which is not followed";
    if (S_ISFIFO(mode))
        return "it is a FIFO";
    if (S_ISSOCK(mode))
        return "it is a socket";
    if (S_ISREG(mode))
        return "it is a file where a directory should be";
    if (S_ISDIR(mode))
        return "it is a directory where a file should be";
    return "it is a device";
}

/* Links below live/ are judged with their lineages. */
static bool
is_planted(const struct place *place, const char *path, const struct stat *st)
{
    const bool at_top = strchr(path, '/') == NULL;

    if (at_top)
        return place->dirs != 0 ? !S_ISDIR(st->st_mode)
                                : !S_ISREG(st->st_mode);
    if (S_ISLNK(st->st_mode))
        return strcmp(place->name, "live") != 0 &&
               strcmp(place->name, "renewal-hooks") != 0;
    if (S_ISSOCK(st->st_mode))
        return strcmp(place->name, "servers") != 0;
    return !S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode);
}

/* Of just what was looked at, also if it cannot be opened by its owner. */
static bool
set_mode(const struct acme_store *store, const char *path,
    const struct stat *was, mode_t mode)
{
    const char *base;
    char at[64];
    struct stat st;
    bool done = false;
    int parent = acme_dir_open_parent(store->fd, path, &base), fd;

    if (parent == -1)
        return false;
    fd = openat(parent, base, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    close(parent);
    if (fd == -1)
        return false;
    (void)snprintf(at, sizeof(at), "/proc/self/fd/%d", fd);
    if (fstat(fd, &st) == 0 && st.st_ino == was->st_ino &&
        st.st_dev == was->st_dev && st.st_uid == store->owner)
        done = chmod(at, mode) == 0;
    close(fd);
    return done;
}

static enum acme_rc
look_at_mode(struct acme_store_check *check, const struct place *place,
    const char *path, const struct stat *st, struct acme_error *err)
{
    const mode_t allowed = allowed_bits(place, path, st);
    const mode_t needed = S_ISDIR(st->st_mode) ? 0700 : 0400;
    const mode_t is = st->st_mode & 07777;
    const mode_t should = (is & allowed) | needed;
    struct acme_finding finding = { .ailment = ACME_AILMENT_MODE,
        .wrong = true };

    if (is == should || S_ISLNK(st->st_mode) || S_ISSOCK(st->st_mode))
        return ACME_OK;
    if (check->repair)
        finding.repaired = set_mode(check->store, path, st, should);
    (void)snprintf(finding.what, sizeof(finding.what),
        "its mode %s %04o instead of %04o, %s",
        finding.repaired ? "was" : "is", (unsigned)is, (unsigned)should,
        (is & needed) != needed ? "which keeps its owner out"
                                : "which lets others in");
    finding.cure = finding.repaired ? "" : "chmod it, or let --repair do so";
    return acme_store_check_tell(check, &finding, path, err);
}

/* A young one may be somebody's work. */
static enum acme_rc
look_at_temporary(struct acme_store_check *check, const struct place *place,
    const char *path, const struct stat *st, struct acme_error *err)
{
    struct acme_finding finding = { .ailment = ACME_AILMENT_TEMPORARY,
        .wrong = true,
        .what = "a writer that crashed left it",
        .cure = "--repair removes it" };
    struct acme_error ignored;

    if (st->st_mtime > check->now - ACME_STORE_TEMP_AGE)
        return ACME_OK;
    acme_error_clear(&ignored);
    /* under no lock: what belongs to a lineage is not ours to take */
    if (check->repair && place != NULL &&
        strcmp(place->name, "archive") != 0 &&
        strcmp(place->name, "orders") != 0)
        finding.repaired =
            acme_dir_remove(check->store->fd, path, &ignored) == ACME_OK;
    if (finding.repaired)
        finding.cure = "";
    return acme_store_check_tell(check, &finding, path, err);
}

/* One that is empty was written when the power went: as good as none. */
static enum acme_rc
look_at_json(struct acme_store_check *check, const char *path,
    const struct stat *st, struct acme_error *err)
{
    struct acme_json *json = NULL;
    struct acme_error why;
    enum acme_rc rc;

    if (!ends_in(path, ".json") || st->st_size == 0)
        return ACME_OK;
    acme_error_clear(&why);
    rc = acme_store_json_read(check->store, path, &json, &why);
    acme_json_free(json);
    if (rc == ACME_NOMEM)
        return acme_error_nomem(err);
    if (rc == ACME_OK || rc == ACME_NOENT)
        return ACME_OK;
    return tell(check, ACME_AILMENT_DAMAGED, true, path, why.what,
        "restore it from a backup; without it servers and acmectl go on as "
        "if it were not there",
        err);
}

/* "NAME.json", "NAME.refused.pem", "NAME.der" or "NAME", and the marks of
 * units. */
static bool
lineage_of(const char *base, char lineage[ACME_UNIT_NAME_MAX])
{
    static const char *const ends[] = { ".json", ".refused.pem", ".der",
        "~trial", "~rsa" };
    struct acme_error ignored;
    size_t i, len;

    if (strlen(base) >= ACME_UNIT_NAME_MAX)
        return false;
    memcpy(lineage, base, strlen(base) + 1);
    for (i = 0; i < COUNT(ends); i++) {
        len = strlen(lineage);
        if (ends_in(lineage, ends[i]) && len > strlen(ends[i]))
            lineage[len - strlen(ends[i])] = '\0';
    }
    acme_error_clear(&ignored);
    return acme_lineage_name_check(lineage, &ignored) == ACME_OK;
}

static bool
is_there(const struct acme_store *store, const char *before, const char *name,
    const char *after)
{
    char path[ACME_STORE_PATH_MAX];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s%s%s", before, name, after);
    return fstatat(store->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static enum acme_rc
look_at_belonging(struct acme_store_check *check, const struct place *place,
    const char *path, struct acme_error *err)
{
    char lineage[ACME_UNIT_NAME_MAX];

    if (!place->of_lineages ||
        strlen(path) != strlen(place->name) + 1 + strlen(base_of(path)))
        return ACME_OK;
    if (!lineage_of(base_of(path), lineage))
        return tell(check, ACME_AILMENT_UNKNOWN, false, path,
            "it is nothing of ours", "remove it if nobody needs it", err);
    if (is_there(check->store, "renewal/", lineage, ".json") ||
        is_there(check->store, "live/", lineage, ""))
        return ACME_OK;
    return tell(check, ACME_AILMENT_ORPHAN, false, path,
        "there is no such lineage any more", "it does no harm; remove it",
        err);
}

static enum acme_rc look_into(struct acme_store_check *check, const char *path,
    unsigned depth, struct acme_error *err);

static enum acme_rc
look_at_sound(struct acme_store_check *check, const struct place *place,
    const char *path, const struct stat *st, unsigned depth,
    struct acme_error *err)
{
    enum acme_rc rc = look_at_mode(check, place, path, st, err);

    if (rc == ACME_OK)
        rc = look_at_belonging(check, place, path, err);
    if (rc == ACME_OK && S_ISREG(st->st_mode))
        rc = look_at_json(check, path, st, err);
    if (rc == ACME_OK && S_ISDIR(st->st_mode) && depth < DEPTH_MAX)
        rc = look_into(check, path, depth + 1, err);
    return rc;
}

static enum acme_rc
look_at(struct acme_store_check *check, const char *path, unsigned depth,
    struct acme_error *err)
{
    const struct place *place = place_of(path);
    struct stat st;

    if (fstatat(check->store->fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
        return ACME_OK; /* somebody was faster */
    check->nobjects++;
    if (is_temporary(path))
        return look_at_temporary(check, place, path, &st, err);
    if (place == NULL && strcmp(path, "lost+found") == 0)
        return ACME_OK;
    if (place == NULL)
        return tell(check, ACME_AILMENT_UNKNOWN, false, path,
            "it is nothing of ours",
            "keep files of others out of the state directory", err);
    if (is_planted(place, path, &st))
        return tell(check, ACME_AILMENT_PLANTED, true, path,
            kind_of(st.st_mode), "find out who made it, and remove it by hand",
            err);
    if (st.st_uid != check->store->owner) {
        char what[100];

        (void)snprintf(what, sizeof(what),
            "it belongs to uid %lu, and is not believed",
            (unsigned long)st.st_uid);
        return tell(check, ACME_AILMENT_OWNER, true, path, what,
            "find out what is in it, then chown it, or remove it", err);
    }
    return look_at_sound(check, place, path, &st, depth, err);
}

static enum acme_rc
look_into(struct acme_store_check *check, const char *path, unsigned depth,
    struct acme_error *err)
{
    char below[ACME_STORE_PATH_MAX];
    struct acme_dir_names names;
    struct acme_error why;
    enum acme_rc rc = ACME_OK;
    size_t i;
    int len;

    acme_error_clear(&why);
    if (acme_dir_names_read(check->store->fd, path, true, &names, &why) !=
        ACME_OK)
        return why.rc == ACME_NOMEM || strcmp(path, ".") == 0
                   ? acme_error_set(err, why.rc, "%s", why.what)
               : why.rc == ACME_NOENT ? ACME_OK
                                      : tell(check, ACME_AILMENT_DAMAGED, true,
                                            path, why.what, "", err);
    for (i = 0; i < names.count && rc == ACME_OK; i++) {
        len =
            strcmp(path, ".") == 0
                ? snprintf(below, sizeof(below), "%s", names.name[i])
                : snprintf(below, sizeof(below), "%s/%s", path, names.name[i]);
        if (len > 0 && (size_t)len < sizeof(below))
            rc = look_at(check, below, depth, err);
    }
    acme_dir_names_free(&names);
    return rc;
}

enum acme_rc
acme_store_check_objects(struct acme_store_check *check,
    struct acme_error *err)
{
    return look_into(check, ".", 0, err);
}
