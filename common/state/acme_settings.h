/*
 * renewal/NAME.json: what a lineage is meant to be, as the owners of
 * configurations declared it.  Never written on behalf of the engine.
 */
#ifndef ACME_SETTINGS_H
#define ACME_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/acme_arena.h"
#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "state/acme_config.h"
#include "state/acme_enhance.h"
#include "wrap/acme_json.h"

/* Who declares what acmectl has issued. */
#define ACME_DECLARER_ACMECTL "acmectl:issue"

/* One server instance's (or acmectl's) wish. */
struct acme_declaration {
    const char *by; /* "nginx:/etc/nginx/nginx.conf" */
    time_t since;   /* first declared; the oldest one's policy counts */
    struct acme_issuer issuer;
    size_t nnames;
    const char *const *names;
    size_t ntypes;
    enum acme_key_type type[ACME_TYPES_MAX];
    size_t nfallbacks;
    struct acme_issuer fallback[ACME_FALLBACKS_MAX];
    bool must_staple, reuse_key, allow_subset; /* see struct acme_lineage */
    bool auto_hsts, stapling;
    bool forgets; /* what it has goes with its server (struct acme_issuer) */
    const char *csr_file; /* or NULL */
    struct acme_proof proof;
    struct acme_hooks hooks;
    struct acme_timing timing;
};

struct acme_settings {
    size_t ndeclared;
    struct acme_declaration *declared; /* in `arena`, oldest first */
    struct acme_enhance enhance;       /* by acmectl, for all servers */
    time_t hsts_since; /* from when on HSTS grows; 0: nobody wants that */
    struct acme_arena *arena;
};

/* Empty settings; NULL: out of memory. */
struct acme_settings *acme_settings_new(void);
void acme_settings_free(struct acme_settings *settings); /* accepts NULL */

enum acme_rc acme_settings_parse(const char *text, size_t len,
    struct acme_settings **settings, struct acme_error *err);
enum acme_rc acme_settings_render(const struct acme_settings *settings,
    struct acme_buf *out, struct acme_error *err);

/* One of them, in its JSON form; NULL: out of memory. */
struct acme_json *acme_declaration_render(const struct acme_declaration *one);

/*
 * Puts `by`'s wish in (or replaces it, keeping `since`).  *changed tells
 * whether anything differs.
 */
enum acme_rc acme_settings_declare(struct acme_settings *settings,
    const char *by, const struct acme_config *config, size_t lineage,
    time_t now, bool *changed, struct acme_error *err);

/* What is said of the lineage for all servers; true: that is a change. */
bool acme_settings_enhance(struct acme_settings *settings,
    const struct acme_enhance *enhance, time_t now);

/* Whether `by` wishes it for as long as his server runs. */
bool acme_settings_forgets(const struct acme_settings *settings,
    const char *by);

/* Whether anybody staples what responders say of it. */
bool acme_settings_staples(const struct acme_settings *settings);

/* Takes `by`'s wish out; false: there was none. */
bool acme_settings_withdraw(struct acme_settings *settings, const char *by);

/*
 * What is wanted now: the union of all names (the oldest declarer's first)
 * and of all key types, into `arena`.  Policy is declared[0]'s, so are the
 * issuers, the proof and the hooks: wanted->name, ->proof and ->hooks are
 * NULL, wanted->issuer and wanted->nfallbacks 0.
 * Declared by nobody: no names. *conflict, when two declarers name different
 * CAs, or different keys of one algorithm, is text for people; else NULL.
 */
enum acme_rc acme_settings_wanted(const struct acme_settings *settings,
    struct acme_arena *arena, struct acme_lineage *wanted,
    const char **conflict, struct acme_error *err);

#endif
