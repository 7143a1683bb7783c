/*
 * Whether this server answers for the names, and whoever is at their
 * addresses, by whichever challenge.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/acme_name.h"
#include "drive/acme_preflight_private.h"

#define NOT_SHOWN                                                           \
    "no handshake was made: an order is in flight, or somebody is at work " \
    "on the certificate"

/* What is asked in one place after the other. */
struct round {
    struct acme_flight *flight;
    struct acme_finding *finding; /* of each row, about this server */
    struct acme_asked *asked;     /* room for any of the lists below */
    bool shown;                   /* our token is one of an order */
};

static bool
is_of(const struct acme_preflight_row *row, const struct acme_way *way)
{
    return row->provable && row->type == way->type;
}

static bool
has_names(const struct round *round, const struct acme_way *way)
{
    size_t i;

    for (i = 0; i < round->flight->n; i++)
        if (is_of(&round->flight->row[i], way))
            return true;
    return false;
}

/* Nobody would answer, or is known to. */
static bool
is_hidden(const struct round *round, const struct acme_way *way)
{
    return way->orders_alone && !round->shown;
}

static void
add_question(struct acme_asked *asked, struct acme_preflight_row *row,
    const char *address, unsigned port)
{
    memset(asked, 0, sizeof(*asked));
    asked->row = row;
    (void)snprintf(asked->address, sizeof(asked->address), "%s", address);
    asked->port = port;
}

/* ---- this server ------------------------------------------------------ */

/* Where the public port leads: for certain, or else maybe. */
static size_t
list_listeners(const struct acme_config *config, const struct acme_way *way,
    const struct acme_listener *list[ACME_LISTENERS_MAX])
{
    const struct acme_listener *one;
    size_t i, n = 0;
    bool certain = false;

    for (i = 0; i < config->nlisteners; i++)
        certain = certain || (config->listener[i].tls == way->tls &&
                                 config->listener[i].certain);
    for (i = 0; i < config->nlisteners; i++) {
        one = &config->listener[i];
        if (one->tls == way->tls && one->certain == certain)
            list[n++] = one;
    }
    return n;
}

static void
judge_binding(const struct acme_asked *asked, struct acme_finding *finding)
{
    static const enum acme_verdict verdict[] = { [ACME_ASKED_RIGHT] =
                                                     ACME_VERDICT_GOOD,
        [ACME_ASKED_WRONG] = ACME_VERDICT_BAD,
        [ACME_ASKED_OTHERS] = ACME_VERDICT_BAD,
        [ACME_ASKED_LEADS] = ACME_VERDICT_BAD,
        [ACME_ASKED_BUSY] = ACME_VERDICT_UNKNOWN,
        [ACME_ASKED_FAILED] = ACME_VERDICT_BAD,
        [ACME_ASKED_SILENT] = ACME_VERDICT_DOUBT };
    const char *six = strchr(asked->address, ':');
    char at[ACME_ADDRESS_TEXT + 16];

    (void)snprintf(at, sizeof(at), "%s%s%s:%u", six ? "[" : "", asked->address,
        six ? "]" : "", asked->port);
    if (asked->end == ACME_ASKED_RIGHT)
        (void)snprintf(finding->text, sizeof(finding->text), "answered at %s",
            at);
    else if (finding->verdict == ACME_VERDICT_NONE)
        (void)snprintf(finding->text, sizeof(finding->text),
            "this server does not answer the challenge for %.120s: %s %s",
            asked->row->name, at, asked->text);
    else
        return;
    finding->verdict = verdict[asked->end];
}

/* One listener, and the names that none has answered for yet. */
static enum acme_rc
ask_listener(struct round *round, const struct acme_way *way,
    const struct acme_listener *at, struct acme_error *err)
{
    struct acme_flight *flight = round->flight;
    enum acme_rc rc;
    size_t i, n = 0;

    for (i = 0; i < flight->n; i++)
        if (is_of(&flight->row[i], way) &&
            round->finding[i].verdict != ACME_VERDICT_GOOD)
            add_question(&round->asked[n++], &flight->row[i], at->address,
                at->port);
    if (n == 0)
        return ACME_OK;
    rc = way->ask(flight, round->asked, n, err);
    for (i = 0; rc == ACME_OK && i < n; i++)
        judge_binding(&round->asked[i],
            &round->finding[round->asked[i].row - flight->row]);
    return rc;
}

static enum acme_rc
ask_listeners(struct round *round, const struct acme_way *way,
    struct acme_error *err)
{
    const struct acme_listener *list[ACME_LISTENERS_MAX];
    size_t i, n = list_listeners(round->flight->what->config, way, list);
    enum acme_rc rc = ACME_OK;

    for (i = 0; i < n && rc == ACME_OK; i++)
        rc = ask_listener(round, way, list[i], err);
    return rc;
}

/* ---- the outside ------------------------------------------------------ */

static bool
may_ask(const struct acme_flight *flight, const char *address)
{
    struct sockaddr_storage at;

    return acme_address_parse(address, 0, &at) &&
           (flight->what->private_too ||
               !acme_address_is_private((struct sockaddr *)&at));
}

/* At the public port and nowhere else (security S44: the DNS of a name is not
 * ours). */
static size_t
list_addresses(struct round *round, const struct acme_way *way)
{
    const struct acme_flight *flight = round->flight;
    const struct acme_addresses *addresses;
    size_t i, k, n = 0;

    for (i = 0; i < flight->n; i++) {
        addresses = &flight->addresses[i];
        for (k = 0; is_of(&flight->row[i], way) && k < addresses->n; k++)
            if (may_ask(flight, addresses->text[k]))
                add_question(&round->asked[n++], &flight->row[i],
                    addresses->text[k], way->port);
    }
    return n;
}

static void
judge_reach(const struct acme_way *way, const struct acme_asked *asked)
{
    struct acme_preflight_row *row = asked->row;
    bool certain =
        asked->end == ACME_ASKED_WRONG || asked->end == ACME_ASKED_OTHERS;

    if (asked->end == ACME_ASKED_RIGHT)
        acme_flight_find(row, ACME_CHECK_REACH, ACME_VERDICT_GOOD,
            "answered at %s", asked->address);
    else
        acme_flight_find(row, ACME_CHECK_REACH,
            certain ? ACME_VERDICT_BAD : ACME_VERDICT_DOUBT,
            "%.120s %s %s, which %s%s", row->name,
            acme_name_is_ip(row->name) ? "is" : "resolves to", asked->address,
            asked->text, asked->end == ACME_ASKED_WRONG ? way->elsewhere : "");
}

static enum acme_rc
check_reach(struct round *round, const struct acme_way *way,
    struct acme_error *err)
{
    struct acme_flight *flight = round->flight;
    struct acme_preflight_row *row;
    size_t i, n = list_addresses(round, way);
    enum acme_rc rc = ACME_OK;

    if (n > 0 && !is_hidden(round, way))
        rc = way->ask(flight, round->asked, n, err);
    for (i = 0; rc == ACME_OK && i < n && !is_hidden(round, way); i++)
        judge_reach(way, &round->asked[i]);
    for (i = 0; rc == ACME_OK && i < flight->n; i++) {
        row = &flight->row[i];
        if (is_of(row, way) &&
            row->check[ACME_CHECK_REACH].verdict == ACME_VERDICT_NONE)
            acme_flight_find(row, ACME_CHECK_REACH, ACME_VERDICT_UNKNOWN, "%s",
                n > 0 && is_hidden(round, way) ? NOT_SHOWN
                : flight->addresses[i].n > 0
                    ? "at private addresses alone, which are not asked"
                    : "its addresses are not known");
    }
    return rc;
}

/* ---- as of an order --------------------------------------------------- */

/* There is somebody to ask who may answer then. */
static bool
is_to_show(struct round *round, const struct acme_way *way)
{
    const struct acme_listener *list[ACME_LISTENERS_MAX];

    return has_names(round, way) &&
           (list_listeners(round->flight->what->config, way, list) > 0 ||
               (way->orders_alone && list_addresses(round, way) > 0));
}

static size_t
add_tokens(struct round *round, const struct acme_way *way,
    struct acme_area_token *tokens, size_t n)
{
    const struct acme_flight *flight = round->flight;
    size_t i;

    if (!is_to_show(round, way))
        return n;
    for (i = 0; i < flight->n; i++) {
        if (!is_of(&flight->row[i], way) ||
            round->finding[i].verdict == ACME_VERDICT_GOOD)
            continue;
        round->finding[i].verdict = ACME_VERDICT_NONE; /* asked again */
        memset(&tokens[n], 0, sizeof(tokens[n]));
        tokens[n].type = way->type;
        (void)snprintf(tokens[n].name, sizeof(tokens[n].name), "%s",
            flight->row[i].name);
        memcpy(tokens[n++].token, flight->token, sizeof(flight->token));
    }
    return n;
}

static enum acme_rc
present(struct round *round, struct acme_error *err)
{
    const struct acme_preflight_case *what = round->flight->what;
    struct acme_area_token *tokens;
    size_t n;

    if (what->present == NULL)
        return ACME_OK;
    tokens = acme_arena_alloc(what->arena,
        (round->flight->n + 1) * sizeof(*tokens));
    if (tokens == NULL)
        return acme_error_nomem(err);
    n = add_tokens(round, &acme_way_http, tokens, 0);
    n = add_tokens(round, &acme_way_tls, tokens, n);
    if (n == 0)
        return ACME_OK;
    return what->present(what->ctx, tokens, n, &round->shown, err);
}

/* ---- all of it -------------------------------------------------------- */

static void
settle(struct round *round, const struct acme_way *way)
{
    const struct acme_finding *finding;
    struct acme_preflight_row *row;
    bool hidden = is_to_show(round, way) && is_hidden(round, way);
    size_t i;

    for (i = 0; i < round->flight->n; i++) {
        row = &round->flight->row[i];
        finding = &round->finding[i];
        if (!is_of(row, way))
            continue;
        if (finding->verdict != ACME_VERDICT_NONE)
            acme_flight_find(row, ACME_CHECK_BINDING, finding->verdict, "%s",
                finding->text);
        else if (hidden)
            acme_flight_find(row, ACME_CHECK_BINDING, ACME_VERDICT_UNKNOWN,
                NOT_SHOWN);
        else
            acme_flight_find(row, ACME_CHECK_BINDING, ACME_VERDICT_UNKNOWN,
                "nothing of this server that can be asked listens where port "
                "%u leads",
                way->port);
    }
}

/* Most servers answer http-01 for any token: nothing is shown for it unless
 * one does not. */
static enum acme_rc
ask_here(struct round *round, struct acme_error *err)
{
    enum acme_rc rc = ask_listeners(round, &acme_way_http, err);

    if (rc == ACME_OK)
        rc = present(round, err);
    if (rc == ACME_OK)
        rc = ask_listeners(round, &acme_way_http, err);
    if (rc == ACME_OK && round->shown)
        rc = ask_listeners(round, &acme_way_tls, err);
    if (rc == ACME_OK) {
        settle(round, &acme_way_http);
        settle(round, &acme_way_tls);
    }
    return rc;
}

static enum acme_rc
ask_all(struct acme_flight *flight, struct acme_error *err)
{
    struct acme_arena *arena = flight->what->arena;
    struct round round = { .flight = flight };
    size_t i, room = flight->n;
    enum acme_rc rc;

    for (i = 0; i < flight->n; i++)
        room += flight->addresses[i].n;
    round.finding =
        acme_arena_alloc(arena, (flight->n + 1) * sizeof(*round.finding));
    round.asked = acme_arena_alloc(arena, (room + 1) * sizeof(*round.asked));
    if (round.finding == NULL || round.asked == NULL)
        return acme_error_nomem(err);
    memset(round.finding, 0, flight->n * sizeof(*round.finding));
    rc = ask_here(&round, err);
    if (rc == ACME_OK)
        rc = check_reach(&round, &acme_way_http, err);
    if (rc == ACME_OK)
        rc = check_reach(&round, &acme_way_tls, err);
    return rc;
}

/* Without a thumbprint nobody can answer rightly. */
enum acme_rc
acme_flight_servers(struct acme_flight *flight, struct acme_error *err)
{
    const struct acme_preflight_row *row;
    size_t i;

    if (flight->what->thumbprint != NULL)
        return ask_all(flight, err);
    for (i = 0; i < flight->n; i++) {
        row = &flight->row[i];
        if (is_of(row, &acme_way_http) || is_of(row, &acme_way_tls))
            acme_flight_find(&flight->row[i], ACME_CHECK_BINDING,
                ACME_VERDICT_UNKNOWN, "there is no account yet");
    }
    return ACME_OK;
}
