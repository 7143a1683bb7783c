/*
 * What the runner is asked for besides records in the DNS: a stage of hooks,
 * or an event to be told.  Which programs those are, is never in it: the
 * runner has them from its configuration.
 */
#ifndef ACME_STAGE_ASK_H
#define ACME_STAGE_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "state/acme_config.h"
#include "state/acme_frame.h"

/* The unit of a question about all of them: the hooks that were to wait until
 * the end are run (ACME_HOOKS_POST, by the store). */
#define ACME_STAGE_ALL UINT32_MAX

/* Longest word of an event: "challenge-setup:dns-account-01:NAME". */
#define ACME_EVENT_WORD_MAX 320

/* What a program was given to read, and the end of what it wrote. */
#define ACME_STAGE_JSON_MAX ((size_t)32 * 1024)
#define ACME_STAGE_TAIL_MAX 1024

struct acme_stage_ask {
    enum acme_hooks_item stage; /* of ACME_HOOKS_COMMANDS */
    uint32_t unit;
    bool renews;                     /* there was a certificate before */
    bool failed;                     /* POST: the attempt came to nothing */
    unsigned version;                /* 0: none */
    uint64_t id;                     /* the store's, in the answer again */
    char event[ACME_EVENT_WORD_MAX]; /* TRACKING: see acme_track.h */
    char track[ACME_TRACK_ID_MAX];   /* TRACKING: the record; or "" */
    /* Borrowed, not ended by NUL: names with spaces between, and what is to be
     * read by a program. */
    const char *domains;
    size_t domains_len;
    const char *json;
    size_t json_len;
};

/* Into a frame of ACME_VERB_STAGE. */
void acme_stage_ask_render(const struct acme_stage_ask *ask,
    struct acme_buf *frame);

/*
 * Out of one, which it borrows from then on.  False: it is malformed, the unit
 * is none of the configuration's, or (`of_engine`) it is not what an engine
 * may ask for: that an attempt begins or has ended, with a tracking record or
 * not, and whether it may be "renewing" or "challenge-setup:TYPE:NAME" with a
 * name of its lineage.
 */
bool acme_stage_ask_parse(struct acme_frame *frame,
    const struct acme_config *config, bool of_engine,
    struct acme_stage_ask *ask);

/* One program that was run. */
struct acme_stage_outcome {
    char text[256];                     /* the command */
    unsigned ms;                        /* how long it ran */
    char error[512];                    /* "": it went well */
    char tail[ACME_STAGE_TAIL_MAX + 1]; /* of its output, printable */
};

/*
 * The answer: ACME_OK, or the first error of its programs; then what became of
 * each of them, as many as fit.
 */
void acme_stage_answer_begin(const struct acme_stage_ask *ask,
    const struct acme_error *err, struct acme_buf *frame);
void acme_stage_answer_add(const struct acme_stage_outcome *outcome,
    struct acme_buf *frame);

/* Out of one; false: it is none.  Then one outcome after the other, until
 * false. */
struct acme_stage_answer {
    uint32_t unit;
    enum acme_hooks_item stage;
    uint64_t id; /* 0: the engine has asked */
    struct acme_error err;
    bool has_outcomes;
};
bool acme_stage_answer_open(struct acme_frame *frame,
    const struct acme_buf *data, struct acme_stage_answer *answer);
bool acme_stage_answer_next(struct acme_frame *frame,
    struct acme_stage_outcome *outcome);

#endif
