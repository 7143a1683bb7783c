/*
 * What is found, what the DNS says, and the whole of it.
 */
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/acme_base64.h"
#include "base/acme_buf.h"
#include "base/acme_log.h"
#include "base/acme_name.h"
#include "base/acme_time.h"
#include "drive/acme_preflight_private.h"

#define TOKEN_BYTES 24 /* 192 bits, ACME_FLIGHT_TOKEN_LEN characters */

/* What is known of a domain's CAA records. */
struct acme_known {
    const char *domain;
    enum acme_lookup_end end;
    const struct acme_caa_property *property;
    size_t n;
    struct acme_known *next;
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

void
acme_flight_find(struct acme_preflight_row *row, enum acme_check check,
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
note_end(struct acme_flight *flight, struct acme_preflight_row *row,
    const char *domain, enum acme_lookup_end end)
{
    if (end == ACME_LOOKUP_BOGUS)
        acme_flight_find(row, ACME_CHECK_DNSSEC, ACME_VERDICT_BAD,
            "the DNS answers for %s are bogus: the resolver refuses them for "
            "their DNSSEC signatures, and so does the CA",
            domain);
    else if (end == ACME_LOOKUP_FAILED)
        acme_flight_find(row, ACME_CHECK_DNSSEC, ACME_VERDICT_DOUBT,
            "the resolver gets no answer (SERVFAIL) from the name servers of "
            "%s",
            domain);
    else if (end == ACME_LOOKUP_SILENT)
        acme_flight_find(row, ACME_CHECK_DNSSEC, ACME_VERDICT_UNKNOWN,
            "no resolver has answered");
    flight->silent = flight->silent || end == ACME_LOOKUP_SILENT;
}

static bool
is_dns_name(const struct acme_preflight_row *row)
{
    return row->provable && !acme_name_is_ip(row->name);
}

static void
look_up_addresses(struct acme_flight *flight, size_t i)
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
        acme_flight_find(row, ACME_CHECK_REACH, ACME_VERDICT_BAD,
            "%s has no address in the DNS", row->name);
    if (end != ACME_LOOKUP_FOUND)
        flight->addresses[i].n = 0;
}

/* Asked once for all names below it.  NULL: out of memory. */
static const struct acme_known *
look_up_caa(struct acme_flight *flight, const char *domain)
{
    const struct acme_lookup *lookup = flight->what->means->lookup;
    struct acme_known *known;

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
judge_caa(struct acme_flight *flight, struct acme_preflight_row *row,
    const struct acme_known *known)
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

    acme_flight_find(row, ACME_CHECK_CAA, verdict[answer],
        "the CAA records of %.80s%s%.80s %s", known->domain,
        strcmp(known->domain, base_of(row->name)) == 0 ? "" : ", for ",
        strcmp(known->domain, base_of(row->name)) == 0 ? "" : row->name, why);
}

/* RFC 8659 3: the first domain that has some, from the name upwards. */
static void
check_caa(struct acme_flight *flight, struct acme_preflight_row *row)
{
    const char *domain = base_of(row->name);
    const struct acme_known *known;

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
        acme_flight_find(row, ACME_CHECK_CAA, ACME_VERDICT_GOOD,
            "no CAA record says who may issue");
}

static enum acme_rc
ask_dns(struct acme_flight *flight, struct acme_error *err)
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
        acme_flight_find(row, ACME_CHECK_DNSSEC, ACME_VERDICT_GOOD,
            "nothing bogus was seen");
        if (!host->wait(host->ctx, 0))
            return acme_error_set(err, ACME_STOPPING, "stopped");
    }
    return ACME_OK;
}

/* ---- all of it -------------------------------------------------------- */

static enum acme_rc
make_token(struct acme_flight *flight, struct acme_error *err)
{
    unsigned char bytes[TOKEN_BYTES];
    struct acme_buf text;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return acme_error_set(err, ACME_CRYPTO, "no random numbers");
    acme_buf_init(&text, sizeof(flight->token));
    acme_base64_encode(&text, bytes, sizeof(bytes));
    if (!acme_buf_ok(&text)) {
        acme_buf_clear(&text);
        return acme_error_nomem(err);
    }
    (void)snprintf(flight->token, sizeof(flight->token), "%s",
        acme_buf_str(&text));
    if (flight->what->thumbprint != NULL)
        (void)snprintf(flight->answer, sizeof(flight->answer), "%s.%s",
            acme_buf_str(&text), flight->what->thumbprint);
    acme_buf_clear(&text);
    return ACME_OK;
}

static void
begin_rows(struct acme_flight *flight, const char *const *names)
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

enum acme_rc
acme_preflight_run(const struct acme_preflight_case *what,
    const char *const *names, size_t n, struct acme_preflight_row *row,
    struct acme_error *err)
{
    struct acme_flight flight = { .what = what, .row = row, .n = n };
    enum acme_rc rc;

    begin_rows(&flight, names);
    flight.addresses =
        acme_arena_alloc(what->arena, (n + 1) * sizeof(*flight.addresses));
    if (flight.addresses == NULL)
        return acme_error_nomem(err);
    rc = make_token(&flight, err);
    if (rc == ACME_OK)
        rc = ask_dns(&flight, err);
    /* What is made for an order is not there before it. */
    if (rc == ACME_OK && what->proof->answer.by == ACME_ANSWERER_SERVER)
        rc = acme_flight_servers(&flight, err);
    return rc;
}
