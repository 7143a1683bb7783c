/*
 * Questions, and what of the answers is about them.
 */
#include "wrap/acme_dns_private.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"

struct question {
    const struct acme_dns *dns;
    const char *name;
    enum acme_dns_type type;
    ldns_rdf *owner;
    bool plain; /* without EDNS: somebody did not understand it */
    struct acme_dns_answer *answer;
    struct acme_dns_answer best;
    bool any;
};

const char *
acme_dns_rcode_name(unsigned rcode)
{
    static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL",
        "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET",
        "NOTAUTH", "NOTZONE", [16] = "BADSIG", "BADKEY",
        "BADTIME", [22] = "BADTRUNC" };

    if (rcode < sizeof(names) / sizeof(names[0]) && names[rcode] != NULL)
        return names[rcode];
    return "an unknown error";
}

bool
acme_dns_is_below(const char *name, const char *zone)
{
    size_t name_len = strlen(name), len = strlen(zone);

    if (len == 0 || name_len == len)
        return len == 0 || strcmp(name, zone) == 0;
    return name_len > len && name[name_len - len - 1] == '.' &&
           strcmp(name + name_len - len, zone) == 0;
}

/* ---- names ------------------------------------------------------------ */

ldns_rdf *
acme_dns_name(const char *name)
{
    return ldns_dname_new_frm_str(*name != '\0' ? name : ".");
}

bool
acme_dns_name_text(const ldns_rdf *name, char text[ACME_DNS_NAME_TEXT])
{
    char *found = ldns_rdf2str(name);
    size_t len = found != NULL ? strlen(found) : 0, i;
    bool good = len > 0 && len < ACME_DNS_NAME_TEXT;

    for (i = 0; good && i < len; i++)
        text[i] = (char)tolower((unsigned char)found[i]);
    /* The last dot is the root, and not one that belongs to a label. */
    if (good && text[len - 1] == '.' && (len < 2 || text[len - 2] != '\\'))
        len--;
    if (good)
        text[len] = '\0';
    free(found);
    return good;
}

static bool
is_owner(const ldns_rr *rr, const char *name)
{
    char text[ACME_DNS_NAME_TEXT];

    return acme_dns_name_text(ldns_rr_owner(rr), text) &&
           strcmp(text, name) == 0;
}

/* ---- records ---------------------------------------------------------- */

/* Field `i` of a record, of a sound one. */
static const ldns_rdf *
field(const ldns_rr *rr, size_t i)
{
    return i < ldns_rr_rd_count(rr) ? ldns_rr_rdf(rr, i) : NULL;
}

static bool
set_text(struct acme_arena *arena, struct acme_dns_rr *out, const void *data,
    size_t len)
{
    char *text = acme_arena_alloc(arena, len + 1);

    if (text != NULL && len > 0)
        memcpy(text, data, len);
    out->text = text;
    out->len = len;
    return text != NULL;
}

static bool
read_name(struct acme_arena *arena, struct acme_dns_rr *out,
    const ldns_rdf *name)
{
    char text[ACME_DNS_NAME_TEXT];

    return name != NULL && acme_dns_name_text(name, text) &&
           set_text(arena, out, text, strlen(text));
}

static bool
read_address(struct acme_arena *arena, struct acme_dns_rr *out,
    const ldns_rdf *data, int family)
{
    char text[INET6_ADDRSTRLEN];

    return data != NULL &&
           ldns_rdf_size(data) == (family == AF_INET ? 4u : 16u) &&
           inet_ntop(family, ldns_rdf_data(data), text, sizeof(text)) !=
               NULL &&
           set_text(arena, out, text, strlen(text));
}

/* RFC 1035 3.3.14: strings, each behind its length. */
static bool
read_strings(struct acme_arena *arena, struct acme_dns_rr *out,
    const ldns_rr *rr)
{
    struct acme_buf text;
    const ldns_rdf *string;
    bool good;
    size_t i;

    acme_buf_init(&text, ACME_DNS_MESSAGE_MAX);
    for (i = 0; (string = field(rr, i)) != NULL; i++)
        if (ldns_rdf_size(string) > 0)
            acme_buf_add(&text, ldns_rdf_data(string) + 1,
                ldns_rdf_size(string) - 1);
    good = acme_buf_ok(&text) && set_text(arena, out, text.data, text.len);
    acme_buf_clear(&text);
    return good;
}

/* RFC 8659 4.1: flags, tag, value. */
static bool
read_caa(struct acme_arena *arena, struct acme_dns_rr *out, const ldns_rr *rr)
{
    const ldns_rdf *flags = field(rr, 0), *tag = field(rr, 1);
    const ldns_rdf *value = field(rr, 2);
    struct acme_dns_rr name;
    char *text;
    size_t i;

    if (value == NULL || ldns_rdf_size(flags) != 1 || ldns_rdf_size(tag) < 1 ||
        !set_text(arena, &name, ldns_rdf_data(tag) + 1,
            ldns_rdf_size(tag) - 1) ||
        !set_text(arena, out, ldns_rdf_data(value), ldns_rdf_size(value)))
        return false;
    text = acme_arena_strdup(arena, name.text);
    for (i = 0; text != NULL && text[i] != '\0'; i++)
        text[i] = (char)tolower((unsigned char)text[i]);
    out->tag = text;
    out->flags = ldns_rdf_data(flags)[0];
    return text != NULL;
}

static bool
read_record(struct acme_arena *arena, struct acme_dns_rr *out,
    const ldns_rr *rr)
{
    memset(out, 0, sizeof(*out));
    out->ttl = ldns_rr_ttl(rr);
    switch ((unsigned)ldns_rr_get_type(rr)) {
    case ACME_DNS_A:
        return read_address(arena, out, field(rr, 0), AF_INET);
    case ACME_DNS_AAAA:
        return read_address(arena, out, field(rr, 0), AF_INET6);
    case ACME_DNS_NS:
    case ACME_DNS_CNAME:
    case ACME_DNS_SOA:
        return read_name(arena, out, field(rr, 0));
    case ACME_DNS_TXT:
        return read_strings(arena, out, rr);
    case ACME_DNS_CAA:
        return read_caa(arena, out, rr);
    default:
        return false;
    }
}

/* ---- sections --------------------------------------------------------- */

static bool
is_of(const ldns_rr *rr, enum acme_dns_type type, const char *name)
{
    return (unsigned)ldns_rr_get_type(rr) == (unsigned)type &&
           ldns_rr_get_class(rr) == LDNS_RR_CLASS_IN && is_owner(rr, name);
}

/* Where an alias of `name` in that section leads to, or NULL. */
static const char *
target_of(struct question *question, const ldns_rr_list *list,
    const char *name)
{
    struct acme_dns_rr found;
    size_t i;

    for (i = 0; i < ldns_rr_list_rr_count(list); i++)
        if (is_of(ldns_rr_list_rr(list, i), ACME_DNS_CNAME, name) &&
            read_record(question->dns->arena, &found,
                ldns_rr_list_rr(list, i)))
            return found.text;
    return NULL;
}

static void
follow_aliases(struct question *question, const ldns_rr_list *list,
    struct acme_dns_answer *answer)
{
    const char *target;

    if (question->type == ACME_DNS_CNAME)
        return;
    while (answer->naliases < ACME_DNS_ALIASES_MAX &&
           (target = target_of(question, list, answer->name)) != NULL) {
        answer->alias[answer->naliases++] = target;
        answer->name = target;
    }
}

static bool
read_answers(struct question *question, const ldns_rr_list *list,
    struct acme_dns_answer *answer)
{
    struct acme_arena *arena = question->dns->arena;
    struct acme_dns_rr *found;
    size_t i, n = 0;

    found = acme_arena_alloc(arena, ACME_DNS_RECORDS_MAX * sizeof(*found));
    if (found == NULL)
        return false;
    for (i = 0; i < ldns_rr_list_rr_count(list); i++)
        if (n < ACME_DNS_RECORDS_MAX &&
            is_of(ldns_rr_list_rr(list, i), question->type, answer->name) &&
            read_record(arena, &found[n], ldns_rr_list_rr(list, i)))
            n++;
    answer->rr = found;
    answer->n = n;
    return true;
}

static void
read_authority(struct question *question, const ldns_rr_list *list,
    struct acme_dns_answer *answer)
{
    char owner[ACME_DNS_NAME_TEXT];
    size_t i;

    for (i = 0; i < ldns_rr_list_rr_count(list); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(list, i);

        if (!acme_dns_name_text(ldns_rr_owner(rr), owner) ||
            !acme_dns_is_below(answer->name, owner))
            continue;
        if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_SOA)
            answer->zone = acme_arena_strdup(question->dns->arena, owner);
        else if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_NS && answer->n == 0)
            answer->referral = !answer->authoritative;
    }
}

/* ---- asking ----------------------------------------------------------- */

static enum acme_rc
make_question(void *ctx, uint16_t id, struct acme_buf *out,
    struct acme_error *err)
{
    struct question *question = ctx;
    ldns_rdf *owner = ldns_rdf_clone(question->owner);
    ldns_pkt *packet = NULL;
    uint8_t *wire = NULL;
    size_t len = 0;

    if (owner != NULL)
        packet = ldns_pkt_query_new(owner, (ldns_rr_type)question->type,
            LDNS_RR_CLASS_IN, question->dns->recursive ? LDNS_RD : 0);
    if (packet == NULL) {
        ldns_rdf_deep_free(owner);
        return acme_error_nomem(err);
    }
    ldns_pkt_set_id(packet, id);
    /* RFC 6840 5.7: whether it was validated is of interest. */
    ldns_pkt_set_ad(packet, question->dns->recursive);
    ldns_pkt_set_cd(packet, question->dns->unchecked);
    if (!question->plain)
        ldns_pkt_set_edns_udp_size(packet, ACME_DNS_UDP_MAX);
    if (ldns_pkt2wire(&wire, packet, &len) == LDNS_STATUS_OK)
        acme_buf_add(out, wire, len);
    free(wire);
    ldns_pkt_free(packet);
    return len > 0 && acme_buf_ok(out) ? ACME_OK : acme_error_nomem(err);
}

static bool
is_ours(const struct question *question, const ldns_pkt *packet)
{
    const ldns_rr_list *list = ldns_pkt_question(packet);

    return ldns_pkt_get_opcode(packet) == LDNS_PACKET_QUERY &&
           ldns_rr_list_rr_count(list) == 1 &&
           is_of(ldns_rr_list_rr(list, 0), question->type, question->name);
}

/* No server that is sound says FORMERR to us: it is from before EDNS, and may
 * have left the question out. */
static bool
is_too_old(struct question *question, const ldns_pkt *packet)
{
    if (ldns_pkt_get_rcode(packet) != LDNS_RCODE_FORMERR || question->plain)
        return false;
    question->plain = true;
    return true;
}

static bool
take_answer(void *ctx, ldns_pkt *packet, const struct acme_buf *data,
    const struct sockaddr_storage *server, bool *good, struct acme_error *err)
{
    struct question *question = ctx;
    struct acme_dns_answer answer;

    (void)data;
    if (is_too_old(question, packet) || !is_ours(question, packet))
        return false;
    memset(&answer, 0, sizeof(answer));
    answer.server = *server;
    answer.rcode = (unsigned)ldns_pkt_get_rcode(packet);
    answer.authoritative = ldns_pkt_aa(packet);
    answer.authentic = ldns_pkt_ad(packet);
    answer.name = question->name;
    follow_aliases(question, ldns_pkt_answer(packet), &answer);
    if (!read_answers(question, ldns_pkt_answer(packet), &answer)) {
        (void)acme_error_nomem(err);
        return false;
    }
    read_authority(question, ldns_pkt_authority(packet), &answer);
    *good = answer.rcode == LDNS_RCODE_NOERROR ||
            answer.rcode == LDNS_RCODE_NXDOMAIN;
    if (*good || !question->any)
        question->best = answer;
    question->any = true;
    return true;
}

enum acme_rc
acme_dns_ask(const struct acme_dns *dns, const char *name,
    enum acme_dns_type type, struct acme_dns_answer *answer,
    struct acme_error *err)
{
    struct question question = { .dns = dns, .name = name, .type = type };
    const struct acme_dns_exchange exchange = { dns, make_question,
        take_answer, &question };
    char shown[128];
    enum acme_rc rc;

    acme_log_clean(shown, sizeof(shown), name, strlen(name));
    question.owner = acme_dns_name(name);
    if (question.owner == NULL)
        return acme_error_set(err, ACME_CONFIG, "\"%s\" is no name of the DNS",
            shown);
    rc = acme_dns_exchange(&exchange, err);
    ldns_rdf_deep_free(question.owner);
    if (rc == ACME_OK)
        *answer = question.best;
    else if (rc == ACME_NET || rc == ACME_NOENT)
        (void)acme_error_wrap(err, "DNS, \"%s\"", shown);
    return rc;
}

bool
acme_dns_is_bogus(const struct acme_dns *dns, const char *name,
    enum acme_dns_type type)
{
    struct acme_dns again = *dns;
    struct acme_dns_answer answer;
    struct acme_error ignored;

    if (!dns->recursive || dns->unchecked)
        return false;
    again.unchecked = true;
    acme_error_clear(&ignored);
    return acme_dns_ask(&again, name, type, &answer, &ignored) == ACME_OK &&
           (answer.rcode == LDNS_RCODE_NOERROR ||
               answer.rcode == LDNS_RCODE_NXDOMAIN);
}

static enum acme_rc
explain(const struct acme_dns *dns, const char *name, enum acme_dns_type type,
    const struct acme_dns_answer *found, struct acme_error *err)
{
    char server[ACME_DNS_SERVER_TEXT], shown[128];
    bool bogus = found->rcode == LDNS_RCODE_SERVFAIL &&
                 acme_dns_is_bogus(dns, name, type);

    acme_log_clean(shown, sizeof(shown), name, strlen(name));
    return acme_error_set(err, ACME_NET,
        "DNS, \"%s\": the name server %s says %s%s", shown,
        acme_dns_server_text(&found->server, server),
        acme_dns_rcode_name(found->rcode),
        bogus ? ", as the DNSSEC signatures are wrong" : "");
}

enum acme_rc
acme_dns_look_up(const struct acme_dns *dns, const char *name,
    enum acme_dns_type type, struct acme_dns_answer *answer,
    struct acme_error *err)
{
    struct acme_dns_answer found;
    enum acme_rc rc = acme_dns_ask(dns, name, type, &found, err);

    if (rc == ACME_OK && found.rcode != LDNS_RCODE_NOERROR &&
        found.rcode != LDNS_RCODE_NXDOMAIN)
        rc = explain(dns, name, type, &found, err);
    if (rc == ACME_OK)
        *answer = found;
    return rc;
}
