/*
 * Accounts of another client, which its lineages are renewed with from now on:
 * the CA knows them by their keys.
 */
#include "acmectl/ctl_import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "state/acme_foreign_file.h"

static const char *
text_of(struct acme_foreign *foreign, const char *text)
{
    const char *copy = acme_arena_strdup(foreign->arena, text);

    return copy != NULL ? copy : "out of memory";
}

static void
complain(struct acme_foreign *foreign, const char *what, const char *why)
{
    (void)acme_foreign_note(foreign, &foreign->notes, what, "", "%s", why);
}

/* ---- whose they are --------------------------------------------------- */

/* As Certbot calls it: a directory of that name is on the way to the key. */
static bool
is_called(const struct acme_foreign_account *account, const char *id)
{
    char part[300];

    if (id == NULL || account->from == NULL)
        return true;
    (void)snprintf(part, sizeof(part), "/%s/", id);
    return strstr(account->from, part) != NULL;
}

static bool
is_of(const struct ctl_import_account *account,
    const struct acme_foreign_lineage *lineage)
{
    return account->directory != NULL && lineage->issuer.directory != NULL &&
           strcmp(account->directory, lineage->issuer.directory) == 0 &&
           is_called(account->from, lineage->account);
}

/* The CA's own URLs are of its host. */
static bool
can_be_at(const struct acme_foreign_lineage *lineage, const char *directory)
{
    struct acme_issuer issuer;

    acme_issuer_init(&issuer);
    issuer.directory = directory;
    return lineage->url == NULL ||
           acme_issuer_has_account(&issuer, lineage->url);
}

/* What a client has not written down about CAs. */
static void
find_directories(struct acme_foreign *foreign, const char *directory,
    struct ctl_import_accounts *accounts)
{
    const char *only = directory;
    size_t i;

    for (i = 0; i < accounts->read.n; i++) {
        struct ctl_import_account *account = &accounts->list[i];

        account->from = &accounts->read.list[i];
        account->directory = account->from->directory[0] != '\0'
                                 ? account->from->directory
                                 : directory;
        if (accounts->read.n == 1 && only == NULL && accounts->reader == NULL)
            only = account->directory;
    }
    for (i = 0; i < foreign->n; i++)
        if (foreign->lineage[i].issuer.directory == NULL && only != NULL &&
            can_be_at(&foreign->lineage[i], only))
            foreign->lineage[i].issuer.directory = only;
}

/* Who has an account has agreed to the CA's terms when he made it. */
static void
find_lineages(struct acme_foreign *foreign,
    const struct ctl_import_accounts *accounts)
{
    struct acme_foreign_lineage *lineage;
    size_t i, k;

    for (i = 0; i < foreign->n; i++) {
        lineage = &foreign->lineage[i];
        for (k = 0; k < accounts->read.n; k++)
            if (is_of(&accounts->list[k], lineage) &&
                !accounts->list[k].from->dead)
                lineage->issuer.terms_accepted = true;
        if (!lineage->issuer.terms_accepted && lineage->trouble == NULL)
            (void)acme_foreign_note(foreign, &lineage->notes, "account",
                lineage->account,
                "it is not there, so that the CA is asked for a new one, once "
                "you accept its terms");
    }
}

static enum acme_rc
judge(const char *path, const struct ctl_import_accounts *accounts,
    struct acme_error *err)
{
    const struct acme_foreign_accounts *read = &accounts->read;
    struct acme_foreign_place place;
    enum acme_rc rc =
        acme_foreign_file_open(path, accounts->anybodys, &place, err);
    size_t i;

    for (i = 0; i < read->n && rc == ACME_OK; i++)
        if (read->list[i].from != NULL)
            rc = acme_foreign_file_judge(&place, read->list[i].from, err);
    acme_foreign_file_close(&place);
    return rc;
}

int
ctl_import_accounts_read(struct acme_foreign *foreign, const char *path,
    const char *directory, struct ctl_import_accounts *accounts)
{
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    if (accounts->reader != NULL)
        rc = accounts->reader(path, &accounts->read, &err);
    else
        rc = acme_foreign_accounts_read(path, &accounts->read, &err);
    if (rc == ACME_OK && accounts->reader == NULL)
        rc = judge(path, accounts, &err);
    if (rc == ACME_NOMEM)
        return ctl_fail(CTL_FAILED, "out of memory");
    if (rc != ACME_OK) {
        complain(foreign, "accounts", err.what);
        acme_foreign_accounts_clear(&accounts->read);
    }
    accounts->list = calloc(accounts->read.n + 1, sizeof(*accounts->list));
    if (accounts->list == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    find_directories(foreign, directory, accounts);
    find_lineages(foreign, accounts);
    return CTL_OK;
}

void
ctl_import_accounts_clear(struct ctl_import_accounts *accounts)
{
    acme_foreign_accounts_clear(&accounts->read);
    free(accounts->list);
    accounts->list = NULL;
}

/* ---- taking them over ------------------------------------------------- */

/* As lineages that say nothing else ask for one. */
static enum acme_rc
bring(struct acme_store *store, const struct ctl_import_account *account,
    bool dry, bool *taken, struct acme_error *err)
{
    const struct acme_foreign_account *from = account->from;
    struct acme_brought_account brought = { from->key, from->url,
        from->created != 0 ? from->created : time(NULL) };
    struct acme_issuer issuer;
    enum acme_rc rc;
    int lock = -1;

    acme_issuer_init(&issuer);
    issuer.name = issuer.directory = account->directory;
    rc = acme_foreign_account_is_at(from, account->directory, err);
    if (rc == ACME_OK && !dry)
        rc = acme_store_lock(store, "account", "new-key", &lock, err);
    if (rc == ACME_OK)
        rc = acme_store_account_bring(store, &issuer, &brought, taken, err);
    if (lock != -1)
        close(lock);
    return rc;
}

static void
take(struct acme_foreign *foreign, struct acme_store *store,
    struct ctl_import_account *account, bool dry)
{
    struct acme_error err;
    bool taken = true;

    acme_error_clear(&err);
    if (store != NULL && bring(store, account, dry, &taken, &err) != ACME_OK) {
        account->why = text_of(foreign, err.what);
        return;
    }
    account->fate = taken ? CTL_IMPORT_ACCOUNT_NEW : CTL_IMPORT_ACCOUNT_HERE;
}

static bool
is_needed(const struct acme_foreign *foreign,
    const struct ctl_import_account *account)
{
    size_t i;

    for (i = 0; i < foreign->n; i++)
        if (foreign->lineage[i].trouble == NULL &&
            is_of(account, &foreign->lineage[i]))
            return true;
    return false;
}

/* Of several accounts at a CA the first one that a lineage has counts, which
 * is here when it is the turn of the others. */
void
ctl_import_accounts_write(struct acme_foreign *foreign,
    struct acme_store *store, struct ctl_import_accounts *accounts, bool all)
{
    struct ctl_import_account *account;
    size_t i;
    int pass;

    for (pass = 0; pass < (all ? 2 : 1); pass++)
        for (i = 0; i < accounts->read.n; i++) {
            account = &accounts->list[i];
            if (is_needed(foreign, account) != (pass == 0))
                continue;
            if (account->directory == NULL)
                account->why = "it does not say which CA it is at; name that "
                               "with --server";
            else if (account->from->dead)
                account->why = "it has been deactivated";
            else
                take(foreign, store, account, accounts->dry);
        }
}
