/*
 * Lineages as other ACME clients keep them: of each its versions, as bytes
 * that nobody has looked into yet, and its settings in our words, with what of
 * them has no such words and why.  Readers, one for each client, make them;
 * what becomes of them is the caller's.
 */
#ifndef ACME_FOREIGN_H
#define ACME_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/acme_arena.h"
#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "state/acme_hooks.h"
#include "state/acme_issuer.h"
#include "state/acme_proof.h"
#include "state/acme_timing.h"

/* A setting that is not taken over, or not as it was; texts are whole. */
struct acme_foreign_note {
    const char *field; /* "webroot_path", "renewal-hooks/deploy/x" */
    const char *value; /* "" where it says nothing or is a secret */
    const char *why;   /* and what to do instead */
};

struct acme_foreign_notes {
    size_t n, cap;
    struct acme_foreign_note *note;
};

/* PEM, as it was found. */
struct acme_foreign_pair {
    struct acme_buf key, chain;
};

struct acme_foreign_version {
    unsigned number; /* 0: they have none, count from 1 */
    time_t at;       /* when it was written */
    size_t npairs;   /* of one key algorithm each; at least one */
    struct acme_foreign_pair pair[ACME_TYPES_MAX];
};

struct acme_foreign_lineage {
    const char *name;          /* as that client calls it */
    const char *from;          /* file or directory of its settings */
    const char *trouble;       /* NULL, or why nothing can be made of it */
    const char *account;       /* how the client calls it; NULL: not known */
    size_t nnames;             /* 0: those of its certificate */
    const char *const *names;  /* not canonical yet */
    struct acme_issuer issuer; /* ->directory NULL: not known */
    const char *url; /* some URL of the CA, where that is not; or NULL */
    enum acme_key_type type; /* of new keys; NONE: as the live one's */
    bool must_staple, reuse_key, allow_subset;
    struct acme_proof proof;
    struct acme_hooks hooks;
    struct acme_timing timing;
    size_t live; /* index of the version */
    size_t nversions, versions_cap;
    struct acme_foreign_version *version; /* the oldest first */
    struct acme_foreign_notes notes;
};

/* A program of a directory of hooks. */
struct acme_foreign_hook {
    const char *stage; /* "pre", "deploy", "post" */
    const char *name;
    struct acme_buf text;
};

struct acme_foreign {
    const char *client; /* "Certbot" */
    struct acme_arena *arena;
    size_t n, cap;
    struct acme_foreign_lineage *lineage;
    size_t nhooks, hooks_cap;
    struct acme_foreign_hook *hook;
    struct acme_foreign_notes notes; /* of all of it */
    struct acme_foreign_notes stops; /* what goes on renewing there: field is
                                        what it is, why the command that ends
                                        it */
};

/* Which lineages are wanted: their names there; none: all. */
struct acme_foreign_wanted {
    size_t n;
    const char *const *name;
};

/* NULL: out of memory. */
struct acme_foreign *acme_foreign_new(const char *client);
void acme_foreign_free(struct acme_foreign *foreign); /* accepts NULL */

bool acme_foreign_is_wanted(const struct acme_foreign_wanted *wanted,
    const char *name);

/* What a lineage of that name may be called: without "*.", and with -0001, ...
 * behind it where there is one; NULL: out of memory. */
const char *acme_foreign_name(struct acme_foreign *foreign, const char *name);

/* Adds an empty one, with `name` and `from` copied; NULL: out of memory. */
struct acme_foreign_lineage *acme_foreign_add(struct acme_foreign *foreign,
    const char *name, const char *from);
/* With one pair, whose buffers are empty. */
struct acme_foreign_version *acme_foreign_add_version(
    struct acme_foreign_lineage *lineage);
struct acme_foreign_hook *acme_foreign_add_hook(struct acme_foreign *foreign);

/* Whether there is but one certificate in a PEM. */
bool acme_foreign_is_alone(const struct acme_buf *chain);

/* False: out of memory.  `value` NULL is "". */
bool acme_foreign_note(struct acme_foreign *foreign,
    struct acme_foreign_notes *notes, const char *field, const char *value,
    const char *why, ...) __attribute__((format(printf, 5, 6)));

/* Why nothing can be made of a lineage; the first reason counts. */
void acme_foreign_spoil(struct acme_foreign *foreign,
    struct acme_foreign_lineage *lineage, const char *why);

/* Where cron or systemd of this machine runs a program, notes how that is
 * ended; else how it is found.  False: out of memory. */
bool acme_foreign_stop(struct acme_foreign *foreign, const char *program);

/*
 * The readers.  `path` is absolute.  Lineages that are no use are there, with
 * ->trouble.  ACME_NOENT: it is no directory of that client's.  ACME_IO,
 * ACME_CONFIG: nothing can be read of it at all.
 */
enum acme_rc acme_foreign_certbot_read(const char *path,
    const struct acme_foreign_wanted *wanted, struct acme_foreign *foreign,
    struct acme_error *err);
enum acme_rc acme_foreign_lego_read(const char *path,
    const struct acme_foreign_wanted *wanted, struct acme_foreign *foreign,
    struct acme_error *err);
enum acme_rc acme_foreign_acme_sh_read(const char *path,
    const struct acme_foreign_wanted *wanted, struct acme_foreign *foreign,
    struct acme_error *err);
enum acme_rc acme_foreign_uacme_read(const char *path,
    const struct acme_foreign_wanted *wanted, struct acme_foreign *foreign,
    struct acme_error *err);
enum acme_rc acme_foreign_md_read(const char *path,
    const struct acme_foreign_wanted *wanted, struct acme_foreign *foreign,
    struct acme_error *err);
enum acme_rc acme_foreign_nginx_read(const char *path,
    const struct acme_foreign_wanted *wanted, struct acme_foreign *foreign,
    struct acme_error *err);

#endif
