#include "drive/acme_enroll.h"

#include <string.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "protocol/acme_account.h"

/* While somebody changes the account's key (s). */
#define REKEY_PAUSE 5

/* Somebody else's key, should he have been first. */
static enum acme_rc
take_key(const struct acme_enroll *what, struct acme_key **key, char *url,
    struct acme_error *err)
{
    enum acme_rc rc;

    rc = acme_vault_account(what->vault, what->index, key, url, err);
    if (rc != ACME_NOENT)
        return rc;
    acme_error_clear(err);
    rc = acme_key_generate(what->issuer->key_type, key, err);
    if (rc == ACME_OK)
        rc = acme_vault_account_key(what->vault, what->index, key, err);
    return rc;
}

/* An account that is not there yet. */
struct made {
    const struct acme_enroll *what;
    bool counted;
};

static enum acme_rc
take_binding(void *ctx, struct acme_binding *binding, struct acme_error *err)
{
    const struct acme_enroll *what = ((struct made *)ctx)->what;

    return acme_vault_binding(what->vault, what->index, binding, err);
}

static enum acme_rc
may_make(void *ctx, struct acme_error *err)
{
    struct made *made = ctx;
    const struct acme_enroll *what = made->what;
    char when[ACME_TIME_TEXT];
    time_t not_before = 0;
    enum acme_rc rc;

    rc = acme_vault_account_room(what->vault, what->index, &not_before, err);
    if (rc == ACME_OK && not_before != 0) {
        rc = acme_error_set(err, ACME_LATER,
            "the CA's limit of new accounts leaves room for one again at %s",
            acme_time_format(not_before, when));
        err->retry_at = not_before;
    }
    made->counted = rc == ACME_OK;
    return rc;
}

/* What a CA refuses it does not count; but for a limit of its own. */
static void
give_back(const struct made *made, const struct acme_error *err)
{
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (made->counted && err->http_status >= 400 && err->http_status < 500 &&
        err->http_status != 429)
        (void)acme_vault_account_unmade(made->what->vault, made->what->index,
            &ignored);
}

enum acme_rc
acme_enroll_make(const struct acme_enroll *what,
    enum acme_account_origin *origin, struct acme_error *err)
{
    const struct acme_issuer *issuer = what->issuer;
    bool is_bound = issuer->eab_kid != NULL || issuer->eab_file != NULL;
    struct made made = { what, false };
    struct acme_account_wish wish = { .contacts = issuer->contact,
        .ncontacts = issuer->ncontacts,
        .terms_accepted = issuer->terms_accepted,
        .bind = is_bound ? take_binding : NULL,
        .may_make = may_make,
        .ctx = &made };
    enum acme_rc rc = acme_account_ensure(what->client, &wish, origin, err);

    if (rc != ACME_OK)
        give_back(&made, err);
    return rc;
}

static enum acme_rc
ensure(const struct acme_enroll *what, struct acme_error *err)
{
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;
    bool is_new = false;
    enum acme_rc rc = acme_enroll_make(what, &origin, err);

    if (rc == ACME_OK && origin != ACME_ACCOUNT_KNOWN)
        rc = acme_vault_account_url(what->vault, what->index,
            acme_client_account(what->client), &is_new, err);
    if (rc == ACME_OK && is_new) { /* and not by another job meanwhile */
        acme_log(what->host, ACME_LOG_NOTICE,
            "account found or registered, issuer \"%s\"", what->issuer->name);
    }
    if (rc == ACME_OK && origin == ACME_ACCOUNT_MADE)
        rc = acme_vault_contacts_told(what->vault, what->index,
            ACME_CONTACTS_MADE_WITH, err);
    return rc;
}

/* ACME_LATER: somebody changes the account's key just now. */
static enum acme_rc
find_other(const struct acme_enroll *what, struct acme_key **other,
    struct acme_error *err)
{
    struct acme_error own;
    enum acme_rc rc;

    acme_error_clear(&own);
    rc = acme_vault_other_key(what->vault, what->index, false, other, &own);
    if (rc == ACME_NOENT)
        return ACME_OK;
    if (rc == ACME_BUSY) {
        rc = acme_error_set(err, ACME_LATER,
            "the key of the account is being changed");
        err->retry_at = what->host->now(what->host->ctx) + REKEY_PAUSE;
    } else if (rc != ACME_OK) {
        *err = own;
    }
    return rc;
}

/*
 * A change of the account's key (RFC 8555 7.3.5) that was interrupted: only
 * the CA can say by which of the two it knows the account.
 */
static enum acme_rc
choose_key(const struct acme_enroll *what, struct acme_key **key,
    const char *url, struct acme_error *err)
{
    struct acme_key *other = NULL;
    bool found = false;
    enum acme_rc rc = ACME_OK;

    if (url[0] != '\0')
        rc = find_other(what, &other, err);
    if (rc != ACME_OK || other == NULL)
        return rc;
    acme_client_set_key(what->client, other);
    rc = acme_account_find(what->client, &found, err);
    if (rc == ACME_OK && found &&
        strcmp(acme_client_account(what->client), url) == 0) {
        rc = acme_vault_account_moved(what->vault, what->index, err);
        if (rc == ACME_OK) {
            acme_log(what->host, ACME_LOG_NOTICE,
                "account has the key of a change that was interrupted, "
                "issuer \"%s\"",
                what->issuer->name);
            acme_key_unref(*key);
            *key = acme_key_ref(other);
        }
    }
    acme_key_unref(other);
    return rc;
}

static enum acme_rc
use_account(const struct acme_enroll *what, struct acme_error *err)
{
    struct acme_key *key = NULL;
    char url[ACME_URL_MAX] = "";
    enum acme_rc rc;

    rc = take_key(what, &key, url, err);
    if (rc == ACME_OK)
        rc = choose_key(what, &key, url, err);
    if (rc == ACME_OK) {
        acme_client_set_key(what->client, key);
        rc = acme_client_set_account(what->client, url[0] != '\0' ? url : NULL,
            err);
    }
    if (rc == ACME_OK)
        rc = ensure(what, err);
    acme_key_unref(key);
    return rc;
}

enum acme_rc
acme_enroll_contacts(const struct acme_enroll *what, struct acme_error *err)
{
    const struct acme_issuer *issuer = what->issuer;
    char line[ACME_LOG_LINE_MAX];
    bool due = false, taken;
    enum acme_rc rc;

    rc = acme_vault_contacts(what->vault, what->index, &due, err);
    if (rc != ACME_OK || !due)
        return rc;
    rc = acme_account_set_contacts(what->client, issuer->contact,
        issuer->ncontacts, err);
    taken = rc == ACME_OK;
    if (!taken && !acme_account_refuses_contacts(err))
        return rc;
    if (taken) {
        acme_log(what->host, ACME_LOG_NOTICE,
            "contacts of the account changed at the CA, issuer \"%s\"",
            issuer->name);
    } else {
        acme_log(what->host, ACME_LOG_ERROR,
            "the CA does not take the contacts, issuer \"%s\": %s; those "
            "that it has stay, change \"contact\" (nginx) or "
            "\"ACMEContactEmail\" (Apache httpd)",
            issuer->name, acme_error_line(err, line, sizeof(line)));
        acme_error_clear(err);
    }
    return acme_vault_contacts_told(what->vault, what->index,
        taken ? ACME_CONTACTS_TAKEN : ACME_CONTACTS_REFUSED, err);
}

enum acme_rc
acme_enroll_refresh(const struct acme_enroll *what, void *ctx,
    struct acme_error *err)
{
    enum acme_rc rc = use_account(what, err);

    (void)ctx;
    return rc == ACME_OK ? acme_enroll_contacts(what, err) : rc;
}

/* No certificate has to wait for contacts. */
enum acme_rc
acme_enroll(const struct acme_enroll *what, struct acme_error *err)
{
    struct acme_error ignored;
    char line[ACME_LOG_LINE_MAX];
    enum acme_rc rc = use_account(what, err);

    acme_error_clear(&ignored);
    if (rc == ACME_OK && acme_enroll_contacts(what, &ignored) != ACME_OK &&
        ignored.rc != ACME_STOPPING)
        acme_log(what->host, ACME_LOG_WARN,
            "contacts of the account not changed yet, issuer \"%s\": %s",
            what->issuer->name, acme_error_line(&ignored, line, sizeof(line)));
    return rc;
}
