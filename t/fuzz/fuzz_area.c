/*
 * The key area, scribbled over: whatever the memory holds that workers
 * share, a reader gets bytes within its own copy or nothing, and a stranger
 * gets an answer that is base64url or none.  The input is a list of writes,
 *
 *     where (1 byte), offset (2), length (1), bytes
 *
 * on an area with a good pair and a pending token.  The .c file is included:
 * to scribble one must know where things are.
 */
#include <openssl/ssl.h>

#include "fuzz.h"
#include "state/acme_area.c"
#include "state/acme_live.h"
#include "wrap/acme_x509.h"

const unsigned fuzz_replay_step = 12;

#define PRINT "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

struct pair {
    struct acme_buf key, chain;
};

static const struct pair *
good_pair(void)
{
    static struct pair pair;
    struct acme_key *key = NULL;
    struct acme_chain *chain = NULL;
    struct acme_error err;

    if (pair.key.len > 0)
        return &pair;
    acme_error_clear(&err);
    acme_buf_init(&pair.key, ACME_STATE_PEM_MAX);
    acme_buf_init(&pair.chain, ACME_CHAIN_DER_MAX);
    FUZZ_CHECK(acme_placeholder_new("fuzz", &key, &chain, &err) == ACME_OK);
    FUZZ_CHECK(acme_key_to_der(key, &pair.key, &err) == ACME_OK);
    FUZZ_CHECK(acme_chain_to_der(chain, 0, 0, &pair.chain, &err) == ACME_OK);
    acme_key_unref(key);
    acme_chain_free(chain);
    return &pair;
}

static struct acme_area *
good_area(void)
{
    const struct acme_area_token token[] = {
        { .name = "a.test", .token = "token", .thumbprint = PRINT },
        { .name = "a.test",
            .token = "token",
            .thumbprint = PRINT,
            .type = ACME_TLS_ALPN_01 },
    };
    const struct pair *good = good_pair();
    struct acme_area_pair pair = { ACME_KEY_ECDSA_256, false, good->key.data,
        good->key.len, good->chain.data, good->chain.len, "good", 4,
        INT32_MAX };
    struct acme_area *area = NULL;
    struct acme_error err;

    acme_error_clear(&err);
    FUZZ_CHECK(acme_area_new(1, 1, &area, &err) == ACME_OK);
    FUZZ_CHECK(acme_area_put(area, 0, &pair, 1, 1, &err) == ACME_OK);
    acme_area_put_thumbprint(area, 0, PRINT);
    acme_area_put_tokens(area, token, 2);
    FUZZ_CHECK(acme_area_put_alpn_key(area, 0, "key", 3, &err) == ACME_OK);
    FUZZ_CHECK(acme_area_put_status(area, 0, "{}", 2, &err) == ACME_OK);
    return area;
}

/* ---- scribbling ------------------------------------------------------- */

static void
scribble(struct acme_area *area, struct fuzz_input *in)
{
    unsigned char *const parts[] = { (void *)area->head,
        (void *)area->thumbprint, (void *)area->state, area->slots,
        (void *)area->status };
    const size_t sizes[] = { sizeof(struct head), sizeof(struct thumbprint),
        sizeof(struct state), ACME_SLOT_BYTES, sizeof(struct status) };
    size_t part = fuzz_byte(in) % 5;
    size_t offset = fuzz_byte(in) | (size_t)fuzz_byte(in) << 8;
    size_t len = fuzz_byte(in);

    offset %= sizes[part];
    if (len > in->left)
        len = in->left;
    if (len > sizes[part] - offset)
        len = sizes[part] - offset;
    memcpy(parts[part] + offset, in->at, len);
    in->at += len;
    in->left -= len;
}

/* A counter that is odd makes readers wait, which is told apart by
 * t/unit/test_area.c and would only make this slow. */
static void
let_read(struct acme_area *area)
{
    atomic_fetch_and(&area->head->token_sequence, ~1u);
    atomic_fetch_and(&area->head->alpn_key[0].sequence, ~1u);
    atomic_fetch_and(&area->head->alpn_key[1].sequence, ~1u);
    atomic_fetch_and(&area->thumbprint[0].sequence, ~1u);
    atomic_fetch_and(&area->state[0].sequence, ~1u);
    atomic_fetch_and(&area->status[0].sequence, ~1u);
}

/* ---- reading ---------------------------------------------------------- */

static bool
within(const struct acme_buf *copy, const void *data, size_t len)
{
    const unsigned char *at = data;

    return at >= copy->data && at <= copy->data + copy->len &&
           len <= (size_t)(copy->data + copy->len - at);
}

static void
read_slot(const struct acme_area *area)
{
    struct acme_area_pair pairs[ACME_SLOT_PAIRS_MAX];
    struct acme_buf copy;
    size_t npairs = 0, total = 0, i;
    uint32_t generation;

    acme_buf_init_secret(&copy, 16 * ACME_SLOT_BYTES); /* not the bound */
    if (acme_area_get(area, 0, &copy, pairs, &npairs, &generation)) {
        FUZZ_CHECK(npairs > 0 && npairs <= ACME_SLOT_PAIRS_MAX);
        for (i = 0; i < npairs; i++) {
            FUZZ_CHECK(within(&copy, pairs[i].key, pairs[i].key_len));
            FUZZ_CHECK(within(&copy, pairs[i].chain, pairs[i].chain_len));
            FUZZ_CHECK(within(&copy, pairs[i].staple, pairs[i].staple_len));
            total +=
                pairs[i].key_len + pairs[i].chain_len + pairs[i].staple_len;
        }
        FUZZ_CHECK(total <= ACME_SLOT_BYTES);
    }
    acme_buf_clear(&copy);
}

static void
ask_token(const struct acme_area *area, const char *name, const char *token)
{
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    size_t len = strlen(token);

    if (!acme_area_answer(area, name, 0, token, len, answer))
        return;
    FUZZ_CHECK(strlen(answer) == len + 1 + ACME_THUMBPRINT_LEN);
    FUZZ_CHECK(strncmp(answer, token, len) == 0 && answer[len] == '.');
    FUZZ_CHECK(acme_base64_is(answer + len + 1, ACME_THUMBPRINT_LEN));
}

static void
ask_alpn(const struct acme_area *area, const char *name)
{
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    char identifier[ACME_NAME_MAX + 1];
    struct acme_buf der;
    size_t i;

    if (acme_area_alpn_answer(area, name, identifier, answer)) {
        FUZZ_CHECK(strcmp(identifier, name) == 0);
        FUZZ_CHECK(strlen(answer) <= ACME_KEY_AUTHORIZATION_MAX);
        FUZZ_CHECK(strlen(answer) > ACME_THUMBPRINT_LEN + 1);
    }
    acme_buf_init_secret(&der, 16 * ACME_ALPN_KEY_MAX); /* not the bound */
    for (i = 0; i < ACME_ALGORITHMS; i++) {
        acme_buf_reset(&der);
        if (acme_area_alpn_key(area, i, &der))
            FUZZ_CHECK(der.len > 0 && der.len <= ACME_ALPN_KEY_MAX);
    }
    acme_buf_clear(&der);
}

static void
read_status(const struct acme_area *area)
{
    struct acme_buf out;

    acme_buf_init(&out, (size_t)16 * ACME_STATUS_BYTES); /* not the bound */
    if (acme_area_status(area, 0, &out))
        FUZZ_CHECK(out.len > 0 && out.len <= ACME_STATUS_BYTES);
    else
        FUZZ_CHECK(out.len == 0);
    acme_buf_clear(&out);
}

static void
serve(const struct acme_area *area)
{
    static SSL_CTX *ctx;
    struct acme_live_cache *cache = NULL;
    struct acme_error err;
    SSL *ssl;

    acme_error_clear(&err);
    if (ctx == NULL)
        ctx = SSL_CTX_new(TLS_server_method());
    ssl = SSL_new(ctx);
    FUZZ_CHECK(ssl != NULL);
    FUZZ_CHECK(acme_live_cache_new(area, 1, 1, &cache, &err) == ACME_OK);
    (void)acme_live_apply(cache, 0, ssl);
    (void)acme_live_staple(cache, 0, ssl);
    acme_live_cache_free(cache);
    SSL_free(ssl);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_area *area = good_area();
    struct fuzz_input in = { data, size };
    struct acme_error err;

    while (in.left > 0)
        scribble(area, &in);
    let_read(area);
    (void)acme_area_generation(area, 0);
    (void)acme_area_version(area, 0);
    (void)acme_area_last_beat(area);
    read_slot(area);
    ask_token(area, "a.test", "token");
    ask_token(area, "b.test", "another");
    ask_alpn(area, "a.test");
    read_status(area);
    serve(area);
    FUZZ_CHECK_QUEUE();
    /* The store goes on from whatever it finds. */
    acme_error_clear(&err);
    FUZZ_CHECK(acme_area_put(area, 0, NULL, 0, 0, &err) == ACME_OK);
    acme_area_free(area);
    return 0;
}
