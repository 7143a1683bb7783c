/*
 * A CA as an administrator asked for it: a plain value, its JSON form in the
 * settings of lineages, and the short names of CAs that people use.
 */
#ifndef ACME_ISSUER_H
#define ACME_ISSUER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_arena.h"
#include "base/acme_error.h"
#include "wrap/acme_json.h"
#include "wrap/acme_key.h"

/* Name servers that find the hosts of a CA, instead of those of the machine;
 * see acme_resolve.h. */
struct acme_resolver {
    size_t n;                                 /* 0: nothing was said */
    const char *server[ACME_DNS_SERVERS_MAX]; /* "192.0.2.1:53" */
    unsigned timeout;                         /* seconds; 0: as usual */
    bool no_ipv4, no_ipv6;
};

struct acme_issuer {
    const char *name;      /* "letsencrypt": for people */
    const char *directory; /* https URL */
    size_t ncontacts;
    const char *contact[ACME_CONTACTS_MAX]; /* "mailto:..." */
    bool terms_accepted;
    enum acme_key_type key_type; /* of the account key if we make one */
    const char *key_file;        /* the operator's own account key, or NULL */
    const char *ca_file; /* trust for the CA's server, or NULL: system's */
    bool verify;         /* false: the CA's certificate is not checked */
    const char *proxy;   /* acme_host_proxy(), or NULL: none */
    const char
        *proxy_ca_file; /* trust for one with https, or NULL: system's */
    /* External account binding (RFC 8555 7.3.4); all NULL: none.  The file
     * has the MAC key in base64url, or, without eab_kid, a JSON object with
     * members "kid" and "hmac". */
    const char *eab_kid;
    const char *eab_file;
    const char *eab_key; /* instead of a file: written in the configuration */
    const char *eab_alg; /* "HS256", "HS384", "HS512"; NULL: HS256 */
    const char *profile; /* draft-ietf-acme-profiles; NULL: the CA's choice */
    bool profile_required;       /* no order without it */
    const char *preferred_chain; /* CN of the topmost issuer, or NULL */
    const char *domain; /* of the CA in CAA records, canonical; NULL: known by
                           acme_issuer_domain(), or not at all */
    bool renewal_info;  /* the CA is asked when to renew (RFC 9773) */
    struct acme_resolver resolver;
    bool cn_in_csr; /* the first name is also the subject's CN */
    /* Where another client has kept its account key and certificates of this
     * CA, which are taken over once; absolute, NULL: nowhere.  Of a server's
     * configuration only, in no JSON form and in no comparison. */
    const char *adopt_dir;
    /* The account with the key of this id, and no other; NULL: as
     * acme_store_account() chooses.  The same, of acmectl's alone. */
    const char *account;
    /* Lineages whose first issuer it is go with their server.  The same; it is
     * in their declarations. */
    bool forgets;
};

/* Nothing but what counts when nothing was said. */
void acme_issuer_init(struct acme_issuer *issuer);

/* Directory URL behind a short name, in any case, or NULL. */
const char *acme_issuer_directory(const char *short_name);

/* What people call the CA of a directory: its first short name, or its host;
 * NULL: out of memory. */
const char *acme_issuer_name_of(struct acme_arena *arena,
    const char *directory);

/* Directory URL of the CA that an account's URL is of, by its host, or NULL:
 * not known, or not the only one there. */
const char *acme_issuer_directory_of(const char *account_url);

/* Directory URL of the staging CA that the CA behind a directory has for
 * tests, or NULL: none is known. */
const char *acme_issuer_staging(const char *directory);

/* All short names, for messages: "a, b, c". */
extern const char acme_issuer_short_names[];

/* False: a CA that is known to issue no certificates with must-staple. */
bool acme_issuer_staples(const struct acme_issuer *issuer);

/* The domain name by which the CA is meant in CAA and dns-persist-01 records:
 * what the operator said, or what is known of its directory; else NULL. */
const char *acme_issuer_domain(const struct acme_issuer *issuer);

/* Whether a directory is, by the name of its host, one whose certificates
 * nobody trusts: "staging" or "test" is a word of it, as in
 * acme-staging-v02.api.letsencrypt.org, but for the last one. */
bool acme_issuer_is_test(const char *directory);

/* Whether an account's URL is of the directory's origin: any other gets into
 * no record, as it may be that of another CA's customer. */
bool acme_issuer_has_account(const struct acme_issuer *issuer,
    const char *account_url);

/* False: out of memory.  `to` may be `from`. */
bool acme_issuer_copy(struct acme_arena *arena, struct acme_issuer *to,
    const struct acme_issuer *from);

/* Whether both ask for the same; the eab_key, which is in no JSON form, is
 * left out. */
bool acme_issuer_equal(const struct acme_issuer *a,
    const struct acme_issuer *b);

/*
 * The JSON form, without the eab_key.  Parsing copies into the arena; members
 * it does not know are ignored, what is missing is as in acme_issuer_init().
 * ACME_WIRE: name or directory are missing, or something is malformed.
 */
struct acme_json *acme_issuer_render(const struct acme_issuer *issuer);
enum acme_rc acme_issuer_parse(struct acme_arena *arena,
    const struct acme_json *json, struct acme_issuer *issuer,
    struct acme_error *err);

#endif
