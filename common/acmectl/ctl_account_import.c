/*
 * account import: accounts that other clients have made, or a key alone.  All
 * of them are read and known before the first one is stored, each with two
 * writes of which the second one makes it an account.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "acmectl/ctl_account.h"
#include "acmectl/ctl_file.h"
#include "acmectl/ctl_wish.h"
#include "state/acme_foreign_dir.h"

/* What becomes of one. */
struct entry {
    const struct acme_foreign_account *from;
    struct acme_issuer issuer;
    char id[ACME_KEY_ID_LEN + 1];
    char url[ACME_URL_MAX];
    bool is_new;
    bool is_used; /* for orders, from now on */
};

struct import {
    struct ctl *ctl;
    struct acme_store *store;
    const char *path;
    const char *directory; /* of --server; NULL: not given */
    struct acme_foreign_accounts accounts;
    size_t n;
    struct entry *entry;
};

/* ---- reading, before we become the state directory's owner ------------- */

/* A key is an account without a word about its CA. */
static int
read_key(struct import *import)
{
    struct acme_foreign_account *account = calloc(1, sizeof(*account));
    int code;

    if (account == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    import->accounts.list = account;
    import->accounts.n = 1;
    account->client = ACME_FOREIGN_FILE;
    account->from = strdup(import->path);
    code = ctl_key_read(import->ctl, import->path, &account->key);
    if (code == CTL_OK && account->from == NULL)
        code = ctl_fail(CTL_FAILED, "out of memory");
    if (code == CTL_OK && acme_key_type_of(account->key) == ACME_KEY_ED25519)
        code = ctl_fail(CTL_FAILED,
            "account key \"%s\": an Ed25519 key is converted here, but no "
            "account can have it",
            import->path);
    return code;
}

static int
read_accounts(struct import *import)
{
    struct acme_error err;
    struct stat st;

    if (stat(import->path, &st) == 0 && !S_ISDIR(st.st_mode))
        return read_key(import);
    acme_error_clear(&err);
    return acme_foreign_accounts_read(
               ctl_whole_path(import->ctl->arena, import->path),
               &import->accounts, &err) == ACME_OK
               ? CTL_OK
               : ctl_fail(CTL_FAILED, "%s", err.what);
}

/* ---- which of them ---------------------------------------------------- */

static const char *
directory_of(const struct import *import,
    const struct acme_foreign_account *account)
{
    return account->directory[0] != '\0' ? account->directory
                                         : import->directory;
}

/* An account of another CA than the one that is named, or an ended one, is
 * left alone; `err` says why of the last one. */
static bool
is_meant(const struct import *import,
    const struct acme_foreign_account *account, struct acme_error *err)
{
    acme_error_clear(err);
    if (account->dead)
        return acme_error_set(err, ACME_CONFIG,
                   "this account has been deactivated, or revoked") == ACME_OK;
    return acme_foreign_account_is_at(account,
               import->directory != NULL ? import->directory
                                         : directory_of(import, account),
               err) == ACME_OK;
}

static int
add_entry(struct import *import, const struct acme_foreign_account *account)
{
    struct entry *entry = &import->entry[import->n];
    struct acme_error err;

    acme_error_clear(&err);
    entry->from = account;
    memcpy(entry->url, account->url, sizeof(entry->url));
    if (acme_key_id(account->key, entry->id, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    import->n++;
    return CTL_OK;
}

static int
choose(struct import *import)
{
    const struct acme_foreign_account *account;
    struct acme_error why;
    int code = CTL_OK;
    size_t i;

    acme_error_clear(&why);
    import->entry = acme_arena_alloc(import->ctl->arena,
        (import->accounts.n + 1) * sizeof(*import->entry));
    if (import->entry == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    for (i = 0; i < import->accounts.n && code == CTL_OK; i++) {
        account = &import->accounts.list[i];
        if (directory_of(import, account) == NULL)
            return ctl_fail(CTL_USAGE,
                "\"%s\": nothing says which CA this account is at; name it "
                "with --server URL",
                account->from);
        if (is_meant(import, account, &why))
            code = add_entry(import, account);
        else if (!import->ctl->quiet && import->accounts.n > 1)
            (void)fprintf(stderr, "acmectl: \"%s\" is left alone: %s\n",
                account->from, why.what);
    }
    if (code == CTL_OK && import->n == 0)
        code = ctl_fail(CTL_FAILED, "\"%s\": %s", import->path, why.what);
    if (code == CTL_OK && import->ctl->account_url != NULL && import->n > 1)
        code = ctl_fail(CTL_USAGE,
            "--account-url is the URL of one account, and there are %zu",
            import->n);
    return code;
}

/* ---- what they are at their CAs --------------------------------------- */

static int
find_ca(struct import *import, struct entry *entry)
{
    struct ctl *ctl = import->ctl;
    size_t n;
    int code = ctl_account_ca(ctl, import->store,
        directory_of(import, entry->from), &entry->issuer, &n);

    entry->issuer.key_file = NULL;
    if (ctl->ca_file != NULL)
        entry->issuer.ca_file = ctl_whole_path(ctl->arena, ctl->ca_file);
    if (ctl->no_verify_ssl)
        entry->issuer.verify = false;
    return code;
}

/* Its URL, if nothing said it. */
static int
find_url(struct import *import, struct entry *entry)
{
    struct ctl *ctl = import->ctl;
    char text[ACME_LOG_LINE_MAX], word[16];

    if (ctl->account_url != NULL) {
        if (!acme_issuer_has_account(&entry->issuer, ctl->account_url))
            return ctl_fail(CTL_USAGE,
                "--account-url \"%s\" is no URL of \"%s\"", ctl->account_url,
                entry->issuer.directory);
        (void)snprintf(entry->url, sizeof(entry->url), "%s", ctl->account_url);
    }
    if (entry->url[0] != '\0' || ctl->offline)
        return CTL_OK;
    if (ctl_account_ask(ctl, &entry->issuer, ACME_ACCOUNT_FIND,
            entry->from->key, text) != CTL_OK)
        return ctl_fail(CTL_FAILED, "\"%s\": %s", entry->from->from, text);
    ctl_account_line(text, 0, word, sizeof(word));
    if (strcmp(word, ACME_ACCOUNT_THERE) != 0)
        return ctl_fail(CTL_FAILED,
            "\"%s\": %s has no account of this key; acmectl account create "
            "--key FILE makes one",
            entry->from->from, entry->issuer.directory);
    ctl_account_line(text, 1, entry->url, sizeof(entry->url));
    return CTL_OK;
}

/* ---- storing ---------------------------------------------------------- */

/* What the client knew of contacts, for account show. */
static enum acme_rc
store_contacts(const struct import *import, struct entry *entry,
    struct acme_error *err)
{
    size_t i;

    if (!entry->is_new || entry->from->ncontacts == 0)
        return ACME_OK;
    entry->issuer.ncontacts = entry->from->ncontacts;
    for (i = 0; i < entry->from->ncontacts; i++)
        entry->issuer.contact[i] = entry->from->contact[i];
    return acme_store_contacts_told(import->store, &entry->issuer, entry->id,
        "acmectl", true, err);
}

/* The first account of a CA is the one that is used there, whatever type of
 * key is asked for; another one waits to be merged. */
static int
store_entry(struct import *import, struct entry *entry)
{
    char used[ACME_KEY_ID_LEN + 1];
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    ctl_account_in_use(import->store, &entry->issuer, used);
    rc = acme_store_account_add(import->store, &entry->issuer,
        entry->from->key, entry->url, time(NULL), &entry->is_new, &err);
    if (rc == ACME_OK)
        rc = store_contacts(import, entry, &err);
    if (rc == ACME_OK && used[0] == '\0')
        rc = acme_store_account_prefer(import->store, &entry->issuer,
            entry->id, time(NULL), &err);
    if (rc != ACME_OK)
        return ctl_fail(CTL_FAILED,
            "\"%s\": not imported: %s; once more goes on with the rest",
            entry->from->from, err.what);
    ctl_account_in_use(import->store, &entry->issuer, used);
    entry->is_used = strcmp(used, entry->id) == 0;
    if (entry->is_new)
        ctl_account_event(import->store, ACME_EVENT_ACCOUNT_CREATED,
            &entry->issuer, entry->id, "account imported");
    return CTL_OK;
}

/* ---- telling ---------------------------------------------------------- */

static struct acme_json *
render(const struct entry *entry)
{
    struct acme_json *json = acme_json_object();

    acme_json_set_str(json, "id", entry->id);
    acme_json_set_str(json, "url", entry->url);
    acme_json_set_str(json, "directory", entry->issuer.directory);
    acme_json_set_str(json, "client",
        acme_foreign_client_name(entry->from->client));
    acme_json_set_bool(json, "new", entry->is_new);
    acme_json_set_bool(json, "used", entry->is_used);
    return json;
}

static void
tell(const struct entry *entry)
{
    if (entry->url[0] != '\0')
        (void)printf("Account URI: %s\n", entry->url);
    (void)printf("CA: %s\nKey: %s\n%s%s.\n", entry->issuer.directory,
        entry->id, entry->is_new ? "Imported from " : "Here already; from ",
        acme_foreign_client_name(entry->from->client));
    if (!entry->is_used)
        (void)printf("Orders are made with another account; account merge "
                     "--into %s changes that.\n",
            entry->id);
}

static int
tell_all(const struct import *import)
{
    struct acme_json *list;
    size_t i;

    if (import->ctl->json) {
        list = acme_json_array();
        for (i = 0; i < import->n; i++)
            acme_json_append(list, render(&import->entry[i]));
        return ctl_print_json(list);
    }
    for (i = 0; i < import->n && !import->ctl->quiet; i++)
        tell(&import->entry[i]);
    return CTL_OK;
}

/* ---- the verb --------------------------------------------------------- */

static int
take(struct import *import)
{
    size_t i;
    int code = CTL_OK;

    for (i = 0; i < import->n && code == CTL_OK; i++) {
        code = find_ca(import, &import->entry[i]);
        if (code == CTL_OK)
            code = find_url(import, &import->entry[i]);
    }
    for (i = 0; i < import->n && code == CTL_OK; i++)
        code = store_entry(import, &import->entry[i]);
    return code == CTL_OK ? tell_all(import) : code;
}

int
ctl_account_import(struct ctl *ctl)
{
    struct import import = { .ctl = ctl };
    int code;

    if (ctl->argc != 1)
        return ctl_fail(CTL_USAGE,
            "account import needs a key, or a directory of another client");
    import.path = ctl->argv[0];
    if (ctl->server != NULL) {
        import.directory = acme_issuer_directory(ctl->server);
        if (import.directory == NULL)
            import.directory = ctl->server;
    }
    code = read_accounts(&import);
    if (code == CTL_OK)
        code = choose(&import);
    if (code == CTL_OK)
        code = ctl_find_new(ctl);
    if (code == CTL_OK)
        code = ctl_open_writing(ctl, &import.store);
    if (code == CTL_OK)
        code = take(&import);
    acme_foreign_accounts_clear(&import.accounts);
    acme_store_close(import.store);
    return code;
}
