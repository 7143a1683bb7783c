/*
 * Operators' signing requests: their directories are opened before the
 * sandbox, which lets the store read there; the files are read at each order.
 */
#include <string.h>
#include <unistd.h>

#include "drive/acme_csr_file.h"
#include "drive/acme_keeper_private.h"

void
acme_keeper_open_csrs(struct acme_keeper *keeper)
{
    const struct acme_config *config = keeper->config;
    struct acme_error err;
    size_t i;

    for (i = 0; i < config->nlineages; i++) {
        keeper->kept[i].csr_dir = -1;
        if (config->lineage[i].csr_file == NULL ||
            config->lineage[i].csr_pem != NULL)
            continue;
        acme_error_clear(&err);
        if (acme_csr_file_open(config->lineage[i].csr_file,
                &keeper->kept[i].csr_dir, &err) != ACME_OK)
            acme_keeper_log(keeper, ACME_LOG_ERROR, &err,
                "cannot use signing request");
    }
}

void
acme_keeper_close_csr(struct acme_kept *kept)
{
    if (kept->csr_dir != -1)
        close(kept->csr_dir);
    kept->csr_dir = -1;
    acme_csr_free(kept->csr);
    kept->csr = NULL;
}

size_t
acme_keeper_csr_dirs(const struct acme_keeper *keeper, int *fds, size_t max)
{
    size_t i, n = 0;

    for (i = 0; i < keeper->config->nlineages; i++) {
        if (keeper->kept[i].csr_dir == -1)
            continue;
        if (n < max)
            fds[n] = keeper->kept[i].csr_dir;
        n++;
    }
    return n;
}

static enum acme_rc
read_request(struct acme_keeper *keeper, size_t lineage, struct acme_csr **csr,
    struct acme_error *err)
{
    const struct acme_lineage *configured = &keeper->config->lineage[lineage];
    const struct acme_kept *kept = &keeper->kept[lineage];

    if (configured->csr_pem != NULL)
        return acme_csr_file_take(configured->csr_pem,
            strlen(configured->csr_pem), configured->csr_file, &kept->wanted,
            csr, err);
    if (kept->csr_dir == -1)
        return acme_error_set(err, ACME_CONFIG,
            "the directory of signing request \"%s\" could not be opened at "
            "start; reload when it can",
            configured->csr_file);
    return acme_csr_file_read(kept->csr_dir, configured->csr_file,
        &kept->wanted, csr, err);
}

enum acme_rc
acme_keeper_read_csr(struct acme_keeper *keeper, size_t lineage,
    enum acme_key_type type, struct acme_error *err)
{
    struct acme_kept *kept = &keeper->kept[lineage];
    const char *path = keeper->config->lineage[lineage].csr_file;
    struct acme_csr *csr = NULL;
    enum acme_rc rc;

    if (path == NULL || kept->wanted.csr_file == NULL)
        return acme_error_set(err, ACME_CONFIG,
            "no signing request is configured here");
    rc = read_request(keeper, lineage, &csr, err);
    /* It is put right in the file, with no change of the configuration. */
    if (rc == ACME_CONFIG)
        rc = err->rc = ACME_IO;
    if (rc == ACME_OK && acme_key_type_of(acme_csr_key(csr)) != type)
        rc = acme_error_set(err, ACME_IO,
            "signing request \"%s\" has a key of type %s now; reload, or make "
            "it anew with one of type %s",
            path, acme_key_type_name(acme_key_type_of(acme_csr_key(csr))),
            acme_key_type_name(type));
    if (rc == ACME_OK &&
        acme_store_is_barred(keeper->store, acme_csr_key(csr)))
        rc = acme_error_set(err, ACME_IO,
            "the key of signing request \"%s\" was revoked as compromised; "
            "make another one",
            path);
    if (rc != ACME_OK) {
        acme_csr_free(csr);
        return rc;
    }
    acme_csr_free(kept->csr);
    kept->csr = csr;
    return ACME_OK;
}

void
acme_keeper_answer_csr(struct acme_call *call)
{
    const struct acme_kept *kept = &call->keeper->kept[call->index];
    const struct acme_buf *der;

    (void)acme_keeper_read_csr(call->keeper, call->index,
        acme_lineage_type(&kept->wanted, call->algorithm), &call->err);
    acme_call_reply(call);
    if (call->err.rc != ACME_OK)
        return;
    der = acme_csr_der(kept->csr);
    acme_frame_add(call->reply, der->data, der->len);
}
