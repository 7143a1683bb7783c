/*
 * An ACME CA in memory (RFC 8555), as an acme_transport.  It checks what a CA
 * checks, with its own code: content type, nonces used once, the JWS and its
 * key, the account, who owns what, the CSR; and it issues real certificates
 * (helper_ca.h).  A test bends single answers by rules, one line each:
 *
 *     struct fake_ca *ca = fake_ca_new(&host);
 *     fake_ca_problem(ca, FAKE_NEW_ORDER, 1, 429, "rateLimited", "slowly");
 *     fake_ca_header(ca, FAKE_NEW_ORDER, 1, "Retry-After", "120");
 *     fake_ca_json(ca, FAKE_AUTHZ, FAKE_ALWAYS, "challenges.0.token",
 *         "\"a/b\"");
 *     fake_ca_fail(ca, FAKE_FINALIZE, 2, ACME_NET);
 *     ...
 *     assert_string_equal(fake_ca_log(ca), "directory new-nonce ...");
 *     fake_ca_free(ca);
 *
 * A rule counts requests of its step from the moment it is written: 1 is the
 * next one, FAKE_ALWAYS each.  Several rules may hit one request; rules that
 * replace the answer (reply, problem, fail) come first, and the CA does
 * nothing then; the others change the answer, in the order written.
 */
#ifndef FAKE_CA_H
#define FAKE_CA_H

#include <stdbool.h>
#include <stddef.h>

#include "fake_host.h"
#include "helper_ca.h"
#include "wrap/acme_http.h"

#define FAKE_CA_DIRECTORY "https://ca.test/dir"
#define FAKE_ALWAYS 0

enum fake_step {
    FAKE_DIRECTORY,    /* "directory"   GET  /dir, at any host */
    FAKE_NEW_NONCE,    /* "new-nonce"   HEAD /new-nonce */
    FAKE_NEW_ACCOUNT,  /* "new-account" POST /new-account, create or find */
    FAKE_ACCOUNT,      /* "account"     POST /account/N */
    FAKE_NEW_ORDER,    /* "new-order"   POST /new-order */
    FAKE_ORDER,        /* "order"       POST /order/N */
    FAKE_AUTHZ,        /* "authz"       POST /authz/N */
    FAKE_CHALLENGE,    /* "challenge"   POST /challenge/N/M */
    FAKE_FINALIZE,     /* "finalize"    POST /finalize/N */
    FAKE_CERTIFICATE,  /* "certificate" POST /certificate/N; with /1 behind it
                          the chain of helper_ca_add_cross() */
    FAKE_RENEWAL_INFO, /* "renewal-info" GET /renewal-info/ID (RFC 9773) */
    FAKE_ELSEWHERE,    /* its URL       anything else: ACME_NET without a
                          rule */
    FAKE_STEPS
};

/* What a validator gets to see; it returns NULL or the detail of an
 * `incorrectResponse`. */
struct fake_validation {
    const char *name; /* as in the certificate: with "*." */
    const char *type;
    const char *token;
    const char *key_authorization; /* what has to be presented */
};

struct fake_ca_conf {
    const char *base;  /* "https://ca.test": of the URLs it makes */
    const char *terms; /* URL; NULL (the default): the CA has none */
    bool eab_required;
    const char *eab_kid;       /* of the one binding that is taken */
    const char *eab_key;       /* its MAC key: bytes without a NUL */
    bool reuse_authz;          /* valid authorizations are used again */
    bool authz_valid;          /* new authorizations are valid at once */
    unsigned validation_polls; /* of an authorization, until it is valid */
    unsigned issuance_polls;   /* of an order in processing */
    const char *challenges[4]; /* http-01, tls-alpn-01, dns-01 */
    bool renewal_info;         /* it has that, and suggests: */
    time_t renewal_start, renewal_end;
    const char *explanation;              /* URL, or NULL */
    struct helper_ca_options certificate; /* times count from host's now */
    const char *(*validate)(void *ctx, const struct fake_validation *v);
    void *validate_ctx;
};

/* Of its issuer. */
struct fake_ca;
void fake_ca_crl(const struct fake_ca *ca, const struct helper_ca_crl *options,
    struct acme_buf *der);
void fake_ca_ocsp(const struct fake_ca *ca,
    const struct helper_ca_ocsp *options, struct acme_buf *der);

struct fake_ca {
    struct fake_ca_conf conf; /* change it at any time */
    struct fake_ca_state *state;
};

struct fake_ca *fake_ca_new(struct fake_host *host);
void fake_ca_free(struct fake_ca *ca);
struct acme_transport fake_ca_transport(struct fake_ca *ca);

/* ---- rules: what, on which request of a step ---- */

/* The whole answer.  body NULL: none.  content_type NULL: no such header. */
void fake_ca_reply(struct fake_ca *ca, enum fake_step step, unsigned nth,
    int status, const char *content_type, const char *body);

/* A problem document; `type` as in RFC 8555 6.7, without its prefix. */
void fake_ca_problem(struct fake_ca *ca, enum fake_step step, unsigned nth,
    int status, const char *type, const char *detail);

/* No answer: the transport's result. */
void fake_ca_fail(struct fake_ca *ca, enum fake_step step, unsigned nth,
    enum acme_rc rc);

/* A header of the answer (also of one replaced above); NULL: without it. */
void fake_ca_header(struct fake_ca *ca, enum fake_step step, unsigned nth,
    const char *name, const char *value);
void fake_ca_status(struct fake_ca *ca, enum fake_step step, unsigned nth,
    int status);

/*
 * A member of the JSON answer, by path ("challenges.0.token"); `json` is the
 * text of the value, NULL removes the member.  An array's index one past its
 * end appends.
 */
void fake_ca_json(struct fake_ca *ca, enum fake_step step, unsigned nth,
    const char *path, const char *json);

/* Forgets all rules. */
void fake_ca_behave(struct fake_ca *ca);

/* ---- what a test may look at and do ---- */

/* Names of the steps requested so far, with spaces between. */
const char *fake_ca_log(const struct fake_ca *ca);
void fake_ca_forget_log(struct fake_ca *ca);

/* Requests of one step since the beginning. */
unsigned fake_ca_count(const struct fake_ca *ca, enum fake_step step);

/* The last request of a step: its decoded payload ("" for POST-as-GET and
 * for what is not signed; of renewal-info the identifier), protected header
 * and Accept header. */
const char *fake_ca_payload(const struct fake_ca *ca, enum fake_step step);
const char *fake_ca_protected(const struct fake_ca *ca, enum fake_step step);
const char *fake_ca_accept(const struct fake_ca *ca, enum fake_step step);

/* Requests that broke RFC 8555 (bad signature, wrong URL, no jwk, ...), each
 * a line; "" is what a test wants. */
const char *fake_ca_complaints(const struct fake_ca *ca);

/* Accounts ever made; deletes all of them (accountDoesNotExist follows). */
unsigned fake_ca_accounts(const struct fake_ca *ca);
void fake_ca_drop_accounts(struct fake_ca *ca);

/* Every nonce given out so far becomes bad. */
void fake_ca_drop_nonces(struct fake_ca *ca);

/* Certificates issued so far; its root as PEM. */
unsigned fake_ca_issued(const struct fake_ca *ca);
const char *fake_ca_root(const struct fake_ca *ca);

#endif
