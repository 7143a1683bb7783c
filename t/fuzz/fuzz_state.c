/*
 * The small files of the state directory as values: record/NAME.json,
 * renewal/NAME.json, servers/SERVER.names and a line of events.jsonl, all read
 * from one input.  What was understood is written and read back to the same
 * text.
 */
#include "base/acme_arena.h"
#include "base/acme_limits.h"
#include "base/acme_name.h"
#include "fuzz.h"
#include "state/acme_event.h"
#include "state/acme_ledger.h"
#include "state/acme_record.h"
#include "state/acme_roster.h"
#include "state/acme_settings.h"

static void
check_same(const struct acme_record *a, const struct acme_record *b)
{
    FUZZ_CHECK(a->attempt == b->attempt && a->attempt_open == b->attempt_open);
    FUZZ_CHECK(a->failures == b->failures && a->crashes == b->crashes);
    FUZZ_CHECK(a->next_attempt == b->next_attempt);
    FUZZ_CHECK(a->wait_for_config == b->wait_for_config);
    FUZZ_CHECK(a->error_time == b->error_time && a->forced == b->forced);
    FUZZ_CHECK(a->renew_at == b->renew_at);
    FUZZ_CHECK(a->ca == b->ca && a->clock_ahead == b->clock_ahead);
    FUZZ_CHECK(strcmp(a->issuer, b->issuer) == 0);
    FUZZ_CHECK(a->nsteps == b->nsteps);
    FUZZ_CHECK(
        strcmp(acme_record_last_step(a), acme_record_last_step(b)) == 0);
    FUZZ_CHECK(strcmp(a->config, b->config) == 0);
    FUZZ_CHECK(strcmp(a->renew_serial, b->renew_serial) == 0);
    FUZZ_CHECK(a->error.rc == b->error.rc && a->error.nsub == b->error.nsub);
    FUZZ_CHECK(strcmp(a->error.what, b->error.what) == 0);
    FUZZ_CHECK(strcmp(a->error.type, b->error.type) == 0);
    FUZZ_CHECK(strcmp(a->error.detail, b->error.detail) == 0);
}

static void
try_record(const char *text, size_t len)
{
    struct acme_record record, again;
    struct acme_buf first, second;
    struct acme_error err;

    acme_error_clear(&err);
    acme_buf_init(&first, (size_t)1 << 20);
    acme_buf_init(&second, (size_t)1 << 20);
    acme_record_init(&record);
    acme_record_init(&again);
    if (acme_record_parse(text, len, &record, &err) == ACME_OK) {
        FUZZ_CHECK(acme_record_render(&record, &first, &err) == ACME_OK);
        FUZZ_CHECK(acme_record_parse(acme_buf_str(&first), first.len, &again,
                       &err) == ACME_OK);
        check_same(&record, &again);
        FUZZ_CHECK(acme_record_render(&again, &second, &err) == ACME_OK);
        FUZZ_CHECK(strcmp(acme_buf_str(&first), acme_buf_str(&second)) == 0);
    }
    acme_buf_clear(&first);
    acme_buf_clear(&second);
}

static void
try_event(const char *text, size_t len)
{
    struct acme_event event, again;
    struct acme_buf line;
    struct acme_error err;

    acme_error_clear(&err);
    acme_buf_init(&line, ACME_EVENT_LINE_MAX);
    if (acme_event_parse(text, len, &event, &err) == ACME_OK) {
        FUZZ_CHECK(acme_event_word(event.kind)[0] != '\0');
        FUZZ_CHECK(acme_event_render(&event, &line, &err) == ACME_OK);
        FUZZ_CHECK(memchr(line.data, '\n', line.len) == NULL);
        FUZZ_CHECK(acme_event_parse(acme_buf_str(&line), line.len, &again,
                       &err) == ACME_OK);
        FUZZ_CHECK(memcmp(&event, &again, sizeof(event)) == 0);
    }
    acme_buf_clear(&line);
}

static void
try_ledger(const char *text, size_t len)
{
    struct acme_ledger ledger, again;
    struct acme_buf first, second;
    struct acme_error err;

    acme_error_clear(&err);
    acme_buf_init(&first, (size_t)1 << 24);
    acme_buf_init(&second, (size_t)1 << 24);
    acme_ledger_init(&ledger);
    acme_ledger_init(&again);
    if (acme_ledger_parse(text, len, &ledger, &err) == ACME_OK) {
        FUZZ_CHECK(ledger.nmarks <= ACME_LEDGER_MARKS_MAX);
        FUZZ_CHECK(acme_ledger_render(&ledger, 0, &first, &err) == ACME_OK);
        FUZZ_CHECK(acme_ledger_parse(acme_buf_str(&first), first.len, &again,
                       &err) == ACME_OK);
        FUZZ_CHECK(acme_ledger_render(&again, 0, &second, &err) == ACME_OK);
        FUZZ_CHECK(strcmp(acme_buf_str(&first), acme_buf_str(&second)) == 0);
    }
    acme_ledger_clear(&ledger);
    acme_ledger_clear(&again);
    acme_buf_clear(&first);
    acme_buf_clear(&second);
}

static void
render(const struct acme_settings *settings, struct acme_buf *text)
{
    struct acme_error err;

    acme_error_clear(&err);
    FUZZ_CHECK(acme_settings_render(settings, text, &err) == ACME_OK);
}

static void
use_settings(struct acme_settings *settings)
{
    struct acme_arena *arena = acme_arena_new();
    struct acme_lineage wanted;
    const char *conflict = NULL;
    struct acme_error err;

    acme_error_clear(&err);
    FUZZ_CHECK(arena != NULL);
    if (acme_settings_wanted(settings, arena, &wanted, &conflict, &err) ==
        ACME_OK)
        FUZZ_CHECK(wanted.ntypes <= ACME_TYPES_MAX);
    (void)acme_settings_withdraw(settings, "nginx:/etc/nginx/nginx.conf");
    acme_arena_free(arena);
}

static void
try_settings(const char *text, size_t len)
{
    struct acme_settings *settings = NULL, *again = NULL;
    struct acme_buf first, second;
    struct acme_error err;

    acme_error_clear(&err);
    acme_buf_init(&first, (size_t)1 << 24);
    acme_buf_init(&second, (size_t)1 << 24);
    if (acme_settings_parse(text, len, &settings, &err) == ACME_OK) {
        render(settings, &first);
        if (first.len <= ACME_STATE_JSON_MAX) {
            FUZZ_CHECK(acme_settings_parse(acme_buf_str(&first), first.len,
                           &again, &err) == ACME_OK);
            render(again, &second);
            FUZZ_CHECK(
                strcmp(acme_buf_str(&first), acme_buf_str(&second)) == 0);
        }
        use_settings(settings);
    }
    acme_settings_free(settings);
    acme_settings_free(again);
    acme_buf_clear(&first);
    acme_buf_clear(&second);
}

static struct acme_config *
new_config(void)
{
    static const char *const names[] = { "a.test", "b.test" };
    struct acme_config *config =
        acme_config_new("/nowhere", "nginx", "/etc/nginx.conf");
    struct acme_issuer issuer = { .name = "one",
        .directory = "https://one.test/dir",
        .verify = true };
    struct acme_lineage lineage = { .ntypes = 1,
        .type = { ACME_KEY_ECDSA_256 },
        .nnames = 1 };
    struct acme_error err;
    size_t i, index;

    acme_error_clear(&err);
    FUZZ_CHECK(
        acme_config_add_issuer(config, &issuer, &index, &err) == ACME_OK);
    for (i = 0; i < 2; i++) {
        lineage.names = &names[i];
        FUZZ_CHECK(acme_config_add_lineage(config, &lineage, &index, &err) ==
                   ACME_OK);
    }
    return config;
}

/* What is remembered of what was remembered is the same. */
static void
remember_twice(const struct acme_config *config,
    const struct acme_roster *roster)
{
    struct acme_roster *again = NULL;
    struct acme_buf first, second;
    struct acme_error err;

    acme_error_clear(&err);
    acme_buf_init(&first, ACME_ROSTER_MAX);
    acme_buf_init(&second, ACME_ROSTER_MAX);
    FUZZ_CHECK(acme_roster_render(config, roster, &first, &err) == ACME_OK);
    FUZZ_CHECK(acme_roster_parse(acme_buf_str(&first), first.len, config,
                   &again, &err) == ACME_OK);
    FUZZ_CHECK(acme_roster_render(config, again, &second, &err) == ACME_OK);
    FUZZ_CHECK(strcmp(acme_buf_str(&first), acme_buf_str(&second)) == 0);
    acme_roster_free(again);
    acme_buf_clear(&first);
    acme_buf_clear(&second);
}

static void
try_roster(const char *text, size_t len)
{
    struct acme_config *config = new_config();
    struct acme_roster *roster = NULL;
    struct acme_error err;
    size_t i;

    acme_error_clear(&err);
    if (acme_roster_parse(text, len, config, &roster, &err) == ACME_OK) {
        FUZZ_CHECK(acme_roster_adopt(roster, config, &err) == ACME_OK);
        FUZZ_CHECK(acme_config_finish(config, &err) == ACME_OK);
        for (i = 0; i < config->nlineages; i++)
            FUZZ_CHECK(acme_lineage_name_check(config->lineage[i].name,
                           &err) == ACME_OK);
        remember_twice(config, roster);
    } else {
        FUZZ_CHECK(err.rc == ACME_WIRE && err.what[0] != '\0');
    }
    acme_roster_free(roster);
    acme_config_free(config);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_event((const char *)data, size);
    try_record((const char *)data, size);
    try_ledger((const char *)data, size);
    try_settings((const char *)data, size);
    try_roster((const char *)data, size);
    return 0;
}
