#include "state/acme_config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_arena.h"
#include "base/acme_buf.h"
#include "base/acme_name.h"
#include "base/acme_text.h"
#include "wrap/acme_url.h"

#define NONE SIZE_MAX

/* Room for the "-NNNN" of a name that another lineage has already. */
#define SUFFIX_MAX 8

/* An open-addressed hash table from a text to an index.  Everything in it
 * was written by the administrator: nobody else can fill it with collisions,
 * requests only look up. */
struct entry {
    const char *key; /* NULL: free */
    uint64_t hash;
    size_t value;  /* NONE: the key was given back */
    unsigned next; /* suffix to try first, so that thousands of lineages with
                      one first name do not count from 1 each time */
};

struct table {
    struct entry *entry;
    size_t size; /* a power of two, never more than half full */
    size_t used;
};

/* Policies of many lineages: each different one once. */
struct shelf {
    struct table table; /* all that was said -> place */
    const void **kept;
    size_t n, room;
};

struct acme_config_index {
    struct table lineage;    /* lineage name -> lineage */
    struct table definition; /* what is asked for -> first such lineage */
    struct table wildcard;   /* "*.parent" -> first lineage */
    struct table wanted;     /* identifier -> first lineage; by finish */
    struct made *made;       /* one per lineage */
    struct shelf proof, hooks;
    /* Room in the arrays. */
    size_t issuers, lineages, mades, thumbprints;
};

/* How a lineage came about. */
struct made {
    const char *definition;
    bool automatic; /* its name was our choice */
};

/* ---- the table -------------------------------------------------------- */

static uint64_t
hash_text(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash ^ hash >> 32;
}

static struct entry *
table_slot(const struct table *table, const char *key, uint64_t hash)
{
    size_t mask = table->size - 1;
    size_t i = (size_t)hash & mask;

    while (table->entry[i].key != NULL &&
           (table->entry[i].hash != hash ||
               strcmp(table->entry[i].key, key) != 0))
        i = (i + 1) & mask;
    return &table->entry[i];
}

static struct entry *
table_find(const struct table *table, const char *key)
{
    struct entry *entry;

    if (table->size == 0)
        return NULL;
    entry = table_slot(table, key, hash_text(key));
    return entry->key == NULL ? NULL : entry;
}

static size_t
table_get(const struct table *table, const char *key)
{
    const struct entry *entry = table_find(table, key);

    return entry == NULL ? NONE : entry->value;
}

/* Makes room, so that up to `more` calls of table_put() cannot fail. */
static bool
table_reserve(struct acme_arena *arena, struct table *table, size_t more)
{
    struct table wider = { NULL, table->size ? table->size : 64, table->used };
    size_t i;

    if ((table->used + more) * 2 <= table->size)
        return true;
    while ((table->used + more) * 2 > wider.size)
        wider.size *= 2;
    wider.entry = acme_arena_alloc(arena, wider.size * sizeof(*wider.entry));
    if (wider.entry == NULL)
        return false;
    for (i = 0; i < table->size; i++)
        if (table->entry[i].key != NULL)
            *table_slot(&wider, table->entry[i].key, table->entry[i].hash) =
                table->entry[i];
    *table = wider;
    return true;
}

/* Borrows `key`. */
static void
table_put(struct table *table, const char *key, size_t value)
{
    uint64_t hash = hash_text(key);
    struct entry *entry = table_slot(table, key, hash);

    if (entry->key == NULL) {
        entry->key = key;
        entry->hash = hash;
        table->used++;
    }
    entry->value = value;
}

/* ---- the whole -------------------------------------------------------- */

/* The array with room for one more element, NULL: out of memory.  The arena
 * keeps what was outgrown, together less than what is in use. */
static void *
grow(struct acme_arena *arena, void *array, size_t n, size_t *room,
    size_t size)
{
    size_t more = *room ? *room * 2 : 8;
    void *wider;

    if (n < *room)
        return array;
    wider = acme_arena_alloc(arena, more * size);
    if (wider == NULL)
        return NULL;
    if (n > 0)
        memcpy(wider, array, n * size);
    *room = more;
    return wider;
}

struct acme_config *
acme_config_new(const char *state_dir, const char *server,
    const char *instance)
{
    struct acme_arena *arena = acme_arena_new();
    struct acme_config *config = NULL;

    if (arena == NULL)
        return NULL;
    config = acme_arena_alloc(arena, sizeof(*config));
    if (config == NULL)
        goto failed;
    config->arena = arena;
    config->index = acme_arena_alloc(arena, sizeof(*config->index));
    config->state_dir = state_dir;
    config->server = server;
    config->instance = instance;
    if (config->index == NULL ||
        !acme_arena_own(arena, &config->state_dir, 1) ||
        !acme_arena_own(arena, &config->server, 1) ||
        !acme_arena_own(arena, &config->instance, 1))
        goto failed;
    return config;

failed:
    acme_arena_free(arena);
    return NULL;
}

void
acme_config_free(struct acme_config *config)
{
    if (config != NULL)
        acme_arena_free(config->arena);
}

bool
acme_config_adopt_md(struct acme_config *config, const char *path)
{
    config->adopt_md = path;
    return acme_arena_own(config->arena, &config->adopt_md, 1);
}

size_t
acme_lineage_cas(const struct acme_lineage *lineage)
{
    return lineage->nfallbacks + 1;
}

size_t
acme_lineage_issuer(const struct acme_lineage *lineage, size_t ca)
{
    return ca == 0 || ca > lineage->nfallbacks ? lineage->issuer
                                               : lineage->fallback[ca - 1];
}

size_t
acme_lineage_ca(const struct acme_lineage *lineage, size_t issuer)
{
    size_t i;

    for (i = 0; i < lineage->nfallbacks; i++)
        if (lineage->fallback[i] == issuer)
            return i + 1;
    return 0;
}

enum acme_key_type
acme_lineage_type(const struct acme_lineage *lineage, size_t algorithm)
{
    size_t i;

    for (i = 0; i < lineage->ntypes; i++)
        if (acme_key_algorithm_number(lineage->type[i]) == algorithm)
            return lineage->type[i];
    return ACME_KEY_NONE;
}

/* ---- issuers ---------------------------------------------------------- */

bool
acme_config_find_issuer(const struct acme_config *config, const char *name,
    size_t *index)
{
    size_t i;

    for (i = 0; i < config->nissuers; i++)
        if (strcmp(config->issuer[i].name, name) == 0) {
            *index = i;
            return true;
        }
    return false;
}

static enum acme_rc
check_directory(const struct acme_issuer *issuer, struct acme_error *err)
{
    struct acme_url url;

    if (issuer->directory == NULL || issuer->directory[0] == '\0')
        return acme_error_set(err, ACME_CONFIG,
            "issuer \"%s\" has no directory URL; give the https URL of the "
            "CA's ACME directory",
            issuer->name);
    if (acme_url_parse(issuer->directory, ACME_CONFIG, &url, err) != ACME_OK)
        return acme_error_wrap(err,
            "issuer \"%s\" needs the https URL of "
            "its CA's ACME directory, or one of the short names %s",
            issuer->name, acme_issuer_short_names);
    return ACME_OK;
}

/*
 * Whoever can pose as an unverified CA gets messages signed by its account
 * key; the same key at another CA would let him act there (security S34).
 * Issuers without a key_file are kept apart by the store.
 */
static enum acme_rc
check_shared_key(const struct acme_config *config,
    const struct acme_issuer *issuer, struct acme_error *err)
{
    size_t i;

    for (i = 0; issuer->key_file != NULL && i < config->nissuers; i++) {
        const struct acme_issuer *other = &config->issuer[i];

        if (other->key_file == NULL || (other->verify && issuer->verify) ||
            strcmp(other->key_file, issuer->key_file) != 0)
            continue;
        return acme_error_set(err, ACME_CONFIG,
            "issuers \"%s\" and \"%s\" share the account key \"%s\", but the "
            "server of \"%s\" is not verified and could misuse it at the "
            "other; give one of them its own key, or turn verification on",
            other->name, issuer->name, issuer->key_file,
            issuer->verify ? other->name : issuer->name);
    }
    return ACME_OK;
}

static enum acme_rc
check_issuer(const struct acme_config *config,
    const struct acme_issuer *issuer, struct acme_error *err)
{
    enum acme_rc rc;

    if (issuer->name == NULL || issuer->name[0] == '\0')
        return acme_error_set(err, ACME_CONFIG, "an issuer has no name");
    if (config->nissuers >= ACME_ISSUERS_MAX)
        return acme_error_set(err, ACME_CONFIG,
            "issuer \"%s\" is one too many: %d are allowed", issuer->name,
            ACME_ISSUERS_MAX);
    if (issuer->ncontacts > ACME_CONTACTS_MAX)
        return acme_error_set(err, ACME_CONFIG,
            "issuer \"%s\" has %zu contacts; %d are allowed", issuer->name,
            issuer->ncontacts, ACME_CONTACTS_MAX);
    rc = check_directory(issuer, err);
    return rc != ACME_OK ? rc : check_shared_key(config, issuer, err);
}

static enum acme_rc
add_issuer(struct acme_config *config, const struct acme_issuer *issuer,
    size_t *index, struct acme_error *err)
{
    struct acme_issuer copy, *array;
    enum acme_rc rc;

    rc = check_issuer(config, issuer, err);
    if (rc != ACME_OK)
        return rc;
    array = grow(config->arena, config->issuer, config->nissuers,
        &config->index->issuers, sizeof(copy));
    if (array == NULL)
        return acme_error_nomem(err);
    config->issuer = array;
    if (!acme_issuer_copy(config->arena, &copy, issuer))
        return acme_error_nomem(err);
    config->issuer[config->nissuers] = copy;
    *index = config->nissuers++;
    return ACME_OK;
}

enum acme_rc
acme_config_add_issuer(struct acme_config *config,
    const struct acme_issuer *issuer, size_t *index, struct acme_error *err)
{
    size_t taken;

    if (issuer->name != NULL &&
        acme_config_find_issuer(config, issuer->name, &taken))
        return acme_error_set(err, ACME_CONFIG,
            "issuer \"%s\" is defined twice; remove or rename one",
            issuer->name);
    return add_issuer(config, issuer, index, err);
}

enum acme_rc
acme_config_share_issuer(struct acme_config *config,
    const struct acme_issuer *issuer, size_t *index, struct acme_error *err)
{
    size_t i;

    for (i = 0; i < config->nissuers; i++)
        if (acme_issuer_equal(&config->issuer[i], issuer)) {
            *index = i;
            return ACME_OK;
        }
    return add_issuer(config, issuer, index, err);
}

/* ---- thumbprints ------------------------------------------------------ */

static enum acme_rc
append_thumbprint(struct acme_config *config,
    const struct acme_thumbprint *thumbprint, struct acme_error *err)
{
    struct acme_thumbprint copy = *thumbprint, *array;

    array = grow(config->arena, config->thumbprint, config->nthumbprints,
        &config->index->thumbprints, sizeof(copy));
    if (array == NULL)
        return acme_error_nomem(err);
    config->thumbprint = array;
    if (!acme_arena_own(config->arena, &copy.value, 1) ||
        !acme_arena_own(config->arena, &copy.file, 1))
        return acme_error_nomem(err);
    array[config->nthumbprints++] = copy;
    return ACME_OK;
}

enum acme_rc
acme_config_add_thumbprint(struct acme_config *config,
    const struct acme_thumbprint *thumbprint, size_t *index,
    struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    size_t i;

    if (thumbprint->value != NULL)
        rc = acme_thumbprint_check(thumbprint->value, err);
    for (i = 0; rc == ACME_OK && i < config->nthumbprints; i++)
        if (acme_text_same(config->thumbprint[i].value, thumbprint->value) &&
            acme_text_same(config->thumbprint[i].file, thumbprint->file))
            break;
    if (rc == ACME_OK && i == ACME_THUMBPRINTS_MAX)
        rc = acme_error_set(err, ACME_CONFIG,
            "one thumbprint too many: %d are allowed", ACME_THUMBPRINTS_MAX);
    if (rc == ACME_OK && i == config->nthumbprints)
        rc = append_thumbprint(config, thumbprint, err);
    if (rc == ACME_OK)
        *index = i;
    return rc;
}

bool
acme_config_has_thumbprint_file(const struct acme_config *config)
{
    size_t i;

    for (i = 0; i < config->nthumbprints; i++)
        if (config->thumbprint[i].file != NULL)
            return true;
    return false;
}

bool
acme_config_runs_programs(const struct acme_config *config)
{
    size_t i;

    for (i = 0; i < config->nlineages; i++)
        if (config->lineage[i].proof->command.kind != ACME_COMMAND_NONE ||
            config->lineage[i].proof->answer.by == ACME_ANSWERER_WEBROOT ||
            config->lineage[i].proof->answer.by == ACME_ANSWERER_MANUAL ||
            config->lineage[i].hooks->directories ||
            acme_hooks_any(config->lineage[i].hooks))
            return true;
    return false;
}

/* ---- lineages --------------------------------------------------------- */

static enum acme_rc
check_types(const struct acme_lineage *lineage, struct acme_error *err)
{
    size_t i, j;

    if (lineage->ntypes == 0 || lineage->ntypes > ACME_TYPES_MAX)
        return acme_error_set(err, ACME_CONFIG,
            "a certificate for \"%s\" has %zu key types; 1 to %d are allowed",
            lineage->names[0], lineage->ntypes, ACME_TYPES_MAX);
    for (i = 1; i < lineage->ntypes; i++)
        for (j = 0; j < i; j++)
            if (strcmp(acme_key_algorithm(lineage->type[i]),
                    acme_key_algorithm(lineage->type[j])) == 0)
                return acme_error_set(err, ACME_CONFIG,
                    "a certificate for \"%s\" has two %s keys, %s and %s; "
                    "only one key of each algorithm can be served",
                    lineage->names[0], acme_key_algorithm(lineage->type[i]),
                    acme_key_type_name(lineage->type[j]),
                    acme_key_type_name(lineage->type[i]));
    return ACME_OK;
}

static enum acme_rc
check_issuers(const struct acme_config *config,
    const struct acme_lineage *lineage, struct acme_error *err)
{
    size_t i, j;

    if (lineage->issuer >= config->nissuers)
        return acme_error_set(err, ACME_CONFIG,
            "a certificate for \"%s\" has no issuer", lineage->names[0]);
    if (lineage->nfallbacks > ACME_FALLBACKS_MAX)
        return acme_error_set(err, ACME_CONFIG,
            "a certificate for \"%s\" has %zu issuers; %d are allowed",
            lineage->names[0], lineage->nfallbacks + 1,
            ACME_FALLBACKS_MAX + 1);
    for (i = 0; i < lineage->nfallbacks; i++) {
        bool twice = lineage->fallback[i] == lineage->issuer;

        for (j = 0; j < i; j++)
            twice |= lineage->fallback[i] == lineage->fallback[j];
        if (twice || lineage->fallback[i] >= config->nissuers)
            return acme_error_set(err, ACME_CONFIG,
                "a certificate for \"%s\" names an issuer twice; name each "
                "once",
                lineage->names[0]);
    }
    return ACME_OK;
}

/* Found here, as the CA would refuse each order. */
static enum acme_rc
check_staple(const struct acme_config *config,
    const struct acme_lineage *lineage, struct acme_error *err)
{
    const struct acme_issuer *issuer = &config->issuer[lineage->issuer];
    size_t i;

    if (!lineage->must_staple)
        return ACME_OK;
    for (i = 0; acme_issuer_staples(issuer) && i < lineage->nfallbacks; i++)
        issuer = &config->issuer[lineage->fallback[i]];
    if (acme_issuer_staples(issuer))
        return ACME_OK;
    return acme_error_set(err, ACME_CONFIG,
        "the CA \"%s\" issues no certificates with must-staple (Let's Encrypt "
        "ended it in 2025); turn acme_must_staple or ACMEMustStaple off for "
        "\"%s\", or name another CA",
        issuer->name, lineage->names[0]);
}

/* A wildcard that is left out is most of the certificate. */
static enum acme_rc
check_subset(const struct acme_lineage *lineage, struct acme_error *err)
{
    size_t i;

    for (i = 0; lineage->allow_subset && i < lineage->nnames; i++) {
        if (strncmp(lineage->names[i], "*.", 2) == 0)
            return acme_error_set(err, ACME_CONFIG,
                "a certificate with the wildcard \"%s\" cannot do without "
                "names; turn acme_allow_subset or ACMEAllowSubset off for it",
                lineage->names[i]);
    }
    return ACME_OK;
}

/* What would need the key, or another request. */
static enum acme_rc
check_csr(const struct acme_lineage *lineage, struct acme_error *err)
{
    if (lineage->csr_file == NULL)
        return ACME_OK;
    if (lineage->ntypes != 1)
        return acme_error_set(err, ACME_CONFIG,
            "the signing request \"%s\" is for one key; configure no others",
            lineage->csr_file);
    if (lineage->reuse_key)
        return acme_error_set(err, ACME_CONFIG,
            "the key of the signing request \"%s\" is not ours to keep; turn "
            "acme_reuse_key or ACMEReuseKey off",
            lineage->csr_file);
    if (lineage->allow_subset)
        return acme_error_set(err, ACME_CONFIG,
            "the signing request \"%s\" is for all of its names; turn "
            "acme_allow_subset or ACMEAllowSubset off",
            lineage->csr_file);
    return ACME_OK;
}

/* A record that is published once names the CA, and nobody but the operator is
 * asked what it is called. */
static enum acme_rc
check_domains(const struct acme_config *config,
    const struct acme_lineage *lineage, const struct acme_proof *proof,
    const char *name, struct acme_error *err)
{
    enum acme_challenge_type type[ACME_CHALLENGE_TYPES];
    const struct acme_issuer *issuer;
    size_t i;

    if (acme_proof_choose(proof, &config->reach, name, type) != 1 ||
        type[0] != ACME_DNS_PERSIST_01)
        return ACME_OK;
    for (i = 0; i < acme_lineage_cas(lineage); i++) {
        issuer = &config->issuer[acme_lineage_issuer(lineage, i)];
        if (acme_issuer_domain(issuer) == NULL)
            return acme_error_set(err, ACME_CONFIG,
                "\"%s\" cannot be proved to \"%s\": dns-persist-01 needs the "
                "domain name of the CA, which is not known here; take it from "
                "the CA's documentation and say it with issuer_domain "
                "(ACMEIssuerDomain)",
                name, issuer->name);
    }
    return ACME_OK;
}

static enum acme_rc
check_names(const struct acme_config *config,
    const struct acme_lineage *lineage, const struct acme_proof *proof,
    struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < lineage->nnames && rc == ACME_OK; i++) {
        rc = acme_proof_check(proof, &config->reach, lineage->names[i], err);
        if (rc == ACME_OK)
            rc = check_domains(config, lineage, proof, lineage->names[i], err);
    }
    return rc;
}

static enum acme_rc
check_lineage(const struct acme_config *config,
    const struct acme_lineage *lineage, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;

    if (lineage->nnames == 0)
        return acme_error_set(err, ACME_CONFIG,
            "certificate \"%s\" has no "
            "names; give at least one host name",
            lineage->name == NULL ? "" : lineage->name);
    if (lineage->nnames > ACME_NAMES_MAX)
        return acme_error_set(err, ACME_CONFIG,
            "a certificate for \"%s\" has %zu names; %d are allowed (most "
            "CAs allow 100)",
            lineage->names[0], lineage->nnames, ACME_NAMES_MAX);
    rc = check_issuers(config, lineage, err);
    if (rc == ACME_OK)
        rc = check_staple(config, lineage, err);
    if (rc == ACME_OK)
        rc = check_subset(lineage, err);
    if (rc == ACME_OK)
        rc = check_csr(lineage, err);
    if (rc == ACME_OK && lineage->name != NULL)
        rc = acme_lineage_name_check(lineage->name, err);
    return rc != ACME_OK ? rc : check_types(lineage, err);
}

/* A name and its place in the order given. */
struct name {
    const char *text;
    size_t at;
};

static int
by_text(const void *a, const void *b)
{
    const struct name *x = a;
    const struct name *y = b;
    int order = strcmp(x->text, y->text);

    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

static int
by_place(const void *a, const void *b)
{
    const struct name *x = a;
    const struct name *y = b;

    return (x->at > y->at) - (x->at < y->at);
}

/* The names, sorted; one given twice, as nginx's server_name may be, is kept
 * where it stands first.  NULL: out of memory. */
static struct name *
sort_names(const struct acme_lineage *lineage, size_t *n)
{
    struct name *name = malloc(lineage->nnames * sizeof(*name));
    size_t i, kept = 0;

    if (name == NULL)
        return NULL;
    for (i = 0; i < lineage->nnames; i++) {
        name[i].text = lineage->names[i];
        name[i].at = i;
    }
    qsort(name, lineage->nnames, sizeof(*name), by_text);
    for (i = 0; i < lineage->nnames; i++)
        if (kept == 0 || strcmp(name[kept - 1].text, name[i].text) != 0)
            name[kept++] = name[i];
    *n = kept;
    return name;
}

/* The same text for equal ones: all that was said. */
static void
describe_proof(const struct acme_proof *proof, struct acme_buf *out)
{
    struct acme_proof_words words;
    size_t item, i;

    for (item = 0; item < ACME_PROOF_ITEMS; item++) {
        if ((proof->said & 1u << item) == 0)
            continue;
        acme_buf_addf(out, "%zu", item);
        acme_proof_get(proof, (enum acme_proof_item)item, &words);
        for (i = 0; i < words.n; i++)
            acme_buf_addf(out, " %zu:%s", strlen(words.word[i]),
                words.word[i]);
        acme_buf_add_str(out, "\n");
    }
}

static void *
copy_proof(struct acme_arena *arena, const void *proof)
{
    struct acme_proof *copy = acme_arena_alloc(arena, sizeof(*copy));

    return copy != NULL && acme_proof_copy(arena, copy, proof) ? copy : NULL;
}

/* The same for hooks. */
static void
describe_hooks(const struct acme_hooks *hooks, struct acme_buf *out)
{
    struct acme_json *json = acme_hooks_render(hooks);
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (json == NULL ||
        acme_json_render(json, false, out, &ignored) != ACME_OK)
        out->failed = true;
    acme_json_free(json);
}

static void *
copy_hooks(struct acme_arena *arena, const void *hooks)
{
    struct acme_hooks *copy = acme_arena_alloc(arena, sizeof(*copy));

    return copy != NULL && acme_hooks_copy(arena, copy, hooks) ? copy : NULL;
}

static enum acme_rc
add_to_shelf(struct acme_arena *arena, struct shelf *shelf, const char *text,
    const void *policy,
    void *(*copy)(struct acme_arena *arena, const void *policy),
    struct acme_error *err)
{
    const void **kept, *copied;
    char *key;

    kept = grow(arena, shelf->kept, shelf->n, &shelf->room, sizeof(*kept));
    copied = copy(arena, policy);
    key = acme_arena_strdup(arena, text);
    if (kept == NULL || copied == NULL || key == NULL ||
        !table_reserve(arena, &shelf->table, 1))
        return acme_error_nomem(err);
    shelf->kept = kept;
    kept[shelf->n] = copied;
    table_put(&shelf->table, key, shelf->n++);
    return ACME_OK;
}

/* The number of the one in the configuration that is equal, of which `text`
 * says all. */
static enum acme_rc
keep(struct acme_arena *arena, struct shelf *shelf, struct acme_buf *text,
    const void *policy,
    void *(*copy)(struct acme_arena *arena, const void *policy),
    size_t *number, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;

    if (!acme_buf_ok(text)) {
        rc = acme_error_nomem(err);
    } else {
        *number = table_get(&shelf->table, acme_buf_str(text));
        if (*number == NONE) {
            *number = shelf->n;
            rc = add_to_shelf(arena, shelf, acme_buf_str(text), policy, copy,
                err);
        }
    }
    acme_buf_clear(text);
    return rc;
}

/* Places of a lineage's policies. */
struct policies {
    size_t proof, hooks;
};

static enum acme_rc
keep_policies(struct acme_config *config, const struct acme_proof *proof,
    const struct acme_hooks *hooks, struct policies *at,
    struct acme_error *err)
{
    struct acme_config_index *index = config->index;
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    describe_proof(proof, &text);
    rc = keep(config->arena, &index->proof, &text, proof, copy_proof,
        &at->proof, err);
    if (rc != ACME_OK)
        return rc;
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    describe_hooks(hooks, &text);
    return keep(config->arena, &index->hooks, &text, hooks, copy_hooks,
        &at->hooks, err);
}

/* The same text for equal lineages: issuers, key types as a set, flags,
 * policies, sorted names.  NULL: out of memory. */
static char *
define(struct acme_arena *arena, const struct acme_lineage *lineage,
    const struct policies *at, const struct name *sorted, size_t n)
{
    const struct acme_timing *when = &lineage->timing;
    char head[384], *text, *to;
    unsigned types = 0;
    size_t i, len;

    for (i = 0; i < lineage->ntypes; i++)
        types |= 1u << lineage->type[i];
    len = (size_t)snprintf(head, sizeof(head),
        "%x %d%d%d %x:%d:%u:%u:%u:%u:%u:%u:%u %zu %zu %zu", types,
        lineage->must_staple, lineage->reuse_key, lineage->allow_subset,
        when->said, (int)when->mode, when->window_percent, when->window,
        when->check_interval, when->initial_delay, when->retry_delay,
        when->retry_failover, when->activation_delay, at->proof, at->hooks,
        lineage->issuer);
    for (i = 0; i < lineage->nfallbacks; i++)
        len += (size_t)snprintf(head + len, sizeof(head) - len, ",%zu",
            lineage->fallback[i]);
    len++;
    if (lineage->csr_file != NULL)
        len += strlen(lineage->csr_file) + 1;
    for (i = 0; i < n; i++)
        len += strlen(sorted[i].text) + 1;
    text = acme_arena_alloc(arena, len);
    if (text == NULL)
        return NULL;
    to = stpcpy(text, head);
    if (lineage->csr_file != NULL) {
        *to++ = ' ';
        to = stpcpy(to, lineage->csr_file);
    }
    for (i = 0; i < n; i++) {
        *to++ = ' ';
        to = stpcpy(to, sorted[i].text);
    }
    return text;
}

/* NULL: out of memory. */
static const char *const *
copy_names(struct acme_arena *arena, struct name *name, size_t n)
{
    const char **copy = acme_arena_alloc(arena, n * sizeof(*copy));
    size_t i;

    qsort(name, n, sizeof(*name), by_place);
    if (copy == NULL)
        return NULL;
    for (i = 0; i < n; i++)
        copy[i] = name[i].text;
    return acme_arena_own(arena, copy, n) ? copy : NULL;
}

/*
 * A free name made of the first identifier, as Certbot would: "*." dropped,
 * cut to leave room for "-0001", "-0002", ... NULL: out of memory.
 */
static char *
choose_name(struct acme_config *config, const char *first)
{
    const struct table *taken = &config->index->lineage;
    struct entry *base;
    char *name;

    if (strncmp(first, "*.", 2) == 0)
        first += 2;
    name = acme_arena_strndup(config->arena, first,
        strnlen(first, ACME_LINEAGE_MAX - SUFFIX_MAX));
    if (name == NULL || table_get(taken, name) == NONE)
        return name;
    base = table_find(taken, name);
    do
        name = acme_arena_printf(config->arena, "%s-%04u", base->key,
            ++base->next);
    while (name != NULL && table_get(taken, name) != NONE);
    return name;
}

/* Gives lineage i a name of the arena that nobody else has. */
static void
put_name(struct acme_config *config, size_t i, const char *name)
{
    struct table *names = &config->index->lineage;
    const char *old = config->lineage[i].name;

    if (old != NULL && table_get(names, old) == i)
        table_put(names, old, NONE);
    table_put(names, name, i);
    config->lineage[i].name = name;
}

/*
 * The lineage that the new one is the same as, NONE if it is new.  One that
 * the administrator named shares with those of that name or of no name, never
 * with one of another name.
 */
static enum acme_rc
find_equal(const struct acme_config *config,
    const struct acme_lineage *lineage, const char *definition, size_t *equal,
    struct acme_error *err)
{
    const struct acme_config_index *index = config->index;
    size_t found = table_get(&index->definition, definition);
    size_t holder;

    if (lineage->name != NULL) {
        holder = table_get(&index->lineage, lineage->name);
        if (holder != NONE &&
            strcmp(index->made[holder].definition, definition) == 0)
            found = holder;
        else if (holder != NONE && !index->made[holder].automatic)
            return acme_error_set(err, ACME_CONFIG,
                "certificate name \"%s\" has two definitions, for \"%s\" "
                "and for \"%s\"; make their issuers, names and key types "
                "the same, or give one of them another name",
                lineage->name, config->lineage[holder].names[0],
                lineage->names[0]);
        else if (found != NONE && !index->made[found].automatic)
            found = NONE;
    }
    *equal = found;
    return ACME_OK;
}

/* Makes lineage i bear the administrator's name; the one who bears it now,
 * if any, was given it by us and gets another.  False: out of memory. */
static bool
name_explicitly(struct acme_config *config, size_t i, const char *name)
{
    size_t holder = table_get(&config->index->lineage, name);
    char *copy, *other;

    if (holder != i) {
        copy = acme_arena_strdup(config->arena, name);
        if (copy == NULL)
            return false;
        if (holder != NONE) {
            other = choose_name(config, config->lineage[holder].names[0]);
            if (other == NULL)
                return false;
            put_name(config, holder, other);
        }
        put_name(config, i, copy);
    }
    config->index->made[i].automatic = false;
    return true;
}

/* Room for one more lineage, so that the rest need not undo anything. */
static bool
reserve(struct acme_config *config)
{
    struct acme_config_index *index = config->index;
    struct acme_lineage *lineage;
    struct made *made;

    lineage = grow(config->arena, config->lineage, config->nlineages,
        &index->lineages, sizeof(*lineage));
    if (lineage == NULL)
        return false;
    config->lineage = lineage;
    made = grow(config->arena, index->made, config->nlineages, &index->mades,
        sizeof(*made));
    if (made == NULL)
        return false;
    index->made = made;
    return table_reserve(config->arena, &index->lineage, 2) &&
           table_reserve(config->arena, &index->definition, 1);
}

/* Appends a lineage, named by us if `lineage` has no name.  False: out of
 * memory. */
static bool
index_wildcards(struct acme_config *config, size_t i)
{
    const struct acme_lineage *lineage = &config->lineage[i];
    struct table *table = &config->index->wildcard;
    size_t k;

    for (k = 0; k < lineage->nnames; k++) {
        if (!acme_name_is_wildcard(lineage->names[k]) ||
            table_get(table, lineage->names[k]) != NONE)
            continue;
        if (!table_reserve(config->arena, table, 1))
            return false;
        table_put(table, lineage->names[k], i);
    }
    return true;
}

static bool
append(struct acme_config *config, const struct acme_lineage *lineage,
    const struct policies *at, const char *definition, struct name *name,
    size_t n)
{
    struct acme_config_index *index = config->index;
    size_t i = config->nlineages;
    struct acme_lineage *added = &config->lineage[i];
    const char *chosen;

    *added = *lineage;
    added->proof = index->proof.kept[at->proof];
    added->hooks = index->hooks.kept[at->hooks];
    added->name = NULL;
    added->nnames = n;
    added->names = copy_names(config->arena, name, n);
    if (added->names == NULL ||
        !acme_arena_own(config->arena, &added->csr_file, 1) ||
        !acme_arena_own(config->arena, &added->csr_pem, 1))
        return false;
    index->made[i].definition = definition;
    index->made[i].automatic = true;
    if (lineage->name != NULL) {
        if (!name_explicitly(config, i, lineage->name))
            return false;
    } else {
        chosen = choose_name(config, added->names[0]);
        if (chosen == NULL)
            return false;
        put_name(config, i, chosen);
    }
    if (table_get(&index->definition, definition) == NONE)
        table_put(&index->definition, definition, i);
    if (!index_wildcards(config, i))
        return false;
    config->nlineages++;
    return true;
}

enum acme_rc
acme_config_add_lineage(struct acme_config *config,
    const struct acme_lineage *lineage, size_t *index, struct acme_error *err)
{
    const struct acme_proof *proof = lineage->proof;
    const struct acme_hooks *hooks = lineage->hooks;
    struct acme_proof no_proof;
    struct acme_hooks no_hooks;
    struct policies at;
    struct name *sorted = NULL;
    char *definition = NULL;
    size_t n = 0, found = NONE;
    enum acme_rc rc;

    acme_proof_init(&no_proof);
    acme_hooks_init(&no_hooks);
    if (proof == NULL)
        proof = &no_proof;
    if (hooks == NULL)
        hooks = &no_hooks;
    rc = check_lineage(config, lineage, err);
    if (rc == ACME_OK)
        rc = check_names(config, lineage, proof, err);
    if (rc == ACME_OK)
        rc = keep_policies(config, proof, hooks, &at, err);
    if (rc != ACME_OK)
        return rc;
    sorted = sort_names(lineage, &n);
    if (sorted != NULL)
        definition = define(config->arena, lineage, &at, sorted, n);
    if (definition == NULL || !reserve(config)) {
        rc = acme_error_nomem(err);
        goto done;
    }
    rc = find_equal(config, lineage, definition, &found, err);
    if (rc != ACME_OK)
        goto done;
    if (found == NONE) {
        found = config->nlineages;
        if (!append(config, lineage, &at, definition, sorted, n))
            rc = acme_error_nomem(err);
    } else if (lineage->name != NULL &&
               !name_explicitly(config, found, lineage->name)) {
        rc = acme_error_nomem(err);
    }
    if (rc == ACME_OK) {
        config->lineage[found].stapling |= lineage->stapling;
        *index = found;
    }

done:
    free(sorted);
    return rc;
}

bool
acme_config_is_unnamed(const struct acme_config *config, size_t lineage)
{
    return config->index->made[lineage].automatic;
}

enum acme_rc
acme_config_rename(struct acme_config *config, size_t lineage,
    const char *name, struct acme_error *err)
{
    if (!table_reserve(config->arena, &config->index->lineage, 2) ||
        !name_explicitly(config, lineage, name))
        return acme_error_nomem(err);
    config->index->made[lineage].automatic = true;
    return ACME_OK;
}

enum acme_rc
acme_config_finish(struct acme_config *config, struct acme_error *err)
{
    struct table *wanted = &config->index->wanted;
    size_t i, j, total = 0;

    for (i = 0; i < config->nlineages; i++)
        total += config->lineage[i].nnames;
    if (!table_reserve(config->arena, wanted, total))
        return acme_error_nomem(err);
    for (i = 0; i < config->nlineages; i++)
        for (j = 0; j < config->lineage[i].nnames; j++)
            if (table_find(wanted, config->lineage[i].names[j]) == NULL)
                table_put(wanted, config->lineage[i].names[j], i);
    return ACME_OK;
}

static bool
look_up(const struct table *table, const char *key, size_t *lineage)
{
    size_t found = table_get(table, key);

    if (found == NONE)
        return false;
    *lineage = found;
    return true;
}

/* ---- wildcards -------------------------------------------------------- */

static bool
has_type(const struct acme_lineage *lineage, enum acme_key_type type)
{
    size_t i;

    for (i = 0; i < lineage->ntypes; i++)
        if (lineage->type[i] == type)
            return true;
    return false;
}

static bool
covers_name(const struct acme_lineage *lineage, const char *name)
{
    size_t i;

    for (i = 0; i < lineage->nnames; i++)
        if (acme_name_covers(lineage->names[i], name))
            return true;
    return false;
}

static bool
covers(const struct acme_lineage *wide, const struct acme_lineage *narrow)
{
    size_t i;

    if (wide->issuer != narrow->issuer ||
        wide->nfallbacks != narrow->nfallbacks ||
        wide->must_staple != narrow->must_staple)
        return false;
    for (i = 0; i < narrow->nfallbacks; i++)
        if (wide->fallback[i] != narrow->fallback[i])
            return false;
    for (i = 0; i < narrow->ntypes; i++)
        if (!has_type(wide, narrow->type[i]))
            return false;
    for (i = 0; i < narrow->nnames; i++)
        if (!covers_name(wide, narrow->names[i]))
            return false;
    return true;
}

bool
acme_config_find_wildcard(const struct acme_config *config,
    const struct acme_lineage *lineage, size_t *index)
{
    char wildcard[ACME_NAME_MAX + 2];
    const char *rest;
    size_t i;

    for (i = 0; i < lineage->nnames; i++) {
        rest = strchr(lineage->names[i], '.');
        if (rest == NULL || acme_name_is_ip(lineage->names[i]))
            continue;
        (void)snprintf(wildcard, sizeof(wildcard), "*%s", rest);
        if (look_up(&config->index->wildcard, wildcard, index) &&
            covers(&config->lineage[*index], lineage))
            return true;
    }
    return false;
}

bool
acme_config_find_lineage(const struct acme_config *config, const char *name,
    size_t *lineage)
{
    return look_up(&config->index->lineage, name, lineage);
}

bool
acme_config_find_name(const struct acme_config *config, const char *name,
    size_t *lineage)
{
    return look_up(&config->index->wanted, name, lineage);
}

bool
acme_config_find_host(const struct acme_config *config, const char *host,
    size_t len, size_t *lineage)
{
    char name[ACME_NAME_MAX + 1], wildcard[ACME_NAME_MAX + 2];
    const char *rest;

    if (!acme_name_from_host(host, len, name))
        return false;
    if (acme_config_find_name(config, name, lineage))
        return true;
    rest = strchr(name, '.');
    if (rest == NULL || acme_name_is_ip(name))
        return false;
    (void)snprintf(wildcard, sizeof(wildcard), "*%s", rest);
    return acme_config_find_name(config, wildcard, lineage);
}
