#include "state/acme_foreign_account.h"

#include <stdlib.h>
#include <string.h>

#include "base/acme_time.h"
#include "state/acme_issuer.h"
#include "wrap/acme_json.h"
#include "wrap/acme_url.h"

/* What the files of a client are called, and which of them must be there. */
static const struct client {
    const char *name;
    const char *key, *json, *more;
    bool needs_json;
} clients[ACME_FOREIGN_CLIENTS] = {
    [ACME_FOREIGN_FILE] = { "a key file", "account key", NULL, NULL, false },
    [ACME_FOREIGN_CERTBOT] = { "Certbot", "private_key.json", "regr.json",
        "meta.json", true },
    [ACME_FOREIGN_UACME] = { "uacme", "key.pem", NULL, NULL, false },
    [ACME_FOREIGN_LEGO] = { "lego", "account key", "account.json", NULL,
        true },
    [ACME_FOREIGN_ACME_SH] = { "acme.sh", "account.key", "account.json",
        "ca.conf", false },
    [ACME_FOREIGN_MOD_MD] = { "mod_md", "account.pem", NULL, NULL, false },
    [ACME_FOREIGN_NGINX] = { "nginx", "account.key", NULL, NULL, false },
};

const char *
acme_foreign_client_name(enum acme_foreign_client client)
{
    return (size_t)client < ACME_FOREIGN_CLIENTS ? clients[client].name : "";
}

void
acme_foreign_account_clear(struct acme_foreign_account *account)
{
    size_t i;

    if (account == NULL)
        return;
    for (i = 0; i < account->ncontacts; i++)
        free(account->contact[i]);
    free(account->from);
    acme_key_unref(account->key);
    memset(account, 0, sizeof(*account));
}

/* ---- texts ------------------------------------------------------------ */

/* A URL that the client has kept; one that is none is damage. */
static enum acme_rc
take_url(const char *text, const char *what, char out[ACME_URL_MAX],
    struct acme_error *err)
{
    struct acme_url url;
    enum acme_rc rc = acme_url_parse(text, ACME_CONFIG, &url, err);

    if (rc != ACME_OK)
        return acme_error_wrap(err, "%s", what);
    memcpy(out, text, strlen(text) + 1);
    return rc;
}

/* Beyond those that we can have, and what is no text, nobody misses. */
static enum acme_rc
add_contact(struct acme_foreign_account *account, const char *scheme,
    const char *text, struct acme_error *err)
{
    size_t len = text != NULL ? strlen(text) : 0;
    char *copy;

    if (len == 0 || strlen(scheme) + len >= ACME_URL_MAX ||
        account->ncontacts == ACME_CONTACTS_MAX)
        return ACME_OK;
    copy = malloc(strlen(scheme) + len + 1);
    if (copy == NULL)
        return acme_error_nomem(err);
    strcpy(stpcpy(copy, scheme), text);
    account->contact[account->ncontacts++] = copy;
    return ACME_OK;
}

static enum acme_rc
add_contacts(struct acme_foreign_account *account,
    const struct acme_json *array, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < acme_json_count(array) && rc == ACME_OK; i++)
        rc = add_contact(account, "", acme_json_text(acme_json_at(array, i)),
            err);
    return rc;
}

/* RFC 8555 7.1.2 */
static bool
is_dead(const struct acme_json *body)
{
    const char *status = acme_json_str(body, "status");

    return status != NULL && (strcmp(status, "deactivated") == 0 ||
                                 strcmp(status, "revoked") == 0);
}

static enum acme_rc
parse_json(const struct acme_buf *text, const char *where,
    struct acme_json **root, struct acme_error *err)
{
    enum acme_rc rc =
        acme_json_parse(acme_buf_str(text), text->len, where, root, err);

    return rc == ACME_WIRE ? (err->rc = ACME_CONFIG) : rc;
}

/* "acme.test/dir" is the directory's URL without its scheme. */
static enum acme_rc
take_place(const struct acme_foreign_files *files,
    struct acme_foreign_account *account, struct acme_error *err)
{
    char url[ACME_URL_MAX] = "https://";
    size_t len = strlen(url);

    if (files->place == NULL || strchr(files->place, '/') == NULL)
        return ACME_OK;
    if (len + strlen(files->place) >= sizeof(url))
        return acme_error_set(err, ACME_CONFIG,
            "the place of an account is too long");
    memcpy(url + len, files->place, strlen(files->place) + 1);
    return take_url(url, "its place", account->directory, err);
}

/* ---- each client's ---------------------------------------------------- */

/* regr.json: {"body": {...}, "uri": "..."}; meta.json: {"creation_dt": ..} */
static enum acme_rc
read_certbot(const struct acme_foreign_files *files,
    const struct acme_json *regr, struct acme_foreign_account *account,
    struct acme_error *err)
{
    const struct acme_json *body = acme_json_get(regr, "body");
    const char *uri = acme_json_str(regr, "uri");
    struct acme_json *meta = NULL;
    struct acme_error ignored;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    if (uri == NULL)
        return acme_error_set(err, ACME_CONFIG,
            "regr.json has no \"uri\", the account's URL");
    rc = take_url(uri, "regr.json", account->url, err);
    if (rc == ACME_OK)
        rc = take_place(files, account, err);
    /* From version 1 of the protocol: the same account, another URL. */
    if (rc == ACME_OK && account->directory[0] != '\0' &&
        acme_foreign_account_is_at(account, account->directory, &ignored) !=
            ACME_OK)
        account->url[0] = '\0';
    if (rc == ACME_OK)
        rc = add_contacts(account, acme_json_get(body, "contact"), err);
    account->dead = is_dead(body);
    acme_error_clear(&ignored);
    if (rc == ACME_OK && files->more != NULL &&
        parse_json(files->more, "meta.json", &meta, &ignored) == ACME_OK)
        account->created = (time_t)acme_json_time(meta, "creation_dt");
    acme_json_free(meta);
    return rc;
}

/* account.json: {"email": .., "registration": {"body": {..}, "uri": ".."}} */
static enum acme_rc
read_lego(const struct acme_foreign_files *files, const struct acme_json *json,
    struct acme_foreign_account *account, struct acme_error *err)
{
    const struct acme_json *registration = acme_json_get(json, "registration");
    const struct acme_json *body = acme_json_get(registration, "body");
    const char *uri = acme_json_str(registration, "uri"), *directory;
    enum acme_rc rc = ACME_OK;

    (void)files;
    if (uri != NULL)
        rc = take_url(uri, "account.json", account->url, err);
    if (rc == ACME_OK)
        rc = add_contacts(account, acme_json_get(body, "contact"), err);
    if (rc == ACME_OK && account->ncontacts == 0)
        rc =
            add_contact(account, "mailto:", acme_json_str(json, "email"), err);
    account->dead = is_dead(body);
    directory = uri != NULL ? acme_issuer_directory_of(account->url) : NULL;
    if (directory != NULL)
        memcpy(account->directory, directory, strlen(directory) + 1);
    return rc;
}

static bool
is_plain(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return true;
}

/* The value of NAME='...' in a file of assignments of a shell; false: there is
 * none that fits. */
static bool
find_assigned(const struct acme_buf *conf, const char *name, char *out,
    size_t size)
{
    const char *line = acme_buf_str(conf), *value;
    size_t len, n = strlen(name);

    for (; *line != '\0'; line += len + (line[len] == '\n')) {
        len = strcspn(line, "\n");
        if (len <= n || strncmp(line, name, n) != 0 || line[n] != '=')
            continue;
        value = line + n + 1;
        n = len - n - 1;
        if (n >= 2 && (value[0] == '\'' || value[0] == '"') &&
            value[n - 1] == value[0]) {
            value++;
            n -= 2;
        }
        if (n == 0 || n >= size || !is_plain(value, n))
            return false;
        memcpy(out, value, n);
        out[n] = '\0';
        return true;
    }
    return false;
}

/* account.json is the CA's answer; ca.conf has ACCOUNT_URL and CA_EMAIL. */
static enum acme_rc
read_acme_sh(const struct acme_foreign_files *files,
    const struct acme_json *json, struct acme_foreign_account *account,
    struct acme_error *err)
{
    char text[ACME_URL_MAX];
    enum acme_rc rc = take_place(files, account, err);

    if (rc == ACME_OK && files->more != NULL &&
        find_assigned(files->more, "ACCOUNT_URL", text, sizeof(text)))
        rc = take_url(text, "ca.conf", account->url, err);
    if (rc == ACME_OK)
        rc = add_contacts(account, acme_json_get(json, "contact"), err);
    if (rc == ACME_OK && account->ncontacts == 0 && files->more != NULL &&
        find_assigned(files->more, "CA_EMAIL", text, sizeof(text)))
        rc = add_contact(account, "mailto:", text, err);
    account->dead = is_dead(json);
    return rc;
}

typedef enum acme_rc reader(const struct acme_foreign_files *files,
    const struct acme_json *json, struct acme_foreign_account *account,
    struct acme_error *err);

static reader *const readers[ACME_FOREIGN_CLIENTS] = {
    [ACME_FOREIGN_CERTBOT] = read_certbot,
    [ACME_FOREIGN_LEGO] = read_lego,
    [ACME_FOREIGN_ACME_SH] = read_acme_sh,
};

/* ---- all of it -------------------------------------------------------- */

static enum acme_rc
read_files(const struct acme_foreign_files *files,
    struct acme_foreign_account *account, struct acme_error *err)
{
    const struct client *client = &clients[files->client];
    struct acme_json *json = NULL;
    enum acme_rc rc = ACME_OK;

    if (files->key == NULL)
        return acme_error_set(err, ACME_CONFIG, "its key is not there");
    if (acme_key_from_text(acme_buf_str(files->key), files->key->len,
            &account->key, err) != ACME_OK)
        return acme_error_wrap(err, "%s", client->key);
    if (files->json != NULL)
        rc = parse_json(files->json, client->json, &json, err);
    else if (client->needs_json)
        rc = acme_error_set(err, ACME_CONFIG, "\"%s\" is not there",
            client->json);
    if (rc == ACME_OK && readers[files->client] != NULL)
        rc = readers[files->client](files, json, account, err);
    acme_json_free(json);
    return rc;
}

enum acme_rc
acme_foreign_account_parse(const struct acme_foreign_files *files,
    struct acme_foreign_account *account, struct acme_error *err)
{
    struct acme_foreign_account read;
    enum acme_rc rc;

    memset(&read, 0, sizeof(read));
    read.client = files->client;
    rc = read_files(files, &read, err);
    if (rc == ACME_OK)
        *account = read;
    else
        acme_foreign_account_clear(&read);
    return rc;
}

enum acme_rc
acme_foreign_account_is_at(const struct acme_foreign_account *account,
    const char *directory, struct acme_error *err)
{
    struct acme_issuer issuer;

    acme_issuer_init(&issuer);
    issuer.directory = directory;
    if (account->directory[0] != '\0' &&
        strcmp(account->directory, directory) != 0)
        return acme_error_set(err, ACME_CONFIG,
            "this account is one of \"%s\", not of \"%s\"", account->directory,
            directory);
    if (account->url[0] != '\0' &&
        !acme_issuer_has_account(&issuer, account->url))
        return acme_error_set(err, ACME_CONFIG,
            "this account, \"%s\", is none of \"%s\"", account->url,
            directory);
    return ACME_OK;
}
