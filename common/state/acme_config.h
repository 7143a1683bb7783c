/*
 * What an administrator asked for, as plain values: issuers, lineages, where
 * the state is.  Built once by a host while it reads its configuration,
 * immutable after acme_config_finish(), inherited by fork.  Holds no secret:
 * of secret files only the names.  Knows no directive of any server.
 */
#ifndef ACME_CONFIG_H
#define ACME_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/acme_error.h"
#include "state/acme_hooks.h"
#include "state/acme_issuer.h"
#include "state/acme_proof.h"
#include "state/acme_thumbprint.h"
#include "state/acme_timing.h"
#include "wrap/acme_address.h"
#include "wrap/acme_key.h"

/* One certificate over all its versions. */
struct acme_lineage {
    const char *name; /* acme_lineage_name_check() */
    size_t issuer;    /* index */
    /* CAs to ask, in this order, while the first one cannot or will not. */
    size_t nfallbacks;
    size_t fallback[ACME_FALLBACKS_MAX];
    size_t nnames;
    const char *const *names; /* canonical, in the order given */
    size_t ntypes;
    enum acme_key_type type[ACME_TYPES_MAX];
    bool must_staple; /* RFC 7633: status_request is in the certificate */
    /* What its responder says is fetched and sent with it; some server of this
     * configuration wants that, others may not. */
    bool stapling;
    bool reuse_key;    /* a renewal keeps the key */
    bool allow_subset; /* names that cannot be proved are left out */
    /* HSTS grows at a server that serves it: no part of what makes lineages
     * equal, and a host's to set. */
    bool auto_hsts;
    /* The operator's own signing request, absolute; we never see its key, and
     * its type is the only one.  NULL: none, keys are made here. */
    const char *csr_file;
    /* The request itself (PEM), where the file was read when it was named and
     * is not to be read again; NULL: it is, for each order. */
    const char *csr_pem;
    /* How its names are proved; those alike are one.  NULL, where it is
     * given: nothing was said. */
    const struct acme_proof *proof;
    const struct acme_hooks *hooks; /* what is run; the same */
    struct acme_timing timing;      /* when it is renewed and tried again */
};

/* Where this server can be talked to from this host. */
struct acme_listener {
    char address[ACME_ADDRESS_TEXT]; /* loopback, if it is any */
    unsigned port;
    bool tls;
    bool certain; /* public port 80 or 443 leads there, not just maybe */
};

struct acme_config {
    const char *state_dir; /* absolute */
    /* A store of mod_md's that accounts and certificates are taken over from,
     * once; absolute, NULL: none. */
    const char *adopt_md;
    const char *server;   /* "nginx", "httpd", "acmectl" */
    const char *instance; /* path of the server's configuration */
    uid_t uid; /* the engine's user and group when we start as root */
    gid_t gid;
    /* The server's own, for programs that root must not run; 0: there is
     * none, or it is root itself. */
    uid_t server_uid;
    gid_t server_gid;
    const char *user;   /* its name, for messages */
    bool has_key_group; /* may read certificates and keys: */
    gid_t key_group;
    struct acme_reach reach; /* of the server; set before lineages are added */
    size_t nlisteners;
    struct acme_listener listener[ACME_LISTENERS_MAX];
    size_t nissuers;
    struct acme_issuer *issuer;
    size_t nlineages;
    struct acme_lineage *lineage;
    /* Of account keys that other hosts have. */
    size_t nthumbprints;
    struct acme_thumbprint *thumbprint;
    /* Answers with those are all that is wanted: no state directory, no
     * process for it or for a CA. */
    bool answers_only;
    struct acme_timing stapling; /* its window: when that is fetched again */
    bool asks;        /* a person is there who proves names by hand */
    bool served;      /* a server answers for all of it, also for what has been
                       * proved by a listener of acmectl's */
    bool workers_ask; /* for renewals (acme_area_ask()), and are listened to */
    struct acme_config_index *index; /* private: name -> lineage */
    struct acme_arena *arena;        /* owns all of it */
};

/*
 * A unit is a lineage's certificate of one key algorithm: it has an order, a
 * record and renewals of its own.  Each lineage has ACME_ALGORITHMS of them,
 * wanted or not.
 */
static inline size_t
acme_unit(size_t lineage, size_t algorithm)
{
    return lineage * ACME_ALGORITHMS + algorithm;
}

static inline size_t
acme_unit_lineage(size_t unit)
{
    return unit / ACME_ALGORITHMS;
}

static inline size_t
acme_unit_algorithm(size_t unit)
{
    return unit % ACME_ALGORITHMS;
}

/* The key type that a lineage has of an algorithm; ACME_KEY_NONE: none. */
enum acme_key_type acme_lineage_type(const struct acme_lineage *lineage,
    size_t algorithm);

/* CAs of a lineage's list, which are numbered from 0, the first: their count,
 * the index of the issuer that one is, and the number of an issuer (0 also for
 * one that is not in the list). */
size_t acme_lineage_cas(const struct acme_lineage *lineage);
size_t acme_lineage_issuer(const struct acme_lineage *lineage, size_t ca);
size_t acme_lineage_ca(const struct acme_lineage *lineage, size_t issuer);

/* NULL: out of memory.  Copies its arguments. */
struct acme_config *acme_config_new(const char *state_dir, const char *server,
    const char *instance);
void acme_config_free(struct acme_config *config); /* accepts NULL */

/* False: out of memory.  Copies the path. */
bool acme_config_adopt_md(struct acme_config *config, const char *path);

/*
 * Copies an issuer in.  ACME_CONFIG: directory no https URL, name taken.
 * Two issuers that could sign for each other (same account key, one of them
 * unverified) are refused.
 */
enum acme_rc acme_config_add_issuer(struct acme_config *config,
    const struct acme_issuer *issuer, size_t *index, struct acme_error *err);

/* The same of what settings of lineages say, which are not written together:
 * the index of one that asks for just the same, or of a new one, be it that
 * another one has its name. */
enum acme_rc acme_config_share_issuer(struct acme_config *config,
    const struct acme_issuer *issuer, size_t *index, struct acme_error *err);

/* Index of the first issuer of a name; false: none. */
bool acme_config_find_issuer(const struct acme_config *config,
    const char *name, size_t *index);

/* Copies a thumbprint in, or finds an equal one.  ACME_CONFIG: it is none, or
 * one too many; the content of a file is not looked at. */
enum acme_rc acme_config_add_thumbprint(struct acme_config *config,
    const struct acme_thumbprint *thumbprint, size_t *index,
    struct acme_error *err);

/* Whether one of them is in a file, which somebody has to watch. */
bool acme_config_has_thumbprint_file(const struct acme_config *config);

/*
 * Copies a lineage in; a name given twice is kept once.  With name NULL the
 * first of `names` names it (a wildcard without "*."), with -0001, -0002, ...
 * when another lineage has that name.  An equal one (issuers, names, key
 * types, these two in any order, flags and policies, but for `stapling`, which
 * it has if one of them has) is shared: its index is
 * returned. An explicit name goes before one made here, so lineages added
 * without a name may still be renamed until acme_config_finish(); indices
 * never change. ACME_CONFIG: one explicit name with two definitions, bad
 * lineage name, no key type or two of one algorithm, no names, one that cannot
 * be proved.
 */
enum acme_rc acme_config_add_lineage(struct acme_config *config,
    const struct acme_lineage *lineage, size_t *index, struct acme_error *err);

/*
 * A lineage added so far that has a wildcard, whose names cover all of these,
 * of the same issuers, with these key types at least and the same must-staple;
 * of those with one wildcard the first.  False: none.
 */
bool acme_config_find_wildcard(const struct acme_config *config,
    const struct acme_lineage *lineage, size_t *index);

/* Whether the lineage's name was made here. */
bool acme_config_is_unnamed(const struct acme_config *config, size_t lineage);

/*
 * Gives such a lineage another name (copied), before acme_config_finish();
 * another lineage that was given it here gets a new one.  The name must not be
 * one of the administrator's.  ACME_NOMEM.
 */
enum acme_rc acme_config_rename(struct acme_config *config, size_t lineage,
    const char *name, struct acme_error *err);

/* Whether a lineage may have programs of the administrator's: a command that
 * changes the DNS, hooks, or directories of them, which he may fill later. */
bool acme_config_runs_programs(const struct acme_config *config);

/* The lineage of that (lineage) name; false: none. */
bool acme_config_find_lineage(const struct acme_config *config,
    const char *name, size_t *lineage);

/* Ends building: makes the name index. */
enum acme_rc acme_config_finish(struct acme_config *config,
    struct acme_error *err);

/* The lineage whose certificate a client can have at the host of a request, as
 * it is or by a wildcard; false: none. */
bool acme_config_find_host(const struct acme_config *config, const char *host,
    size_t len, size_t *lineage);

/* The lineage that wants exactly this canonical name (the first one added, if
 * several do); false: none.  One hash look-up, no allocation. */
bool acme_config_find_name(const struct acme_config *config, const char *name,
    size_t *lineage);

#endif
