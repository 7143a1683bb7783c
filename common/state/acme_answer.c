#include "state/acme_answer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/acme_text.h"

static const char *const names[] = {
    [ACME_ANSWERER_SERVER] = "server",
    [ACME_ANSWERER_STANDALONE] = "standalone",
    [ACME_ANSWERER_WEBROOT] = "webroot",
    [ACME_ANSWERER_MANUAL] = "manual",
};

const char *
acme_answerer_name(enum acme_answerer by)
{
    return names[by];
}

/* ---- words ------------------------------------------------------------ */

static enum acme_rc
read_port(const char *word, unsigned *port, struct acme_error *err)
{
    const char *digits = strchr(word, '=') + 1;
    unsigned long number = strtoul(digits, NULL, 10);

    if (strspn(digits, "0123456789") != strlen(digits) ||
        strlen(digits) > strlen("65535") || number < 1 || number > 65535)
        return acme_words_bad(err, word, "a port is between 1 and 65535");
    *port = (unsigned)number;
    return ACME_OK;
}

static enum acme_rc
read_address(const char *word, const char **address, struct acme_error *err)
{
    const char *text = strchr(word, '=') + 1;
    unsigned char bytes[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, text, bytes) != 1 &&
        inet_pton(AF_INET6, text, bytes) != 1)
        return acme_words_bad(err, word,
            "an address is one such as 192.0.2.1 or 2001:db8::1, without "
            "brackets");
    *address = text;
    return ACME_OK;
}

static bool
begins(const char *word, const char *with)
{
    return strncmp(word, with, strlen(with)) == 0;
}

static enum acme_rc
read_standalone(struct acme_answer *answer, const char *word,
    struct acme_error *err)
{
    if (begins(word, "http="))
        return read_port(word, &answer->http_port, err);
    if (begins(word, "tls="))
        return read_port(word, &answer->tls_port, err);
    if (begins(word, "http-address="))
        return read_address(word, &answer->http_address, err);
    if (begins(word, "tls-address="))
        return read_address(word, &answer->tls_address, err);
    return acme_words_bad(err, word,
        "it is none of http=PORT, http-address=ADDRESS, tls=PORT, "
        "tls-address=ADDRESS");
}

static enum acme_rc
read_webroot(struct acme_answer *answer, const struct acme_words *words,
    struct acme_error *err)
{
    if (words->n < 2 || words->word[1][0] != '/')
        return acme_words_count(err,
            "webroot needs a directory, with its whole path");
    if (words->n - 1 > ACME_WEBROOT_WORDS_MAX)
        return acme_words_count(err,
            "there are too many directories and names");
    answer->nwebroots = words->n - 1;
    answer->webroot = words->word + 1;
    return ACME_OK;
}

enum acme_rc
acme_answer_set(struct acme_answer *answer, const struct acme_words *words,
    struct acme_error *err)
{
    struct acme_answer said = { .by = ACME_ANSWERER_SERVER };
    enum acme_rc rc = ACME_OK;
    size_t i = 0;

    while (words->n > 0 && i < sizeof(names) / sizeof(names[0]) &&
           strcasecmp(words->word[0], names[i]) != 0)
        i++;
    if (words->n == 0 || i == sizeof(names) / sizeof(names[0]))
        return acme_words_count(err,
            "it must begin with server, standalone, webroot or manual");
    said.by = (enum acme_answerer)i;
    if (said.by == ACME_ANSWERER_WEBROOT)
        rc = read_webroot(&said, words, err);
    for (i = 1;
         said.by != ACME_ANSWERER_WEBROOT && i < words->n && rc == ACME_OK;
         i++)
        rc = said.by == ACME_ANSWERER_STANDALONE
                 ? read_standalone(&said, words->word[i], err)
                 : acme_words_bad(err, words->word[i], "remove it");
    if (rc == ACME_OK)
        *answer = said;
    return rc;
}

size_t
acme_answer_get(const struct acme_answer *answer,
    const char *word[ACME_ANSWER_WORDS_MAX], char room[4][ACME_ANSWER_ROOM])
{
    size_t n = 0, i;

    word[n++] = names[answer->by];
    for (i = 0; i < answer->nwebroots; i++)
        word[n++] = answer->webroot[i];
    for (i = 0; i < 4; i++)
        room[i][0] = '\0';
    if (answer->http_port != 0)
        (void)snprintf(room[0], sizeof(room[0]), "http=%u", answer->http_port);
    if (answer->http_address != NULL)
        (void)snprintf(room[1], sizeof(room[1]), "http-address=%s",
            answer->http_address);
    if (answer->tls_port != 0)
        (void)snprintf(room[2], sizeof(room[2]), "tls=%u", answer->tls_port);
    if (answer->tls_address != NULL)
        (void)snprintf(room[3], sizeof(room[3]), "tls-address=%s",
            answer->tls_address);
    for (i = 0; i < 4; i++)
        if (room[i][0] != '\0')
            word[n++] = room[i];
    return n;
}

/* ---- values ----------------------------------------------------------- */

bool
acme_answer_copy(struct acme_arena *arena, struct acme_answer *to,
    const struct acme_answer *from)
{
    struct acme_answer copy = *from;
    const char **word = NULL;

    if (copy.nwebroots > 0) {
        word = acme_arena_alloc(arena, copy.nwebroots * sizeof(*word));
        if (word == NULL)
            return false;
        memcpy(word, copy.webroot, copy.nwebroots * sizeof(*word));
        copy.webroot = word;
    }
    if (!acme_arena_own(arena, word, copy.nwebroots) ||
        !acme_arena_own(arena, &copy.http_address, 1) ||
        !acme_arena_own(arena, &copy.tls_address, 1))
        return false;
    *to = copy;
    return true;
}

bool
acme_answer_equal(const struct acme_answer *a, const struct acme_answer *b)
{
    size_t i;

    if (a->by != b->by || a->http_port != b->http_port ||
        a->tls_port != b->tls_port || a->nwebroots != b->nwebroots ||
        !acme_text_same(a->http_address, b->http_address) ||
        !acme_text_same(a->tls_address, b->tls_address))
        return false;
    for (i = 0; i < a->nwebroots; i++)
        if (strcmp(a->webroot[i], b->webroot[i]) != 0)
            return false;
    return true;
}

const char *
acme_answer_webroot(const struct acme_answer *answer, const char *name)
{
    const char *dir = NULL, *others = NULL;
    size_t i;

    for (i = 0; i < answer->nwebroots; i++) {
        const char *word = answer->webroot[i];

        if (word[0] != '/') {
            if (strcmp(word, name) == 0)
                return dir;
            continue;
        }
        dir = word;
        if (i + 1 == answer->nwebroots || answer->webroot[i + 1][0] == '/')
            others = word;
    }
    return others;
}
