#include "drive/acme_status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "drive/acme_control.h"
#include "state/acme_settings.h"
#include "state/acme_warn.h"
#include "wrap/acme_url.h"

/* Version numbers that are told: the newest. */
#define VERSIONS_SHOWN 16

/* "(STAGING) ..." is what Let's Encrypt's test CA calls its issuers. */
#define TEST_SIGNER "(STAGING)"

struct view {
    struct acme_store *store;
    const char *name;
    const struct acme_buf *const *notes; /* or NULL */
    struct acme_json *json;
    struct acme_settings *settings; /* NULL: none that can be read */
    struct acme_lineage wanted;
    struct acme_arena *arena; /* of wanted */
    struct acme_record record[ACME_ALGORITHMS];
    bool there[ACME_ALGORITHMS]; /* a certificate, */
    bool test_ca;                /* one of them of a CA for tests */
    unsigned version;            /* 0: none */
    struct acme_condition_facts facts;
    bool nomem; /* nothing of it can be told */
};

/* What is not damage. */
static void
note(struct view *view, const struct acme_error *err)
{
    if (err->rc == ACME_NOMEM || err->rc == ACME_CRYPTO)
        view->nomem = true;
}

static void
set_text(struct acme_json *object, const char *name, const char *text)
{
    acme_json_set_str(object, name, text[0] != '\0' ? text : NULL);
}

static struct acme_json *
types_json(const enum acme_key_type *type, size_t n)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < n; i++)
        acme_json_append_str(list, acme_key_type_name(type[i]));
    return list;
}

static struct acme_json *
strings_json(const char *const *text, size_t n)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < n; i++)
        acme_json_append_str(list, text[i]);
    return list;
}

/* ---- what is wanted --------------------------------------------------- */

/* A file's text, made printable. */
static void
set_clean(struct acme_json *object, const char *name, const char *text)
{
    char line[ACME_LOG_LINE_MAX];

    acme_json_set_str(object, name,
        acme_log_clean(line, sizeof(line), text, strlen(text)));
}

static struct acme_json *
issuer_json(const struct acme_issuer *issuer)
{
    struct acme_json *json = acme_json_object();

    set_clean(json, "name", issuer->name);
    set_clean(json, "directory", issuer->directory);
    if (!issuer->verify)
        acme_json_set_bool(json, "unverified", true);
    return json;
}

static void
add_issuers(struct view *view, const struct acme_declaration *first)
{
    struct acme_json *list;
    size_t i;

    acme_json_set(view->json, "issuer", issuer_json(&first->issuer));
    if (first->nfallbacks == 0)
        return;
    list = acme_json_array();
    for (i = 0; i < first->nfallbacks; i++)
        acme_json_append(list, issuer_json(&first->fallback[i]));
    acme_json_set(view->json, "fallbacks", list);
}

static void
add_declarations(struct view *view, const struct acme_settings *settings)
{
    struct acme_json *list = acme_json_array();
    char by[ACME_LOG_LINE_MAX];
    size_t i;

    for (i = 0; i < settings->ndeclared; i++)
        acme_json_append_str(list,
            acme_log_clean(by, sizeof(by), settings->declared[i].by,
                strlen(settings->declared[i].by)));
    if (settings->ndeclared > 0)
        add_issuers(view, &settings->declared[0]);
    acme_json_set(view->json, "declared", list);
    view->facts.declared = settings->ndeclared > 0;
}

static void
add_wanted(struct view *view, const struct acme_settings *settings)
{
    struct acme_lineage *wanted = &view->wanted;
    struct acme_error ignored;
    const char *conflict = NULL;

    acme_error_clear(&ignored);
    view->arena = acme_arena_new();
    view->nomem = view->nomem || view->arena == NULL;
    if (view->arena != NULL && acme_settings_wanted(settings, view->arena,
                                   wanted, &conflict, &ignored) == ACME_OK) {
        acme_json_set(view->json, "names",
            strings_json(wanted->names, wanted->nnames));
        acme_json_set(view->json, "keys",
            types_json(wanted->type, wanted->ntypes));
        if (conflict != NULL)
            set_clean(view->json, "conflict", conflict);
        view->facts.conflict = conflict != NULL;
    }
    note(view, &ignored);
}

/* The first declarer's, as far as he says something. */
static void
add_timing(struct view *view, const struct acme_settings *settings)
{
    const struct acme_timing *timing;

    if (settings->ndeclared == 0)
        return;
    timing = &settings->declared[0].timing;
    view->facts.manual = acme_schedule_is_manual(timing);
    if (timing->said != 0)
        acme_json_set(view->json, "timing", acme_timing_render(timing));
}

static void
add_settings(struct view *view)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_store_settings_read(view->store, view->name, &view->settings,
            &err) == ACME_OK) {
        add_declarations(view, view->settings);
        add_wanted(view, view->settings);
        add_timing(view, view->settings);
    } else if (err.rc != ACME_NOENT) {
        set_clean(view->json, "damage", err.what);
        view->facts.damaged = true;
        view->facts.declared = true; /* by somebody */
    }
    note(view, &err);
}

/* What is not wanted is not renewed; where nothing is known to be wanted, all
 * of it counts. */
static bool
is_wanted(const struct view *view, size_t algorithm)
{
    return view->wanted.ntypes == 0 ||
           acme_lineage_type(&view->wanted, algorithm) != ACME_KEY_NONE;
}

/* ---- records ---------------------------------------------------------- */

/* What the engine has said last of a unit, or has had written. */
static void
read_record(struct view *view, size_t algorithm)
{
    const struct acme_buf *note_of =
        view->notes != NULL ? view->notes[algorithm] : NULL;
    char unit[ACME_UNIT_NAME_MAX];
    struct acme_error ignored;
    struct acme_buf text;

    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    acme_record_init(&view->record[algorithm]);
    acme_store_unit_name(unit, view->name, algorithm);
    if (note_of != NULL && note_of->len > 0)
        (void)acme_record_parse(acme_buf_str(note_of), note_of->len,
            &view->record[algorithm], &ignored);
    else if (acme_store_record_read(view->store, unit, &text, &ignored) ==
             ACME_OK)
        (void)acme_record_parse(acme_buf_str(&text), text.len,
            &view->record[algorithm], &ignored);
    note(view, &ignored);
    acme_buf_clear(&text);
}

static void
read_records(struct view *view)
{
    size_t i;

    for (i = 0; i < ACME_ALGORITHMS; i++)
        read_record(view, i);
}

/* ---- what is served --------------------------------------------------- */

/* The operator's own key is in a place that only he knows. */
static void
add_files(struct view *view, bool has_key)
{
    struct acme_json *files = acme_json_object();
    char path[ACME_LINEAGE_MAX + 32];

    (void)snprintf(path, sizeof(path), "live/%s/fullchain.pem", view->name);
    acme_json_set_str(files, "certificate", path);
    (void)snprintf(path, sizeof(path), "live/%s/privkey.pem", view->name);
    if (has_key)
        acme_json_set_str(files, "key", path);
    acme_json_set(view->json, "files", files);
}

static void
add_versions(struct view *view)
{
    struct acme_json *list = acme_json_array();
    unsigned number[VERSIONS_SHOWN];
    struct acme_error ignored;
    size_t i, n = 0;
    int tries;

    /* a directory may be unreadable because memory is short */
    for (tries = 0; n == 0 && tries < 2; tries++) {
        acme_error_clear(&ignored);
        (void)acme_store_version_numbers(view->store, view->name, number,
            VERSIONS_SHOWN, &n, &ignored);
        note(view, &ignored);
    }
    for (i = 0; i < n; i++)
        acme_json_append_int(list, number[i]);
    if (n > 0)
        acme_json_set(view->json, "versions", list);
    else
        acme_json_free(list);
}

static void
describe_leaf(struct acme_json *json, const struct acme_leaf *leaf)
{
    acme_json_set_str(json, "serial", leaf->serial);
    acme_json_set_str(json, "fingerprint", leaf->fingerprint);
    acme_json_set_str(json, "signed_by", leaf->issuer);
    acme_json_set_time(json, "not_before", leaf->not_before);
    acme_json_set_time(json, "not_after", leaf->not_after);
}

static bool
parse_leaf(const struct acme_pair *pair, struct acme_chain **chain,
    struct acme_leaf *leaf)
{
    struct acme_error ignored;

    acme_error_clear(&ignored);
    return acme_chain_from_der(pair->chain.data,
               acme_chain_der_first(pair->chain.data, pair->chain.len), chain,
               &ignored) == ACME_OK &&
           acme_chain_leaf(*chain, leaf, &ignored) == ACME_OK;
}

/* The leaf alone.  The store has verified the pair: that it can't be read can
 * only be a lack of memory, which OpenSSL does not always call that; what it
 * lacks has to be found twice, as OpenSSL remembers what it did not find. */
static struct acme_chain *
read_leaf(struct view *view, const struct acme_pair *pair,
    struct acme_leaf *leaf)
{
    struct acme_chain *chain = NULL;
    bool good = parse_leaf(pair, &chain, leaf);

    if (good && (leaf->ari_id[0] == '\0' || leaf->issuer[0] == '\0')) {
        acme_chain_free(chain);
        chain = NULL;
        good = parse_leaf(pair, &chain, leaf);
    }
    if (good)
        return chain;
    view->nomem = true;
    acme_chain_free(chain);
    return NULL;
}

/* The CA has told. */
static bool
is_known_revoked(const struct acme_record *record,
    const struct acme_leaf *leaf, struct acme_revoked *is)
{
    const struct acme_record_revocation *known = &record->revocation;

    if (!known->revoked || strcmp(known->certificate, leaf->fingerprint) != 0)
        return false;
    memcpy(is->by, known->by, sizeof(is->by));
    memcpy(is->reason, known->reason, sizeof(is->reason));
    return true;
}

/* By acmectl, or so the CA says, or another one with its key, which was given
 * away; it is served until the next one is there. */
static void
add_revoked(struct view *view, const struct acme_pair *pair,
    const struct acme_record *record, const struct acme_leaf *leaf,
    struct acme_json *json)
{
    struct acme_revoked is = { 0 };

    if (!acme_store_revoked_read(view->store, leaf->fingerprint, &is) &&
        !is_known_revoked(record, leaf, &is) &&
        !acme_store_is_revoked(view->store, pair->chain.data,
            acme_chain_der_first(pair->chain.data, pair->chain.len)))
        return;
    view->facts.revoked = true;
    acme_json_set_bool(json, "revoked", true);
    acme_json_set_str(json, "revoked_by", is.by[0] != '\0' ? is.by : NULL);
    acme_json_set_str(json, "revocation_reason",
        is.reason[0] != '\0' ? is.reason : NULL);
}

/* What is sent with it, as far as a server that does so has told; the record
 * of it outlives such servers. */
static void
add_staple(const struct view *view, const struct acme_record *record,
    const struct acme_leaf *leaf, struct acme_json *json)
{
    const struct acme_record_staple *is = &record->staple;
    struct acme_json *staple;

    if (view->settings == NULL || !acme_settings_staples(view->settings) ||
        strcmp(is->certificate, leaf->fingerprint) != 0)
        return;
    staple = acme_json_object();
    acme_json_set_time(staple, "this_update", is->this_update);
    acme_json_set_time(staple, "next_update", is->next_update);
    acme_json_set_time(staple, "next_look", is->next_look);
    if (is->failures > 0)
        acme_json_set_int(staple, "failures", is->failures);
    set_text(staple, "problem", is->problem);
    acme_json_set(json, "staple", staple);
}

static void
add_origin(struct view *view, const struct acme_pair *pair,
    const struct acme_leaf *leaf, struct acme_json *json)
{
    const struct acme_origin *origin = &pair->origin;

    if (origin->issuer[0] != '\0')
        set_clean(json, "issued_by", origin->issuer);
    acme_json_set_time(json, "obtained", origin->obtained);
    if (acme_issuer_is_test(origin->issuer) ||
        strncmp(leaf->issuer, TEST_SIGNER, strlen(TEST_SIGNER)) == 0) {
        acme_json_set_bool(json, "test_ca", true);
        view->test_ca = true;
    }
    if (origin->key_reused)
        acme_json_set_bool(json, "key_reused", true);
    if (pair->key.len == 0)
        acme_json_set_bool(json, "csr", true);
}

/* The first that is renewed is the lineage's time; a record of before this
 * certificate tells nothing of it. */
static void
add_plan(struct view *view, const struct acme_record *record,
    const struct acme_leaf *leaf, struct acme_json *json)
{
    struct acme_condition_facts *facts = &view->facts;
    const char *why;

    if (strcmp(record->renew_serial, leaf->serial) != 0)
        return;
    why = acme_condition_why(record, leaf->not_before, leaf->not_after);
    acme_json_set_time(json, "renew_at", record->renew_at);
    acme_json_set_str(json, "renew_why", why);
    if (record->renew_at != 0 &&
        (facts->renew_at == 0 || record->renew_at < facts->renew_at)) {
        facts->renew_at = record->renew_at;
        facts->why = why;
    }
    if (record->left_out.n > 0 && record->complete_at != 0 &&
        record->complete_at < facts->renew_at) {
        facts->renew_at = record->complete_at;
        facts->why = "names that were left out are tried again";
    }
}

static void
note_life(struct view *view, const struct acme_leaf *leaf)
{
    struct acme_condition_facts *facts = &view->facts;
    const struct acme_settings *settings = view->settings;
    const struct acme_hooks *hooks =
        settings != NULL && settings->ndeclared > 0
            ? &settings->declared[0].hooks
            : NULL;
    time_t expiring = acme_warn_at(hooks, leaf->not_before, leaf->not_after);

    if (facts->not_after == 0 || leaf->not_after < facts->not_after)
        facts->not_after = leaf->not_after;
    if (facts->expiring == 0 || expiring < facts->expiring)
        facts->expiring = expiring;
}

/* OpenSSL does not always say that memory was short: a certificate without
 * names that can be read has to be found twice. */
static void
read_names(struct view *view, const struct acme_chain *chain,
    struct acme_buf *names)
{
    struct acme_error err;
    int i;

    acme_error_clear(&err);
    acme_buf_init(names, ACME_STATE_JSON_MAX);
    for (i = 0; i < 2; i++) {
        acme_buf_reset(names);
        acme_error_clear(&err);
        if (acme_chain_names(chain, names, &err) == ACME_OK)
            return;
    }
    note(view, &err);
}

/* Whether one of the lines from *at on is, or covers, that name: *at is there
 * then.  The next one wanted is mostly the next one there. */
static bool
find_name(const char **at, const char *name)
{
    char san[ACME_NAME_MAX + 1];
    const char *line = *at;
    size_t len;

    for (; *line != '\0'; line += len + 1) {
        len = strcspn(line, "\n");
        if (line[len] == '\0' || len >= sizeof(san))
            return false;
        memcpy(san, line, len);
        san[len] = '\0';
        *at = line;
        if (acme_name_covers(san, name))
            return true;
    }
    return false;
}

/* Names that it should have and has not, but for those left out. */
static struct acme_json *
missing_names(struct view *view, const struct acme_record *record,
    const struct acme_leaf *leaf, const struct acme_chain *chain)
{
    bool known = strcmp(record->left_out_serial, leaf->serial) == 0;
    struct acme_json *list = acme_json_array();
    struct acme_buf names;
    const char *at;
    size_t i;

    read_names(view, chain, &names);
    at = acme_buf_str(&names);
    for (i = 0; i < view->wanted.nnames; i++) {
        const char *name = view->wanted.names[i];

        if (find_name(&at, name))
            continue;
        at = acme_buf_str(&names);
        if (!find_name(&at, name) &&
            !(known && acme_left_out_has(&record->left_out, name)))
            acme_json_append_str(list, name);
    }
    acme_buf_clear(&names);
    return list;
}

static bool
is_of_wanted_ca(const struct view *view, const struct acme_pair *pair)
{
    const char *directory = pair->origin.issuer;
    const struct acme_declaration *first;
    size_t i;

    if (directory[0] == '\0' || view->settings == NULL ||
        view->settings->ndeclared == 0)
        return true;
    first = &view->settings->declared[0];
    if (strcmp(first->issuer.directory, directory) == 0)
        return true;
    for (i = 0; i < first->nfallbacks; i++)
        if (strcmp(first->fallback[i].directory, directory) == 0)
            return true;
    return false;
}

/* Why the engine would order now (acme_job_is_needed() is the judge). */
static void
find_due(struct view *view, const struct acme_pair *pair,
    const struct acme_record *record, const struct acme_leaf *leaf,
    const struct acme_chain *chain)
{
    enum acme_key_type type = acme_lineage_type(&view->wanted,
        acme_key_algorithm_number(pair->type));
    struct acme_json *missing = missing_names(view, record, leaf, chain);
    const char **due = &view->facts.due;

    if (view->facts.revoked)
        *due = "revoked";
    else if (*due == NULL && type != ACME_KEY_NONE && type != pair->type)
        *due = "another key type is configured";
    else if (*due == NULL && !is_of_wanted_ca(view, pair))
        *due = "another CA is configured";
    else if (*due == NULL && acme_json_count(missing) > 0)
        *due = "names missing";
    if (acme_json_count(missing) > 0 &&
        acme_json_get(view->json, "names_missing") == NULL)
        acme_json_set(view->json, "names_missing", missing);
    else
        acme_json_free(missing);
}

/* Of one that nobody wants any more: the names that it has. */
static void
add_kept_names(struct view *view, const struct acme_chain *chain)
{
    struct acme_json *list = acme_json_array();
    char name[ACME_NAME_MAX + 1];
    struct acme_buf names;
    const char *line;
    size_t len;

    read_names(view, chain, &names);
    for (line = acme_buf_str(&names); *line != '\0'; line += len + 1) {
        len = strcspn(line, "\n");
        (void)snprintf(name, sizeof(name), "%.*s", (int)len, line);
        acme_json_append_str(list, name);
    }
    acme_buf_clear(&names);
    acme_json_set(view->json, "names", list);
}

/* The first pair's at the top, for whoever knows of one only. */
static void
add_first(struct view *view, const struct acme_version *version,
    const struct acme_leaf *leaf, const struct acme_chain *chain)
{
    view->version = version->number;
    acme_json_set_int(view->json, "version", version->number);
    add_versions(view);
    describe_leaf(view->json, leaf);
    add_files(view, version->pair[0].key.len > 0);
    if (!view->facts.declared)
        add_kept_names(view, chain);
}

static void
add_pair(struct view *view, const struct acme_version *version, size_t i,
    struct acme_json *list)
{
    const struct acme_pair *pair = &version->pair[i];
    size_t algorithm = acme_key_algorithm_number(pair->type);
    const struct acme_record *record = &view->record[algorithm];
    struct acme_leaf leaf;
    struct acme_chain *chain = read_leaf(view, pair, &leaf);
    struct acme_json *one;

    if (chain == NULL)
        return;
    one = acme_json_object();
    acme_json_set_str(one, "key", acme_key_type_name(pair->type));
    describe_leaf(one, &leaf);
    acme_json_set_str(one, "ari_id",
        leaf.ari_id[0] != '\0' ? leaf.ari_id : NULL);
    add_origin(view, pair, &leaf, one);
    add_revoked(view, pair, record, &leaf, one);
    add_staple(view, record, &leaf, one);
    view->there[algorithm] = true;
    if (view->version == 0)
        add_first(view, version, &leaf, chain);
    if (is_wanted(view, algorithm)) {
        note_life(view, &leaf);
        add_plan(view, record, &leaf, one);
        find_due(view, pair, record, &leaf, chain);
    }
    acme_json_append(list, one);
    acme_chain_free(chain);
}

static void
add_pairs(struct view *view, const struct acme_version *version)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < version->npairs; i++)
        add_pair(view, version, i, list);
    acme_json_set(view->json, "certificates", list);
    if (view->facts.not_after == 0 && version->npairs > 0) {
        /* none of them is wanted: served all the same */
        view->facts.due = "another key type is configured";
    }
}

/* A key type without a certificate. */
static void
find_missing_types(struct view *view)
{
    size_t i;

    for (i = 0; i < ACME_ALGORITHMS; i++)
        if (acme_lineage_type(&view->wanted, i) != ACME_KEY_NONE &&
            !view->there[i] && view->facts.due == NULL)
            view->facts.due = view->version == 0
                                  ? "there is no certificate"
                                  : "a key type has no certificate yet";
}

static void
add_live(struct view *view)
{
    struct acme_version version;
    struct acme_error err;

    acme_error_clear(&err);
    acme_version_init(&version);
    if (acme_store_live_read(view->store, view->name, &version, &err) ==
        ACME_OK)
        add_pairs(view, &version);
    if (err.rc != ACME_OK && err.rc != ACME_NOENT) {
        view->facts.damaged = true;
        set_clean(view->json, "damage", err.what);
    }
    note(view, &err);
    acme_version_clear(&version);
    find_missing_types(view);
}

/* ---- what happened ---------------------------------------------------- */

/* Errors of single names (RFC 8555 6.7.1). */
static struct acme_json *
subproblems_json(const struct acme_error *err)
{
    struct acme_json *list = acme_json_array(), *one;
    unsigned i;

    for (i = 0; i < err->nsub && i < ACME_SUBPROBLEMS_MAX; i++) {
        one = acme_json_object();
        set_text(one, "identifier", err->sub[i].identifier);
        set_text(one, "type", err->sub[i].type);
        set_text(one, "detail", err->sub[i].detail);
        acme_json_append(list, one);
    }
    return list;
}

static void
add_error(struct view *view)
{
    const struct acme_record *record = view->facts.record;
    const struct acme_error *err = &record->error;
    struct acme_json *json = acme_json_object();
    char line[ACME_LOG_LINE_MAX];

    acme_json_set_time(json, "at", record->error_time);
    acme_json_set_str(json, "result", acme_rc_name(err->rc));
    set_clean(json, "text", acme_error_line(err, line, sizeof(line)));
    set_text(json, "type", err->type);
    set_text(json, "detail", err->detail);
    if (err->http_status != 0)
        acme_json_set_int(json, "http_status", err->http_status);
    if (acme_url_is_link(err->instance))
        acme_json_set_str(json, "url", err->instance);
    if (err->nsub > 0) {
        acme_json_set(json, "subproblems", subproblems_json(err));
        acme_json_set_int(json, "subproblems_total", err->nsub_total);
    }
    acme_json_set(view->json, "error", json);
}

/* Whether that is the first CA of the list; each server has its own name for
 * it. */
static bool
is_first(const struct acme_settings *settings, const char *issuer)
{
    size_t i;

    for (i = 0; i < settings->ndeclared; i++) {
        const struct acme_issuer *first = &settings->declared[i].issuer;

        if (strcmp(first->name, issuer) == 0 &&
            strcmp(first->directory, settings->declared[0].issuer.directory) ==
                0)
            return true;
    }
    return false;
}

/* Whom the last attempt asked, if that is another CA. */
static void
add_asked(struct view *view)
{
    const struct acme_record *record = view->facts.record;
    struct acme_json *asked;

    if (record->issuer[0] == '\0' || view->settings == NULL ||
        view->settings->ndeclared == 0 ||
        is_first(view->settings, record->issuer))
        return;
    asked = acme_json_object();
    acme_json_set_str(asked, "name", record->issuer);
    acme_json_set_time(asked, "since", record->issuer_since);
    acme_json_set(view->json, "asked", asked);
}

/* What the CA suggests (RFC 9773), and what it says of that. */
static void
add_window(struct view *view)
{
    const struct acme_record_window *window = &view->facts.record->window;
    struct acme_json *json;

    if (window->end == 0)
        return;
    json = acme_json_object();
    acme_json_set_time(json, "start", window->start);
    acme_json_set_time(json, "end", window->end);
    acme_json_set_time(json, "pick", window->pick);
    if (acme_url_is_link(window->explanation))
        acme_json_set_str(json, "url", window->explanation);
    acme_json_set_time(json, "next_look", window->next_look);
    acme_json_set(view->json, "renewal_info", json);
}

/* Of several units the one that fails, else the one that is due first. */
static bool
is_worse(const struct acme_record *one, const struct acme_record *other)
{
    if (one->failures != other->failures)
        return one->failures > other->failures;
    return one->renew_at != 0 &&
           (other->renew_at == 0 || one->renew_at < other->renew_at);
}

static void
choose_record(struct view *view)
{
    size_t i;

    view->facts.record = NULL;
    for (i = 0; i < ACME_ALGORITHMS; i++) {
        if (is_wanted(view, i) &&
            (view->facts.record == NULL ||
                is_worse(&view->record[i], view->facts.record)))
            view->facts.record = &view->record[i];
    }
    if (view->facts.record == NULL)
        view->facts.record = &view->record[0];
}

static void
add_attempts(struct view *view)
{
    const struct acme_record *record = view->facts.record;

    add_asked(view);
    if (!view->facts.manual)
        acme_json_set_time(view->json, "next_attempt", record->next_attempt);
    acme_json_set_int(view->json, "failures", record->failures);
    if (record->wait_for_config && record->failures > 0)
        acme_json_set_bool(view->json, "wait_for_config", true);
    if (acme_condition_is_at_work(record))
        acme_json_set_bool(view->json, "at_work", true);
    acme_json_set_time(view->json, "last_attempt", record->attempt);
    if (record->nsteps > 0)
        acme_json_set(view->json, "steps", acme_record_render_steps(record));
    if (record->failures > 0)
        add_error(view);
    if (record->clock_ahead != 0)
        acme_json_set_int(view->json, "clock_ahead", record->clock_ahead);
}

static void
add_findings(struct view *view)
{
    const struct acme_record *record = view->facts.record;

    if (record->left_out.n > 0) {
        acme_json_set(view->json, "left_out",
            acme_left_out_render(&record->left_out));
        acme_json_set_time(view->json, "complete_at", record->complete_at);
    }
    if (record->preflight[0] != '\0') {
        acme_json_set_str(view->json, "preflight", record->preflight);
        acme_json_set_time(view->json, "preflight_since",
            record->preflight_since);
    }
}

/* What hooks did last. */
static void
add_hooks(struct view *view)
{
    struct acme_told *told = malloc(sizeof(*told));

    if (told == NULL) {
        view->nomem = true;
        return;
    }
    acme_store_told_read(view->store, view->name, told);
    if (told->nhooks > 0)
        acme_json_set(view->json, "hooks", acme_told_render_hooks(told));
    free(told);
}

/* When, and why; what is due at once has no time. */
static void
add_renewal(struct view *view)
{
    const struct acme_condition_facts *facts = &view->facts;

    if (!facts->declared)
        return;
    if (facts->due == NULL)
        acme_json_set_time(view->json, "renew_at", facts->renew_at);
    acme_json_set_str(view->json, "renew_why",
        facts->due != NULL ? facts->due : facts->why);
    add_window(view);
}

static void
add_condition(struct view *view, struct acme_status_lineage *status)
{
    const struct acme_settings *settings = view->settings;
    char text[ACME_CONDITION_TEXT];

    status->condition = acme_condition_of(&view->facts);
    status->until = acme_condition_until(&view->facts);
    acme_json_set_str(view->json, "state",
        acme_condition_word(status->condition));
    acme_json_set_str(view->json, "state_text",
        acme_condition_text(&view->facts, text));
    if (view->version == 0 && settings != NULL && settings->ndeclared > 0)
        view->test_ca =
            acme_issuer_is_test(settings->declared[0].issuer.directory);
    if (view->test_ca)
        acme_json_set_bool(view->json, "test_ca", true);
}

static void
fill(struct view *view, struct acme_status_lineage *status)
{
    acme_json_set_str(view->json, "name", view->name);
    acme_json_set_str(view->json, "state", "");
    acme_json_set_str(view->json, "state_text", "");
    add_settings(view);
    read_records(view);
    choose_record(view);
    add_live(view);
    add_renewal(view);
    add_attempts(view);
    add_findings(view);
    add_hooks(view);
    add_condition(view, status);
}

enum acme_rc
acme_status_lineage(struct acme_store *store, const char *name, time_t now,
    const struct acme_buf *const *notes, struct acme_status_lineage *status,
    struct acme_error *err)
{
    struct view *view = calloc(1, sizeof(*view));
    enum acme_rc rc = ACME_OK;

    if (view == NULL)
        return acme_error_nomem(err);
    view->store = store;
    view->name = name;
    view->notes = notes;
    view->facts.now = now;
    view->json = acme_json_object();
    if (view->json != NULL)
        fill(view, status);
    if (view->nomem || view->json == NULL) {
        acme_json_free(view->json);
        rc = acme_error_nomem(err);
    } else {
        status->json = view->json;
    }
    acme_arena_free(view->arena);
    acme_settings_free(view->settings);
    free(view);
    return rc;
}

/* ---- all of it -------------------------------------------------------- */

struct all {
    struct acme_store *store;
    time_t now;
    unsigned count[ACME_CONDITIONS];
    struct acme_json *lineages;
    struct acme_json *servers;
};

struct acme_json *
acme_status_counts(const unsigned count[ACME_CONDITIONS])
{
    struct acme_json *json = acme_json_object();
    size_t i;

    for (i = 0; i < ACME_CONDITIONS; i++)
        acme_json_set_int(json, acme_condition_word((enum acme_condition)i),
            count[i]);
    return json;
}

static enum acme_rc
add_lineage(void *ctx, const char *name, struct acme_error *err)
{
    struct all *all = ctx;
    struct acme_status_lineage one;
    enum acme_rc rc;

    rc = acme_status_lineage(all->store, name, all->now, NULL, &one, err);
    if (rc == ACME_OK) {
        all->count[one.condition]++;
        acme_json_append(all->lineages, one.json);
    }
    return rc;
}

static enum acme_rc
add_server(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    struct all *all = ctx;
    struct acme_json *one = acme_json_object();

    (void)err;
    set_clean(one, "server", server->server);
    set_clean(one, "config", server->config);
    acme_json_set_int(one, "pid", server->pid);
    acme_json_append(all->servers, one);
    return ACME_OK;
}

enum acme_rc
acme_status_all(struct acme_store *store, const char *state_dir, time_t now,
    struct acme_json **status, struct acme_error *err)
{
    struct all all = { .store = store,
        .now = now,
        .lineages = acme_json_array(),
        .servers = acme_json_array() };
    struct acme_json *json = acme_json_object();
    enum acme_rc rc;

    rc = acme_store_lineages(store, add_lineage, &all, err);
    if (rc == ACME_OK)
        rc = acme_control_servers(acme_store_fd(store), add_server, &all, err);
    acme_json_set_int(json, "schema", ACME_STATUS_SCHEMA);
    acme_json_set_str(json, "state_dir", state_dir);
    acme_json_set_bool(json, "separated", geteuid() == 0);
    acme_json_set(json, "servers", all.servers);
    acme_json_set(json, "counts", acme_status_counts(all.count));
    acme_json_set(json, "lineages", all.lineages);
    if (rc == ACME_OK && json != NULL)
        *status = json;
    else
        acme_json_free(json);
    return rc == ACME_OK && json == NULL ? acme_error_nomem(err) : rc;
}
