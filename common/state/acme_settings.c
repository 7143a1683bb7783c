/*
 * What lineages are meant to be, as a value and as JSON.
 */
#include "state/acme_settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "base/acme_text.h"
#include "wrap/acme_json.h"

/* Declarers of one lineage: servers that share a state directory. */
#define DECLARERS_MAX 64

struct acme_settings *
acme_settings_new(void)
{
    struct acme_settings *settings;

    settings = calloc(1, sizeof(*settings));
    if (settings == NULL)
        return NULL;
    settings->arena = acme_arena_new();
    if (settings->arena == NULL) {
        free(settings);
        return NULL;
    }
    return settings;
}

void
acme_settings_free(struct acme_settings *settings)
{
    if (settings == NULL)
        return;
    acme_arena_free(settings->arena);
    free(settings);
}

/* ---- reading ---------------------------------------------------------- */

static enum acme_rc
malformed(struct acme_error *err, const char *what)
{
    return acme_error_set(err, ACME_WIRE, "%s is missing or malformed", what);
}

/* *out is NULL for an absent member. */
static enum acme_rc
copy_str(struct acme_arena *arena, const struct acme_json *object,
    const char *member, const char **out, struct acme_error *err)
{
    const char *text = acme_json_str(object, member);

    *out = NULL;
    if (text == NULL)
        return ACME_OK;
    *out = acme_arena_strdup(arena, text);
    return *out != NULL ? ACME_OK : acme_error_nomem(err);
}

static enum acme_rc
parse_names(struct acme_arena *arena, const struct acme_json *list,
    struct acme_declaration *into, struct acme_error *err)
{
    size_t count = acme_json_count(list), i;
    char canonical[ACME_NAME_MAX + 1];
    struct acme_error ignored;
    const char **names, *text;

    if (count == 0 || count > ACME_NAMES_MAX)
        return malformed(err, "names");
    names = acme_arena_alloc(arena, count * sizeof(*names));
    if (names == NULL)
        return acme_error_nomem(err);
    for (i = 0; i < count; i++) {
        text = acme_json_text(acme_json_at(list, i));
        acme_error_clear(&ignored);
        if (text == NULL || acme_name_parse(text, strlen(text), canonical,
                                &ignored) != ACME_OK)
            return malformed(err, "a name");
        names[i] = acme_arena_strdup(arena, canonical);
        if (names[i] == NULL)
            return acme_error_nomem(err);
    }
    into->nnames = count;
    into->names = names;
    return ACME_OK;
}

static enum acme_rc
parse_types(const struct acme_json *list, struct acme_declaration *into,
    struct acme_error *err)
{
    size_t count = acme_json_count(list), i;
    struct acme_error ignored;
    const char *text;

    if (count == 0 || count > ACME_TYPES_MAX)
        return malformed(err, "keys");
    for (i = 0; i < count; i++) {
        text = acme_json_text(acme_json_at(list, i));
        acme_error_clear(&ignored);
        if (text == NULL ||
            acme_key_type_parse(text, &into->type[i], &ignored) != ACME_OK)
            return malformed(err, "a key type");
    }
    into->ntypes = count;
    return ACME_OK;
}

static enum acme_rc
parse_fallbacks(struct acme_arena *arena, const struct acme_json *list,
    struct acme_declaration *into, struct acme_error *err)
{
    size_t count = acme_json_count(list), i;
    enum acme_rc rc = ACME_OK;

    if (count > ACME_FALLBACKS_MAX)
        return malformed(err, "fallback");
    for (i = 0; i < count && rc == ACME_OK; i++)
        rc = acme_issuer_parse(arena, acme_json_at(list, i),
            &into->fallback[i], err);
    into->nfallbacks = count;
    return rc;
}

static enum acme_rc
parse_declaration(struct acme_arena *arena, const struct acme_json *json,
    struct acme_declaration *into, struct acme_error *err)
{
    enum acme_rc rc;

    rc = copy_str(arena, json, "by", &into->by, err);
    if (rc == ACME_OK && into->by == NULL)
        rc = malformed(err, "by");
    into->since = (time_t)acme_json_time(json, "since");
    if (rc == ACME_OK)
        rc = acme_issuer_parse(arena, acme_json_get(json, "issuer"),
            &into->issuer, err);
    if (rc == ACME_OK)
        rc = parse_names(arena, acme_json_get(json, "names"), into, err);
    if (rc == ACME_OK)
        rc = parse_types(acme_json_get(json, "keys"), into, err);
    if (rc == ACME_OK)
        rc =
            parse_fallbacks(arena, acme_json_get(json, "fallback"), into, err);
    into->must_staple = acme_json_bool(json, "must_staple", false);
    into->reuse_key = acme_json_bool(json, "reuse_key", false);
    into->allow_subset = acme_json_bool(json, "allow_subset", false);
    into->auto_hsts = acme_json_bool(json, "auto_hsts", false);
    into->stapling = acme_json_bool(json, "stapling", false);
    into->forgets = acme_json_bool(json, "forgets", false);
    if (rc == ACME_OK)
        rc = copy_str(arena, json, "csr", &into->csr_file, err);
    if (rc == ACME_OK)
        rc = acme_proof_parse(arena, acme_json_get(json, "proof"),
            &into->proof, err);
    if (rc == ACME_OK)
        rc = acme_hooks_parse(arena, acme_json_get(json, "hooks"),
            &into->hooks, err);
    if (rc == ACME_OK)
        rc = acme_timing_parse(acme_json_get(json, "timing"), &into->timing,
            err);
    return rc;
}

/* Behind those that are as old. */
static void
insert(struct acme_settings *settings, const struct acme_declaration *one)
{
    size_t at = settings->ndeclared++;

    while (at > 0 && settings->declared[at - 1].since > one->since) {
        settings->declared[at] = settings->declared[at - 1];
        at--;
    }
    settings->declared[at] = *one;
}

static enum acme_rc
parse_all(struct acme_settings *settings, const struct acme_json *list,
    struct acme_error *err)
{
    size_t count = acme_json_count(list), i;
    struct acme_declaration one;
    enum acme_rc rc = ACME_OK;

    if (count > DECLARERS_MAX)
        return malformed(err, "declared");
    if (count == 0)
        return ACME_OK;
    settings->declared =
        acme_arena_alloc(settings->arena, count * sizeof(*settings->declared));
    if (settings->declared == NULL)
        return acme_error_nomem(err);
    for (i = 0; i < count && rc == ACME_OK; i++) {
        memset(&one, 0, sizeof(one));
        rc = parse_declaration(settings->arena, acme_json_at(list, i), &one,
            err);
        if (rc == ACME_OK)
            insert(settings, &one);
    }
    return rc;
}

enum acme_rc
acme_settings_parse(const char *text, size_t len,
    struct acme_settings **settings, struct acme_error *err)
{
    struct acme_settings *parsed = NULL;
    struct acme_json *root = NULL;
    enum acme_rc rc;

    rc = acme_json_parse(text, len, "settings", &root, err);
    if (rc != ACME_OK)
        return rc;
    parsed = acme_settings_new();
    if (parsed == NULL)
        rc = acme_error_nomem(err);
    else if (!acme_json_is_object(root))
        rc = acme_error_set(err, ACME_WIRE, "no JSON object");
    else
        rc = parse_all(parsed, acme_json_get(root, "declared"), err);
    if (rc == ACME_OK) {
        acme_enhance_parse(acme_json_get(root, "enhance"), &parsed->enhance);
        parsed->hsts_since = (time_t)acme_json_time(root, "hsts_since");
        *settings = parsed;
        parsed = NULL;
    }
    acme_settings_free(parsed);
    acme_json_free(root);
    return rc;
}

/* ---- writing ---------------------------------------------------------- */

static struct acme_json *
render_fallbacks(const struct acme_declaration *one)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < one->nfallbacks; i++)
        acme_json_append(list, acme_issuer_render(&one->fallback[i]));
    return list;
}

struct acme_json *
acme_declaration_render(const struct acme_declaration *one)
{
    struct acme_json *json = acme_json_object();
    struct acme_json *names = acme_json_array();
    struct acme_json *types = acme_json_array();
    size_t i;

    acme_json_set_str(json, "by", one->by);
    acme_json_set_time(json, "since", one->since);
    acme_json_set(json, "issuer", acme_issuer_render(&one->issuer));
    for (i = 0; i < one->nnames; i++)
        acme_json_append_str(names, one->names[i]);
    acme_json_set(json, "names", names);
    for (i = 0; i < one->ntypes; i++)
        acme_json_append_str(types, acme_key_type_name(one->type[i]));
    acme_json_set(json, "keys", types);
    if (one->nfallbacks > 0)
        acme_json_set(json, "fallback", render_fallbacks(one));
    acme_json_set_bool(json, "must_staple", one->must_staple);
    acme_json_set_bool(json, "reuse_key", one->reuse_key);
    acme_json_set_bool(json, "allow_subset", one->allow_subset);
    if (one->auto_hsts)
        acme_json_set_bool(json, "auto_hsts", true);
    if (one->stapling)
        acme_json_set_bool(json, "stapling", true);
    if (one->forgets)
        acme_json_set_bool(json, "forgets", true);
    if (one->csr_file != NULL)
        acme_json_set_str(json, "csr", one->csr_file);
    if (one->proof.said != 0)
        acme_json_set(json, "proof", acme_proof_render(&one->proof));
    if (one->hooks.said != 0)
        acme_json_set(json, "hooks", acme_hooks_render(&one->hooks));
    if (one->timing.said != 0)
        acme_json_set(json, "timing", acme_timing_render(&one->timing));
    return json;
}

enum acme_rc
acme_settings_render(const struct acme_settings *settings,
    struct acme_buf *out, struct acme_error *err)
{
    const struct acme_enhance nothing = { 0 };
    struct acme_json *root, *list;
    enum acme_rc rc;
    size_t i;

    root = acme_json_object();
    list = acme_json_array();
    for (i = 0; i < settings->ndeclared; i++)
        acme_json_append(list,
            acme_declaration_render(&settings->declared[i]));
    acme_json_set(root, "declared", list);
    if (!acme_enhance_equal(&settings->enhance, &nothing))
        acme_json_set(root, "enhance",
            acme_enhance_render(&settings->enhance));
    if (settings->hsts_since != 0)
        acme_json_set_time(root, "hsts_since", settings->hsts_since);
    rc = root == NULL ? acme_error_nomem(err)
                      : acme_json_render(root, true, out, err);
    acme_json_free(root);
    return rc;
}

/* ---- declaring -------------------------------------------------------- */

/* NULL stays NULL; *failed sticks. */
static const char *
keep(struct acme_arena *arena, const char *text, bool *failed)
{
    const char *copy = NULL;

    if (text != NULL) {
        copy = acme_arena_strdup(arena, text);
        if (copy == NULL)
            *failed = true;
    }
    return copy;
}

static enum acme_rc
copy_declaration(struct acme_arena *arena, const struct acme_config *config,
    const struct acme_lineage *lineage, const char *by,
    struct acme_declaration *out, struct acme_error *err)
{
    const char **names;
    bool failed = false;
    size_t i;

    memset(out, 0, sizeof(*out));
    out->by = keep(arena, by, &failed);
    names = acme_arena_alloc(arena, (lineage->nnames + 1) * sizeof(*names));
    if (names == NULL || failed ||
        !acme_issuer_copy(arena, &out->issuer,
            &config->issuer[lineage->issuer]))
        return acme_error_nomem(err);
    for (i = 0; i < lineage->nfallbacks; i++)
        if (!acme_issuer_copy(arena, &out->fallback[i],
                &config->issuer[lineage->fallback[i]]))
            return acme_error_nomem(err);
    out->nfallbacks = lineage->nfallbacks;
    acme_proof_init(&out->proof);
    if (lineage->proof != NULL &&
        !acme_proof_copy(arena, &out->proof, lineage->proof))
        return acme_error_nomem(err);
    acme_hooks_init(&out->hooks);
    if (lineage->hooks != NULL &&
        !acme_hooks_copy(arena, &out->hooks, lineage->hooks))
        return acme_error_nomem(err);
    out->timing = lineage->timing;
    out->must_staple = lineage->must_staple;
    out->reuse_key = lineage->reuse_key;
    out->allow_subset = lineage->allow_subset;
    out->auto_hsts = lineage->auto_hsts;
    out->stapling = lineage->stapling;
    out->forgets = config->issuer[lineage->issuer].forgets;
    out->csr_file = keep(arena, lineage->csr_file, &failed);
    for (i = 0; i < lineage->nnames; i++)
        names[i] = keep(arena, lineage->names[i], &failed);
    out->nnames = lineage->nnames;
    out->names = names;
    out->ntypes = lineage->ntypes;
    memcpy(out->type, lineage->type, sizeof(out->type));
    return failed ? acme_error_nomem(err) : ACME_OK;
}

static bool
same_wish(const struct acme_declaration *a, const struct acme_declaration *b)
{
    size_t i;

    if (a->nnames != b->nnames || a->ntypes != b->ntypes ||
        a->nfallbacks != b->nfallbacks || a->must_staple != b->must_staple ||
        a->reuse_key != b->reuse_key || a->allow_subset != b->allow_subset ||
        a->auto_hsts != b->auto_hsts || a->stapling != b->stapling ||
        a->forgets != b->forgets ||
        !acme_text_same(a->csr_file, b->csr_file) ||
        !acme_proof_equal(&a->proof, &b->proof) ||
        !acme_hooks_equal(&a->hooks, &b->hooks) ||
        !acme_timing_equal(&a->timing, &b->timing) ||
        !acme_issuer_equal(&a->issuer, &b->issuer))
        return false;
    for (i = 0; i < a->nfallbacks; i++)
        if (!acme_issuer_equal(&a->fallback[i], &b->fallback[i]))
            return false;
    for (i = 0; i < a->nnames; i++)
        if (strcmp(a->names[i], b->names[i]) != 0)
            return false;
    for (i = 0; i < a->ntypes; i++)
        if (a->type[i] != b->type[i])
            return false;
    return true;
}

/* Begins when the first one wants it, and anew when nobody has for a while. */
static void
time_hsts(struct acme_settings *settings, time_t now)
{
    bool wanted = settings->enhance.hsts.mode == ACME_HSTS_AUTO;
    size_t i;

    for (i = 0; i < settings->ndeclared; i++)
        wanted = wanted || settings->declared[i].auto_hsts;
    if (!wanted)
        settings->hsts_since = 0;
    else if (settings->hsts_since == 0)
        settings->hsts_since = now;
}

bool
acme_settings_enhance(struct acme_settings *settings,
    const struct acme_enhance *enhance, time_t now)
{
    const bool changed = !acme_enhance_equal(&settings->enhance, enhance);

    settings->enhance = *enhance;
    time_hsts(settings, now);
    return changed;
}

/* ndeclared: nobody of that name. */
static size_t
find(const struct acme_settings *settings, const char *by)
{
    size_t i;

    for (i = 0; i < settings->ndeclared; i++)
        if (strcmp(settings->declared[i].by, by) == 0)
            break;
    return i;
}

static enum acme_rc
add(struct acme_settings *settings, const struct acme_declaration *one,
    struct acme_error *err)
{
    struct acme_declaration *grown;
    size_t count = settings->ndeclared;

    if (count == DECLARERS_MAX)
        return acme_error_set(err, ACME_CONFIG,
            "more than %d servers declare one lineage", DECLARERS_MAX);
    grown = acme_arena_alloc(settings->arena, (count + 1) * sizeof(*grown));
    if (grown == NULL)
        return acme_error_nomem(err);
    if (count > 0)
        memcpy(grown, settings->declared, count * sizeof(*grown));
    settings->declared = grown;
    insert(settings, one);
    return ACME_OK;
}

enum acme_rc
acme_settings_declare(struct acme_settings *settings, const char *by,
    const struct acme_config *config, size_t lineage, time_t now,
    bool *changed, struct acme_error *err)
{
    const struct acme_lineage *wish = &config->lineage[lineage];
    struct acme_declaration one, *old;
    enum acme_rc rc;
    size_t i;

    rc = copy_declaration(settings->arena, config, wish, by, &one, err);
    if (rc != ACME_OK)
        return rc;
    i = find(settings, by);
    if (i == settings->ndeclared) {
        one.since = now;
        rc = add(settings, &one, err);
        if (rc == ACME_OK)
            *changed = true;
        time_hsts(settings, now);
        return rc;
    }
    old = &settings->declared[i];
    *changed = !same_wish(old, &one);
    one.since = old->since;
    *old = one;
    time_hsts(settings, now);
    return ACME_OK;
}

bool
acme_settings_forgets(const struct acme_settings *settings, const char *by)
{
    size_t i = find(settings, by);

    return i < settings->ndeclared && settings->declared[i].forgets;
}

bool
acme_settings_staples(const struct acme_settings *settings)
{
    size_t i;

    for (i = 0; i < settings->ndeclared; i++)
        if (settings->declared[i].stapling)
            return true;
    return false;
}

bool
acme_settings_withdraw(struct acme_settings *settings, const char *by)
{
    size_t i = find(settings, by);

    if (i == settings->ndeclared)
        return false;
    settings->ndeclared--;
    memmove(&settings->declared[i], &settings->declared[i + 1],
        (settings->ndeclared - i) * sizeof(*settings->declared));
    time_hsts(settings, settings->hsts_since);
    return true;
}

/* ---- what is wanted --------------------------------------------------- */

static bool
has_name(const char *const *names, size_t count, const char *name)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static enum acme_rc
unite_names(const struct acme_settings *settings, struct acme_arena *arena,
    struct acme_lineage *wanted, struct acme_error *err)
{
    const struct acme_declaration *one;
    size_t total = 0, count = 0, i, k;
    const char **names;

    for (i = 0; i < settings->ndeclared; i++)
        total += settings->declared[i].nnames;
    names = acme_arena_alloc(arena, (total + 1) * sizeof(*names));
    if (names == NULL)
        return acme_error_nomem(err);
    for (i = 0; i < settings->ndeclared; i++) {
        one = &settings->declared[i];
        for (k = 0; k < one->nnames; k++) {
            if (has_name(names, count, one->names[k]))
                continue;
            if (count == ACME_NAMES_MAX)
                return acme_error_set(err, ACME_CONFIG,
                    "more than %d names in one certificate", ACME_NAMES_MAX);
            names[count] = acme_arena_strdup(arena, one->names[k]);
            if (names[count++] == NULL)
                return acme_error_nomem(err);
        }
    }
    wanted->nnames = count;
    wanted->names = names;
    return ACME_OK;
}

/* The type in `wanted` that stands in the way of another one of its
 * algorithm; ACME_KEY_NONE: it is there now. */
static enum acme_key_type
unite_type(struct acme_lineage *wanted, enum acme_key_type type)
{
    size_t i;

    for (i = 0; i < wanted->ntypes; i++) {
        if (wanted->type[i] == type)
            return ACME_KEY_NONE;
        if (strcmp(acme_key_algorithm(wanted->type[i]),
                acme_key_algorithm(type)) == 0)
            return wanted->type[i];
    }
    if (wanted->ntypes < ACME_TYPES_MAX)
        wanted->type[wanted->ntypes++] = type;
    return ACME_KEY_NONE;
}

static const char *
conflict_text(struct acme_arena *arena, const struct acme_settings *settings,
    const struct acme_declaration *one, const char *what, const char *first,
    const char *other)
{
    char a[256], b[256], x[256], y[256];

    acme_log_clean(a, sizeof(a), settings->declared[0].by,
        strlen(settings->declared[0].by));
    acme_log_clean(b, sizeof(b), one->by, strlen(one->by));
    acme_log_clean(x, sizeof(x), first, strlen(first));
    acme_log_clean(y, sizeof(y), other, strlen(other));
    return acme_arena_printf(arena,
        "declared differently by %s and %s: %s %s and %s", a, b, what, x, y);
}

static const char *
csr_text(const struct acme_declaration *one)
{
    return one->csr_file != NULL ? one->csr_file : "none";
}

/* *text: the first contradiction; it counts that somebody wants something
 * else than what was there before. */
static enum acme_rc
unite_rest(const struct acme_settings *settings, struct acme_arena *arena,
    struct acme_lineage *wanted, const char **text, struct acme_error *err)
{
    const struct acme_issuer *first = &settings->declared[0].issuer;
    const struct acme_declaration *one;
    enum acme_key_type other;
    bool conflict = false;
    size_t i, k;

    for (i = 0; i < settings->ndeclared; i++) {
        one = &settings->declared[i];
        if (!conflict &&
            strcmp(first->directory, one->issuer.directory) != 0) {
            conflict = true;
            *text = conflict_text(arena, settings, one, "CA", first->directory,
                one->issuer.directory);
        }
        if (!conflict &&
            !acme_text_same(settings->declared[0].csr_file, one->csr_file)) {
            conflict = true;
            *text = conflict_text(arena, settings, one, "signing request",
                csr_text(&settings->declared[0]), csr_text(one));
        }
        for (k = 0; k < one->ntypes; k++) {
            other = unite_type(wanted, one->type[k]);
            if (other == ACME_KEY_NONE || conflict)
                continue;
            conflict = true;
            *text = conflict_text(arena, settings, one, "key",
                acme_key_type_name(other), acme_key_type_name(one->type[k]));
        }
    }
    return conflict && *text == NULL ? acme_error_nomem(err) : ACME_OK;
}

enum acme_rc
acme_settings_wanted(const struct acme_settings *settings,
    struct acme_arena *arena, struct acme_lineage *wanted,
    const char **conflict, struct acme_error *err)
{
    struct acme_lineage united;
    const char *text = NULL;
    enum acme_rc rc;

    memset(&united, 0, sizeof(united));
    rc = unite_names(settings, arena, &united, err);
    if (rc == ACME_OK && settings->ndeclared > 0) {
        united.must_staple = settings->declared[0].must_staple;
        united.reuse_key = settings->declared[0].reuse_key;
        united.allow_subset = settings->declared[0].allow_subset;
        united.timing = settings->declared[0].timing;
        rc = unite_rest(settings, arena, &united, &text, err);
        if (rc == ACME_OK && settings->declared[0].csr_file != NULL) {
            united.csr_file =
                acme_arena_strdup(arena, settings->declared[0].csr_file);
            if (united.csr_file == NULL)
                rc = acme_error_nomem(err);
        }
    }
    if (rc != ACME_OK)
        return rc;
    *wanted = united;
    *conflict = text;
    return ACME_OK;
}
