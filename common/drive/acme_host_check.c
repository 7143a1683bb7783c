#include "drive/acme_host_check.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "drive/acme_command.h"
#include "drive/acme_csr_file.h"
#include "drive/acme_stage.h"
#include "protocol/acme_binding.h"
#include "state/acme_dir.h"
#include "state/acme_roster.h"
#include "state/acme_store.h"
#include "wrap/acme_idn.h"
#include "wrap/acme_tsig.h"
#include "wrap/acme_url.h"
#include "wrap/acme_x509.h"

/* A bundle of every CA there is has about 250 kB. */
#define CA_FILE_MAX (4 * 1024 * 1024)

/* Whether the first `len` bytes of `word` are this word, in any case. */
static bool
is_word(const char *word, size_t len, const char *known)
{
    return len == strlen(known) && strncasecmp(word, known, len) == 0;
}

enum acme_rc
acme_host_account_key(const char *word, enum acme_key_type *type,
    bool *is_file, struct acme_error *err)
{
    size_t len = strcspn(word, ":");
    bool file = !is_word(word, len, "ecdsa") && !is_word(word, len, "rsa");
    enum acme_rc rc = ACME_OK;

    if (!file)
        rc = acme_key_type_parse(word, type, err);
    if (rc == ACME_OK)
        *is_file = file;
    return rc;
}

enum acme_rc
acme_host_eab_alg(const char *word, const char **alg, struct acme_error *err)
{
    static const char *const known[] = { "HS256", "HS384", "HS512" };
    char shown[32];
    size_t i;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcasecmp(word, known[i]) == 0) {
            *alg = known[i];
            return ACME_OK;
        }
    acme_log_clean(shown, sizeof(shown), word, strlen(word));
    return acme_error_set(err, ACME_CONFIG,
        "unknown MAC algorithm \"%s\"; it must be HS256, HS384 or HS512",
        shown);
}

enum acme_rc
acme_host_eab_key(const char *word, struct acme_error *err)
{
    struct acme_binding binding;
    enum acme_rc rc;

    acme_binding_init(&binding);
    rc = acme_binding_parse(&binding, "kid", NULL, word, strlen(word), err);
    acme_binding_clear(&binding);
    return rc;
}

enum acme_rc
acme_host_contact(const char *address, char out[ACME_URL_MAX],
    struct acme_error *err)
{
    const char *scheme = strchr(address, ':') == NULL ? "mailto:" : "";

    if (address[0] == '\0')
        return acme_error_set(err, ACME_CONFIG,
            "the empty contact \"\"; write an address, or remove it");
    if (strlen(scheme) + strlen(address) >= ACME_URL_MAX)
        return acme_error_set(err, ACME_CONFIG,
            "a contact of more than %d bytes", ACME_URL_MAX - 1);
    strcpy(stpcpy(out, scheme), address);
    return ACME_OK;
}

enum acme_rc
acme_host_issuer_domain(const char *word, char out[ACME_NAME_MAX + 1],
    struct acme_error *err)
{
    char shown[64];
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (acme_name_parse(word, strlen(word), out, &ignored) == ACME_OK &&
        !acme_name_is_ip(out) && !acme_name_is_wildcard(out))
        return ACME_OK;
    acme_log_clean(shown, sizeof(shown), word, strlen(word));
    return acme_error_set(err, ACME_CONFIG,
        "\"%s\": it must be the domain name that the CA is called by in CAA "
        "records, such as letsencrypt.org",
        shown);
}

enum acme_rc
acme_host_port_map(struct acme_port_map *map, const char *word,
    struct acme_error *err)
{
    const char *colon = strchr(word, ':');
    char shown[64], *end;
    unsigned long port = 0;
    int *at = NULL;

    if (colon != NULL && (is_word(word, (size_t)(colon - word), "http") ||
                             is_word(word, (size_t)(colon - word), "80")))
        at = &map->http;
    else if (colon != NULL &&
             (is_word(word, (size_t)(colon - word), "https") ||
                 is_word(word, (size_t)(colon - word), "443")))
        at = &map->tls;
    if (at != NULL && strcmp(colon + 1, "-") == 0) {
        *at = -1;
        return ACME_OK;
    }
    if (at != NULL && colon[1] >= '0' && colon[1] <= '9')
        port = strtoul(colon + 1, &end, 10);
    if (port == 0 || port > 65535 || *end != '\0') {
        acme_log_clean(shown, sizeof(shown), word, strlen(word));
        return acme_error_set(err, ACME_CONFIG,
            "\"%s\": it must be \"http:PORT\" or \"https:PORT\", the "
            "server's port that public port 80 or 443 leads to, or \"-\" "
            "for none",
            shown);
    }
    *at = (int)port;
    return ACME_OK;
}

void
acme_host_listens(struct acme_reach *reach, const struct acme_port_map *map,
    unsigned port, bool tls)
{
    enum acme_arrival *arrival = tls ? &reach->tls : &reach->http;
    const int mapped = tls ? map->tls : map->http;
    const unsigned usual = tls ? 443 : 80;

    if (mapped == -1) {
        *arrival = ACME_ARRIVAL_NEVER;
        return;
    }
    if (port == (mapped != 0 ? (unsigned)mapped : usual))
        *arrival = ACME_ARRIVAL_YES;
    else if (mapped == 0 && *arrival == ACME_ARRIVAL_NO)
        *arrival = ACME_ARRIVAL_UNKNOWN;
}

static bool
is_noted(const struct acme_config *config, const struct acme_listener *one)
{
    size_t i;

    for (i = 0; i < config->nlisteners; i++)
        if (strcmp(config->listener[i].address, one->address) == 0 &&
            config->listener[i].port == one->port &&
            config->listener[i].tls == one->tls)
            return true;
    return false;
}

void
acme_host_listens_at(struct acme_config *config,
    const struct acme_port_map *map, const struct sockaddr *address,
    unsigned port, bool tls)
{
    struct acme_reach alone = { ACME_ARRIVAL_NO, ACME_ARRIVAL_NO };
    struct acme_listener one;
    enum acme_arrival arrival;

    acme_host_listens(&config->reach, map, port, tls);
    acme_host_listens(&alone, map, port, tls);
    arrival = tls ? alone.tls : alone.http;
    memset(&one, 0, sizeof(one));
    one.port = port;
    one.tls = tls;
    one.certain = arrival == ACME_ARRIVAL_YES;
    if ((!one.certain && arrival != ACME_ARRIVAL_UNKNOWN) ||
        !acme_address_reach(address, one.address) || is_noted(config, &one))
        return;
    if (config->nlisteners < ACME_LISTENERS_MAX)
        config->listener[config->nlisteners++] = one;
}

static enum acme_rc
check_ca_file(const char *path, struct acme_error *err)
{
    struct acme_buf pem;
    enum acme_rc rc;

    acme_buf_init(&pem, CA_FILE_MAX);
    rc = acme_dir_read_public(path, CA_FILE_MAX, &pem, err);
    if (rc == ACME_OK &&
        strstr(acme_buf_str(&pem), "-----BEGIN CERTIFICATE-----") == NULL)
        (void)acme_error_set(err, ACME_CONFIG,
            "\"%s\" has no PEM certificate in it", path);
    else if (rc != ACME_OK)
        err->rc = ACME_CONFIG;
    acme_buf_clear(&pem);
    return err->rc;
}

/* `what` is in it. */
static enum acme_rc
check_secret_file(const char *what, const char *path, struct acme_error *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return acme_error_errno(err, ACME_CONFIG, errno,
            "cannot use %s \"%s\"", what, path);
    if (!S_ISREG(st.st_mode)) {
        return acme_error_set(err, ACME_CONFIG,
            "%s \"%s\" is not a regular file", what, path);
    }
    if (st.st_uid != 0 && st.st_uid != geteuid()) {
        return acme_error_set(err, ACME_CONFIG,
            "%s \"%s\" belongs to uid %lu; chown it to %s", what, path,
            (unsigned long)st.st_uid,
            geteuid() == 0 ? "root" : "the server's user");
    }
    if ((st.st_mode & 07) != 0) {
        return acme_error_set(err, ACME_CONFIG,
            "%s \"%s\" is open to every user (mode %03o); "
            "chmod 600 it",
            what, path, (unsigned)st.st_mode & 0777);
    }
    return ACME_OK;
}

enum acme_rc
acme_host_check_issuer(const struct acme_issuer *issuer,
    struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;

    if (issuer->ca_file != NULL)
        rc = check_ca_file(issuer->ca_file, err);
    if (rc == ACME_OK && issuer->proxy_ca_file != NULL)
        rc = check_ca_file(issuer->proxy_ca_file, err);
    if (rc == ACME_OK && issuer->key_file != NULL)
        rc = check_secret_file("account key", issuer->key_file, err);
    if (rc == ACME_OK && issuer->eab_file != NULL)
        rc = check_secret_file("external account key", issuer->eab_file, err);
    return rc;
}

enum acme_rc
acme_host_proxy(const char *word, char origin[ACME_URL_MAX],
    struct acme_error *err)
{
    bool plain = strncasecmp(word, "http://", 7) == 0;
    struct acme_error ignored;
    struct acme_url url;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    rc = plain ? acme_url_parse_plain(word, ACME_CONFIG, &url, &ignored)
               : acme_url_parse(word, ACME_CONFIG, &url, &ignored);
    if (rc != ACME_OK || strcmp(url.path, "/") != 0 ||
        strchr(word, '?') != NULL)
        return acme_error_set(err, ACME_CONFIG,
            "it must be the http or https URL of a proxy, such as "
            "http://proxy.example.com:3128, without a path, and without a "
            "password, which everybody who may read the configuration would "
            "see");
    (void)snprintf(origin, ACME_URL_MAX, "%s", url.origin);
    return ACME_OK;
}

enum acme_rc
acme_host_check_dns_key(const struct acme_proof *proof, struct acme_error *err)
{
    const char *path = proof->dns_key_file;
    struct acme_tsig key;
    struct acme_buf text;
    enum acme_rc rc;

    if (path == NULL)
        return ACME_OK;
    rc = check_secret_file("TSIG key", path, err);
    if (rc != ACME_OK)
        return rc;
    acme_tsig_init(&key);
    acme_buf_init_secret(&text, ACME_TSIG_FILE_MAX);
    rc = acme_dir_read_secret(path, geteuid(), ACME_TSIG_FILE_MAX, &text, err);
    if (rc == ACME_OK)
        rc = acme_tsig_parse(&key, acme_buf_str(&text), text.len, err);
    if (rc == ACME_CONFIG)
        (void)acme_error_wrap(err, "TSIG key \"%s\"", path);
    else if (rc != ACME_OK && rc != ACME_NOMEM)
        rc = err->rc = ACME_CONFIG;
    acme_buf_clear(&text);
    acme_tsig_clear(&key);
    return rc;
}

enum acme_rc
acme_host_check_csr(struct acme_lineage *lineage, struct acme_error *err)
{
    struct acme_csr *csr = NULL;
    enum acme_rc rc;
    int fd = -1;

    if (lineage->csr_file == NULL)
        return ACME_OK;
    rc = acme_csr_file_open(lineage->csr_file, &fd, err);
    if (rc != ACME_OK)
        return rc;
    rc = acme_csr_file_read(fd, lineage->csr_file, lineage, &csr, err);
    close(fd);
    if (rc == ACME_OK && lineage->ntypes <= 1) {
        lineage->ntypes = 1;
        lineage->type[0] = acme_key_type_of(acme_csr_key(csr));
    }
    acme_csr_free(csr);
    return rc;
}

static enum acme_rc
check_command_file(const struct acme_command_file *file,
    struct acme_error *err)
{
    const char *what = file->program ? "program " : "";
    struct stat st;

    if (stat(file->path, &st) != 0 && file->optional)
        return ACME_OK;
    if (stat(file->path, &st) != 0 && errno == ENOENT)
        return acme_error_set(err, ACME_CONFIG, "%s\"%s\" does not exist",
            what, file->path);
    if (stat(file->path, &st) != 0)
        return acme_error_errno(err, ACME_CONFIG, errno, "cannot use %s\"%s\"",
            what, file->path);
    if (!S_ISREG(st.st_mode))
        return acme_error_set(err, ACME_CONFIG,
            "%s\"%s\" is not a regular file", what, file->path);
    if (file->program && (st.st_mode & 0111) == 0)
        return acme_error_set(err, ACME_CONFIG,
            "program \"%s\" is not executable; chmod +x it", file->path);
    return ACME_OK;
}

enum acme_rc
acme_host_check_command(const struct acme_command *command,
    struct acme_error *err)
{
    struct acme_command_file file[ACME_COMMAND_FILES_MAX];
    size_t n = acme_command_files(command, file), i;
    enum acme_rc rc = ACME_OK;

    for (i = 0; rc == ACME_OK && i < n; i++)
        rc = check_command_file(&file[i], err);
    if (rc == ACME_OK && n > 0 && command->credentials != NULL)
        rc = check_secret_file("credentials file", command->credentials, err);
    return rc;
}

enum acme_rc
acme_host_check_hooks(const struct acme_hooks *hooks, struct acme_error *err)
{
    return acme_stage_check(hooks, err);
}

bool
acme_host_demotes_command(const struct acme_command *command,
    struct acme_error *why)
{
    return geteuid() == 0 && acme_command_is_roots(command, why) != ACME_OK;
}

enum acme_rc
acme_host_check_state(const struct acme_config *config, struct acme_error *err)
{
    struct acme_store *store = NULL;
    enum acme_rc rc = acme_dir_check(config->state_dir, geteuid(), err);

    /* What is in it, above all the version of its layout. */
    if (rc == ACME_OK)
        rc = acme_store_open(config->state_dir, ACME_STORE_READ, &store, err);
    acme_store_close(store);
    if (rc != ACME_NOENT)
        return rc;
    acme_error_clear(err); /* it is made at start */
    return ACME_OK;
}

enum acme_rc
acme_host_known_lineages(struct acme_config *config, struct acme_error *err)
{
    struct acme_roster *roster = NULL;
    struct acme_store *store = NULL;
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    rc = acme_store_open(config->state_dir, ACME_STORE_READ, &store, &why);
    if (rc == ACME_OK)
        rc = acme_roster_read(store, config, &roster, &why);
    if (rc == ACME_OK)
        rc = acme_roster_adopt(roster, config, &why);
    acme_roster_free(roster);
    acme_store_close(store);
    return rc == ACME_NOMEM ? acme_error_nomem(err) : ACME_OK;
}

enum acme_rc
acme_host_staging(struct acme_issuer *issuer, struct acme_error *err)
{
    const char *staging = acme_issuer_staging(issuer->directory);

    if (staging == NULL)
        return acme_error_set(err, ACME_CONFIG,
            "no staging CA of %s is known: give the URL of its directory "
            "instead",
            issuer->directory);
    issuer->directory = staging;
    return ACME_OK;
}

enum acme_rc
acme_host_key_group(struct acme_config *config, const char *name,
    struct acme_error *err)
{
    const struct group *group = getgrnam(name);

    if (group == NULL)
        return acme_error_set(err, ACME_CONFIG,
            "there is no group \"%s\"; make it (groupadd --system %s) or "
            "name another",
            name, name);
    config->has_key_group = true;
    config->key_group = group->gr_gid;
    return ACME_OK;
}

enum acme_rc
acme_host_engine_user(struct acme_config *config, const char *name,
    uid_t fallback_uid, gid_t fallback_gid, struct acme_error *err)
{
    const struct passwd *pw = getpwnam(name != NULL ? name : "_acme");

    if (pw == NULL && name != NULL)
        return acme_error_set(err, ACME_CONFIG, "no such user \"%s\"", name);
    /* Workers that run as root are the admin's choice; the network is not
     * talked to as root for that. */
    if (pw == NULL && fallback_uid == 0)
        pw = getpwnam("nobody");
    config->server_uid = fallback_uid;
    config->server_gid = fallback_gid;
    config->uid = pw != NULL ? pw->pw_uid : fallback_uid;
    config->gid = pw != NULL ? pw->pw_gid : fallback_gid;
    return ACME_OK;
}
