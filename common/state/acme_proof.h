/*
 * How the names of a lineage are proved to a CA, as an administrator asked
 * for it: which challenges, and what changes the DNS.  A plain value with a
 * JSON form in the settings of lineages; which challenge can prove which name
 * is decided here, from that and from what the server listens on.
 */
#ifndef ACME_PROOF_H
#define ACME_PROOF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_arena.h"
#include "base/acme_error.h"
#include "state/acme_answer.h"
#include "state/acme_challenge_type.h"
#include "state/acme_words.h"
#include "wrap/acme_json.h"

/* Conventions by which a program is told of a record. */
enum acme_command_kind {
    ACME_COMMAND_NONE,
    ACME_COMMAND_CERTBOT, /* its auth and cleanup hooks: CERTBOT_* */
    ACME_COMMAND_MOD_MD,  /* MDChallengeDns01: "setup", "teardown" */
    ACME_COMMAND_UACME,   /* "begin", "done", "failed" */
    ACME_COMMAND_ACME_SH  /* a script of an installed acme.sh's dnsapi */
};

struct acme_command {
    enum acme_command_kind kind;
    /* Program, absolute, and arguments that go before ours; of acme.sh the
     * script's name ("dns_cf") and its home. */
    size_t nwords;
    const char *word[ACME_COMMAND_WORDS_MAX];
    const char *cleanup;     /* certbot: the other program, or NULL */
    const char *credentials; /* file that it is told of, or NULL */
    unsigned timeout;        /* seconds for one run */
    /* mod_md: 2 gives the value to "teardown", too; 0: nothing was said, as
     * good as 1. */
    unsigned version;
};

enum acme_preflight {
    ACME_PREFLIGHT_OFF,
    ACME_PREFLIGHT_WARN,
    ACME_PREFLIGHT_REQUIRE
};

/* What can be said, each alone. */
enum acme_proof_item {
    ACME_PROOF_CHALLENGE,       /* TYPE... */
    ACME_PROOF_COMMAND,         /* KIND PROGRAM..., or none */
    ACME_PROOF_DNS_UPDATE,      /* SERVER[:PORT] KEYFILE, or none */
    ACME_PROOF_DNS_DELEGATION,  /* ZONE... */
    ACME_PROOF_DNS_PROPAGATION, /* TIMEOUT [INTERVAL], or off */
    ACME_PROOF_PREFLIGHT,       /* off, warn or require */
    ACME_PROOF_DNS_RESOLVER,    /* ADDRESS[:PORT]... */
    ACME_PROOF_ANSWER,          /* BY WORD... (acme_answer.h) */
    ACME_PROOF_ITEMS            /* their number */
};

struct acme_proof {
    unsigned said; /* bit of each item that is not as acme_proof_init() */
    /* The only ones, the best first; none: whatever can work. */
    size_t nchallenges;
    enum acme_challenge_type challenge[ACME_CHALLENGE_TYPES];
    const char *persist; /* version of dns-persist-01's draft, or NULL */
    struct acme_command command;
    const char *dns_server;   /* RFC 2136: host or address, maybe a port */
    const char *dns_key_file; /* its TSIG key, absolute */
    /* Where a CNAME of a _acme-challenge label may lead to. */
    size_t nzones;
    const char *zone[ACME_DNS_ZONES_MAX];
    unsigned propagation; /* seconds that are waited for, 0: not at all; */
    unsigned interval;    /* between two looks */
    enum acme_preflight preflight;
    /* Name servers that find what others have in the DNS; none: those of the
     * host. */
    size_t nresolvers;
    const char *resolver[ACME_DNS_SERVERS_MAX];
    struct acme_answer answer;
};

/* Nothing but what counts when nothing was said. */
void acme_proof_init(struct acme_proof *proof);

/*
 * Takes the words of a directive, which are borrowed.  ACME_CONFIG: with the
 * word and the cure; how many there may be is looked at too, and that not both
 * a command and updates change the DNS.
 */
enum acme_rc acme_proof_set(struct acme_proof *proof,
    enum acme_proof_item item, const char *const *word, size_t nwords,
    acme_path_fn *path, void *ctx, struct acme_error *err);

/* The words that would say the same again: all that were ever allowed. */
#define ACME_PROOF_WORDS_MAX ACME_ANSWER_WORDS_MAX
struct acme_proof_words {
    size_t n;
    const char *word[ACME_PROOF_WORDS_MAX]; /* the proof's, or in here: */
    char room[4][ACME_ANSWER_ROOM];
    char path[ACME_URL_MAX];
};
void acme_proof_get(const struct acme_proof *proof, enum acme_proof_item item,
    struct acme_proof_words *words);

/* What `narrow` does not say is taken from `wide`; but one way to change the
 * DNS, where it says the other, is not. */
void acme_proof_merge(struct acme_proof *narrow,
    const struct acme_proof *wide);

/* False: out of memory.  `to` may be `from`. */
bool acme_proof_copy(struct acme_arena *arena, struct acme_proof *to,
    const struct acme_proof *from);
bool acme_proof_equal(const struct acme_proof *a, const struct acme_proof *b);

/* The JSON form has what was said alone; a missing object (NULL) is as good
 * as an empty one.  Parsing copies into the arena.  ACME_WIRE: malformed. */
struct acme_json *acme_proof_render(const struct acme_proof *proof);
enum acme_rc acme_proof_parse(struct acme_arena *arena,
    const struct acme_json *json, struct acme_proof *proof,
    struct acme_error *err);

/* ---- choosing --------------------------------------------------------- */

/* Whether a CA that comes to a public port arrives at the server. */
enum acme_arrival {
    ACME_ARRIVAL_UNKNOWN, /* something listens, at another port */
    ACME_ARRIVAL_YES,
    ACME_ARRIVAL_NO,   /* nothing listens: another node may, for this one */
    ACME_ARRIVAL_NEVER /* the administrator says so */
};

struct acme_reach {
    enum acme_arrival http; /* at port 80 */
    enum acme_arrival tls;  /* at port 443 */
};

/*
 * The challenges that can prove the (canonical) name, the best first: those
 * configured, but for what never arrives, or else of what arrives for certain
 * http-01 before tls-alpn-01 before the DNS, and then what may arrive.
 * Returns how many; 0: none can.
 */
size_t acme_proof_choose(const struct acme_proof *proof,
    const struct acme_reach *reach, const char *name,
    enum acme_challenge_type type[ACME_CHALLENGE_TYPES]);

/* ACME_CONFIG: no challenge can prove that name, and why. */
enum acme_rc acme_proof_check(const struct acme_proof *proof,
    const struct acme_reach *reach, const char *name, struct acme_error *err);

/* Whether a program of that convention can be told of such challenges: those
 * written for mod_md know dns-01 alone, those for Certbot http-01 too. */
bool acme_command_makes(enum acme_command_kind kind,
    enum acme_challenge_type type);

/* Whether it is told of a domain, and makes the label in front of it itself.
 */
bool acme_command_has_label(enum acme_command_kind kind);

/* False: challenges were named, and it is none of them. */
bool acme_proof_admits(const struct acme_proof *proof,
    enum acme_challenge_type type);

/* Whether such a challenge is answered by a command, or by what the proof's
 * answer says, and not by a server. */
bool acme_proof_is_made(const struct acme_proof *proof,
    enum acme_challenge_type type);

/* Whether a person has to be asked to do it. */
bool acme_proof_is_by_hand(const struct acme_proof *proof);

/* Whether wildcards can be proved. */
bool acme_proof_has_dns(const struct acme_proof *proof);

#endif
