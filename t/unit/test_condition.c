/*
 * acme_condition.h: the word, the sentence and the reason for what is known
 * of a lineage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_condition.h"
#include "state/acme_warn.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define NOW ((time_t)1795262400) /* 2026-11-21T12:00:00Z */
#define DAY 86400

/* A certificate of 90 days, ten days old, with a plan. */
static struct acme_record record;
static const struct acme_condition_facts well = { .now = NOW,
    .declared = true,
    .not_after = NOW + (time_t)80 * DAY,
    .expiring = NOW + (time_t)71 * DAY,
    .renew_at = NOW + (time_t)50 * DAY,
    .why = "two thirds of its life",
    .record = &record };

static int
setup(void **state)
{
    (void)state;
    acme_record_init(&record);
    return 0;
}

static void
expect(const struct acme_condition_facts *facts, enum acme_condition want,
    const char *text)
{
    char sentence[ACME_CONDITION_TEXT];

    assert_string_equal(acme_condition_word(acme_condition_of(facts)),
        acme_condition_word(want));
    assert_string_equal(acme_condition_text(facts, sentence), text);
}

static void
has_failed(bool for_good)
{
    record.failures = 2;
    record.wait_for_config = for_good;
    record.next_attempt = NOW + 600;
}

#define ENDS "valid until 2027-02-09T12:00:00Z"

static void
test_words(void **state)
{
    static const char *const words[] = { "conflict", "dormant", "expired",
        "revoked", "expiring", "waiting", "failing", "damaged", "pending",
        "missing", "due", "ok" };
    size_t i;

    (void)state;
    assert_int_equal(COUNT(words), ACME_CONDITIONS);
    for (i = 0; i < COUNT(words); i++)
        assert_string_equal(acme_condition_word((enum acme_condition)i),
            words[i]);
    assert_string_equal(acme_condition_word(ACME_CONDITIONS), "");
}

static void
test_good(void **state)
{
    struct acme_condition_facts facts = well;

    (void)state;
    expect(&facts, ACME_IS_OK,
        ENDS "; to be renewed at 2027-01-10T12:00:00Z: two thirds of its "
             "life");
    facts.renew_at = 0;
    expect(&facts, ACME_IS_OK, ENDS);
    facts.renew_at = NOW + 1;
    expect(&facts, ACME_IS_OK,
        ENDS "; to be renewed at 2026-11-21T12:00:01Z: two thirds of its "
             "life");
    facts.renew_at = NOW;
    expect(&facts, ACME_IS_DUE,
        ENDS "; an order is due: two thirds of its life");
    facts.renew_at = NOW + 1;
    facts.due = "names missing";
    expect(&facts, ACME_IS_DUE, ENDS "; an order is due: names missing");
    facts.due = NULL;
    acme_record_step(&record, "order", NOW);
    expect(&facts, ACME_IS_DUE,
        ENDS "; it is being ordered: two thirds of its life");
    acme_record_step(&record, ACME_STEP_DONE, NOW);
    assert_int_equal(acme_condition_of(&facts), ACME_IS_OK);
    record.attempt_open = true;
    assert_int_equal(acme_condition_of(&facts), ACME_IS_DUE);
}

static void
test_none(void **state)
{
    struct acme_condition_facts facts = well;

    (void)state;
    facts.not_after = facts.expiring = facts.renew_at = 0;
    facts.why = NULL;
    facts.due = "there is no certificate";
    expect(&facts, ACME_IS_MISSING,
        "there is no certificate yet; an order is due");
    record.attempt_open = true;
    expect(&facts, ACME_IS_PENDING,
        "there is no certificate yet; it is being ordered");
    record.attempt_open = false;
    has_failed(false);
    expect(&facts, ACME_IS_FAILING,
        "there is no certificate yet; the last attempt failed, the next one "
        "is at 2026-11-21T12:10:00Z");
    has_failed(true);
    expect(&facts, ACME_IS_WAITING,
        "there is no certificate yet; the last attempt failed, the next one "
        "is when the configuration changes, or at 2026-11-21T12:10:00Z");
    record.failures = 0;
    facts.damaged = true;
    expect(&facts, ACME_IS_DAMAGED,
        "there is no certificate yet; files of it cannot be used");
}

static void
test_bad(void **state)
{
    struct acme_condition_facts facts = well;

    (void)state;
    has_failed(false);
    expect(&facts, ACME_IS_FAILING,
        ENDS "; the last attempt failed, the next one is at "
             "2026-11-21T12:10:00Z");
    facts.expiring = NOW; /* a tenth is left, not less */
    assert_int_equal(acme_condition_of(&facts), ACME_IS_FAILING);
    facts.expiring = NOW - 1;
    expect(&facts, ACME_IS_EXPIRING,
        ENDS "; the last attempt failed, the next one is at "
             "2026-11-21T12:10:00Z");
    facts.revoked = true;
    facts.due = "revoked";
    record.failures = 0;
    expect(&facts, ACME_IS_REVOKED,
        ENDS "; revoked, and served until the next one is there; an order is "
             "due: revoked");
    facts.not_after = NOW + 1;
    assert_int_equal(acme_condition_of(&facts), ACME_IS_REVOKED);
    facts.not_after = NOW;
    expect(&facts, ACME_IS_EXPIRED,
        "expired at 2026-11-21T12:00:00Z; an order is due: revoked");
    facts.declared = false;
    expect(&facts, ACME_IS_DORMANT,
        "expired at 2026-11-21T12:00:00Z; no server wants it any more, it is "
        "kept and not renewed");
    facts.conflict = facts.declared = true;
    expect(&facts, ACME_IS_CONFLICT,
        "expired at 2026-11-21T12:00:00Z; servers want different things, "
        "nothing is ordered until they agree");
}

static void
test_expiring(void **state)
{
    (void)state;
    assert_int_equal(acme_warn_at(NULL, NOW, NOW + 100), NOW + 90);
    assert_int_equal(acme_warn_at(NULL, NOW, NOW), NOW);
    assert_int_equal(acme_warn_at(NULL, NOW + 1, NOW), NOW);
}

/* ---- why -------------------------------------------------------------- */

static const char *
why(int life_days)
{
    const char *text =
        acme_condition_why(&record, NOW, NOW + (time_t)life_days * DAY);

    return text != NULL ? text : "";
}

static void
test_why(void **state)
{
    (void)state;
    assert_string_equal(why(90), "");
    record.renew_at = record.renew_usual = NOW + (time_t)60 * DAY;
    assert_string_equal(why(90), "two thirds of its life");
    assert_string_equal(why(9), "half of its life");
    record.window.start = NOW;
    record.window.end = NOW + (time_t)40 * DAY;
    record.window.pick = NOW + (time_t)20 * DAY;
    record.renew_at = record.window.pick;
    assert_string_equal(why(90), "suggested by the CA");
    record.renew_at = NOW + (time_t)25 * DAY;
    assert_string_equal(why(90), "suggested by the CA, but not again so soon");
    record.renew_at = NOW + (time_t)81 * DAY;
    assert_string_equal(why(90),
        "later than usual, as suggested by the CA, but not in the last tenth "
        "of its life");
    record.renew_at = record.renew_usual;
    assert_string_equal(why(90), "two thirds of its life");
}

/* ---- by itself -------------------------------------------------------- */

/* Nothing changes before it says so, and something does then. */
static void
test_until(void **state)
{
    static const enum acme_condition want[] = { ACME_IS_OK, ACME_IS_DUE,
        ACME_IS_EXPIRING, ACME_IS_EXPIRED };
    struct acme_condition_facts facts = well;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(want); i++) {
        time_t until = acme_condition_until(&facts);

        assert_int_equal(acme_condition_of(&facts), want[i]);
        if (i + 1 == COUNT(want)) {
            assert_int_equal(until, 0);
            break;
        }
        assert_true(until > facts.now);
        facts.now = until - 1;
        assert_int_equal(acme_condition_of(&facts), want[i]);
        facts.now = until;
    }
    facts = well;
    facts.not_after = facts.expiring = facts.renew_at = 0;
    assert_int_equal(acme_condition_until(&facts), 0);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_words),
        TEST(test_good),
        TEST(test_none),
        TEST(test_bad),
        TEST(test_expiring),
        TEST(test_why),
        TEST(test_until),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
