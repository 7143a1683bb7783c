#include "protocol/acme_binding.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/acme_base64.h"
#include "wrap/acme_json.h"

void
acme_binding_init(struct acme_binding *binding)
{
    memset(binding, 0, sizeof(*binding));
    acme_buf_init_secret(&binding->key, ACME_EAB_KEY_MAX);
}

void
acme_binding_clear(struct acme_binding *binding)
{
    acme_buf_clear(&binding->key);
    binding->kid[0] = binding->alg[0] = '\0';
}

/* RFC 7518 3.2 */
const char *
acme_binding_digest(const char *alg)
{
    static const struct {
        const char *alg, *digest;
    } known[] = { { "HS256", "SHA256" }, { "HS384", "SHA384" },
        { "HS512", "SHA512" } };
    size_t i;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i].alg, alg) == 0)
            return known[i].digest;
    return NULL;
}

enum acme_rc
acme_binding_set(struct acme_binding *binding, const char *kid,
    const char *alg, const void *key, size_t len, struct acme_error *err)
{
    if (kid[0] == '\0' || strlen(kid) > ACME_EAB_KID_MAX)
        return acme_error_set(err, ACME_CONFIG,
            "the key identifier has to have 1 to %d bytes", ACME_EAB_KID_MAX);
    if (acme_binding_digest(alg) == NULL)
        return acme_error_set(err, ACME_CONFIG, "unknown MAC algorithm");
    if (len < ACME_EAB_KEY_MIN || len > ACME_EAB_KEY_MAX)
        return acme_error_set(err, ACME_CONFIG,
            "the MAC key has to have %d to %d bytes, not %zu",
            ACME_EAB_KEY_MIN, ACME_EAB_KEY_MAX, len);
    acme_buf_reset(&binding->key);
    acme_buf_add(&binding->key, key, len);
    if (!acme_buf_ok(&binding->key)) {
        acme_binding_clear(binding);
        return acme_error_nomem(err);
    }
    (void)snprintf(binding->kid, sizeof(binding->kid), "%s", kid);
    (void)snprintf(binding->alg, sizeof(binding->alg), "%s", alg);
    return ACME_OK;
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What people copy has a final newline, and padding at some CAs. */
static enum acme_rc
take_key(struct acme_binding *binding, const char *kid, const char *alg,
    const char *text, size_t len, struct acme_error *err)
{
    struct acme_error ignored;
    struct acme_buf key;
    enum acme_rc rc;

    while (len > 0 && is_space(text[0])) {
        text++;
        len--;
    }
    while (len > 0 && is_space(text[len - 1]))
        len--;
    while (len > 0 && text[len - 1] == '=')
        len--;
    acme_error_clear(&ignored);
    acme_buf_init_secret(&key, ACME_EAB_FILE_MAX);
    rc = acme_base64_decode(&key, text, len, &ignored);
    if (rc == ACME_OK)
        rc = acme_binding_set(binding, kid, alg, key.data, key.len, err);
    else if (rc == ACME_NOMEM)
        (void)acme_error_nomem(err);
    else
        rc = acme_error_set(err, ACME_CONFIG,
            "the MAC key is not base64url; copy it from the CA as it is");
    acme_buf_clear(&key);
    return rc;
}

static enum acme_rc
take_object(struct acme_binding *binding, const char *alg, const char *text,
    size_t len, struct acme_error *err)
{
    struct acme_json *root = NULL;
    const char *kid, *key;
    enum acme_rc rc;

    rc = acme_json_parse(text, len, "the file", &root, err);
    if (rc == ACME_WIRE)
        rc = err->rc = ACME_CONFIG;
    if (rc != ACME_OK)
        return rc;
    kid = acme_json_str(root, "kid");
    key = acme_json_str(root, "hmac");
    if (alg == NULL)
        alg = acme_json_str(root, "alg");
    if (alg == NULL)
        alg = "HS256";
    if (kid == NULL || key == NULL)
        rc = acme_error_set(err, ACME_CONFIG,
            "it is no JSON object with the members \"kid\" and \"hmac\"");
    else
        rc = take_key(binding, kid, alg, key, strlen(key), err);
    acme_json_free(root);
    return rc;
}

enum acme_rc
acme_binding_parse(struct acme_binding *binding, const char *kid,
    const char *alg, const char *text, size_t len, struct acme_error *err)
{
    if (kid == NULL)
        return take_object(binding, alg, text, len, err);
    return take_key(binding, kid, alg != NULL ? alg : "HS256", text, len, err);
}
