/*
 * account: shows the accounts of the state directory, and changes one at its
 * CA with a store and an engine of our own, whether a server runs or not.
 */
#include "acmectl/ctl_account.h"
#include "acmectl/ctl_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acmectl/ctl_wish.h"
#include "base/acme_time.h"
#include "drive/acme_host_check.h"

/* ---- finding ---------------------------------------------------------- */

static bool
is_meant(const struct ctl *ctl, const char *id, const struct acme_json *json)
{
    const char *directory = NULL;

    if (ctl->account != NULL && strcmp(ctl->account, id) != 0)
        return false;
    if (ctl->server == NULL)
        return true;
    directory = acme_issuer_directory(ctl->server);
    return strcmp(directory != NULL ? directory : ctl->server,
               acme_json_str(json, "directory")) == 0;
}

static enum acme_rc
add_account(void *ctx, const char *id, const struct acme_json *json,
    struct acme_error *err)
{
    struct accounts *accounts = ctx;
    struct found *grown;

    if (!is_meant(accounts->ctl, id, json))
        return ACME_OK;
    grown = realloc(accounts->list, (accounts->n + 1) * sizeof(*grown));
    if (grown == NULL)
        return acme_error_nomem(err);
    accounts->list = grown;
    grown[accounts->n].json = acme_json_copy(json);
    if (grown[accounts->n].json == NULL)
        return acme_error_nomem(err);
    memcpy(grown[accounts->n++].id, id, ACME_KEY_ID_LEN + 1);
    return ACME_OK;
}

void
ctl_account_forget(struct accounts *accounts)
{
    size_t i;

    for (i = 0; i < accounts->n; i++)
        acme_json_free(accounts->list[i].json);
    free(accounts->list);
    accounts->list = NULL;
    accounts->n = 0;
}

static int
by_directory(const void *a, const void *b)
{
    const struct found *one = a, *other = b;
    int order = strcmp(acme_json_str(one->json, "directory"),
        acme_json_str(other->json, "directory"));

    return order != 0 ? order : strcmp(one->id, other->id);
}

int
ctl_account_find(struct accounts *accounts)
{
    struct acme_error err;

    acme_error_clear(&err);
    ctl_account_forget(accounts);
    if (acme_store_accounts(accounts->store, add_account, accounts, &err) !=
        ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    if (accounts->n > 0)
        qsort(accounts->list, accounts->n, sizeof(accounts->list[0]),
            by_directory);
    return CTL_OK;
}

/* Several are not guessed at. */
int
ctl_account_choose(struct accounts *accounts)
{
    const struct ctl *ctl = accounts->ctl;
    size_t i;

    if (accounts->n == 1)
        return CTL_OK;
    if (accounts->n == 0 && ctl->account == NULL && ctl->server == NULL)
        return ctl_fail(CTL_FAILED, "there is no account yet");
    if (accounts->n == 0)
        return ctl_fail(CTL_FAILED,
            "there is no such account; acmectl account list shows them");
    for (i = 0; i < accounts->n; i++)
        (void)fprintf(stderr, "acmectl:   %s  %s\n", accounts->list[i].id,
            acme_json_str(accounts->list[i].json, "directory"));
    return ctl_fail(CTL_USAGE,
        "there are %zu accounts; say which with --account ID or --server URL, "
        "or with both",
        accounts->n);
}

/* ---- showing ---------------------------------------------------------- */

static enum acme_rc
take_key(void *ctx, const char *id, const struct acme_key *key,
    struct acme_error *err)
{
    struct accounts *accounts = ctx;
    struct acme_buf der;
    enum acme_rc rc = ACME_OK;

    if (accounts->key != NULL || strcmp(id, accounts->list[0].id) != 0)
        return ACME_OK;
    acme_buf_init_secret(&der, ACME_STATE_PEM_MAX);
    rc = acme_key_to_der(key, &der, err);
    if (rc == ACME_OK)
        rc = acme_key_from_der(der.data, der.len, &accounts->key, err);
    acme_buf_clear(&der);
    return rc;
}

/* An operator's own key is elsewhere. */
void
ctl_account_key(struct accounts *accounts)
{
    struct acme_error ignored;

    acme_error_clear(&ignored);
    (void)acme_store_keys(accounts->store, take_key, accounts, &ignored);
}

static struct acme_json *
render(const struct found *found)
{
    struct acme_json *json = acme_json_object();
    const struct acme_json *contact = acme_json_get(found->json, "contact");

    acme_json_set_str(json, "id", found->id);
    acme_json_set_str(json, "url", acme_json_str(found->json, "url"));
    acme_json_set_str(json, "directory",
        acme_json_str(found->json, "directory"));
    acme_json_set_time(json, "created",
        acme_json_time(found->json, "created"));
    if (contact != NULL)
        acme_json_set(json, "contact", acme_json_copy(contact));
    return json;
}

static int
list_accounts(struct accounts *accounts)
{
    struct acme_json *all = acme_json_array();
    size_t i;

    for (i = 0; i < accounts->n; i++) {
        if (accounts->ctl->json)
            acme_json_append(all, render(&accounts->list[i]));
        else if (!accounts->ctl->quiet)
            (void)printf("%s  %s\n    %s\n", accounts->list[i].id,
                acme_json_str(accounts->list[i].json, "directory"),
                acme_json_str(accounts->list[i].json, "url"));
    }
    if (accounts->ctl->json)
        return ctl_print_json(all);
    acme_json_free(all);
    if (accounts->n == 0 && !accounts->ctl->quiet)
        (void)puts("no accounts");
    return CTL_OK;
}

static void
print_contacts(const struct acme_json *contacts)
{
    size_t i;

    for (i = 0; i < acme_json_count(contacts); i++)
        (void)printf("Contact: %s\n",
            acme_json_text(acme_json_at(contacts, i)));
    if (contacts != NULL && acme_json_count(contacts) == 0)
        (void)puts("Contact: none");
}

/* The lines of what the CA has said: its status, and contacts. */
static struct acme_json *
said(const char *text, char status[64])
{
    struct acme_json *contacts = acme_json_array();
    size_t len = strcspn(text, "\n");
    char line[ACME_LOG_LINE_MAX];

    (void)snprintf(status, 64, "%.*s", (int)len, text);
    for (text += len; *text == '\n'; text += len) {
        text++;
        len = strcspn(text, "\n");
        (void)snprintf(line, sizeof(line), "%.*s", (int)len, text);
        acme_json_append_str(contacts, line);
    }
    return contacts;
}

static void
add_thumbprint(const struct accounts *accounts, struct acme_json *json)
{
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (accounts->key == NULL ||
        acme_key_thumbprint(accounts->key, thumbprint, &ignored) != ACME_OK)
        return;
    acme_json_set_str(json, "thumbprint", thumbprint);
    acme_json_set_str(json, "key_type",
        acme_key_type_name(acme_key_type_of(accounts->key)));
}

static void
print_account(const struct acme_json *json)
{
    static const struct {
        const char *member, *label;
    } lines[] = { { "url", "Account URI" }, { "directory", "CA" },
        { "id", "Key" }, { "key_type", "Key type" },
        { "thumbprint", "Thumbprint" }, { "status", "Status" } };
    size_t i;

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (acme_json_str(json, lines[i].member) != NULL)
            (void)printf("%s: %s\n", lines[i].label,
                acme_json_str(json, lines[i].member));
    print_contacts(acme_json_get(json, "contact"));
}

/* ---- at the CA -------------------------------------------------------- */

struct search {
    struct accounts *accounts;
    const char *directory;
    struct acme_issuer issuer; /* in config->arena */
    bool found;
};

/* With a key of its own only where the account's is not the store's. */
static enum acme_rc
take_issuer(void *ctx, const struct acme_issuer *issuer,
    struct acme_error *err)
{
    struct search *search = ctx;
    struct accounts *accounts = search->accounts;

    if (search->found || strcmp(issuer->directory, search->directory) != 0 ||
        (accounts->key == NULL) != (issuer->key_file != NULL))
        return ACME_OK;
    search->found = true;
    return acme_issuer_copy(accounts->config->arena, &search->issuer, issuer)
               ? ACME_OK
               : acme_error_nomem(err);
}

/* How to talk to the account's CA, as a server's configuration says; one that
 * none knows any more, by what everybody trusts. */
enum acme_rc
ctl_account_issuer(struct accounts *accounts, const struct found *found,
    const char *const *contacts, size_t n, struct acme_error *err)
{
    const char *directory = acme_json_str(found->json, "directory");
    const char *serves = acme_json_str(found->json, "serves");
    struct search search = { .accounts = accounts, .directory = directory };
    size_t index, i;
    enum acme_rc rc;

    acme_issuer_init(&search.issuer);
    search.issuer.name = search.issuer.directory = directory;
    rc = ctl_each_issuer(accounts->store, take_issuer, &search, err);
    if (rc != ACME_OK)
        return rc;
    if (!search.found && accounts->key == NULL)
        return acme_error_set(err, ACME_CONFIG,
            "the key of this account is in no file that a server's "
            "configuration names");
    if (serves != NULL)
        rc = acme_key_type_parse(serves, &search.issuer.key_type, err);
    else if (accounts->key != NULL)
        search.issuer.key_type = acme_key_type_of(accounts->key);
    if (rc != ACME_OK)
        return rc;
    if (accounts->ctl->ca_file != NULL)
        search.issuer.ca_file =
            ctl_whole_path(accounts->config->arena, accounts->ctl->ca_file);
    if (accounts->ctl->no_verify_ssl)
        search.issuer.verify = false;
    search.issuer.account =
        acme_arena_strdup(accounts->config->arena, found->id);
    search.issuer.ncontacts = n;
    for (i = 0; i < n; i++)
        search.issuer.contact[i] = contacts[i];
    return acme_config_add_issuer(accounts->config, &search.issuer, &index,
        err);
}

static void
on_done(void *ctx, size_t i, bool ok, const char *text)
{
    struct accounts *accounts = ctx;

    (void)i;
    accounts->failed = !ok;
    (void)snprintf(accounts->text, sizeof(accounts->text), "%s", text);
}

enum acme_rc
ctl_account_work(struct accounts *accounts,
    const struct acme_account_work *account, struct acme_error *err)
{
    struct acme_server server = { .ctx = accounts->ctl, .log = ctl_log };
    struct acme_service_work work = { .account = account,
        .done = on_done,
        .ctx = accounts };
    unsigned other = geteuid() == 0 ? 65534 : 0;

    if (acme_config_finish(accounts->config, err) == ACME_OK &&
        acme_host_engine_user(accounts->config, NULL, other, other, err) ==
            ACME_OK)
        (void)acme_service_run_once(accounts->config, &server, &work, err);
    return err->rc;
}

/* accounts->text has what came of it. */
static int
work(struct accounts *accounts, enum acme_account_action action,
    const char *const *contacts, size_t n)
{
    struct acme_account_work account = { .action = action };
    struct acme_error err;

    acme_error_clear(&err);
    memcpy(account.id, accounts->list[0].id, sizeof(account.id));
    if (ctl_account_issuer(accounts, &accounts->list[0], contacts, n, &err) ==
        ACME_OK)
        (void)ctl_account_work(accounts, &account, &err);
    if (err.rc != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    return accounts->failed ? ctl_fail(CTL_FAILED, "%s", accounts->text)
                            : CTL_OK;
}

/* ---- the verbs -------------------------------------------------------- */

static int
show(struct accounts *accounts)
{
    const bool asked = accounts->ctl->details && !accounts->ctl->offline;
    struct acme_json *json, *contacts;
    char status[64];
    int code = CTL_OK;

    if (asked)
        code = work(accounts, ACME_ACCOUNT_SHOW, NULL, 0);
    if (code != CTL_OK)
        return code;
    json = render(&accounts->list[0]);
    add_thumbprint(accounts, json);
    if (asked) {
        contacts = said(accounts->text, status);
        acme_json_set_str(json, "status", status);
        acme_json_set(json, "contact", contacts);
    }
    if (accounts->ctl->json)
        return ctl_print_json(json);
    print_account(json);
    acme_json_free(json);
    return CTL_OK;
}

static int
tell(struct accounts *accounts, int code)
{
    struct acme_json *json;
    const char *url = acme_json_str(accounts->list[0].json, "url");

    if (code != CTL_OK)
        return code;
    if (accounts->ctl->json) {
        json = acme_json_object();
        acme_json_set_str(json, "url", url);
        acme_json_set_bool(json, "ok", true);
        acme_json_set_str(json, "text", accounts->text);
        return ctl_print_json(json);
    }
    if (!accounts->ctl->quiet)
        (void)printf("account %s %s\n", url, accounts->text);
    return CTL_OK;
}

/* As the servers' directives take them. */
static int
take_contacts(const struct ctl *ctl, char (*url)[ACME_URL_MAX],
    const char **contacts)
{
    int i;

    for (i = 0; i < ctl->argc; i++) {
        if (ctl_contact_url(ctl->argv[i], url[i]) != CTL_OK)
            return CTL_USAGE;
        contacts[i] = url[i];
    }
    return CTL_OK;
}

static int
update(struct accounts *accounts)
{
    struct ctl *ctl = accounts->ctl;
    char(*url)[ACME_URL_MAX] = calloc(ACME_CONTACTS_MAX, sizeof(*url));
    const char *contacts[ACME_CONTACTS_MAX] = { NULL };
    int code;

    if (url == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    code = take_contacts(ctl, url, contacts);
    if (code == CTL_OK)
        code =
            work(accounts, ACME_ACCOUNT_UPDATE, contacts, (size_t)ctl->argc);
    free(url);
    return tell(accounts, code);
}

static int
clear_contacts(struct accounts *accounts)
{
    return tell(accounts, work(accounts, ACME_ACCOUNT_UPDATE, NULL, 0));
}

static int
deactivate(struct accounts *accounts)
{
    return tell(accounts, work(accounts, ACME_ACCOUNT_DEACTIVATE, NULL, 0));
}

/* An account may be named by a file with its key. */
static int
take_key_file(struct ctl *ctl)
{
    char *id = acme_arena_alloc(ctl->arena, ACME_KEY_ID_LEN + 1);
    struct acme_key *key = NULL;
    struct acme_error err;
    int code;

    if (ctl->key == NULL)
        return CTL_OK;
    if (ctl->account != NULL)
        return ctl_fail(CTL_USAGE, "--key and --account exclude another");
    acme_error_clear(&err);
    code = id != NULL ? ctl_key_read(ctl, ctl->key, &key)
                      : ctl_fail(CTL_FAILED, "out of memory");
    if (code == CTL_OK && acme_key_id(key, id, &err) != ACME_OK)
        code = ctl_fail(CTL_FAILED, "%s", err.what);
    acme_key_unref(key);
    ctl->account = id;
    return code;
}

static int
open_state(struct accounts *accounts)
{
    struct ctl *ctl = accounts->ctl;
    int code = take_key_file(ctl);

    if (code == CTL_OK)
        code = ctl_open_one(ctl, &accounts->store);
    if (code == CTL_OK)
        code = ctl_server_known(ctl, accounts->store);
    if (code != CTL_OK)
        return code;
    accounts->config = acme_config_new(ctl->state[0], "acmectl", "account");
    return accounts->config != NULL ? CTL_OK
                                    : ctl_fail(CTL_FAILED, "out of memory");
}

int
ctl_account_run(struct ctl *ctl, bool one,
    int (*verb)(struct accounts *accounts))
{
    struct accounts accounts = { .ctl = ctl };
    int code = open_state(&accounts);

    if (code == CTL_OK)
        code = ctl_account_find(&accounts);
    if (code == CTL_OK && one) {
        code = ctl_account_choose(&accounts);
        if (code == CTL_OK)
            ctl_account_key(&accounts);
    }
    if (code == CTL_OK)
        code = verb(&accounts);
    ctl_account_forget(&accounts);
    acme_key_unref(accounts.key);
    acme_config_free(accounts.config);
    acme_store_close(accounts.store);
    return code;
}

int
ctl_account_list(struct ctl *ctl)
{
    return ctl_account_run(ctl, false, list_accounts);
}

int
ctl_account_show(struct ctl *ctl)
{
    return ctl_account_run(ctl, true, show);
}

int
ctl_account_update(struct ctl *ctl)
{
    if (ctl->argc == 0)
        return ctl_fail(CTL_USAGE,
            "account update needs contacts, or the word clear");
    if (ctl->argc > ACME_CONTACTS_MAX)
        return ctl_fail(CTL_USAGE, "more than %d contacts", ACME_CONTACTS_MAX);
    if (ctl->argc == 1 && strcmp(ctl->argv[0], "clear") == 0)
        return ctl_account_run(ctl, true, clear_contacts);
    return ctl_account_run(ctl, true, update);
}

int
ctl_account_rekey(struct ctl *ctl)
{
    if (ctl->argc > 1)
        return ctl_fail(CTL_USAGE, "unexpected \"%s\"", ctl->argv[1]);
    return ctl_account_run(ctl, false, ctl_account_change_key);
}

int
ctl_account_deactivate(struct ctl *ctl)
{
    int code = ctl->confirm
                   ? CTL_OK
                   : ctl_ask_yes(ctl, "--confirm",
                         "a deactivated account, and its key at that CA, can "
                         "never be used again");

    return code == CTL_OK ? ctl_account_run(ctl, true, deactivate) : code;
}
