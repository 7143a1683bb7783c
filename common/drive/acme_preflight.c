#include "drive/acme_preflight.h"

#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/acme_base64.h"
#include "base/acme_buf.h"
#include "base/acme_log.h"
#include "base/acme_name.h"
#include "base/acme_time.h"

#define PATH "/.well-known/acme-challenge/"
#define TOKEN_BYTES 24 /* 192 bits, 32 characters */
#define TOKEN_LEN 32

/* What is known of a domain's CAA records. */
struct known {
    const char *domain;
    enum acme_lookup_end end;
    const struct acme_caa_property *property;
    size_t n;
    struct known *next;
};

struct flight {
    const struct acme_preflight_case *what;
    struct acme_preflight_row *row;
    size_t n;
    struct acme_addresses *addresses; /* of each row */
    struct known *known;
    bool silent; /* no resolver answers: none is asked any more */
    char path[sizeof(PATH) + TOKEN_LEN];
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1]; /* the right one; or "" */
};

/* ---- findings --------------------------------------------------------- */

static const char *const checks[] = { "binding", "reachability", "CAA",
    "DNSSEC" };
static const char *const verdicts[] = { "-", "good", "unknown", "doubt",
    "bad" };

const char *
acme_check_name(enum acme_check check)
{
    return checks[check];
}

const char *
acme_verdict_name(enum acme_verdict verdict)
{
    return verdicts[verdict];
}

enum acme_verdict
acme_preflight_worst(const struct acme_preflight_row *row)
{
    enum acme_verdict worst = ACME_VERDICT_NONE;
    size_t i;

    for (i = 0; i < ACME_CHECKS; i++)
        if (row->check[i].verdict > worst)
            worst = row->check[i].verdict;
    return worst;
}

/* Whether all of it fits is not asked: what does not is not shown. */
static void
add_sentences(const struct acme_preflight_row *row, size_t n,
    enum acme_verdict verdict, char *text, size_t size)
{
    const struct acme_finding *finding;
    size_t i, k, len = strlen(text);

    for (i = 0; i < n * ACME_CHECKS; i++) {
        k = i % ACME_CHECKS;
        finding = &row[i / ACME_CHECKS].check[k];
        if (finding->verdict != verdict ||
            len + strlen(finding->text) + 3 > size)
            continue;
        len += (size_t)snprintf(text + len, size - len, "%s%s",
            len > 0 ? "; " : "", finding->text);
    }
}

enum acme_verdict
acme_preflight_sum(const struct acme_preflight_row *row, size_t n, char *text,
    size_t size)
{
    enum acme_verdict worst = ACME_VERDICT_GOOD;
    size_t i;

    text[0] = '\0';
    for (i = 0; i < n; i++)
        if (acme_preflight_worst(&row[i]) > worst)
            worst = acme_preflight_worst(&row[i]);
    if (worst < ACME_VERDICT_DOUBT)
        return ACME_VERDICT_GOOD;
    add_sentences(row, n, ACME_VERDICT_BAD, text, size);
    add_sentences(row, n, ACME_VERDICT_DOUBT, text, size);
    return worst;
}

/* The worst that is found stays. */
__attribute__((format(printf, 4, 5))) static void
find(struct acme_preflight_row *row, enum acme_check check,
    enum acme_verdict verdict, const char *fmt, ...)
{
    struct acme_finding *finding = &row->check[check];
    va_list args;

    if (verdict <= finding->verdict)
        return;
    finding->verdict = verdict;
    va_start(args, fmt);
    (void)vsnprintf(finding->text, sizeof(finding->text), fmt, args);
    va_end(args);
}

/* ---- the DNS ---------------------------------------------------------- */

static const char *
base_of(const char *name)
{
    return acme_name_is_wildcard(name) ? name + 2 : name;
}

/* Of one question's end, whatever it was about. */
static void
note_end(struct flight *flight, struct acme_preflight_row *row,
    const char *domain, enum acme_lookup_end end)
{
    if (end == ACME_LOOKUP_BOGUS)
        find(row, ACME_CHECK_DNSSEC, ACME_VERDICT_BAD,
            "the DNS answers for %s are bogus: the resolver refuses them for "
            "their DNSSEC signatures, and so does the CA",
            domain);
    else if (end == ACME_LOOKUP_FAILED)
        find(row, ACME_CHECK_DNSSEC, ACME_VERDICT_DOUBT,
            "the resolver gets no answer (SERVFAIL) from the name servers of "
            "%s",
            domain);
    else if (end == ACME_LOOKUP_SILENT)
        find(row, ACME_CHECK_DNSSEC, ACME_VERDICT_UNKNOWN,
            "no resolver has answered");
    flight->silent = flight->silent || end == ACME_LOOKUP_SILENT;
}

static bool
is_dns_name(const struct acme_preflight_row *row)
{
    return row->provable && !acme_name_is_ip(row->name);
}

static void
look_up_addresses(struct flight *flight, size_t i)
{
    const struct acme_lookup *lookup = flight->what->means->lookup;
    struct acme_preflight_row *row = &flight->row[i];
    enum acme_lookup_end end;

    if (flight->silent || acme_challenge_is_dns(row->type))
        return;
    end = lookup->addresses(lookup->ctx, row->name, ACME_PREFLIGHT_MS,
        &flight->addresses[i]);
    note_end(flight, row, row->name, end);
    if (end == ACME_LOOKUP_NOTHING)
        find(row, ACME_CHECK_REACH, ACME_VERDICT_BAD,
            "%s has no address in the DNS", row->name);
    if (end != ACME_LOOKUP_FOUND)
        flight->addresses[i].n = 0;
}

/* Asked once for all names below it.  NULL: out of memory. */
static const struct known *
look_up_caa(struct flight *flight, const char *domain)
{
    const struct acme_lookup *lookup = flight->what->means->lookup;
    struct known *known;

    for (known = flight->known; known != NULL; known = known->next)
        if (strcmp(known->domain, domain) == 0)
            return known;
    known = acme_arena_alloc(flight->what->arena, sizeof(*known));
    if (known == NULL)
        return NULL;
    known->domain = domain;
    known->end = lookup->caa(lookup->ctx, domain, ACME_PREFLIGHT_MS,
        flight->what->arena, &known->property, &known->n);
    known->next = flight->known;
    flight->known = known;
    return known;
}

static void
judge_caa(struct flight *flight, struct acme_preflight_row *row,
    const struct known *known)
{
    static const enum acme_verdict verdict[] = { [ACME_CAA_ALLOWED] =
                                                     ACME_VERDICT_GOOD,
        [ACME_CAA_FORBIDDEN] = ACME_VERDICT_BAD,
        [ACME_CAA_UNKNOWN] = ACME_VERDICT_UNKNOWN };
    struct acme_caa_asker asker = { flight->what->nidentities,
        flight->what->identity, flight->what->account,
        acme_challenge_name(row->type), acme_name_is_wildcard(row->name) };
    char why[ACME_FINDING_MAX];
    enum acme_caa_answer answer = acme_caa_judge(known->property, known->n,
        &asker, why, sizeof(why) / 2);

    find(row, ACME_CHECK_CAA, verdict[answer],
        "the CAA records of %.80s%s%.80s %s", known->domain,
        strcmp(known->domain, base_of(row->name)) == 0 ? "" : ", for ",
        strcmp(known->domain, base_of(row->name)) == 0 ? "" : row->name, why);
}

/* RFC 8659 3: the first domain that has some, from the name upwards. */
static void
check_caa(struct flight *flight, struct acme_preflight_row *row)
{
    const char *domain = base_of(row->name);
    const struct known *known;

    while (domain != NULL && !flight->silent) {
        known = look_up_caa(flight, domain);
        if (known == NULL)
            return;
        note_end(flight, row, domain, known->end);
        if (known->end == ACME_LOOKUP_FOUND && known->n > 0) {
            judge_caa(flight, row, known);
            return;
        }
        if (known->end > ACME_LOOKUP_NOTHING)
            return; /* the CA will not go on either */
        domain = strchr(domain, '.');
        if (domain != NULL)
            domain++;
    }
    if (!flight->silent)
        find(row, ACME_CHECK_CAA, ACME_VERDICT_GOOD,
            "no CAA record says who may issue");
}

static enum acme_rc
ask_dns(struct flight *flight, struct acme_error *err)
{
    const struct acme_host *host = flight->what->host;
    struct acme_preflight_row *row;
    size_t i;

    for (i = 0; i < flight->n; i++) {
        row = &flight->row[i];
        if (acme_name_is_ip(row->name)) {
            flight->addresses[i].n = 1;
            (void)snprintf(flight->addresses[i].text[0], ACME_ADDRESS_TEXT,
                "%s", row->name);
        }
        if (flight->what->means->lookup == NULL || flight->silent ||
            !is_dns_name(row))
            continue;
        look_up_addresses(flight, i);
        check_caa(flight, row);
        find(row, ACME_CHECK_DNSSEC, ACME_VERDICT_GOOD,
            "nothing bogus was seen");
        if (!host->wait(host->ctx, 0))
            return acme_error_set(err, ACME_STOPPING, "stopped");
    }
    return ACME_OK;
}

/* ---- answers ---------------------------------------------------------- */

/* RFC 8555 8.3: white space at the end does not count. */
static size_t
trim(const struct acme_probe *probe)
{
    size_t len = probe->body_len;

    while (len > 0 && strchr(" \t\r\n", probe->body[len - 1]) != NULL)
        len--;
    return len;
}

static bool
is_right(const struct flight *flight, const struct acme_probe *probe)
{
    return probe->end == ACME_PROBE_ANSWERED && probe->status == 200 &&
           trim(probe) == strlen(flight->answer) &&
           memcmp(probe->body, flight->answer, trim(probe)) == 0;
}

/* Our token, and the thumbprint of a key that is not ours. */
static bool
is_others(const struct flight *flight, const struct acme_probe *probe)
{
    return probe->status == 200 && trim(probe) == strlen(flight->answer) &&
           memcmp(probe->body, flight->answer, TOKEN_LEN + 1) == 0 &&
           acme_base64_is(probe->body + TOKEN_LEN + 1, ACME_THUMBPRINT_LEN);
}

/* What follows "example.com resolves to 192.0.2.7, which". */
static const char *
describe(const struct flight *flight, const struct acme_probe *probe,
    char text[128])
{
    switch (probe->end) {
    case ACME_PROBE_SILENT:
        (void)snprintf(text, 128, "did not answer within %d s",
            ACME_PREFLIGHT_MS / 1000);
        break;
    case ACME_PROBE_ANSWERED:
        if (is_others(flight, probe))
            return "answered with another account's thumbprint";
        if (probe->status == 200)
            return "answered 200 with something else";
        if (probe->status >= 300 && probe->status < 400)
            (void)snprintf(text, 128,
                "answered with a redirect (%d), which is not followed here",
                probe->status);
        else
            (void)snprintf(text, 128, "answered %d", probe->status);
        break;
    default:
        (void)snprintf(text, 128, "could not be asked: %s", probe->why);
        break;
    }
    return text;
}

/* ---- this server ------------------------------------------------------ */

/* Where public port 80 leads: for certain, or else maybe. */
static size_t
list_listeners(const struct acme_config *config,
    const struct acme_listener *list[ACME_LISTENERS_MAX])
{
    const struct acme_listener *one;
    size_t i, n = 0;
    bool certain = false;

    for (i = 0; i < config->nlisteners; i++)
        certain = certain ||
                  (!config->listener[i].tls && config->listener[i].certain);
    for (i = 0; i < config->nlisteners; i++) {
        one = &config->listener[i];
        if (!one->tls && one->certain == certain)
            list[n++] = one;
    }
    return n;
}

static bool
is_http(const struct acme_preflight_row *row)
{
    return row->provable && row->type == ACME_HTTP_01;
}

static struct acme_probe *
new_probe(const struct flight *flight, struct acme_probe *probe,
    const char *name, const char *address, unsigned port)
{
    probe->name = name;
    probe->path = flight->path;
    (void)snprintf(probe->address, sizeof(probe->address), "%s", address);
    probe->port = port;
    return probe;
}

static void
judge_binding(const struct flight *flight, struct acme_preflight_row *row,
    const struct acme_probe *probe, struct acme_finding *finding)
{
    const char *six = strchr(probe->address, ':');
    char text[128];

    if (is_right(flight, probe)) {
        finding->verdict = ACME_VERDICT_GOOD;
        (void)snprintf(finding->text, sizeof(finding->text),
            "answered at %s%s%s:%u", six ? "[" : "", probe->address,
            six ? "]" : "", probe->port);
    } else if (finding->verdict == ACME_VERDICT_NONE) {
        finding->verdict = probe->end == ACME_PROBE_SILENT ? ACME_VERDICT_DOUBT
                                                           : ACME_VERDICT_BAD;
        (void)snprintf(finding->text, sizeof(finding->text),
            "this server does not answer the challenge for %.120s: %s%s%s:%u "
            "%s",
            row->name, six ? "[" : "", probe->address, six ? "]" : "",
            probe->port, describe(flight, probe, text));
    }
}

/* One listener, and the names that none has answered for yet. */
static enum acme_rc
ask_listener(struct flight *flight, const struct acme_listener *at,
    struct acme_probe *probe, struct acme_finding *finding,
    struct acme_error *err)
{
    const struct acme_preflight_case *what = flight->what;
    size_t i, n = 0;

    for (i = 0; i < flight->n; i++)
        if (is_http(&flight->row[i]) &&
            finding[i].verdict != ACME_VERDICT_GOOD)
            (void)new_probe(flight, &probe[n++], flight->row[i].name,
                at->address, at->port);
    if (n == 0)
        return ACME_OK;
    if (!what->means->probe(probe, n, ACME_PREFLIGHT_MS, what->host))
        return acme_error_set(err, ACME_STOPPING, "stopped");
    for (n = i = 0; i < flight->n; i++)
        if (is_http(&flight->row[i]) &&
            finding[i].verdict != ACME_VERDICT_GOOD)
            judge_binding(flight, &flight->row[i], &probe[n++], &finding[i]);
    return ACME_OK;
}

/* Those that are not answered for, as the names of an order. */
static enum acme_rc
present(const struct flight *flight, const struct acme_finding *finding,
    struct acme_error *err)
{
    const struct acme_preflight_case *what = flight->what;
    const char **names =
        acme_arena_alloc(what->arena, (flight->n + 1) * sizeof(*names));
    size_t i, n = 0;

    if (names == NULL)
        return acme_error_nomem(err);
    for (i = 0; i < flight->n; i++)
        if (is_http(&flight->row[i]) &&
            finding[i].verdict != ACME_VERDICT_GOOD)
            names[n++] = flight->row[i].name;
    if (n == 0)
        return ACME_NOENT;
    return what->present(what->ctx, flight->path + strlen(PATH), names, n,
        err);
}

static enum acme_rc
ask_listeners(struct flight *flight, struct acme_probe *probe,
    struct acme_finding *finding, struct acme_error *err)
{
    const struct acme_listener *list[ACME_LISTENERS_MAX];
    size_t i, n = list_listeners(flight->what->config, list);
    enum acme_rc rc = ACME_OK;

    memset(finding, 0, flight->n * sizeof(*finding));
    for (i = 0; i < n && rc == ACME_OK; i++)
        rc = ask_listener(flight, list[i], probe, finding, err);
    if (rc != ACME_OK || n == 0 || flight->what->present == NULL)
        return rc;
    rc = present(flight, finding, err);
    if (rc != ACME_OK)
        return rc == ACME_NOENT ? ACME_OK : rc;
    for (i = 0; i < flight->n; i++)
        if (finding[i].verdict != ACME_VERDICT_GOOD)
            finding[i].verdict = ACME_VERDICT_NONE;
    for (i = 0; i < n && rc == ACME_OK; i++)
        rc = ask_listener(flight, list[i], probe, finding, err);
    return rc;
}

static enum acme_rc
check_binding(struct flight *flight, struct acme_error *err)
{
    struct acme_arena *arena = flight->what->arena;
    struct acme_finding *finding =
        acme_arena_alloc(arena, (flight->n + 1) * sizeof(*finding));
    struct acme_probe *probe =
        acme_arena_alloc(arena, (flight->n + 1) * sizeof(*probe));
    enum acme_rc rc;
    size_t i;

    if (finding == NULL || probe == NULL)
        return acme_error_nomem(err);
    rc = ask_listeners(flight, probe, finding, err);
    for (i = 0; i < flight->n && rc == ACME_OK; i++) {
        if (!is_http(&flight->row[i]))
            continue;
        if (finding[i].verdict == ACME_VERDICT_NONE)
            find(&flight->row[i], ACME_CHECK_BINDING, ACME_VERDICT_UNKNOWN,
                "nothing of this server listens where port 80 leads");
        else
            find(&flight->row[i], ACME_CHECK_BINDING, finding[i].verdict, "%s",
                finding[i].text);
    }
    return rc;
}

/* ---- the outside ------------------------------------------------------ */

static bool
may_ask(const struct flight *flight, const char *address)
{
    struct sockaddr_storage at;

    return acme_address_parse(address, 80, &at) &&
           (flight->what->private_too ||
               !acme_address_is_private((struct sockaddr *)&at));
}

static void
judge_reach(const struct flight *flight, struct acme_preflight_row *row,
    const struct acme_probe *probe)
{
    bool redirect = probe->status >= 300 && probe->status < 400;
    bool certain = probe->end == ACME_PROBE_ANSWERED && !redirect;
    char text[128];

    if (is_right(flight, probe))
        find(row, ACME_CHECK_REACH, ACME_VERDICT_GOOD, "answered at %s",
            probe->address);
    else
        find(row, ACME_CHECK_REACH,
            certain ? ACME_VERDICT_BAD : ACME_VERDICT_DOUBT,
            "%.120s %s %s, which %s%s", row->name,
            acme_name_is_ip(row->name) ? "is" : "resolves to", probe->address,
            describe(flight, probe, text),
            certain && !is_others(flight, probe) ? " from another server"
                                                 : "");
}

static size_t
list_probes(struct flight *flight, struct acme_probe *probe)
{
    const struct acme_addresses *addresses;
    size_t i, k, n = 0;

    for (i = 0; i < flight->n; i++) {
        addresses = &flight->addresses[i];
        for (k = 0; is_http(&flight->row[i]) && k < addresses->n; k++)
            if (may_ask(flight, addresses->text[k]))
                (void)new_probe(flight, &probe[n++], flight->row[i].name,
                    addresses->text[k], 80);
    }
    return n;
}

/* At port 80 and nowhere else, one path, no redirect (security S44: the DNS of
 * a name is not ours). */
static enum acme_rc
check_reach(struct flight *flight, struct acme_error *err)
{
    const struct acme_preflight_case *what = flight->what;
    struct acme_probe *probe;
    struct acme_preflight_row *row;
    size_t i, k, n, all = 0;

    for (i = 0; i < flight->n; i++)
        all += flight->addresses[i].n;
    probe = acme_arena_alloc(what->arena, (all + 1) * sizeof(*probe));
    if (probe == NULL)
        return acme_error_nomem(err);
    n = list_probes(flight, probe);
    if (n > 0 && !what->means->probe(probe, n, ACME_PREFLIGHT_MS, what->host))
        return acme_error_set(err, ACME_STOPPING, "stopped");
    for (i = k = 0; i < flight->n; i++) {
        row = &flight->row[i];
        for (; k < n && probe[k].name == row->name; k++)
            judge_reach(flight, row, &probe[k]);
        if (is_http(row) &&
            row->check[ACME_CHECK_REACH].verdict == ACME_VERDICT_NONE)
            find(row, ACME_CHECK_REACH, ACME_VERDICT_UNKNOWN,
                flight->addresses[i].n > 0
                    ? "at private addresses alone, which are not asked"
                    : "its addresses are not known");
    }
    return ACME_OK;
}

/* ---- all of it -------------------------------------------------------- */

static enum acme_rc
make_token(struct flight *flight, struct acme_error *err)
{
    unsigned char bytes[TOKEN_BYTES];
    struct acme_buf text;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return acme_error_set(err, ACME_CRYPTO, "no random numbers");
    acme_buf_init(&text, sizeof(flight->path));
    acme_base64_encode(&text, bytes, sizeof(bytes));
    if (!acme_buf_ok(&text)) {
        acme_buf_clear(&text);
        return acme_error_nomem(err);
    }
    (void)snprintf(flight->path, sizeof(flight->path), PATH "%s",
        acme_buf_str(&text));
    if (flight->what->thumbprint != NULL)
        (void)snprintf(flight->answer, sizeof(flight->answer), "%s.%s",
            acme_buf_str(&text), flight->what->thumbprint);
    acme_buf_clear(&text);
    return ACME_OK;
}

static void
begin_rows(struct flight *flight, const char *const *names)
{
    enum acme_challenge_type type[ACME_CHALLENGE_TYPES];
    size_t i;

    memset(flight->row, 0, flight->n * sizeof(*flight->row));
    for (i = 0; i < flight->n; i++) {
        flight->row[i].name = names[i];
        flight->row[i].provable =
            acme_proof_choose(flight->what->proof,
                &flight->what->config->reach, names[i], type) > 0;
        if (flight->row[i].provable)
            flight->row[i].type = type[0];
    }
}

/* Its handshakes are the CA's alone: nothing is claimed of them. */
static void
note_tls(struct flight *flight)
{
    size_t i;

    for (i = 0; i < flight->n; i++)
        if (flight->row[i].provable && flight->row[i].type == ACME_TLS_ALPN_01)
            find(&flight->row[i], ACME_CHECK_BINDING, ACME_VERDICT_UNKNOWN,
                "for tls-alpn-01 no handshake is made here");
}

/* Without a thumbprint nobody can answer rightly. */
static enum acme_rc
ask_servers(struct flight *flight, struct acme_error *err)
{
    enum acme_rc rc;
    size_t i;

    note_tls(flight);
    if (flight->what->thumbprint != NULL) {
        rc = check_binding(flight, err);
        return rc == ACME_OK ? check_reach(flight, err) : rc;
    }
    for (i = 0; i < flight->n; i++)
        if (is_http(&flight->row[i]))
            find(&flight->row[i], ACME_CHECK_BINDING, ACME_VERDICT_UNKNOWN,
                "there is no account yet");
    return ACME_OK;
}

enum acme_rc
acme_preflight_run(const struct acme_preflight_case *what,
    const char *const *names, size_t n, struct acme_preflight_row *row,
    struct acme_error *err)
{
    struct flight flight = { .what = what, .row = row, .n = n };
    enum acme_rc rc;

    begin_rows(&flight, names);
    flight.addresses =
        acme_arena_alloc(what->arena, (n + 1) * sizeof(*flight.addresses));
    if (flight.addresses == NULL)
        return acme_error_nomem(err);
    rc = make_token(&flight, err);
    if (rc == ACME_OK)
        rc = ask_dns(&flight, err);
    if (rc == ACME_OK)
        rc = ask_servers(&flight, err);
    return rc;
}
