/*
 * One lineage of another client's, into the state directory.  Its versions
 * come first, which nobody sees; the live one is marked as such a version is
 * that a crash has kept from being served, so that from there on a recovery
 * completes what is left: its settings are written, and live is moved.
 */
#include "acmectl/ctl_import.h"
#include "acmectl/ctl_lineage.h"
#include "acmectl/ctl_wish.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/acme_name.h"
#include "wrap/acme_idn.h"

/* Of versions that are here, those that are looked at. */
#define VERSIONS_MAX CTL_VERSIONS_MAX

void
ctl_import_clear(struct ctl_import_lineage *lineage)
{
    acme_config_free(lineage->config);
    lineage->config = NULL;
}

static void
decide(struct acme_foreign *foreign, struct ctl_import_lineage *lineage,
    enum ctl_import_fate fate, const char *why)
{
    lineage->fate = fate;
    lineage->why = acme_arena_strdup(foreign->arena, why);
    if (lineage->why == NULL)
        lineage->why = "out of memory";
}

/* ---- versions there --------------------------------------------------- */

static enum acme_rc
fill_pair(const struct acme_key *key, const struct acme_chain *chain,
    struct acme_pair *pair, struct acme_error *err)
{
    enum acme_rc rc = acme_key_to_der(key, &pair->key, err);

    pair->type = acme_key_type_of(key);
    return rc == ACME_OK ? acme_chain_to_der(chain, 0,
                               acme_chain_useful(chain), &pair->chain, err)
                         : rc;
}

/* A pair in our form; whether it has expired is not asked.  `leaf` may be
 * NULL. */
static enum acme_rc
parse_pair(const struct acme_foreign_pair *from, struct acme_pair *pair,
    struct acme_leaf *leaf, bool *must_staple, struct acme_error *err)
{
    struct acme_chain *chain = NULL;
    struct acme_key *key = NULL;
    enum acme_rc rc;

    rc =
        acme_key_from_text(acme_buf_str(&from->key), from->key.len, &key, err);
    if (rc == ACME_OK)
        rc = acme_chain_from_pem(acme_buf_str(&from->chain), from->chain.len,
            &chain, err);
    if (rc == ACME_OK && !acme_chain_matches(chain, key))
        rc = acme_error_set(err, ACME_REFUSED,
            "the key is not that of the certificate");
    if (rc == ACME_OK)
        rc = acme_chain_check_links(chain, err);
    if (rc == ACME_OK && leaf != NULL)
        rc = acme_chain_leaf(chain, leaf, err);
    if (rc == ACME_OK)
        rc = fill_pair(key, chain, pair, err);
    if (rc == ACME_OK)
        *must_staple = acme_chain_must_staple(chain);
    acme_chain_free(chain);
    acme_key_unref(key);
    return rc;
}

/* `leaf` is that of the first pair. */
static enum acme_rc
parse_version(const struct acme_foreign_lineage *from, size_t i,
    struct acme_version *version, struct acme_leaf *leaf, bool *must_staple,
    struct acme_error *err)
{
    const struct acme_foreign_version *one = &from->version[i];
    struct acme_pair *pair;
    enum acme_rc rc = ACME_OK;
    size_t k;

    version->number = one->number != 0 ? one->number : (unsigned)i + 1;
    for (k = 0; k < one->npairs && rc == ACME_OK; k++) {
        pair = &version->pair[version->npairs++];
        pair->origin.obtained = one->at;
        if (from->issuer.directory != NULL)
            (void)snprintf(pair->origin.issuer, sizeof(pair->origin.issuer),
                "%s", from->issuer.directory);
        rc = parse_pair(&one->pair[k], pair, k == 0 ? leaf : NULL, must_staple,
            err);
    }
    return rc;
}

/* The names of its certificate, which are canonical. */
static enum acme_rc
take_certificate_names(struct acme_arena *arena,
    struct ctl_import_lineage *lineage, const struct acme_version *live,
    struct acme_error *err)
{
    struct acme_match_names names = { 0, NULL };
    struct acme_chain *chain = NULL;
    struct acme_buf lines;
    enum acme_rc rc;

    acme_buf_init(&lines, ACME_STATE_JSON_MAX);
    rc = acme_chain_from_der(live->pair[0].chain.data, live->pair[0].chain.len,
        &chain, err);
    if (rc == ACME_OK)
        rc = acme_chain_names(chain, &lines, err);
    if (rc == ACME_OK)
        rc = ctl_names_of_lines(arena, acme_buf_str(&lines), &names, err);
    lineage->nnames = names.n;
    lineage->names = names.name;
    if (rc == ACME_OK && lineage->nnames == 0)
        rc = acme_error_set(err, ACME_REFUSED,
            "the certificate has no name that can be asked for");
    acme_buf_clear(&lines);
    acme_chain_free(chain);
    return rc;
}

static enum acme_rc
take_names(struct acme_arena *arena, struct ctl_import_lineage *lineage,
    const struct acme_version *live, struct acme_error *err)
{
    const struct acme_foreign_lineage *from = lineage->from;
    char name[ACME_NAME_MAX + 1];
    enum acme_rc rc = ACME_OK;
    const char **list;
    size_t i;

    if (from->nnames == 0)
        return take_certificate_names(arena, lineage, live, err);
    list = acme_arena_alloc(arena, from->nnames * sizeof(*list));
    if (list == NULL)
        return acme_error_nomem(err);
    lineage->names = list;
    for (i = 0; i < from->nnames && rc == ACME_OK; i++) {
        rc = acme_idn_parse(from->names[i], strlen(from->names[i]), name, err);
        if (rc == ACME_OK)
            list[lineage->nnames++] = acme_arena_strdup(arena, name);
    }
    return rc;
}

static enum acme_rc
look_into(struct acme_foreign *foreign, struct ctl_import_lineage *lineage,
    struct acme_error *err)
{
    struct acme_foreign_lineage *from = lineage->from;
    struct acme_version live;
    bool must_staple = false;
    enum acme_rc rc = ACME_OK;
    size_t i;

    acme_version_init(&live);
    if (from->nversions > 0)
        rc = parse_version(from, from->live, &live, &lineage->live,
            &must_staple, err);
    for (i = 0; rc == ACME_OK && i < live.npairs; i++)
        lineage->type[lineage->ntypes++] = live.pair[i].type;
    if (from->type != ACME_KEY_NONE && lineage->ntypes < 2) {
        lineage->type[0] = from->type;
        lineage->ntypes = 1;
    }
    from->must_staple = from->must_staple || must_staple;
    if (rc == ACME_OK)
        rc = take_names(foreign->arena, lineage, &live, err);
    acme_version_clear(&live);
    return rc;
}

/* ---- what is here ----------------------------------------------------- */

/* Whether version `number` here has the certificate of this leaf. */
static bool
is_version(struct acme_store *store, const char *name, unsigned number,
    const struct acme_leaf *leaf)
{
    struct acme_version version;
    struct acme_chain *chain = NULL;
    struct acme_error ignored;
    struct acme_leaf here;
    bool is = false;
    size_t i;

    acme_error_clear(&ignored);
    acme_version_init(&version);
    (void)acme_store_version_read(store, name, number, &version, &ignored);
    for (i = 0; i < version.npairs && !is; i++) {
        acme_error_clear(&ignored);
        is = acme_chain_from_der(version.pair[i].chain.data,
                 version.pair[i].chain.len, &chain, &ignored) == ACME_OK &&
             acme_chain_leaf(chain, &here, &ignored) == ACME_OK &&
             strcmp(here.fingerprint, leaf->fingerprint) == 0;
        acme_chain_free(chain);
        chain = NULL;
    }
    acme_version_clear(&version);
    return is;
}

/* Whether version `number` here is that of the same number there. */
static bool
is_taken_over(struct acme_store *store,
    const struct ctl_import_lineage *lineage, unsigned number)
{
    struct acme_version version;
    struct acme_error ignored;
    struct acme_leaf leaf;
    bool is = false, ignored_too;
    size_t i;

    for (i = 0; i < lineage->from->nversions && !is; i++) {
        acme_error_clear(&ignored);
        acme_version_init(&version);
        is = parse_version(lineage->from, i, &version, &leaf, &ignored_too,
                 &ignored) == ACME_OK &&
             version.number == number &&
             is_version(store, lineage->name, number, &leaf);
        acme_version_clear(&version);
    }
    return is;
}

struct here {
    unsigned number[VERSIONS_MAX];
    size_t n;
    bool visible; /* somebody sees it: it is served, or wanted */
    bool wanted;  /* by whomever */
};

static int
look_here(struct acme_store *store, const char *name, struct here *here)
{
    struct acme_settings *settings = NULL;
    struct acme_error err;
    unsigned live;
    enum acme_rc rc;

    memset(here, 0, sizeof(*here));
    if (store == NULL)
        return CTL_OK;
    acme_error_clear(&err);
    rc = acme_store_live(store, name, &live, &err);
    here->visible = rc != ACME_NOENT;
    acme_error_clear(&err);
    rc = acme_store_settings_read(store, name, &settings, &err);
    here->wanted = rc == ACME_OK ? settings->ndeclared > 0 : rc != ACME_NOENT;
    acme_settings_free(settings);
    return ctl_version_numbers(store, name, here->number, &here->n);
}

static void
clash(struct acme_foreign *foreign, struct ctl_import_lineage *lineage)
{
    decide(foreign, lineage, CTL_IMPORT_CLASH,
        acme_arena_printf(foreign->arena,
            "there is another lineage \"%.200s\" here, with other "
            "certificates; take it over under another name, with --cert-name "
            "%.200s --new-name %.190s-0001, or acmectl delete the one that is "
            "here",
            lineage->name, lineage->from->name, lineage->name));
}

/* Versions that nobody sees are those of an import that was interrupted, or
 * somebody's who had better say. */
static void
compare(struct acme_foreign *foreign, struct acme_store *store,
    struct ctl_import_lineage *lineage)
{
    struct here here;
    size_t i;

    if (look_here(store, lineage->name, &here) != CTL_OK) {
        decide(foreign, lineage, CTL_IMPORT_TROUBLE,
            "what is here of that name cannot be read");
        return;
    }
    lineage->fate = here.wanted ? CTL_IMPORT_JOINS : CTL_IMPORT_NEW;
    for (i = 0; i < here.n; i++) {
        if (here.visible &&
            is_version(store, lineage->name, here.number[i], &lineage->live)) {
            lineage->fate = here.wanted ? CTL_IMPORT_HERE : CTL_IMPORT_NEW;
            return;
        }
        if (here.visible || !is_taken_over(store, lineage, here.number[i]))
            clash(foreign, lineage);
    }
    if (here.visible && here.n == 0)
        clash(foreign, lineage);
}

/* ---- its settings ----------------------------------------------------- */

/* A configuration of it alone, as `issue` would make one. */
static enum acme_rc
configure(struct acme_foreign *foreign, struct ctl_import_lineage *lineage,
    struct acme_error *err)
{
    struct acme_foreign_lineage *from = lineage->from;
    struct acme_lineage wanted = { .name = lineage->name,
        .nnames = lineage->nnames,
        .names = lineage->names,
        .ntypes = lineage->ntypes,
        .must_staple = from->must_staple,
        .reuse_key = from->reuse_key,
        .allow_subset = from->allow_subset,
        .proof = &from->proof,
        .hooks = &from->hooks,
        .timing = from->timing };
    size_t ignored;
    enum acme_rc rc;

    memcpy(wanted.type, lineage->type, sizeof(wanted.type));
    if (wanted.ntypes == 0)
        wanted.type[wanted.ntypes++] = ACME_KEY_ECDSA_256;
    if (from->issuer.directory == NULL)
        return acme_error_set(err, ACME_CONFIG, "its CA is not known");
    from->issuer.name =
        acme_issuer_name_of(foreign->arena, from->issuer.directory);
    lineage->config = acme_config_new("/", "acmectl", "issue");
    if (lineage->config == NULL || from->issuer.name == NULL)
        return acme_error_nomem(err);
    rc = acme_config_add_issuer(lineage->config, &from->issuer, &wanted.issuer,
        err);
    if (rc == ACME_OK)
        rc = acme_config_add_lineage(lineage->config, &wanted, &ignored, err);
    return rc;
}

/* Without a configuration it is taken over all the same, and somebody who
 * knows more has to say it: a server, or a person. */
static void
declare(struct acme_foreign *foreign, struct ctl_import_lineage *lineage)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (configure(foreign, lineage, &err) == ACME_OK) {
        lineage->declared = true;
        return;
    }
    ctl_import_clear(lineage);
    (void)acme_foreign_note(foreign, &lineage->from->notes, "renewal", "",
        "%s; nobody renews it until a server's configuration has it, or "
        "\"acmectl issue --cert-name %s\" with the names and what is missing",
        err.what, lineage->name);
}

void
ctl_import_look(struct acme_foreign *foreign, struct acme_store *store,
    struct ctl_import_lineage *lineage)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (lineage->from->trouble != NULL)
        decide(foreign, lineage, CTL_IMPORT_TROUBLE, lineage->from->trouble);
    else if (acme_lineage_name_check(lineage->name, &err) != ACME_OK ||
             look_into(foreign, lineage, &err) != ACME_OK)
        decide(foreign, lineage, CTL_IMPORT_TROUBLE, err.what);
    else
        compare(foreign, store, lineage);
    if (lineage->fate == CTL_IMPORT_NEW)
        declare(foreign, lineage);
}

/* ---- writing ---------------------------------------------------------- */

/* One that is no use is left out, and told. */
static enum acme_rc
bring(struct acme_foreign *foreign, struct acme_store *store,
    const struct ctl_import_lineage *lineage, size_t i, struct acme_error *err)
{
    struct acme_foreign_lineage *from = lineage->from;
    struct acme_version version;
    struct acme_error why;
    struct acme_leaf leaf;
    char text[32];
    bool ignored;
    enum acme_rc rc = ACME_OK;

    acme_error_clear(&why);
    acme_version_init(&version);
    if (parse_version(from, i, &version, &leaf, &ignored, &why) != ACME_OK) {
        (void)snprintf(text, sizeof(text), "version %u", version.number);
        if (!acme_foreign_note(foreign, &from->notes, "archive", text, "%s",
                why.what))
            rc = acme_error_nomem(err);
    } else if (!is_version(store, lineage->name, version.number, &leaf)) {
        rc = acme_store_version_bring(store, lineage->name, &version,
            from->version[i].at, i == from->live, err);
    }
    acme_version_clear(&version);
    return rc;
}

/* The live one last: from there on it is not for us to go back. */
static enum acme_rc
bring_all(struct acme_foreign *foreign, struct acme_store *store,
    const struct ctl_import_lineage *lineage, struct acme_error *err)
{
    const struct acme_foreign_lineage *from = lineage->from;
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < from->nversions && rc == ACME_OK; i++)
        if (i != from->live)
            rc = bring(foreign, store, lineage, i, err);
    if (rc == ACME_OK && from->nversions > 0)
        rc = bring(foreign, store, lineage, from->live, err);
    return rc;
}

static enum acme_rc
write_settings(struct acme_store *store,
    const struct ctl_import_lineage *lineage, struct acme_error *err)
{
    struct acme_settings *settings = acme_settings_new();
    bool changed;
    enum acme_rc rc;

    if (settings == NULL)
        return acme_error_nomem(err);
    rc = acme_settings_declare(settings, CTL_DECLARER, lineage->config, 0,
        time(NULL), &changed, err);
    if (rc == ACME_OK)
        rc = acme_store_settings_write(store, lineage->name, settings, err);
    acme_settings_free(settings);
    return rc;
}

static void
note_event(struct acme_foreign *foreign, struct acme_store *store,
    const struct ctl_import_lineage *lineage)
{
    struct acme_event event;
    struct acme_error ignored;
    char text[100];

    acme_error_clear(&ignored);
    acme_event_init(&event, ACME_EVENT_RENEWED);
    event.at = time(NULL);
    (void)snprintf(event.lineage, sizeof(event.lineage), "%s", lineage->name);
    event.key = lineage->type[0];
    event.not_after = lineage->live.not_after;
    acme_event_put(event.serial, lineage->live.serial);
    (void)snprintf(text, sizeof(text), "certificate taken over from %s",
        foreign->client);
    acme_event_put(event.text, text);
    acme_event_put(event.by, "acmectl");
    (void)acme_store_event_write(store, &event, &ignored);
}

int
ctl_import_write(struct acme_foreign *foreign, struct acme_store *store,
    struct ctl_import_lineage *lineage)
{
    struct acme_error err;
    bool moved = false;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = bring_all(foreign, store, lineage, &err);
    if (rc == ACME_OK && lineage->declared)
        rc = write_settings(store, lineage, &err);
    if (rc == ACME_OK)
        rc = acme_store_recover(store, lineage->name, &moved, &err);
    if (rc != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s: %s", lineage->name, err.what);
    if (lineage->from->nversions > 0)
        note_event(foreign, store, lineage);
    return CTL_OK;
}
