#include "fake_client.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/acme_account.h"

void
fake_client_connect(struct fake_client *f,
    const struct acme_connection_conf *conf)
{
    acme_client_free(f->client);
    acme_connection_free(f->connection);
    f->connection =
        acme_connection_new(conf, &f->host.host, fake_ca_transport(f->ca));
    assert_non_null(f->connection);
    f->client = acme_client_new(f->connection, &f->host.host);
    assert_non_null(f->client);
}

void
fake_client_renew_at(struct fake_client *f, const char *directory_url)
{
    static const char *const others[] = { FAKE_OTHER_DIRECTORY };
    struct acme_connection_conf conf = { directory_url, others, 1 };

    fake_client_connect(f, &conf);
    acme_client_set_key(f->client, f->key);
}

void
fake_client_renew(struct fake_client *f)
{
    fake_client_renew_at(f, FAKE_CA_DIRECTORY);
}

int
fake_client_setup(void **state)
{
    struct fake_client *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    fake_host_init(&f->host);
    f->ca = fake_ca_new(&f->host);
    acme_error_clear(&f->err);
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &f->key, &f->err),
        ACME_OK);
    f->arena = acme_arena_new();
    assert_non_null(f->arena);
    fake_client_renew(f);
    *state = f;
    return 0;
}

void
fake_client_register(struct fake_client *f)
{
    struct acme_account_wish wish = { .terms_accepted = true };
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    acme_error_clear(&f->err);
    acme_account_ensure(f->client, &wish, &origin, &f->err);
    fake_client_expect(f, "register", ACME_OK, NULL);
    assert_int_not_equal(origin, ACME_ACCOUNT_KNOWN);
    fake_ca_forget_log(f->ca);
}

int
fake_client_setup_account(void **state)
{
    fake_client_setup(state);
    fake_client_register(*state);
    return 0;
}

int
fake_client_teardown(void **state)
{
    struct fake_client *f = *state;

    assert_string_equal(fake_ca_complaints(f->ca), "");
    assert_int_equal(ERR_peek_error(), 0);
    acme_client_free(f->client);
    acme_connection_free(f->connection);
    acme_key_unref(f->key);
    acme_arena_free(f->arena);
    fake_ca_free(f->ca);
    fake_host_clear(&f->host);
    free(f);
    return 0;
}

void
fake_client_next_case(struct fake_client *f)
{
    fake_ca_behave(f->ca);
    fake_ca_forget_log(f->ca);
    acme_error_clear(&f->err);
}

const char *
fake_client_error(struct fake_client *f)
{
    return acme_error_line(&f->err, f->line, sizeof(f->line));
}

void
fake_client_expect(struct fake_client *f, const char *label, enum acme_rc rc,
    const char *text)
{
    const char *line = fake_client_error(f);

    if (f->err.rc != rc)
        fail_msg("%s: %s instead of %s: %s", label, acme_rc_name(f->err.rc),
            acme_rc_name(rc), line);
    if (text != NULL && strstr(line, text) == NULL)
        fail_msg("%s: \"%s\" is not in: %s", label, text, line);
}
