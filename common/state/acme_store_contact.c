/*
 * What account.json says of an account's contacts: who has told the CA of
 * which, and which it has.
 */
#include <stdio.h>
#include <string.h>

#include "state/acme_store_private.h"
#include "wrap/acme_hash.h"

/* Servers that are remembered: more have never shared a state directory, and
 * one that is forgotten tells the CA once more. */
#define DECLARERS_MAX 64

static enum acme_rc
read_account(const struct acme_store *store, const struct acme_issuer *issuer,
    const char *id, char path[ACME_STORE_PATH_MAX], struct acme_json **root,
    struct acme_error *err)
{
    enum acme_rc rc;

    rc = acme_store_account_path(issuer, id, "/account.json", path, err);
    return rc == ACME_OK ? acme_store_json_read(store, path, root, err) : rc;
}

static enum acme_rc
hash_contacts(const struct acme_issuer *issuer, char hash[ACME_HASH_HEX],
    struct acme_error *err)
{
    struct acme_buf text;
    enum acme_rc rc = ACME_OK;
    size_t i;

    acme_buf_init(&text, (ACME_CONTACTS_MAX + 1) * (ACME_URL_MAX + 1));
    for (i = 0; i < issuer->ncontacts; i++) {
        acme_buf_add_str(&text, issuer->contact[i]);
        acme_buf_add_str(&text, "\n");
    }
    if (acme_buf_ok(&text))
        acme_hash_hex(acme_buf_str(&text), text.len, hash);
    if (!acme_buf_ok(&text) || hash[0] == '\0')
        rc = acme_error_nomem(err);
    acme_buf_clear(&text);
    return rc;
}

enum acme_rc
acme_store_contacts_due(struct acme_store *store,
    const struct acme_issuer *issuer, const char *id, const char *by,
    bool *due, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX], hash[ACME_HASH_HEX] = "";
    struct acme_json *root = NULL;
    const char *told;
    enum acme_rc rc;

    rc = read_account(store, issuer, id, path, &root, err);
    if (rc == ACME_OK)
        rc = hash_contacts(issuer, hash, err);
    if (rc == ACME_OK) {
        told = acme_json_str(acme_json_get(root, "told"), by);
        *due = told != NULL ? strcmp(told, hash) != 0 : issuer->ncontacts > 0;
    }
    acme_json_free(root);
    return rc;
}

static size_t
count_members(const struct acme_json *object)
{
    void *iter = NULL;
    size_t n = 0;

    while ((iter = acme_json_next(object, iter)) != NULL)
        n++;
    return n;
}

static void
set_told(struct acme_json *root, const char *by, const char *hash)
{
    const struct acme_json *old = acme_json_get(root, "told");
    struct acme_json *told;

    if (acme_json_is_object(old) && count_members(old) < DECLARERS_MAX)
        told = acme_json_copy(old);
    else
        told = acme_json_object();
    acme_json_set_str(told, by, hash);
    acme_json_set(root, "told", told);
}

static void
set_contacts(struct acme_json *root, const struct acme_issuer *issuer)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < issuer->ncontacts; i++)
        acme_json_append_str(list, issuer->contact[i]);
    acme_json_set(root, "contact", list);
}

enum acme_rc
acme_store_contacts_told(struct acme_store *store,
    const struct acme_issuer *issuer, const char *id, const char *by,
    bool taken, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX], hash[ACME_HASH_HEX] = "";
    struct acme_json *root = NULL;
    enum acme_rc rc;

    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = read_account(store, issuer, id, path, &root, err);
    if (rc == ACME_OK)
        rc = hash_contacts(issuer, hash, err);
    if (rc == ACME_OK) {
        set_told(root, by, hash);
        if (taken)
            set_contacts(root, issuer);
        rc = acme_store_json_write(store, path, root, err);
    }
    acme_json_free(root);
    return rc;
}
