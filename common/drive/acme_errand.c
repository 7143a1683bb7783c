#include "drive/acme_errand.h"

#include <stdio.h>
#include <string.h>

#include "base/acme_base64.h"
#include "base/acme_name.h"

#define ADD 1u
#define FAILED 2u

/* In the answer */
#define REFUSED 1u
#define DECLINED 2u

#define LABEL "_acme-challenge."

void
acme_errand_render(const struct acme_errand *errand, uint32_t lineage,
    struct acme_buf *frame)
{
    acme_frame_begin(frame, ACME_VERB_HOOK, lineage);
    acme_frame_add_u64(frame,
        (errand->add ? ADD : 0) | (errand->failed ? FAILED : 0));
    acme_frame_add_u64(frame, (uint64_t)errand->type);
    acme_frame_add_text(frame, errand->name);
    acme_frame_add_text(frame, errand->owner);
    acme_frame_add_text(frame, errand->value);
    acme_frame_add_text(frame, errand->token);
    acme_frame_add_u64(frame, errand->remaining);
    acme_frame_add(frame, errand->all, errand->all_len);
    acme_frame_add(frame, errand->output, errand->output_len);
}

/* ---- what is no errand of ours ---------------------------------------- */

static bool
is_identifier(const char *name, size_t len)
{
    char canonical[ACME_NAME_MAX + 1];
    struct acme_error ignored;

    acme_error_clear(&ignored);
    return acme_name_parse(name, len, canonical, &ignored) == ACME_OK &&
           strlen(canonical) == len && memcmp(canonical, name, len) == 0;
}

static bool
is_name(const char *name, size_t len)
{
    return is_identifier(name, len) && !acme_name_is_ip(name);
}

/* Labels of letters, digits, "-" and "_", none of them empty. */
static bool
is_owner(const char *owner)
{
    size_t len = strlen(owner);

    return len > 0 && owner[0] != '.' && owner[len - 1] != '.' &&
           strstr(owner, "..") == NULL &&
           strspn(owner, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len;
}

/* Whether `owner` is `domain` or below. */
static bool
is_within(const char *owner, const char *domain)
{
    size_t len = strlen(owner), end = strlen(domain);

    return len >= end && strcmp(owner + len - end, domain) == 0 &&
           (len == end || owner[len - end - 1] == '.');
}

static bool
may_own(const struct acme_proof *proof, const char *name, const char *owner)
{
    char label[sizeof(LABEL) + ACME_NAME_MAX];
    size_t i;

    (void)snprintf(label, sizeof(label), LABEL "%s",
        name + (acme_name_is_wildcard(name) ? strlen("*.") : 0));
    if (is_within(owner, label))
        return true;
    for (i = 0; i < proof->nzones; i++)
        if (is_within(owner, proof->zone[i]))
            return true;
    return false;
}

static bool
are_names(const char *list, size_t len)
{
    const char *end = list + len, *comma;

    while (list < end) {
        comma = memchr(list, ',', (size_t)(end - list));
        if (comma == NULL)
            comma = end;
        if (comma + 1 == end || !is_identifier(list, (size_t)(comma - list)))
            return false;
        list = comma == end ? end : comma + 1;
    }
    return len > 0;
}

static bool
is_at_name(const struct acme_errand *errand, const struct acme_proof *proof)
{
    return proof->answer.by != ACME_ANSWERER_SERVER &&
           is_identifier(errand->name, strlen(errand->name)) &&
           !acme_name_is_wildcard(errand->name) &&
           strcmp(errand->name, errand->owner) == 0;
}

static bool
is_record(const struct acme_errand *errand, const struct acme_proof *proof)
{
    return errand->type != ACME_DNS_PERSIST_01 &&
           is_name(errand->name, strlen(errand->name)) &&
           is_owner(errand->owner) &&
           may_own(proof, errand->name, errand->owner);
}

static bool
is_errand(const struct acme_errand *errand, const struct acme_proof *proof)
{
    return (acme_challenge_is_dns(errand->type) ? is_record(errand, proof)
                                                : is_at_name(errand, proof)) &&
           strlen(errand->value) == ACME_THUMBPRINT_LEN &&
           acme_base64_is(errand->value, ACME_THUMBPRINT_LEN) &&
           acme_token_ok(errand->token, strlen(errand->token)) &&
           errand->remaining <= ACME_NAMES_MAX &&
           are_names(errand->all, errand->all_len) &&
           errand->output_len <= ACME_COMMAND_OUTPUT_MAX &&
           memchr(errand->output, '\0', errand->output_len) == NULL;
}

bool
acme_errand_parse(struct acme_frame *frame, const struct acme_proof *proof,
    struct acme_errand *errand)
{
    uint64_t flags, type, remaining;
    const void *all, *output;

    flags = acme_frame_get_u64(frame);
    type = acme_frame_get_u64(frame);
    acme_frame_get_text(frame, errand->name, sizeof(errand->name));
    acme_frame_get_text(frame, errand->owner, sizeof(errand->owner));
    acme_frame_get_text(frame, errand->value, sizeof(errand->value));
    acme_frame_get_text(frame, errand->token, sizeof(errand->token));
    remaining = acme_frame_get_u64(frame);
    acme_frame_get(frame, &all, &errand->all_len);
    acme_frame_get(frame, &output, &errand->output_len);
    errand->all = all;
    errand->output = output;
    if (!acme_frame_end(frame) || frame->verb != ACME_VERB_HOOK ||
        flags > (ADD | FAILED) || type >= ACME_CHALLENGE_TYPES ||
        remaining > ACME_NAMES_MAX)
        return false;
    errand->add = (flags & ADD) != 0;
    errand->failed = (flags & FAILED) != 0;
    errand->type = (enum acme_challenge_type)type;
    errand->remaining = (unsigned)remaining;
    return is_errand(errand, proof);
}

void
acme_errand_authorization(const struct acme_errand *errand,
    char text[ACME_KEY_AUTHORIZATION_MAX + 1])
{
    (void)snprintf(text, ACME_KEY_AUTHORIZATION_MAX + 1, "%s.%s",
        errand->token, errand->value);
}

/* ---- the answer ------------------------------------------------------- */

void
acme_errand_reply(const struct acme_error *err, const struct acme_buf *output,
    const struct acme_errand_end *end, struct acme_buf *frame)
{
    acme_frame_begin(frame, ACME_VERB_HOOK, 0);
    acme_frame_add_error(frame, err);
    acme_frame_add(frame, output->len > 0 ? output->data : (const void *)"",
        output->len);
    acme_frame_add_u64(frame,
        (end->refused ? REFUSED : 0) | (end->declined ? DECLINED : 0));
}

enum acme_rc
acme_errand_outcome(const struct acme_buf *data, const char **output,
    size_t *output_len, struct acme_errand_end *end, struct acme_error *err)
{
    struct acme_frame frame;
    struct acme_error said;
    const void *bytes;
    uint64_t flags;
    enum acme_rc rc;

    acme_error_clear(&said);
    if (!acme_frame_open(&frame, data->data, data->len))
        return acme_error_set(err, ACME_IO, "the runner sent no frame");
    rc = acme_frame_get_error(&frame, &said);
    acme_frame_get(&frame, &bytes, output_len);
    flags = acme_frame_get_u64(&frame);
    end->refused = (flags & REFUSED) != 0;
    end->declined = (flags & DECLINED) != 0;
    *output = bytes;
    if (!acme_frame_end(&frame) || frame.verb != ACME_VERB_HOOK)
        return acme_error_set(err, ACME_IO,
            "the runner's answer is malformed");
    if (rc != ACME_OK)
        *err = said;
    return rc;
}
