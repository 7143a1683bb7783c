/*
 * mod_md's store: its domains with all that is archived of them.  The files
 * are known to acme_md_store.h; md.json says what mod_md made of its
 * directives.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "state/acme_foreign.h"
#include "state/acme_md_store.h"

struct reading {
    struct acme_foreign *foreign;
    struct acme_md_store *store;
    struct acme_foreign_lineage *lineage;
};

static bool
note(struct reading *r, const char *field, const char *value, const char *why)
{
    return acme_foreign_note(r->foreign, &r->lineage->notes, field, value,
        "%s", why);
}

/* ---- settings --------------------------------------------------------- */

static enum acme_rc
take_names(struct reading *r, const struct acme_json *list,
    struct acme_error *err)
{
    struct acme_arena *arena = r->foreign->arena;
    const char **names =
        acme_arena_alloc(arena, (acme_json_count(list) + 1) * sizeof(*names));
    const char *text;
    size_t i, n = 0;

    for (i = 0; names != NULL && i < acme_json_count(list); i++) {
        text = acme_json_text(acme_json_at(list, i));
        if (text != NULL &&
            (names[n++] = acme_arena_strdup(arena, text)) == NULL)
            return acme_error_nomem(err);
    }
    r->lineage->names = names;
    r->lineage->nnames = n;
    return names != NULL ? ACME_OK : acme_error_nomem(err);
}

/* "33%", "30d": as we say it; mod_md's own default is the same. */
static bool
take_window(struct reading *r, const char *text)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (text == NULL || strcmp(text, "33%") == 0 ||
        acme_timing_set(&r->lineage->timing, ACME_TIMING_WINDOW, &text, 1,
            &err) == ACME_OK)
        return true;
    return note(r, "renew-window", text, err.what);
}

static enum acme_rc
take_settings(struct reading *r, const struct acme_md_set *set,
    struct acme_error *err)
{
    const struct acme_buf *text = acme_md_set_json(set);
    struct acme_json *root = NULL;
    char url[ACME_URL_MAX];
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    acme_md_set_issuer(set, url);
    if (url[0] != '\0')
        r->lineage->issuer.directory =
            acme_arena_strdup(r->foreign->arena, url);
    if (acme_json_parse(acme_buf_str(text), text->len, "md.json", &root,
            &why) != ACME_OK)
        return note(r, "md.json", "", why.what) ? ACME_OK
                                                : acme_error_nomem(err);
    rc = take_names(r, acme_json_get(root, "domains"), err);
    r->lineage->must_staple = acme_json_bool(root, "must-staple", false);
    if (rc == ACME_OK && !take_window(r, acme_json_str(root, "renew-window")))
        rc = acme_error_nomem(err);
    acme_json_free(root);
    return rc;
}

/* ---- versions --------------------------------------------------------- */

static enum acme_rc
take_pair(const struct acme_md_set *set, size_t i,
    struct acme_foreign_pair *pair, struct acme_error *err)
{
    struct acme_chain *chain = NULL;
    struct acme_key *key = NULL;
    enum acme_rc rc = acme_md_set_pair(set, i, &key, &chain, err);

    if (rc == ACME_OK)
        rc = acme_key_to_pem(key, &pair->key, err);
    if (rc == ACME_OK)
        rc = acme_chain_to_pem(chain, 0, 0, &pair->chain, err);
    acme_chain_free(chain);
    acme_key_unref(key);
    return rc;
}

/* Of more kinds of keys than a lineage may have, the first ones. */
static enum acme_rc
take_set(struct reading *r, const struct acme_md_set *set,
    struct acme_error *err)
{
    struct acme_foreign_version *version =
        acme_foreign_add_version(r->lineage);
    enum acme_rc rc = ACME_OK;
    size_t i;

    if (version == NULL)
        return acme_error_nomem(err);
    version->at = acme_md_set_time(set);
    version->npairs = acme_md_set_pairs(set) < ACME_TYPES_MAX
                          ? acme_md_set_pairs(set)
                          : ACME_TYPES_MAX;
    for (i = 0; i < version->npairs && rc == ACME_OK; i++)
        rc = take_pair(set, i, &version->pair[i], err);
    return rc;
}

/* The store has the newest first. */
static enum acme_rc
take_sets(struct reading *r, struct acme_error *err)
{
    const char *name = r->lineage->from + strlen("domains/");
    size_t n = 0;
    enum acme_rc rc = ACME_OK;

    while (acme_md_store_set(r->store, name, n) != NULL)
        n++;
    if (n == 0)
        return acme_error_set(err, ACME_NOENT, "it has no certificate");
    r->lineage->live = n - 1;
    for (; rc == ACME_OK && n > 0; n--)
        rc = take_set(r, acme_md_store_set(r->store, name, n - 1), err);
    if (rc == ACME_OK)
        rc = take_settings(r, acme_md_store_set(r->store, name, 0), err);
    return rc;
}

/* ---- all of it -------------------------------------------------------- */

static enum acme_rc
add_lineage(struct reading *r, const char *domain,
    const struct acme_foreign_wanted *wanted, struct acme_error *err)
{
    const char *name = acme_foreign_name(r->foreign, domain);
    struct acme_error why;
    char from[NAME_MAX + 16];
    enum acme_rc rc;

    if (name == NULL)
        return acme_error_nomem(err);
    if (!acme_foreign_is_wanted(wanted, name))
        return ACME_OK;
    (void)snprintf(from, sizeof(from), "domains/%s", domain);
    r->lineage = acme_foreign_add(r->foreign, name, from);
    if (r->lineage == NULL)
        return acme_error_nomem(err);
    acme_error_clear(&why);
    rc = acme_md_store_read_domain(r->store, domain, UINT_MAX, &why);
    if (rc == ACME_NOMEM)
        return acme_error_nomem(err);
    if (rc != ACME_OK)
        acme_foreign_spoil(r->foreign, r->lineage, why.what);
    else if (acme_md_store_is_staged(r->store, domain) &&
             !note(r, "staging/", domain,
                 "a renewal that waits for a restart of Apache; another user "
                 "than root could have written it, so it is ordered again "
                 "when it is due"))
        return acme_error_nomem(err);
    return ACME_OK;
}

static enum acme_rc
add_all(struct reading *r, const struct acme_foreign_wanted *wanted,
    struct acme_error *err)
{
    struct acme_dir_names names = { 0 };
    struct acme_error why;
    enum acme_rc rc;
    size_t i;

    rc = acme_md_store_domains(r->store, &names, err);
    for (i = 0; rc == ACME_OK && i < names.count; i++)
        rc = add_lineage(r, names.name[i], wanted, err);
    acme_dir_names_free(&names);
    acme_md_store_close(r->store);
    for (i = 0; rc == ACME_OK && i < r->foreign->n; i++) {
        r->lineage = &r->foreign->lineage[i];
        acme_error_clear(&why);
        if (r->lineage->trouble != NULL || take_sets(r, &why) == ACME_OK)
            continue;
        if (why.rc == ACME_NOMEM)
            return acme_error_nomem(err);
        acme_foreign_spoil(r->foreign, r->lineage, why.what);
    }
    return rc;
}

static bool
note_all(struct acme_foreign *foreign)
{
    return acme_foreign_note(foreign, &foreign->notes, "MD... directives", "",
               "what Apache's configuration says of domains is for the server "
               "to know: ACMEDomain and the others, see mod_acme_httpd's "
               "README") &&
           acme_foreign_note(foreign, &foreign->stops, "mod_md", "",
               "a2dismod md && apachectl graceful");
}

enum acme_rc
acme_foreign_md_read(const char *path,
    const struct acme_foreign_wanted *wanted, struct acme_foreign *foreign,
    struct acme_error *err)
{
    struct reading r = { .foreign = foreign };
    enum acme_rc rc;

    if (!acme_md_store_is(path))
        return acme_error_set(err, ACME_NOENT,
            "\"%s\" is no store of mod_md's: there is no md_store.json in it",
            path);
    rc = acme_md_store_open(path, &r.store, err);
    if (rc == ACME_OK)
        rc = add_all(&r, wanted, err);
    if (rc == ACME_OK && !note_all(foreign))
        rc = acme_error_nomem(err);
    acme_md_store_free(r.store);
    return rc;
}
