#include "protocol/acme_revoke.h"

#include <string.h>
#include <strings.h>

#include "base/acme_base64.h"
#include "wrap/acme_json.h"

static const struct {
    enum acme_reason reason;
    const char *name;
} reasons[] = { { ACME_REASON_UNSPECIFIED, "unspecified" },
    { ACME_REASON_KEY_COMPROMISE, "keycompromise" },
    { ACME_REASON_AFFILIATION_CHANGED, "affiliationchanged" },
    { ACME_REASON_SUPERSEDED, "superseded" },
    { ACME_REASON_CESSATION, "cessationofoperation" } };

#define NREASONS (sizeof(reasons) / sizeof(reasons[0]))

bool
acme_reason_parse(const char *text, enum acme_reason *reason)
{
    size_t i;

    for (i = 0; i < NREASONS; i++) {
        if (strcasecmp(reasons[i].name, text) != 0)
            continue;
        *reason = reasons[i].reason;
        return true;
    }
    return false;
}

const char *
acme_reason_name(enum acme_reason reason)
{
    size_t i;

    for (i = 0; i < NREASONS; i++)
        if (reasons[i].reason == reason)
            return reasons[i].name;
    return "";
}

/* NULL: out of memory. */
static struct acme_json *
render(const void *der, size_t len, enum acme_reason reason)
{
    struct acme_json *payload = NULL;
    struct acme_buf text;

    acme_buf_init(&text, ACME_JSON_MAX);
    acme_base64_encode(&text, der, len);
    if (acme_buf_ok(&text)) {
        payload = acme_json_object();
        acme_json_set_str(payload, "certificate", acme_buf_str(&text));
        /* RFC 5280 5.3.1: "unspecified" is better not said. */
        if (reason != ACME_REASON_UNSPECIFIED)
            acme_json_set_int(payload, "reason", reason);
    }
    acme_buf_clear(&text);
    return payload;
}

static enum acme_rc
post(struct acme_client *client, const char *url,
    const struct acme_json *payload, bool by_key, bool *already,
    struct acme_error *err)
{
    struct acme_client_request request = { 0 };
    struct acme_http_response response;
    struct acme_error own;
    enum acme_rc rc;

    acme_error_clear(&own);
    acme_http_response_init(&response);
    request.url = url;
    request.payload = payload;
    request.with_jwk = by_key;
    rc = acme_client_post(client, &request, &response, &own);
    acme_http_response_clear(&response);
    *already = rc == ACME_PROBLEM && strcmp(own.type, "alreadyRevoked") == 0;
    if (rc == ACME_OK || *already)
        return ACME_OK;
    if (err->rc == ACME_OK)
        *err = own;
    return err->rc;
}

enum acme_rc
acme_revoke(struct acme_client *client, const void *der, size_t len,
    enum acme_reason reason, bool by_key, bool *already,
    struct acme_error *err)
{
    const struct acme_directory *directory;
    struct acme_json *payload = NULL;
    enum acme_rc rc;

    rc = acme_connection_directory(acme_client_connection(client), &directory,
        err);
    if (rc == ACME_OK && directory->revoke_cert[0] == '\0')
        rc = acme_error_set(err, ACME_NOENT,
            "the CA names no place for it (revokeCert)");
    if (rc == ACME_OK && (payload = render(der, len, reason)) == NULL)
        rc = acme_error_nomem(err);
    if (rc == ACME_OK)
        rc = post(client, directory->revoke_cert, payload, by_key, already,
            err);
    acme_json_free(payload);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "revocation");
}
