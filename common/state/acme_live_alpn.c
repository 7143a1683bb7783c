#include "state/acme_live_alpn.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "wrap/acme_alpn.h"
#include "wrap/acme_openssl.h"

/* Of sessions that nobody resumes. */
static const unsigned char session_context[] = ACME_ALPN_PROTOCOL;

struct acme_live_alpn {
    const struct acme_area *area;

    CRYPTO_RWLOCK *lock;                   /* for all below */
    struct acme_key *key[ACME_ALGORITHMS]; /* as they were first found */

    /* What the certificates are for; "": there are none. */
    char identifier[ACME_NAME_MAX + 1];
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    struct acme_chain *chain[ACME_ALGORITHMS]; /* NULL: no key */
};

enum acme_rc
acme_live_alpn_new(const struct acme_area *area, struct acme_live_alpn **alpn,
    struct acme_error *err)
{
    struct acme_live_alpn *made = calloc(1, sizeof(*made));

    if (made == NULL)
        return acme_error_nomem(err);
    made->area = area;
    made->lock = CRYPTO_THREAD_lock_new();
    if (made->lock == NULL) {
        free(made);
        return acme_error_nomem(err);
    }
    *alpn = made;
    return ACME_OK;
}

/* Without certificates. */
static void
reset(struct acme_live_alpn *alpn)
{
    size_t i;

    alpn->identifier[0] = '\0';
    for (i = 0; i < ACME_ALGORITHMS; i++) {
        acme_chain_free(alpn->chain[i]);
        alpn->chain[i] = NULL;
    }
}

void
acme_live_alpn_free(struct acme_live_alpn *alpn)
{
    size_t i;

    if (alpn == NULL)
        return;
    reset(alpn);
    for (i = 0; i < ACME_ALGORITHMS; i++)
        acme_key_unref(alpn->key[i]);
    CRYPTO_THREAD_lock_free(alpn->lock);
    free(alpn);
}

bool
acme_live_alpn_is_pending(const struct acme_live_alpn *alpn,
    const char *server_name)
{
    char identifier[ACME_NAME_MAX + 1];
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];

    return acme_area_alpn_answer(alpn->area, server_name, identifier, answer);
}

/* False: there is none. */
static bool
find_key(struct acme_live_alpn *alpn, size_t i)
{
    struct acme_error ignored;
    struct acme_buf der;

    if (alpn->key[i] != NULL)
        return true;
    acme_error_clear(&ignored);
    acme_buf_init_secret(&der, ACME_ALPN_KEY_MAX);
    if (acme_area_alpn_key(alpn->area, i, &der))
        (void)acme_key_from_der(der.data, der.len, &alpn->key[i], &ignored);
    acme_buf_clear(&der);
    return alpn->key[i] != NULL;
}

/* Certificates for these two: the last ones, or new ones. */
static void
make(struct acme_live_alpn *alpn, const char *identifier, const char *answer)
{
    struct acme_error ignored;
    bool all = true;
    size_t i;

    if (strcmp(alpn->identifier, identifier) == 0 &&
        strcmp(alpn->answer, answer) == 0)
        return;
    reset(alpn);
    for (i = 0; i < ACME_ALGORITHMS; i++) {
        acme_error_clear(&ignored);
        all &= find_key(alpn, i) &&
               acme_alpn_certificate(alpn->key[i], identifier, answer,
                   &alpn->chain[i], &ignored) == ACME_OK;
    }
    if (!all)
        return; /* the next one may find what is missing */
    memcpy(alpn->identifier, identifier, strlen(identifier) + 1);
    memcpy(alpn->answer, answer, strlen(answer) + 1);
}

/* One of each algorithm, as the client may take one of them only. */
static enum acme_live_result
use(const struct acme_live_alpn *alpn, SSL *ssl)
{
    enum acme_live_result result = ACME_LIVE_FAILED;
    size_t i;

    SSL_certs_clear(ssl);
    for (i = 0; i < ACME_ALGORITHMS; i++)
        if (alpn->chain[i] != NULL &&
            SSL_use_cert_and_key(ssl, acme_chain_x509(alpn->chain[i], 0),
                acme_key_evp(alpn->key[i]), NULL, 1) == 1)
            result = ACME_LIVE_SET;
    return result;
}

static int
not_resumable(SSL *ssl, int is_forward_secure)
{
    (void)ssl;
    (void)is_forward_secure;
    return 1;
}

/* Its session is neither given to the client as a ticket nor kept; were it,
 * it would be of use to this protocol only. */
static void
seclude(SSL *ssl)
{
    SSL_SESSION *session = SSL_get_session(ssl);

    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    SSL_set_options(ssl, SSL_OP_NO_TICKET);
    (void)SSL_set_num_tickets(ssl, 0);
    SSL_set_not_resumable_session_callback(ssl, not_resumable);
    (void)SSL_set_session_id_context(ssl, session_context,
        sizeof(session_context) - 1);
    if (session != NULL)
        (void)SSL_SESSION_set1_id_context(session, session_context,
            sizeof(session_context) - 1);
}

enum acme_live_result
acme_live_alpn_apply(struct acme_live_alpn *alpn, const char *server_name,
    SSL *ssl)
{
    enum acme_live_result result = ACME_LIVE_FAILED;
    char identifier[ACME_NAME_MAX + 1];
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];

    if (!acme_area_alpn_answer(alpn->area, server_name, identifier, answer))
        return ACME_LIVE_NONE;
    ERR_set_mark();
    seclude(ssl);
    if (CRYPTO_THREAD_write_lock(alpn->lock)) {
        make(alpn, identifier, answer);
        result = use(alpn, ssl);
        CRYPTO_THREAD_unlock(alpn->lock);
    }
    ERR_pop_to_mark();
    return result;
}
