#include "drive/acme_rekeyer.h"

#include <stdio.h>
#include <string.h>

#include "base/acme_log.h"
#include "protocol/acme_account.h"

/* One account, on its way to the key `want`. */
struct change {
    const char *want; /* a key's id */
    bool unsure;      /* by which of the two the CA knows it now */
};

/* Both keys as the state directory has them, and where the account is. */
struct account {
    struct acme_key *key;   /* that of the record */
    struct acme_key *other; /* NULL: it is not here any more */
    char url[ACME_URL_MAX];
    bool recorded; /* the record has the wanted key */
};

static enum acme_rc
load(const struct acme_enroll *what, const struct change *change,
    struct account *account, struct acme_error *err)
{
    char id[ACME_KEY_ID_LEN + 1];
    struct acme_error own;
    enum acme_rc rc;

    acme_error_clear(&own);
    rc = acme_vault_account(what->vault, what->index, &account->key,
        account->url, err);
    if (rc == ACME_OK)
        rc = acme_key_id(account->key, id, err);
    if (rc == ACME_OK && account->url[0] == '\0')
        rc = acme_error_set(err, ACME_NOENT, "there is no account");
    if (rc != ACME_OK)
        return rc;
    account->recorded = strcmp(id, change->want) == 0;
    rc = acme_vault_other_key(what->vault, what->index, true, &account->other,
        &own);
    if (rc == ACME_NOENT && account->recorded)
        return ACME_OK;
    return rc == ACME_OK ? rc : acme_error_set(err, rc, "%s", own.what);
}

/* RFC 8555 7.3.1 */
static enum acme_rc
ask(const struct acme_enroll *what, const struct account *account,
    struct acme_key *key, bool *known, struct acme_error *err)
{
    enum acme_rc rc;

    acme_client_set_key(what->client, key);
    rc = acme_account_find(what->client, known, err);
    if (rc == ACME_OK && *known &&
        strcmp(acme_client_account(what->client), account->url) != 0)
        rc = acme_error_set(err, ACME_CONFIG,
            "the new key has an account of its own at this CA already, "
            "another key is needed");
    return rc;
}

/* An answer that is lost may have been a yes. */
static enum acme_rc
roll_over(const struct acme_enroll *what, const struct account *account,
    struct acme_key *wanted, struct change *change, struct acme_error *err)
{
    struct acme_error own;
    bool known = false;
    enum acme_rc rc;

    acme_error_clear(&own);
    acme_client_set_key(what->client,
        account->recorded ? account->other : account->key);
    rc = acme_client_set_account(what->client, account->url, err);
    if (rc == ACME_OK)
        rc = acme_account_rekey(what->client, wanted, err);
    if (rc == ACME_OK)
        return rc;
    change->unsure = ask(what, account, wanted, &known, &own) != ACME_OK;
    if (!known || change->unsure)
        return rc;
    acme_error_clear(err);
    return ACME_OK;
}

static enum acme_rc
settle(const struct acme_enroll *what, struct account *account,
    struct change *change, struct acme_error *err)
{
    struct acme_key *wanted;
    bool known = false;
    enum acme_rc rc = load(what, change, account, err);

    if (rc != ACME_OK)
        return rc;
    wanted = account->recorded ? account->key : account->other;
    rc = ask(what, account, wanted, &known, err);
    if (rc == ACME_OK && !known && account->recorded && account->other == NULL)
        rc = acme_error_set(err, ACME_NOENT, "the CA has no such account");
    else if (rc == ACME_OK && !known)
        rc = roll_over(what, account, wanted, change, err);
    if (rc == ACME_OK && !account->recorded) {
        rc = acme_vault_account_moved(what->vault, what->index, err);
        change->unsure = rc != ACME_OK;
    }
    return rc;
}

static enum acme_rc
run(const struct acme_enroll *what, void *ctx, struct acme_error *err)
{
    struct account account = { NULL, NULL, "", false };
    enum acme_rc rc = settle(what, &account, ctx, err);

    acme_key_unref(account.key);
    acme_key_unref(account.other);
    return rc;
}

/* ---- all of them ------------------------------------------------------ */

struct work {
    const struct acme_crew_conf *conf;
    struct acme_crew *crew;
    const struct acme_account_work *what;
    char text[ACME_LOG_LINE_MAX];
};

static enum acme_rc
change_one(const struct work *work, size_t issuer, struct change *change,
    struct acme_error *err)
{
    struct acme_crew_ended ended;

    acme_error_clear(&ended.err);
    if (!acme_crew_start_errand(work->crew, issuer, run, change) ||
        !acme_crew_take(work->crew, &ended))
        (void)acme_error_set(&ended.err, ACME_IO, "cannot start");
    *err = ended.err;
    return err->rc;
}

static void
say(struct work *work, size_t issuer, const char *what,
    const struct acme_error *err)
{
    size_t len = strlen(work->text);
    char line[ACME_LOG_LINE_MAX];

    (void)snprintf(work->text + len, sizeof(work->text) - len, "\n%s: %s%s",
        work->conf->config->issuer[issuer].directory, what,
        acme_error_line(err, line, sizeof(line)));
}

/* The accounts before `end` have the old key again; false: not all. */
static bool
roll_back(struct work *work, size_t end)
{
    struct acme_error err;
    bool all = true;
    size_t i;

    for (i = 0; i < end; i++) {
        struct change change = { work->what->rekey.from, false };

        if (change_one(work, i, &change, &err) == ACME_OK)
            continue;
        say(work, i, "not rolled back: ", &err);
        all = false;
    }
    return all;
}

/* What is too long loses its end. */
static void
put_before(struct work *work, const char *text)
{
    size_t len = strlen(text);

    memmove(work->text + len, work->text, sizeof(work->text) - len);
    memcpy(work->text, text, len);
    work->text[sizeof(work->text) - 1] = '\0';
}

/* What somebody had begun may be half done at any CA. */
static bool
change_all(struct work *work)
{
    size_t i, n = work->conf->config->nissuers;
    struct acme_error err;
    bool all;

    for (i = 0; i < n; i++) {
        struct change change = { work->what->rekey.to, false };

        if (change_one(work, i, &change, &err) == ACME_OK)
            continue;
        say(work, i, "", &err);
        all = roll_back(work, work->what->resumed ? n : i + change.unsure);
        put_before(work, all ? ACME_REKEY_AS_BEFORE : ACME_REKEY_UNSETTLED);
        return false;
    }
    (void)snprintf(work->text, sizeof(work->text), "has the key %s now",
        work->what->rekey.to);
    return true;
}

enum acme_rc
acme_rekeyer_run(const struct acme_crew_conf *conf,
    const struct acme_account_work *what, struct acme_error *err)
{
    struct work work = { conf, NULL, what, "" };
    bool done = false;
    enum acme_rc rc;

    rc = acme_crew_new(conf, &work.crew, err);
    if (rc != ACME_OK)
        return rc;
    done = change_all(&work);
    rc = acme_vault_done(conf->vault, 1, done, work.text, err);
    acme_crew_free(work.crew);
    return rc;
}
