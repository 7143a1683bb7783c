#include "protocol/acme_jws.h"

#include <string.h>

#include "base/acme_base64.h"
#include "wrap/acme_hash.h"
#include "wrap/acme_json.h"

/* Our own requests: the largest is the CSR of ACME_NAMES_MAX long names,
 * 250 kB that grow by a third twice. */
enum {
    JWS_MAX = 2 * 1024 * 1024,
    SIGNATURE_MAX = 1024
};

/* RFC 8555 6.2: "jwk" and "kid" are mutually exclusive. */
static enum acme_rc
add_jwk(struct acme_json *header, const struct acme_key *key,
    struct acme_error *err)
{
    struct acme_buf text;
    struct acme_json *jwk = NULL;
    enum acme_rc rc;

    acme_buf_init(&text, JWS_MAX);
    rc = acme_key_jwk(key, &text, err);
    if (rc != ACME_OK)
        goto done;
    rc = acme_json_parse(acme_buf_str(&text), text.len, "jwk", &jwk, err);
    if (rc != ACME_OK)
        goto done;
    acme_json_set(header, "jwk", jwk);
done:
    acme_buf_clear(&text);
    return rc;
}

static enum acme_rc
render_header(const struct acme_key *key, const char *kid, const char *nonce,
    const char *url, struct acme_buf *text, struct acme_error *err)
{
    struct acme_json *header;
    enum acme_rc rc = ACME_OK;

    header = acme_json_object();
    acme_json_set_str(header, "alg", acme_key_jws_alg(key));
    if (kid != NULL)
        acme_json_set_str(header, "kid", kid);
    else
        rc = add_jwk(header, key, err);
    acme_json_set_str(header, "nonce", nonce); /* NULL: no member */
    acme_json_set_str(header, "url", url);
    if (rc == ACME_OK)
        rc = acme_json_render(header, false, text, err);
    acme_json_free(header);
    return rc;
}

/* RFC 7515 5.1: base64url(header) "." base64url(payload). */
static enum acme_rc
build_input(const struct acme_buf *header, const char *payload,
    struct acme_buf *input, size_t *header_len, struct acme_error *err)
{
    acme_base64_encode(input, acme_buf_str(header), header->len);
    *header_len = input->len;
    acme_buf_add_str(input, ".");
    acme_base64_encode(input, payload, strlen(payload));
    return acme_buf_ok(input) ? ACME_OK : acme_error_nomem(err);
}

/* Nothing in it needs escapes: all three are base64url. */
static enum acme_rc
assemble(const struct acme_buf *input, size_t header_len,
    const struct acme_buf *signature, struct acme_buf *out,
    struct acme_error *err)
{
    const char *text = acme_buf_str(input);

    acme_buf_add_str(out, "{\"protected\":\"");
    acme_buf_add(out, text, header_len);
    acme_buf_add_str(out, "\",\"payload\":\"");
    acme_buf_add_str(out, text + header_len + 1);
    acme_buf_add_str(out, "\",\"signature\":\"");
    acme_base64_encode(out, acme_buf_str(signature), signature->len);
    acme_buf_add_str(out, "\"}");
    return acme_buf_ok(out) ? ACME_OK : acme_error_nomem(err);
}

enum acme_rc
acme_jws_sign(const struct acme_key *key, const char *kid, const char *nonce,
    const char *url, const char *payload, struct acme_buf *out,
    struct acme_error *err)
{
    struct acme_buf header, input, signature;
    size_t header_len = 0;
    enum acme_rc rc;

    acme_buf_init(&header, JWS_MAX);
    acme_buf_init(&input, JWS_MAX);
    acme_buf_init(&signature, SIGNATURE_MAX);
    rc = render_header(key, kid, nonce, url, &header, err);
    if (rc == ACME_OK)
        rc = build_input(&header, payload, &input, &header_len, err);
    if (rc == ACME_OK)
        rc = acme_key_sign(key, acme_buf_str(&input), input.len, &signature,
            err);
    if (rc == ACME_OK)
        rc = assemble(&input, header_len, &signature, out, err);
    acme_buf_clear(&signature);
    acme_buf_clear(&input);
    acme_buf_clear(&header);
    return rc;
}

/* RFC 8555 7.3.4: "alg", "kid" and "url", and no nonce. */
static enum acme_rc
render_mac_header(const struct acme_binding *binding, const char *url,
    struct acme_buf *text, struct acme_error *err)
{
    struct acme_json *header = acme_json_object();
    enum acme_rc rc;

    acme_json_set_str(header, "alg", binding->alg);
    acme_json_set_str(header, "kid", binding->kid);
    acme_json_set_str(header, "url", url);
    rc = acme_json_render(header, false, text, err);
    acme_json_free(header);
    return rc;
}

enum acme_rc
acme_jws_bind(const struct acme_binding *binding, const struct acme_key *key,
    const char *url, struct acme_buf *out, struct acme_error *err)
{
    struct acme_buf header, jwk, input, mac;
    size_t header_len = 0;
    enum acme_rc rc;

    acme_buf_init(&header, JWS_MAX);
    acme_buf_init(&jwk, JWS_MAX);
    acme_buf_init(&input, JWS_MAX);
    acme_buf_init(&mac, SIGNATURE_MAX);
    rc = render_mac_header(binding, url, &header, err);
    if (rc == ACME_OK)
        rc = acme_key_jwk(key, &jwk, err);
    if (rc == ACME_OK)
        rc =
            build_input(&header, acme_buf_str(&jwk), &input, &header_len, err);
    if (rc == ACME_OK)
        rc =
            acme_hash_mac(acme_binding_digest(binding->alg), binding->key.data,
                binding->key.len, acme_buf_str(&input), input.len, &mac, err);
    if (rc == ACME_OK)
        rc = assemble(&input, header_len, &mac, out, err);
    acme_buf_clear(&mac);
    acme_buf_clear(&input);
    acme_buf_clear(&jwk);
    acme_buf_clear(&header);
    return rc;
}
