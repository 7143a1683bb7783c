/*
 * A CA for tests: a root, an intermediate and leaves with any flaw one can
 * ask for.  Everything fails the running cmocka test when OpenSSL does.
 */
#ifndef HELPER_CA_H
#define HELPER_CA_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/acme_buf.h"
#include "wrap/acme_key.h"
#include "wrap/acme_x509.h"

struct helper_ca; /* root CA and one intermediate, P-256 both */

struct helper_ca *helper_ca_new(void);
/* Root and intermediate with RSA 2048 keys (slower). */
struct helper_ca *helper_ca_new_rsa(void);
void helper_ca_free(struct helper_ca *ca); /* accepts NULL */

/* The root (trust anchor) as PEM; valid as long as `ca`. */
const char *helper_ca_root_pem(const struct helper_ca *ca);

/* What is out of the ordinary in a certificate; {0} is an ordinary leaf. */
struct helper_ca_options {
    long not_before; /* seconds from now; 0: an hour ago */
    long not_after;  /* seconds from now; 0: in 90 days */
    bool is_ca;
    bool no_san;
    bool no_aki;
    bool client_only; /* EKU clientAuth instead of serverAuth */
    bool no_eku;
    bool critical_unknown; /* an unknown critical extension */
    bool must_staple;
    bool no_staple;       /* not even if the request has it */
    bool issued_by_root;  /* the chain is leaf, root */
    bool wrong_signature; /* names the intermediate, signed by another key */
    bool with_root;       /* the chain ends with the root */
    bool with_cross;      /* or with the root's key signed by an expired CA */
    bool leaf_only;
    const char *san;    /* instead of names: OpenSSL syntax, "DNS:a,IP:::1" */
    const char *serial; /* hex; NULL: random */
    const char *aki;    /* hex key identifier instead of the issuer's */
    size_t extra_links; /* intermediates put between leaf and intermediate */
    /* key of the (first extra) intermediate: "RSA-16384", "explicit" or NULL.
     * With either, extra_links must be at least 1. */
    const char *link_key;
    const char
        *crl_url; /* of a distribution point, OpenSSL syntax "URI:..." */
    const char *ocsp_url; /* of its access information: "OCSP;URI:..." */
    bool link_not_ca;     /* the first extra intermediate is no CA */
};

/*
 * Appends the PEM chain, leaf first, of a certificate for `key` with `names`
 * (canonical, NULL-terminated) to `pem`.  `options` NULL: ordinary.
 */
void helper_ca_issue(struct helper_ca *ca, const struct acme_key *key,
    const char *const *names, const struct helper_ca_options *options,
    struct acme_buf *pem);

/* The same, parsed; the caller's. */
struct acme_chain *helper_ca_chain(struct helper_ca *ca,
    const struct acme_key *key, const char *const *names,
    const struct helper_ca_options *options);

/* A revocation list of the intermediate, with one entry or none. */
struct helper_ca_crl {
    time_t this_update, next_update; /* next 0: it does not say */
    const char *serial;              /* hex; NULL: nothing is revoked */
    int reason;                      /* of RFC 5280 5.3.1; 0: not given */
    const char *scope;               /* URL of its distribution point */
    bool only_ca;                    /* it is about CAs */
    bool by_root;                    /* the root's list */
    bool wrong_signature;
    bool delta; /* has a critical extension */
};

/* Appends it as DER. */
void helper_ca_crl(const struct helper_ca *ca,
    const struct helper_ca_crl *options, struct acme_buf *der);

/* Who signs an answer about a certificate. */
enum helper_ca_signer {
    HELPER_CA_ISSUER,
    HELPER_CA_DELEGATE,     /* of the issuer, for OCSP */
    HELPER_CA_DELEGATE_NOT, /* the same, but for TLS */
    HELPER_CA_DELEGATE_EXPIRED,
    HELPER_CA_DELEGATE_OF_ROOT, /* for OCSP, of the issuer's issuer */
    HELPER_CA_NAMESAKE          /* has the issuer's name and another key */
};

/* An answer (RFC 6960) about a certificate of the intermediate. */
struct helper_ca_ocsp {
    time_t this_update, next_update; /* next 0: it does not say */
    const char *serial;              /* hex */
    int status;                      /* V_OCSP_CERTSTATUS_... */
    int reason;                      /* if revoked; -1: none */
    int error;                       /* OCSP_RESPONSE_STATUS_...; 0: none */
    enum helper_ca_signer signer;
    bool about_root; /* of the root's certificate with that serial */
    bool critical;   /* has a critical extension */
};

/* Appends it as DER. */
void helper_ca_ocsp(const struct helper_ca *ca,
    const struct helper_ca_ocsp *options, struct acme_buf *der);

/* Appends the root's key as "Old Root", which has expired, certified it: for
 * a chain that ends elsewhere. */
void helper_ca_add_cross(const struct helper_ca *ca, struct acme_buf *pem);

/* The same for a PKCS#10 request (DER): its key, its names; its signature is
 * checked. */
void helper_ca_issue_csr(struct helper_ca *ca, const void *csr, size_t len,
    const struct helper_ca_options *options, struct acme_buf *pem);

#endif
