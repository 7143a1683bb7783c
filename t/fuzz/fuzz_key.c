/*
 * Private keys, as PEM, as DER and as JWK, and operators' signing requests:
 * only the types we serve come out, and what comes out can be written and read
 * back to the same key.
 */
#include "fuzz.h"
#include "wrap/acme_csr.h"
#include "wrap/acme_key.h"

const unsigned fuzz_replay_step = 24;

static void
check_key(struct acme_key *key)
{
    char id[ACME_KEY_ID_LEN + 1], again_id[ACME_KEY_ID_LEN + 1];
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    struct acme_key *again = NULL;
    struct acme_buf der, jwk;
    struct acme_error err;

    acme_error_clear(&err);
    acme_buf_init_secret(&der, ACME_STATE_PEM_MAX);
    acme_buf_init(&jwk, ACME_STATE_PEM_MAX);
    FUZZ_CHECK(acme_key_type_of(key) != ACME_KEY_NONE);
    FUZZ_CHECK(acme_key_jws_alg(key) != NULL);
    if (acme_key_to_der(key, &der, &err) == ACME_OK &&
        acme_key_id(key, id, &err) == ACME_OK &&
        acme_key_jwk(key, &jwk, &err) == ACME_OK &&
        acme_key_thumbprint(key, thumbprint, &err) == ACME_OK) {
        FUZZ_CHECK(strlen(thumbprint) == ACME_THUMBPRINT_LEN);
        FUZZ_CHECK(
            acme_key_from_der(der.data, der.len, &again, &err) == ACME_OK);
        FUZZ_CHECK(acme_key_id(again, again_id, &err) == ACME_OK);
        FUZZ_CHECK(strcmp(id, again_id) == 0);
    }
    acme_key_unref(again);
    acme_buf_clear(&der);
    acme_buf_clear(&jwk);
}

/* What is sent is read as the same request. */
static void
check_csr(const struct acme_csr *csr)
{
    const struct acme_buf *der = acme_csr_der(csr);
    struct acme_csr *again = NULL;
    struct acme_error err;

    acme_error_clear(&err);
    FUZZ_CHECK(acme_key_is_public(acme_csr_key(csr)));
    FUZZ_CHECK(acme_csr_check_names(csr, NULL, 0, &err) == ACME_CONFIG);
    FUZZ_CHECK(acme_csr_parse(der->data, der->len, &again, &err) == ACME_OK);
    acme_csr_free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_key *key = NULL;
    struct acme_csr *csr = NULL;
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_key_from_der(data, size, &key, &err) == ACME_OK)
        check_key(key);
    acme_key_unref(key);
    key = NULL;
    acme_error_clear(&err);
    if (acme_key_from_pem((const char *)data, size, &key, &err) == ACME_OK)
        check_key(key);
    acme_key_unref(key);
    key = NULL;
    acme_error_clear(&err);
    if (acme_key_from_jwk((const char *)data, size, &key, &err) == ACME_OK)
        check_key(key);
    acme_key_unref(key);
    acme_error_clear(&err);
    if (acme_csr_parse(data, size, &csr, &err) == ACME_OK)
        check_csr(csr);
    acme_csr_free(csr);
    FUZZ_CHECK_QUEUE();
    return 0;
}
