/*
 * What the engine does at accounts although no certificate is due: a changed
 * configuration may have other contacts.
 */
#include "base/acme_log.h"
#include "drive/acme_engine_private.h"
#include "state/acme_schedule.h"

void
acme_engine_watch_accounts(struct acme_engine *engine)
{
    size_t i;

    for (i = 0; i < engine->conf.config->nissuers; i++)
        engine->tended[i].at = now(engine);
}

static bool
is_due(struct acme_engine *engine, size_t issuer)
{
    struct acme_error ignored;
    bool due = false;

    acme_error_clear(&ignored);
    return acme_vault_contacts(engine->conf.vault, issuer, &due, &ignored) ==
               ACME_OK &&
           due;
}

void
acme_engine_tend_accounts(struct acme_engine *engine)
{
    struct tended *tended;
    time_t until;
    size_t i;

    for (i = 0; i < engine->conf.config->nissuers; i++) {
        tended = &engine->tended[i];
        if (tended->running || tended->at == 0 || tended->at > now(engine))
            continue;
        until = acme_engine_not_before(engine, i);
        if (!is_due(engine, i))
            tended->at = 0;
        else if (until > now(engine))
            tended->at = until;
        else
            tended->running = acme_crew_start_errand(engine->crew, i,
                acme_enroll_refresh, NULL);
    }
}

void
acme_engine_tended(struct acme_engine *engine,
    const struct acme_crew_ended *ended)
{
    struct tended *tended = &engine->tended[ended->issuer];
    struct acme_schedule_next next;
    char line[ACME_LOG_LINE_MAX];

    tended->running = false;
    if (ended->err.rc == ACME_OK) {
        tended->at = 0;
        tended->failures = 0;
        return;
    }
    next = acme_schedule_after(NULL, &ended->err, ++tended->failures, 0,
        now(engine), 0, draw(engine));
    tended->at = next.wait_for_config ? 0 : next.at;
    if (ended->err.rc != ACME_STOPPING)
        acme_log(engine->conf.host, ACME_LOG_WARN,
            "contacts of the account not changed yet, issuer \"%s\": %s",
            engine->conf.config->issuer[ended->issuer].name,
            acme_error_line(&ended->err, line, sizeof(line)));
}
