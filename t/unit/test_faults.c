/*
 * A renewal that meets a fault: each step of RFC 8555 with each way in which
 * it may fail, and for each the whole of what must come of it: what the
 * record says, whether the order is gone on with, when it is tried again.
 * The certificate there is stays served, and the CA is left in peace.
 */
#include "helper_engine.h"

static const struct step {
    enum fake_step step;
    const char *label;
    const char *record; /* what the record calls it */
    const char *url;    /* member that may point elsewhere; NULL: none */
    bool location;      /* an answer needs Location */
    bool json;          /* its body is read as JSON */
    bool order;         /* there is an order by then */
    unsigned nth;       /* request of that step that is hit; 0: each */
} steps[] = {
    { FAKE_DIRECTORY, "directory", "account", "newOrder", false, true, false,
        0 },
    { FAKE_NEW_NONCE, "new nonce", "account", NULL, false, false, false, 0 },
    { FAKE_ACCOUNT, "account", "account", NULL, false, true, false, 0 },
    { FAKE_NEW_ACCOUNT, "new account", "account", NULL, true, true, false, 0 },
    { FAKE_NEW_ORDER, "new order", "order", "finalize", true, true, false, 0 },
    { FAKE_AUTHZ, "authorization", "authorize", "challenges.0.url", false,
        true, true, 0 },
    { FAKE_CHALLENGE, "challenge", "authorize", NULL, false, false, true, 0 },
    { FAKE_ORDER, "order", "authorize", "finalize", false, true, true, 1 },
    { FAKE_ORDER, "issuing", "finalize", "finalize", false, true, true, 2 },
    { FAKE_FINALIZE, "finalize", "finalize", "finalize", false, true, true,
        0 },
    { FAKE_CERTIFICATE, "certificate", "download", NULL, false, false, true,
        0 },
};

/* When it is tried again: the retry table itself is test_schedule.c's. */
enum again {
    SOON,  /* back-off: less than a minute at the first failure */
    ASKED, /* what the CA said: two minutes */
    LIMIT, /* a rate limit without a time */
    PROOF, /* the CA could not validate */
    CHANGE /* only a change of the configuration helps */
};

static const struct {
    time_t least, most;
} waits[] = { [SOON] = { 1, MINUTE },
    [ASKED] = { 120, 140 },
    [LIMIT] = { HOUR, 2 * HOUR },
    [PROOF] = { 10 * MINUTE, HOUR },
    [CHANGE] = { DAY, 2 * DAY } };

/* ---- the ways to fail ------------------------------------------------- */

static void
no_answer(struct fake_drive *d, const struct step *at)
{
    fake_ca_fail(d->ca, at->step, at->nth, ACME_NET);
}

static void
cut_short(struct fake_drive *d, const struct step *at)
{
    fake_ca_fail(d->ca, at->step, at->nth, ACME_WIRE);
}

static void
malformed(struct fake_drive *d, const struct step *at)
{
    fake_ca_problem(d->ca, at->step, at->nth, 400, "malformed", "no");
}

static void
unauthorized(struct fake_drive *d, const struct step *at)
{
    fake_ca_problem(d->ca, at->step, at->nth, 403, "unauthorized", "no");
}

static void
rejected(struct fake_drive *d, const struct step *at)
{
    fake_ca_problem(d->ca, at->step, at->nth, 403, "rejectedIdentifier", "no");
}

static void
failed(struct fake_drive *d, const struct step *at)
{
    fake_ca_problem(d->ca, at->step, at->nth, 500, "serverInternal", "o");
}

static void
page(struct fake_drive *d, const struct step *at)
{
    fake_ca_reply(d->ca, at->step, at->nth, 502, "text/html", "<html>");
}

static void
unavailable(struct fake_drive *d, const struct step *at)
{
    fake_ca_problem(d->ca, at->step, at->nth, 503, "serverInternal", "o");
    fake_ca_header(d->ca, at->step, at->nth, "Retry-After", "120");
}

static void
limited(struct fake_drive *d, const struct step *at)
{
    fake_ca_problem(d->ca, at->step, at->nth, 429, "rateLimited", "slow");
}

static void
limited_until(struct fake_drive *d, const struct step *at)
{
    limited(d, at);
    fake_ca_header(d->ca, at->step, at->nth, "Retry-After", "120");
}

static void
torn(struct fake_drive *d, const struct step *at)
{
    fake_ca_reply(d->ca, at->step, at->nth, 200, "application/json",
        "{\"status\":");
}

static void
wrong_type(struct fake_drive *d, const struct step *at)
{
    fake_ca_reply(d->ca, at->step, at->nth, 200, "application/json",
        "[\"status\"]");
}

static void
wrong_status(struct fake_drive *d, const struct step *at)
{
    fake_ca_status(d->ca, at->step, at->nth, 302);
}

static void
no_location(struct fake_drive *d, const struct step *at)
{
    fake_ca_header(d->ca, at->step, at->nth, "Location", NULL);
}

static void
foreign_location(struct fake_drive *d, const struct step *at)
{
    fake_ca_header(d->ca, at->step, at->nth, "Location",
        "https://elsewhere.test/1");
}

static void
foreign_url(struct fake_drive *d, const struct step *at)
{
    fake_ca_json(d->ca, at->step, at->nth, at->url,
        "\"https://elsewhere.test/1\"");
}

static void
stop(struct fake_drive *d, const struct step *at)
{
    fake_ca_fail(d->ca, at->step, at->nth, ACME_STOPPING);
}

enum only {
    EACH,
    WITH_JSON,
    WITH_LOCATION,
    WITH_URL
};

static const struct fault {
    const char *label;
    void (*strike)(struct fake_drive *d, const struct step *at);
    enum only only;
    enum acme_rc rc;
    bool keeps; /* an order that there is */
    enum again again;
} faults[] = {
    { "no answer", no_answer, EACH, ACME_NET, true, SOON },
    { "cut short", cut_short, EACH, ACME_WIRE, false, SOON },
    { "400", malformed, EACH, ACME_PROBLEM, false, SOON },
    { "403 unauthorized", unauthorized, EACH, ACME_PROBLEM, false, PROOF },
    { "403 rejected", rejected, EACH, ACME_PROBLEM, false, CHANGE },
    { "500", failed, EACH, ACME_PROBLEM, true, SOON },
    { "502, a page", page, EACH, ACME_PROBLEM, true, SOON },
    { "503 with a time", unavailable, EACH, ACME_PROBLEM, true, ASKED },
    { "429", limited, EACH, ACME_PROBLEM, true, LIMIT },
    { "429 with a time", limited_until, EACH, ACME_PROBLEM, true, ASKED },
    { "torn JSON", torn, WITH_JSON, ACME_WIRE, false, SOON },
    { "wrong type", wrong_type, WITH_JSON, ACME_WIRE, false, SOON },
    { "302", wrong_status, EACH, ACME_WIRE, false, SOON },
    { "no Location", no_location, WITH_LOCATION, ACME_WIRE, false, SOON },
    { "foreign Location", foreign_location, WITH_LOCATION, ACME_WIRE, false,
        SOON },
    { "foreign URL", foreign_url, WITH_URL, ACME_WIRE, false, SOON },
    { "stop", stop, EACH, ACME_STOPPING, true, SOON },
};

static bool
concerns(const struct fault *fault, const struct step *at)
{
    switch (fault->only) {
    case WITH_JSON:
        return at->json;
    case WITH_LOCATION:
        return at->location;
    case WITH_URL:
        return at->url != NULL;
    default:
        return true;
    }
}

/* ---- one case --------------------------------------------------------- */

static struct fake_drive *
new_case(void)
{
    struct fake_drive *d;
    void *own;

    fake_drive_setup(&own);
    d = own;
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    return d;
}

/* Due, with a connection that knows nothing yet. */
static void
meet(struct fake_drive *d, const struct fault *fault, const struct step *at)
{
    struct acme_record record;

    fake_drive_restart(d);
    if (at->step == FAKE_NEW_ACCOUNT)
        fake_ca_drop_accounts(d->ca);
    fake_drive_record(d, "a.test", &record);
    d->host.now = record.renew_at;
    fault->strike(d, at);
    fake_ca_forget_log(d->ca);
    fake_host_forget(&d->host);
    assert_true(acme_engine_run_one(d->engine));
}

/* An account that the CA does not let in is deactivated, or revoked (RFC 8555
 * 7.3.6): somebody has to give us another key. */
static bool
is_shut_out(const struct fault *fault, const struct step *at)
{
    return fault->again == PROOF &&
           (at->step == FAKE_ACCOUNT || at->step == FAKE_NEW_ACCOUNT);
}

/* HEAD has no body, so no problem type: only the status counts. */
static enum again
expected(const struct fault *fault, const struct step *at)
{
    bool typed = fault->again == PROOF || fault->again == CHANGE;

    if (is_shut_out(fault, at))
        return CHANGE;
    return typed && at->step == FAKE_NEW_NONCE ? SOON : fault->again;
}

static enum acme_rc
expected_rc(const struct fault *fault, const struct step *at)
{
    return is_shut_out(fault, at) ? ACME_CONFIG : fault->rc;
}

/* The step before "failed". */
static const char *
failed_at(const struct acme_record *record)
{
    if (record->nsteps < 2 ||
        strcmp(acme_record_last_step(record), ACME_STEP_FAILED) != 0)
        return "";
    return record->step[record->nsteps - 2].name;
}

static const char *
judge_failure(struct fake_drive *d, const struct fault *fault,
    const struct step *at, const struct acme_record *record)
{
    enum again again = expected(fault, at);
    time_t wait = record->next_attempt - d->host.now;

    if (record->error.rc != expected_rc(fault, at))
        return "another result";
    if (record->failures != 1)
        return "not counted as one failure";
    if (strcmp(failed_at(record), at->record) != 0)
        return "another step";
    if (record->error.what[0] == '\0' || record->error_time != d->host.now)
        return "no text or time";
    if (wait < waits[again].least || wait > waits[again].most)
        return "tried again at another time";
    if (record->wait_for_config != (again == CHANGE))
        return "wrong about what helps";
    return NULL;
}

static const char *
judge(struct fake_drive *d, const struct fault *fault, const struct step *at,
    const struct acme_record *record)
{
    const char *wrong = NULL;

    if (fault->rc != ACME_STOPPING)
        wrong = judge_failure(d, fault, at, record);
    else if (record->failures != 0)
        wrong = "a stop is no failure";
    if (wrong != NULL)
        return wrong;
    if (record->attempt_open)
        return "the attempt is open";
    if (fake_drive_has_order(d, "a.test") != (at->order && fault->keeps))
        return fault->keeps ? "the order is lost" : "the order is left";
    if (fake_ca_count(d->ca, FAKE_ELSEWHERE) != 0)
        return "somebody else was asked";
    return NULL;
}

static void
show(struct fake_drive *d, const struct fault *fault, const struct step *at,
    const struct acme_record *record, const char *wrong)
{
    char line[1024];

    fail_msg("%s, %s: %s\n%s %s, step %s, %u failures, in %ld s\n%s\n%s",
        at->label, fault->label, wrong, acme_rc_name(record->error.rc),
        acme_error_line(&record->error, line, sizeof(line)), failed_at(record),
        record->failures, (long)(record->next_attempt - d->host.now),
        fake_ca_log(d->ca), fake_host_lines(&d->host));
}

static void
run_case(struct fake_drive *d, const struct fault *fault,
    const struct step *at)
{
    unsigned before = fake_drive_version(d, "a.test");
    struct acme_record record;
    const char *wrong;

    meet(d, fault, at);
    fake_drive_record(d, "a.test", &record);
    wrong = judge(d, fault, at, &record);
    if (fake_drive_version(d, "a.test") != before ||
        fake_drive_served(d, "a.test") != before)
        wrong = "the certificate is not served any more";
    /* nothing more happens before its time ... */
    if (wrong == NULL && fault->rc != ACME_STOPPING && fake_drive_run(d) != 0)
        wrong = "and the next one at once";
    if (wrong != NULL)
        show(d, fault, at, &record, wrong);
    /* ... and when the CA is well again, so are we. */
    fake_ca_behave(d->ca);
    fake_drive_restart(d);
    fake_drive_until(d, "a.test", before + 1, 3);
    assert_int_equal(fake_drive_served(d, "a.test"), before + 1);
}

static void
test_each(void **state)
{
    struct fake_drive *d;
    void *own;
    size_t i, k;

    (void)state;
    for (i = 0; i < COUNT(steps); i++) {
        own = d = new_case();
        for (k = 0; k < COUNT(faults); k++)
            if (concerns(&faults[k], &steps[i]))
                run_case(d, &faults[k], &steps[i]);
        fake_drive_teardown(&own);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
