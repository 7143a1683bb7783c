/*
 * staples/UNIT.der: what responders have said last of live certificates.
 * Opaque here: who reads one has to verify it, and finds out whose it is.
 */
#include "state/acme_store_private.h"

static enum acme_rc
staple_path(char path[ACME_STORE_PATH_MAX], const char *unit,
    struct acme_error *err)
{
    return acme_store_unit_path(path, "staples/", unit, ".der", err);
}

enum acme_rc
acme_store_staple_read(const struct acme_store *store, const char *unit,
    struct acme_buf *der, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    enum acme_rc rc = staple_path(path, unit, err);

    return rc == ACME_OK
               ? acme_store_read(store, path, ACME_STAPLE_MAX, der, err)
               : rc;
}

enum acme_rc
acme_store_staple_write(struct acme_store *store, const char *unit,
    const void *der, size_t len, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    enum acme_rc rc = acme_store_writable(store, err);

    if (rc == ACME_OK)
        rc = staple_path(path, unit, err);
    if (rc != ACME_OK)
        return rc;
    return len > 0 ? acme_dir_write_soon(store->fd, path, 0600, der, len, err)
                   : acme_dir_remove_soon(store->fd, path, err);
}

uint64_t
acme_store_staple_stamp(const struct acme_store *store, const char *name)
{
    char path[ACME_STORE_PATH_MAX], unit[ACME_UNIT_NAME_MAX];
    uint64_t stamp = ACME_STORE_STAMP_BEGIN;
    struct acme_error ignored;
    size_t i;

    acme_error_clear(&ignored);
    for (i = 0; i < ACME_ALGORITHMS; i++) {
        acme_store_unit_name(unit, name, i);
        if (staple_path(path, unit, &ignored) == ACME_OK)
            stamp = acme_store_stamp_add(store, stamp, path);
    }
    return stamp;
}

bool
acme_store_staples_changed(const struct acme_store *store,
    struct acme_watch *watch, time_t now)
{
    struct acme_error ignored;
    bool changed = false;

    acme_error_clear(&ignored);
    (void)acme_store_dir_changed(store, "staples", &watch->staples,
        &watch->staples_again, now, &changed, &ignored);
    return changed;
}
