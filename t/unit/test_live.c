/*
 * The worker's side with real handshakes over memory: what a client gets is
 * what the slot held.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "helper_ca.h"
#include "state/acme_live.h"
#include "wrap/acme_x509.h"

/* Of OpenSSL, counted by main()'s functions. */
static atomic_uint allocations;

#define EC_ONLY "ECDSA+SHA256"
#define RSA_ONLY "RSA-PSS+SHA256:RSA+SHA256"

/* A pair as the store would have it. */
struct pair {
    enum acme_key_type type;
    struct acme_key *key;
    struct acme_chain *chain;
    struct acme_buf key_der, chain_der;
    char fingerprint[65];
};

static void
pair_init(struct pair *pair, struct helper_ca *ca, enum acme_key_type type,
    const char *name)
{
    const char *const names[] = { name, NULL };
    struct acme_error err;
    struct acme_leaf leaf;

    memset(pair, 0, sizeof(*pair));
    acme_error_clear(&err);
    acme_buf_init_secret(&pair->key_der, ACME_STATE_PEM_MAX);
    acme_buf_init(&pair->chain_der, ACME_CHAIN_DER_MAX);
    pair->type = type;
    assert_int_equal(acme_key_generate(type, &pair->key, &err), ACME_OK);
    pair->chain = helper_ca_chain(ca, pair->key, names, NULL);
    assert_int_equal(acme_key_to_der(pair->key, &pair->key_der, &err),
        ACME_OK);
    assert_int_equal(
        acme_chain_to_der(pair->chain, 0, 0, &pair->chain_der, &err), ACME_OK);
    assert_int_equal(acme_chain_leaf(pair->chain, &leaf, &err), ACME_OK);
    strcpy(pair->fingerprint, leaf.fingerprint);
}

static void
pair_clear(struct pair *pair)
{
    acme_buf_clear(&pair->key_der);
    acme_buf_clear(&pair->chain_der);
    acme_chain_free(pair->chain);
    acme_key_unref(pair->key);
}

enum {
    EC_1,
    EC_2,
    RSA_1,
    EC_OTHER, /* for another name */
    RSA_OTHER,
    PAIRS
};

#define NLINEAGES 6

struct fixture {
    struct helper_ca *ca;
    struct pair pair[PAIRS];
    SSL_CTX *server, *client;
    bool keeping;    /* in `server` */
    const char *sni; /* what clients ask for; NULL: nothing */
    struct acme_area *area;
    struct acme_live_cache *cache;
};

/* ---- handshakes ------------------------------------------------------- */

struct served {
    struct acme_live_cache *cache;
    size_t lineage;
    enum acme_live_result result;
    bool placeholder;
    unsigned long left; /* on OpenSSL's queue behind the call */
    bool keeping;
};

static int
choose(SSL *ssl, void *arg)
{
    struct served *served = arg;

    served->result =
        served->placeholder ? acme_live_apply_placeholder(served->cache, ssl)
        : served->keeping
            ? acme_live_apply_keeping(served->cache, served->lineage, ssl)
            : acme_live_apply(served->cache, served->lineage, ssl);
    served->left = ERR_peek_error();
    return served->result == ACME_LIVE_SET;
}

/* One peer's turn; false: it failed. */
static bool
turn(SSL *ssl)
{
    int rc = SSL_do_handshake(ssl);

    return rc == 1 || SSL_get_error(ssl, rc) == SSL_ERROR_WANT_READ;
}

/*
 * Connects; NULL if that failed, else the client's SSL, which has the
 * certificate.  `sigalgs` NULL: any.
 */
static SSL *
connect_to(struct fixture *fix, struct served *served, const char *sigalgs,
    int version)
{
    SSL *server = SSL_new(fix->server), *client = SSL_new(fix->client);
    BIO *up = NULL, *down = NULL;
    char list[64];
    bool going = true;
    int i;

    assert_true(BIO_new_bio_pair(&up, 0, &down, 0));
    SSL_set_bio(server, up, up);
    SSL_set_bio(client, down, down);
    SSL_set_cert_cb(server, choose, served);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    SSL_set_max_proto_version(client, version);
    if (fix->sni != NULL) {
        (void)snprintf(list, sizeof(list), "%s", fix->sni);
        assert_true(SSL_set_tlsext_host_name(client, list));
    }
    if (sigalgs != NULL) {
        /* The macro casts const away. */
        (void)snprintf(list, sizeof(list), "%s", sigalgs);
        assert_true(SSL_set1_sigalgs_list(client, list));
    }
    for (i = 0;
         going && i < 50 &&
         !(SSL_is_init_finished(server) && SSL_is_init_finished(client));
         i++)
        going = turn(client) && turn(server);
    going =
        going && SSL_is_init_finished(server) && SSL_is_init_finished(client);
    ERR_clear_error();
    SSL_free(server);
    if (going)
        return client;
    SSL_free(client);
    return NULL;
}

/* Whether a client that takes `sigalgs` gets that pair and its whole
 * chain. */
static void
check_gets(struct fixture *fix, size_t lineage, const char *sigalgs,
    const struct pair *pair)
{
    struct served served = { fix->cache, lineage, ACME_LIVE_NONE, false, 0,
        fix->keeping };
    X509 *leaf = acme_chain_x509(pair->chain, 0);
    SSL *client;
    int version;

    for (version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        client = connect_to(fix, &served, sigalgs, version);
        assert_int_equal(served.result, ACME_LIVE_SET);
        assert_int_equal(served.left, 0);
        assert_non_null(client);
        assert_int_equal(X509_cmp(SSL_get0_peer_certificate(client), leaf), 0);
        assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(client)),
            acme_chain_count(pair->chain));
        SSL_free(client);
    }
}

static void
check_gets_nothing(struct fixture *fix, size_t lineage, const char *sigalgs,
    enum acme_live_result result)
{
    struct served served = { fix->cache, lineage, ACME_LIVE_FAILED, false, 0,
        fix->keeping };

    assert_null(connect_to(fix, &served, sigalgs, TLS1_3_VERSION));
    assert_int_equal(served.result, result);
    assert_int_equal(served.left, 0);
}

/* ---- the fixture ------------------------------------------------------ */

static int
setup(void **state)
{
    struct fixture *fix = calloc(1, sizeof(*fix));

    fix->ca = helper_ca_new();
    pair_init(&fix->pair[EC_1], fix->ca, ACME_KEY_ECDSA_256, "a.test");
    pair_init(&fix->pair[EC_2], fix->ca, ACME_KEY_ECDSA_256, "a.test");
    pair_init(&fix->pair[RSA_1], fix->ca, ACME_KEY_RSA_2048, "a.test");
    pair_init(&fix->pair[EC_OTHER], fix->ca, ACME_KEY_ECDSA_256, "b.test");
    pair_init(&fix->pair[RSA_OTHER], fix->ca, ACME_KEY_RSA_2048, "b.test");
    fix->server = SSL_CTX_new(TLS_server_method());
    fix->client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(fix->client, SSL_VERIFY_NONE, NULL);
    *state = fix;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *fix = *state;
    size_t i;

    for (i = 0; i < PAIRS; i++)
        pair_clear(&fix->pair[i]);
    helper_ca_free(fix->ca);
    SSL_CTX_free(fix->server);
    SSL_CTX_free(fix->client);
    free(fix);
    return 0;
}

/* Each test has an area and a cache of its own. */
static struct fixture *
start(void **state, size_t max)
{
    struct fixture *fix = *state;
    struct acme_error err;

    acme_error_clear(&err);
    assert_int_equal(acme_area_new(NLINEAGES, 1, &fix->area, &err), ACME_OK);
    assert_int_equal(
        acme_live_cache_new(fix->area, NLINEAGES, max, &fix->cache, &err),
        ACME_OK);
    return fix;
}

static void
stop(struct fixture *fix)
{
    acme_live_cache_free(fix->cache);
    acme_area_free(fix->area);
    fix->cache = NULL;
    fix->area = NULL;
}

static struct acme_area_pair
as_area_pair(const struct pair *pair)
{
    struct acme_area_pair to = { pair->type, false, pair->key_der.data,
        pair->key_der.len, pair->chain_der.data, pair->chain_der.len, NULL, 0,
        0 };

    return to;
}

static void
put_pairs(struct fixture *fix, size_t lineage,
    const struct acme_area_pair *pairs, size_t n)
{
    struct acme_error err;

    acme_error_clear(&err);
    assert_int_equal(acme_area_put(fix->area, lineage, pairs, n, 1, &err),
        ACME_OK);
}

static void
put(struct fixture *fix, size_t lineage, const struct pair *pair)
{
    struct acme_area_pair one = as_area_pair(pair);

    put_pairs(fix, lineage, &one, 1);
}

/* ---- tests ------------------------------------------------------------ */

static void
test_nothing_yet(void **state)
{
    struct fixture *fix = start(state, 4);
    SSL *ssl = SSL_new(fix->server);

    check_gets_nothing(fix, 0, NULL, ACME_LIVE_NONE);
    check_gets_nothing(fix, NLINEAGES, NULL, ACME_LIVE_NONE);
    /* The SSL keeps what its server's configuration gave it. */
    assert_int_equal(SSL_use_cert_and_key(ssl,
                         acme_chain_x509(fix->pair[EC_1].chain, 0),
                         acme_key_evp(fix->pair[EC_1].key), NULL, 1),
        1);
    assert_int_equal(acme_live_apply(fix->cache, 0, ssl), ACME_LIVE_NONE);
    assert_false(acme_area_has_traffic(fix->area, 0));
    assert_non_null(SSL_get_certificate(ssl));
    SSL_free(ssl);
    stop(fix);
    acme_live_cache_free(NULL);
}

static void
test_swap(void **state)
{
    struct fixture *fix = start(state, 4);

    put(fix, 2, &fix->pair[EC_1]);
    check_gets(fix, 2, NULL, &fix->pair[EC_1]);
    check_gets(fix, 2, NULL, &fix->pair[EC_1]);
    put(fix, 2, &fix->pair[EC_2]);
    check_gets(fix, 2, NULL, &fix->pair[EC_2]);
    put(fix, 2, &fix->pair[RSA_1]);
    check_gets(fix, 2, NULL, &fix->pair[RSA_1]);
    /* A key type that went is not served any more. */
    check_gets_nothing(fix, 2, EC_ONLY, ACME_LIVE_SET);
    check_gets_nothing(fix, 1, NULL, ACME_LIVE_NONE);
    stop(fix);
}

/* ---- staples ---------------------------------------------------------- */

/* In the status callback of a server. */
struct stapled {
    struct fixture *fix;
    bool sent;
    unsigned long left; /* on OpenSSL's queue behind the call */
};

static int
staple(SSL *ssl, void *arg)
{
    struct stapled *stapled = arg;

    stapled->sent = acme_live_staple(stapled->fix->cache, 0, ssl);
    stapled->left = ERR_peek_error();
    return stapled->sent ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* What a client that asks gets; NULL: nothing. */
static void
check_stapled(struct fixture *fix, const char *sigalgs, const char *expected)
{
    struct served served = { fix->cache, 0, ACME_LIVE_NONE, false, 0,
        fix->keeping };
    struct stapled stapled = { fix, false, 0 };
    const unsigned char *got;
    SSL *client;
    int version;
    long len;

    SSL_CTX_set_tlsext_status_cb(fix->server, staple);
    SSL_CTX_set_tlsext_status_arg(fix->server, &stapled);
    SSL_CTX_set_tlsext_status_type(fix->client, TLSEXT_STATUSTYPE_ocsp);
    for (version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        client = connect_to(fix, &served, sigalgs, version);
        assert_non_null(client);
        got = NULL;
        len = SSL_get_tlsext_status_ocsp_resp(client, &got);
        assert_int_equal(stapled.sent, expected != NULL);
        assert_int_equal(stapled.left, 0);
        if (expected != NULL) {
            assert_int_equal(len, strlen(expected));
            assert_memory_equal(got, expected, strlen(expected));
        } else {
            assert_true(got == NULL || len <= 0);
        }
        SSL_free(client);
    }
    SSL_CTX_set_tlsext_status_cb(fix->server, NULL);
    SSL_CTX_set_tlsext_status_type(fix->client, -1);
}

static void
put_staple(struct acme_area_pair *pair, const char *text, time_t until)
{
    pair->staple = text;
    pair->staple_len = strlen(text);
    pair->staple_until = until;
}

/* Of the key that was chosen, as long as it is good, and the newest. */
static void
test_staple(void **state)
{
    struct fixture *fix = start(state, 4);
    struct acme_area_pair pairs[] = { as_area_pair(&fix->pair[EC_1]),
        as_area_pair(&fix->pair[RSA_1]) };
    const time_t later = time(NULL) + 3600;

    put_pairs(fix, 0, pairs, 2);
    check_stapled(fix, NULL, NULL);
    put_staple(&pairs[0], "of ecdsa", later);
    put_pairs(fix, 0, pairs, 2);
    check_stapled(fix, EC_ONLY, "of ecdsa");
    check_stapled(fix, RSA_ONLY, NULL);
    put_staple(&pairs[1], "of rsa", later);
    put_pairs(fix, 0, pairs, 2);
    check_stapled(fix, EC_ONLY, "of ecdsa");
    check_stapled(fix, RSA_ONLY, "of rsa");
    put_staple(&pairs[0], "newer", later);
    put_staple(&pairs[1], "over", time(NULL));
    put_pairs(fix, 0, pairs, 2);
    check_stapled(fix, EC_ONLY, "newer");
    check_stapled(fix, RSA_ONLY, NULL);
    stop(fix);
}

/* Not of what the lineage had before, nor of a certificate that is not its. */
static void
test_staple_of_others(void **state)
{
    struct fixture *fix = start(state, 4);
    struct acme_area_pair one = as_area_pair(&fix->pair[EC_1]);
    SSL *ssl = SSL_new(fix->server);

    put_staple(&one, "of one", time(NULL) + 3600);
    put_pairs(fix, 0, &one, 1);
    assert_false(acme_live_staple(fix->cache, 0, ssl));
    assert_int_equal(SSL_use_cert_and_key(ssl,
                         acme_chain_x509(fix->pair[EC_OTHER].chain, 0),
                         acme_key_evp(fix->pair[EC_OTHER].key), NULL, 1),
        1);
    assert_false(acme_live_staple(fix->cache, 0, ssl));
    assert_false(acme_live_staple(fix->cache, 1, ssl));
    assert_false(acme_live_staple(fix->cache, NLINEAGES, ssl));
    assert_int_equal(acme_live_apply(fix->cache, 0, ssl), ACME_LIVE_SET);
    /* It has been read anew since: the same certificate in another place. */
    put_staple(&one, "newer", time(NULL) + 3600);
    put_pairs(fix, 0, &one, 1);
    assert_true(acme_live_staple(fix->cache, 0, ssl));
    put(fix, 0, &fix->pair[EC_2]);
    assert_false(acme_live_staple(fix->cache, 0, ssl));
    SSL_free(ssl);
    stop(fix);
}

static void
test_two_types(void **state)
{
    struct fixture *fix = start(state, 4);
    struct acme_area_pair both[2];
    int i;

    for (i = 0; i < 2; i++) {
        both[i] = as_area_pair(&fix->pair[EC_1]);
        both[!i] = as_area_pair(&fix->pair[RSA_1]);
        put_pairs(fix, 0, both, 2);
        check_gets(fix, 0, EC_ONLY, &fix->pair[EC_1]);
        check_gets(fix, 0, RSA_ONLY, &fix->pair[RSA_1]);
        check_gets(fix, 0, NULL, &fix->pair[EC_1]);
    }
    put(fix, 0, &fix->pair[EC_1]);
    check_gets(fix, 0, EC_ONLY, &fix->pair[EC_1]);
    check_gets_nothing(fix, 0, RSA_ONLY, ACME_LIVE_SET);
    stop(fix);
}

/* Another lineage's certificate for the names that only it covers. */
/* What can be told and had of the lineage without a connection. */
/* What a connection begins with; NULL: with nothing. */
static void
check_kept(struct fixture *fix, const struct pair *pair)
{
    SSL *ssl = SSL_new(fix->server);
    X509 *kept = SSL_get_certificate(ssl);

    assert_int_equal(kept != NULL, pair != NULL);
    if (pair != NULL)
        assert_int_equal(X509_cmp(kept, acme_chain_x509(pair->chain, 0)), 0);
    SSL_free(ssl);
}

static void
check_gets_and_keeps(struct fixture *fix, const struct pair *pair)
{
    put(fix, 0, pair);
    check_gets(fix, 0, NULL, pair);
    check_kept(fix, pair);
    check_gets(fix, 0, NULL, pair);
}

static void
test_keeping(void **state)
{
    struct fixture *fix = start(state, NLINEAGES);
    SSL_CTX *shared = fix->server;
    struct acme_area_pair both[] = { as_area_pair(&fix->pair[EC_1]),
        as_area_pair(&fix->pair[RSA_1]) };

    fix->server = SSL_CTX_new(TLS_server_method());
    fix->keeping = true;
    check_gets_nothing(fix, 0, NULL, ACME_LIVE_NONE);
    check_kept(fix, NULL);
    check_gets_and_keeps(fix, &fix->pair[EC_1]);
    check_gets_and_keeps(fix, &fix->pair[EC_2]);

    /* Another kind of key: not beside the old one, which nobody gets. */
    put(fix, 0, &fix->pair[RSA_1]);
    check_gets(fix, 0, NULL, &fix->pair[RSA_1]);
    check_gets_nothing(fix, 0, EC_ONLY, ACME_LIVE_SET);
    check_gets(fix, 0, NULL, &fix->pair[RSA_1]);
    put_pairs(fix, 0, both, 2);
    check_gets(fix, 0, EC_ONLY, &fix->pair[EC_1]);
    check_gets(fix, 0, RSA_ONLY, &fix->pair[RSA_1]);
    check_kept(fix, &fix->pair[EC_2]);
    check_gets_and_keeps(fix, &fix->pair[EC_1]);
    check_gets_nothing(fix, 0, RSA_ONLY, ACME_LIVE_SET);
    stop(fix);

    /* A cache that forgets is not undone. */
    SSL_CTX_free(fix->server);
    fix->server = SSL_CTX_new(TLS_server_method());
    (void)start(state, NLINEAGES - 1);
    put(fix, 0, &fix->pair[EC_1]);
    check_gets(fix, 0, NULL, &fix->pair[EC_1]);
    check_kept(fix, NULL);
    stop(fix);

    SSL_CTX_free(fix->server);
    fix->server = shared;
    fix->keeping = false;
}

static void
test_told(void **state)
{
    struct fixture *fix = start(state, 4);
    struct acme_area_pair both[2];
    struct acme_buf chain, key;
    struct acme_leaf leaf;
    struct acme_error err;
    struct acme_key *read = NULL;
    struct acme_chain *parsed = NULL;

    acme_error_clear(&err);
    acme_buf_init(&chain, ACME_STATE_PEM_MAX);
    acme_buf_init_secret(&key, ACME_STATE_PEM_MAX);
    assert_int_equal(acme_live_not_after(fix->cache, 0), 0);
    assert_int_equal(acme_live_not_after(fix->cache, NLINEAGES), 0);
    assert_false(acme_live_pem(fix->cache, 0, &chain, &key));

    both[0] = as_area_pair(&fix->pair[RSA_1]);
    both[1] = as_area_pair(&fix->pair[EC_1]);
    put_pairs(fix, 0, both, 2);
    assert_int_equal(acme_chain_leaf(fix->pair[EC_1].chain, &leaf, &err),
        ACME_OK);
    assert_int_equal(acme_live_not_after(fix->cache, 0), leaf.not_after);
    assert_true(acme_live_pem(fix->cache, 0, &chain, &key));
    assert_int_equal(
        acme_key_from_pem(acme_buf_str(&key), key.len, &read, &err), ACME_OK);
    assert_int_equal(
        acme_chain_from_pem(acme_buf_str(&chain), chain.len, &parsed, &err),
        ACME_OK);
    assert_true(acme_chain_matches(parsed, read));
    assert_true(acme_chain_matches(parsed, fix->pair[RSA_1].key));
    assert_int_equal(acme_chain_count(parsed),
        acme_chain_count(fix->pair[RSA_1].chain));

    acme_chain_free(parsed);
    acme_key_unref(read);
    acme_buf_clear(&chain);
    acme_buf_clear(&key);
    stop(fix);
}

static void
test_spare(void **state)
{
    struct fixture *fix = start(state, 4);
    struct acme_area_pair pairs[5];
    struct acme_area_pair bad;

    pairs[0] = as_area_pair(&fix->pair[EC_1]);
    pairs[1] = as_area_pair(&fix->pair[EC_2]);
    pairs[2] = as_area_pair(&fix->pair[EC_OTHER]);
    pairs[1].spare = pairs[2].spare = true;
    put_pairs(fix, 0, pairs, 3);
    check_gets(fix, 0, NULL, &fix->pair[EC_1]);
    fix->sni = "a.test";
    check_gets(fix, 0, NULL, &fix->pair[EC_1]);
    fix->sni = "B.Test";
    check_gets(fix, 0, NULL, &fix->pair[EC_OTHER]);
    fix->sni = "c.test";
    check_gets(fix, 0, NULL, &fix->pair[EC_1]);

    /* of both algorithms; one that covers, or none */
    pairs[0] = as_area_pair(&fix->pair[EC_1]);
    pairs[1] = as_area_pair(&fix->pair[RSA_1]);
    pairs[2] = as_area_pair(&fix->pair[EC_OTHER]);
    pairs[3] = as_area_pair(&fix->pair[RSA_OTHER]);
    pairs[2].spare = pairs[3].spare = true;
    put_pairs(fix, 0, pairs, 4);
    fix->sni = "b.test";
    check_gets(fix, 0, EC_ONLY, &fix->pair[EC_OTHER]);
    check_gets(fix, 0, RSA_ONLY, &fix->pair[RSA_OTHER]);
    fix->sni = "a.test";
    check_gets(fix, 0, EC_ONLY, &fix->pair[EC_1]);
    check_gets(fix, 0, RSA_ONLY, &fix->pair[RSA_1]);

    /* without one of its own: for any name */
    put_pairs(fix, 1, pairs + 2, 2);
    check_gets(fix, 1, EC_ONLY, &fix->pair[EC_OTHER]);
    check_gets(fix, 1, RSA_ONLY, &fix->pair[RSA_OTHER]);
    fix->sni = NULL;
    check_gets(fix, 1, NULL, &fix->pair[EC_OTHER]);

    /* a bad one is no reason to go without the others */
    bad = pairs[2];
    bad.key_len -= 1;
    pairs[1] = bad;
    pairs[2] = pairs[3];
    put_pairs(fix, 2, pairs, 3);
    check_gets(fix, 2, NULL, &fix->pair[EC_1]);
    fix->sni = "b.test";
    check_gets(fix, 2, NULL, &fix->pair[RSA_OTHER]);
    put_pairs(fix, 3, &bad, 1);
    check_gets_nothing(fix, 3, NULL, ACME_LIVE_NONE);
    fix->sni = NULL;
    stop(fix);
}

/* What must not be served leaves what is served alone, whatever is wrong
 * with it, and its errors are gone. */
static void
test_bad_slot(void **state)
{
    struct fixture *fix = start(state, 4);
    struct acme_area_pair good = as_area_pair(&fix->pair[EC_1]);
    struct acme_area_pair other = as_area_pair(&fix->pair[EC_2]);
    struct acme_area_pair rsa = as_area_pair(&fix->pair[RSA_1]);
    struct acme_area_pair pairs[2];
    unsigned char bent[ACME_CHAIN_DER_MAX];
    size_t i;

    memcpy(bent, other.chain, other.chain_len);
    bent[5] ^= 0xff;
    for (i = 0; i < 8; i++) {
        size_t n = 1;

        put_pairs(fix, 0, &good, 1);
        check_gets(fix, 0, NULL, &fix->pair[EC_1]);
        pairs[0] = other;
        pairs[1] = rsa;
        switch (i) {
        case 0: /* another key's certificate */
            pairs[0].chain = good.chain;
            pairs[0].chain_len = good.chain_len;
            break;
        case 1:
            pairs[0].chain = rsa.chain;
            pairs[0].chain_len = rsa.chain_len;
            break;
        case 2:
            pairs[0].chain = bent;
            break;
        case 3:
            pairs[0].chain_len--;
            break;
        case 4:
            pairs[0].key_len--;
            break;
        case 5:
            pairs[0].key = "not a key at all";
            pairs[0].key_len = 16;
            break;
        case 6: /* one good, one bad: all or nothing */
            pairs[1].key = other.key;
            pairs[1].key_len = other.key_len;
            n = 2;
            break;
        case 7:
            pairs[0].key_len--;
            n = 2;
            break;
        }
        put_pairs(fix, 0, pairs, n);
        check_gets(fix, 0, NULL, &fix->pair[EC_1]);
        put_pairs(fix, 1, pairs, n);
        check_gets_nothing(fix, 1, NULL, ACME_LIVE_NONE);
    }
    put_pairs(fix, 0, &other, 1);
    check_gets(fix, 0, NULL, &fix->pair[EC_2]);
    /* Emptied: a certificate is not taken away. */
    put_pairs(fix, 0, NULL, 0);
    check_gets(fix, 0, NULL, &fix->pair[EC_2]);
    stop(fix);
}

/* OpenSSL's allocations during one call: whatever parses makes dozens. */
static unsigned
cost(struct fixture *fix, size_t lineage, SSL *ssl,
    enum acme_live_result expected)
{
    unsigned before = allocations;

    assert_int_equal(acme_live_apply(fix->cache, lineage, ssl), expected);
    return allocations - before;
}

/* What OpenSSL itself takes to put the pair in. */
static unsigned
least_cost(const struct pair *pair, SSL *ssl)
{
    STACK_OF(X509) *issuers = sk_X509_new_null();
    unsigned before;
    size_t i;

    for (i = 1; i < acme_chain_count(pair->chain); i++)
        sk_X509_push(issuers, acme_chain_x509(pair->chain, i));
    before = allocations;
    SSL_certs_clear(ssl);
    SSL_use_cert_and_key(ssl, acme_chain_x509(pair->chain, 0),
        acme_key_evp(pair->key), issuers, 1);
    before = allocations - before;
    sk_X509_free(issuers);
    return before;
}

/* Good or bad, a slot is parsed once per generation. */
static void
test_parsed_once(void **state)
{
    struct fixture *fix = start(state, 4);
    struct acme_area_pair bad = as_area_pair(&fix->pair[EC_1]);
    SSL *ssl = SSL_new(fix->server);
    unsigned least, i;

    bad.key_len--;
    least_cost(&fix->pair[EC_1], ssl);
    least = least_cost(&fix->pair[EC_1], ssl);
    for (i = 0; i < 3; i++) {
        put(fix, 0, &fix->pair[EC_1]);
        assert_true(cost(fix, 0, ssl, ACME_LIVE_SET) > least);
        assert_int_equal(cost(fix, 0, ssl, ACME_LIVE_SET), least);
        assert_int_equal(cost(fix, 0, ssl, ACME_LIVE_SET), least);
        put_pairs(fix, 0, &bad, 1);
        assert_true(cost(fix, 0, ssl, ACME_LIVE_SET) > least);
        assert_int_equal(cost(fix, 0, ssl, ACME_LIVE_SET), least);
        put_pairs(fix, 1, &bad, 1);
        assert_true(cost(fix, 1, ssl, ACME_LIVE_NONE) > 0);
        assert_int_equal(cost(fix, 1, ssl, ACME_LIVE_NONE), 0);
        assert_int_equal(cost(fix, 2, ssl, ACME_LIVE_NONE), 0);
    }
    SSL_free(ssl);
    stop(fix);
}

/* More lineages than the cache keeps, in any order: all are right. */
static void
test_bound(void **state)
{
    struct fixture *fix = start(state, 2);
    size_t round, i;

    for (i = 0; i < NLINEAGES; i++)
        put(fix, i, &fix->pair[i % 2 ? EC_1 : EC_2]);
    for (round = 0; round < 4; round++)
        for (i = 0; i < NLINEAGES; i++) {
            size_t lineage = (i * (round + 1) + round) % NLINEAGES;

            check_gets(fix, lineage, NULL,
                &fix->pair[lineage % 2 ? EC_1 : EC_2]);
        }
    stop(fix);
}

/* Which ones are kept shows when their slots go bad without a notice: a kept
 * set goes on, one that left has nothing to go back to. */
static void
test_least_recently_used(void **state)
{
    struct fixture *fix = start(state, 3);
    struct acme_area_pair bad = as_area_pair(&fix->pair[EC_1]);
    static const size_t order[] = { 0, 1, 2, 0, 3 };
    size_t i;

    for (i = 0; i < NLINEAGES; i++)
        put(fix, i, &fix->pair[EC_1]);
    for (i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        check_gets(fix, order[i], NULL, &fix->pair[EC_1]);
    bad.key_len--;
    for (i = 0; i < NLINEAGES; i++)
        put_pairs(fix, i, &bad, 1);
    for (i = 0; i < NLINEAGES; i++)
        if (i == 0 || i == 2 || i == 3)
            check_gets(fix, i, NULL, &fix->pair[EC_1]);
        else
            check_gets_nothing(fix, i, NULL, ACME_LIVE_NONE);
    /* And a good slot brings each back. */
    for (i = 0; i < NLINEAGES; i++)
        put(fix, i, &fix->pair[EC_2]);
    for (i = 0; i < NLINEAGES; i++)
        check_gets(fix, i, NULL, &fix->pair[EC_2]);
    stop(fix);
}

/* A connection goes on with its certificate when the cache has dropped it. */
static void
test_connection_outlives(void **state)
{
    struct fixture *fix = start(state, 1);
    SSL *ssl = SSL_new(fix->server);

    put(fix, 0, &fix->pair[EC_1]);
    put(fix, 1, &fix->pair[EC_2]);
    assert_int_equal(acme_live_apply(fix->cache, 0, ssl), ACME_LIVE_SET);
    assert_true(acme_area_has_traffic(fix->area, 0));
    check_gets(fix, 1, NULL, &fix->pair[EC_2]);
    stop(fix);
    assert_int_equal(X509_cmp(SSL_get_certificate(ssl),
                         acme_chain_x509(fix->pair[EC_1].chain, 0)),
        0);
    assert_int_equal(SSL_check_private_key(ssl), 1);
    SSL_free(ssl);
}

static void
test_placeholder(void **state)
{
    struct fixture *fix = start(state, 4);
    struct served served = { fix->cache, 0, ACME_LIVE_NONE, true, 0, false };
    X509 *seen[2];
    SSL *client;
    int i;

    for (i = 0; i < 2; i++) {
        client = connect_to(fix, &served, NULL, TLS1_3_VERSION);
        assert_int_equal(served.result, ACME_LIVE_SET);
        assert_int_equal(served.left, 0);
        assert_non_null(client);
        seen[i] = SSL_get1_peer_certificate(client);
        assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(client)), 1);
        SSL_free(client);
    }
    assert_int_equal(X509_cmp(seen[0], seen[1]), 0);
    X509_free(seen[0]);
    X509_free(seen[1]);
    stop(fix);
}

/* What another module left behind is still there, and nothing of ours. */
static void
test_error_queue(void **state)
{
    struct fixture *fix = start(state, 4);
    struct acme_area_pair bad = as_area_pair(&fix->pair[EC_1]);
    SSL *ssl = SSL_new(fix->server);
    unsigned long before;
    int i;

    put(fix, 0, &fix->pair[EC_1]);
    bad.key_len--;
    put_pairs(fix, 1, &bad, 1);
    for (i = 0; i < 3; i++) {
        ERR_clear_error();
        if (i > 0)
            ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
        before = ERR_peek_last_error();
        acme_live_apply(fix->cache, (size_t)i % 2, ssl);
        acme_live_apply_placeholder(fix->cache, ssl);
        assert_int_equal(ERR_peek_last_error(), before);
        if (i > 0)
            ERR_get_error();
        assert_int_equal(ERR_peek_error(), 0);
    }
    SSL_free(ssl);
    stop(fix);
}

/* A security level that is too high for the pair: an answer, no error left,
 * and a pair that passes is served all the same. */
static void
test_openssl_refuses(void **state)
{
    struct fixture *fix = start(state, 4);
    struct acme_area_pair both[2];
    SSL *ssl = SSL_new(fix->server);
    size_t i;

    put(fix, 0, &fix->pair[RSA_1]);
    for (i = 0; i < 2; i++) {
        both[i] = as_area_pair(&fix->pair[EC_1]);
        both[!i] = as_area_pair(&fix->pair[RSA_1]);
        put_pairs(fix, 1 + i, both, 2);
    }
    SSL_set_security_level(ssl, 3); /* RSA 2048 has 112 bits, 128 wanted */
    for (i = 0; i < 3; i++) {
        assert_int_equal(acme_live_apply(fix->cache, i, ssl),
            i == 0 ? ACME_LIVE_FAILED : ACME_LIVE_SET);
        assert_int_equal(ERR_peek_error(), 0);
        if (i > 0)
            assert_int_equal(X509_cmp(SSL_get_certificate(ssl),
                                 acme_chain_x509(fix->pair[EC_1].chain, 0)),
                0);
    }
    SSL_free(ssl);
    stop(fix);
}

/* What the server's own configuration put in is not mixed with ours. */
static void
test_replaces_static(void **state)
{
    struct fixture *fix = start(state, 4);
    const struct pair *mine = &fix->pair[RSA_1];

    put(fix, 0, &fix->pair[EC_1]);
    assert_int_equal(SSL_CTX_use_cert_and_key(fix->server,
                         acme_chain_x509(mine->chain, 0),
                         acme_key_evp(mine->key), NULL, 1),
        1);
    check_gets(fix, 0, EC_ONLY, &fix->pair[EC_1]);
    check_gets_nothing(fix, 0, RSA_ONLY, ACME_LIVE_SET);
    SSL_CTX_free(fix->server);
    fix->server = SSL_CTX_new(TLS_server_method());
    stop(fix);
}

/*
 * The thread sanitizer does not see OpenSSL's reference counts: a thread that
 * drops the last reference to a key seems to race with those that dropped
 * theirs before.  What happens in the cache itself is still watched.
 */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
const char *__tsan_default_suppressions(void);

__attribute__((visibility("default"))) const char *
__tsan_default_suppressions(void)
{
    return "race:libcrypto.so\nrace:libssl.so\n";
}
#endif

/* ---- threads ---------------------------------------------------------- */

struct race {
    struct fixture *fix;
    atomic_bool stop;
    atomic_uint wrong, served;
};

static void *
serve(void *arg)
{
    struct race *race = arg;
    struct fixture *fix = race->fix;
    SSL *ssl = SSL_new(fix->server);
    unsigned n;

    for (n = 0; !race->stop; n++) {
        X509 *leaf;

        /* Never nothing: there was a certificate before we began. */
        if (acme_live_apply(fix->cache, n % NLINEAGES, ssl) != ACME_LIVE_SET) {
            race->wrong++;
            continue;
        }
        if (n % 16 == 0)
            acme_live_apply_placeholder(fix->cache, ssl);
        leaf = SSL_get_certificate(ssl);
        if (leaf == NULL || SSL_check_private_key(ssl) != 1)
            race->wrong++;
        race->served++;
    }
    SSL_free(ssl);
    return NULL;
}

/* Slots change under connections of three threads.  Bad ones among them,
 * unless the cache is too small to keep the good. */
static void
let_them_race(void **state, size_t max, bool with_bad)
{
    struct fixture *fix = start(state, max);
    struct race race = { fix, false, 0, 0 };
    const struct timespec a_while = { 0, 500000 };
    struct acme_area_pair bad = as_area_pair(&fix->pair[EC_1]);
    pthread_t thread[3];
    SSL *ssl = SSL_new(fix->server);
    size_t i, n;

    bad.key_len--;
    for (i = 0; i < NLINEAGES; i++) {
        put(fix, i, &fix->pair[EC_1]);
        acme_live_apply(fix->cache, i, ssl);
    }
    for (i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, serve, &race), 0);
    for (n = 0; n < 1200; n++) {
        if (with_bad && n % 4 == 0)
            put_pairs(fix, n % NLINEAGES, &bad, 1);
        else
            put(fix, n % NLINEAGES, &fix->pair[n % PAIRS]);
        nanosleep(&a_while, NULL);
    }
    race.stop = true;
    for (i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(race.wrong, 0);
    assert_true(race.served > 50);
    for (i = 0; i < NLINEAGES; i++)
        put(fix, i, &fix->pair[EC_2]);
    for (i = 0; i < NLINEAGES; i++)
        check_gets(fix, i, NULL, &fix->pair[EC_2]);
    SSL_free(ssl);
    stop(fix);
}

static void
test_threads(void **state)
{
    let_them_race(state, 3, false);
    let_them_race(state, NLINEAGES, true);
}

static void *
count_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    allocations++;
    return size > 0 ? malloc(size) : NULL;
}

static void *
count_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    allocations++;
    if (size > 0)
        return realloc(old, size);
    free(old);
    return NULL;
}

static void
count_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_yet),
        cmocka_unit_test(test_swap),
        cmocka_unit_test(test_staple),
        cmocka_unit_test(test_staple_of_others),
        cmocka_unit_test(test_two_types),
        cmocka_unit_test(test_keeping),
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_spare),
        cmocka_unit_test(test_bad_slot),
        cmocka_unit_test(test_parsed_once),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_least_recently_used),
        cmocka_unit_test(test_connection_outlives),
        cmocka_unit_test(test_placeholder),
        cmocka_unit_test(test_error_queue),
        cmocka_unit_test(test_openssl_refuses),
        cmocka_unit_test(test_replaces_static),
        cmocka_unit_test(test_threads),
    };

    if (!CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free))
        return 1;
    return cmocka_run_group_tests_name("live", tests, setup, teardown);
}
