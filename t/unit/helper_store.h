/*
 * A state directory for one test, and pairs to put into it.
 */
#ifndef HELPER_STORE_H
#define HELPER_STORE_H

#include "helper_tmp.h"
#include "state/acme_store.h"

/* Opens (and makes) "state" in `tmp` for writing; fails the test on errors. */
struct acme_store *helper_store_open(const struct helper_tmp *tmp);

/*
 * A version of `count` pairs of these types with real keys and certificates
 * for "example.com".  Pairs are made anew each time.
 */
void helper_store_version(struct acme_version *version, size_t count,
    const enum acme_key_type *types);

/* The same pairs: keys, chains and types; not numbers or origins. */
bool helper_store_same(const struct acme_version *a,
    const struct acme_version *b);

#endif
