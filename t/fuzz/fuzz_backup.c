/*
 * An archive that is to be restored: all entries are looked at, none is
 * written; what was read as an entry can be written as one, and is the same.
 */
#include "fuzz.h"
#include "state/acme_store_backup.h"

const unsigned fuzz_replay_step = 7;

static bool
read_on(void *ctx, void *out, size_t len)
{
    struct fuzz_input *in = ctx;

    if (len > in->left)
        return false;
    memcpy(out, in->at, len);
    in->at += len;
    in->left -= len;
    return true;
}

static void
check_entry(const struct acme_tar_entry *entry)
{
    struct acme_tar_entry *again = calloc(1, sizeof(*again));
    struct acme_error err;
    struct fuzz_input in;
    struct acme_buf out;

    acme_error_clear(&err);
    acme_buf_init(&out, 100000);
    FUZZ_CHECK(again != NULL);
    *again = *entry;
    again->size = 0;
    if (entry->name[0] != '\0') {
        FUZZ_CHECK(acme_tar_add(&out, again, NULL, &err) == ACME_OK);
        in.at = out.data;
        in.left = out.len;
        FUZZ_CHECK(acme_tar_next(read_on, &in, again, &err) == ACME_OK);
        FUZZ_CHECK(in.left == 0 && again->kind == entry->kind);
        FUZZ_CHECK(strcmp(again->name, entry->name) == 0);
        if (entry->kind == ACME_TAR_LINK)
            FUZZ_CHECK(strcmp(again->target, entry->target) == 0);
    }
    acme_buf_clear(&out);
    free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_tar_entry *entry = calloc(1, sizeof(*entry));
    struct acme_restore *restore = acme_restore_new(NULL);
    struct fuzz_input in = { data, size };
    struct acme_restored result;
    struct acme_buf content;
    struct acme_error err;
    enum acme_rc rc = ACME_OK;

    FUZZ_CHECK(entry != NULL && restore != NULL);
    acme_error_clear(&err);
    acme_buf_init(&content, ACME_RESTORE_FILE_MAX);
    while (rc == ACME_OK) {
        acme_buf_clear(&content);
        rc = acme_tar_next(read_on, &in, entry, &err);
        if (rc == ACME_OK)
            check_entry(entry);
        if (rc == ACME_OK && entry->kind == ACME_TAR_FILE)
            rc = acme_tar_content(read_on, &in, entry, ACME_RESTORE_FILE_MAX,
                &content, &err);
        if (rc == ACME_OK)
            rc = acme_restore_take(restore, entry, &content, &err);
    }
    if (rc == ACME_NOENT)
        rc = acme_restore_end(restore, &err);
    FUZZ_CHECK(rc == err.rc);
    acme_restore_result(restore, &result);
    acme_restore_free(restore);
    acme_buf_clear(&content);
    free(entry);
    FUZZ_CHECK_QUEUE();
    return 0;
}
