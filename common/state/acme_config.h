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
#include "wrap/acme_key.h"

/* A CA as configured. */
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
};

/* One certificate over all its versions. */
struct acme_lineage {
    const char *name; /* acme_lineage_name_check() */
    size_t issuer;    /* index */
    size_t nnames;
    const char *const *names; /* canonical, in the order given */
    size_t ntypes;
    enum acme_key_type type[ACME_TYPES_MAX];
};

struct acme_config {
    const char *state_dir; /* absolute */
    const char *server;    /* "nginx", "httpd", "acmectl" */
    const char *instance;  /* path of the server's configuration */
    uid_t uid; /* the engine's user and group when we start as root */
    gid_t gid;
    const char *user; /* its name, for messages */
    size_t nissuers;
    struct acme_issuer *issuer;
    size_t nlineages;
    struct acme_lineage *lineage;
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

/* NULL: out of memory.  Copies its arguments. */
struct acme_config *acme_config_new(const char *state_dir, const char *server,
    const char *instance);
void acme_config_free(struct acme_config *config); /* accepts NULL */

/* Directory URL behind a short name, or NULL: "letsencrypt",
 * "letsencrypt-staging" or, the same, mod_md's "letsencrypt-test"; in any
 * case. */
const char *acme_issuer_directory(const char *short_name);

/*
 * Copies an issuer in.  ACME_CONFIG: directory no https URL, name taken.
 * Two issuers that could sign for each other (same account key, one of them
 * unverified) are refused.
 */
enum acme_rc acme_config_add_issuer(struct acme_config *config,
    const struct acme_issuer *issuer, size_t *index, struct acme_error *err);

/* Index of an issuer by name; false: none. */
bool acme_config_find_issuer(const struct acme_config *config,
    const char *name, size_t *index);

/*
 * Copies a lineage in; a name given twice is kept once.  With name NULL the
 * first of `names` names it (a wildcard without "*."), with -0001, -0002, ...
 * when another lineage has that name.  An equal one (issuer, names, key types,
 * in any order) is shared: its index is returned.  An explicit name goes
 * before one made here, so lineages added without a name may still be renamed
 * until acme_config_finish(); indices never change.  ACME_CONFIG: one explicit
 * name with two definitions, bad lineage name, no key type or two of one
 * algorithm, no names.
 */
enum acme_rc acme_config_add_lineage(struct acme_config *config,
    const struct acme_lineage *lineage, size_t *index, struct acme_error *err);

/* The lineage of that (lineage) name; false: none. */
bool acme_config_find_lineage(const struct acme_config *config,
    const char *name, size_t *lineage);

/* Ends building: makes the name index. */
enum acme_rc acme_config_finish(struct acme_config *config,
    struct acme_error *err);

/* The lineage that wants exactly this canonical name (the first one added, if
 * several do); false: none.  One hash look-up, no allocation. */
bool acme_config_find_name(const struct acme_config *config, const char *name,
    size_t *lineage);

#endif
