/*
 * Keys that zones are changed with: read once, as root and before the
 * sandbox, kept by the store and given to the engine when it changes one.
 */
#include <stdlib.h>
#include <string.h>

#include "drive/acme_keeper_private.h"
#include "state/acme_dir.h"

static struct acme_kept_tsig *
find(const struct acme_keeper *keeper, const char *path)
{
    size_t i;

    for (i = 0; i < keeper->ntsigs; i++)
        if (strcmp(keeper->tsig[i].path, path) == 0)
            return &keeper->tsig[i];
    return NULL;
}

static void
read_key(struct acme_kept_tsig *kept, uid_t owner)
{
    struct acme_error *err = &kept->trouble;
    struct acme_buf text;
    enum acme_rc rc;

    acme_tsig_init(&kept->key);
    acme_error_clear(err);
    acme_buf_init_secret(&text, ACME_TSIG_FILE_MAX);
    rc = acme_dir_read_secret(kept->path, owner, ACME_TSIG_FILE_MAX, &text,
        err);
    if (rc == ACME_OK) {
        rc = acme_tsig_parse(&kept->key, acme_buf_str(&text), text.len, err);
        if (rc != ACME_OK)
            (void)acme_error_wrap(err, "TSIG key \"%s\"", kept->path);
    }
    if (rc != ACME_OK && rc != ACME_NOMEM)
        err->rc = ACME_CONFIG;
    acme_buf_clear(&text);
}

/* Neighbours have mostly the same. */
static enum acme_rc
add(struct acme_keeper *keeper, const char *path, struct acme_error *err)
{
    struct acme_kept_tsig *more;

    if (find(keeper, path) != NULL)
        return ACME_OK;
    more = realloc(keeper->tsig, (keeper->ntsigs + 1) * sizeof(*more));
    if (more == NULL)
        return acme_error_nomem(err);
    keeper->tsig = more;
    more[keeper->ntsigs].path = path;
    read_key(&more[keeper->ntsigs++], keeper->config->uid);
    return ACME_OK;
}

enum acme_rc
acme_keeper_read_tsigs(struct acme_keeper *keeper, struct acme_error *err)
{
    const struct acme_config *config = keeper->config;
    const struct acme_proof *last = NULL, *proof;
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < config->nlineages && rc == ACME_OK; i++) {
        proof = config->lineage[i].proof;
        if (proof != last && proof->dns_key_file != NULL)
            rc = add(keeper, proof->dns_key_file, err);
        last = proof;
    }
    return rc;
}

void
acme_keeper_free_tsigs(struct acme_keeper *keeper)
{
    size_t i;

    for (i = 0; i < keeper->ntsigs; i++)
        acme_tsig_clear(&keeper->tsig[i].key);
    free(keeper->tsig);
    keeper->tsig = NULL;
    keeper->ntsigs = 0;
}

void
acme_keeper_answer_tsig(struct acme_call *call)
{
    const char *path =
        call->keeper->config->lineage[call->index].proof->dns_key_file;
    const struct acme_kept_tsig *kept =
        path != NULL ? find(call->keeper, path) : NULL;

    if (kept != NULL)
        call->err = kept->trouble;
    else
        (void)acme_error_set(&call->err, ACME_NOENT,
            "no key for the DNS is configured");
    acme_call_reply(call);
    if (call->err.rc != ACME_OK)
        return;
    acme_frame_add_text(call->reply, kept->key.name);
    acme_frame_add_text(call->reply, kept->key.alg);
    acme_frame_add(call->reply, kept->key.secret.data, kept->key.secret.len);
}
