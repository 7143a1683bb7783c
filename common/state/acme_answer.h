/*
 * Who answers a CA that comes to port 80 or 443, where that is not the server
 * (which it is, if nothing was said): a listener of acmectl's own, files below
 * a directory that another web server shows, or a person.  A plain value;
 * acme_proof.h has it.
 */
#ifndef ACME_ANSWER_H
#define ACME_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_arena.h"
#include "base/acme_error.h"
#include "base/acme_limits.h"
#include "state/acme_challenge_type.h"
#include "state/acme_words.h"

enum acme_answerer {
    ACME_ANSWERER_SERVER,
    ACME_ANSWERER_STANDALONE,
    ACME_ANSWERER_WEBROOT, /* http-01 alone */
    ACME_ANSWERER_MANUAL   /* a person, or a command; records, too */
};

struct acme_answer {
    enum acme_answerer by;
    /* standalone: where it listens; 0 and NULL: at the usual port, and at all
     * addresses. */
    unsigned http_port, tls_port;
    const char *http_address, *tls_address;
    /* webroot: directories (absolute), each with the names behind it that it
     * is for; one without is for all that are not there. */
    size_t nwebroots;
    const char *const *webroot;
};

/*
 * Takes words, "standalone [http=PORT] [http-address=ADDRESS] [tls=PORT]
 * [tls-address=ADDRESS]", "webroot DIRECTORY [NAME...]...", "manual" or
 * "server".  They and, for webroot, their array are borrowed.  ACME_CONFIG.
 */
enum acme_rc acme_answer_set(struct acme_answer *answer,
    const struct acme_words *words, struct acme_error *err);

/* The words that would say it again, which are the answer's, or in `room`;
 * returns how many. */
#define ACME_ANSWER_WORDS_MAX (ACME_WEBROOT_WORDS_MAX + 1)
#define ACME_ANSWER_ROOM 64
size_t acme_answer_get(const struct acme_answer *answer,
    const char *word[ACME_ANSWER_WORDS_MAX], char room[4][ACME_ANSWER_ROOM]);

/* False: out of memory.  `to` may be `from`. */
bool acme_answer_copy(struct acme_arena *arena, struct acme_answer *to,
    const struct acme_answer *from);
bool acme_answer_equal(const struct acme_answer *a,
    const struct acme_answer *b);

/* "standalone", ... */
const char *acme_answerer_name(enum acme_answerer by);

/* The directory whose files are seen at that name; NULL: none. */
const char *acme_answer_webroot(const struct acme_answer *answer,
    const char *name);

#endif
