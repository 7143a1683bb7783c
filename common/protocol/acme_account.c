#include "protocol/acme_account.h"

#include <string.h>

#include "base/acme_log.h"
#include "protocol/acme_jws.h"
#include "protocol/acme_order.h"

/* Of a terms' URL in an error text, which has to hold the cure as well. */
enum {
    SHOWN_URL = 256
};

/* A binding has the account's public key in it, and a key identifier. */
#define BINDING_MAX (16 * 1024)

static bool
is_problem(const struct acme_error *err, const char *type)
{
    return err->rc == ACME_PROBLEM && strcmp(err->type, type) == 0;
}

static enum acme_rc
hand_over(const struct acme_error *cause, struct acme_error *err)
{
    if (err->rc == ACME_OK)
        *err = *cause;
    return err->rc;
}

/* What helps is no other try, but another key. */
static enum acme_rc
is_dead(const char *why, struct acme_error *err)
{
    return acme_error_set(err, ACME_CONFIG,
        "the account of this key is %s at the CA: another account key is "
        "needed, set \"account_key\" (nginx) or \"ACMEAccountKey\" (Apache "
        "httpd) to another type or file",
        why);
}

/* RFC 8555 7.1.2; a CA that says nothing of the status means "valid". */
static enum acme_rc
check_status(const struct acme_json *account, struct acme_error *err)
{
    const char *text = acme_json_str(account, "status");
    enum acme_status status = acme_status_parse(text);

    if (text == NULL || status == ACME_STATUS_VALID)
        return ACME_OK;
    if (status == ACME_STATUS_DEACTIVATED || status == ACME_STATUS_REVOKED)
        return is_dead(acme_status_name(status), err);
    return acme_error_set(err, ACME_WIRE, "unknown status of the account");
}

/* RFC 8555 7.3: asks newAccount and keeps the account's URL. */
static enum acme_rc
post_account(struct acme_client *client, const char *new_account,
    const struct acme_json *payload, struct acme_error *err)
{
    struct acme_client_request request = { 0 };
    struct acme_http_response response;
    struct acme_json *account = NULL;
    char url[ACME_URL_MAX];
    enum acme_rc rc;

    if (payload == NULL)
        return acme_error_nomem(err);
    acme_http_response_init(&response);
    request.url = new_account;
    request.payload = payload;
    request.with_jwk = true;
    rc = acme_client_post_json(client, &request, &response, &account, err);
    if (rc == ACME_OK)
        rc = check_status(account, err);
    if (rc == ACME_OK)
        rc = acme_connection_location(acme_client_connection(client),
            new_account, &response, url, err);
    if (rc == ACME_OK)
        rc = acme_client_set_account(client, url, err);
    acme_json_free(account);
    acme_http_response_clear(&response);
    return rc;
}

static enum acme_rc
read_account(struct acme_client *client, const char *url,
    struct acme_error *err)
{
    struct acme_client_request request = { 0 };
    struct acme_http_response response;
    struct acme_json *account = NULL;
    enum acme_rc rc;

    acme_http_response_init(&response);
    request.url = url;
    rc = acme_client_post_json(client, &request, &response, &account, err);
    if (rc == ACME_OK)
        rc = check_status(account, err);
    acme_json_free(account);
    acme_http_response_clear(&response);
    return rc;
}

/*
 * The URL we have: forgotten when the CA has moved to another origin or does
 * not know the account any more (RFC 8555 6.7 accountDoesNotExist), as both
 * are cured by asking for the account of our key.
 */
static enum acme_rc
try_known(struct acme_client *client, const char *url, struct acme_error *err)
{
    struct acme_error cause;

    acme_error_clear(&cause);
    if (acme_connection_check_url(acme_client_connection(client), url,
            &cause) != ACME_OK)
        return acme_client_set_account(client, NULL, err);
    if (read_account(client, url, &cause) == ACME_OK)
        return ACME_OK;
    if (is_problem(&cause, "accountDoesNotExist"))
        return acme_client_set_account(client, NULL, err);
    /* RFC 8555 7.3.6: so it is said of one that is deactivated */
    if (is_problem(&cause, "unauthorized"))
        return is_dead("deactivated, or revoked,", err);
    return hand_over(&cause, err);
}

/* RFC 8555 7.3.1.  A CA that wants a binding may ask for it even here, in its
 * own words. */
static enum acme_rc
find_by_key(struct acme_client *client, const char *new_account, bool bound,
    struct acme_error *err)
{
    struct acme_json *payload;
    struct acme_error cause;
    enum acme_rc rc;

    acme_error_clear(&cause);
    payload = acme_json_object();
    acme_json_set_bool(payload, "onlyReturnExisting", true);
    rc = post_account(client, new_account, payload, &cause);
    acme_json_free(payload);
    if (rc == ACME_OK || is_problem(&cause, "accountDoesNotExist") ||
        is_problem(&cause, "externalAccountRequired") ||
        (bound && is_problem(&cause, "unauthorized")))
        return ACME_OK;
    if (is_problem(&cause, "unauthorized"))
        return is_dead("deactivated, or revoked,", err);
    return hand_over(&cause, err);
}

static enum acme_rc
refuse_terms(const char *terms, struct acme_error *err)
{
    char shown[SHOWN_URL];

    if (err->rc != ACME_OK)
        return err->rc;
    acme_log_clean(shown, sizeof(shown), terms, strlen(terms));
    acme_error_set(err, ACME_CONFIG,
        "the CA's terms of service are not accepted: read them and set "
        "\"acme_accept_terms_of_service\" (nginx) or "
        "\"ACMECertificateAgreement accepted\" (Apache httpd): %s",
        shown);
    memcpy(err->instance, shown, sizeof(shown));
    return err->rc;
}

static enum acme_rc
need_binding(struct acme_error *err)
{
    return acme_error_set(err, ACME_CONFIG,
        "the CA requires an external account binding for a new account: get "
        "a key identifier and a MAC key from it and set "
        "\"external_account_key\" (nginx) or \"ACMEExternalAccountBinding\" "
        "(Apache httpd)");
}

/* What an operator has to settle before an account can be made. */
static enum acme_rc
check_consent(const struct acme_directory *directory,
    const struct acme_account_wish *wish, struct acme_error *err)
{
    if (directory->eab_required && wish->bind == NULL)
        return need_binding(err);
    if (directory->terms[0] != '\0' && !wish->terms_accepted)
        return refuse_terms(directory->terms, err);
    return ACME_OK;
}

static void
add_contacts(struct acme_json *payload, const char *const *contacts, size_t n)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < n; i++)
        acme_json_append_str(list, contacts[i]);
    acme_json_set(payload, "contact", list);
}

static struct acme_json *
render_wish(const struct acme_account_wish *wish)
{
    struct acme_json *payload = acme_json_object();

    if (wish->terms_accepted)
        acme_json_set_bool(payload, "termsOfServiceAgreed", true);
    if (wish->ncontacts > 0)
        add_contacts(payload, wish->contacts, wish->ncontacts);
    return payload;
}

/* RFC 8555 7.3.4 */
static enum acme_rc
add_binding(const struct acme_binding *binding, const struct acme_key *key,
    const char *new_account, struct acme_json *payload, struct acme_error *err)
{
    struct acme_json *jws = NULL;
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, BINDING_MAX);
    rc = acme_jws_bind(binding, key, new_account, &text, err);
    if (rc == ACME_OK)
        rc = acme_json_parse(acme_buf_str(&text), text.len, "binding", &jws,
            err);
    if (rc == ACME_OK)
        acme_json_set(payload, "externalAccountBinding", jws);
    acme_buf_clear(&text);
    return rc;
}

/* The MAC key is here no longer than it takes to sign. */
static enum acme_rc
bind_account(struct acme_client *client,
    const struct acme_directory *directory,
    const struct acme_account_wish *wish, struct acme_json *payload,
    struct acme_error *err)
{
    struct acme_binding binding;
    enum acme_rc rc;

    if (wish->bind == NULL)
        return ACME_OK;
    acme_binding_init(&binding);
    rc = wish->bind(wish->ctx, &binding, err);
    if (rc == ACME_OK)
        rc = add_binding(&binding, acme_client_key(client),
            directory->new_account, payload, err);
    acme_binding_clear(&binding);
    return rc;
}

/*
 * Whether it is the binding that the CA does not like; RFC 8555 7.3.4 leaves
 * it to the CA how to say so, and no later try with the same key can help.
 */
static bool
is_about_binding(const struct acme_error *err)
{
    return is_problem(err, "externalAccountRequired") ||
           is_problem(err, "unauthorized") || is_problem(err, "malformed");
}

static enum acme_rc
refused_account(const struct acme_account_wish *wish,
    const struct acme_error *cause, struct acme_error *err)
{
    if (wish->bind == NULL && is_problem(cause, "externalAccountRequired"))
        return need_binding(err);
    (void)hand_over(cause, err);
    if (acme_account_refuses_contacts(cause)) {
        err->rc = ACME_CONFIG;
        (void)acme_error_wrap(err,
            "the contacts are refused, change \"contact\" (nginx) or "
            "\"ACMEContactEmail\" (Apache httpd)");
    }
    if (wish->bind != NULL && is_about_binding(cause)) {
        err->rc = ACME_CONFIG;
        (void)acme_error_wrap(err,
            "refused with the external account binding that is configured, "
            "is its key the right one and not used up?");
    }
    return acme_error_wrap(err, "new account");
}

static enum acme_rc
create(struct acme_client *client, const struct acme_directory *directory,
    const struct acme_account_wish *wish, struct acme_error *err)
{
    struct acme_json *payload;
    struct acme_error cause;
    enum acme_rc rc;

    rc = check_consent(directory, wish, err);
    if (rc == ACME_OK && wish->may_make != NULL)
        rc = wish->may_make(wish->ctx, err);
    if (rc != ACME_OK)
        return rc;
    acme_error_clear(&cause);
    payload = render_wish(wish);
    rc = bind_account(client, directory, wish, payload, err);
    if (rc == ACME_OK && post_account(client, directory->new_account, payload,
                             &cause) != ACME_OK)
        rc = refused_account(wish, &cause, err);
    acme_json_free(payload);
    return rc;
}

static enum acme_rc
ensure(struct acme_client *client, const struct acme_account_wish *wish,
    const char *known, bool *made, struct acme_error *err)
{
    const struct acme_directory *directory;
    enum acme_rc rc;

    rc = acme_connection_directory(acme_client_connection(client), &directory,
        err);
    if (rc == ACME_OK && known[0] != '\0')
        rc = try_known(client, known, err);
    if (rc == ACME_OK && acme_client_account(client) == NULL)
        rc = find_by_key(client, directory->new_account, wish->bind != NULL,
            err);
    if (rc == ACME_OK && acme_client_account(client) == NULL) {
        rc = create(client, directory, wish, err);
        *made = true;
    }
    return rc;
}

enum acme_rc
acme_account_ensure(struct acme_client *client,
    const struct acme_account_wish *wish, enum acme_account_origin *origin,
    struct acme_error *err)
{
    const char *url = acme_client_account(client);
    char known[ACME_URL_MAX] = "";
    bool made = false;
    enum acme_rc rc;

    if (url != NULL)
        memcpy(known, url, strlen(url) + 1);
    rc = ensure(client, wish, known, &made, err);
    if (rc != ACME_OK)
        return acme_error_wrap(err, "account");
    if (made)
        *origin = ACME_ACCOUNT_MADE;
    else if (strcmp(known, acme_client_account(client)) != 0)
        *origin = ACME_ACCOUNT_FOUND;
    else
        *origin = ACME_ACCOUNT_KNOWN;
    return ACME_OK;
}

/* ---- changes ---------------------------------------------------------- */

/* RFC 8555 7.3.2: a POST to the account's URL; payload NULL: POST-as-GET. */
static enum acme_rc
post_to_account(struct acme_client *client, const struct acme_json *payload,
    struct acme_json **account, struct acme_error *err)
{
    struct acme_client_request request = { 0 };
    struct acme_http_response response;
    enum acme_rc rc;

    acme_http_response_init(&response);
    request.url = acme_client_account(client);
    request.payload = payload;
    if (request.url == NULL)
        rc = acme_error_set(err, ACME_NOENT, "no account");
    else if (account != NULL)
        rc = acme_client_post_json(client, &request, &response, account, err);
    else
        rc = acme_client_post(client, &request, &response, err);
    acme_http_response_clear(&response);
    return rc;
}

enum acme_rc
acme_account_get(struct acme_client *client, struct acme_json **account,
    struct acme_error *err)
{
    enum acme_rc rc = post_to_account(client, NULL, account, err);

    return rc == ACME_OK ? rc : acme_error_wrap(err, "account");
}

enum acme_rc
acme_account_deactivate(struct acme_client *client, struct acme_error *err)
{
    struct acme_json *payload = acme_json_object(), *account = NULL;
    const char *status;
    enum acme_rc rc;

    if (payload == NULL)
        return acme_error_nomem(err);
    acme_json_set_str(payload, "status", "deactivated");
    rc = post_to_account(client, payload, &account, err);
    if (rc == ACME_OK) {
        status = acme_json_str(account, "status");
        if (acme_status_parse(status) != ACME_STATUS_DEACTIVATED)
            rc = acme_error_set(err, ACME_WIRE,
                "the CA does not say that the account is deactivated now");
    }
    acme_json_free(account);
    acme_json_free(payload);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "deactivation");
}

enum acme_rc
acme_account_set_contacts(struct acme_client *client,
    const char *const *contacts, size_t ncontacts, struct acme_error *err)
{
    struct acme_json *payload = acme_json_object();
    enum acme_rc rc;

    if (payload == NULL)
        return acme_error_nomem(err);
    add_contacts(payload, contacts, ncontacts);
    rc = post_to_account(client, payload, NULL, err);
    acme_json_free(payload);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "contacts");
}

/* ---- another key ------------------------------------------------------ */

/* RFC 8555 7.3.5: what the inner JWS says. */
static enum acme_rc
render_change(const struct acme_client *client, struct acme_buf *text,
    struct acme_error *err)
{
    struct acme_json *payload = acme_json_object(), *jwk = NULL;
    struct acme_buf old;
    enum acme_rc rc;

    acme_buf_init(&old, BINDING_MAX);
    rc = acme_key_jwk(acme_client_key(client), &old, err);
    if (rc == ACME_OK)
        rc = acme_json_parse(acme_buf_str(&old), old.len, "jwk", &jwk, err);
    if (rc == ACME_OK) {
        acme_json_set_str(payload, "account", acme_client_account(client));
        acme_json_set(payload, "oldKey", jwk);
        rc = payload != NULL ? acme_json_render(payload, false, text, err)
                             : acme_error_nomem(err);
    }
    acme_json_free(payload);
    acme_buf_clear(&old);
    return rc;
}

/* The new key's word, which the old one signs. */
static enum acme_rc
sign_change(const struct acme_client *client, const struct acme_key *new_key,
    const char *url, struct acme_json **inner, struct acme_error *err)
{
    struct acme_buf payload, jws;
    enum acme_rc rc;

    acme_buf_init(&payload, BINDING_MAX);
    acme_buf_init(&jws, 2 * BINDING_MAX);
    rc = render_change(client, &payload, err);
    if (rc == ACME_OK)
        rc = acme_jws_sign(new_key, NULL, NULL, url, acme_buf_str(&payload),
            &jws, err);
    if (rc == ACME_OK)
        rc = acme_json_parse(acme_buf_str(&jws), jws.len, "key change", inner,
            err);
    acme_buf_clear(&jws);
    acme_buf_clear(&payload);
    return rc;
}

/* RFC 8555 7.3.5: 409 is for a key that has an account already. */
static enum acme_rc
post_change(struct acme_client *client, const char *url,
    const struct acme_json *inner, struct acme_error *err)
{
    struct acme_client_request request = { 0 };
    struct acme_http_response response;
    enum acme_rc rc;
    bool in_use;

    acme_http_response_init(&response);
    request.url = url;
    request.payload = inner;
    rc = acme_client_post(client, &request, &response, err);
    in_use = rc != ACME_OK && response.status == 409;
    if (in_use) {
        err->rc = rc = ACME_CONFIG;
        (void)acme_error_wrap(err,
            "the new key has an account of its own at this CA already, "
            "another key is needed");
    }
    acme_http_response_clear(&response);
    return rc;
}

enum acme_rc
acme_account_rekey(struct acme_client *client, struct acme_key *new_key,
    struct acme_error *err)
{
    const struct acme_directory *directory;
    struct acme_json *inner = NULL;
    enum acme_rc rc;

    rc = acme_connection_directory(acme_client_connection(client), &directory,
        err);
    if (rc == ACME_OK && directory->key_change[0] == '\0')
        rc = acme_error_set(err, ACME_NOENT,
            "the CA names no place for it (keyChange)");
    if (rc == ACME_OK && (acme_client_account(client) == NULL ||
                             acme_client_key(client) == NULL))
        rc = acme_error_set(err, ACME_NOENT, "no account");
    if (rc == ACME_OK)
        rc = acme_connection_check_url(acme_client_connection(client),
            directory->key_change, err);
    if (rc == ACME_OK)
        rc = sign_change(client, new_key, directory->key_change, &inner, err);
    if (rc == ACME_OK)
        rc = post_change(client, directory->key_change, inner, err);
    if (rc == ACME_OK)
        acme_client_set_key(client, new_key);
    acme_json_free(inner);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "key change");
}

enum acme_rc
acme_account_find(struct acme_client *client, bool *found,
    struct acme_error *err)
{
    const struct acme_directory *directory;
    enum acme_rc rc;

    *found = false;
    rc = acme_connection_directory(acme_client_connection(client), &directory,
        err);
    if (rc == ACME_OK)
        rc = acme_client_set_account(client, NULL, err);
    if (rc == ACME_OK)
        rc = find_by_key(client, directory->new_account, false, err);
    *found = rc == ACME_OK && acme_client_account(client) != NULL;
    return rc == ACME_OK ? rc : acme_error_wrap(err, "account");
}

bool
acme_account_refuses_contacts(const struct acme_error *err)
{
    return is_problem(err, "invalidContact") ||
           is_problem(err, "unsupportedContact");
}
