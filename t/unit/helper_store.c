#include "helper_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "helper_ca.h"

struct acme_store *
helper_store_open(const struct helper_tmp *tmp)
{
    struct acme_store *store = NULL;
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_store_open(helper_tmp_path(tmp, "state"), ACME_STORE_WRITE,
            &store, &err) != ACME_OK)
        fail_msg("%s", err.what);
    return store;
}

static void
make_pair(struct helper_ca *ca, enum acme_key_type type,
    struct acme_pair *pair)
{
    static const char *const names[] = { "example.com", NULL };
    struct acme_chain *chain;
    struct acme_key *key = NULL;
    struct acme_error err;

    acme_error_clear(&err);
    assert_int_equal(acme_key_generate(type, &key, &err), ACME_OK);
    chain = helper_ca_chain(ca, key, names, NULL);
    assert_int_equal(acme_key_to_der(key, &pair->key, &err), ACME_OK);
    assert_int_equal(acme_chain_to_der(chain, 0, 0, &pair->chain, &err),
        ACME_OK);
    pair->type = type;
    strcpy(pair->origin.issuer, "https://ca.test/directory");
    strcpy(pair->origin.order, "https://ca.test/order/1");
    pair->origin.obtained = 1700000000;
    acme_chain_free(chain);
    acme_key_unref(key);
}

void
helper_store_version(struct acme_version *version, size_t count,
    const enum acme_key_type *types)
{
    struct helper_ca *ca = helper_ca_new();
    size_t i;

    acme_version_init(version);
    for (i = 0; i < count; i++)
        make_pair(ca, types[i], &version->pair[i]);
    version->npairs = count;
    helper_ca_free(ca);
}

static bool
same_bytes(const struct acme_buf *a, const struct acme_buf *b)
{
    return a->len == b->len &&
           (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

bool
helper_store_same(const struct acme_version *a, const struct acme_version *b)
{
    size_t i;

    if (a->npairs != b->npairs)
        return false;
    for (i = 0; i < a->npairs; i++)
        if (a->pair[i].type != b->pair[i].type ||
            !same_bytes(&a->pair[i].key, &b->pair[i].key) ||
            !same_bytes(&a->pair[i].chain, &b->pair[i].chain))
            return false;
    return true;
}
