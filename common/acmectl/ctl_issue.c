/*
 * issue: a certificate for names, with a lineage that acmectl declares.  Which
 * lineage is meant, if none is named, the names say; nothing that a server
 * declares is changed.
 */
#include "acmectl/ctl_issue.h"
#include "acmectl/ctl_answer.h"
#include "acmectl/ctl_lineage.h"
#include "acmectl/ctl_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_name.h"
#include "state/acme_match.h"

#define NUMBERS_MAX 1000

struct issuance {
    struct ctl *ctl;
    struct acme_store *store;
    struct acme_match_names wanted;
    struct acme_match match;
    size_t nlineages;                /* looked at so far */
    const char *base;                /* of a new lineage's name, which is */
    bool taken[NUMBERS_MAX];         /* that, or BASE-0001, ... */
    char name[ACME_LINEAGE_MAX + 1]; /* of the lineage that is meant */
    struct acme_settings *settings;  /* its own; NULL: none */
    struct acme_arena *names;        /* of what it has */
    struct acme_match_names has;
    struct ctl_wish wish;
};

/* ---- lineages that there are ------------------------------------------ */

/* Of a lineage that nobody wants any more: those of its certificate. */
static enum acme_rc
read_certificate_names(struct acme_store *store, const char *name,
    struct acme_arena *arena, struct acme_match_names *names,
    struct acme_error *err)
{
    struct acme_version version;
    struct acme_chain *chain = NULL;
    struct acme_error ignored;
    struct acme_buf lines;
    enum acme_rc rc = ACME_OK;

    acme_error_clear(&ignored);
    acme_version_init(&version);
    acme_buf_init(&lines, ACME_STATE_JSON_MAX);
    if (acme_store_live_read(store, name, &version, &ignored) == ACME_OK &&
        acme_chain_from_der(version.pair[0].chain.data,
            version.pair[0].chain.len, &chain, &ignored) == ACME_OK &&
        acme_chain_names(chain, &lines, &ignored) == ACME_OK)
        rc = ctl_names_of_lines(arena, acme_buf_str(&lines), names, err);
    acme_buf_clear(&lines);
    acme_chain_free(chain);
    acme_version_clear(&version);
    return rc;
}

/* The names that a lineage is to have, or else has; settings that cannot be
 * read are as good as none. */
static enum acme_rc
read_names(struct acme_store *store, const char *name,
    struct acme_arena *arena, struct acme_match_names *names,
    struct acme_error *err)
{
    struct acme_settings *settings = NULL;
    struct acme_lineage wanted;
    struct acme_error ignored;
    const char *conflict;

    memset(names, 0, sizeof(*names));
    memset(&wanted, 0, sizeof(wanted));
    acme_error_clear(&ignored);
    if (acme_store_settings_read(store, name, &settings, &ignored) ==
            ACME_OK &&
        acme_settings_wanted(settings, arena, &wanted, &conflict, &ignored) ==
            ACME_OK) {
        names->n = wanted.nnames;
        names->name = wanted.names;
    }
    acme_settings_free(settings);
    return names->n > 0
               ? ACME_OK
               : read_certificate_names(store, name, arena, names, err);
}

/* Whether it is BASE, or which of BASE-0001, ... it is; -1: none. */
static int
number_of(const char *name, const char *base)
{
    size_t len = strlen(base);

    if (strncmp(name, base, len) != 0)
        return -1;
    if (name[len] == '\0')
        return 0;
    if (name[len] != '-' || strlen(name + len) != strlen("-0001") ||
        strspn(name + len + 1, "0123456789") != strlen("0001"))
        return -1;
    return atoi(name + len + 1);
}

static enum acme_rc
look(void *ctx, const char *name, struct acme_error *err)
{
    struct issuance *issuance = ctx;
    const char *named = issuance->ctl->cert_name;
    struct acme_arena *arena = acme_arena_new();
    struct acme_match_names has;
    size_t before = issuance->match.index;
    enum acme_match_kind kind = issuance->match.kind;
    int number = number_of(name, issuance->base);
    enum acme_rc rc;

    if (arena == NULL)
        return acme_error_nomem(err);
    if (number >= 0 && number < NUMBERS_MAX)
        issuance->taken[number] = true;
    rc = read_names(issuance->store, name, arena, &has, err);
    if (rc == ACME_OK)
        acme_match_look(&issuance->match, issuance->nlineages++, &has,
            &issuance->wanted, named != NULL,
            named != NULL && strcmp(named, name) == 0);
    acme_arena_free(arena);
    if (issuance->match.kind != kind || issuance->match.index != before)
        (void)snprintf(issuance->name, sizeof(issuance->name), "%s", name);
    return rc;
}

/* ---- which one is meant ----------------------------------------------- */

/* "" : there are too many. */
static void
make_name(struct issuance *issuance)
{
    size_t i = 0;

    issuance->name[0] = '\0';
    while (i < NUMBERS_MAX && issuance->taken[i])
        i++;
    if (i == 0)
        (void)snprintf(issuance->name, sizeof(issuance->name), "%s",
            issuance->base);
    else if (i < NUMBERS_MAX)
        (void)snprintf(issuance->name, sizeof(issuance->name), "%.*s-%04zu",
            ACME_LINEAGE_MAX - 5, issuance->base, i);
}

/* The declaration that acmectl itself has made; NULL: there is none. */
static const struct acme_declaration *
find_own(const struct issuance *issuance)
{
    const struct acme_settings *settings = issuance->settings;
    size_t i;

    for (i = 0; settings != NULL && i < settings->ndeclared; i++)
        if (strcmp(settings->declared[i].by, CTL_DECLARER) == 0)
            return &settings->declared[i];
    return NULL;
}

/* A server that wants it; NULL: none does. */
static const char *
find_server(const struct issuance *issuance)
{
    const struct acme_settings *settings = issuance->settings;
    size_t i;

    for (i = 0; settings != NULL && i < settings->ndeclared; i++)
        if (strcmp(settings->declared[i].by, CTL_DECLARER) != 0)
            return settings->declared[i].by;
    return NULL;
}

static int
read_settings(struct issuance *issuance)
{
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = acme_store_settings_read(issuance->store, issuance->name,
        &issuance->settings, &err);
    if (rc == ACME_OK || rc == ACME_NOENT) {
        acme_error_clear(&err);
        rc = read_names(issuance->store, issuance->name, issuance->names,
            &issuance->has, &err);
    }
    return rc == ACME_OK ? CTL_OK : ctl_fail(CTL_FAILED, "%s", err.what);
}

/* "+b.test -c.test", of what is had and what is wanted. */
static void
tell_change(const struct acme_match_names *has,
    const struct acme_match_names *wanted, char *text, size_t size)
{
    struct acme_match_names one = { 1, NULL };
    size_t i, n = 0;

    text[0] = '\0';
    for (i = 0; i < wanted->n && n < size; i++) {
        one.name = &wanted->name[i];
        if (!acme_match_covers(has, &one))
            n += (size_t)snprintf(text + n, size - n, " +%s", *one.name);
    }
    for (i = 0; i < has->n && n < size; i++) {
        one.name = &has->name[i];
        if (!acme_match_covers(wanted, &one))
            n += (size_t)snprintf(text + n, size - n, " -%s", *one.name);
    }
}

/* Whether its names may change: the option says so, or somebody who is
 * asked. */
static int
may_change(const struct issuance *issuance)
{
    const struct ctl *ctl = issuance->ctl;
    const bool expands = issuance->match.kind == ACME_MATCH_EXPANDS;
    const char *server = find_server(issuance);
    char change[512], question[1024];

    if (server != NULL)
        return ctl_fail(CTL_FAILED,
            "the names of \"%s\" are those of %s: change them there, or have "
            "another lineage with --duplicate",
            issuance->name, server);
    if (expands ? ctl->expand || ctl->force : ctl->renew_with_new_domains)
        return CTL_OK;
    tell_change(&issuance->has, &issuance->wanted, change, sizeof(change));
    (void)snprintf(question, sizeof(question),
        "\"%s\" is to have other names:%s", issuance->name, change);
    return ctl_ask_yes(ctl,
        expands ? "--expand (or --duplicate, for a certificate of its own)"
                : "--renew-with-new-domains",
        question);
}

/* A certificate that people trust is not replaced by one that nobody does. */
static int
may_be_tested(const struct issuance *issuance)
{
    struct acme_version version;
    struct acme_error ignored;
    bool trusted = false;

    if (issuance->ctl->break_my_certs || issuance->ctl->dry_run ||
        !acme_issuer_is_test(issuance->wish.issuer.directory))
        return CTL_OK;
    acme_error_clear(&ignored);
    acme_version_init(&version);
    if (acme_store_live_read(issuance->store, issuance->name, &version,
            &ignored) == ACME_OK)
        trusted = !acme_issuer_is_test(version.pair[0].origin.issuer);
    acme_version_clear(&version);
    return !trusted ? CTL_OK
                    : ctl_fail(CTL_FAILED,
                          "\"%s\" has a certificate that clients trust; one "
                          "of %s, a CA for tests, may replace it with "
                          "--break-my-certs only",
                          issuance->name, issuance->wish.issuer.name);
}

static int
find_lineage(struct issuance *issuance)
{
    struct ctl *ctl = issuance->ctl;
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_store_lineages(issuance->store, look, issuance, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    if (ctl->duplicate)
        issuance->match.kind = ACME_MATCH_NEW;
    if (issuance->match.kind != ACME_MATCH_NEW)
        return read_settings(issuance);
    if (issuance->wanted.n == 0)
        return ctl_fail(CTL_USAGE,
            "there is no lineage \"%s\"; a new one needs its names, with -d",
            ctl->cert_name);
    if (ctl->duplicate || ctl->cert_name == NULL)
        make_name(issuance);
    else
        (void)snprintf(issuance->name, sizeof(issuance->name), "%s",
            ctl->cert_name);
    return issuance->name[0] != '\0'
               ? CTL_OK
               : ctl_fail(CTL_FAILED, "there are %d lineages \"%s\" already",
                     NUMBERS_MAX, issuance->base);
}

/* ---- the order -------------------------------------------------------- */

/* Where names go that it has, no order is due by itself. */
static bool
drops_names(const struct issuance *issuance)
{
    return issuance->match.kind == ACME_MATCH_OTHER &&
           !acme_match_covers(&issuance->wanted, &issuance->has);
}

static int
order(struct issuance *issuance)
{
    struct ctl *ctl = issuance->ctl;
    struct ctl_order order = { .ctl = ctl,
        .store = issuance->store,
        .wish = &issuance->wish,
        .name = issuance->name,
        .nnames = issuance->wanted.n,
        .names = issuance->wanted.name,
        .force = ctl->force || drops_names(issuance) };
    int code = ctl_order_run(&order);

    ctl_order_tell(&order, order.name, ctl->json ? acme_json_object() : NULL);
    return code;
}

/* ---- the verb --------------------------------------------------------- */

/* What a server has is renewed by it, as acmectl renew would ask it to. */
static int
ask_server(struct issuance *issuance)
{
    struct ctl *ctl = issuance->ctl;

    ctl->cert_names.n = 1;
    ctl->cert_names.word[0] = ctl->cert_name = issuance->name;
    if (!ctl->dry_run)
        ctl->server = NULL; /* it is the server's that counts */
    return ctl_renew(ctl);
}

static int
issue(struct issuance *issuance)
{
    const struct acme_declaration *own;
    int code = find_lineage(issuance);

    if (code != CTL_OK)
        return code;
    own = find_own(issuance);
    if (issuance->match.kind == ACME_MATCH_OTHER ||
        issuance->match.kind == ACME_MATCH_EXPANDS)
        code = may_change(issuance);
    if (code == CTL_OK && find_server(issuance) != NULL)
        return ask_server(issuance);
    if (code == CTL_OK)
        code = ctl_wish_make(issuance->ctl, own, &issuance->wish);
    if (code == CTL_OK)
        code = may_be_tested(issuance);
    if (issuance->wanted.n == 0)
        issuance->wanted = issuance->has;
    return code == CTL_OK ? order(issuance) : code;
}

static int
check_usage(struct issuance *issuance)
{
    struct ctl *ctl = issuance->ctl;
    struct acme_error err;
    int code = ctl_webroot_domains(ctl);

    if (code == CTL_OK)
        code = ctl_read_domains(ctl);
    if (code != CTL_OK)
        return code;
    if (ctl->cert_path != NULL || ctl->chain_path != NULL ||
        ctl->fullchain_path != NULL)
        return ctl_fail(CTL_USAGE,
            "--cert-path, --chain-path and --fullchain-path go with --csr; "
            "the files of a lineage are below live/, and export copies them");
    if (ctl->domains.n == 0 && ctl->cert_name == NULL)
        return ctl_fail(CTL_USAGE,
            "issue needs the names of the certificate, with -d");
    if (ctl->duplicate && ctl->domains.n == 0)
        return ctl_fail(CTL_USAGE, "--duplicate needs the names, with -d");
    issuance->wanted.n = ctl->domains.n;
    issuance->wanted.name = ctl->domains.word;
    issuance->base =
        ctl->cert_name != NULL ? ctl->cert_name : ctl->domains.word[0];
    if (ctl->cert_name == NULL && acme_name_is_wildcard(issuance->base))
        issuance->base += strlen("*.");
    acme_error_clear(&err);
    if (acme_lineage_name_check(issuance->base, &err) != ACME_OK)
        return ctl_fail(CTL_USAGE, "%s", err.what);
    return CTL_OK;
}

int
ctl_issue(struct ctl *ctl)
{
    struct issuance *issuance =
        acme_arena_alloc(ctl->arena, sizeof(*issuance));
    int code;

    if (ctl->csr != NULL)
        return ctl_issue_csr(ctl);
    if (issuance == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    issuance->ctl = ctl;
    issuance->names = ctl->arena;
    code = check_usage(issuance);
    if (code == CTL_OK)
        code = ctl_open_new(ctl, &issuance->store);
    if (code == CTL_OK)
        code = ctl_server_known(ctl, issuance->store);
    if (code == CTL_OK)
        code = issue(issuance);
    acme_settings_free(issuance->settings);
    acme_store_close(issuance->store);
    return code;
}
