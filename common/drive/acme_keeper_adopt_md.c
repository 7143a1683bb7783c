/*
 * What Apache's mod_md has left: accounts by their CA, and of each domain the
 * certificate that was active with those before it, as a lineage's history.
 * Its layout is known to acme_md_store.h.
 */
#include <stdio.h>
#include <string.h>

#include "base/acme_log.h"
#include "drive/acme_keeper_private.h"

/* Names of domains in a line of the log. */
#define NAMES_SHOWN 10

/* ---- before the sandbox: bytes ---------------------------------------- */

static void
complain(const struct acme_keeper *keeper, const char *what,
    const struct acme_error *err)
{
    char line[ACME_LOG_LINE_MAX];

    acme_log(keeper->host, ACME_LOG_WARN,
        "%s taken over from mod_md's \"%s\""
        ": %s",
        what, keeper->config->adopt_md,
        acme_error_line(err, line, sizeof(line)));
}

static bool
lacks_account(struct acme_keeper *keeper, size_t issuer)
{
    return keeper->config->issuer[issuer].key_file == NULL &&
           !acme_adopt_has_account(keeper, issuer);
}

static bool
lacks_version(const struct acme_keeper *keeper, size_t lineage)
{
    return keeper->config->lineage[lineage].csr_file == NULL &&
           !acme_adopt_has_version(keeper, lineage);
}

static bool
lacks_any(struct acme_keeper *keeper)
{
    const struct acme_config *config = keeper->config;
    size_t i;

    for (i = 0; i < config->nissuers; i++)
        if (lacks_account(keeper, i))
            return true;
    for (i = 0; i < config->nlineages; i++)
        if (lacks_version(keeper, i))
            return true;
    return false;
}

/* What is not taken over of all of it is told once. */
static bool
is_first_start(const struct acme_keeper *keeper)
{
    size_t i;

    for (i = 0; i < keeper->config->nlineages; i++)
        if (acme_adopt_has_version(keeper, i))
            return false;
    return true;
}

/* A domain may have any of the names for its first. */
static void
read_lineage(struct acme_keeper *keeper, size_t i)
{
    const struct acme_lineage *lineage = &keeper->config->lineage[i];
    struct acme_error err;
    enum acme_rc rc;
    size_t k;

    for (k = 0; k < lineage->nnames; k++) {
        acme_error_clear(&err);
        rc = acme_md_store_read_domain(keeper->adopted_md, lineage->names[k],
            ACME_VERSIONS_KEPT - 1, &err);
        if (rc != ACME_OK && rc != ACME_NOENT)
            complain(keeper, "not all certificates", &err);
        if (acme_md_store_is_staged(keeper->adopted_md, lineage->names[k]))
            acme_log(keeper->host, ACME_LOG_WARN,
                "not taken over from mod_md's \"%s\": staging/%s, a renewal "
                "that waited for a restart; another user than root could have "
                "written it, so it is ordered again when it is due",
                keeper->config->adopt_md, lineage->names[k]);
    }
}

/* What stays there, and is no name of ours. */
static void
tell_others(struct acme_keeper *keeper)
{
    struct acme_dir_names names = { 0 };
    struct acme_error ignored;
    char line[ACME_LOG_LINE_MAX];
    size_t i, lineage, n = 0, len = 0;

    acme_error_clear(&ignored);
    (void)acme_md_store_domains(keeper->adopted_md, &names, &ignored);
    line[0] = '\0';
    for (i = 0; i < names.count; i++) {
        if (acme_config_find_name(keeper->config, names.name[i], &lineage))
            continue;
        if (n++ < NAMES_SHOWN && len < sizeof(line))
            len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%s",
                n > 1 ? ", " : "", names.name[i]);
    }
    if (n > 0)
        acme_log(keeper->host, ACME_LOG_NOTICE,
            "not taken over from mod_md's \"%s\": %zu of its domains, which "
            "are none of this configuration (%s%s)",
            keeper->config->adopt_md, n, line, n > NAMES_SHOWN ? ", ..." : "");
    acme_dir_names_free(&names);
}

void
acme_adopt_md_open(struct acme_keeper *keeper)
{
    const struct acme_config *config = keeper->config;
    struct acme_error err;
    enum acme_rc rc;
    size_t i;

    if (config->adopt_md == NULL || !lacks_any(keeper))
        return;
    acme_error_clear(&err);
    rc = acme_md_store_open(config->adopt_md, &keeper->adopted_md, &err);
    if (rc != ACME_OK) {
        if (rc != ACME_NOENT)
            complain(keeper, "nothing", &err);
        return;
    }
    if (acme_md_store_read_accounts(keeper->adopted_md, &err) != ACME_OK)
        complain(keeper, "no account", &err);
    for (i = 0; i < config->nlineages; i++)
        if (lacks_version(keeper, i))
            read_lineage(keeper, i);
    if (is_first_start(keeper))
        tell_others(keeper);
    acme_md_store_close(keeper->adopted_md);
}

/* ---- behind it: accounts ---------------------------------------------- */

/* One that an order with another binding, or none, must not use. */
static bool
is_account_of(const struct acme_keeper *keeper, size_t issuer,
    const struct acme_md_account *account)
{
    return account->valid &&
           strcmp(account->directory,
               keeper->config->issuer[issuer].directory) == 0 &&
           strcmp(account->eab_kid != NULL ? account->eab_kid : "",
               keeper->binding[issuer].binding.kid) == 0;
}

static void
adopt_account(struct acme_keeper *keeper, size_t issuer,
    const struct acme_md_account *account)
{
    const char *name = keeper->config->issuer[issuer].name;
    char line[ACME_LOG_LINE_MAX];
    struct acme_error err;
    bool taken = false;

    acme_error_clear(&err);
    if (acme_adopt_account(keeper, issuer, account->key, &taken, &err) !=
        ACME_OK)
        acme_log(keeper->host, ACME_LOG_WARN,
            "account \"%s\" not taken over from mod_md's \"%s\": %s",
            account->name, keeper->config->adopt_md,
            acme_error_line(&err, line, sizeof(line)));
    else if (taken)
        acme_log(keeper->host, ACME_LOG_NOTICE,
            "account \"%s\" taken over from mod_md's \"%s\", issuer \"%s\"",
            account->name, keeper->config->adopt_md, name);
}

void
acme_adopt_md_accounts(struct acme_keeper *keeper)
{
    struct acme_md_store *store = keeper->adopted_md;
    struct acme_md_account account;
    struct acme_error err;
    size_t i, k;

    for (k = 0; store != NULL && k < acme_md_store_accounts(store); k++) {
        acme_error_clear(&err);
        if (acme_md_store_account(store, k, &account, &err) != ACME_OK) {
            if (is_first_start(keeper))
                complain(keeper, "an account is not", &err);
            continue;
        }
        for (i = 0; i < keeper->config->nissuers; i++)
            if (lacks_account(keeper, i) && is_account_of(keeper, i, &account))
                adopt_account(keeper, i, &account);
        acme_md_account_clear(&account);
    }
}

/* ---- certificates ----------------------------------------------------- */

static enum acme_rc
parse(const struct acme_md_set *set, size_t i, struct acme_adopt_pair *pair,
    struct acme_error *err)
{
    enum acme_rc rc;

    memset(pair, 0, sizeof(*pair));
    rc = acme_md_set_pair(set, i, &pair->key, &pair->chain, err);
    return rc == ACME_OK ? acme_chain_leaf(pair->chain, &pair->leaf, err) : rc;
}

/* The first of a set that is good, of that type; first error otherwise. */
static bool
find_pair(struct acme_keeper *keeper, const struct acme_lineage *lineage,
    enum acme_key_type type, const struct acme_md_set *set,
    struct acme_adopt_pair *pair, struct acme_error *why)
{
    unsigned surplus;
    size_t i;

    for (i = 0; i < acme_md_set_pairs(set); i++) {
        if (parse(set, i, pair, why) == ACME_OK &&
            acme_adopt_check(keeper, lineage, type, pair, &surplus, why) ==
                ACME_OK)
            return true;
        acme_adopt_clear_pair(pair);
    }
    return false;
}

/* The current set of a domain that is called as one of the names. */
static const struct acme_md_set *
next_set(const struct acme_keeper *keeper, const struct acme_lineage *lineage,
    size_t *name)
{
    const struct acme_md_set *set = NULL;

    for (; set == NULL && *name < lineage->nnames; (*name)++)
        set = acme_md_store_set(keeper->adopted_md, lineage->names[*name], 0);
    return set;
}

static enum acme_rc
find_type(struct acme_keeper *keeper, const struct acme_lineage *lineage,
    enum acme_key_type type, struct acme_version *version,
    struct acme_error *err)
{
    const struct acme_md_set *set;
    struct acme_adopt_pair pair;
    char issuer[ACME_URL_MAX];
    char line[ACME_LOG_LINE_MAX];
    struct acme_error why;
    size_t name = 0;
    enum acme_rc rc;

    acme_error_clear(&why);
    while ((set = next_set(keeper, lineage, &name)) != NULL) {
        if (!find_pair(keeper, lineage, type, set, &pair, &why))
            continue;
        acme_md_set_issuer(set, issuer);
        rc = acme_adopt_add(&pair, issuer, version, err);
        if (rc == ACME_OK)
            acme_adopt_say(keeper, lineage, &pair, acme_md_set_path(set));
        acme_adopt_clear_pair(&pair);
        return rc;
    }
    if (why.rc != ACME_OK)
        acme_log(keeper->host, ACME_LOG_WARN,
            "certificate of lineage \"%s\" (%s) not taken over from mod_md's "
            "\"%s\", it is ordered: %s",
            lineage->name, acme_key_type_name(type), keeper->config->adopt_md,
            acme_error_line(&why, line, sizeof(line)));
    return ACME_OK;
}

/* Of each algorithm the first pair whose key is its own: it was good once. */
static enum acme_rc
add_archived(struct acme_keeper *keeper, const struct acme_lineage *lineage,
    const struct acme_md_set *set, struct acme_error *err)
{
    struct acme_version version;
    struct acme_adopt_pair pair;
    bool has[ACME_ALGORITHMS] = { false };
    char issuer[ACME_URL_MAX];
    struct acme_error why;
    enum acme_rc rc = ACME_OK;
    size_t i, algorithm;

    acme_version_init(&version);
    acme_md_set_issuer(set, issuer);
    for (i = 0; rc == ACME_OK && i < acme_md_set_pairs(set); i++) {
        acme_error_clear(&why);
        if (parse(set, i, &pair, &why) == ACME_OK &&
            acme_chain_matches(pair.chain, pair.key) &&
            acme_chain_check_links(pair.chain, &why) == ACME_OK) {
            algorithm = acme_key_algorithm_number(acme_key_type_of(pair.key));
            if (!has[algorithm])
                rc = acme_adopt_add(&pair, issuer, &version, err);
            has[algorithm] = true;
        }
        acme_adopt_clear_pair(&pair);
    }
    if (rc == ACME_OK && version.npairs > 0)
        rc = acme_store_version_add(keeper->store, lineage->name, &version,
            err);
    acme_version_clear(&version);
    return rc;
}

/* Oldest first, so that their numbers grow.  Once: a crash may have left
 * them. */
static enum acme_rc
add_history(struct acme_keeper *keeper, const struct acme_lineage *lineage,
    struct acme_error *err)
{
    const struct acme_md_store *store = keeper->adopted_md;
    unsigned number;
    size_t name, count = 0, n = 0;
    enum acme_rc rc;

    rc = acme_store_version_numbers(keeper->store, lineage->name, &number, 1,
        &n, err);
    if (rc != ACME_OK || n > 0)
        return rc;
    for (name = 0; name < lineage->nnames; name++)
        if (acme_md_store_set(store, lineage->names[name], 0) != NULL)
            break;
    if (name == lineage->nnames)
        return ACME_OK;
    while (acme_md_store_set(store, lineage->names[name], count + 1) != NULL)
        count++;
    for (; rc == ACME_OK && count > 0; count--)
        rc = add_archived(keeper, lineage,
            acme_md_store_set(store, lineage->names[name], count), err);
    return rc;
}

enum acme_rc
acme_adopt_md_find(struct acme_keeper *keeper,
    const struct acme_lineage *lineage, struct acme_version *version,
    struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    size_t k;

    for (k = 0; rc == ACME_OK && k < lineage->ntypes; k++)
        rc = find_type(keeper, lineage, lineage->type[k], version, err);
    if (rc == ACME_OK && version->npairs > 0)
        rc = add_history(keeper, lineage, err);
    return rc;
}
