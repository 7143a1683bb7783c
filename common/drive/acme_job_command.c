/*
 * What a program of the administrator's makes, or the runner itself, which is
 * asked for it; or a listener, which is asked in the same way.
 */
#include <string.h>

#include "drive/acme_errand.h"
#include "drive/acme_job_dns.h"

static bool
copy(char *to, size_t size, const char *from)
{
    size_t len = strlen(from);

    if (len < size)
        memcpy(to, from, len + 1);
    return len < size;
}

static bool
fill(struct acme_errand *errand, const struct acme_dns_record *record)
{
    memset(errand, 0, sizeof(*errand));
    errand->type = record->type;
    errand->remaining = (unsigned)record->remaining;
    errand->all = record->all;
    errand->all_len = strlen(record->all);
    errand->output = record->output;
    errand->output_len = strlen(record->output);
    return copy(errand->name, sizeof(errand->name), record->name) &&
           copy(errand->owner, sizeof(errand->owner), record->owner) &&
           copy(errand->value, sizeof(errand->value), record->value) &&
           copy(errand->token, sizeof(errand->token), record->token);
}

static enum acme_rc
take_answer(struct acme_run *run, const struct acme_buf *answer,
    struct acme_dns_record *record, struct acme_error *err)
{
    struct acme_errand_end end = { .refused = false };
    const char *output;
    size_t len;
    enum acme_rc rc;

    rc = acme_errand_outcome(answer, &output, &len, &end, err);
    record->refused = end.refused;
    record->declined = end.declined && rc != ACME_OK;
    if (rc == ACME_OK && len > 0) {
        record->output = acme_arena_strndup(run->arena, output, len);
        if (record->output == NULL) {
            record->output = "";
            rc = acme_error_nomem(err);
        }
    }
    return rc;
}

typedef enum acme_rc ask_process(const struct acme_run *run,
    struct acme_buf *frame, struct acme_buf *answer, struct acme_error *err);

static enum acme_rc
ask(struct acme_run *run, ask_process *process,
    const struct acme_errand *errand, struct acme_dns_record *record,
    struct acme_error *err)
{
    const size_t lineage = (size_t)(run->lineage - run->job->config->lineage);
    struct acme_buf frame, answer;
    enum acme_rc rc;

    acme_buf_init(&frame, ACME_FRAME_MAX);
    acme_buf_init(&answer, ACME_FRAME_MAX);
    acme_errand_render(errand, (uint32_t)lineage, &frame);
    rc = process(run, &frame, &answer, err);
    if (rc == ACME_OK)
        rc = take_answer(run, &answer, record, err);
    acme_buf_clear(&frame);
    acme_buf_clear(&answer);
    return rc;
}

static enum acme_rc
make(struct acme_run *run, ask_process *process,
    struct acme_dns_record *record, struct acme_error *err)
{
    struct acme_errand errand;

    if (!fill(&errand, record))
        return acme_error_set(err, ACME_CONFIG,
            "the name of the record is too long");
    errand.add = true;
    errand.output_len = 0;
    return ask(run, process, &errand, record, err);
}

static enum acme_rc
take_away(struct acme_run *run, ask_process *process,
    const struct acme_dns_record *record, bool failed, struct acme_error *err)
{
    struct acme_dns_record copied = *record;
    struct acme_errand errand;

    if (!fill(&errand, record))
        return ACME_OK; /* then it was never made */
    errand.failed = failed;
    return ask(run, process, &errand, &copied, err);
}

static enum acme_rc
add(struct acme_run *run, struct acme_dns_record *record,
    struct acme_error *err)
{
    return make(run, acme_job_ask_runner, record, err);
}

static enum acme_rc
remove_it(struct acme_run *run, const struct acme_dns_record *record,
    bool failed, struct acme_error *err)
{
    return take_away(run, acme_job_ask_runner, record, failed, err);
}

const struct acme_dns_means acme_job_command = { add, remove_it };

static enum acme_rc
listen_for(struct acme_run *run, struct acme_dns_record *record,
    struct acme_error *err)
{
    return make(run, acme_job_ask_standalone, record, err);
}

/* One that has ended does not answer any more either. */
static enum acme_rc
end_listening(struct acme_run *run, const struct acme_dns_record *record,
    bool failed, struct acme_error *err)
{
    return run->job->standalone != NULL
               ? take_away(run, acme_job_ask_standalone, record, failed, err)
               : ACME_OK;
}

const struct acme_dns_means acme_job_standalone = { listen_for,
    end_listening };
