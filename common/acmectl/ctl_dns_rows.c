/*
 * The rows of ctl_dns.h: out of the settings of lineages and the accounts,
 * without a network.
 */
#include "acmectl/ctl_dns.h"

#include <stdlib.h>
#include <string.h>

#include "base/acme_name.h"
#include "state/acme_dns_owner.h"
#include "state/acme_settings.h"
#include "state/acme_zone.h"

/* The longest line: what a TXT record can hold, escaped. */
#define LINE_MAX_BYTES (256 * 1024)

/* One name at one CA. */
struct place {
    struct ctl_dns *dns;
    struct acme_store *store;
    const char *name;
    const struct acme_issuer *issuer;
    const struct acme_proof *proof;
    const char *account; /* URL, or "" */
    bool wildcard;       /* itself, or one of the same domain beside it */
};

const char *
ctl_dns_type_name(unsigned type)
{
    return type == CTL_DNS_CAA
               ? "caa"
               : acme_challenge_name((enum acme_challenge_type)type);
}

static enum acme_rc
cannot(struct place *place, const char *what, const char *why)
{
    place->dns->code = ctl_fail(CTL_FAILED, "%s of \"%s\" at \"%s\": %s", what,
        place->name, place->issuer->name, why);
    return ACME_OK;
}

/* ---- accounts --------------------------------------------------------- */

struct own {
    const struct acme_store *store;
    const char *directory;
    char *url;
};

/* Of a key that is a file of the operator's: no key of ours. */
static enum acme_rc
take_own(void *ctx, const char *id, const struct acme_json *account,
    struct acme_error *err)
{
    struct own *own = ctx;
    const char *directory = acme_json_str(account, "directory");
    const char *url = acme_json_str(account, "url");
    struct acme_key *key = NULL;
    struct acme_error ignored;

    (void)err;
    acme_error_clear(&ignored);
    if (directory == NULL || url == NULL || strlen(url) >= ACME_URL_MAX ||
        strcmp(directory, own->directory) != 0)
        return ACME_OK;
    if (acme_store_key_read(own->store, id, &key, &ignored) == ACME_NOENT)
        strcpy(own->url, url);
    acme_key_unref(key);
    return ACME_OK;
}

static enum acme_rc
find_account(const struct place *place, char url[ACME_URL_MAX],
    struct acme_error *err)
{
    struct own own = { place->store, place->issuer->directory, url };
    struct acme_account_entry entry;
    struct acme_error why;
    enum acme_rc rc;

    url[0] = '\0';
    if (place->issuer->key_file != NULL)
        return acme_store_accounts(place->store, take_own, &own, err);
    acme_error_clear(&why);
    memset(&entry, 0, sizeof(entry));
    rc = acme_store_account(place->store, place->issuer, NULL, &entry, &why);
    if (rc == ACME_OK)
        memcpy(url, entry.url, ACME_URL_MAX);
    else if (rc != ACME_NOENT)
        *err = why;
    acme_account_entry_clear(&entry);
    return err->rc;
}

/* ---- rows ------------------------------------------------------------- */

static enum acme_rc
keep(struct ctl_dns *dns, struct ctl_dns_row *row, struct acme_error *err)
{
    struct ctl_dns_row **grown;
    size_t i;

    for (i = 0; i < dns->nrows; i++)
        if (strcmp(dns->row[i]->line, row->line) == 0)
            return ACME_OK;
    grown = realloc(dns->row, (dns->nrows + 1) * sizeof(*grown));
    if (grown == NULL)
        return acme_error_nomem(err);
    dns->row = grown;
    grown[dns->nrows++] = row;
    return ACME_OK;
}

static struct ctl_dns_row *
new_row(const struct place *place, unsigned type)
{
    struct ctl_dns_row *row =
        acme_arena_alloc(place->dns->arena, sizeof(*row));

    if (row == NULL)
        return NULL;
    row->type = type;
    row->name = place->name;
    row->ca = place->issuer->name;
    row->ttl = (unsigned)place->dns->ctl->ttl;
    row->proof = place->proof;
    return row;
}

/* A text that was built, into the arena; NULL: out of memory. */
static const char *
take_text(const struct place *place, struct acme_buf *text)
{
    const char *taken = NULL;

    if (acme_buf_ok(text))
        taken = acme_arena_strdup(place->dns->arena, acme_buf_str(text));
    acme_buf_clear(text);
    return taken;
}

/* With its line, out of what is known of it. */
static enum acme_rc
finish(const struct place *place, struct ctl_dns_row *row,
    struct acme_error *err)
{
    struct acme_buf line;

    acme_buf_init(&line, LINE_MAX_BYTES);
    if (row->value == NULL)
        acme_buf_addf(&line, "; %s. %u IN %s is made for each order",
            row->owner, row->ttl, row->rr);
    else if (row->tag != NULL)
        acme_zone_caa(&line, row->owner, row->ttl, row->tag, row->value);
    else if (strcmp(row->rr, "CNAME") == 0)
        acme_zone_cname(&line, row->owner, row->ttl, row->value);
    else
        acme_zone_txt(&line, row->owner, row->ttl, row->value,
            strlen(row->value));
    row->line = take_text(place, &line);
    if (row->line == NULL)
        return acme_error_nomem(err);
    return keep(place->dns, row, err);
}

/* RFC 8659 4.2, 4.3, RFC 8657: the methods are those that may be used. */
static enum acme_rc
add_caa(struct place *place, struct acme_error *err)
{
    static const struct acme_reach everywhere = { ACME_ARRIVAL_YES,
        ACME_ARRIVAL_YES };
    struct ctl_dns_row *row = new_row(place, CTL_DNS_CAA);
    bool wildcard = acme_name_is_wildcard(place->name);
    struct acme_buf value;

    if (row == NULL)
        return acme_error_nomem(err);
    row->owner = place->name + (wildcard ? strlen("*.") : 0);
    row->rr = "CAA";
    row->tag = wildcard ? "issuewild" : "issue";
    row->caa.issuer = acme_issuer_domain(place->issuer);
    row->caa.account = place->account;
    row->caa.nmethods =
        acme_proof_choose(place->proof, &everywhere, place->name, row->method);
    row->caa.method = row->method;
    acme_buf_init(&value, LINE_MAX_BYTES);
    acme_issue_caa(&row->caa, &value);
    row->value = take_text(place, &value);
    return row->value != NULL ? finish(place, row, err)
                              : acme_error_nomem(err);
}

static enum acme_rc
add_persist(struct place *place, struct ctl_dns_row *row,
    struct acme_error *err)
{
    struct acme_buf value;

    row->persist.issuer = acme_issuer_domain(place->issuer);
    row->persist.account = place->account;
    row->persist.wildcard = place->wildcard;
    row->persist.until = place->dns->until;
    acme_buf_init(&value, LINE_MAX_BYTES);
    acme_persist_render(&row->persist, &value);
    row->value = take_text(place, &value);
    return row->value != NULL ? finish(place, row, err)
                              : acme_error_nomem(err);
}

/* Into a zone that names may be delegated to, where the name is one that may
 * be changed (security S44). */
static enum acme_rc
add_alias(struct place *place, struct ctl_dns_row *row, const char *zone,
    struct acme_error *err)
{
    row->rr = "CNAME";
    row->value =
        acme_arena_printf(place->dns->arena, "%s.%s", row->owner, zone);
    if (row->value == NULL)
        return acme_error_nomem(err);
    if (strlen(row->value) > ACME_NAME_MAX)
        return cannot(place, ctl_dns_type_name(row->type),
            "the zone's name leaves no room for it");
    return finish(place, row, err);
}

static enum acme_rc
add_challenge(struct place *place, unsigned type, struct acme_error *err)
{
    struct ctl_dns_row *row = new_row(place, type);
    char owner[ACME_NAME_MAX + 1];
    struct acme_error why;

    if (row == NULL)
        return acme_error_nomem(err);
    acme_error_clear(&why);
    if (acme_dns_owner((enum acme_challenge_type)type, place->name,
            place->account, owner, &why) != ACME_OK)
        return cannot(place, ctl_dns_type_name(type), why.what);
    row->owner = acme_arena_strdup(place->dns->arena, owner);
    if (row->owner == NULL)
        return acme_error_nomem(err);
    row->rr = "TXT";
    if (type == ACME_DNS_PERSIST_01)
        return add_persist(place, row, err);
    if (place->proof->nzones > 0)
        return add_alias(place, row, place->proof->zone[0], err);
    return finish(place, row, err);
}

/* ---- which ------------------------------------------------------------ */

/* All that was asked for; otherwise what the configuration uses. */
static bool
is_wanted(const struct place *place, unsigned type)
{
    const struct acme_proof *proof = place->proof;
    size_t i;

    for (i = 0; i < CTL_DNS_TYPES; i++)
        if (place->dns->wanted[i])
            return place->dns->wanted[type];
    for (i = 0; i < proof->nchallenges; i++)
        if (proof->challenge[i] == type)
            return true;
    return type == CTL_DNS_CAA ||
           (type == ACME_DNS_01 && proof->nchallenges == 0 &&
               acme_proof_has_dns(proof));
}

/* What stands against it; NULL: nothing. */
static const char *
objection(const struct place *place, unsigned type)
{
    if (type == ACME_DNS_01)
        return NULL;
    if (place->account[0] == '\0')
        return "there is no account yet; it is made with the first order";
    if (!acme_issuer_has_account(place->issuer, place->account))
        return "the account's URL is not at the CA's own server";
    if (type != ACME_DNS_ACCOUNT_01 &&
        acme_issuer_domain(place->issuer) == NULL)
        return "the CA's domain name is not known here; say it with "
               "issuer_domain (ACMEIssuerDomain)";
    return NULL;
}

static enum acme_rc
add_place(struct place *place, struct acme_error *err)
{
    static const unsigned order[] = { CTL_DNS_CAA, ACME_DNS_01,
        ACME_DNS_ACCOUNT_01, ACME_DNS_PERSIST_01 };
    char account[ACME_URL_MAX];
    enum acme_rc rc;
    size_t i;

    if (acme_name_is_ip(place->name))
        return ACME_OK;
    rc = find_account(place, account, err);
    place->account = acme_arena_strdup(place->dns->arena, account);
    if (rc == ACME_OK && place->account == NULL)
        rc = acme_error_nomem(err);
    for (i = 0; i < sizeof(order) / sizeof(order[0]) && rc == ACME_OK; i++) {
        const char *why;

        if (!is_wanted(place, order[i]))
            continue;
        why = objection(place, order[i]);
        if (why != NULL)
            rc = cannot(place, ctl_dns_type_name(order[i]), why);
        else if (order[i] == CTL_DNS_CAA)
            rc = add_caa(place, err);
        else
            rc = add_challenge(place, order[i], err);
    }
    return rc;
}

/* ---- whose ------------------------------------------------------------ */

static bool
is_meant(struct ctl_dns *dns, const char *lineage, const char *name)
{
    const char *is = dns->by_name ? name : lineage;
    size_t i;

    for (i = 0; i < dns->asked.n; i++)
        if (strcmp(dns->asked.word[i], is) == 0)
            return dns->seen[i] = true;
    return dns->asked.n == 0;
}

static bool
has_wildcard(const struct acme_lineage *wanted, const char *name)
{
    size_t i;

    for (i = 0; i < wanted->nnames; i++)
        if (acme_name_is_wildcard(wanted->names[i]) &&
            strcmp(wanted->names[i] + strlen("*."), name) == 0)
            return true;
    return acme_name_is_wildcard(name);
}

static enum acme_rc
add_name(struct place *place, const struct acme_declaration *by,
    struct acme_error *err)
{
    struct acme_arena *arena = place->dns->arena;
    struct acme_issuer *issuer;
    struct acme_proof *proof = acme_arena_alloc(arena, sizeof(*proof));
    enum acme_rc rc = ACME_OK;
    size_t i;

    if (proof == NULL || !acme_proof_copy(arena, proof, &by->proof))
        return acme_error_nomem(err);
    place->name = acme_arena_strdup(arena, place->name);
    place->proof = proof;
    for (i = 0; i <= by->nfallbacks && rc == ACME_OK; i++) {
        issuer = acme_arena_alloc(arena, sizeof(*issuer));
        if (place->name == NULL || issuer == NULL ||
            !acme_issuer_copy(arena, issuer,
                i == 0 ? &by->issuer : &by->fallback[i - 1]))
            return acme_error_nomem(err);
        place->issuer = issuer;
        rc = add_place(place, err);
    }
    return rc;
}

static enum acme_rc
add_settings(struct place *place, const char *lineage,
    const struct acme_settings *settings, struct acme_error *err)
{
    struct acme_lineage wanted;
    const char *conflict = NULL;
    enum acme_rc rc;
    size_t i;

    rc = acme_settings_wanted(settings, place->dns->arena, &wanted, &conflict,
        err);
    for (i = 0; rc == ACME_OK && i < wanted.nnames; i++) {
        if (!is_meant(place->dns, lineage, wanted.names[i]))
            continue;
        place->name = wanted.names[i];
        place->wildcard = has_wildcard(&wanted, wanted.names[i]);
        rc = add_name(place, &settings->declared[0], err);
    }
    return rc;
}

static enum acme_rc
visit_lineage(void *ctx, const char *lineage, struct acme_error *err)
{
    struct place *place = ctx;
    struct acme_settings *settings = NULL;
    struct acme_error why;
    enum acme_rc rc = ACME_OK;

    acme_error_clear(&why);
    if (acme_store_settings_read(place->store, lineage, &settings, &why) ==
        ACME_OK)
        rc = add_settings(place, lineage, settings, err);
    else if (why.rc != ACME_NOENT)
        place->dns->code =
            ctl_fail(CTL_FAILED, "lineage \"%s\": %s", lineage, why.what);
    acme_settings_free(settings);
    return rc;
}

/* A name that nobody has yet may get its records before: at every CA. */
static enum acme_rc
visit_issuer(void *ctx, const struct acme_issuer *issuer,
    struct acme_error *err)
{
    struct place *place = ctx;
    struct acme_declaration by = { .issuer = *issuer };
    const char *name = place->name;
    enum acme_rc rc;

    acme_proof_init(&by.proof);
    rc = add_name(place, &by, err);
    place->name = name;
    return rc;
}

static enum acme_rc
add_new_names(struct place *place, struct acme_error *err)
{
    const struct ctl_dns *dns = place->dns;
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; dns->by_name && i < dns->asked.n && rc == ACME_OK; i++) {
        if (dns->seen[i])
            continue;
        place->name = dns->asked.word[i];
        place->wildcard = acme_name_is_wildcard(place->name);
        rc = ctl_each_issuer(place->store, visit_issuer, place, err);
    }
    return rc;
}

int
ctl_dns_collect(struct ctl_dns *dns, struct acme_store *store)
{
    struct place place = { .dns = dns, .store = store };
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_store_lineages(store, visit_lineage, &place, &err) != ACME_OK ||
        add_new_names(&place, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    return CTL_OK;
}
