/*
 * What the files behind acme_store.h share.
 */
#ifndef ACME_STORE_PRIVATE_H
#define ACME_STORE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "base/acme_limits.h"
#include "state/acme_dir.h"
#include "state/acme_store.h"
#include "wrap/acme_json.h"
#include "wrap/acme_key.h"

/* A path below STATE: an issuer's is the longest. */
#define ACME_STORE_PATH_MAX 4096

/* A temporary file older than this belongs to nobody (seconds). */
#define ACME_STORE_TEMP_AGE 3600

/* An account key whose thumbprint is known already.  Its id is computed from
 * the key, so an entry never gets stale; whether the key is still there is
 * asked again each time. */
struct acme_store_known {
    char id[ACME_ACCOUNT_ID_LEN + 1];
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    bool own; /* the operator's: not in keys/ */
};

struct acme_store {
    int fd;
    uid_t owner;
    enum acme_store_mode mode;
    bool has_key_group;
    gid_t key_group;
    size_t nknown;
    struct acme_store_known *known;
};

/* Version numbers have at most nine digits. */
#define ACME_STORE_NUMBER_MAX 999999999u

/* A path of a version's directory or meta.json. */
#define ACME_STORE_VERSION_MAX (ACME_LINEAGE_MAX + 100)

struct acme_store_numbers {
    size_t count;
    size_t cap;
    unsigned *number; /* highest first */
};

/* All version numbers of a lineage.  all->number is the caller's to free,
 * whatever comes back. */
enum acme_rc acme_store_versions(const struct acme_store *store,
    const char *name, struct acme_store_numbers *all, struct acme_error *err);

/* "archive/NAME/N", the name checked by whoever begins. */
void acme_store_version_path(char path[ACME_STORE_VERSION_MAX],
    const char *name, unsigned number);

/* "DIR/STEM.pem" of the first pair, "DIR/STEM.ALGORITHM.pem" of another one;
 * `extra` is that algorithm or NULL. */
enum acme_rc acme_store_file_path(char path[ACME_STORE_PATH_MAX],
    const char *dir, const char *stem, const char *extra,
    struct acme_error *err);

/* meta.json in `dir`; *root is NULL when there is none that can be used: then
 * the files alone say what the version is. */
enum acme_rc acme_store_meta_read(const struct acme_store *store,
    const char *dir, struct acme_json **root, struct acme_error *err);

/* ACME_IO unless the store was opened for writing. */
enum acme_rc acme_store_writable(const struct acme_store *store,
    struct acme_error *err);

/*
 * "BEFORE NAME AFTER" without spaces, for a lineage; a name that may not be
 * a lineage's is refused here too, whoever brought it.
 */
enum acme_rc acme_store_path(char path[ACME_STORE_PATH_MAX],
    const char *before, const char *name, const char *after,
    struct acme_error *err);

/* The same for a unit's name (acme_store_unit_name()). */
enum acme_rc acme_store_unit_path(char path[ACME_STORE_PATH_MAX],
    const char *before, const char *unit, const char *after,
    struct acme_error *err);

/* Reads a file of STATE; ACME_NOENT and ACME_IO as of acme_dir_read(). */
enum acme_rc acme_store_read(const struct acme_store *store, const char *path,
    size_t max, struct acme_buf *out, struct acme_error *err);

/* The text of a JSON file, nothing of one that does not exist. */
enum acme_rc acme_store_read_any(const struct acme_store *store,
    const char *path, struct acme_buf *out, struct acme_error *err);

/* Reads a JSON object.  What is no JSON object is ACME_IO. */
enum acme_rc acme_store_json_read(const struct acme_store *store,
    const char *path, struct acme_json **root, struct acme_error *err);

/* Writes `root` (0600), which stays the caller's. */
enum acme_rc acme_store_json_write(const struct acme_store *store,
    const char *path, const struct acme_json *root, struct acme_error *err);

/* Whether `id` is one of an account: lower-case hex of the right length. */
bool acme_store_id_ok(const char *id);

/* "accounts/<host>/<path>/ID" and `file` ("/account.json"). */
enum acme_rc acme_store_account_path(const struct acme_issuer *issuer,
    const char *id, const char *file, char path[ACME_STORE_PATH_MAX],
    struct acme_error *err);

/* There is a note about a key that is barred. */
enum acme_rc acme_store_bar(struct acme_store *store, struct acme_error *err);

/* Stores a key as keys/ID.pem, unless it is there. */
enum acme_rc acme_store_key_write(const struct acme_store *store,
    const struct acme_key *key, const char *id, struct acme_error *err);

/* A lock that nobody holds for more than some milliseconds, by its path: it is
 * waited for, two seconds at most (ACME_BUSY). */
enum acme_rc acme_store_lock_soon(const struct acme_store *store,
    const char *path, int *fd, struct acme_error *err);

/* keys/default.json, which counts under a lock that is waited for: an empty
 * object when there is no file yet. */
#define ACME_STORE_DEFAULTS "keys/default.json"
enum acme_rc acme_store_lock_keys(const struct acme_store *store, int *fd,
    struct acme_error *err);
enum acme_rc acme_store_defaults(const struct acme_store *store,
    struct acme_json **root, struct acme_error *err);

/* The thumbprint of an account's key.  ACME_NOENT: no such key here. */
enum acme_rc acme_store_thumbprint(struct acme_store *store, const char *id,
    char thumbprint[ACME_THUMBPRINT_LEN + 1], struct acme_error *err);

/* ACME_IO `"PATH" is damaged: WHY`. */
enum acme_rc acme_store_damaged(struct acme_error *err, const char *path,
    const struct acme_error *why);

/*
 * Appends the bytes in all PEM blocks between the lines `begin` and `stop`,
 * one behind the other.  False: none, or malformed; then the full parsers
 * have to say what is wrong.
 */
bool acme_store_pem_bytes(const struct acme_buf *pem, const char *begin,
    const char *stop, struct acme_buf *out);

/* Gives a new version's directory, which nobody knows yet, to the group that
 * the lineage's keys are for. */
enum acme_rc acme_store_share_new(struct acme_store *store, const char *name,
    const char *dir, struct acme_error *err);

/* What stat(2) tells of a file's content, or that there is none, added to a
 * stamp. */
#define ACME_STORE_STAMP_BEGIN UINT64_C(14695981039346656037)
uint64_t acme_store_stamp_add(const struct acme_store *store, uint64_t stamp,
    const char *path);

/* Whether the entries of a directory have changed since *seen; *again is of
 * the next look. */
enum acme_rc acme_store_dir_changed(const struct acme_store *store,
    const char *path, struct timespec *seen, bool *again, time_t now,
    bool *changed, struct acme_error *err);

/* Where a pair came from, out of its meta.json. */
void acme_store_read_origin(const struct acme_json *meta,
    struct acme_origin *origin);

#endif
