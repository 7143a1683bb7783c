#include "state/acme_live.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_name.h"
#include "wrap/acme_openssl.h"
#include "wrap/acme_x509.h"

#define NOBODY UINT32_MAX

/* Shown to whoever connects before there is a certificate. */
#define PLACEHOLDER_NAME "No certificate yet (ACME placeholder)"

struct pair {
    struct acme_key *key;
    struct acme_chain *chain;
    STACK_OF(X509) * issuers; /* borrows from chain */
    size_t algorithm;
    bool spare;
    unsigned char *staple; /* or NULL */
    size_t staple_len;
    time_t staple_until;
};

/* What one generation of a slot says.  Immutable but for its count. */
struct set {
    atomic_uint refs;
    size_t npairs;
    bool choose; /* by the client's word: there are spare ones */
    struct pair pair[ACME_SLOT_PAIRS_MAX];
};

/* A lineage in the cache.  Those with a set are in a list by last use. */
struct entry {
    struct set *set;
    uint32_t looked;       /* generation last looked at, for better or worse */
    uint32_t newer, older; /* lineage, or NOBODY */
};

struct acme_live_cache {
    const struct acme_area *area;
    size_t nlineages;
    size_t max;

    CRYPTO_RWLOCK *lock; /* for all below */
    struct entry *entry;
    uint32_t newest, oldest;
    size_t nsets;
    struct set *placeholder;
};

/* ---- sets ------------------------------------------------------------- */

static struct set *
set_ref(struct set *set)
{
    if (set != NULL)
        atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

static void
clear_pair(struct pair *pair)
{
    sk_X509_free(pair->issuers);
    free(pair->staple);
    acme_chain_free(pair->chain);
    acme_key_unref(pair->key);
    memset(pair, 0, sizeof(*pair));
}

static void
set_unref(struct set *set)
{
    size_t i;

    if (set == NULL ||
        atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (i = 0; i < set->npairs; i++)
        clear_pair(&set->pair[i]);
    free(set);
}

static struct set *
set_new(void)
{
    struct set *set = calloc(1, sizeof(*set));

    if (set != NULL)
        atomic_init(&set->refs, 1);
    return set;
}

/* Fills the extension cache of each certificate now, while nobody else has
 * it, and puts those behind the leaf where OpenSSL wants them. */
static bool
prepare(struct pair *pair)
{
    size_t i, n = acme_chain_count(pair->chain);

    if (!acme_openssl_is_whole(
            X509_get0_pubkey(acme_chain_x509(pair->chain, 0))))
        return false;
    pair->issuers = sk_X509_new_reserve(NULL, (int)n);
    if (pair->issuers == NULL)
        return false;
    for (i = 0; i < n; i++) {
        X509 *x509 = acme_chain_x509(pair->chain, i);

        X509_check_purpose(x509, -1, 0);
        if (i > 0 && !sk_X509_push(pair->issuers, x509))
            return false;
    }
    return true;
}

static bool
copy_staple(const struct acme_area_pair *from, struct pair *pair)
{
    if (from->staple_len == 0)
        return true;
    pair->staple = malloc(from->staple_len);
    if (pair->staple == NULL)
        return false;
    memcpy(pair->staple, from->staple, from->staple_len);
    pair->staple_len = from->staple_len;
    pair->staple_until = from->staple_until;
    return true;
}

/* False: the pair must not be served; what there is of it is freed with the
 * set. */
static bool
parse_pair(const struct acme_area_pair *from, struct pair *pair,
    struct acme_error *why)
{
    if (acme_key_from_der(from->key, from->key_len, &pair->key, why) !=
            ACME_OK ||
        acme_chain_from_der(from->chain, from->chain_len, &pair->chain, why) !=
            ACME_OK ||
        !acme_chain_matches(pair->chain, pair->key))
        return false;
    if (prepare(pair) && copy_staple(from, pair))
        return true;
    (void)acme_error_nomem(why);
    return false;
}

/* OpenSSL does not always say that memory was short: what is wrong with a
 * pair has to be found twice. */
static bool
parse_twice(const struct acme_area_pair *from, struct pair *pair,
    struct acme_error *why)
{
    if (!parse_pair(from, pair, why)) {
        clear_pair(pair);
        if (!parse_pair(from, pair, why))
            return false;
    }
    pair->algorithm = acme_key_algorithm_number(acme_key_type_of(pair->key));
    pair->spare = from->spare;
    return true;
}

/* What the slot holds now; NULL: nothing that could be served.  Memory was
 * short: *generation is 0, so that it is read again. */
static struct set *
set_read(const struct acme_area *area, size_t lineage, uint32_t *generation)
{
    struct acme_area_pair pairs[ACME_SLOT_PAIRS_MAX];
    struct acme_buf copy;
    struct acme_error why;
    struct set *set = NULL;
    bool good = false;
    size_t i, n = 0;

    acme_error_clear(&why);
    acme_buf_init_secret(&copy, ACME_SLOT_BYTES);
    if (acme_area_get(area, lineage, &copy, pairs, &n, generation))
        set = set_new();
    for (i = 0, good = set != NULL; good && i < n; i++) {
        struct pair *pair = &set->pair[set->npairs++];

        good = parse_twice(&pairs[i], pair, &why);
        set->choose |= pairs[i].spare;
        if (!good && pairs[i].spare && why.rc != ACME_NOMEM) {
            /* no reason to go without its own */
            clear_pair(pair);
            set->npairs--;
            good = set->npairs > 0 || i + 1 < n;
        }
    }
    if (!acme_buf_ok(&copy) || (n > 0 && set == NULL) || why.rc == ACME_NOMEM)
        *generation = 0;
    acme_buf_clear(&copy);
    if (good)
        return set;
    set_unref(set);
    return NULL;
}

static struct set *
set_placeholder(void)
{
    struct set *set = set_new();
    struct acme_error why;
    struct pair *pair;

    if (set == NULL)
        return NULL;
    acme_error_clear(&why);
    set->npairs = 1;
    pair = &set->pair[0];
    if (acme_placeholder_new(PLACEHOLDER_NAME, &pair->key, &pair->chain,
            &why) == ACME_OK &&
        prepare(pair))
        return set;
    set_unref(set);
    return NULL;
}

/* ---- the cache -------------------------------------------------------- */

enum acme_rc
acme_live_cache_new(const struct acme_area *area, size_t nlineages, size_t max,
    struct acme_live_cache **cache, struct acme_error *err)
{
    struct acme_live_cache *made = calloc(1, sizeof(*made));

    if (made == NULL)
        return acme_error_nomem(err);
    made->area = area;
    made->nlineages = nlineages < NOBODY ? nlineages : NOBODY;
    made->max = max > 0 ? max : 1;
    made->newest = made->oldest = NOBODY;
    made->lock = CRYPTO_THREAD_lock_new();
    made->entry = calloc(nlineages > 0 ? nlineages : 1, sizeof(*made->entry));
    if (made->lock == NULL || made->entry == NULL) {
        acme_live_cache_free(made);
        return acme_error_nomem(err);
    }
    *cache = made;
    return ACME_OK;
}

void
acme_live_cache_free(struct acme_live_cache *cache)
{
    size_t i;

    if (cache == NULL)
        return;
    for (i = 0; cache->entry != NULL && i < cache->nlineages; i++)
        set_unref(cache->entry[i].set);
    set_unref(cache->placeholder);
    free(cache->entry);
    CRYPTO_THREAD_lock_free(cache->lock);
    free(cache);
}

static void
list_remove(struct acme_live_cache *cache, uint32_t i)
{
    struct entry *entry = &cache->entry[i];

    if (entry->newer != NOBODY)
        cache->entry[entry->newer].older = entry->older;
    else
        cache->newest = entry->older;
    if (entry->older != NOBODY)
        cache->entry[entry->older].newer = entry->newer;
    else
        cache->oldest = entry->newer;
}

static void
list_add(struct acme_live_cache *cache, uint32_t i)
{
    struct entry *entry = &cache->entry[i];

    entry->newer = NOBODY;
    entry->older = cache->newest;
    if (cache->newest != NOBODY)
        cache->entry[cache->newest].newer = i;
    else
        cache->oldest = i;
    cache->newest = i;
}

static void
list_touch(struct acme_live_cache *cache, uint32_t i)
{
    if (cache->newest == i)
        return;
    list_remove(cache, i);
    list_add(cache, i);
}

/* Takes `set`.  Returns the set that has to go for it, to be freed outside
 * the lock. */
static struct set *
install(struct acme_live_cache *cache, uint32_t i, struct set *set)
{
    struct entry *entry = &cache->entry[i];
    struct set *out = entry->set;

    entry->set = set;
    if (out != NULL) {
        list_touch(cache, i);
        return out;
    }
    list_add(cache, i);
    if (++cache->nsets <= cache->max)
        return NULL;
    entry = &cache->entry[cache->oldest];
    list_remove(cache, cache->oldest);
    out = entry->set;
    entry->set = NULL;
    entry->looked = 0; /* read again when it is asked for */
    cache->nsets--;
    return out;
}

/* A reference to what is cached.  *stale: the slot has another generation
 * and the caller is to read it. */
static struct set *
look_up(struct acme_live_cache *cache, uint32_t i, uint32_t generation,
    bool *stale)
{
    struct entry *entry = &cache->entry[i];
    struct set *set;

    *stale = entry->looked != generation;
    /* One thread reads while the others go on with what they have; if there
     * is nothing to go on with, each must read. */
    if (*stale && entry->set != NULL)
        entry->looked = generation;
    set = set_ref(entry->set);
    if (set != NULL)
        list_touch(cache, i);
    return set;
}

/* Reads the slot; a reference to what is to be served then, and `old`, whose
 * reference is taken, if the slot is of no use. */
static struct set *
refresh(struct acme_live_cache *cache, uint32_t i, uint32_t generation,
    struct set *old)
{
    struct set *set, *out = NULL;

    set = set_read(cache->area, i, &generation);
    if (!CRYPTO_THREAD_write_lock(cache->lock)) {
        set_unref(set);
        return old;
    }
    cache->entry[i].looked = generation;
    if (set != NULL)
        out = install(cache, i, set_ref(set));
    CRYPTO_THREAD_unlock(cache->lock);
    set_unref(out);
    if (set == NULL)
        return old;
    set_unref(old);
    return set;
}

/* A reference to the set to serve, or NULL. */
static struct set *
get(struct acme_live_cache *cache, size_t lineage)
{
    uint32_t generation;
    struct set *set;
    bool stale;

    if (lineage >= cache->nlineages)
        return NULL;
    generation = acme_area_generation(cache->area, lineage);
    if (!CRYPTO_THREAD_write_lock(cache->lock))
        return NULL;
    set = look_up(cache, (uint32_t)lineage, generation, &stale);
    CRYPTO_THREAD_unlock(cache->lock);
    return stale ? refresh(cache, (uint32_t)lineage, generation, set) : set;
}

/* ---- connections ------------------------------------------------------ */

/* Which pairs are for this name: those that cover it, if any do.  Else the
 * lineage's own, and where it has none, all. */
static void
choose(const struct set *set, const char *name, bool use[ACME_SLOT_PAIRS_MAX])
{
    bool covered = false;
    size_t i;

    for (i = 0; name != NULL && i < set->npairs; i++) {
        use[i] = acme_chain_covers(set->pair[i].chain, name);
        covered |= use[i];
    }
    for (i = 0; !covered && i < set->npairs; i++)
        use[i] = set->pair[i].spare == set->pair[0].spare;
}

/* The name as certificates have it; NULL: the client named none. */
static const char *
client_name(const SSL *ssl, char name[ACME_NAME_MAX + 1])
{
    const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    return sni != NULL && acme_name_from_host(sni, strlen(sni), name) ? name
                                                                      : NULL;
}

static bool
use_pair(const struct pair *pair, SSL *ssl)
{
    return SSL_use_cert_and_key(ssl, acme_chain_x509(pair->chain, 0),
               acme_key_evp(pair->key), pair->issuers, 1) == 1;
}

/* One of each algorithm, the first; one that OpenSSL refuses (a security level
 * may) does not take the others with it. */
static enum acme_live_result
apply(const struct set *set, SSL *ssl)
{
    enum acme_live_result result = ACME_LIVE_FAILED;
    bool use[ACME_SLOT_PAIRS_MAX], there[ACME_ALGORITHMS] = { false };
    char name[ACME_NAME_MAX + 1];
    size_t i;

    for (i = 0; i < set->npairs; i++)
        use[i] = true;
    if (set->choose)
        choose(set, client_name(ssl, name), use);
    SSL_certs_clear(ssl);
    for (i = 0; i < set->npairs; i++) {
        const struct pair *pair = &set->pair[i];

        if (use[i] && !there[pair->algorithm] && use_pair(pair, ssl)) {
            there[pair->algorithm] = true;
            result = ACME_LIVE_SET;
        }
    }
    return result;
}

/* One certificate, and the connection began with it. */
static bool
is_there(const struct set *set, const SSL *ssl)
{
    return set->npairs == 1 &&
           SSL_get_certificate(ssl) == acme_chain_x509(set->pair[0].chain, 0);
}

/* Nothing takes a certificate out of an SSL_CTX again: one with a key of
 * another kind stays as it is, and its connections are given theirs. */
static void
keep(const struct set *set, SSL_CTX *ctx)
{
    const struct pair *pair = &set->pair[0];
    X509 *leaf = acme_chain_x509(pair->chain, 0);
    X509 *had = SSL_CTX_get0_certificate(ctx);

    if (set->npairs == 1 &&
        (had == NULL || EVP_PKEY_get_base_id(X509_get0_pubkey(had)) ==
                            EVP_PKEY_get_base_id(X509_get0_pubkey(leaf))))
        (void)SSL_CTX_use_cert_and_key(ctx, leaf, acme_key_evp(pair->key),
            pair->issuers, 1);
}

static enum acme_live_result
serve(struct acme_live_cache *cache, size_t lineage, SSL *ssl, bool keeping)
{
    enum acme_live_result result = ACME_LIVE_NONE;
    struct set *set;

    ERR_set_mark();
    set = get(cache, lineage);
    if (set != NULL)
        acme_area_note_traffic(cache->area, lineage);
    if (set != NULL && keeping && is_there(set, ssl)) {
        result = ACME_LIVE_SET;
    } else if (set != NULL) {
        result = apply(set, ssl);
        if (keeping && result == ACME_LIVE_SET)
            keep(set, SSL_get_SSL_CTX(ssl));
    }
    set_unref(set);
    ERR_pop_to_mark();
    return result;
}

enum acme_live_result
acme_live_apply(struct acme_live_cache *cache, size_t lineage, SSL *ssl)
{
    return serve(cache, lineage, ssl, false);
}

enum acme_live_result
acme_live_apply_keeping(struct acme_live_cache *cache, size_t lineage,
    SSL *ssl)
{
    return serve(cache, lineage, ssl, cache->nlineages <= cache->max);
}

/* ---- staples ---------------------------------------------------------- */

/* That of the certificate; another thread may have read it anew since it was
 * put into the connection. */
static const struct pair *
find_pair(const struct set *set, const X509 *leaf)
{
    size_t i;

    for (i = 0; i < set->npairs; i++) {
        const X509 *own = acme_chain_x509(set->pair[i].chain, 0);

        if (own == leaf || X509_cmp(own, leaf) == 0)
            return &set->pair[i];
    }
    return NULL;
}

/* OpenSSL frees what it is given. */
static bool
send_staple(const struct pair *pair, SSL *ssl)
{
    unsigned char *copy;

    if (pair->staple == NULL || pair->staple_until <= time(NULL))
        return false;
    copy = OPENSSL_memdup(pair->staple, pair->staple_len);
    if (copy == NULL)
        return false;
    if (SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)pair->staple_len))
        return true;
    OPENSSL_free(copy);
    return false;
}

bool
acme_live_staple(struct acme_live_cache *cache, size_t lineage, SSL *ssl)
{
    const X509 *leaf = SSL_get_certificate(ssl);
    const struct pair *pair = NULL;
    struct set *set;
    bool sent;

    ERR_set_mark();
    set = leaf != NULL ? get(cache, lineage) : NULL;
    if (set != NULL)
        pair = find_pair(set, leaf);
    sent = pair != NULL && send_staple(pair, ssl);
    set_unref(set);
    ERR_pop_to_mark();
    return sent;
}

/* ---- what it is, without a connection --------------------------------- */

time_t
acme_live_not_after(struct acme_live_cache *cache, size_t lineage)
{
    time_t first = 0, one;
    struct set *set;
    size_t i;

    ERR_set_mark();
    set = get(cache, lineage);
    for (i = 0; set != NULL && i < set->npairs; i++) {
        if (set->pair[i].spare != set->pair[0].spare)
            continue;
        one = acme_chain_not_after(set->pair[i].chain);
        if (first == 0 || one < first)
            first = one;
    }
    set_unref(set);
    ERR_pop_to_mark();
    return first;
}

bool
acme_live_pem(struct acme_live_cache *cache, size_t lineage,
    struct acme_buf *chain, struct acme_buf *key)
{
    struct acme_error ignored;
    struct set *set;
    bool good;

    acme_error_clear(&ignored);
    ERR_set_mark();
    set = get(cache, lineage);
    good = set != NULL && set->npairs > 0 &&
           acme_chain_to_pem(set->pair[0].chain, 0, 0, chain, &ignored) ==
               ACME_OK &&
           acme_key_to_pem(set->pair[0].key, key, &ignored) == ACME_OK;
    set_unref(set);
    ERR_pop_to_mark();
    return good;
}

/* ---- placeholder ------------------------------------------------------ */

enum acme_live_result
acme_live_apply_placeholder(struct acme_live_cache *cache, SSL *ssl)
{
    enum acme_live_result result = ACME_LIVE_NONE;
    struct set *set = NULL;

    ERR_set_mark();
    if (CRYPTO_THREAD_write_lock(cache->lock)) {
        if (cache->placeholder == NULL)
            cache->placeholder = set_placeholder();
        set = set_ref(cache->placeholder);
        CRYPTO_THREAD_unlock(cache->lock);
    }
    if (set != NULL)
        result = apply(set, ssl);
    set_unref(set);
    ERR_pop_to_mark();
    return result;
}

/* ---- as files --------------------------------------------------------- */

struct acme_placeholder {
    struct acme_key *key;
    struct acme_chain *chain;
};

enum acme_rc
acme_live_placeholder_new(struct acme_placeholder **placeholder,
    struct acme_error *err)
{
    struct acme_placeholder *made = calloc(1, sizeof(*made));
    enum acme_rc rc;

    if (made == NULL)
        return acme_error_nomem(err);
    rc = acme_placeholder_new(PLACEHOLDER_NAME, &made->key, &made->chain, err);
    if (rc == ACME_OK)
        *placeholder = made;
    else
        acme_live_placeholder_free(made);
    return rc;
}

void
acme_live_placeholder_free(struct acme_placeholder *placeholder)
{
    if (placeholder == NULL)
        return;
    acme_chain_free(placeholder->chain);
    acme_key_unref(placeholder->key);
    free(placeholder);
}

enum acme_rc
acme_live_placeholder_key(const struct acme_placeholder *placeholder,
    struct acme_buf *pem, struct acme_error *err)
{
    return acme_key_to_pem(placeholder->key, pem, err);
}

enum acme_rc
acme_live_placeholder_cert(struct acme_placeholder *placeholder,
    const char *const *names, size_t nnames, struct acme_buf *pem,
    struct acme_error *err)
{
    enum acme_rc rc = acme_placeholder_rename(placeholder->chain,
        placeholder->key, names, nnames, err);

    return rc != ACME_OK
               ? rc
               : acme_chain_to_pem(placeholder->chain, 0, 0, pem, err);
}
