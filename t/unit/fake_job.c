#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_job.h"

enum acme_rc
fake_job_run(struct fake_drive *d, size_t lineage, bool force,
    struct fake_job_outcome *out)
{
    struct acme_connection_conf conf = { FAKE_CA_DIRECTORY, NULL, 0 };
    enum acme_key_type type = d->config->lineage[lineage].type[0];
    struct acme_job job = { .config = d->config,
        .host = &d->host.host,
        .vault = d->vault,
        .unit = acme_unit(lineage, acme_key_algorithm_number(type)),
        .issuer = d->config->lineage[lineage].issuer,
        .force = force,
        .present_ms = d->present_ms,
        .runner = d->runner,
        .preflight = d->preflight,
        .resolver = d->resolver };
    struct acme_connection *connection;
    enum acme_rc rc;

    acme_error_clear(&out->err);
    connection =
        acme_connection_new(&conf, &d->host.host, fake_drive_transport(d, 0));
    assert_non_null(connection);
    job.client = acme_client_new(connection, &d->host.host);
    assert_non_null(job.client);
    rc = acme_job_run(&job, &out->result, &out->err);
    assert_int_equal(rc, out->err.rc);
    acme_client_free(job.client);
    acme_connection_free(connection);
    return rc;
}

void
fake_job_need(struct fake_drive *d, size_t lineage, bool force,
    struct fake_job_outcome *out)
{
    char line[1024];

    if (fake_job_run(d, lineage, force, out) != ACME_OK)
        fail_msg("%s", acme_error_line(&out->err, line, sizeof(line)));
}

void
fake_job_expect(const struct fake_job_outcome *out, enum acme_rc rc,
    const char *text)
{
    char line[2048];

    (void)acme_error_line(&out->err, line, sizeof(line));
    if (out->err.rc != rc || strstr(line, text) == NULL)
        fail_msg("%s instead of %s, \"%s\": %s", acme_rc_name(out->err.rc),
            acme_rc_name(rc), text, line);
}

int
fake_job_setup_one(void **state)
{
    int rc = fake_drive_setup(state);

    fake_drive_lineage(*state, "a.test", 0, "a.test www.a.test", NULL);
    return rc;
}

int
fake_job_setup(void **state)
{
    int rc = fake_job_setup_one(state);

    fake_drive_open(*state);
    return rc;
}

struct acme_chain *
fake_job_chain(const char *const *names)
{
    struct helper_ca *ca = helper_ca_new();
    struct acme_key *key = NULL;
    struct acme_chain *chain;
    struct acme_error err;

    acme_error_clear(&err);
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &err),
        ACME_OK);
    chain = helper_ca_chain(ca, key, names, NULL);
    acme_key_unref(key);
    helper_ca_free(ca);
    return chain;
}
