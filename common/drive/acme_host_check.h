/*
 * What a host asks of the core while it reads and tests a configuration, and
 * for each request: the same for every server, so it is here.  Nothing here
 * writes, no secret is kept, and no directive is known: where a value was
 * written, the host says.
 */
#ifndef ACME_HOST_CHECK_H
#define ACME_HOST_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_error.h"
#include "state/acme_config.h"
#include "wrap/acme_key.h"

/*
 * What an operator gives as account key: "ecdsa" or "rsa" in any case, alone
 * or with ":" and a size, is the type of one we make (*type); all else is a
 * file of his, and *type is left alone.  ACME_CONFIG: no such size.
 */
enum acme_rc acme_host_account_key(const char *word, enum acme_key_type *type,
    bool *is_file, struct acme_error *err);

/*
 * The MAC algorithm of an external account binding (RFC 8555 7.3.4) as this
 * core writes it, from the operator's word in any case.  ACME_CONFIG: none of
 * HS256, HS384, HS512.
 */
enum acme_rc acme_host_eab_alg(const char *word, const char **alg,
    struct acme_error *err);

/* A MAC key written into the configuration, see acme_binding_parse().
 * ACME_CONFIG; the text never has a byte of the key. */
enum acme_rc acme_host_eab_key(const char *word, struct acme_error *err);

/*
 * The contact URL of an address (RFC 8555 7.1.2): "mailto:" in front of one
 * without a scheme; what a CA makes of it is not asked.  ACME_CONFIG: it is
 * longer than URLs may be.
 */
enum acme_rc acme_host_contact(const char *address, char out[ACME_URL_MAX],
    struct acme_error *err);

/*
 * The (canonical) domain name by which a CA is meant in the DNS.
 * ACME_CONFIG: it is none.
 */
enum acme_rc acme_host_issuer_domain(const char *word,
    char out[ACME_NAME_MAX + 1], struct acme_error *err);

/* Puts the CA that the issuer's CA has for tests in its place.  ACME_CONFIG:
 * none is known. */
enum acme_rc acme_host_staging(struct acme_issuer *issuer,
    struct acme_error *err);

/*
 * Where connections to the public ports 80 and 443 arrive: 0 is that very
 * port, -1 nowhere.
 */
struct acme_port_map {
    int http, tls;
};

/* One word of it: "http:8080", "https:-".  ACME_CONFIG. */
enum acme_rc acme_host_port_map(struct acme_port_map *map, const char *word,
    struct acme_error *err);

/* Takes note of a listener; `reach` begins with ACME_ARRIVAL_NO twice.  At
 * another port than the usual, of which nothing was said, it may be reached.
 */
void acme_host_listens(struct acme_reach *reach,
    const struct acme_port_map *map, unsigned port, bool tls);

/* The same for the listener's address, which is noted for who wants to talk to
 * this server; one that is not IP is not. */
void acme_host_listens_at(struct acme_config *config,
    const struct acme_port_map *map, const struct sockaddr *address,
    unsigned port, bool tls);

/*
 * The files an issuer names: the CA file must be readable and hold
 * certificates; the account key file and the one of an external account
 * binding must exist, be regular and not be open to others (their content is
 * read later, by the store).  ACME_CONFIG.
 */
enum acme_rc acme_host_check_issuer(const struct acme_issuer *issuer,
    struct acme_error *err);

/*
 * The TSIG key that a way of proof names, if it does: a file as those, and a
 * key in it; what was read is wiped.  ACME_CONFIG.
 */
enum acme_rc acme_host_check_dns_key(const struct acme_proof *proof,
    struct acme_error *err);

/*
 * Reads the signing request of a lineage that names one: it must be for the
 * lineage's names, and its key's type becomes the lineage's only one where
 * there is not more than one.  ACME_CONFIG.
 */
enum acme_rc acme_host_check_csr(struct acme_lineage *lineage,
    struct acme_error *err);

/*
 * The files of a command that changes the DNS: programs exist and can be
 * executed, scripts exist, and what has credentials in it is not open to
 * others.  ACME_CONFIG.
 */
enum acme_rc acme_host_check_command(const struct acme_command *command,
    struct acme_error *err);

/* The URL of a proxy, with its port always written.  ACME_CONFIG. */
enum acme_rc acme_host_proxy(const char *word, char origin[ACME_URL_MAX],
    struct acme_error *err);

/* The programs of hooks, unless that is not to be looked at.  ACME_CONFIG. */
enum acme_rc acme_host_check_hooks(const struct acme_hooks *hooks,
    struct acme_error *err);

/* True, with a text for a warning: root runs it as the server's user. */
bool acme_host_demotes_command(const struct acme_command *command,
    struct acme_error *why);

/*
 * Whether the state directory can be used by this user: trouble is text for
 * a warning, never a reason not to start.
 */
enum acme_rc acme_host_check_state(const struct acme_config *config,
    struct acme_error *err);

/*
 * Gives lineages without a name of the administrator's the names under which
 * this server has had them, so that a certificate outlives changes of its
 * names.  For a configuration that is complete but for acme_config_finish().
 * A state directory that cannot be read is as good as none.  ACME_NOMEM.
 */
enum acme_rc acme_host_known_lineages(struct acme_config *config,
    struct acme_error *err);

/* The group that may read keys, by its name.  ACME_CONFIG: there is none. */
enum acme_rc acme_host_key_group(struct acme_config *config, const char *name,
    struct acme_error *err);

/*
 * Takes the engine's user: `name`, or with NULL "_acme" where that account
 * exists and else the server's own (fallback_*).  ACME_CONFIG: no such user.
 */
enum acme_rc acme_host_engine_user(struct acme_config *config,
    const char *name, uid_t fallback_uid, gid_t fallback_gid,
    struct acme_error *err);

#endif
