#include "drive/acme_registrar.h"

#include <stdio.h>
#include <string.h>

#include "base/acme_log.h"
#include "drive/acme_rekeyer.h"
#include "protocol/acme_account.h"

/* The work, and what is to be said of it. */
struct errand {
    const struct acme_account_work *work;
    const char *prefix; /* of a failure */
    char text[ACME_LOG_LINE_MAX];
};

static enum acme_rc
check_id(const struct errand *errand, const struct acme_key *key,
    struct acme_error *err)
{
    char id[ACME_KEY_ID_LEN + 1];
    enum acme_rc rc = acme_key_id(key, id, err);

    if (rc == ACME_OK && strcmp(id, errand->work->id) != 0)
        rc = acme_error_set(err, ACME_CONFIG,
            "the servers use another account at this CA by now, that of key "
            "%s",
            id);
    return rc;
}

/* The account as the state directory knows it, and no other. */
static enum acme_rc
use_account(const struct acme_enroll *account, const struct errand *errand,
    struct acme_error *err)
{
    struct acme_key *key = NULL;
    char url[ACME_URL_MAX] = "";
    enum acme_rc rc;

    rc = acme_vault_account(account->vault, account->index, &key, url, err);
    if (rc == ACME_OK)
        rc = check_id(errand, key, err);
    if (rc == ACME_OK && url[0] == '\0')
        rc = acme_error_set(err, ACME_NOENT, "there is no account");
    if (rc == ACME_OK) {
        acme_client_set_key(account->client, key);
        rc = acme_client_set_account(account->client, url, err);
    }
    acme_key_unref(key);
    return rc;
}

/* Text of the CA's, as a line of ours. */
static void
add_line(struct errand *errand, const char *text)
{
    size_t len = strlen(errand->text);
    char line[ACME_FOREIGN_TEXT_MAX];

    acme_log_clean(line, sizeof(line), text, strlen(text));
    (void)snprintf(errand->text + len, sizeof(errand->text) - len, "%s%s",
        len > 0 ? "\n" : "", line);
}

static enum acme_rc
show(const struct acme_enroll *account, struct errand *errand,
    struct acme_error *err)
{
    const struct acme_json *contacts;
    struct acme_json *json = NULL;
    const char *text;
    enum acme_rc rc;
    size_t i;

    rc = acme_account_get(account->client, &json, err);
    if (rc != ACME_OK)
        return rc;
    text = acme_json_str(json, "status");
    add_line(errand, text != NULL ? text : "valid");
    contacts = acme_json_get(json, "contact");
    for (i = 0; i < acme_json_count(contacts); i++) {
        text = acme_json_text(acme_json_at(contacts, i));
        if (text != NULL)
            add_line(errand, text);
    }
    acme_json_free(json);
    return ACME_OK;
}

static enum acme_rc
update(const struct acme_enroll *account, struct errand *errand,
    struct acme_error *err)
{
    const struct acme_issuer *issuer = account->issuer;
    enum acme_rc rc;

    rc = acme_account_set_contacts(account->client, issuer->contact,
        issuer->ncontacts, err);
    if (rc == ACME_OK)
        rc = acme_vault_contacts_told(account->vault, account->index,
            ACME_CONTACTS_TAKEN, err);
    (void)snprintf(errand->text, sizeof(errand->text), "%s",
        issuer->ncontacts > 0 ? "updated" : "has no contacts any more");
    return rc;
}

/* Here nothing changes before the CA has confirmed it. */
static enum acme_rc
deactivate(const struct acme_enroll *account, struct errand *errand,
    struct acme_error *err)
{
    enum acme_rc rc = acme_account_deactivate(account->client, err);

    if (rc == ACME_OK)
        rc = acme_vault_account_dead(account->vault, account->index, err);
    (void)snprintf(errand->text, sizeof(errand->text), "deactivated");
    return rc;
}

/* ---- of a key that is not the issuer's ------------------------------- */

/* It is known to be a URL, and is no use with its end cut off. */
static enum acme_rc
tell_url(const struct acme_enroll *account, const char *word,
    struct errand *errand, struct acme_error *err)
{
    int n = snprintf(errand->text, sizeof(errand->text), "%s\n%s", word,
        acme_client_account(account->client));

    return n > 0 && (size_t)n < sizeof(errand->text)
               ? ACME_OK
               : acme_error_set(err, ACME_WIRE,
                     "the account's URL is too long to be of use");
}

static enum acme_rc
find(const struct acme_enroll *account, struct errand *errand,
    struct acme_error *err)
{
    const struct acme_directory *directory;
    bool found = false;
    enum acme_rc rc;

    acme_client_set_key(account->client, errand->work->key);
    rc = acme_account_find(account->client, &found, err);
    if (rc == ACME_OK && found)
        return tell_url(account, ACME_ACCOUNT_THERE, errand, err);
    if (rc == ACME_OK)
        rc = acme_connection_directory(acme_client_connection(account->client),
            &directory, err);
    if (rc == ACME_OK) {
        add_line(errand, ACME_ACCOUNT_NONE);
        add_line(errand, directory->terms);
        add_line(errand, directory->eab_required ? "binding" : "");
    }
    return rc;
}

static enum acme_rc
make(const struct acme_enroll *account, struct errand *errand,
    struct acme_error *err)
{
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;
    enum acme_rc rc;

    acme_client_set_key(account->client, errand->work->key);
    rc = acme_client_set_account(account->client, NULL, err);
    if (rc == ACME_OK)
        rc = acme_enroll_make(account, &origin, err);
    if (rc == ACME_OK)
        return tell_url(account,
            origin == ACME_ACCOUNT_MADE ? ACME_ACCOUNT_NEW
                                        : ACME_ACCOUNT_THERE,
            errand, err);
    if (strcmp(err->type, "invalidContact") == 0 ||
        strcmp(err->type, "unsupportedContact") == 0)
        errand->prefix = ACME_ACCOUNT_CONTACT "\n";
    return rc;
}

/* ---- all of it -------------------------------------------------------- */

static enum acme_rc
run(const struct acme_enroll *account, void *ctx, struct acme_error *err)
{
    struct errand *errand = ctx;
    enum acme_rc rc;

    if (errand->work->action == ACME_ACCOUNT_FIND)
        return find(account, errand, err);
    if (errand->work->action == ACME_ACCOUNT_MAKE)
        return make(account, errand, err);
    rc = use_account(account, errand, err);
    if (rc != ACME_OK)
        return rc;
    switch (errand->work->action) {
    case ACME_ACCOUNT_SHOW:
        return show(account, errand, err);
    case ACME_ACCOUNT_UPDATE:
        return update(account, errand, err);
    default:
        return deactivate(account, errand, err);
    }
}

enum acme_rc
acme_registrar_run(const struct acme_crew_conf *conf,
    const struct acme_account_work *work, struct acme_error *err)
{
    struct errand errand = { work, "", "" };
    struct acme_crew *crew = NULL;
    struct acme_crew_ended ended;
    enum acme_rc rc;

    if (work->action == ACME_ACCOUNT_REKEY)
        return acme_rekeyer_run(conf, work, err);
    acme_error_clear(&ended.err);
    rc = acme_crew_new(conf, &crew, &ended.err);
    if (rc == ACME_OK && (!acme_crew_start_errand(crew, 0, run, &errand) ||
                             !acme_crew_take(crew, &ended)))
        (void)acme_error_set(&ended.err, ACME_IO, "cannot start");
    if (ended.err.rc != ACME_OK) {
        size_t len = strlen(errand.prefix);

        memcpy(errand.text, errand.prefix, len + 1);
        (void)acme_error_line(&ended.err, errand.text + len,
            sizeof(errand.text) - len);
    }
    rc = acme_vault_done(conf->vault, 1, ended.err.rc == ACME_OK, errand.text,
        err);
    acme_crew_free(crew);
    return rc;
}
