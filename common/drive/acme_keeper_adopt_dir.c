/*
 * What nginx's own ACME module has left for an issuer in a directory of its
 * own: account.key, and NAME-HASH.crt with NAME-HASH.key for each certificate.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_keeper_private.h"
#include "state/acme_dir.h"

/* Certificates read from one directory: as many as a large server has. */
#define FILES_MAX 16384

/* A certificate there. */
struct file {
    char *name; /* "a.test-0123456789abcdef" */
    struct acme_buf chain, key;
};

struct acme_adopted {
    struct acme_buf account_key;
    size_t nfiles;
    struct file *file; /* by name */
};

/* An open directory of somebody else's. */
struct place {
    int fd;
    mode_t mode;
    uid_t server_uid;
};

/* ---- before the sandbox: bytes ---------------------------------------- */

static bool
is_known_owner(const struct place *place, uid_t uid)
{
    return uid == 0 || uid == geteuid() ||
           (place->server_uid != 0 && uid == place->server_uid);
}

/* Whoever could have written it is root or the server. */
static enum acme_rc
read_file(const struct place *place, const char *name, struct acme_buf *out,
    struct acme_error *err)
{
    struct stat st;

    if (fstatat(place->fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
        return acme_error_set(err, ACME_NOENT, "\"%s\" is not there", name);
    if (!is_known_owner(place, st.st_uid))
        return acme_error_set(err, ACME_IO,
            "\"%s\" belongs to uid %lu, neither to root nor to the server",
            name, (unsigned long)st.st_uid);
    if ((st.st_mode & 022) != 0 && (place->mode & 011) != 0)
        return acme_error_set(err, ACME_IO,
            "\"%s\" could have been written by others; chmod go-w it if it "
            "was not",
            name);
    return acme_dir_read(place->fd, name, st.st_uid, ACME_STATE_PEM_MAX, out,
        err);
}

static enum acme_rc
open_place(const struct acme_config *config, const char *path,
    struct place *place, struct acme_error *err)
{
    struct acme_error ignored;
    struct stat st;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    place->server_uid = config->server_uid;
    rc = acme_dir_open(path, geteuid(), false, &place->fd, &ignored);
    if (rc != ACME_OK && rc != ACME_NOENT && config->server_uid != 0)
        rc = acme_dir_open(path, config->server_uid, false, &place->fd, err);
    else if (rc != ACME_OK)
        (void)acme_error_set(err, rc, "%s", ignored.what);
    if (rc != ACME_OK)
        return rc;
    place->mode = fstat(place->fd, &st) == 0 ? st.st_mode : 0777;
    if ((place->mode & 022) == 0)
        return ACME_OK;
    close(place->fd);
    place->fd = -1;
    return acme_error_set(err, ACME_IO,
        "others can write in it; chmod go-w it if nobody has");
}

static bool
is_hash(const char *text, size_t len)
{
    return len > 0 && len <= 16 && strspn(text, "0123456789abcdef") >= len;
}

/* "NAME-HASH.crt" of a name that is wanted; how long "NAME-HASH" is, or 0. */
static size_t
is_wanted(const struct acme_config *config, const char *entry)
{
    char name[ACME_NAME_MAX + 1];
    const char *dot = strrchr(entry, '.'), *dash = strrchr(entry, '-');
    size_t lineage, len;

    if (dot == NULL || strcmp(dot, ".crt") != 0 || dash == NULL ||
        dash > dot || !is_hash(dash + 1, (size_t)(dot - dash) - 1))
        return 0;
    len = (size_t)(dash - entry);
    if (len > ACME_NAME_MAX)
        return 0;
    memcpy(name, entry, len);
    name[len] = '\0';
    return acme_config_find_name(config, name, &lineage)
               ? (size_t)(dot - entry)
               : 0;
}

static void
clear_file(struct file *file)
{
    acme_buf_clear(&file->chain);
    acme_buf_clear(&file->key);
    free(file->name);
}

/* Takes a pair in, if it can be read. */
static enum acme_rc
read_pair(struct acme_adopted *adopted, const struct place *place,
    const char *entry, size_t len, struct acme_error *err)
{
    struct file *file = &adopted->file[adopted->nfiles];
    char key[NAME_MAX + 1];
    enum acme_rc rc;

    memset(file, 0, sizeof(*file));
    acme_buf_init(&file->chain, ACME_STATE_PEM_MAX);
    acme_buf_init_secret(&file->key, ACME_STATE_PEM_MAX);
    (void)snprintf(key, sizeof(key), "%.*s.key", (int)len, entry);
    file->name = strndup(entry, len);
    rc = file->name == NULL ? acme_error_nomem(err)
                            : read_file(place, entry, &file->chain, err);
    if (rc == ACME_OK)
        rc = read_file(place, key, &file->key, err);
    if (rc == ACME_OK)
        adopted->nfiles++;
    else
        clear_file(file);
    return rc;
}

static int
compare(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name,
        ((const struct file *)b)->name);
}

static enum acme_rc
read_pairs(struct acme_keeper *keeper, struct acme_adopted *adopted,
    const struct place *place, struct acme_error *err)
{
    struct acme_dir_names names = { 0 };
    struct acme_error why;
    size_t i, len;
    enum acme_rc rc;

    rc = acme_dir_names_read(place->fd, ".", false, &names, err);
    if (rc == ACME_OK && names.count > 0) {
        adopted->file = calloc(names.count, sizeof(*adopted->file));
        if (adopted->file == NULL)
            rc = acme_error_nomem(err);
    }
    for (i = 0; rc == ACME_OK && i < names.count; i++) {
        len = is_wanted(keeper->config, names.name[i]);
        if (len == 0)
            continue;
        acme_error_clear(&why);
        if (adopted->nfiles == FILES_MAX)
            rc = acme_error_set(err, ACME_IO, "there are more than %d of them",
                FILES_MAX);
        else if (read_pair(adopted, place, names.name[i], len, &why) !=
                 ACME_OK)
            acme_keeper_log(keeper, ACME_LOG_WARN, &why,
                "certificate not taken over");
    }
    if (adopted->nfiles > 0)
        qsort(adopted->file, adopted->nfiles, sizeof(*adopted->file), compare);
    acme_dir_names_free(&names);
    return rc;
}

/* Of whom this is the first issuer, with a key that is made here. */
static bool
is_of(const struct acme_config *config, size_t lineage, size_t issuer)
{
    return config->lineage[lineage].issuer == issuer &&
           config->lineage[lineage].csr_file == NULL;
}

static bool
lacks_version(struct acme_keeper *keeper, size_t issuer)
{
    size_t i;

    for (i = 0; i < keeper->config->nlineages; i++)
        if (is_of(keeper->config, i, issuer) &&
            !acme_adopt_has_version(keeper, i))
            return true;
    return false;
}

static enum acme_rc
read_account(struct acme_adopted *adopted, const struct place *place,
    struct acme_error *err)
{
    enum acme_rc rc =
        read_file(place, "account.key", &adopted->account_key, err);

    return rc == ACME_NOENT ? ACME_OK : rc;
}

static void
complain(const struct acme_keeper *keeper, size_t issuer, const char *what,
    const struct acme_error *err)
{
    const struct acme_issuer *is = &keeper->config->issuer[issuer];
    char line[ACME_LOG_LINE_MAX];

    acme_log(keeper->host, ACME_LOG_WARN,
        "%s taken over from \"%s\", issuer \"%s\": %s", what, is->adopt_dir,
        is->name, acme_error_line(err, line, sizeof(line)));
}

static void
open_one(struct acme_keeper *keeper, size_t issuer)
{
    const struct acme_issuer *is = &keeper->config->issuer[issuer];
    struct acme_adopted *adopted = &keeper->adopted[issuer];
    bool account =
        is->key_file == NULL && !acme_adopt_has_account(keeper, issuer);
    bool pairs = lacks_version(keeper, issuer);
    struct place place = { -1, 0, 0 };
    struct acme_error err;

    if (!account && !pairs)
        return;
    acme_error_clear(&err);
    if (open_place(keeper->config, is->adopt_dir, &place, &err) != ACME_OK) {
        if (err.rc != ACME_NOENT)
            complain(keeper, issuer, "nothing", &err);
        return;
    }
    if (account && read_account(adopted, &place, &err) != ACME_OK)
        complain(keeper, issuer, "no account key", &err);
    acme_error_clear(&err);
    if (pairs && read_pairs(keeper, adopted, &place, &err) != ACME_OK)
        complain(keeper, issuer, "not all certificates", &err);
    close(place.fd);
}

enum acme_rc
acme_adopt_dir_open(struct acme_keeper *keeper, struct acme_error *err)
{
    const struct acme_config *config = keeper->config;
    size_t i;

    keeper->adopted = calloc(config->nissuers + 1, sizeof(*keeper->adopted));
    if (keeper->adopted == NULL)
        return acme_error_nomem(err);
    for (i = 0; i < config->nissuers; i++)
        acme_buf_init_secret(&keeper->adopted[i].account_key,
            ACME_STATE_PEM_MAX);
    for (i = 0; i < config->nissuers; i++)
        if (config->issuer[i].adopt_dir != NULL)
            open_one(keeper, i);
    return ACME_OK;
}

void
acme_adopt_dir_free(struct acme_keeper *keeper)
{
    size_t i, k;

    for (i = 0; keeper->adopted != NULL && i < keeper->config->nissuers; i++) {
        struct acme_adopted *adopted = &keeper->adopted[i];

        for (k = 0; k < adopted->nfiles; k++)
            clear_file(&adopted->file[k]);
        free(adopted->file);
        acme_buf_clear(&adopted->account_key);
    }
    free(keeper->adopted);
    keeper->adopted = NULL;
}

/* ---- behind it: accounts ---------------------------------------------- */

static void
adopt_account(struct acme_keeper *keeper, size_t issuer)
{
    const struct acme_issuer *is = &keeper->config->issuer[issuer];
    const struct acme_buf *text = &keeper->adopted[issuer].account_key;
    struct acme_key *key = NULL;
    struct acme_error err;
    char line[ACME_LOG_LINE_MAX];
    bool taken = false;

    if (text->len == 0)
        return;
    acme_error_clear(&err);
    if (acme_key_from_pem(acme_buf_str(text), text->len, &key, &err) ==
        ACME_OK)
        (void)acme_adopt_account(keeper, issuer, key, &taken, &err);
    if (taken)
        acme_log(keeper->host, ACME_LOG_NOTICE,
            "account key taken over from \"%s/account.key\", issuer \"%s\"",
            is->adopt_dir, is->name);
    else if (err.rc != ACME_OK)
        acme_log(keeper->host, ACME_LOG_ERROR,
            "account key \"%s/account.key\" not taken over: %s", is->adopt_dir,
            acme_error_line(&err, line, sizeof(line)));
    acme_key_unref(key);
}

void
acme_adopt_dir_accounts(struct acme_keeper *keeper)
{
    size_t i;

    for (i = 0; keeper->adopted != NULL && i < keeper->config->nissuers; i++)
        adopt_account(keeper, i);
}

/* ---- certificates ----------------------------------------------------- */

static bool
parse(const struct file *file, struct acme_adopt_pair *pair)
{
    struct acme_error ignored;

    acme_error_clear(&ignored);
    memset(pair, 0, sizeof(*pair));
    return acme_key_from_pem(acme_buf_str(&file->key), file->key.len,
               &pair->key, &ignored) == ACME_OK &&
           acme_chain_from_pem(acme_buf_str(&file->chain), file->chain.len,
               &pair->chain, &ignored) == ACME_OK &&
           acme_chain_leaf(pair->chain, &pair->leaf, &ignored) == ACME_OK;
}

/* The same names and no other: what has more of them is another one's. */
static bool
fits(struct acme_keeper *keeper, const struct acme_lineage *lineage,
    enum acme_key_type type, const struct acme_adopt_pair *pair)
{
    struct acme_error ignored;
    unsigned surplus = 0;

    acme_error_clear(&ignored);
    return acme_adopt_check(keeper, lineage, type, pair, &surplus, &ignored) ==
               ACME_OK &&
           surplus == 0;
}

/* A pair of a directory that is good for what a lineage wants. */
struct good {
    const struct file *file;
    struct acme_adopt_pair pair;
};

/* The first file that does not come before "NAME-". */
static size_t
first_of(const struct acme_adopted *adopted, const char *prefix)
{
    size_t low = 0, high = adopted->nfiles, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (strcmp(adopted->file[middle].name, prefix) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Takes a file's pair for the best if it is good and lasts longer. */
static void
try_file(struct acme_keeper *keeper, const struct acme_lineage *lineage,
    enum acme_key_type type, const struct file *file, struct good *best)
{
    struct acme_adopt_pair one, worse;

    if (parse(file, &one) && fits(keeper, lineage, type, &one) &&
        (best->file == NULL ||
            one.leaf.not_after > best->pair.leaf.not_after)) {
        worse = best->pair;
        best->pair = one;
        best->file = file;
        one = worse;
    }
    acme_adopt_clear_pair(&one);
}

/* The one that lasts longest, of those called after a name of the lineage's;
 * false: there is none. */
static bool
find(struct acme_keeper *keeper, const struct acme_lineage *lineage,
    enum acme_key_type type, struct good *best)
{
    const struct acme_adopted *adopted = &keeper->adopted[lineage->issuer];
    char prefix[ACME_NAME_MAX + 2];
    size_t i, k, len;

    memset(best, 0, sizeof(*best));
    for (k = 0; k < lineage->nnames; k++) {
        (void)snprintf(prefix, sizeof(prefix), "%s-", lineage->names[k]);
        len = strlen(prefix);
        for (i = first_of(adopted, prefix);
             i < adopted->nfiles &&
             strncmp(adopted->file[i].name, prefix, len) == 0;
             i++)
            if (strchr(adopted->file[i].name + len, '-') == NULL)
                try_file(keeper, lineage, type, &adopted->file[i], best);
    }
    return best->file != NULL;
}

/* Whether another issuer has the same directory: then nobody knows which of
 * them a certificate is from. */
static bool
is_shared(const struct acme_config *config, size_t issuer)
{
    size_t i, n = 0;

    for (i = 0; i < config->nissuers; i++)
        n += config->issuer[i].adopt_dir != NULL &&
             strcmp(config->issuer[i].adopt_dir,
                 config->issuer[issuer].adopt_dir) == 0;
    return n > 1;
}

static void
say(struct acme_keeper *keeper, const struct acme_lineage *lineage,
    const struct good *good)
{
    char from[PATH_MAX];

    (void)snprintf(from, sizeof(from), "%s/%s.crt",
        keeper->config->issuer[lineage->issuer].adopt_dir, good->file->name);
    acme_adopt_say(keeper, lineage, &good->pair, from);
}

enum acme_rc
acme_adopt_dir_find(struct acme_keeper *keeper,
    const struct acme_lineage *lineage, struct acme_version *version,
    struct acme_error *err)
{
    const struct acme_config *config = keeper->config;
    const char *issuer = is_shared(config, lineage->issuer)
                             ? ""
                             : config->issuer[lineage->issuer].directory;
    enum acme_rc rc = ACME_OK;
    struct good good;
    size_t k;

    for (k = 0; rc == ACME_OK && k < lineage->ntypes; k++) {
        if (find(keeper, lineage, lineage->type[k], &good)) {
            rc = acme_adopt_add(&good.pair, issuer, version, err);
            if (rc == ACME_OK)
                say(keeper, lineage, &good);
        }
        acme_adopt_clear_pair(&good.pair);
    }
    return rc;
}

bool
acme_adopt_dir_has(const struct acme_keeper *keeper, size_t lineage)
{
    const size_t issuer = keeper->config->lineage[lineage].issuer;

    return keeper->adopted != NULL && keeper->adopted[issuer].nfiles > 0;
}
