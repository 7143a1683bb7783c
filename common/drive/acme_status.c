#include "drive/acme_status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drive/acme_control.h"
#include "state/acme_record.h"
#include "state/acme_settings.h"
#include "wrap/acme_url.h"

struct view {
    struct acme_store *store;
    const char *state_dir;
    const char *name;
    time_t now;
    struct acme_json *json;
    struct acme_settings *settings; /* NULL: none that can be read */
    struct acme_leaf leaf;
    unsigned version; /* 0: none */
    bool damaged;
    bool revoked; /* a certificate of it */
    bool conflict;
    bool declared;
    struct acme_lineage wanted;
    struct acme_arena *arena;  /* of wanted */
    struct acme_record record; /* of the unit that is worst off */
    bool nomem;                /* nothing of it can be told */
};

/* What is not damage. */
static void
note(struct view *view, const struct acme_error *err)
{
    if (err->rc == ACME_NOMEM || err->rc == ACME_CRYPTO)
        view->nomem = true;
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

static void
add_declarations(struct view *view, const struct acme_settings *settings)
{
    struct acme_json *list = acme_json_array();
    struct acme_json *issuer = acme_json_object();
    size_t i;

    for (i = 0; i < settings->ndeclared; i++)
        acme_json_append_str(list, settings->declared[i].by);
    if (settings->ndeclared > 0) {
        acme_json_set_str(issuer, "name", settings->declared[0].issuer.name);
        acme_json_set_str(issuer, "directory",
            settings->declared[0].issuer.directory);
        acme_json_set(view->json, "issuer", issuer);
    } else {
        acme_json_free(issuer);
    }
    acme_json_set(view->json, "declared", list);
    view->declared = settings->ndeclared > 0;
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
        acme_json_set_str(view->json, "conflict", conflict);
        view->conflict = conflict != NULL;
    }
    note(view, &ignored);
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
    } else if (err.rc != ACME_NOENT) {
        acme_json_set_str(view->json, "damage", err.what);
    }
    note(view, &err);
}

/* ---- what is served --------------------------------------------------- */

/* The operator's own key is in a place that only he knows. */
static void
add_files(struct view *view, bool has_key)
{
    struct acme_json *files = acme_json_object();
    char path[1024];

    (void)snprintf(path, sizeof(path), "%s/live/%s/fullchain.pem",
        view->state_dir, view->name);
    acme_json_set_str(files, "certificate", path);
    (void)snprintf(path, sizeof(path), "%s/live/%s/privkey.pem",
        view->state_dir, view->name);
    if (has_key)
        acme_json_set_str(files, "key", path);
    acme_json_set(view->json, "files", files);
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

/* The store has verified the pair: that it can't be read can only be a lack of
 * memory, which OpenSSL does not always call that. */
static bool
read_leaf(struct view *view, const struct acme_pair *pair,
    struct acme_leaf *leaf)
{
    struct acme_chain *chain = NULL;
    struct acme_error ignored;
    bool good;

    acme_error_clear(&ignored);
    good = acme_chain_from_der(pair->chain.data, pair->chain.len, &chain,
               &ignored) == ACME_OK &&
           acme_chain_leaf(chain, leaf, &ignored) == ACME_OK;
    view->nomem = view->nomem || !good;
    acme_chain_free(chain);
    return good;
}

static void read_record(struct view *view, size_t algorithm,
    struct acme_record *record);

/* The CA has told. */
static bool
is_known_revoked(struct view *view, const struct acme_pair *pair,
    const struct acme_leaf *leaf, struct acme_revoked *is)
{
    const struct acme_record_revocation *known;
    struct acme_record record;

    read_record(view, acme_key_algorithm_number(pair->type), &record);
    known = &record.revocation;
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
    const struct acme_leaf *leaf, struct acme_json *json)
{
    struct acme_revoked is = { 0 };

    if (!acme_store_revoked_read(view->store, leaf->fingerprint, &is) &&
        !is_known_revoked(view, pair, leaf, &is) &&
        !acme_store_is_revoked(view->store, pair->chain.data,
            acme_chain_der_first(pair->chain.data, pair->chain.len)))
        return;
    view->revoked = true;
    acme_json_set_bool(json, "revoked", true);
    acme_json_set_str(json, "revoked_by", is.by[0] != '\0' ? is.by : NULL);
    acme_json_set_str(json, "revocation_reason",
        is.reason[0] != '\0' ? is.reason : NULL);
}

/* The first pair's at the top, for whoever knows of one only. */
static void
add_pairs(struct view *view, const struct acme_version *version)
{
    struct acme_json *list = acme_json_array(), *one;
    struct acme_leaf leaf;
    size_t i;

    for (i = 0; i < version->npairs; i++) {
        if (!read_leaf(view, &version->pair[i], &leaf))
            continue;
        one = acme_json_object();
        acme_json_set_str(one, "key",
            acme_key_type_name(version->pair[i].type));
        if (version->pair[i].origin.key_reused)
            acme_json_set_bool(one, "key_reused", true);
        if (version->pair[i].key.len == 0)
            acme_json_set_bool(one, "csr", true);
        describe_leaf(one, &leaf);
        add_revoked(view, &version->pair[i], &leaf, one);
        acme_json_append(list, one);
        if (i > 0)
            continue;
        view->leaf = leaf;
        view->version = version->number;
        acme_json_set_int(view->json, "version", version->number);
        describe_leaf(view->json, &leaf);
        add_files(view, version->pair[0].key.len > 0);
    }
    acme_json_set(view->json, "certificates", list);
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
        view->damaged = true;
        acme_json_set_str(view->json, "damage", err.what);
    }
    note(view, &err);
    acme_version_clear(&version);
}

/* ---- what happened ---------------------------------------------------- */

static void
add_error(struct view *view)
{
    const struct acme_error *err = &view->record.error;
    struct acme_json *json = acme_json_object();
    char line[ACME_LOG_LINE_MAX];

    acme_json_set_str(json, "result", acme_rc_name(err->rc));
    acme_json_set_str(json, "text", acme_error_line(err, line, sizeof(line)));
    acme_json_set_str(json, "type", err->type[0] != '\0' ? err->type : NULL);
    if (acme_url_is_link(err->instance))
        acme_json_set_str(json, "url", err->instance);
    acme_json_set(view->json, "error", json);
    acme_json_set_time(view->json, "error_time", view->record.error_time);
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
    const struct acme_record *record = &view->record;
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

static void
read_record(struct view *view, size_t algorithm, struct acme_record *record)
{
    char unit[ACME_UNIT_NAME_MAX];
    struct acme_error ignored;
    struct acme_buf text;

    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    acme_record_init(record);
    acme_store_unit_name(unit, view->name, algorithm);
    if (acme_store_record_read(view->store, unit, &text, &ignored) == ACME_OK)
        (void)acme_record_parse(acme_buf_str(&text), text.len, record,
            &ignored);
    note(view, &ignored);
    acme_buf_clear(&text);
}

/* What the CA suggests (RFC 9773), and what it says of that. */
static void
add_window(struct view *view)
{
    const struct acme_record_window *window = &view->record.window;
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
add_record(struct view *view)
{
    struct acme_record *worst = &view->record, record;
    size_t i;

    acme_record_init(worst);
    for (i = 0; i < ACME_ALGORITHMS; i++) {
        if (view->declared &&
            acme_lineage_type(&view->wanted, i) == ACME_KEY_NONE)
            continue;
        read_record(view, i, &record);
        if (is_worse(&record, worst))
            *worst = record;
        else if (worst->next_attempt == 0)
            worst->next_attempt = record.next_attempt;
    }
    acme_json_set_time(view->json, "renew_at", worst->renew_at);
    add_window(view);
    acme_json_set_time(view->json, "next_attempt", worst->next_attempt);
    acme_json_set_int(view->json, "failures", worst->failures);
    add_asked(view);
    if (worst->clock_ahead != 0)
        acme_json_set_int(view->json, "clock_ahead", worst->clock_ahead);
    if (worst->wait_for_config && worst->failures > 0)
        acme_json_set_bool(view->json, "wait_for_config", true);
    if (worst->nsteps > 0)
        acme_json_set(view->json, "steps", acme_record_render_steps(worst));
    if (worst->left_out.n > 0) {
        acme_json_set(view->json, "left_out",
            acme_left_out_render(&worst->left_out));
        acme_json_set_time(view->json, "complete_at", worst->complete_at);
    }
    if (worst->preflight[0] != '\0') {
        acme_json_set_str(view->json, "preflight", worst->preflight);
        acme_json_set_time(view->json, "preflight_since",
            worst->preflight_since);
    }
    if (worst->failures > 0)
        add_error(view);
}

/* A key type without a certificate yet. */
static bool
is_incomplete(const struct view *view)
{
    return acme_json_count(acme_json_get(view->json, "certificates")) <
           view->wanted.ntypes;
}

static const char *
state_of(const struct view *view)
{
    if (view->conflict)
        return "conflict";
    if (view->version != 0 && view->leaf.not_after <= view->now)
        return "expired";
    if (!view->declared)
        return "dormant";
    if (view->record.failures > 0)
        return view->record.wait_for_config ? "waiting" : "failing";
    if (view->damaged)
        return "damaged";
    if (view->version == 0 || is_incomplete(view) || view->revoked ||
        (view->record.renew_at != 0 && view->record.renew_at <= view->now))
        return "due";
    return "ok";
}

enum acme_rc
acme_status_lineage(struct acme_store *store, const char *state_dir,
    const char *name, time_t now, struct acme_json **status,
    struct acme_error *err)
{
    struct view view;

    memset(&view, 0, sizeof(view));
    view.store = store;
    view.state_dir = state_dir;
    view.name = name;
    view.now = now;
    view.json = acme_json_object();
    if (view.json == NULL)
        return acme_error_nomem(err);
    acme_json_set_str(view.json, "name", name);
    acme_json_set_str(view.json, "state", "");
    add_settings(&view);
    add_live(&view);
    add_record(&view);
    acme_json_set_str(view.json, "state", state_of(&view));
    acme_arena_free(view.arena);
    acme_settings_free(view.settings);
    if (view.nomem) {
        acme_json_free(view.json);
        return acme_error_nomem(err);
    }
    *status = view.json;
    return ACME_OK;
}

/* ---- all of it -------------------------------------------------------- */

struct all {
    struct acme_store *store;
    const char *state_dir;
    time_t now;
    struct acme_json *lineages;
    struct acme_json *servers;
};

static enum acme_rc
add_lineage(void *ctx, const char *name, struct acme_error *err)
{
    struct all *all = ctx;
    struct acme_json *one = NULL;
    enum acme_rc rc;

    rc = acme_status_lineage(all->store, all->state_dir, name, all->now, &one,
        err);
    if (rc == ACME_OK)
        acme_json_append(all->lineages, one);
    return rc;
}

static enum acme_rc
add_server(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    struct all *all = ctx;
    struct acme_json *one = acme_json_object();

    (void)err;
    acme_json_set_str(one, "server", server->server);
    acme_json_set_str(one, "config", server->config);
    acme_json_set_int(one, "pid", server->pid);
    acme_json_append(all->servers, one);
    return ACME_OK;
}

enum acme_rc
acme_status_all(struct acme_store *store, const char *state_dir, time_t now,
    struct acme_json **status, struct acme_error *err)
{
    struct all all = { store, state_dir, now, acme_json_array(),
        acme_json_array() };
    struct acme_json *json = acme_json_object();
    enum acme_rc rc;

    rc = acme_store_lineages(store, add_lineage, &all, err);
    if (rc == ACME_OK)
        rc = acme_control_servers(acme_store_fd(store), add_server, &all, err);
    acme_json_set_str(json, "state_dir", state_dir);
    acme_json_set_bool(json, "separated", geteuid() == 0);
    acme_json_set(json, "servers", all.servers);
    acme_json_set(json, "lineages", all.lineages);
    if (rc == ACME_OK && json != NULL)
        *status = json;
    else
        acme_json_free(json);
    return rc == ACME_OK && json == NULL ? acme_error_nomem(err) : rc;
}
