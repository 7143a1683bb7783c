/*
 * External account bindings: read once, as root and before the sandbox, kept
 * by the store and given to the engine only when it makes an account.
 */
#include <stdlib.h>
#include <string.h>

#include "drive/acme_keeper_private.h"
#include "state/acme_dir.h"

static enum acme_rc
read_file(const struct acme_issuer *issuer, uid_t owner,
    struct acme_binding *binding, struct acme_error *err)
{
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init_secret(&text, ACME_EAB_FILE_MAX);
    rc = acme_dir_read_secret(issuer->eab_file, owner, ACME_EAB_FILE_MAX,
        &text, err);
    if (rc == ACME_OK) {
        rc = acme_binding_parse(binding, issuer->eab_kid, issuer->eab_alg,
            acme_buf_str(&text), text.len, err);
        if (rc != ACME_OK)
            (void)acme_error_wrap(err, "external account key \"%s\"",
                issuer->eab_file);
    }
    acme_buf_clear(&text);
    return rc;
}

/* An issuer of which only the name of its key has been written down was
 * configured with the key itself. */
static enum acme_rc
read_binding(const struct acme_issuer *issuer, uid_t owner,
    struct acme_binding *binding, struct acme_error *err)
{
    if (issuer->eab_file != NULL)
        return read_file(issuer, owner, binding, err);
    if (issuer->eab_key != NULL && issuer->eab_kid != NULL)
        return acme_binding_parse(binding, issuer->eab_kid, issuer->eab_alg,
            issuer->eab_key, strlen(issuer->eab_key), err);
    if (issuer->eab_kid != NULL)
        return acme_error_set(err, ACME_CONFIG,
            "the external account key of issuer \"%s\" is in the server's "
            "configuration only: let the server make the account, or put "
            "the key into a file",
            issuer->name);
    return ACME_OK;
}

enum acme_rc
acme_keeper_read_bindings(struct acme_keeper *keeper, struct acme_error *err)
{
    const struct acme_config *config = keeper->config;
    struct acme_kept_binding *kept;
    size_t i;

    keeper->binding = calloc(config->nissuers + 1, sizeof(keeper->binding[0]));
    if (keeper->binding == NULL)
        return acme_error_nomem(err);
    for (i = 0; i < config->nissuers; i++) {
        kept = &keeper->binding[i];
        acme_binding_init(&kept->binding);
        acme_error_clear(&kept->trouble);
        if (read_binding(&config->issuer[i], config->uid, &kept->binding,
                &kept->trouble) != ACME_OK &&
            kept->trouble.rc != ACME_NOMEM)
            kept->trouble.rc = ACME_CONFIG;
    }
    return ACME_OK;
}

void
acme_keeper_free_bindings(struct acme_keeper *keeper)
{
    size_t i;

    for (i = 0; keeper->binding != NULL && i < keeper->config->nissuers; i++)
        acme_binding_clear(&keeper->binding[i].binding);
    free(keeper->binding);
    keeper->binding = NULL;
}

void
acme_keeper_answer_binding(struct acme_call *call)
{
    const struct acme_kept_binding *kept = &call->keeper->binding[call->index];

    call->err = kept->trouble;
    if (call->err.rc == ACME_OK && kept->binding.kid[0] == '\0')
        (void)acme_error_set(&call->err, ACME_NOENT,
            "no external account binding is configured");
    acme_call_reply(call);
    if (call->err.rc != ACME_OK)
        return;
    acme_frame_add_text(call->reply, kept->binding.kid);
    acme_frame_add_text(call->reply, kept->binding.alg);
    acme_frame_add(call->reply, kept->binding.key.data, kept->binding.key.len);
}
