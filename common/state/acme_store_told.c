/*
 * told/NAME.json, due/NAME.json and due-mirror/NAME.json: what hooks have
 * done, and what they have yet to be told.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/acme_name.h"
#include "state/acme_store_private.h"

/* ---- told ------------------------------------------------------------- */

void
acme_store_told_read(const struct acme_store *store, const char *lineage,
    struct acme_told *told)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_error ignored;
    struct acme_buf text;

    memset(told, 0, sizeof(*told));
    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (acme_store_path(path, "told/", lineage, ".json", &ignored) ==
            ACME_OK &&
        acme_store_read(store, path, ACME_STATE_JSON_MAX, &text, &ignored) ==
            ACME_OK)
        acme_told_parse(acme_buf_str(&text), text.len, told);
    acme_buf_clear(&text);
}

enum acme_rc
acme_store_told_write(struct acme_store *store, const char *lineage,
    const struct acme_told *told, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_buf text;
    enum acme_rc rc = acme_store_writable(store, err);

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (rc == ACME_OK)
        rc = acme_store_path(path, "told/", lineage, ".json", err);
    if (rc == ACME_OK)
        rc = acme_told_render(told, &text, err);
    if (rc == ACME_OK)
        rc = acme_dir_write_soon(store->fd, path, 0600, text.data, text.len,
            err);
    acme_buf_clear(&text);
    return rc;
}

/* ---- due -------------------------------------------------------------- */

static const char *const due_directory[] = {
    [ACME_DUE_DEPLOY] = "due",
    [ACME_DUE_MIRROR] = "due-mirror",
};

static enum acme_rc
due_path(char path[ACME_STORE_PATH_MAX], enum acme_due_kind kind,
    const char *lineage, struct acme_error *err)
{
    char before[32];

    (void)snprintf(before, sizeof(before), "%s/", due_directory[kind]);
    return acme_store_path(path, before, lineage, ".json", err);
}

/* Held for as long as a file is written, or judged and removed. */
static enum acme_rc
lock_due(const struct acme_store *store, const char *lineage, int *fd,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    enum acme_rc rc = acme_store_path(path, "locks/due-", lineage, "", err);

    return rc == ACME_OK ? acme_store_lock_soon(store, path, fd, err) : rc;
}

enum acme_rc
acme_store_due_write(struct acme_store *store, enum acme_due_kind kind,
    const char *lineage, const struct acme_due *due, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_json *root;
    struct acme_buf text;
    int lock = -1;
    enum acme_rc rc = acme_store_writable(store, err);

    if (rc == ACME_OK)
        rc = due_path(path, kind, lineage, err);
    if (rc != ACME_OK)
        return rc;
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    root = acme_json_object();
    acme_json_set_str(root, "fingerprint", due->fingerprint);
    acme_json_set_bool(root, "renews", due->renews);
    rc = root == NULL ? acme_error_nomem(err)
                      : acme_json_render(root, true, &text, err);
    if (rc == ACME_OK)
        rc = lock_due(store, lineage, &lock, err);
    if (rc == ACME_OK)
        rc = acme_dir_write(store->fd, path, 0600, text.data, text.len, err);
    if (lock != -1)
        close(lock);
    acme_json_free(root);
    acme_buf_clear(&text);
    return rc;
}

bool
acme_store_due_read(const struct acme_store *store, enum acme_due_kind kind,
    const char *lineage, struct acme_due *due)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_json *root = NULL;
    struct acme_error ignored;
    const char *fingerprint;

    memset(due, 0, sizeof(*due));
    acme_error_clear(&ignored);
    if (due_path(path, kind, lineage, &ignored) != ACME_OK ||
        acme_store_json_read(store, path, &root, &ignored) != ACME_OK)
        return false;
    fingerprint = acme_json_str(root, "fingerprint");
    if (fingerprint != NULL && strlen(fingerprint) < sizeof(due->fingerprint))
        memcpy(due->fingerprint, fingerprint, strlen(fingerprint) + 1);
    due->renews = acme_json_bool(root, "renews", false);
    acme_json_free(root);
    return due->fingerprint[0] != '\0';
}

enum acme_rc
acme_store_due_done(struct acme_store *store, enum acme_due_kind kind,
    const char *lineage, const char *fingerprint, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_due due;
    int lock = -1;
    enum acme_rc rc = due_path(path, kind, lineage, err);

    if (rc == ACME_OK)
        rc = lock_due(store, lineage, &lock, err);
    if (rc == ACME_OK && acme_store_due_read(store, kind, lineage, &due) &&
        strcmp(due.fingerprint, fingerprint) == 0)
        rc = acme_dir_remove_soon(store->fd, path, err);
    if (lock != -1)
        close(lock);
    return rc;
}

struct visit {
    enum acme_rc (
        *visit)(void *ctx, const char *lineage, struct acme_error *err);
    void *ctx;
};

static enum acme_rc
visit_file(void *ctx, const char *file, struct acme_error *err)
{
    static const char suffix[] = ".json";
    const struct visit *visit = ctx;
    char lineage[ACME_LINEAGE_MAX + 1];
    struct acme_error ignored;
    const size_t len = strlen(file), end = strlen(suffix);

    acme_error_clear(&ignored);
    if (len <= end || len - end >= sizeof(lineage) ||
        strcmp(file + len - end, suffix) != 0)
        return ACME_OK;
    memcpy(lineage, file, len - end);
    lineage[len - end] = '\0';
    return acme_lineage_name_check(lineage, &ignored) == ACME_OK
               ? visit->visit(visit->ctx, lineage, err)
               : ACME_OK;
}

enum acme_rc
acme_store_due(const struct acme_store *store, enum acme_due_kind kind,
    enum acme_rc (
        *visit)(void *ctx, const char *lineage, struct acme_error *err),
    void *ctx, struct acme_error *err)
{
    struct visit visiting = { visit, ctx };

    return acme_dir_list(store->fd, due_directory[kind], visit_file, &visiting,
        err);
}
