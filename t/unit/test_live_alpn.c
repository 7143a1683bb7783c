/*
 * Validations by tls-alpn-01 with real handshakes over memory: what a client
 * sees of what is pending in the area, and what is left of the connection.
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

#include "state/acme_live_alpn.h"

#define PRINT_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define PRINT_B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"

#define EC_ONLY "ECDSA+SHA256"
#define RSA_ONLY "RSA-PSS+SHA256:RSA+SHA256"

#define EC acme_key_algorithm_number(ACME_KEY_ECDSA_256)
#define RSA_KEY acme_key_algorithm_number(ACME_KEY_RSA_2048)

struct fixture {
    struct acme_key *key[ACME_ALGORITHMS];
    SSL_CTX *server, *client;
    struct acme_area *area;
    struct acme_live_alpn *alpn;
    enum acme_live_result result; /* of the last handshake */
    unsigned sessions;            /* that the server would have stored */
    int tickets;                  /* that the client was given */
};

static void
put_key(struct fixture *fix, size_t algorithm)
{
    struct acme_error err;
    struct acme_buf der;

    acme_error_clear(&err);
    acme_buf_init_secret(&der, ACME_ALPN_KEY_MAX);
    assert_int_equal(acme_key_to_der(fix->key[algorithm], &der, &err),
        ACME_OK);
    assert_int_equal(
        acme_area_put_alpn_key(fix->area, algorithm, der.data, der.len, &err),
        ACME_OK);
    acme_buf_clear(&der);
}

static void
put_token(struct fixture *fix, const char *name, const char *token)
{
    struct acme_area_token one = { .type = ACME_TLS_ALPN_01,
        .thumbprint = PRINT_A };

    (void)snprintf(one.name, sizeof(one.name), "%s", name);
    (void)snprintf(one.token, sizeof(one.token), "%s", token);
    acme_area_put_tokens(fix->area, &one, 1);
}

static int
count_session(SSL *ssl, SSL_SESSION *session)
{
    struct fixture *fix = SSL_get_app_data(ssl);

    (void)session;
    fix->sessions++;
    return 0;
}

static int
count_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct fixture *fix = SSL_get_app_data(ssl);

    fix->tickets +=
        SSL_SESSION_has_ticket(session) || SSL_SESSION_is_resumable(session);
    return 0;
}

static int
apply(SSL *ssl, void *arg)
{
    struct fixture *fix = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    fix->result = acme_live_alpn_apply(fix->alpn, name, ssl);
    assert_int_equal(ERR_peek_error(), 0);
    return fix->result == ACME_LIVE_SET;
}

static int
setup(void **state)
{
    static const unsigned char context[] = "of a virtual host";
    struct fixture *fix = calloc(1, sizeof(*fix));
    struct acme_error err;

    acme_error_clear(&err);
    assert_int_equal(
        acme_key_generate(ACME_KEY_ECDSA_256, &fix->key[EC], &err), ACME_OK);
    assert_int_equal(
        acme_key_generate(ACME_KEY_RSA_2048, &fix->key[RSA_KEY], &err),
        ACME_OK);
    fix->server = SSL_CTX_new(TLS_server_method());
    fix->client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_cert_cb(fix->server, apply, fix);
    SSL_CTX_set_verify(fix->server,
        SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    assert_true(
        SSL_CTX_set_session_id_context(fix->server, context, sizeof(context)));
    SSL_CTX_sess_set_new_cb(fix->server, count_session);
    SSL_CTX_set_session_cache_mode(fix->client,
        SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(fix->client, count_ticket);
    *state = fix;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *fix = *state;

    acme_key_unref(fix->key[EC]);
    acme_key_unref(fix->key[RSA_KEY]);
    SSL_CTX_free(fix->server);
    SSL_CTX_free(fix->client);
    free(fix);
    return 0;
}

static struct fixture *
start(void **state)
{
    struct fixture *fix = *state;
    struct acme_error err;

    acme_error_clear(&err);
    assert_int_equal(acme_area_new(1, 1, &fix->area, &err), ACME_OK);
    assert_int_equal(acme_live_alpn_new(fix->area, &fix->alpn, &err), ACME_OK);
    return fix;
}

static void
stop(struct fixture *fix)
{
    acme_live_alpn_free(fix->alpn);
    acme_area_free(fix->area);
}

static bool
turn(SSL *ssl)
{
    int rc = SSL_do_handshake(ssl);

    return rc == 1 || SSL_get_error(ssl, rc) == SSL_ERROR_WANT_READ;
}

/* The certificate shown (yours), or NULL. */
static X509 *
visit(struct fixture *fix, const char *name, const char *sigalgs, int version)
{
    SSL *server = SSL_new(fix->server), *client = SSL_new(fix->client);
    BIO *up = NULL, *down = NULL;
    X509 *shown = NULL;
    char text[64];
    bool going = true;
    int i;

    fix->sessions = 0;
    fix->tickets = 0;
    assert_true(BIO_new_bio_pair(&up, 0, &down, 0));
    SSL_set_bio(server, up, up);
    SSL_set_bio(client, down, down);
    SSL_set_app_data(server, fix);
    SSL_set_app_data(client, fix);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    SSL_set_max_proto_version(client, version);
    (void)snprintf(text, sizeof(text), "%s", name); /* casts const away */
    assert_true(SSL_set_tlsext_host_name(client, text));
    if (sigalgs != NULL) {
        (void)snprintf(text, sizeof(text), "%s", sigalgs);
        assert_true(SSL_set1_sigalgs_list(client, text));
    }
    for (i = 0; going && i < 20; i++)
        going = turn(client) && turn(server);
    if (going && SSL_is_init_finished(client))
        shown = SSL_get1_peer_certificate(client);
    (void)SSL_read(client, text, sizeof(text)); /* what came behind it */
    ERR_clear_error();
    SSL_free(server);
    SSL_free(client);
    return shown;
}

static void
check_shown(struct fixture *fix, const char *name, const char *sigalgs,
    size_t algorithm)
{
    X509 *shown;
    int version;

    for (version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        shown = visit(fix, name, sigalgs, version);
        assert_int_equal(fix->result, ACME_LIVE_SET);
        assert_non_null(shown);
        assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(shown),
                             acme_key_evp(fix->key[algorithm])),
            1);
        X509_free(shown);
    }
}

/* ---- tests ------------------------------------------------------------ */

static void
test_pending(void **state)
{
    struct fixture *fix = start(state);

    assert_false(acme_live_alpn_is_pending(fix->alpn, "a.test"));
    assert_null(visit(fix, "a.test", NULL, TLS1_3_VERSION));
    assert_int_equal(fix->result, ACME_LIVE_NONE);
    put_key(fix, EC);
    put_key(fix, RSA_KEY);
    put_token(fix, "a.test", "token");
    assert_true(acme_live_alpn_is_pending(fix->alpn, "a.test"));
    assert_false(acme_live_alpn_is_pending(fix->alpn, "b.test"));
    check_shown(fix, "a.test", NULL, EC);
    check_shown(fix, "a.test", EC_ONLY, EC);
    check_shown(fix, "a.test", RSA_ONLY, RSA_KEY);
    assert_null(visit(fix, "b.test", NULL, TLS1_3_VERSION));
    assert_int_equal(fix->result, ACME_LIVE_NONE);
    put_token(fix, "192.0.2.7", "token");
    check_shown(fix, "7.2.0.192.in-addr.arpa", NULL, EC);
    acme_area_put_tokens(fix->area, NULL, 0);
    assert_null(visit(fix, "a.test", NULL, TLS1_3_VERSION));
    stop(fix);
    acme_live_alpn_free(NULL);
}

static int
same_certificate(struct fixture *fix, X509 *before)
{
    X509 *shown = visit(fix, "a.test", NULL, TLS1_3_VERSION);
    int same = X509_cmp(before, shown) == 0;

    X509_free(shown);
    return same;
}

/* Made once for each challenge. */
static void
test_kept(void **state)
{
    struct fixture *fix = start(state);
    X509 *first;

    put_key(fix, EC);
    put_key(fix, RSA_KEY);
    put_token(fix, "a.test", "token");
    first = visit(fix, "a.test", NULL, TLS1_3_VERSION);
    assert_non_null(first);
    assert_true(same_certificate(fix, first));
    put_token(fix, "a.test", "another");
    assert_false(same_certificate(fix, first));
    X509_free(first);
    stop(fix);
}

/* A key that is not there (yet), or is none. */
static void
test_keys(void **state)
{
    struct fixture *fix = start(state);
    struct acme_error err;
    char long_key[ACME_ALPN_KEY_MAX + 1] = "";

    acme_error_clear(&err);
    put_token(fix, "a.test", "token");
    assert_null(visit(fix, "a.test", NULL, TLS1_3_VERSION));
    assert_int_equal(fix->result, ACME_LIVE_FAILED);
    assert_int_equal(
        acme_area_put_alpn_key(fix->area, RSA_KEY, "no key", 6, &err),
        ACME_OK);
    put_key(fix, EC);
    check_shown(fix, "a.test", NULL, EC);
    assert_null(visit(fix, "a.test", RSA_ONLY, TLS1_3_VERSION));
    put_key(fix, RSA_KEY);
    check_shown(fix, "a.test", RSA_ONLY, RSA_KEY);
    assert_int_equal(acme_area_put_alpn_key(fix->area, EC, long_key,
                         sizeof(long_key), &err),
        ACME_REFUSED);
    acme_error_clear(&err);
    assert_int_equal(
        acme_area_put_alpn_key(fix->area, ACME_ALGORITHMS, "x", 1, &err),
        ACME_REFUSED);
    stop(fix);
}

/* S43: nothing to resume on either side; and the server's own connections go
 * on as they were configured. */
static void
test_nothing_to_resume(void **state)
{
    struct fixture *fix = start(state);
    X509 *shown;
    int version;

    put_key(fix, EC);
    put_token(fix, "a.test", "token");
    for (version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        shown = visit(fix, "a.test", NULL, version);
        assert_non_null(shown);
        assert_int_equal(fix->sessions, 0);
        assert_int_equal(fix->tickets, 0);
        X509_free(shown);
        /* for a client without tickets the server would keep it */
        SSL_CTX_set_options(fix->client, SSL_OP_NO_TICKET);
        shown = visit(fix, "a.test", NULL, version);
        assert_non_null(shown);
        assert_int_equal(fix->sessions, 0);
        X509_free(shown);
        SSL_CTX_clear_options(fix->client, SSL_OP_NO_TICKET);
    }
    assert_int_equal(SSL_CTX_sess_number(fix->server), 0);
    stop(fix);
}

struct race {
    struct fixture *fix;
    atomic_bool stop;
    atomic_uint served, wrong;
};

/* Another thread's certificate for another challenge comes and goes. */
static void *
serve(void *arg)
{
    struct race *race = arg;

    while (!race->stop) {
        SSL *ssl = SSL_new(race->fix->server);
        enum acme_live_result result =
            acme_live_alpn_apply(race->fix->alpn, "a.test", ssl);

        if (result == ACME_LIVE_SET && SSL_check_private_key(ssl) == 1)
            race->served++;
        else if (result != ACME_LIVE_NONE) /* its writer is at work */
            race->wrong++;
        SSL_free(ssl);
    }
    return NULL;
}

static void
test_threads(void **state)
{
    const struct timespec a_while = { 0, 2000000 };
    struct fixture *fix = start(state);
    struct race race = { fix, false, 0, 0 };
    pthread_t thread[3];
    char token[16];
    size_t i;

    put_token(fix, "a.test", "token");
    put_key(fix, EC);
    put_key(fix, RSA_KEY);
    for (i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, serve, &race), 0);
    for (i = 0; i < 100 || (race.served < 20 && i < 5000); i++) {
        (void)snprintf(token, sizeof(token), "token%zu", i);
        put_token(fix, "a.test", token);
        nanosleep(&a_while, NULL);
    }
    race.stop = true;
    for (i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(race.wrong, 0);
    assert_true(race.served >= 20);
    stop(fix);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_nothing_to_resume),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
