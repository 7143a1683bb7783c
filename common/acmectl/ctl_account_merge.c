/*
 * account merge: one account for all orders at its CA.  Lineages do not name
 * accounts: the state directory says which one a CA is used with, and so it is
 * said there; but where a configuration names a key file, that counts.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "acmectl/ctl_account.h"

struct merge {
    struct accounts *accounts;
    struct acme_store *store; /* for writing */
    const struct found *into;
    const char *directory;
    struct acme_json *lineages; /* with --json: whose orders use it now */
    size_t n;                   /* of them */
    size_t nfiles;              /* that name a key file */
    char name[ACME_LINEAGE_MAX + 1];
};

/* ---- which one -------------------------------------------------------- */

static int
find_target(struct merge *merge)
{
    struct accounts *accounts = merge->accounts;
    const char *into = accounts->ctl->into;
    size_t i, n = 0;

    for (i = 0; i < accounts->n; i++)
        if (strcmp(accounts->list[i].id, into) == 0) {
            merge->into = &accounts->list[i];
            n++;
        }
    if (n == 0)
        return ctl_fail(CTL_FAILED,
            "there is no account \"%s\"; acmectl account list shows them",
            into);
    if (n > 1)
        return ctl_fail(CTL_USAGE,
            "key %s has accounts at %zu CAs; say which with --server URL",
            into, n);
    merge->directory = acme_json_str(merge->into->json, "directory");
    return CTL_OK;
}

/* Orders sign with it. */
static int
need_key(const struct merge *merge)
{
    struct acme_key *key = NULL;
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = acme_store_key_read(merge->store, merge->into->id, &key, &err);
    acme_key_unref(key);
    if (rc == ACME_NOENT)
        return ctl_fail(CTL_FAILED,
            "the key of this account is a file of yours: name that file in "
            "\"account_key\" (nginx) or \"ACMEAccountKey\" (Apache httpd) of "
            "all who are to use it");
    return rc == ACME_OK ? CTL_OK : ctl_fail(CTL_FAILED, "%s", err.what);
}

/* ---- who uses it ------------------------------------------------------ */

static void
look_at_issuer(struct merge *merge, const struct acme_declaration *by,
    const struct acme_issuer *issuer, bool *uses)
{
    if (strcmp(issuer->directory, merge->directory) != 0)
        return;
    if (issuer->key_file == NULL) {
        *uses = true;
        return;
    }
    merge->nfiles++;
    (void)fprintf(stderr,
        "acmectl: lineage \"%s\" of %s has the account key \"%s\": change "
        "\"account_key\" (nginx) or \"ACMEAccountKey\" (Apache httpd) there\n",
        merge->name, by->by, issuer->key_file);
}

static enum acme_rc
look_at_lineage(void *ctx, const char *name, struct acme_error *err)
{
    struct merge *merge = ctx;
    struct acme_settings *settings = NULL;
    struct acme_error ignored;
    bool uses = false;
    size_t i, k;

    (void)err;
    acme_error_clear(&ignored);
    (void)snprintf(merge->name, sizeof(merge->name), "%s", name);
    if (acme_store_settings_read(merge->store, name, &settings, &ignored) !=
        ACME_OK)
        return ACME_OK;
    for (i = 0; i < settings->ndeclared; i++) {
        const struct acme_declaration *by = &settings->declared[i];

        look_at_issuer(merge, by, &by->issuer, &uses);
        for (k = 0; k < by->nfallbacks; k++)
            look_at_issuer(merge, by, &by->fallback[k], &uses);
    }
    acme_settings_free(settings);
    if (uses) {
        merge->n++;
        acme_json_append_str(merge->lineages, name);
    }
    return ACME_OK;
}

/* ---- what is left ----------------------------------------------------- */

static bool
is_other(const struct merge *merge, const struct found *found)
{
    return found != merge->into &&
           strcmp(acme_json_str(found->json, "directory"), merge->directory) ==
               0;
}

/* A no is no failure: it can be ended at any time. */
static int
offer(struct merge *merge, const struct found *found)
{
    struct ctl *ctl = merge->accounts->ctl;
    char question[ACME_URL_MAX + 256];

    if (!ctl_may_ask(ctl) || ctl->json) {
        if (!ctl->quiet && !ctl->json)
            (void)printf("Used no more: %s; acmectl account deactivate "
                         "--account %s --server %s ends it\n",
                acme_json_str(found->json, "url"), found->id,
                merge->directory);
        return CTL_OK;
    }
    (void)snprintf(question, sizeof(question),
        "The account %s is used no more, and will be deactivated for good",
        acme_json_str(found->json, "url"));
    if (ctl_ask_yes(ctl, "account deactivate", question) != CTL_OK)
        return CTL_OK;
    ctl->account = found->id;
    ctl->server = merge->directory;
    ctl->confirm = true;
    ctl->nstates = 0; /* it is looked for again */
    return ctl_account_deactivate(ctl);
}

static int
tell(struct merge *merge)
{
    const struct ctl *ctl = merge->accounts->ctl;
    const char *url = acme_json_str(merge->into->json, "url");
    struct acme_json *json;
    size_t i;
    int code = CTL_OK;

    if (ctl->json) {
        json = acme_json_object();
        acme_json_set_str(json, "id", merge->into->id);
        acme_json_set_str(json, "url", url);
        acme_json_set(json, "lineages", merge->lineages);
        merge->lineages = NULL;
        return ctl_print_json(json);
    }
    if (!ctl->quiet)
        (void)printf("Account URI: %s\nOrders at %s are made with it from "
                     "now on; lineages: %zu. What is in flight with another "
                     "one is begun anew.\n",
            url, merge->directory, merge->n);
    for (i = 0; i < merge->accounts->n && code == CTL_OK; i++)
        if (is_other(merge, &merge->accounts->list[i]))
            code = offer(merge, &merge->accounts->list[i]);
    return code;
}

/* ---- the verb --------------------------------------------------------- */

static int
run(struct merge *merge)
{
    struct ctl *ctl = merge->accounts->ctl;
    struct acme_issuer issuer;
    struct acme_error err;
    int code = find_target(merge);

    if (code != CTL_OK)
        return code;
    acme_error_clear(&err);
    acme_issuer_init(&issuer);
    issuer.name = issuer.directory = merge->directory;
    if (acme_store_open(ctl->state[0], ACME_STORE_WRITE, &merge->store,
            &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    code = need_key(merge);
    if (code != CTL_OK)
        return code;
    if (acme_store_account_prefer(merge->store, &issuer, merge->into->id,
            time(NULL), &err) != ACME_OK ||
        acme_store_lineages(merge->store, look_at_lineage, merge, &err) !=
            ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    code = tell(merge);
    return code == CTL_OK && merge->nfiles > 0 ? CTL_FAILED : code;
}

static int
merge_accounts(struct accounts *accounts)
{
    struct merge merge = { .accounts = accounts,
        .lineages = acme_json_array() };
    int code = run(&merge);

    acme_json_free(merge.lineages);
    acme_store_close(merge.store);
    return code;
}

int
ctl_account_merge(struct ctl *ctl)
{
    if (ctl->into == NULL)
        return ctl_fail(CTL_USAGE,
            "account merge needs the account that is to be used, with --into "
            "ID; acmectl account list shows them");
    return ctl_account_run(ctl, false, merge_accounts);
}
