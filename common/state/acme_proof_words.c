/*
 * The words of the directives that acme_proof.h has fields for, both ways.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/acme_name.h"
#include "state/acme_proof.h"
#include "state/acme_words.h"
#include "wrap/acme_dns.h"

#define TIMEOUT_WORD "timeout="
#define CREDENTIALS_WORD "credentials="
#define VERSION_WORD "version="

/* Versions of draft-ietf-acme-dns-persist that are spoken here.  The record is
 * the same in these two; a challenge of 01 also has the account's URL, which
 * is compared with ours.  02 has a hash in place of that URL. */
static const char *const drafts[] = { "draft-00", "draft-01" };

static const char *const kinds[] = {
    [ACME_COMMAND_NONE] = "none",
    [ACME_COMMAND_CERTBOT] = "certbot",
    [ACME_COMMAND_MOD_MD] = "mod_md",
    [ACME_COMMAND_UACME] = "uacme",
    [ACME_COMMAND_ACME_SH] = "acme.sh",
};

static const char *const preflights[] = {
    [ACME_PREFLIGHT_OFF] = "off",
    [ACME_PREFLIGHT_WARN] = "warn",
    [ACME_PREFLIGHT_REQUIRE] = "require",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- challenges ------------------------------------------------------- */

/* "dns-persist-01=draft-01": what is no standard yet is asked for by the text
 * it was written after. */
static enum acme_rc
read_persist(struct acme_proof *proof, const char *word,
    enum acme_challenge_type *type, struct acme_error *err)
{
    const char *version = strchr(word, '=');
    size_t i;

    for (i = 0; version != NULL && i < COUNT(drafts); i++)
        if (strcasecmp(version + 1, drafts[i]) == 0) {
            proof->persist = drafts[i];
            *type = ACME_DNS_PERSIST_01;
            return ACME_OK;
        }
    return acme_words_bad(err, word,
        "it is no standard yet and may change; name the version of the draft "
        "that your CA follows, \"dns-persist-01=draft-00\" or "
        "\"dns-persist-01=draft-01\"");
}

static enum acme_rc
read_challenge(struct acme_proof *proof, const char *word,
    enum acme_challenge_type *type, struct acme_error *err)
{
    enum acme_rc rc;

    if (strncasecmp(word, "dns-persist-01=", strlen("dns-persist-01=")) == 0)
        return read_persist(proof, word, type, err);
    rc = acme_challenge_parse(word, type, err);
    if (rc == ACME_OK && *type == ACME_DNS_PERSIST_01)
        rc = read_persist(proof, word, type, err);
    return rc;
}

static enum acme_rc
set_challenges(struct acme_proof *proof, const struct acme_words *reader,
    struct acme_error *err)
{
    enum acme_challenge_type type = ACME_HTTP_01;
    enum acme_rc rc;
    size_t i, k;

    if (reader->n == 0)
        return acme_words_count(err, "it needs a challenge such as http-01");
    proof->persist = NULL;
    for (i = 0; i < reader->n; i++) {
        rc = read_challenge(proof, reader->word[i], &type, err);
        if (rc != ACME_OK)
            return rc;
        for (k = 0; k < proof->nchallenges; k++)
            if (proof->challenge[k] == type)
                return acme_words_bad(err, reader->word[i],
                    "it is there twice; remove one");
        proof->challenge[proof->nchallenges++] = type;
    }
    return ACME_OK;
}

/* ---- commands --------------------------------------------------------- */

static enum acme_rc
read_kind(const char *word, enum acme_command_kind *kind,
    struct acme_error *err)
{
    size_t i;

    for (i = 0; i < COUNT(kinds); i++)
        if (strcasecmp(word, kinds[i]) == 0) {
            *kind = (enum acme_command_kind)i;
            return ACME_OK;
        }
    return acme_words_bad(err, word,
        "it must be the convention that the program follows: certbot, "
        "mod_md, uacme or acme.sh (or none)");
}

/* Of mod_md's convention. */
static enum acme_rc
read_version(struct acme_command *command, const char *word,
    struct acme_error *err)
{
    const char *number = word + strlen(VERSION_WORD);

    if (strcmp(number, "1") != 0 && strcmp(number, "2") != 0)
        return acme_words_bad(err, word, "it must be version=1 or version=2");
    command->version = (unsigned)(number[0] - '0');
    return ACME_OK;
}

/* "timeout=..." and the others may stand anywhere. */
static enum acme_rc
read_option(struct acme_command *command, const struct acme_words *reader,
    const char *word, bool *is_option, struct acme_error *err)
{
    *is_option = true;
    if (strncmp(word, TIMEOUT_WORD, strlen(TIMEOUT_WORD)) == 0)
        return acme_words_seconds(word + strlen(TIMEOUT_WORD), 3600,
            &command->timeout, err);
    if (strncmp(word, CREDENTIALS_WORD, strlen(CREDENTIALS_WORD)) == 0)
        return acme_words_path(reader, word + strlen(CREDENTIALS_WORD),
            &command->credentials, err);
    if (command->kind == ACME_COMMAND_MOD_MD &&
        strncmp(word, VERSION_WORD, strlen(VERSION_WORD)) == 0)
        return read_version(command, word, err);
    *is_option = false;
    return ACME_OK;
}

/* Which words are paths differs. */
static enum acme_rc
finish_command(struct acme_command *command, const struct acme_words *reader,
    struct acme_error *err)
{
    size_t n = command->nwords;
    enum acme_rc rc;

    switch (command->kind) {
    case ACME_COMMAND_NONE:
        return n == 0 ? ACME_OK : acme_words_count(err, "none stands alone");
    case ACME_COMMAND_ACME_SH:
        if (n != 2)
            return acme_words_count(err,
                "acme.sh needs the name of a script in its dnsapi directory "
                "and its home, such as \"acme.sh dns_cf /root/.acme.sh\"");
        if (strspn(command->word[0],
                "abcdefghijklmnopqrstuvwxyz0123456789_") !=
            strlen(command->word[0]))
            return acme_words_bad(err, command->word[0],
                "it is no name of a script such as dns_cf");
        return acme_words_path(reader, command->word[1], &command->word[1],
            err);
    case ACME_COMMAND_CERTBOT:
        if (n != 1 && n != 2)
            return acme_words_count(err,
                "certbot needs the auth hook and, maybe, the cleanup hook");
        rc = n == 2 ? acme_words_path(reader, command->word[1],
                          &command->cleanup, err)
                    : ACME_OK;
        command->nwords = 1;
        if (rc != ACME_OK)
            return rc;
        break;
    case ACME_COMMAND_MOD_MD:
    case ACME_COMMAND_UACME:
        if (n == 0)
            return acme_words_count(err, "the path of the program is missing");
        break;
    }
    return acme_words_path(reader, command->word[0], &command->word[0], err);
}

static enum acme_rc
set_command(struct acme_proof *proof, const struct acme_words *reader,
    struct acme_error *err)
{
    struct acme_command *command = &proof->command;
    enum acme_rc rc;
    bool is_option;
    size_t i;

    if (reader->n == 0)
        return acme_words_count(err,
            "it needs a convention and a program, such "
            "as \"certbot /usr/local/bin/dns-auth\"");
    rc = read_kind(reader->word[0], &command->kind, err);
    for (i = 1; rc == ACME_OK && i < reader->n; i++) {
        rc = read_option(command, reader, reader->word[i], &is_option, err);
        if (rc != ACME_OK || is_option)
            continue;
        if (command->nwords == ACME_COMMAND_WORDS_MAX)
            return acme_words_bad(err, reader->word[i],
                "it is one word too many; write a script");
        command->word[command->nwords++] = reader->word[i];
    }
    return rc == ACME_OK ? finish_command(command, reader, err) : rc;
}

/* ---- the rest --------------------------------------------------------- */

static enum acme_rc
set_dns_update(struct acme_proof *proof, const struct acme_words *reader,
    struct acme_error *err)
{
    char host[ACME_NAME_MAX + 1];
    unsigned port;
    enum acme_rc rc;

    if (reader->n == 1 && strcasecmp(reader->word[0], "none") == 0)
        return ACME_OK;
    if (reader->n != 2)
        return acme_words_count(err,
            "it needs the primary name server and the file of a TSIG key, "
            "such as \"192.0.2.53 /etc/acme/tsig.key\"");
    rc = acme_dns_host_parse(reader->word[0], host, &port, err);
    if (rc != ACME_OK)
        return rc;
    proof->dns_server = reader->word[0];
    return acme_words_path(reader, reader->word[1], &proof->dns_key_file, err);
}

static enum acme_rc
set_delegation(struct acme_proof *proof, const struct acme_words *reader,
    struct acme_error *err)
{
    char zone[ACME_NAME_MAX + 1];
    struct acme_error ignored;
    size_t i;

    if (reader->n == 0 || reader->n > ACME_DNS_ZONES_MAX)
        return acme_words_count(err,
            "it needs the zones that CNAME records of "
            "_acme-challenge labels may lead to");
    for (i = 0; i < reader->n; i++) {
        acme_error_clear(&ignored);
        if (acme_name_parse(reader->word[i], strlen(reader->word[i]), zone,
                &ignored) != ACME_OK ||
            acme_name_is_ip(zone) || acme_name_is_wildcard(zone) ||
            strcasecmp(zone, reader->word[i]) != 0)
            return acme_words_bad(err, reader->word[i],
                "it is not the name of a zone, such as acme.example.com");
        proof->zone[proof->nzones++] = reader->word[i];
    }
    return ACME_OK;
}

static enum acme_rc
set_propagation(struct acme_proof *proof, const struct acme_words *reader,
    struct acme_error *err)
{
    enum acme_rc rc;

    if (reader->n == 0 || reader->n > 2)
        return acme_words_count(err, "it needs how long the DNS may take, and "
                                     "maybe how often it is asked, or off");
    if (reader->n == 1 && strcasecmp(reader->word[0], "off") == 0) {
        proof->propagation = 0;
        return ACME_OK;
    }
    rc = acme_words_seconds(reader->word[0], 24 * 3600, &proof->propagation,
        err);
    if (rc == ACME_OK && reader->n == 2)
        rc = acme_words_seconds(reader->word[1], 3600, &proof->interval, err);
    return rc;
}

static enum acme_rc
set_preflight(struct acme_proof *proof, const struct acme_words *reader,
    struct acme_error *err)
{
    size_t i;

    if (reader->n != 1)
        return acme_words_count(err, "it is off, warn or require");
    for (i = 0; i < COUNT(preflights); i++)
        if (strcasecmp(reader->word[0], preflights[i]) == 0) {
            proof->preflight = (enum acme_preflight)i;
            return ACME_OK;
        }
    return acme_words_bad(err, reader->word[0],
        "it must be off, warn or require");
}

static enum acme_rc
set_resolver(struct acme_proof *proof, const struct acme_words *reader,
    struct acme_error *err)
{
    struct acme_dns_servers servers = { .n = 0 };
    enum acme_rc rc = ACME_OK;
    size_t i;

    if (reader->n == 0)
        return acme_words_count(err, "it needs the addresses of name servers");
    for (i = 0; i < reader->n && rc == ACME_OK; i++) {
        rc = acme_dns_servers_add(&servers, reader->word[i], err);
        if (rc == ACME_OK)
            proof->resolver[proof->nresolvers++] = reader->word[i];
    }
    return rc;
}

/* Which of the two is meant, nobody could tell. */
static enum acme_rc
check_means(const struct acme_proof *proof, const struct acme_proof *said,
    struct acme_error *err)
{
    const char *other = NULL;

    if (said->command.kind != ACME_COMMAND_NONE && proof->dns_server != NULL)
        other = "acme_dns_update (ACMEDNSUpdate)";
    else if (said->dns_server != NULL &&
             proof->command.kind != ACME_COMMAND_NONE)
        other = "acme_challenge_cmd (ACMEChallengeCmd)";
    if (other == NULL)
        return ACME_OK;
    return acme_error_set(err, ACME_CONFIG,
        "records of challenges are made by one means, and %s is here as well; "
        "remove one of the two",
        other);
}

enum acme_rc
acme_proof_set(struct acme_proof *proof, enum acme_proof_item item,
    const char *const *word, size_t nwords, acme_path_fn *path, void *ctx,
    struct acme_error *err)
{
    const struct acme_words reader = { word, nwords, path, ctx };
    struct acme_proof said;
    enum acme_rc rc = ACME_OK;

    acme_proof_init(&said);
    switch (item) {
    case ACME_PROOF_CHALLENGE:
        rc = set_challenges(&said, &reader, err);
        break;
    case ACME_PROOF_COMMAND:
        rc = set_command(&said, &reader, err);
        break;
    case ACME_PROOF_DNS_UPDATE:
        rc = set_dns_update(&said, &reader, err);
        break;
    case ACME_PROOF_DNS_DELEGATION:
        rc = set_delegation(&said, &reader, err);
        break;
    case ACME_PROOF_DNS_PROPAGATION:
        rc = set_propagation(&said, &reader, err);
        break;
    case ACME_PROOF_PREFLIGHT:
        rc = set_preflight(&said, &reader, err);
        break;
    case ACME_PROOF_DNS_RESOLVER:
        rc = set_resolver(&said, &reader, err);
        break;
    case ACME_PROOF_ANSWER:
        rc = acme_answer_set(&said.answer, &reader, err);
        break;
    case ACME_PROOF_ITEMS:
        break;
    }
    if (rc == ACME_OK)
        rc = check_means(proof, &said, err);
    if (rc != ACME_OK)
        return rc;
    said.said = 1u << item;
    proof->said &= ~said.said;
    acme_proof_merge(proof, &said);
    return ACME_OK;
}

/* ---- and back --------------------------------------------------------- */

static void
add_word(struct acme_proof_words *words, const char *word)
{
    if (word != NULL)
        words->word[words->n++] = word;
}

static const char *
number_word(struct acme_proof_words *words, size_t at, const char *prefix,
    unsigned number)
{
    (void)snprintf(words->room[at], sizeof(words->room[at]), "%s%u", prefix,
        number);
    return words->room[at];
}

static void
get_command(const struct acme_command *command, struct acme_proof_words *words)
{
    size_t i;

    add_word(words, kinds[command->kind]);
    for (i = 0; i < command->nwords; i++)
        add_word(words, command->word[i]);
    if (command->kind == ACME_COMMAND_NONE)
        return;
    add_word(words, command->cleanup);
    add_word(words, number_word(words, 0, TIMEOUT_WORD, command->timeout));
    if (command->version != 0)
        add_word(words, number_word(words, 1, VERSION_WORD, command->version));
    if (command->credentials == NULL)
        return;
    (void)snprintf(words->path, sizeof(words->path), "%s%s", CREDENTIALS_WORD,
        command->credentials);
    add_word(words, words->path);
}

static void
get_challenges(const struct acme_proof *proof, struct acme_proof_words *words)
{
    size_t i;

    for (i = 0; i < proof->nchallenges; i++) {
        const char *name = acme_challenge_name(proof->challenge[i]);

        if (proof->challenge[i] != ACME_DNS_PERSIST_01) {
            add_word(words, name);
            continue;
        }
        (void)snprintf(words->room[0], sizeof(words->room[0]), "%s=%s", name,
            proof->persist);
        add_word(words, words->room[0]);
    }
}

void
acme_proof_get(const struct acme_proof *proof, enum acme_proof_item item,
    struct acme_proof_words *words)
{
    size_t i;

    words->n = 0;
    switch (item) {
    case ACME_PROOF_CHALLENGE:
        get_challenges(proof, words);
        break;
    case ACME_PROOF_COMMAND:
        get_command(&proof->command, words);
        break;
    case ACME_PROOF_DNS_UPDATE:
        add_word(words,
            proof->dns_server != NULL ? proof->dns_server : "none");
        add_word(words, proof->dns_key_file);
        break;
    case ACME_PROOF_DNS_DELEGATION:
        for (i = 0; i < proof->nzones; i++)
            add_word(words, proof->zone[i]);
        break;
    case ACME_PROOF_DNS_PROPAGATION:
        if (proof->propagation == 0) {
            add_word(words, "off");
            break;
        }
        add_word(words, number_word(words, 0, "", proof->propagation));
        add_word(words, number_word(words, 1, "", proof->interval));
        break;
    case ACME_PROOF_PREFLIGHT:
        add_word(words, preflights[proof->preflight]);
        break;
    case ACME_PROOF_DNS_RESOLVER:
        for (i = 0; i < proof->nresolvers; i++)
            add_word(words, proof->resolver[i]);
        break;
    case ACME_PROOF_ANSWER:
        words->n = acme_answer_get(&proof->answer, words->word, words->room);
        break;
    case ACME_PROOF_ITEMS:
        break;
    }
}
