/*
 * What verbs of account ask a CA about a key that may be none of the state
 * directory's, and how they find out how to talk to it.
 */
#include "acmectl/ctl_account.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drive/acme_host_check.h"

struct answer {
    bool ok;
    char *text;
};

static void
on_done(void *ctx, size_t i, bool ok, const char *text)
{
    struct answer *answer = ctx;

    (void)i;
    answer->ok = ok;
    (void)snprintf(answer->text, ACME_LOG_LINE_MAX, "%s", text);
}

static enum acme_rc
ask(struct ctl *ctl, struct acme_config *config,
    const struct acme_issuer *issuer, const struct acme_service_work *work,
    struct acme_error *err)
{
    struct acme_server server = { .ctx = ctl, .log = ctl_log };
    unsigned other = geteuid() == 0 ? 65534 : 0;
    size_t index;

    if (acme_config_add_issuer(config, issuer, &index, err) == ACME_OK &&
        acme_config_finish(config, err) == ACME_OK &&
        acme_host_engine_user(config, NULL, other, other, err) == ACME_OK)
        (void)acme_service_run_once(config, &server, work, err);
    return err->rc;
}

int
ctl_account_ask(struct ctl *ctl, const struct acme_issuer *issuer,
    enum acme_account_action action, struct acme_key *key,
    char text[ACME_LOG_LINE_MAX])
{
    struct acme_account_work account = { .action = action, .key = key };
    struct answer answer = { false, text };
    struct acme_service_work work = { .account = &account,
        .done = on_done,
        .ctx = &answer };
    struct acme_config *config =
        acme_config_new(ctl->state[0], "acmectl", "account");
    struct acme_error err;

    acme_error_clear(&err);
    text[0] = '\0';
    if (config == NULL)
        (void)acme_error_nomem(&err);
    else
        (void)ask(ctl, config, issuer, &work, &err);
    acme_config_free(config);
    if (err.rc != ACME_OK)
        (void)snprintf(text, ACME_LOG_LINE_MAX, "%s", err.what);
    return err.rc == ACME_OK && answer.ok ? CTL_OK : CTL_FAILED;
}

void
ctl_account_line(const char *text, unsigned line, char *out, size_t size)
{
    for (; line > 0 && *text != '\0'; line--) {
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    (void)snprintf(out, size, "%.*s", (int)strcspn(text, "\n"), text);
}

/* ---- the CA ----------------------------------------------------------- */

struct search {
    struct ctl *ctl;
    const char *directory;
    struct acme_issuer *issuer;
    size_t n;
};

static enum acme_rc
take_issuer(void *ctx, const struct acme_issuer *issuer,
    struct acme_error *err)
{
    struct search *search = ctx;

    if (strcmp(issuer->directory, search->directory) != 0 || search->n++ > 0)
        return ACME_OK;
    return acme_issuer_copy(search->ctl->arena, search->issuer, issuer)
               ? ACME_OK
               : acme_error_nomem(err);
}

int
ctl_account_ca(struct ctl *ctl, struct acme_store *store,
    const char *directory, struct acme_issuer *issuer, size_t *n)
{
    struct search search = { ctl, directory, issuer, 0 };
    struct acme_error err;

    acme_error_clear(&err);
    acme_issuer_init(issuer);
    issuer->name = issuer->directory =
        acme_arena_strdup(ctl->arena, directory);
    if (issuer->name == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    if (ctl_each_issuer(store, take_issuer, &search, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    *n = search.n;
    return CTL_OK;
}

/* ---- what is known of it ---------------------------------------------- */

void
ctl_account_event(struct acme_store *store, enum acme_event_kind kind,
    const struct acme_issuer *issuer, const char *id, const char *text)
{
    struct acme_error ignored;
    struct acme_event event;

    acme_error_clear(&ignored);
    acme_event_init(&event, kind);
    event.at = time(NULL);
    acme_event_put(event.issuer, issuer->name);
    acme_event_put(event.subject, id);
    acme_event_put(event.text, text);
    acme_event_put(event.by, "acmectl");
    (void)acme_store_event_write(store, &event, &ignored);
}

struct known {
    const char *directory, *id;
    bool is;
};

static enum acme_rc
look_for(void *ctx, const char *id, const struct acme_json *account,
    struct acme_error *err)
{
    struct known *known = ctx;

    (void)err;
    known->is = known->is || (strcmp(id, known->id) == 0 &&
                                 strcmp(acme_json_str(account, "directory"),
                                     known->directory) == 0);
    return ACME_OK;
}

/* A key that is here may have no account at this CA yet. */
void
ctl_account_in_use(struct acme_store *store, const struct acme_issuer *issuer,
    char id[ACME_KEY_ID_LEN + 1])
{
    struct acme_account_entry entry = { "", "", NULL };
    struct known known = { issuer->directory, entry.id, false };
    struct acme_error ignored;

    acme_error_clear(&ignored);
    id[0] = '\0';
    if (acme_store_account(store, issuer, NULL, &entry, &ignored) == ACME_OK &&
        acme_store_accounts(store, look_for, &known, &ignored) == ACME_OK &&
        known.is)
        memcpy(id, entry.id, sizeof(entry.id));
    acme_account_entry_clear(&entry);
}
