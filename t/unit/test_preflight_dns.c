/*
 * acme_preflight_dns.h with a resolver of our own: what it says becomes what a
 * pre-flight makes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive/acme_preflight_dns.h"
#include "fake_host.h"

/* The name says what is answered: "bogus.test" without CD, "fails.test" always
 * SERVFAIL, "refuses.test" REFUSED, "none.test" NXDOMAIN, "mute.test" nothing;
 * all others have an address and a CAA record. */
struct resolver {
    int fd;
    unsigned port;
    pthread_t thread;
    atomic_int questions;
};

static size_t
put(unsigned char *out, size_t at, const void *data, size_t len)
{
    memcpy(out + at, data, len);
    return at + len;
}

/* One record of that type for the question's name. */
static size_t
put_record(unsigned char *out, size_t at, unsigned type)
{
    static const unsigned char v4[] = { 0, 4, 192, 0, 2, 1 };
    static const unsigned char caa[] = { 0, 14, 0, 5, 'i', 's', 's', 'u', 'e',
        'c', 'a', '.', 't', 'e', 's', 't' };
    const unsigned char head[] = { 0xc0, 12, (unsigned char)(type >> 8),
        (unsigned char)type, 0, 1, 0, 0, 0, 1 };

    at = put(out, at, head, sizeof(head));
    return type == 1 ? put(out, at, v4, sizeof(v4))
                     : put(out, at, caa, sizeof(caa));
}

static unsigned
rcode_of(const unsigned char *question)
{
    const char *label = (const char *)question + 13;

    if (memcmp(label, "bogus", 5) == 0)
        return (question[3] & 0x10) != 0 ? 0 : 2;
    if (memcmp(label, "fails", 5) == 0)
        return 2;
    if (memcmp(label, "refus", 5) == 0)
        return 5;
    return memcmp(label, "none", 4) == 0 ? 3 : 0;
}

/* Its length without what follows the question (EDNS). */
static size_t
reply_to(const unsigned char *question, unsigned char *out)
{
    size_t at = 12;
    unsigned type, code = rcode_of(question);

    while (question[at] != 0)
        at += question[at] + 1u;
    type = (unsigned)question[at + 1] << 8 | question[at + 2];
    at += 5;
    memcpy(out, question, at);
    out[2] |= 0x80;
    out[3] = (unsigned char)((question[3] & 0x10) | 0x80 | code);
    out[6] = out[8] = out[9] = out[10] = out[11] = 0;
    out[7] = code == 0 && (type == 1 || type == 257);
    return out[7] != 0 ? put_record(out, at, type) : at;
}

static void *
serve(void *data)
{
    struct resolver *resolver = data;
    unsigned char in[1024], out[2048];
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    ssize_t n;

    while ((n = recvfrom(resolver->fd, in, sizeof(in), 0,
                (struct sockaddr *)&from, &len)) > 12) {
        resolver->questions++;
        if (memcmp(in + 13, "mute", 4) != 0)
            (void)sendto(resolver->fd, out, reply_to(in, out), 0,
                (struct sockaddr *)&from, len);
    }
    return NULL;
}

static int
setup(void **state)
{
    static struct resolver resolver;
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t len = sizeof(at);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    resolver.fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(resolver.fd, (struct sockaddr *)&at, len) != 0 ||
        getsockname(resolver.fd, (struct sockaddr *)&at, &len) != 0)
        return -1;
    resolver.port = ntohs(at.sin_port);
    *state = &resolver;
    return pthread_create(&resolver.thread, NULL, serve, &resolver);
}

static int
teardown(void **state)
{
    struct resolver *resolver = *state;
    struct sockaddr_in at = { .sin_family = AF_INET };

    at.sin_port = htons((uint16_t)resolver->port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)sendto(resolver->fd, "", 0, 0, (struct sockaddr *)&at, sizeof(at));
    (void)pthread_join(resolver->thread, NULL);
    close(resolver->fd);
    return 0;
}

static void
open_dns(const struct resolver *resolver, struct fake_host *host,
    struct acme_preflight_dns *dns)
{
    struct acme_dns_servers servers = { .n = 0 };
    struct acme_proof proof;
    struct acme_error err;
    char text[32];

    acme_error_clear(&err);
    fake_host_init(host);
    acme_proof_init(&proof);
    (void)snprintf(text, sizeof(text), "127.0.0.1:%u", resolver->port);
    assert_int_equal(acme_dns_servers_add(&servers, text, &err), ACME_OK);
    acme_preflight_dns_init(dns, &proof, &servers, &host->host);
}

static void
test_ends(void **state)
{
    static const struct {
        const char *name;
        enum acme_lookup_end end;
    } rows[] = { { "a.test", ACME_LOOKUP_FOUND },
        { "none.test", ACME_LOOKUP_NOTHING },
        { "bogus.test", ACME_LOOKUP_BOGUS },
        { "fails.test", ACME_LOOKUP_FAILED },
        { "refuses.test", ACME_LOOKUP_SILENT },
        { "mute.test", ACME_LOOKUP_SILENT } };
    struct acme_arena *arena = acme_arena_new();
    const struct acme_caa_property *property = NULL;
    struct acme_addresses addresses;
    struct acme_preflight_dns dns;
    struct fake_host host;
    size_t i, n;

    open_dns(*state, &host, &dns);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(dns.lookup.addresses(dns.lookup.ctx, rows[i].name,
                             300, &addresses),
            rows[i].end);
        assert_int_equal(addresses.n, rows[i].end == ACME_LOOKUP_FOUND);
        assert_int_equal(dns.lookup.caa(dns.lookup.ctx, rows[i].name, 300,
                             arena, &property, &n),
            rows[i].end);
        assert_int_equal(n, rows[i].end == ACME_LOOKUP_FOUND);
    }
    (void)dns.lookup.addresses(dns.lookup.ctx, "a.test", 300, &addresses);
    assert_string_equal(addresses.text[0], "192.0.2.1");
    assert_int_equal(property->tag_len, 5);
    assert_string_equal(property->tag, "issue");
    assert_int_equal(property->value_len, 7);
    assert_memory_equal(property->value, "ca.test", 7);
    acme_arena_free(arena);
    fake_host_clear(&host);
}

/* What is silent is not waited for longer than was allowed, and a policy's
 * own resolvers are the only ones. */
static void
test_bounds(void **state)
{
    struct resolver *resolver = *state;
    struct acme_dns_servers others = { .n = 0 };
    struct acme_addresses addresses;
    struct acme_preflight_dns dns;
    struct acme_proof proof;
    struct fake_host host;
    int before;

    open_dns(resolver, &host, &dns);
    before = resolver->questions;
    assert_int_equal(
        dns.lookup.addresses(dns.lookup.ctx, "mute.test", 100, &addresses),
        ACME_LOOKUP_SILENT);
    assert_int_equal(resolver->questions, before + 1);
    acme_proof_init(&proof);
    proof.nresolvers = 1;
    proof.resolver[0] = "192.0.2.1:5353";
    acme_preflight_dns_init(&dns, &proof, &others, &host.host);
    assert_int_equal(dns.servers.n, 1);
    fake_host_clear(&host);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
