/*
 * What the runner believes of its engine, and the engine of its runner: an
 * errand that is taken holds nothing but what may be handed to a program, and
 * comes out of its frame as it went in.
 */
#include "base/acme_base64.h"
#include "drive/acme_errand.h"
#include "fuzz.h"

static bool
has_only(const char *text, size_t len, const char *known)
{
    size_t i;

    for (i = 0; i < len; i++)
        if (text[i] == '\0' || strchr(known, text[i]) == NULL)
            return false;
    return true;
}

#define NAME "abcdefghijklmnopqrstuvwxyz0123456789-._*"

/* With its length put right, as acme_frame_send() does. */
static bool
open_frame(struct acme_frame *frame, struct acme_buf *buf)
{
    uint32_t length;

    if (!acme_buf_ok(buf) || buf->len < 4 * sizeof(length))
        return false;
    length = (uint32_t)(buf->len - 4 * sizeof(length));
    memcpy(buf->data + 3 * sizeof(length), &length, sizeof(length));
    return acme_frame_open(frame, buf->data, buf->len);
}

static void
check(const struct acme_errand *errand, const struct acme_proof *proof)
{
    struct acme_errand again;
    struct acme_frame frame;
    struct acme_buf buf;

    FUZZ_CHECK(errand->type != ACME_DNS_PERSIST_01);
    FUZZ_CHECK(has_only(errand->name, strlen(errand->name), NAME ":"));
    FUZZ_CHECK(errand->name[0] != '-' && errand->name[0] != '\0');
    if (!acme_challenge_is_dns(errand->type)) {
        FUZZ_CHECK(proof->answer.by != ACME_ANSWERER_SERVER);
        FUZZ_CHECK(strcmp(errand->owner, errand->name) == 0);
        FUZZ_CHECK(strchr(errand->name, '*') == NULL);
    } else {
        FUZZ_CHECK(has_only(errand->owner, strlen(errand->owner), NAME));
        FUZZ_CHECK(strstr(errand->owner, "_acme-challenge.") != NULL ||
                   strstr(errand->owner, "zone.test") != NULL);
    }
    FUZZ_CHECK(acme_token_ok(errand->token, strlen(errand->token)));
    FUZZ_CHECK(strlen(errand->value) == ACME_THUMBPRINT_LEN);
    FUZZ_CHECK(has_only(errand->all, errand->all_len, NAME ",:"));
    FUZZ_CHECK(memchr(errand->output, '\0', errand->output_len) == NULL);
    acme_buf_init(&buf, ACME_FRAME_MAX);
    acme_errand_render(errand, 7, &buf);
    FUZZ_CHECK(acme_buf_ok(&buf));
    FUZZ_CHECK(open_frame(&frame, &buf));
    FUZZ_CHECK(acme_errand_parse(&frame, proof, &again));
    FUZZ_CHECK(strcmp(errand->owner, again.owner) == 0 &&
               errand->all_len == again.all_len && errand->add == again.add &&
               errand->failed == again.failed);
    acme_buf_clear(&buf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_errand errand;
    struct acme_proof proof;
    struct acme_frame frame;
    struct acme_error err;
    struct acme_buf buf;
    const char *output = NULL;
    size_t len = 0;
    struct acme_errand_end end;

    acme_error_clear(&err);
    acme_proof_init(&proof);
    proof.zone[proof.nzones++] = "zone.test";
    acme_buf_init(&buf, ACME_FRAME_MAX);
    /* Its fields are the input; the number of its verb may change. */
    acme_frame_begin(&buf, ACME_VERB_HOOK, 0);
    acme_buf_add(&buf, data, size);
    if (open_frame(&frame, &buf)) {
        if (acme_errand_parse(&frame, &proof, &errand))
            check(&errand, &proof);
        proof.answer.by = ACME_ANSWERER_WEBROOT;
        if (open_frame(&frame, &buf) &&
            acme_errand_parse(&frame, &proof, &errand))
            check(&errand, &proof);
        if (acme_errand_outcome(&buf, &output, &len, &end, &err) == ACME_OK)
            FUZZ_CHECK(err.rc == ACME_OK && len <= size);
        else
            FUZZ_CHECK(err.rc != ACME_OK);
    }
    acme_buf_clear(&buf);
    FUZZ_CHECK_QUEUE();
    return 0;
}
