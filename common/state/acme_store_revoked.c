/*
 * What is known of revoked certificates and of keys that must not be used
 * again.  A note has the name of what it is about, so that a look is one
 * system call.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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
    const char *reason, time_t now, struct acme_error *err)
{
    struct acme_json *note = acme_json_object();
    enum acme_rc rc;

    acme_json_set_str(note, "serial", serial);
    acme_json_set_str(note, "reason", reason[0] != '\0' ? reason : NULL);
    acme_json_set_time(note, "time", now);
    rc = note != NULL ? acme_store_json_write(store, path, note, err)
                      : acme_error_nomem(err);
    acme_json_free(note);
    return rc;
}

static enum acme_rc
bar(struct acme_store *store, const char *id, const char *serial,
    const char *reason, time_t now, struct acme_error *err)
{
    char path[NOTE_PATH_MAX];
    enum acme_rc rc;

    key_note_path(path, id);
    rc = put(store, path, serial, reason, now, err);
    if (rc == ACME_OK && !is_there(store, MARK))
        rc = acme_dir_write(store->fd, MARK, 0600, "", 0, err);
    return rc;
}

/* The key's note comes first: one that is barred for a certificate that is
 * not revoked does no harm. */
enum acme_rc
acme_store_revoked_write(struct acme_store *store,
    const struct acme_chain *chain, const char *reason, bool barred,
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
        rc = bar(store, id, leaf.serial, reason, now, err);
    if (rc == ACME_OK) {
        certificate_path(path, leaf.fingerprint);
        rc = put(store, path, leaf.serial, reason, now, err);
    }
    return rc;
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
