#include "drive/acme_challenge.h"

#include <string.h>
#include <strings.h>

#include "base/acme_base64.h"
#include "base/acme_log.h"
#include "base/acme_name.h"

const struct acme_answering acme_answering_default = { ACME_ANSWERS_ON, -1,
    -1 };

/* ---- configuration ---------------------------------------------------- */

enum acme_rc
acme_answering_mode(const char *word, enum acme_answers *mode,
    struct acme_error *err)
{
    static const struct {
        const char *word;
        enum acme_answers mode;
    } known[] = {
        { "on", ACME_ANSWERS_ON },
        { "any", ACME_ANSWERS_ANY },
        { "pending", ACME_ANSWERS_PENDING },
        { "off", ACME_ANSWERS_OFF },
    };
    char shown[32];
    size_t i;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcasecmp(word, known[i].word) == 0) {
            *mode = known[i].mode;
            return ACME_OK;
        }
    acme_log_clean(shown, sizeof(shown), word, strlen(word));
    return acme_error_set(err, ACME_CONFIG,
        "\"%s\" is none of \"on\" (tokens for the names of certificates), "
        "\"any\" (for every name), \"pending\" (only those of orders in "
        "flight) and \"off\"",
        shown);
}

enum acme_rc
acme_answering_finish(struct acme_answering *how,
    const struct acme_config *config, int own, struct acme_error *err)
{
    const struct acme_issuer *issuer;

    how->issuer = -1;
    if (how->mode != ACME_ANSWERS_ANY || how->thumbprint != -1)
        return ACME_OK;
    if (config->nissuers == 0)
        return acme_error_set(err, ACME_CONFIG,
            "\"any\" has no account to answer for: there is no issuer, and no "
            "thumbprint");
    how->issuer = own != -1 ? own : 0;
    issuer = &config->issuer[how->issuer];
    if (issuer->key_file != NULL)
        return ACME_OK;
    return acme_error_set(err, ACME_CONFIG,
        "\"any\" would let whoever holds the account key of issuer \"%s\" "
        "have every name that reaches this server; name the file of a key "
        "that you have chosen for that as the issuer's account key, or a "
        "thumbprint, or write \"pending\"",
        issuer->name);
}

const char *
acme_answering_warning(const struct acme_answering *how, bool written)
{
    if (how->mode == ACME_ANSWERS_OFF || how->mode == ACME_ANSWERS_PENDING)
        return how->thumbprint != -1 && written
                   ? "a thumbprint has no effect where only orders in flight "
                     "are answered for, or nothing is"
                   : NULL;
    if (how->thumbprint != -1)
        return "whoever holds the account key with this thumbprint can get a "
               "certificate for every name that reaches this server";
    if (how->mode == ACME_ANSWERS_ANY)
        return "\"any\": whoever holds the account key can get a certificate "
               "for every name that reaches this server";
    return NULL;
}

size_t
acme_challenge_thumbprints(const struct acme_config *config)
{
    return config->nissuers + (acme_config_has_thumbprint_file(config)
                                      ? config->nthumbprints
                                      : 0);
}

/* ---- requests --------------------------------------------------------- */

/* The text after the path, if that is a token. */
static const char *
token_of(const char *path, size_t path_len, size_t *len)
{
    const size_t prefix = sizeof(ACME_CHALLENGE_PATH) - 1;

    if (path_len <= prefix || memcmp(path, ACME_CHALLENGE_PATH, prefix) != 0 ||
        !acme_token_ok(path + prefix, path_len - prefix))
        return NULL;
    *len = path_len - prefix;
    return path + prefix;
}

/* A lineage that has the name, and may be asked for by http-01: of others the
 * path is the server's. */
static bool
find_lineage(const struct acme_config *config, const char *name,
    size_t *lineage)
{
    return acme_config_find_name(config, name, lineage) &&
           acme_proof_admits(config->lineage[*lineage].proof, ACME_HTTP_01);
}

/* Place in the area of the thumbprint for any token at this name, -1: none.
 * *value: the thumbprint itself, where it is in the configuration. */
static int
thumbprint_for(const struct acme_config *config,
    const struct acme_answering *how, const char *name, const char **value)
{
    size_t lineage;

    *value = NULL;
    if (how->mode == ACME_ANSWERS_PENDING)
        return -1;
    if (find_lineage(config, name, &lineage))
        return (int)config->lineage[lineage].issuer;
    if (how->thumbprint == -1)
        return how->mode == ACME_ANSWERS_ANY ? how->issuer : -1;
    *value = config->thumbprint[how->thumbprint].value;
    return *value != NULL ? -1 : (int)config->nissuers + how->thumbprint;
}

static void
join(const char *token, size_t len, const char *thumbprint, char *answer)
{
    memcpy(answer, token, len);
    answer[len] = '.';
    memcpy(answer + len + 1, thumbprint, ACME_THUMBPRINT_LEN + 1);
}

bool
acme_challenge_answer(const struct acme_config *config,
    const struct acme_area *area, const struct acme_answering *how,
    const char *host, size_t host_len, const char *path, size_t path_len,
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1])
{
    char name[ACME_NAME_MAX + 1];
    const char *token, *value;
    size_t len;
    int place;

    if (how->mode == ACME_ANSWERS_OFF)
        return false;
    token = token_of(path, path_len, &len);
    if (token == NULL)
        return false;
    /* "": one that no lineage has, and no order. */
    if (!acme_name_from_host(host, host_len, name))
        name[0] = '\0';
    place = thumbprint_for(config, how, name, &value);
    if (area != NULL &&
        acme_area_answer(area, name, place, token, len, answer))
        return true;
    if (value == NULL)
        return false;
    join(token, len, value, answer);
    return true;
}
