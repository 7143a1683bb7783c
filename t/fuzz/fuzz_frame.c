/*
 * Frames between engine and store.  The input is taken as one, and as the
 * store's reply to each question the engine can ask: the engine believes its
 * store no more than the store believes it.
 */
#include "drive/acme_vault.h"
#include "fuzz.h"
#include "state/acme_frame.h"

/* The next field as each of the things it might be. */
static void
read_field(struct acme_frame frame, size_t len)
{
    struct acme_frame as_text = frame, as_longer = frame, as_number = frame;
    char *text = malloc(len + 1);
    struct acme_error err;

    FUZZ_CHECK(text != NULL);
    acme_error_clear(&err);
    acme_frame_get_text(&as_text, text, len + 1);
    FUZZ_CHECK(as_text.bad ? text[0] == '\0' : strlen(text) == len);
    if (len > 0) {
        acme_frame_get_text(&as_longer, text, len);
        FUZZ_CHECK(as_longer.bad && text[0] == '\0');
    }
    (void)acme_frame_get_u64(&as_number);
    FUZZ_CHECK(as_number.bad == (len != sizeof(uint64_t)));
    if (acme_frame_get_error(&frame, &err) != ACME_OK)
        FUZZ_CHECK(err.rc != ACME_OK && err.rc <= ACME_STOPPING);
    free(text);
}

static void
read_fields(struct acme_frame frame)
{
    struct acme_frame before;
    const void *data;
    size_t len;

    while (!acme_frame_end(&frame)) {
        before = frame;
        acme_frame_get(&frame, &data, &len);
        if (frame.bad)
            return;
        FUZZ_CHECK(frame.at > before.at && frame.at <= frame.end);
        FUZZ_CHECK((const uint8_t *)data + len == frame.at);
        read_field(before, len);
    }
}

static enum acme_rc
answer(void *ctx, struct acme_buf *request, struct acme_buf *reply,
    struct acme_error *err)
{
    const struct fuzz_input *in = ctx;

    (void)err;
    acme_buf_reset(request);
    acme_buf_reset(reply);
    acme_buf_add(reply, in->at, in->left);
    return ACME_OK;
}

static void
ask_keys(struct acme_vault *vault)
{
    struct acme_key *key = NULL;
    struct acme_buf text;
    struct acme_error err;
    char url[ACME_URL_MAX];

    acme_error_clear(&err);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (acme_vault_account(vault, 0, &key, url, &err) == ACME_OK)
        FUZZ_CHECK(key != NULL && strlen(url) < sizeof(url));
    acme_key_unref(key);
    key = NULL;
    acme_error_clear(&err);
    if (acme_vault_order(vault, 0, &text, &key, &err) == ACME_OK)
        FUZZ_CHECK(key != NULL);
    acme_key_unref(key);
    acme_buf_reset(&text);
    acme_error_clear(&err);
    (void)acme_vault_ledger(vault, 0, &text, &err);
    acme_buf_clear(&text);
}

static void
ask_all(struct acme_vault *vault)
{
    struct acme_vault_unit unit;
    struct acme_error err;
    bool others;

    memset(&unit, 0, sizeof(unit));
    acme_error_clear(&err);
    if (acme_vault_unit(vault, 0, &unit, &err) == ACME_OK)
        FUZZ_CHECK(unit.nnames <= ACME_NAMES_MAX);
    acme_vault_unit_clear(&unit);
    acme_error_clear(&err);
    (void)acme_vault_lock(vault, 0, &err);
    acme_error_clear(&err);
    (void)acme_vault_challenges(vault, 0, 0, NULL, 0, &others, &err);
    ask_keys(vault);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct acme_vault *vault = NULL;
    struct acme_frame frame;
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_frame_open(&frame, data, size))
        read_fields(frame);
    FUZZ_CHECK(acme_vault_new_direct(answer, &in, &vault, &err) == ACME_OK);
    ask_all(vault);
    acme_vault_free(vault);
    FUZZ_CHECK_QUEUE();
    return 0;
}
