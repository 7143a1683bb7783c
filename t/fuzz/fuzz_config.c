/*
 * A configuration of arbitrary words, a line each:
 *
 *     issuer NAME DIRECTORY [KEY-FILE]
 *     lineage NAME ISSUER KEY-TYPES WORD ...
 *
 * ("-" for a lineage without a name; of key types each letter is one).  What
 * is taken can be found again, under a name that may be a directory.
 */
#include "base/acme_name.h"
#include "drive/acme_host_check.h"
#include "fuzz.h"
#include "wrap/acme_idn.h"

#define WORDS_MAX 32

static size_t
split(char *line, const char *words[WORDS_MAX])
{
    size_t n = 0;
    char *rest = NULL, *word;

    for (word = strtok_r(line, " ", &rest); word != NULL && n < WORDS_MAX;
         word = strtok_r(NULL, " ", &rest))
        words[n++] = word;
    return n;
}

/* What hosts make of a word before they pass it on. */
static void
check_word(const char *word)
{
    char name[ACME_NAME_MAX + 1], contact[ACME_URL_MAX];
    enum acme_key_type type = ACME_KEY_NONE;
    struct acme_error err;
    bool is_file;

    acme_error_clear(&err);
    if (acme_idn_parse(word, strlen(word), name, &err) == ACME_OK)
        FUZZ_CHECK(name[0] != '\0');
    acme_error_clear(&err);
    (void)acme_host_account_key(word, &type, &is_file, &err);
    acme_error_clear(&err);
    if (acme_host_contact(word, contact, &err) == ACME_OK)
        FUZZ_CHECK(strlen(contact) < sizeof(contact));
    (void)acme_issuer_directory(word);
}

static void
add_issuer(struct acme_config *config, const char *const *words, size_t n)
{
    struct acme_issuer issuer = { .name = words[1],
        .directory = words[2],
        .key_type = ACME_KEY_ECDSA_256,
        .key_file = n > 3 ? words[3] : NULL,
        .verify = n < 5 };
    struct acme_error err;
    size_t index, found;

    acme_error_clear(&err);
    if (acme_config_add_issuer(config, &issuer, &index, &err) != ACME_OK) {
        FUZZ_CHECK(err.rc == ACME_CONFIG && err.what[0] != '\0');
        return;
    }
    FUZZ_CHECK(acme_config_find_issuer(config, words[1], &found));
    FUZZ_CHECK(found == index && index < config->nissuers);
}

/* Hosts give canonical names only. */
static size_t
canonical_names(const char *const *words, size_t n,
    char text[WORDS_MAX][ACME_NAME_MAX + 1], const char *names[WORDS_MAX])
{
    struct acme_error ignored;
    size_t i, kept = 0;

    for (i = 0; i < n; i++) {
        acme_error_clear(&ignored);
        if (acme_name_parse(words[i], strlen(words[i]), text[kept],
                &ignored) != ACME_OK)
            continue;
        names[kept] = text[kept];
        kept++;
    }
    return kept;
}

static void
add_lineage(struct acme_config *config, const char *const *words, size_t n)
{
    static char text[WORDS_MAX][ACME_NAME_MAX + 1];
    const char *names[WORDS_MAX], *type;
    struct acme_lineage lineage = { .names = names };
    struct acme_error err;
    size_t index;

    lineage.name = strcmp(words[1], "-") != 0 ? words[1] : NULL;
    lineage.issuer = strtoul(words[2], NULL, 10);
    for (type = words[3]; *type != '\0' && lineage.ntypes < ACME_TYPES_MAX;
         type++)
        lineage.type[lineage.ntypes++] =
            (enum acme_key_type)(1 + (unsigned char)*type % ACME_KEY_RSA_4096);
    lineage.nnames = canonical_names(words + 4, n - 4, text, names);
    acme_error_clear(&err);
    if (acme_config_add_lineage(config, &lineage, &index, &err) == ACME_OK)
        FUZZ_CHECK(index < config->nlineages);
    else
        FUZZ_CHECK(err.rc == ACME_CONFIG && err.what[0] != '\0');
}

static void
check_config(const struct acme_config *config)
{
    struct acme_error err;
    size_t i, j, found;

    for (i = 0; i < config->nlineages; i++) {
        const struct acme_lineage *lineage = &config->lineage[i];

        acme_error_clear(&err);
        FUZZ_CHECK(acme_lineage_name_check(lineage->name, &err) == ACME_OK);
        FUZZ_CHECK(acme_config_find_lineage(config, lineage->name, &found));
        FUZZ_CHECK(found == i);
        FUZZ_CHECK(lineage->nnames > 0 && lineage->ntypes > 0);
        for (j = 0; j < lineage->nnames; j++)
            FUZZ_CHECK(
                acme_config_find_name(config, lineage->names[j], &found) &&
                found <= i);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_config *config =
        acme_config_new("/nowhere", "nginx", "/etc/nginx/nginx.conf");
    struct fuzz_input in = { data, size };
    const char *words[WORDS_MAX];
    struct acme_error err;
    size_t i, n;

    FUZZ_CHECK(config != NULL);
    while (in.left > 0) {
        char *line = fuzz_line_text(&in);

        n = split(line, words);
        for (i = 0; i < n; i++)
            check_word(words[i]);
        if (n > 2 && strcmp(words[0], "issuer") == 0)
            add_issuer(config, words, n);
        if (n > 3 && strcmp(words[0], "lineage") == 0)
            add_lineage(config, words, n);
        free(line);
    }
    acme_error_clear(&err);
    if (acme_config_finish(config, &err) == ACME_OK)
        check_config(config);
    acme_config_free(config);
    return 0;
}
