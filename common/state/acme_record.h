/*
 * What happened to a lineage, written by the engine and read back by it and
 * by acmectl: the attempt, failures, when to try next.  A value and its JSON
 * form.  Never a command, a path or a URL to act on.
 */
#ifndef ACME_RECORD_H
#define ACME_RECORD_H

#include <stdbool.h>
#include <time.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "state/acme_left_out.h"
#include "state/acme_schedule.h"
#include "state/acme_timing.h"
#include "wrap/acme_json.h"

#define ACME_STEP_DONE "done"
#define ACME_STEP_FAILED "failed"

/* Renewal information (RFC 9773) of the live version. */
struct acme_record_window {
    time_t start, end;                      /* 0: none */
    time_t pick;                            /* drawn in it, once */
    char explanation[ACME_EXPLANATION_MAX]; /* URL, shown to people; or "" */
    time_t next_look;                       /* 0: not planned */
    unsigned failures;                      /* of looks, in a row */
    time_t suggested; /* the last renewal that a window brought forward */
};

/* What the CA says of one certificate, by OCSP or a list. */
struct acme_record_revocation {
    char certificate[65]; /* fingerprint; "": none */
    bool revoked;
    char by[8];        /* "ocsp" or "crl" */
    char reason[24];   /* as a word; or "" */
    time_t next_look;  /* 0: not planned */
    unsigned failures; /* of looks, in a row */
};

/* What was last stapled to one certificate, and what came between. */
struct acme_record_staple {
    char certificate[65];            /* fingerprint; "": none */
    time_t this_update, next_update; /* 0: nothing */
    time_t next_look;                /* 0: at once */
    unsigned failures;               /* in a row */
    char problem[ACME_FINDING_MAX];  /* the last one, or "" */
};

struct acme_record {
    /* An attempt is durable before its first request; one found open at
     * start means that it killed us. */
    time_t attempt; /* start of the last one; 0: none yet */
    bool attempt_open;
    /* What the last attempt has come to, the oldest first: "account",
     * "order", ..., and "done" or "failed" at its end. */
    unsigned nsteps;
    struct acme_step {
        char name[16];
        time_t at;
    } step[ACME_STEPS_MAX];
    /* Who is or was asked last: an issuer's name, since when it is that one,
     * and its number in the lineage's list; after a success 0, whom the next
     * attempt begins with. */
    char issuer[64];
    time_t issuer_since;
    unsigned ca;
    struct acme_schedule_ca list[ACME_FALLBACKS_MAX + 1];
    unsigned failures;    /* in a row, of all of them */
    unsigned crashes;     /* in a row, of the failures */
    time_t next_attempt;  /* not before; 0: free to go */
    bool wait_for_config; /* only a changed configuration helps */
    char config[65];      /* hash of the lineage's settings at the failure */
    struct acme_error error; /* the last failure; rc ACME_OK: none */
    time_t error_time;
    long clock_ahead;      /* the CA's clock, if ACME_CLOCK_WARN seconds off */
    time_t renew_at;       /* of the live version; 0: not picked */
    char renew_serial[64]; /* serial that the pick belongs to */
    time_t renew_usual;    /* picked by its life, whatever its CA says */
    char renew_window[ACME_TIMING_TEXT]; /* the window asked for then, or "" */
    struct acme_record_window window;    /* that its CA suggests */
    struct acme_record_revocation revocation;
    struct acme_record_staple staple;
    time_t forced; /* last order made by force */
    time_t told;   /* when the command for events let one begin last */
    /* Names that the certificate of this serial is without (allow_subset),
     * how often that was so in a row, and when they are tried again. */
    struct acme_left_out left_out;
    char left_out_serial[64];
    unsigned left_out_times;
    time_t complete_at;
    /* What the last pre-flight has found to doubt, since when; or "". */
    char preflight[ACME_PREFLIGHT_TEXT_MAX];
    time_t preflight_since;
};

/* All zero, rc ACME_OK. */
void acme_record_init(struct acme_record *record);

/*
 * Notes a step, cut to fit; behind an end it is the first of another attempt.
 * Of more than ACME_STEPS_MAX the oldest are forgotten: a job that waits for
 * its CA begins anew each time.
 */
void acme_record_step(struct acme_record *record, const char *name, time_t at);

/* Notes whom an attempt asks. */
void acme_record_ask(struct acme_record *record, unsigned ca,
    const char *issuer, time_t now);

/* Forgets what became of each CA: the first is asked next. */
void acme_record_forget_cas(struct acme_record *record);

/* The last step's name, "" if there is none. */
const char *acme_record_last_step(const struct acme_record *record);

/* The steps as they are in the JSON form: [{"step", "at"}]. */
struct acme_json *acme_record_render_steps(const struct acme_record *record);

/* Unknown members are ignored, malformed ones are as if absent.  ACME_WIRE:
 * not a JSON object.  len 0 is an empty record. */
enum acme_rc acme_record_parse(const char *text, size_t len,
    struct acme_record *record, struct acme_error *err);
enum acme_rc acme_record_render(const struct acme_record *record,
    struct acme_buf *out, struct acme_error *err);

#endif
