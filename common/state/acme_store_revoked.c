/*
 * What is known of revoked certificates and of keys that must not be used
 * again.  A note has the name of what it is about, so that a look is one
 * system call.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "state/acme_store_private.h"
#include "wrap/acme_hash.h"

/* There is a key that is barred: a note about certificates may be one of its
 * key. */
#define MARK "revoked/barred"

/* "revoked/key-" and an id is shorter. */
#define NOTE_PATH_MAX (16 + ACME_HASH_HEX)

static void
certificate_path(char path[NOTE_PATH_MAX], const char *fingerprint)
{
    (void)snprintf(path, NOTE_PATH_MAX, "revoked/%s.json", fingerprint);
}

static void
key_note_path(char path[NOTE_PATH_MAX], const char *id)
{
    (void)snprintf(path, NOTE_PATH_MAX, "revoked/key-%s.json", id);
}

static bool
is_there(const struct acme_store *store, const char *path)
{
    struct stat st;

    return fstatat(store->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static enum acme_rc
put(struct acme_store *store, const char *path, const char *serial,
    const struct acme_revoked *is, time_t now, struct acme_error *err)
{
    struct acme_json *note = acme_json_object();
    enum acme_rc rc;

    acme_json_set_str(note, "serial", serial);
    acme_json_set_str(note, "by", is->by);
    acme_json_set_str(note, "reason",
        is->reason[0] != '\0' ? is->reason : NULL);
    acme_json_set_time(note, "time", now);
    rc = note != NULL ? acme_store_json_write(store, path, note, err)
                      : acme_error_nomem(err);
    acme_json_free(note);
    return rc;
}

enum acme_rc
acme_store_bar(struct acme_store *store, struct acme_error *err)
{
    return is_there(store, MARK)
               ? ACME_OK
               : acme_dir_write(store->fd, MARK, 0600, "", 0, err);
}

static enum acme_rc
bar(struct acme_store *store, const char *id, const char *serial,
    const struct acme_revoked *is, time_t now, struct acme_error *err)
{
    char path[NOTE_PATH_MAX];
    enum acme_rc rc;

    key_note_path(path, id);
    rc = put(store, path, serial, is, now, err);
    return rc == ACME_OK ? acme_store_bar(store, err) : rc;
}

/* The key's note comes first: one that is barred for a certificate that is
 * not revoked does no harm. */
enum acme_rc
acme_store_revoked_write(struct acme_store *store,
    const struct acme_chain *chain, const struct acme_revoked *is, bool barred,
    time_t now, struct acme_error *err)
{
    char path[NOTE_PATH_MAX], id[ACME_KEY_ID_LEN + 1];
    struct acme_leaf leaf;
    enum acme_rc rc;

    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = acme_chain_leaf(chain, &leaf, err);
    if (rc == ACME_OK)
        rc = acme_chain_key_id(chain, id, err);
    if (rc == ACME_OK && barred)
        rc = bar(store, id, leaf.serial, is, now, err);
    if (rc == ACME_OK) {
        certificate_path(path, leaf.fingerprint);
        rc = put(store, path, leaf.serial, is, now, err);
    }
    return rc;
}

static void
copy_text(const struct acme_json *note, const char *name, char *out,
    size_t size)
{
    const char *text = acme_json_str(note, name);

    if (text != NULL)
        (void)acme_log_clean(out, size, text, strlen(text));
}

/* What cannot be read is there all the same. */
bool
acme_store_revoked_read(const struct acme_store *store,
    const char *fingerprint, struct acme_revoked *is)
{
    char path[NOTE_PATH_MAX];
    struct acme_json *note = NULL;
    struct acme_error ignored;

    memset(is, 0, sizeof(*is));
    certificate_path(path, fingerprint);
    if (!is_there(store, path))
        return false;
    acme_error_clear(&ignored);
    if (acme_store_json_read(store, path, &note, &ignored) == ACME_OK) {
        copy_text(note, "by", is->by, sizeof(is->by));
        copy_text(note, "reason", is->reason, sizeof(is->reason));
    }
    acme_json_free(note);
    return true;
}

/* Another certificate for a key that was given away. */
static bool
has_barred_key(const struct acme_store *store, const void *der, size_t len)
{
    char path[NOTE_PATH_MAX], id[ACME_KEY_ID_LEN + 1];
    struct acme_chain *chain = NULL;
    struct acme_error ignored;
    bool found = false;

    if (!is_there(store, MARK))
        return false;
    acme_error_clear(&ignored);
    if (acme_chain_from_der(der, len, &chain, &ignored) == ACME_OK &&
        acme_chain_key_id(chain, id, &ignored) == ACME_OK) {
        key_note_path(path, id);
        found = is_there(store, path);
    }
    acme_chain_free(chain);
    return found;
}

bool
acme_store_is_revoked(const struct acme_store *store, const void *der,
    size_t len)
{
    char path[NOTE_PATH_MAX], fingerprint[ACME_HASH_HEX];

    acme_hash_hex(der, len, fingerprint);
    certificate_path(path, fingerprint);
    return is_there(store, path) || has_barred_key(store, der, len);
}

bool
acme_store_is_barred(const struct acme_store *store,
    const struct acme_key *key)
{
    char path[NOTE_PATH_MAX], id[ACME_KEY_ID_LEN + 1];
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (acme_key_id(key, id, &ignored) != ACME_OK)
        return false;
    key_note_path(path, id);
    return is_there(store, path);
}
