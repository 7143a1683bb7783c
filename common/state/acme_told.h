/*
 * What a store remembers of a lineage's hooks and events: how each hook went
 * last, when the command for events was told of what, and which tracking
 * records are open.  A value and its
 * JSON form (told/NAME.json), written by stores alone.
 */
#ifndef ACME_TOLD_H
#define ACME_TOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "base/acme_limits.h"
#include "wrap/acme_json.h"
#include "wrap/acme_key.h"

/* Hooks that are remembered, of each stage its last run; events; a tail of
 * what a program wrote. */
#define ACME_TOLD_HOOKS_MAX 16
#define ACME_TOLD_EVENTS_MAX 16
#define ACME_TOLD_TAIL_MAX 1024

struct acme_told_hook {
    char stage[16];                    /* "pre", "deploy", "post", "event" */
    char text[256];                    /* the command */
    time_t at;                         /* when it had ended */
    unsigned ms;                       /* how long it ran */
    char error[512];                   /* "": it went well */
    char tail[ACME_TOLD_TAIL_MAX + 1]; /* of its output, printable */
};

struct acme_told_event {
    char word[64];
    time_t at;
};

/* A tracking record that is open. */
struct acme_told_track {
    char id[ACME_TRACK_ID_MAX]; /* "": there is none */
    bool ready; /* the certificate is there, and is to be deployed */
};

struct acme_told {
    struct acme_told_track track[ACME_ALGORITHMS];
    size_t nhooks;
    struct acme_told_hook hook[ACME_TOLD_HOOKS_MAX];
    size_t nevents;
    struct acme_told_event event[ACME_TOLD_EVENTS_MAX];
};

/* Forgets the stage's last run, before the hooks of another are added.  Of too
 * many the first are kept. */
void acme_told_begin(struct acme_told *told, const char *stage);
void acme_told_add(struct acme_told *told, const struct acme_told_hook *hook);

/* When the command was told of it last; 0: never. */
time_t acme_told_at(const struct acme_told *told, const char *word);
void acme_told_note(struct acme_told *told, const char *word, time_t at);

/* Members that are malformed are as if absent; what is no object is empty. */
void acme_told_parse(const char *text, size_t len, struct acme_told *told);
enum acme_rc acme_told_render(const struct acme_told *told,
    struct acme_buf *out, struct acme_error *err);

/* The hooks alone, as they are in there: [{"stage", "command", "at", "ms",
 * "error", "output"}]. */
struct acme_json *acme_told_render_hooks(const struct acme_told *told);

#endif
