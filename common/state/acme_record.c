#include "state/acme_record.h"

#include <limits.h>
#include <string.h>

#include "base/acme_log.h"
#include "wrap/acme_json.h"

void
acme_record_init(struct acme_record *record)
{
    memset(record, 0, sizeof(*record));
    acme_error_clear(&record->error);
}

const char *
acme_record_last_step(const struct acme_record *record)
{
    return record->nsteps > 0 ? record->step[record->nsteps - 1].name : "";
}

void
acme_record_step(struct acme_record *record, const char *name, time_t at)
{
    const char *last = acme_record_last_step(record);
    struct acme_step *step;

    if (strcmp(last, ACME_STEP_DONE) == 0 ||
        strcmp(last, ACME_STEP_FAILED) == 0)
        record->nsteps = 0;
    if (record->nsteps == ACME_STEPS_MAX) {
        memmove(&record->step[0], &record->step[1],
            sizeof(record->step) - sizeof(record->step[0]));
        record->nsteps--;
    }
    step = &record->step[record->nsteps++];
    acme_log_clean(step->name, sizeof(step->name), name, strlen(name));
    step->at = at;
}

void
acme_record_ask(struct acme_record *record, unsigned ca, const char *issuer,
    time_t now)
{
    char name[sizeof(record->issuer)];

    acme_log_clean(name, sizeof(name), issuer, strlen(issuer));
    record->ca = ca;
    if (strcmp(name, record->issuer) == 0)
        return;
    memcpy(record->issuer, name, sizeof(name));
    record->issuer_since = now;
}

void
acme_record_forget_cas(struct acme_record *record)
{
    record->ca = 0;
    memset(record->list, 0, sizeof(record->list));
}

/* ---- parsing ---------------------------------------------------------- */

/*
 * The engine is the only one who talks to CAs and this is its word, read by
 * root's acmectl: every text is made printable again.
 */
static void
parse_text(const struct acme_json *object, const char *name, char *out,
    size_t size)
{
    const char *text = acme_json_str(object, name);

    if (text != NULL)
        acme_log_clean(out, size, text, strlen(text));
}

static unsigned
parse_count(const struct acme_json *object, const char *name)
{
    int64_t n = acme_json_int(object, name, 0);

    return n >= 0 && n <= UINT_MAX ? (unsigned)n : 0;
}

static time_t
parse_time(const struct acme_json *object, const char *name)
{
    return (time_t)acme_json_time(object, name);
}

/* Of either sign; no clock is wrong by more than the years we know of. */
static long
parse_seconds(const struct acme_json *object, const char *name)
{
    int64_t n = acme_json_int(object, name, 0);

    return n >= -INT64_C(253402300799) && n <= INT64_C(253402300799) ? (long)n
                                                                     : 0;
}

static enum acme_rc
parse_rc(const struct acme_json *object)
{
    const char *name = acme_json_str(object, "result");
    int rc;

    for (rc = ACME_OK; name != NULL && rc <= ACME_STOPPING; rc++)
        if (strcmp(acme_rc_name((enum acme_rc)rc), name) == 0)
            return (enum acme_rc)rc;
    return ACME_OK;
}

static void
parse_subproblems(const struct acme_json *object, struct acme_error *error)
{
    const struct acme_json *array = acme_json_get(object, "subproblems");
    size_t i, n = acme_json_count(array);

    for (i = 0; i < n && i < ACME_SUBPROBLEMS_MAX; i++) {
        const struct acme_json *from = acme_json_at(array, i);
        struct acme_subproblem *to = &error->sub[i];

        parse_text(from, "type", to->type, sizeof(to->type));
        parse_text(from, "identifier", to->identifier, sizeof(to->identifier));
        parse_text(from, "detail", to->detail, sizeof(to->detail));
        error->nsub++;
    }
    error->nsub_total = parse_count(object, "subproblems_total");
    if (error->nsub_total < error->nsub)
        error->nsub_total = error->nsub;
}

/* Without a result we know there is no error worth showing. */
static void
parse_error(const struct acme_json *object, struct acme_error *error)
{
    int64_t status;

    error->rc = parse_rc(object);
    if (error->rc == ACME_OK)
        return;
    status = acme_json_int(object, "http_status", 0);
    if (status >= 100 && status <= 999)
        error->http_status = (int)status;
    error->retry_at = parse_time(object, "retry_at");
    parse_text(object, "what", error->what, sizeof(error->what));
    parse_text(object, "type", error->type, sizeof(error->type));
    parse_text(object, "detail", error->detail, sizeof(error->detail));
    parse_text(object, "instance", error->instance, sizeof(error->instance));
    parse_subproblems(object, error);
}

static void
parse_cas(const struct acme_json *root, struct acme_record *record)
{
    const struct acme_json *array = acme_json_get(root, "list"), *from;
    size_t i, n = acme_json_count(array);

    record->ca = parse_count(root, "ca");
    if (record->ca > ACME_FALLBACKS_MAX)
        record->ca = 0;
    for (i = 0; i < n && i <= ACME_FALLBACKS_MAX; i++) {
        from = acme_json_at(array, i);
        record->list[i].failures = parse_count(from, "failures");
        record->list[i].next = parse_time(from, "next_attempt");
        record->list[i].wait_for_config =
            acme_json_bool(from, "wait_for_config", false);
    }
}

static void
parse_steps(const struct acme_json *array, struct acme_record *record)
{
    size_t i, n = acme_json_count(array);

    for (i = 0; i < n && i < ACME_STEPS_MAX; i++) {
        const struct acme_json *from = acme_json_at(array, i);
        struct acme_step *to = &record->step[record->nsteps];

        parse_text(from, "step", to->name, sizeof(to->name));
        to->at = parse_time(from, "at");
        if (to->name[0] != '\0')
            record->nsteps++;
    }
}

static void
parse_window(const struct acme_json *object, struct acme_record_window *window)
{
    window->start = parse_time(object, "start");
    window->end = parse_time(object, "end");
    if (window->end <= window->start)
        window->start = window->end = 0;
    if (window->end != 0)
        window->pick = parse_time(object, "pick");
    parse_text(object, "explanation", window->explanation,
        sizeof(window->explanation));
    window->next_look = parse_time(object, "next_look");
    window->failures = parse_count(object, "failures");
    window->suggested = parse_time(object, "suggested");
}

static void
parse_revocation(const struct acme_json *object,
    struct acme_record_revocation *revocation)
{
    parse_text(object, "certificate", revocation->certificate,
        sizeof(revocation->certificate));
    revocation->revoked = acme_json_bool(object, "revoked", false);
    parse_text(object, "by", revocation->by, sizeof(revocation->by));
    parse_text(object, "reason", revocation->reason,
        sizeof(revocation->reason));
    revocation->next_look = parse_time(object, "next_look");
    revocation->failures = parse_count(object, "failures");
}

static void
parse_staple(const struct acme_json *object, struct acme_record_staple *staple)
{
    parse_text(object, "certificate", staple->certificate,
        sizeof(staple->certificate));
    staple->this_update = parse_time(object, "this_update");
    staple->next_update = parse_time(object, "next_update");
    staple->next_look = parse_time(object, "next_look");
    staple->failures = parse_count(object, "failures");
    parse_text(object, "problem", staple->problem, sizeof(staple->problem));
}

static void
parse_members(const struct acme_json *root, struct acme_record *record)
{
    record->attempt = parse_time(root, "attempt");
    record->attempt_open = acme_json_bool(root, "attempt_open", false);
    parse_steps(acme_json_get(root, "steps"), record);
    parse_text(root, "issuer", record->issuer, sizeof(record->issuer));
    record->issuer_since = parse_time(root, "issuer_since");
    parse_cas(root, record);
    record->failures = parse_count(root, "failures");
    record->crashes = parse_count(root, "crashes");
    record->next_attempt = parse_time(root, "next_attempt");
    record->wait_for_config = acme_json_bool(root, "wait_for_config", false);
    parse_text(root, "config", record->config, sizeof(record->config));
    parse_error(acme_json_get(root, "error"), &record->error);
    record->error_time = parse_time(root, "error_time");
    record->clock_ahead = parse_seconds(root, "clock_ahead");
    record->renew_at = parse_time(root, "renew_at");
    parse_text(root, "renew_serial", record->renew_serial,
        sizeof(record->renew_serial));
    record->renew_usual = parse_time(root, "renew_usual");
    parse_text(root, "renew_window", record->renew_window,
        sizeof(record->renew_window));
    parse_window(acme_json_get(root, "renewal_info"), &record->window);
    parse_revocation(acme_json_get(root, "revocation"), &record->revocation);
    parse_staple(acme_json_get(root, "staple"), &record->staple);
    record->forced = parse_time(root, "forced");
    record->told = parse_time(root, "told");
    acme_left_out_parse(acme_json_get(root, "left_out"), &record->left_out);
    parse_text(root, "left_out_serial", record->left_out_serial,
        sizeof(record->left_out_serial));
    record->left_out_times = parse_count(root, "left_out_times");
    record->complete_at = parse_time(root, "complete_at");
    parse_text(root, "preflight", record->preflight,
        sizeof(record->preflight));
    record->preflight_since = parse_time(root, "preflight_since");
}

enum acme_rc
acme_record_parse(const char *text, size_t len, struct acme_record *record,
    struct acme_error *err)
{
    struct acme_json *root = NULL;
    enum acme_rc rc = ACME_OK;

    if (len == 0) {
        acme_record_init(record);
        return ACME_OK;
    }
    rc = acme_json_parse(text, len, "record", &root, err);
    if (rc != ACME_OK)
        return rc;
    if (acme_json_is_object(root)) {
        acme_record_init(record);
        parse_members(root, record);
    } else {
        rc = acme_error_set(err, ACME_WIRE, "record: not a JSON object");
    }
    acme_json_free(root);
    return rc;
}

/* ---- rendering -------------------------------------------------------- */

/* What is empty is left out: a record is read by people too. */
static void
render_text(struct acme_json *object, const char *name, const char *text)
{
    acme_json_set_str(object, name, text[0] != '\0' ? text : NULL);
}

static void
render_number(struct acme_json *object, const char *name, int64_t value)
{
    if (value != 0)
        acme_json_set_int(object, name, value);
}

static void
render_flag(struct acme_json *object, const char *name, bool value)
{
    if (value)
        acme_json_set_bool(object, name, value);
}

static struct acme_json *
render_subproblems(const struct acme_error *error)
{
    struct acme_json *array = acme_json_array();
    unsigned i;

    for (i = 0; i < error->nsub && i < ACME_SUBPROBLEMS_MAX; i++) {
        struct acme_json *object = acme_json_object();

        render_text(object, "type", error->sub[i].type);
        render_text(object, "identifier", error->sub[i].identifier);
        render_text(object, "detail", error->sub[i].detail);
        acme_json_append(array, object);
    }
    return array;
}

static struct acme_json *
render_error(const struct acme_error *error)
{
    struct acme_json *object = acme_json_object();

    acme_json_set_str(object, "result", acme_rc_name(error->rc));
    render_number(object, "http_status", error->http_status);
    acme_json_set_time(object, "retry_at", error->retry_at);
    render_text(object, "what", error->what);
    render_text(object, "type", error->type);
    render_text(object, "detail", error->detail);
    render_text(object, "instance", error->instance);
    if (error->nsub > 0) {
        acme_json_set(object, "subproblems", render_subproblems(error));
        render_number(object, "subproblems_total", error->nsub_total);
    }
    return object;
}

/* Those there is something to say of, and all before them. */
static size_t
count_cas(const struct acme_record *record)
{
    size_t n = ACME_FALLBACKS_MAX + 1;

    while (n > 0 && record->list[n - 1].failures == 0 &&
           record->list[n - 1].next == 0)
        n--;
    return n;
}

static struct acme_json *
render_cas(const struct acme_record *record)
{
    struct acme_json *array = acme_json_array();
    size_t i;

    for (i = 0; i < count_cas(record); i++) {
        struct acme_json *object = acme_json_object();

        render_number(object, "failures", record->list[i].failures);
        acme_json_set_time(object, "next_attempt", record->list[i].next);
        render_flag(object, "wait_for_config",
            record->list[i].wait_for_config);
        acme_json_append(array, object);
    }
    return array;
}

struct acme_json *
acme_record_render_steps(const struct acme_record *record)
{
    struct acme_json *array = acme_json_array();
    unsigned i;

    for (i = 0; i < record->nsteps && i < ACME_STEPS_MAX; i++) {
        struct acme_json *object = acme_json_object();

        render_text(object, "step", record->step[i].name);
        acme_json_set_time(object, "at", record->step[i].at);
        acme_json_append(array, object);
    }
    return array;
}

static bool
is_empty(const struct acme_record_window *window)
{
    return window->end == 0 && window->next_look == 0 &&
           window->suggested == 0;
}

static struct acme_json *
render_window(const struct acme_record_window *window)
{
    struct acme_json *object = acme_json_object();

    acme_json_set_time(object, "start", window->start);
    acme_json_set_time(object, "end", window->end);
    acme_json_set_time(object, "pick", window->pick);
    render_text(object, "explanation", window->explanation);
    acme_json_set_time(object, "next_look", window->next_look);
    render_number(object, "failures", window->failures);
    acme_json_set_time(object, "suggested", window->suggested);
    return object;
}

static struct acme_json *
render_revocation(const struct acme_record_revocation *revocation)
{
    struct acme_json *object = acme_json_object();

    render_text(object, "certificate", revocation->certificate);
    render_flag(object, "revoked", revocation->revoked);
    render_text(object, "by", revocation->by);
    render_text(object, "reason", revocation->reason);
    acme_json_set_time(object, "next_look", revocation->next_look);
    render_number(object, "failures", revocation->failures);
    return object;
}

static struct acme_json *
render_staple(const struct acme_record_staple *staple)
{
    struct acme_json *object = acme_json_object();

    render_text(object, "certificate", staple->certificate);
    acme_json_set_time(object, "this_update", staple->this_update);
    acme_json_set_time(object, "next_update", staple->next_update);
    acme_json_set_time(object, "next_look", staple->next_look);
    render_number(object, "failures", staple->failures);
    render_text(object, "problem", staple->problem);
    return object;
}

enum acme_rc
acme_record_render(const struct acme_record *record, struct acme_buf *out,
    struct acme_error *err)
{
    struct acme_json *root = acme_json_object();
    enum acme_rc rc;

    acme_json_set_time(root, "attempt", record->attempt);
    render_flag(root, "attempt_open", record->attempt_open);
    if (record->nsteps > 0)
        acme_json_set(root, "steps", acme_record_render_steps(record));
    render_text(root, "issuer", record->issuer);
    acme_json_set_time(root, "issuer_since", record->issuer_since);
    render_number(root, "ca", record->ca);
    if (count_cas(record) > 0)
        acme_json_set(root, "list", render_cas(record));
    render_number(root, "failures", record->failures);
    render_number(root, "crashes", record->crashes);
    acme_json_set_time(root, "next_attempt", record->next_attempt);
    render_flag(root, "wait_for_config", record->wait_for_config);
    render_text(root, "config", record->config);
    if (record->error.rc != ACME_OK)
        acme_json_set(root, "error", render_error(&record->error));
    acme_json_set_time(root, "error_time", record->error_time);
    render_number(root, "clock_ahead", record->clock_ahead);
    acme_json_set_time(root, "renew_at", record->renew_at);
    render_text(root, "renew_serial", record->renew_serial);
    acme_json_set_time(root, "renew_usual", record->renew_usual);
    render_text(root, "renew_window", record->renew_window);
    if (!is_empty(&record->window))
        acme_json_set(root, "renewal_info", render_window(&record->window));
    if (record->revocation.certificate[0] != '\0')
        acme_json_set(root, "revocation",
            render_revocation(&record->revocation));
    if (record->staple.certificate[0] != '\0')
        acme_json_set(root, "staple", render_staple(&record->staple));
    acme_json_set_time(root, "forced", record->forced);
    acme_json_set_time(root, "told", record->told);
    if (record->left_out.n > 0) {
        acme_json_set(root, "left_out",
            acme_left_out_render(&record->left_out));
        render_text(root, "left_out_serial", record->left_out_serial);
        render_number(root, "left_out_times", record->left_out_times);
        acme_json_set_time(root, "complete_at", record->complete_at);
    }
    render_text(root, "preflight", record->preflight);
    acme_json_set_time(root, "preflight_since", record->preflight_since);
    rc = acme_json_render(root, true, out, err);
    acme_json_free(root);
    return rc;
}
