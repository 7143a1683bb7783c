/*
 * Messages of name servers, as answers to questions of each type and to an
 * update, and the texts of name servers and TSIG keys.  The .c files are
 * included: what takes a message is their own.  The first byte says what the
 * rest is.
 */
#include "wrap/acme_dns.c"
#include "wrap/acme_dns_update.c"

#include "fuzz.h"

#define SECRET "c2VjcmV0IG9mIGFuIHVwZGF0ZSBrZXk="

static void
check_answer(const struct question *question)
{
    const struct acme_dns_answer *answer = &question->best;
    size_t i;

    FUZZ_CHECK(answer->n <= ACME_DNS_RECORDS_MAX);
    FUZZ_CHECK(answer->naliases <= ACME_DNS_ALIASES_MAX);
    FUZZ_CHECK(
        answer->zone == NULL || acme_dns_is_below(answer->name, answer->zone));
    for (i = 0; i < answer->naliases; i++)
        FUZZ_CHECK(strlen(answer->alias[i]) < ACME_DNS_NAME_TEXT);
    for (i = 0; i < answer->n; i++) {
        FUZZ_CHECK(answer->rr[i].text[answer->rr[i].len] == '\0');
        FUZZ_CHECK(question->type != ACME_DNS_CAA ||
                   (answer->rr[i].tag != NULL && answer->rr[i].flags <= 255));
    }
}

static void
try_answer(enum acme_dns_type type, const struct fuzz_input *in)
{
    static const struct sockaddr_storage server = { .ss_family = AF_INET };
    struct acme_arena *arena = acme_arena_new();
    struct acme_dns dns = { .arena = arena, .recursive = true };
    struct question question = { .dns = &dns, .name = "a.test", .type = type };
    struct acme_buf data;
    struct acme_error err;
    ldns_pkt *packet = NULL;
    bool good;

    acme_error_clear(&err);
    acme_buf_init(&data, ACME_DNS_MESSAGE_MAX);
    acme_buf_add(&data, in->at, in->left);
    FUZZ_CHECK(arena != NULL);
    if (in->left > 0 &&
        ldns_wire2pkt(&packet, data.data, data.len) == LDNS_STATUS_OK) {
        if (take_answer(&question, packet, &data, &server, &good, &err))
            check_answer(&question);
        FUZZ_CHECK(err.rc == ACME_OK);
        ldns_pkt_free(packet);
    }
    acme_buf_clear(&data);
    acme_arena_free(arena);
}

/* Nothing that is made up is signed with our key. */
static void
try_result(const struct fuzz_input *in)
{
    static const struct acme_dns_change change = { "test", "a.test", "value",
        60, false };
    static const struct sockaddr_storage server = { .ss_family = AF_INET };
    struct acme_tsig key;
    struct update update = { .key = &key, .change = &change };
    struct acme_buf data;
    struct acme_error err;
    ldns_pkt *packet = NULL;
    bool good;

    acme_error_clear(&err);
    acme_tsig_init(&key);
    FUZZ_CHECK(acme_tsig_set(&key, "update", "hmac-sha256", SECRET,
                   strlen(SECRET), &err) == ACME_OK);
    acme_buf_init(&data, ACME_DNS_MESSAGE_MAX);
    acme_buf_add(&data, in->at, in->left);
    if (in->left > 0 &&
        ldns_wire2pkt(&packet, data.data, data.len) == LDNS_STATUS_OK) {
        if (take_result(&update, packet, &data, &server, &good, &err))
            FUZZ_CHECK(judge(&update, &err) != ACME_OK);
        ldns_pkt_free(packet);
    }
    acme_buf_clear(&data);
    acme_tsig_clear(&key);
}

static void
try_texts(const struct fuzz_input *in)
{
    char *text = fuzz_text(in->at, in->left), host[ACME_NAME_MAX + 1];
    char shown[ACME_DNS_SERVER_TEXT];
    struct acme_dns_servers servers = { .n = 0 };
    struct acme_error err;
    struct acme_tsig key;
    unsigned port;

    acme_error_clear(&err);
    acme_tsig_init(&key);
    if (acme_tsig_parse(&key, (const char *)in->at, in->left, &err) ==
        ACME_OK) {
        FUZZ_CHECK(key.name[0] != '\0' && key.alg[0] != '\0');
        FUZZ_CHECK(key.secret.len > 0 && key.secret.len % 4 == 0);
    } else {
        FUZZ_CHECK(err.rc == ACME_CONFIG && key.secret.len == 0);
    }
    acme_tsig_clear(&key);
    acme_error_clear(&err);
    if (acme_dns_host_parse(text, host, &port, &err) == ACME_OK)
        FUZZ_CHECK(port > 0 && port <= 65535 && host[0] != '\0');
    acme_error_clear(&err);
    if (acme_dns_servers_add(&servers, text, &err) == ACME_OK) {
        acme_dns_server_text(&servers.server[0], shown);
        FUZZ_CHECK(acme_dns_servers_add(&servers, shown, &err) == ACME_OK);
    }
    acme_dns_servers_read(&servers, text);
    FUZZ_CHECK(servers.n > 0 && servers.n <= ACME_DNS_SERVERS_MAX);
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum acme_dns_type types[] = { ACME_DNS_A, ACME_DNS_NS,
        ACME_DNS_CNAME, ACME_DNS_SOA, ACME_DNS_TXT, ACME_DNS_AAAA,
        ACME_DNS_CAA };
    const size_t n = sizeof(types) / sizeof(types[0]);
    struct fuzz_input in = { data, size };
    size_t what = fuzz_byte(&in) % (n + 2);

    if (what < n)
        try_answer(types[what], &in);
    else if (what == n)
        try_result(&in);
    else
        try_texts(&in);
    ERR_clear_error(); /* acme_dns_exchange() does */
    return 0;
}
