/*
 * How names are proved, as a value and as JSON; the words of directives are
 * acme_proof_words.c's, the choice is acme_proof_choose.c's.
 */
#include "state/acme_proof.h"

#include <string.h>

#include "base/acme_text.h"

#define PROPAGATION 300
#define INTERVAL 5
#define COMMAND_TIMEOUT 120

void
acme_proof_init(struct acme_proof *proof)
{
    memset(proof, 0, sizeof(*proof));
    proof->command.timeout = COMMAND_TIMEOUT;
    proof->propagation = PROPAGATION;
    proof->interval = INTERVAL;
    proof->preflight = ACME_PREFLIGHT_WARN;
}

/* ---- item by item ----------------------------------------------------- */

static bool
has(const struct acme_proof *proof, enum acme_proof_item item)
{
    return (proof->said & 1u << item) != 0;
}

static void
take_item(struct acme_proof *to, const struct acme_proof *from,
    enum acme_proof_item item)
{
    switch (item) {
    case ACME_PROOF_CHALLENGE:
        to->nchallenges = from->nchallenges;
        memcpy(to->challenge, from->challenge, sizeof(to->challenge));
        to->persist = from->persist;
        break;
    case ACME_PROOF_COMMAND:
        to->command = from->command;
        break;
    case ACME_PROOF_DNS_UPDATE:
        to->dns_server = from->dns_server;
        to->dns_key_file = from->dns_key_file;
        break;
    case ACME_PROOF_DNS_DELEGATION:
        to->nzones = from->nzones;
        memcpy(to->zone, from->zone, sizeof(to->zone));
        break;
    case ACME_PROOF_DNS_PROPAGATION:
        to->propagation = from->propagation;
        to->interval = from->interval;
        break;
    case ACME_PROOF_PREFLIGHT:
        to->preflight = from->preflight;
        break;
    case ACME_PROOF_DNS_RESOLVER:
        to->nresolvers = from->nresolvers;
        memcpy(to->resolver, from->resolver, sizeof(to->resolver));
        break;
    case ACME_PROOF_ANSWER:
        to->answer = from->answer;
        break;
    case ACME_PROOF_ITEMS:
        break;
    }
    to->said |= 1u << item;
}

/* Whether the item of `wide` is the other way to change the DNS. */
static bool
is_overruled(const struct acme_proof *narrow, const struct acme_proof *wide,
    enum acme_proof_item item)
{
    if (item == ACME_PROOF_COMMAND)
        return narrow->dns_server != NULL &&
               wide->command.kind != ACME_COMMAND_NONE;
    return item == ACME_PROOF_DNS_UPDATE &&
           narrow->command.kind != ACME_COMMAND_NONE &&
           wide->dns_server != NULL;
}

void
acme_proof_merge(struct acme_proof *narrow, const struct acme_proof *wide)
{
    const struct acme_proof said = *narrow;
    size_t i;

    for (i = 0; i < ACME_PROOF_ITEMS; i++) {
        enum acme_proof_item item = (enum acme_proof_item)i;

        if (!has(&said, item) && has(wide, item) &&
            !is_overruled(&said, wide, item))
            take_item(narrow, wide, item);
    }
}

/* ---- as values -------------------------------------------------------- */

bool
acme_proof_copy(struct acme_arena *arena, struct acme_proof *to,
    const struct acme_proof *from)
{
    struct acme_proof copy = *from;

    if (!acme_arena_own(arena, &copy.persist, 1) ||
        !acme_arena_own(arena, copy.command.word, copy.command.nwords) ||
        !acme_arena_own(arena, &copy.command.cleanup, 1) ||
        !acme_arena_own(arena, &copy.command.credentials, 1) ||
        !acme_arena_own(arena, &copy.dns_server, 1) ||
        !acme_arena_own(arena, &copy.dns_key_file, 1) ||
        !acme_arena_own(arena, copy.zone, copy.nzones) ||
        !acme_arena_own(arena, copy.resolver, copy.nresolvers) ||
        !acme_answer_copy(arena, &copy.answer, &copy.answer))
        return false;
    *to = copy;
    return true;
}

static bool
same_texts(const char *const *a, size_t na, const char *const *b, size_t nb)
{
    size_t i;

    if (na != nb)
        return false;
    for (i = 0; i < na; i++)
        if (!acme_text_same(a[i], b[i]))
            return false;
    return true;
}

static bool
same_command(const struct acme_command *a, const struct acme_command *b)
{
    return a->kind == b->kind && a->timeout == b->timeout &&
           a->version == b->version &&
           same_texts(a->word, a->nwords, b->word, b->nwords) &&
           acme_text_same(a->cleanup, b->cleanup) &&
           acme_text_same(a->credentials, b->credentials);
}

bool
acme_proof_equal(const struct acme_proof *a, const struct acme_proof *b)
{
    size_t i;

    if (a->said != b->said || a->nchallenges != b->nchallenges ||
        a->propagation != b->propagation || a->interval != b->interval ||
        a->preflight != b->preflight ||
        !same_command(&a->command, &b->command) ||
        !acme_text_same(a->persist, b->persist) ||
        !acme_text_same(a->dns_server, b->dns_server) ||
        !acme_text_same(a->dns_key_file, b->dns_key_file) ||
        !same_texts(a->zone, a->nzones, b->zone, b->nzones) ||
        !same_texts(a->resolver, a->nresolvers, b->resolver, b->nresolvers) ||
        !acme_answer_equal(&a->answer, &b->answer))
        return false;
    for (i = 0; i < a->nchallenges; i++)
        if (a->challenge[i] != b->challenge[i])
            return false;
    return true;
}

/* ---- JSON: the words of the directives -------------------------------- */

static const char *const members[ACME_PROOF_ITEMS] = {
    [ACME_PROOF_CHALLENGE] = "challenge",
    [ACME_PROOF_COMMAND] = "command",
    [ACME_PROOF_DNS_UPDATE] = "dns_update",
    [ACME_PROOF_DNS_DELEGATION] = "dns_delegation",
    [ACME_PROOF_DNS_PROPAGATION] = "dns_propagation",
    [ACME_PROOF_PREFLIGHT] = "preflight",
    [ACME_PROOF_DNS_RESOLVER] = "dns_resolver",
    [ACME_PROOF_ANSWER] = "answer",
};

struct acme_json *
acme_proof_render(const struct acme_proof *proof)
{
    struct acme_json *json = acme_json_object();
    struct acme_proof_words words;
    size_t item, i;

    for (item = 0; item < ACME_PROOF_ITEMS; item++) {
        struct acme_json *list;

        if (!has(proof, (enum acme_proof_item)item))
            continue;
        acme_proof_get(proof, (enum acme_proof_item)item, &words);
        list = acme_json_array();
        for (i = 0; i < words.n; i++)
            acme_json_append_str(list, words.word[i]);
        acme_json_set(json, members[item], list);
    }
    return json;
}

static enum acme_rc
parse_item(struct acme_arena *arena, struct acme_proof *proof,
    enum acme_proof_item item, const struct acme_json *list,
    struct acme_error *err)
{
    size_t n = acme_json_count(list), i;
    const char **word = acme_arena_alloc(arena, (n + 1) * sizeof(*word));
    struct acme_error why;
    enum acme_rc rc;

    if (word == NULL)
        return acme_error_nomem(err);
    for (i = 0; i < n && i < ACME_PROOF_WORDS_MAX; i++) {
        word[i] = acme_json_text(acme_json_at(list, i));
        if (word[i] == NULL)
            break;
    }
    acme_error_clear(&why);
    rc = i == n ? acme_proof_set(proof, item, word, n, NULL, NULL, &why)
                : ACME_WIRE;
    if (rc == ACME_OK || rc == ACME_NOMEM)
        return rc == ACME_OK ? rc : acme_error_nomem(err);
    return acme_error_set(err, ACME_WIRE, "%s is malformed", members[item]);
}

enum acme_rc
acme_proof_parse(struct acme_arena *arena, const struct acme_json *json,
    struct acme_proof *proof, struct acme_error *err)
{
    const struct acme_json *list;
    struct acme_proof parsed;
    enum acme_rc rc = ACME_OK;
    size_t item;

    acme_proof_init(&parsed);
    for (item = 0; item < ACME_PROOF_ITEMS && rc == ACME_OK; item++) {
        list = acme_json_get(json, members[item]);
        if (list != NULL)
            rc = parse_item(arena, &parsed, (enum acme_proof_item)item, list,
                err);
    }
    if (rc == ACME_OK && !acme_proof_copy(arena, proof, &parsed))
        rc = acme_error_nomem(err);
    return rc;
}
