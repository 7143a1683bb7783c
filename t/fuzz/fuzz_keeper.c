/*
 * An engine that is not ours any more talks to the store.  The input is a
 * list of frames,
 *
 *     verb (1 byte, see verbs[]), index (1), length (2), fields as on the wire
 *
 * to a store with one lineage, a.test and www.a.test.  Each is answered by a
 * frame or means the end; and no answer can be had for anybody else's name.
 */
#include <unistd.h>

#include "../unit/fake_host.h"
#include "../unit/helper_tmp.h"
#include "drive/acme_keeper.h"
#include "fuzz.h"

const unsigned fuzz_replay_step = 64;

struct world {
    struct helper_tmp tmp;
    struct fake_host host;
    struct acme_config *config;
    struct acme_area *area;
    struct acme_store *store;
    struct acme_keeper *keeper;
};

static struct world *world;

static void
end_world(void)
{
    if (world == NULL)
        return;
    acme_keeper_free(world->keeper);
    acme_store_close(world->store);
    acme_area_free(world->area);
    acme_config_free(world->config);
    fake_host_clear(&world->host);
    helper_tmp_clear(&world->tmp);
    free(world);
    world = NULL;
}

static struct acme_config *
make_config(const char *state)
{
    static const char *const names[] = { "a.test", "www.a.test" };
    const struct acme_issuer issuer = { .name = "ca",
        .directory = "https://ca.test/dir",
        .key_type = ACME_KEY_ECDSA_256,
        .verify = true };
    const struct acme_lineage lineage = { .nnames = 2,
        .names = names,
        .ntypes = 1,
        .type = { ACME_KEY_ECDSA_256 },
        .stapling = true };
    struct acme_config *config = acme_config_new(state, "nginx", "/x");
    struct acme_error err;
    size_t index;

    acme_error_clear(&err);
    FUZZ_CHECK(config != NULL);
    FUZZ_CHECK(
        acme_config_add_issuer(config, &issuer, &index, &err) == ACME_OK);
    FUZZ_CHECK(
        acme_config_add_lineage(config, &lineage, &index, &err) == ACME_OK);
    FUZZ_CHECK(acme_config_finish(config, &err) == ACME_OK);
    return config;
}

/* With an account, whose key is always the same. */
static void
make_account(struct world *w)
{
    static struct acme_key *key;
    struct acme_error err;

    acme_error_clear(&err);
    if (key == NULL)
        FUZZ_CHECK(
            acme_key_generate(ACME_KEY_ECDSA_256, &key, &err) == ACME_OK);
    FUZZ_CHECK(acme_store_account_key(w->store, &w->config->issuer[0], key,
                   &err) == ACME_OK);
}

static void
begin_world(void)
{
    static bool registered;
    struct world *w = calloc(1, sizeof(*w));
    struct acme_error err;
    const char *state;

    FUZZ_CHECK(w != NULL);
    acme_error_clear(&err);
    helper_tmp_init_fast(&w->tmp);
    fake_host_init(&w->host);
    state = helper_tmp_path(&w->tmp, "state");
    w->config = make_config(state);
    FUZZ_CHECK(
        acme_store_open(state, ACME_STORE_WRITE, &w->store, &err) == ACME_OK);
    FUZZ_CHECK(acme_area_new(1, 1, &w->area, &err) == ACME_OK);
    make_account(w);
    FUZZ_CHECK(acme_keeper_new(w->config, w->store, w->area, &w->host.host,
                   &w->keeper, &err) == ACME_OK);
    acme_keeper_start(w->keeper, ACME_KEEPER_DECLARES);
    acme_keeper_settle(w->keeper);
    world = w;
    if (!registered)
        (void)atexit(end_world);
    registered = true;
}

/* ---- frames ----------------------------------------------------------- */

/* acme_frame_send() does this on the way. */
static void
put_length(struct acme_buf *frame)
{
    uint32_t length = (uint32_t)(frame->len - 16);

    FUZZ_CHECK(acme_buf_ok(frame) && frame->len >= 16);
    memcpy(frame->data + 12, &length, sizeof(length));
}

static void
check_reply(struct acme_buf *reply, enum acme_verb verb)
{
    struct acme_frame frame;
    struct acme_error err;

    acme_error_clear(&err);
    put_length(reply);
    FUZZ_CHECK(acme_frame_open(&frame, reply->data, reply->len));
    FUZZ_CHECK(frame.verb == verb);
    (void)acme_frame_get_error(&frame, &err);
    FUZZ_CHECK(!frame.bad);
}

/* What a byte means: verbs are only added here, so that the corpus outlives
 * their numbers.  Another byte is itself. */
static const enum acme_verb verbs[] = { ACME_VERB_NONE, ACME_VERB_UNIT,
    ACME_VERB_RECORD, ACME_VERB_LOCK, ACME_VERB_UNLOCK, ACME_VERB_ACCOUNT,
    ACME_VERB_ACCOUNT_KEY, ACME_VERB_ACCOUNT_URL, ACME_VERB_ORDER,
    ACME_VERB_ORDER_PUT, ACME_VERB_CHALLENGES, ACME_VERB_ORDER_DROP,
    ACME_VERB_VERSION, ACME_VERB_LEDGER, ACME_VERB_LEDGER_PUT, ACME_VERB_DONE,
    ACME_VERB_NOTE, ACME_VERB_ACCOUNT_DEAD, ACME_VERB_OTHER_KEY,
    ACME_VERB_ACCOUNT_MOVED, ACME_VERB_CONTACTS, ACME_VERB_CONTACTS_TOLD,
    ACME_VERB_BINDING, ACME_VERB_ORDER_NOTE, ACME_VERB_CHAIN, ACME_VERB_CSR,
    ACME_VERB_LIVE_KEY, ACME_VERB_LEDGER_ACCOUNT, ACME_VERB_TRAFFIC,
    ACME_VERB_REVOKED, ACME_VERB_LEARNED, ACME_VERB_EVENT, ACME_VERB_HOOK,
    ACME_VERB_STAGE, ACME_VERB_REQUEST, ACME_VERB_TALLY, ACME_VERB_STAPLE };

static enum acme_verb
get_verb(struct fuzz_input *in)
{
    uint8_t byte = fuzz_byte(in);

    return byte < sizeof(verbs) / sizeof(verbs[0]) ? verbs[byte]
                                                   : (enum acme_verb)byte;
}

/* Whether the store goes on listening. */
static bool
send_frame(struct fuzz_input *in)
{
    enum acme_verb verb = get_verb(in);
    uint32_t index = fuzz_byte(in);
    size_t len = fuzz_byte(in) | (size_t)fuzz_byte(in) << 8;
    struct acme_buf request, reply;
    bool good;

    if (len > in->left)
        len = in->left;
    acme_buf_init_secret(&request, ACME_FRAME_MAX);
    acme_buf_init_secret(&reply, ACME_FRAME_MAX);
    acme_frame_begin(&request, verb, index);
    acme_buf_add(&request, in->at, len);
    put_length(&request);
    in->at += len;
    in->left -= len;
    good = acme_keeper_answer(world->keeper, &request, &reply);
    /* Those are the runner's, not the store's. */
    FUZZ_CHECK(!good || (verb != ACME_VERB_HOOK && verb != ACME_VERB_STAGE));
    if (good)
        check_reply(&reply, verb);
    acme_buf_clear(&request);
    acme_buf_clear(&reply);
    return good;
}

static void
ignore_move(void *ctx, size_t lineage)
{
    (void)ctx;
    FUZZ_CHECK(lineage == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    struct fuzz_input in = { data, size };
    bool used = false;

    if (world == NULL)
        begin_world();
    while (in.left > 0 && send_frame(&in))
        used = true;
    acme_keeper_look(world->keeper, ignore_move, NULL);
    FUZZ_CHECK(
        !acme_area_answer(world->area, "b.test", -1, "token", 5, answer));
    FUZZ_CHECK_QUEUE();
    /* What was refused as a whole has changed nothing. */
    if (used)
        end_world();
    return 0;
}
