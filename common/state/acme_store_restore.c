/*
 * The way back of a backup.  Each kind of name has one reader, which parses
 * what is in the file and has it written again; a version is put together
 * from its files and goes through the same door as a new one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "state/acme_record.h"
#include "state/acme_settings.h"
#include "state/acme_store_backup.h"
#include "state/acme_store_private.h"

/* The newest layout that is understood. */
#define FORMAT 1

/* Of a whole archive. */
#define ENTRIES_MAX 2000000

#define LEFT_OUT_MAX 16384

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Of the file names of a version: "privkey.pem", "privkey.rsa.pem". */
static const char *const stems[] = { "privkey", "cert", "chain", "fullchain" };
static const char *const extras[] = { NULL, "ecdsa", "rsa" };
#define STEM_KEY 0
#define STEM_FULL 3

/* A version of the archive, and which it has become here; 0: none. */
struct taken {
    char *name;
    unsigned number, is;
};

/* What live/NAME points to in the archive. */
struct link {
    char *name;
    unsigned number;
};

struct acme_restore {
    struct acme_store *store; /* NULL: only a look */
    size_t nentries;
    bool has_format;
    /* the version whose files are coming */
    char name[ACME_LINEAGE_MAX + 1]; /* "": none */
    unsigned number;
    struct acme_buf file[COUNT(stems)][COUNT(extras)];
    struct acme_buf meta;
    size_t ntaken;
    struct taken *taken;
    size_t nlinks;
    struct link *link;
    size_t nkeys, nlive, nversions;
    struct acme_buf left_out;
};

static void
clear_files(struct acme_restore *restore)
{
    size_t i, k;

    for (i = 0; i < COUNT(stems); i++)
        for (k = 0; k < COUNT(extras); k++)
            acme_buf_clear(&restore->file[i][k]);
    acme_buf_clear(&restore->meta);
    restore->name[0] = '\0';
}

struct acme_restore *
acme_restore_new(struct acme_store *store)
{
    struct acme_restore *restore = calloc(1, sizeof(*restore));
    size_t i, k;

    if (restore == NULL)
        return NULL;
    restore->store = store;
    for (i = 0; i < COUNT(stems); i++)
        for (k = 0; k < COUNT(extras); k++)
            acme_buf_init_secret(&restore->file[i][k], ACME_STATE_PEM_MAX);
    acme_buf_init(&restore->meta, ACME_STATE_JSON_MAX);
    acme_buf_init(&restore->left_out, LEFT_OUT_MAX);
    return restore;
}

void
acme_restore_free(struct acme_restore *restore)
{
    size_t i;

    if (restore == NULL)
        return;
    clear_files(restore);
    for (i = 0; i < restore->ntaken; i++)
        free(restore->taken[i].name);
    for (i = 0; i < restore->nlinks; i++)
        free(restore->link[i].name);
    free(restore->taken);
    free(restore->link);
    acme_buf_clear(&restore->left_out);
    free(restore);
}

static enum acme_rc
refuse(const char *path, const char *why, struct acme_error *err)
{
    char clean[300];

    return acme_error_set(err, ACME_REFUSED, "\"%s\" in the archive: %s",
        acme_log_clean(clean, sizeof(clean), path, strlen(path)), why);
}

/* A failure of ours, or of what is in the file. */
static enum acme_rc
refuse_content(const char *path, const struct acme_error *why,
    struct acme_error *err)
{
    return why->rc == ACME_NOMEM ? acme_error_nomem(err)
                                 : refuse(path, why->what, err);
}

static void
leave_out(struct acme_restore *restore, const char *what, const char *why)
{
    if (restore->left_out.len + strlen(what) + strlen(why) + 4 < LEFT_OUT_MAX)
        acme_buf_addf(&restore->left_out, "%s: %s\n", what, why);
}

/* ---- a version -------------------------------------------------------- */

static size_t
extra_number(const char *extra)
{
    size_t k;

    for (k = 1; extra != NULL && k < COUNT(extras); k++)
        if (strcmp(extras[k], extra) == 0)
            return k;
    return 0;
}

/* One pair; the operator's own key is not in a backup. */
static enum acme_rc
take_pair(const struct acme_restore *restore, size_t k,
    const struct acme_json *meta, struct acme_pair *pair,
    struct acme_error *err)
{
    const struct acme_buf *key_pem = &restore->file[STEM_KEY][k];
    const struct acme_buf *pem = &restore->file[STEM_FULL][k];
    const bool keyless = acme_json_bool(meta, "csr", false);
    struct acme_chain *chain = NULL;
    struct acme_key *key = NULL;
    enum acme_rc rc;

    if (key_pem->len == 0 && !keyless)
        return acme_error_set(err, ACME_IO, "its key is not in the backup");
    rc = acme_chain_from_pem(acme_buf_str(pem), pem->len, &chain, err);
    if (rc == ACME_OK)
        rc = acme_chain_check_links(chain, err);
    if (rc == ACME_OK && keyless)
        rc = acme_key_type_parse(acme_json_str(meta, "key"), &pair->type, err);
    else if (rc == ACME_OK)
        rc = acme_key_from_pem(acme_buf_str(key_pem), key_pem->len, &key, err);
    if (rc == ACME_OK && key != NULL && !acme_chain_matches(chain, key))
        rc = acme_error_set(err, ACME_IO, "its key is not the certificate's");
    if (rc == ACME_OK && key != NULL) {
        pair->type = acme_key_type_of(key);
        rc = acme_key_to_der(key, &pair->key, err);
    }
    if (rc == ACME_OK)
        rc = acme_chain_to_der(chain, 0, 0, &pair->chain, err);
    if (rc == ACME_OK)
        acme_store_read_origin(meta, &pair->origin);
    acme_key_unref(key);
    acme_chain_free(chain);
    return rc;
}

/* As meta.json lists them; without it the file names say what there is. */
static enum acme_rc
take_pairs(const struct acme_restore *restore, const struct acme_json *pairs,
    struct acme_version *version, struct acme_error *err)
{
    size_t n = acme_json_count(pairs), i, k;
    enum acme_rc rc = ACME_OK;

    if (n > ACME_TYPES_MAX)
        return acme_error_set(err, ACME_IO, "it has too many keys");
    for (i = 0; i < n && rc == ACME_OK; i++) {
        const struct acme_json *meta = acme_json_at(pairs, i);
        enum acme_key_type type = ACME_KEY_NONE;

        rc = acme_key_type_parse(acme_json_str(meta, "key") != NULL
                                     ? acme_json_str(meta, "key")
                                     : "",
            &type, err);
        k = i == 0 || rc != ACME_OK ? 0
                                    : extra_number(acme_key_algorithm(type));
        if (rc == ACME_OK)
            rc = take_pair(restore, k, meta, &version->pair[i], err);
        version->npairs = i + 1;
    }
    for (k = 0; n == 0 && k < COUNT(extras) && rc == ACME_OK; k++) {
        if ((k > 0 && restore->file[STEM_KEY][k].len == 0) ||
            version->npairs == ACME_TYPES_MAX)
            continue;
        rc = take_pair(restore, k, NULL, &version->pair[version->npairs], err);
        version->npairs++;
    }
    return rc;
}

static enum acme_rc
build(const struct acme_restore *restore, struct acme_version *version,
    struct acme_error *err)
{
    struct acme_json *meta = NULL;
    struct acme_error ignored;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    if (restore->meta.len > 0)
        (void)acme_json_parse(acme_buf_str(&restore->meta), restore->meta.len,
            "meta.json", &meta, &ignored);
    rc = take_pairs(restore, acme_json_get(meta, "pairs"), version, err);
    acme_json_free(meta);
    return rc;
}

static bool
is_same(const struct acme_version *a, const struct acme_version *b)
{
    size_t i;

    for (i = 0; i < a->npairs && a->npairs == b->npairs; i++)
        if (a->pair[i].chain.len != b->pair[i].chain.len ||
            a->pair[i].key.len != b->pair[i].key.len ||
            memcmp(a->pair[i].chain.data, b->pair[i].chain.data,
                a->pair[i].chain.len) != 0 ||
            (a->pair[i].key.len > 0 &&
                memcmp(a->pair[i].key.data, b->pair[i].key.data,
                    a->pair[i].key.len) != 0))
            return false;
    return a->npairs == b->npairs;
}

/* The number that it has here already; 0: none. */
static unsigned
find_same(struct acme_store *store, const char *name,
    const struct acme_version *version)
{
    struct acme_store_numbers all;
    struct acme_version here;
    struct acme_error ignored;
    unsigned found = 0;
    size_t i;

    acme_error_clear(&ignored);
    acme_version_init(&here);
    (void)acme_store_versions(store, name, &all, &ignored);
    for (i = 0; i < all.count && found == 0; i++) {
        acme_error_clear(&ignored);
        if (acme_store_version_read(store, name, all.number[i], &here,
                &ignored) == ACME_OK &&
            is_same(&here, version))
            found = all.number[i];
    }
    acme_version_clear(&here);
    free(all.number);
    return found;
}

static enum acme_rc
add_version(struct acme_store *store, const char *name,
    const struct acme_version *version, unsigned *is, struct acme_error *err)
{
    struct acme_store_numbers all;
    int lock = -1;
    enum acme_rc rc = acme_store_lock(store, "lineage", name, &lock, err);

    if (rc != ACME_OK)
        return rc;
    *is = find_same(store, name, version);
    if (*is == 0)
        rc = acme_store_version_add(store, name, version, err);
    if (rc == ACME_OK && *is == 0) {
        rc = acme_store_versions(store, name, &all, err);
        *is = rc == ACME_OK && all.count > 0 ? all.number[0] : 0;
        free(all.number);
    }
    close(lock);
    return rc;
}

static struct taken *
find_taken(const struct acme_restore *restore, const char *name,
    unsigned number)
{
    size_t i;

    for (i = restore->ntaken; i > 0; i--)
        if (restore->taken[i - 1].number == number &&
            strcmp(restore->taken[i - 1].name, name) == 0)
            return &restore->taken[i - 1];
    return NULL;
}

static enum acme_rc
note_taken(struct acme_restore *restore, unsigned is, struct acme_error *err)
{
    struct taken *grown =
        realloc(restore->taken, (restore->ntaken + 1) * sizeof(*grown));
    char *name = strdup(restore->name);

    if (grown != NULL)
        restore->taken = grown;
    if (grown == NULL || name == NULL) {
        free(name);
        return acme_error_nomem(err);
    }
    grown[restore->ntaken].name = name;
    grown[restore->ntaken].number = restore->number;
    grown[restore->ntaken++].is = is;
    return ACME_OK;
}

/* The files of a version are all there. */
static enum acme_rc
finish_version(struct acme_restore *restore, struct acme_error *err)
{
    char what[ACME_STORE_VERSION_MAX];
    struct acme_version version;
    struct acme_error why;
    unsigned is = 0;
    enum acme_rc rc = ACME_OK;

    if (restore->name[0] == '\0')
        return ACME_OK;
    acme_error_clear(&why);
    acme_version_init(&version);
    acme_store_version_path(what, restore->name, restore->number);
    if (find_taken(restore, restore->name, restore->number) != NULL) {
        rc = refuse(what, "it is there twice", err);
    } else if (build(restore, &version, &why) != ACME_OK) {
        leave_out(restore, what, why.what);
        rc = why.rc == ACME_NOMEM ? acme_error_nomem(err) : ACME_OK;
    } else if (restore->store != NULL) {
        rc = add_version(restore->store, restore->name, &version, &is, err);
    } else {
        is = restore->number;
    }
    if (rc == ACME_OK)
        rc = note_taken(restore, is, err);
    restore->nversions += rc == ACME_OK && is != 0;
    acme_version_clear(&version);
    clear_files(restore);
    return rc;
}

/* ---- names ------------------------------------------------------------ */

/* What is between `before` and `after`; false: it is not so, or too long. */
static bool
middle_of(const char *path, const char *before, const char *after, char *out,
    size_t size)
{
    size_t len = strlen(path), head = strlen(before), tail = strlen(after);

    if (len <= head + tail || len - head - tail >= size ||
        strncmp(path, before, head) != 0 ||
        strcmp(path + len - tail, after) != 0)
        return false;
    memcpy(out, path + head, len - head - tail);
    out[len - head - tail] = '\0';
    return true;
}

/* 0: it is none. */
static unsigned
parse_number(const char *text, size_t len)
{
    char digits[10];

    if (len < 1 || len > 9 || text[0] < '1' || text[0] > '9')
        return 0;
    memcpy(digits, text, len);
    digits[len] = '\0';
    return strspn(digits, "0123456789") == len
               ? (unsigned)strtoul(digits, NULL, 10)
               : 0;
}

/* "archive/NAME/N/" in front; *file is the rest.  0: it is not so. */
static unsigned
parse_version(const char *path, char name[ACME_LINEAGE_MAX + 1],
    const char **file)
{
    const char *at = path + strlen("archive/");
    const char *slash = strchr(at, '/');
    struct acme_error ignored;
    size_t len = slash != NULL ? (size_t)(slash - at) : 0;

    if (len == 0 || len > ACME_LINEAGE_MAX)
        return 0;
    memcpy(name, at, len);
    name[len] = '\0';
    acme_error_clear(&ignored);
    if (acme_lineage_name_check(name, &ignored) != ACME_OK)
        return 0;
    at = slash + 1;
    slash = strchr(at, '/');
    if (slash == NULL)
        return 0;
    *file = slash + 1;
    return parse_number(at, (size_t)(slash - at));
}

/* Where a file of a version goes; NULL: no version has it. */
static struct acme_buf *
place_of(struct acme_restore *restore, const char *file)
{
    char name[64];
    size_t i, k;

    if (strcmp(file, "meta.json") == 0)
        return &restore->meta;
    for (i = 0; i < COUNT(stems); i++)
        for (k = 0; k < COUNT(extras); k++) {
            (void)snprintf(name, sizeof(name), "%s%s%s.pem", stems[i],
                extras[k] != NULL ? "." : "",
                extras[k] != NULL ? extras[k] : "");
            if (strcmp(name, file) == 0)
                return &restore->file[i][k];
        }
    return NULL;
}

/* ---- files, by kind --------------------------------------------------- */

typedef enum acme_rc take_file(struct acme_restore *restore, const char *path,
    const struct acme_buf *content, struct acme_error *err);

static enum acme_rc
take_format(struct acme_restore *restore, const char *path,
    const struct acme_buf *content, struct acme_error *err)
{
    const char *text = acme_buf_str(content);
    unsigned format = parse_number(text, strcspn(text, "\n"));

    if (format == 0)
        return refuse(path, "it holds no layout version", err);
    if (format > FORMAT)
        return refuse(path, "a newer program has made this backup", err);
    restore->has_format = true;
    return ACME_OK;
}

static enum acme_rc
take_version_file(struct acme_restore *restore, const char *path,
    const struct acme_buf *content, struct acme_error *err)
{
    char name[ACME_LINEAGE_MAX + 1];
    const char *file = NULL;
    struct acme_buf *place;
    unsigned number = parse_version(path, name, &file);
    enum acme_rc rc = ACME_OK;

    place = number != 0 ? place_of(restore, file) : NULL;
    if (place == NULL)
        return refuse(path, "no file of a certificate is called so", err);
    if (strcmp(restore->name, name) != 0 || restore->number != number)
        rc = finish_version(restore, err);
    if (rc != ACME_OK)
        return rc;
    (void)snprintf(restore->name, sizeof(restore->name), "%s", name);
    restore->number = number;
    if (place->len > 0)
        return refuse(path, "it is there twice", err);
    acme_buf_add(place, content->data, content->len);
    return acme_buf_ok(place) ? ACME_OK : refuse(path, "it is too large", err);
}

static enum acme_rc
take_json(const char *path, const struct acme_buf *content,
    struct acme_json **json, struct acme_error *err)
{
    struct acme_error why;

    acme_error_clear(&why);
    if (acme_json_parse(acme_buf_str(content), content->len, path, json,
            &why) != ACME_OK)
        return refuse_content(path, &why, err);
    if (acme_json_is_object(*json))
        return ACME_OK;
    acme_json_free(*json);
    *json = NULL;
    return refuse(path, "it is no JSON object", err);
}

static enum acme_rc
take_key(struct acme_restore *restore, const char *path,
    const struct acme_buf *content, struct acme_error *err)
{
    char want[ACME_KEY_ID_LEN + 1], id[ACME_KEY_ID_LEN + 1];
    struct acme_key *key = NULL;
    struct acme_error why;
    enum acme_rc rc;

    if (!middle_of(path, "keys/", ".pem", want, sizeof(want)))
        return refuse(path, "no account key is called so", err);
    acme_error_clear(&why);
    rc = acme_key_from_pem(acme_buf_str(content), content->len, &key, &why);
    if (rc == ACME_OK)
        rc = acme_key_id(key, id, &why);
    if (rc != ACME_OK)
        rc = refuse_content(path, &why, err);
    else if (strcmp(id, want) != 0)
        rc = refuse(path, "it is another key than its name says", err);
    else if (restore->store != NULL)
        rc = acme_store_key_write(restore->store, key, id, err);
    restore->nkeys += rc == ACME_OK;
    acme_key_unref(key);
    return rc;
}

static enum acme_rc
take_defaults(struct acme_restore *restore, const char *path,
    const struct acme_buf *content, struct acme_error *err)
{
    struct acme_json *json = NULL;
    enum acme_rc rc = take_json(path, content, &json, err);
    void *iter = NULL;
    int lock = -1;

    while (rc == ACME_OK && (iter = acme_json_next(json, iter)) != NULL) {
        const char *id = acme_json_text(acme_json_iter_value(iter));

        if (id == NULL || !acme_store_id_ok(id))
            rc = refuse(path, "it names no key", err);
    }
    if (rc == ACME_OK && restore->store != NULL)
        rc = acme_store_lock_keys(restore->store, &lock, err);
    if (lock != -1) {
        rc = acme_store_json_write(restore->store, ACME_STORE_DEFAULTS, json,
            err);
        close(lock);
    }
    acme_json_free(json);
    return rc;
}

/* An account's path follows from its CA and its key. */
static enum acme_rc
take_account(struct acme_restore *restore, const char *path,
    const struct acme_buf *content, struct acme_error *err)
{
    char want[ACME_STORE_PATH_MAX], id[ACME_ACCOUNT_ID_LEN + 1] = "";
    const char *end = strstr(path, "/account.json");
    struct acme_json *json = NULL;
    struct acme_issuer issuer;
    struct acme_error why;
    enum acme_rc rc = take_json(path, content, &json, err);

    if (rc != ACME_OK)
        return rc;
    acme_error_clear(&why);
    acme_issuer_init(&issuer);
    issuer.name = "restored";
    issuer.directory = acme_json_str(json, "directory");
    if (end != NULL && end - path > ACME_ACCOUNT_ID_LEN)
        (void)snprintf(id, sizeof(id), "%.*s", ACME_ACCOUNT_ID_LEN,
            end - ACME_ACCOUNT_ID_LEN);
    if (issuer.directory == NULL ||
        acme_store_account_path(&issuer, id, "/account.json", want, &why) !=
            ACME_OK ||
        strcmp(want, path) != 0)
        rc = refuse(path, "it is no account of that place", err);
    if (rc == ACME_OK && restore->store != NULL) {
        want[strlen(want) - strlen("/account.json")] = '\0';
        rc = acme_dir_make(restore->store->fd, want, err);
        if (rc == ACME_OK)
            rc = acme_store_json_write(restore->store, path, json, err);
    }
    acme_json_free(json);
    return rc;
}

static enum acme_rc
take_settings(struct acme_restore *restore, const char *path,
    const struct acme_buf *content, struct acme_error *err)
{
    struct acme_settings *settings = NULL;
    char name[ACME_LINEAGE_MAX + 1];
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    if (!middle_of(path, "renewal/", ".json", name, sizeof(name)) ||
        acme_lineage_name_check(name, &why) != ACME_OK)
        return refuse(path, "no lineage can be called so", err);
    if (content->len == 0)
        return ACME_OK;
    rc = acme_settings_parse(acme_buf_str(content), content->len, &settings,
        &why);
    if (rc != ACME_OK)
        return refuse_content(path, &why, err);
    if (restore->store != NULL)
        rc = acme_store_settings_write(restore->store, name, settings, err);
    acme_settings_free(settings);
    return rc;
}

/* One that cannot be read is as good as none. */
static enum acme_rc
take_record(struct acme_restore *restore, const char *path,
    const struct acme_buf *content, struct acme_error *err)
{
    struct acme_record *record = malloc(sizeof(*record));
    char unit[ACME_UNIT_NAME_MAX], ignored[ACME_STORE_PATH_MAX];
    struct acme_error why;
    enum acme_rc rc = ACME_OK;

    if (record == NULL)
        return acme_error_nomem(err);
    acme_error_clear(&why);
    if (!middle_of(path, "record/", ".json", unit, sizeof(unit)) ||
        acme_store_unit_path(ignored, "record/", unit, ".json", &why) !=
            ACME_OK) {
        rc = refuse(path, "no lineage can be called so", err);
    } else {
        acme_record_init(record);
        if (acme_record_parse(acme_buf_str(content), content->len, record,
                &why) == ACME_OK &&
            restore->store != NULL)
            rc = acme_store_record_write(restore->store, unit, content->data,
                content->len, err);
    }
    free(record);
    return rc;
}

static bool
is_hex(const char *text, size_t len)
{
    return strlen(text) == len && strspn(text, "0123456789abcdef") == len;
}

static enum acme_rc
take_revoked(struct acme_restore *restore, const char *path,
    const struct acme_buf *content, struct acme_error *err)
{
    struct acme_json *json = NULL;
    char name[80];
    bool is_key;
    enum acme_rc rc;

    if (!middle_of(path, "revoked/", ".json", name, sizeof(name)))
        return refuse(path, "no note is called so", err);
    is_key = strncmp(name, "key-", 4) == 0;
    if (is_key ? !is_hex(name + 4, ACME_KEY_ID_LEN) : !is_hex(name, 64))
        return refuse(path, "no note is called so", err);
    rc = take_json(path, content, &json, err);
    if (rc == ACME_OK && restore->store != NULL) {
        rc = acme_store_json_write(restore->store, path, json, err);
        if (rc == ACME_OK && is_key)
            rc = acme_store_bar(restore->store, err);
    }
    acme_json_free(json);
    return rc;
}

/* ---- entries ---------------------------------------------------------- */

static const struct {
    const char *begin; /* of the name, or all of it */
    bool whole;
    take_file *take;
} kinds[] = { { "format", true, take_format },
    { "keys/default.json", true, take_defaults }, { "keys/", false, take_key },
    { "accounts/", false, take_account }, { "revoked/", false, take_revoked },
    { "archive/", false, take_version_file },
    { "renewal/", false, take_settings }, { "record/", false, take_record } };

/* live/NAME -> ../archive/NAME/N, and nothing else. */
static enum acme_rc
take_link(struct acme_restore *restore, const struct acme_tar_entry *entry,
    const char *path, struct acme_error *err)
{
    char name[ACME_LINEAGE_MAX + 1], start[ACME_STORE_VERSION_MAX];
    struct acme_error ignored;
    struct link *grown;
    unsigned number = 0;

    acme_error_clear(&ignored);
    if (middle_of(path, "live/", "", name, sizeof(name)) &&
        acme_lineage_name_check(name, &ignored) == ACME_OK) {
        (void)snprintf(start, sizeof(start), "../archive/%s/", name);
        if (strncmp(entry->target, start, strlen(start)) == 0)
            number = parse_number(entry->target + strlen(start),
                strlen(entry->target + strlen(start)));
    }
    if (number == 0)
        return refuse(path, "it is a link that no backup has", err);
    grown = realloc(restore->link, (restore->nlinks + 1) * sizeof(*grown));
    if (grown != NULL)
        restore->link = grown;
    if (grown == NULL || (grown[restore->nlinks].name = strdup(name)) == NULL)
        return acme_error_nomem(err);
    grown[restore->nlinks++].number = number;
    return ACME_OK;
}

/* Nothing is ever made of one; its name is looked at all the same. */
static enum acme_rc
take_directory(const char *path, struct acme_error *err)
{
    const char *at = path;
    size_t len;

    for (; *at != '\0'; at += len + (at[len] == '/')) {
        len = strcspn(at, "/");
        if (len == 0 || (len == 2 && strncmp(at, "..", 2) == 0))
            return refuse(path, "such a path is in no backup", err);
    }
    return ACME_OK;
}

enum acme_rc
acme_restore_take(struct acme_restore *restore,
    const struct acme_tar_entry *entry, const struct acme_buf *content,
    struct acme_error *err)
{
    const char *path = entry->name;
    size_t i;

    if (++restore->nentries > ENTRIES_MAX)
        return refuse(path, "there are too many entries", err);
    if (strncmp(path, "./", 2) == 0)
        path += 2;
    if (entry->kind == ACME_TAR_DIRECTORY)
        return take_directory(path, err);
    if ((entry->mode & 07000) != 0)
        return refuse(path, "it has a special mode", err);
    if (entry->kind == ACME_TAR_LINK)
        return take_link(restore, entry, path, err);
    for (i = 0; i < COUNT(kinds); i++)
        if (kinds[i].whole
                ? strcmp(path, kinds[i].begin) == 0
                : strncmp(path, kinds[i].begin, strlen(kinds[i].begin)) == 0)
            return kinds[i].take(restore, path, content, err);
    return refuse(path, "no backup has such a file", err);
}

static enum acme_rc
set_link(struct acme_restore *restore, const struct link *link,
    struct acme_error *err)
{
    const struct taken *taken = find_taken(restore, link->name, link->number);
    char what[ACME_STORE_VERSION_MAX];
    int lock = -1;
    enum acme_rc rc;

    if (taken == NULL || taken->is == 0) {
        (void)snprintf(what, sizeof(what), "live/%s", link->name);
        leave_out(restore, what, "the version that it leads to is not there");
        return ACME_OK;
    }
    restore->nlive++;
    if (restore->store == NULL)
        return ACME_OK;
    rc = acme_store_lock(restore->store, "lineage", link->name, &lock, err);
    if (rc == ACME_OK)
        rc = acme_store_switch(restore->store, link->name, taken->is, err);
    if (lock != -1)
        close(lock);
    return rc;
}

enum acme_rc
acme_restore_end(struct acme_restore *restore, struct acme_error *err)
{
    enum acme_rc rc = finish_version(restore, err);
    size_t i;

    if (rc == ACME_OK && !restore->has_format)
        rc = acme_error_set(err, ACME_REFUSED,
            "it is no backup of a state directory: it has no file "
            "\"format\"");
    for (i = 0; i < restore->nlinks && rc == ACME_OK; i++)
        rc = set_link(restore, &restore->link[i], err);
    return rc;
}

void
acme_restore_result(const struct acme_restore *restore,
    struct acme_restored *result)
{
    result->nlineages = restore->nlive;
    result->nversions = restore->nversions;
    result->nkeys = restore->nkeys;
    result->left_out = acme_buf_str(&restore->left_out);
}
