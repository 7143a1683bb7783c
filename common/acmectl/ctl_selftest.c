/*
 * selftest: whether the CA would find the proof of names, as far as it can be
 * known here: by a store and an engine of our own, which ask the servers that
 * run, the addresses of the names and the DNS.  Orders nothing.
 */
#include "acmectl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drive/acme_host_check.h"
#include "drive/acme_service.h"
#include "state/acme_settings.h"
#include "wrap/acme_idn.h"

struct selftest {
    struct ctl *ctl;
    struct acme_store *store;
    struct acme_config *config; /* lineages that are declared */
    struct acme_arena *arena;
    bool found[CTL_WORDS_MAX]; /* of the names asked for */
    bool servers;
    struct acme_selftest_name *list;
    struct acme_preflight_row *row; /* of each; errors in the first text */
    bool *failed;
    size_t n;
};

/* ---- what there is ---------------------------------------------------- */

static bool
is_asked_for(struct selftest *selftest, const char *name)
{
    const struct ctl_words *names = &selftest->ctl->domains;
    bool is = names->n == 0;
    size_t i;

    for (i = 0; i < names->n; i++)
        if (strcmp(names->word[i], name) == 0)
            is = selftest->found[i] = true;
    return is;
}

static enum acme_rc
add_name(struct selftest *selftest, size_t lineage, const char *name,
    struct acme_error *err)
{
    struct acme_selftest_name *grown =
        realloc(selftest->list, (selftest->n + 1) * sizeof(*grown));

    if (grown == NULL)
        return acme_error_nomem(err);
    selftest->list = grown;
    grown[selftest->n].lineage = lineage;
    grown[selftest->n].name = acme_arena_strdup(selftest->arena, name);
    if (grown[selftest->n].name == NULL)
        return acme_error_nomem(err);
    selftest->n++;
    return ACME_OK;
}

/* Its issuer; fallbacks would see the same. */
static enum acme_rc
add_lineage(struct selftest *selftest, const char *name,
    const struct acme_declaration *by, struct acme_lineage *wanted,
    struct acme_error *err)
{
    struct acme_config *config = selftest->config;
    enum acme_rc rc =
        acme_config_share_issuer(config, &by->issuer, &wanted->issuer, err);
    size_t index, i;

    wanted->name = name;
    wanted->proof = &by->proof;
    wanted->nfallbacks = 0;
    if (rc == ACME_OK)
        rc = acme_config_add_lineage(config, wanted, &index, err);
    for (i = 0; i < wanted->nnames && rc == ACME_OK; i++)
        if (is_asked_for(selftest, wanted->names[i]))
            rc = add_name(selftest, index, wanted->names[i], err);
    return rc;
}

static enum acme_rc
visit_lineage(void *ctx, const char *name, struct acme_error *err)
{
    struct selftest *selftest = ctx;
    struct acme_settings *settings = NULL;
    struct acme_lineage wanted;
    struct acme_error own;
    const char *conflict = NULL;
    enum acme_rc rc;

    acme_error_clear(&own);
    memset(&wanted, 0, sizeof(wanted));
    if (selftest->ctl->cert_name != NULL &&
        strcmp(selftest->ctl->cert_name, name) != 0)
        return ACME_OK;
    rc = acme_store_settings_read(selftest->store, name, &settings, &own);
    if (rc == ACME_OK && settings->ndeclared > 0) {
        rc = acme_settings_wanted(settings, selftest->arena, &wanted,
            &conflict, &own);
        if (rc == ACME_OK && conflict == NULL)
            rc = add_lineage(selftest, name, &settings->declared[0], &wanted,
                &own);
    }
    acme_settings_free(settings);
    if (rc == ACME_NOMEM)
        return acme_error_nomem(err);
    if (rc != ACME_OK)
        (void)ctl_fail(CTL_FAILED, "%s: %s", name, own.what);
    return ACME_OK;
}

/* As they are written. */
static int
find(struct selftest *selftest)
{
    struct ctl *ctl = selftest->ctl;
    struct acme_error err;
    int code = ctl_operands_are_domains(ctl);
    size_t i;

    if (code == CTL_OK)
        code = ctl_read_domains(ctl);
    if (code != CTL_OK)
        return code;
    acme_error_clear(&err);
    if (ctl_add_servers(selftest->store, selftest->config, &selftest->servers,
            &err) != ACME_OK ||
        acme_store_lineages(selftest->store, visit_lineage, selftest, &err) !=
            ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    for (i = 0; i < ctl->domains.n; i++)
        if (!selftest->found[i])
            code = ctl_fail(CTL_FAILED,
                "no certificate is to have \"%s\"; acmectl certificates "
                "lists them",
                ctl->domains.word[i]);
    if (code == CTL_OK && selftest->n == 0)
        code = ctl_fail(CTL_FAILED, "there is no name to look at");
    if (code == CTL_OK && !selftest->servers)
        (void)fprintf(stderr,
            "acmectl: no server runs on this state directory: whether one "
            "answers for the names is seen at their addresses alone\n");
    return code;
}

/* ---- doing it --------------------------------------------------------- */

static void
on_done(void *ctx, size_t i, bool ok, const char *text)
{
    struct selftest *selftest = ctx;
    struct acme_preflight_row *row;

    if (i >= selftest->n)
        return;
    row = &selftest->row[i];
    row->name = selftest->list[i].name;
    if (ok && acme_selftest_parse(text, row))
        return;
    selftest->failed[i] = true;
    (void)snprintf(row->check[0].text, sizeof(row->check[0].text), "%s", text);
}

static int
work(struct selftest *selftest)
{
    struct acme_server server = { .ctx = selftest->ctl, .log = ctl_log };
    struct acme_selftest_work names = { selftest->n, selftest->list };
    struct acme_service_work work = { .selftest = &names,
        .done = on_done,
        .ctx = selftest };
    const unsigned other = geteuid() == 0 ? 65534 : 0;
    struct acme_error err;

    acme_error_clear(&err);
    selftest->row = calloc(selftest->n, sizeof(*selftest->row));
    selftest->failed = calloc(selftest->n, sizeof(bool));
    if (selftest->row == NULL || selftest->failed == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    if (acme_config_finish(selftest->config, &err) == ACME_OK &&
        acme_host_engine_user(selftest->config, NULL, other, other, &err) ==
            ACME_OK)
        (void)acme_service_run_once(selftest->config, &server, &work, &err);
    return err.rc == ACME_OK ? CTL_OK : ctl_fail(CTL_FAILED, "%s", err.what);
}

/* ---- the table -------------------------------------------------------- */

static enum acme_verdict
verdict_of(const struct selftest *selftest, size_t i)
{
    if (selftest->failed[i] || !selftest->row[i].provable)
        return ACME_VERDICT_BAD;
    return acme_preflight_worst(&selftest->row[i]);
}

static const char *
challenge_of(const struct selftest *selftest, size_t i)
{
    return !selftest->failed[i] && selftest->row[i].provable
               ? acme_challenge_name(selftest->row[i].type)
               : "-";
}

static void
print_row(const struct selftest *selftest, size_t i, int width)
{
    const struct acme_preflight_row *row = &selftest->row[i];
    size_t k;

    (void)printf("%-*s  %-15s", width, row->name, challenge_of(selftest, i));
    for (k = 0; k < ACME_CHECKS; k++)
        (void)printf("%-*s", k == ACME_CHECK_REACH ? 14 : 9,
            selftest->failed[i] ? "-"
                                : acme_verdict_name(row->check[k].verdict));
    (void)printf("%s\n", acme_verdict_name(verdict_of(selftest, i)));
}

/* What is not good, and why. */
static void
print_reasons(const struct selftest *selftest, size_t i)
{
    const struct acme_preflight_row *row = &selftest->row[i];
    const bool all = selftest->ctl->verbose;
    size_t k;

    if (selftest->failed[i])
        (void)printf("%s: %s\n", row->name, row->check[0].text);
    else if (!row->provable)
        (void)printf("%s: no challenge can prove it here\n", row->name);
    for (k = 0; k < ACME_CHECKS && !selftest->failed[i]; k++)
        if (row->check[k].verdict > ACME_VERDICT_GOOD ||
            (all && row->check[k].verdict == ACME_VERDICT_GOOD))
            (void)printf("%s: %s: %s\n", row->name,
                acme_check_name((enum acme_check)k), row->check[k].text);
}

static void
print_table(const struct selftest *selftest)
{
    int width = (int)strlen("name");
    size_t i, len;

    for (i = 0; i < selftest->n; i++) {
        len = strlen(selftest->list[i].name);
        if ((int)len > width)
            width = (int)len;
    }
    (void)printf("%-*s  %-15s%-9s%-14s%-9s%-9s%s\n", width, "name",
        "challenge", "binding", "reachability", "CAA", "DNSSEC", "verdict");
    for (i = 0; i < selftest->n; i++)
        print_row(selftest, i, width);
    for (i = 0; i < selftest->n; i++)
        print_reasons(selftest, i);
}

static struct acme_json *
render_row(const struct selftest *selftest, size_t i)
{
    static const char *const names[] = { "binding", "reachability", "caa",
        "dnssec" };
    const struct acme_preflight_row *row = &selftest->row[i];
    struct acme_json *json = acme_json_object(), *check;
    size_t k;

    acme_json_set_str(json, "name", row->name);
    acme_json_set_str(json, "lineage",
        selftest->config->lineage[selftest->list[i].lineage].name);
    acme_json_set_str(json, "verdict",
        acme_verdict_name(verdict_of(selftest, i)));
    if (selftest->failed[i]) {
        acme_json_set_str(json, "error", row->check[0].text);
        return json;
    }
    if (row->provable)
        acme_json_set_str(json, "challenge", acme_challenge_name(row->type));
    for (k = 0; k < ACME_CHECKS; k++) {
        if (row->check[k].verdict == ACME_VERDICT_NONE)
            continue;
        check = acme_json_object();
        acme_json_set_str(check, "verdict",
            acme_verdict_name(row->check[k].verdict));
        acme_json_set_str(check, "text", row->check[k].text);
        acme_json_set(json, names[k], check);
    }
    return json;
}

static int
print(const struct selftest *selftest)
{
    struct acme_json *list;
    int code = CTL_OK;
    size_t i;

    for (i = 0; i < selftest->n; i++)
        if (verdict_of(selftest, i) == ACME_VERDICT_BAD)
            code = CTL_FAILED;
    if (selftest->ctl->json) {
        list = acme_json_array();
        for (i = 0; i < selftest->n; i++)
            acme_json_append(list, render_row(selftest, i));
        (void)ctl_print_json(list);
    } else if (!selftest->ctl->quiet || code != CTL_OK) {
        print_table(selftest);
    }
    return code;
}

/* ---- the verb --------------------------------------------------------- */

static int
run(struct selftest *selftest)
{
    int code = find(selftest);

    if (code == CTL_OK)
        code = work(selftest);
    return code == CTL_OK ? print(selftest) : code;
}

int
ctl_selftest(struct ctl *ctl)
{
    struct selftest selftest = { .ctl = ctl };
    int code = ctl_open_one(ctl, &selftest.store);

    if (code != CTL_OK)
        return code;
    selftest.config = acme_config_new(ctl->state[0], "acmectl", "selftest");
    selftest.arena = acme_arena_new();
    code = selftest.config != NULL && selftest.arena != NULL
               ? run(&selftest)
               : ctl_fail(CTL_FAILED, "out of memory");
    free(selftest.list);
    free(selftest.row);
    free(selftest.failed);
    acme_arena_free(selftest.arena);
    acme_config_free(selftest.config);
    acme_store_close(selftest.store);
    return code;
}
