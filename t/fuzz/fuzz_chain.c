/*
 * Certificate chains, as PEM and as DER, and all that is asked of one before
 * it is served.  What is parsed can be written and read back.  The input may
 * begin with the PEM of a key.
 */
#include "base/acme_limits.h"
#include "fuzz.h"
#include "wrap/acme_x509.h"

const unsigned fuzz_replay_step = 12;

/* What is accepted can be served now, for these names, with that key. */
static void
check_pair(const struct acme_chain *chain, const struct acme_key *key)
{
    static const char *const names[] = { "a.test", "192.0.2.1" };
    const time_t now = 1795262400 + 3600 * 24 * 30; /* 2026-12-21 */
    struct acme_leaf leaf;
    struct acme_error err;
    unsigned surplus = 0;

    acme_error_clear(&err);
    if (acme_chain_check(chain, key, names, 2, now, &surplus, &err) !=
        ACME_OK) {
        FUZZ_CHECK(err.what[0] != '\0');
        return;
    }
    FUZZ_CHECK(acme_chain_matches(chain, key));
    FUZZ_CHECK(acme_chain_covers(chain, names[0]));
    FUZZ_CHECK(acme_chain_check_links(chain, &err) == ACME_OK);
    FUZZ_CHECK(acme_chain_leaf(chain, &leaf, &err) == ACME_OK);
    FUZZ_CHECK(leaf.not_before <= now + 3600 && leaf.not_after >= now);
}

static void
ask_leaf(const struct acme_chain *chain)
{
    struct acme_leaf leaf;
    struct acme_error err;
    struct acme_buf text;

    acme_error_clear(&err);
    acme_buf_init(&text, (size_t)1 << 20);
    (void)acme_chain_leaf(chain, &leaf, &err);
    acme_error_clear(&err);
    (void)acme_chain_names(chain, &text, &err);
    FUZZ_CHECK(memchr(acme_buf_str(&text), '\0', text.len) == NULL);
    acme_error_clear(&err);
    (void)acme_chain_check_links(chain, &err);
    (void)acme_chain_covers(chain, "a.test");
    acme_buf_clear(&text);
}

static void
check_chain(const struct acme_chain *chain, const struct acme_key *key)
{
    struct acme_chain *again = NULL;
    struct acme_buf der, pem;
    struct acme_error err;
    size_t count = acme_chain_count(chain);

    acme_error_clear(&err);
    acme_buf_init(&der, (size_t)1 << 20);
    acme_buf_init(&pem, (size_t)1 << 20);
    FUZZ_CHECK(count > 0 && count <= ACME_CHAIN_CERTS_MAX);
    ask_leaf(chain);
    check_pair(chain, key);
    FUZZ_CHECK(acme_chain_to_pem(chain, 0, 0, &pem, &err) == ACME_OK);
    FUZZ_CHECK(acme_chain_to_der(chain, 0, 0, &der, &err) == ACME_OK);
    FUZZ_CHECK(der.len <= ACME_CHAIN_DER_MAX);
    FUZZ_CHECK(
        acme_chain_from_der(der.data, der.len, &again, &err) == ACME_OK);
    FUZZ_CHECK(acme_chain_count(again) == count);
    acme_chain_free(again);
    acme_buf_clear(&der);
    acme_buf_clear(&pem);
}

/* The key that stands before the certificates, or one that is nobody's. */
static struct acme_key *
take_key(struct fuzz_input *in)
{
    static const char end[] = "-----END PRIVATE KEY-----\n";
    static struct acme_key *other;
    const size_t len = sizeof(end) - 1;
    struct acme_key *key = NULL;
    struct acme_error err;
    size_t i;

    acme_error_clear(&err);
    if (other == NULL)
        FUZZ_CHECK(
            acme_key_generate(ACME_KEY_ECDSA_256, &other, &err) == ACME_OK);
    for (i = 0; i + len <= in->left; i++)
        if (memcmp(in->at + i, end, len) == 0)
            break;
    if (i + len > in->left || acme_key_from_pem((const char *)in->at, i + len,
                                  &key, &err) != ACME_OK)
        return acme_key_ref(other);
    in->at += i + len;
    in->left -= i + len;
    return key;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct acme_key *key = take_key(&in);
    struct acme_chain *chain = NULL;
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_chain_from_der(in.at, in.left, &chain, &err) == ACME_OK)
        check_chain(chain, key);
    acme_chain_free(chain);
    chain = NULL;
    acme_error_clear(&err);
    if (acme_chain_from_pem((const char *)in.at, in.left, &chain, &err) ==
        ACME_OK)
        check_chain(chain, key);
    acme_chain_free(chain);
    acme_key_unref(key);
    FUZZ_CHECK_QUEUE();
    return 0;
}
