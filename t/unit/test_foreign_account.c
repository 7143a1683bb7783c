/*
 * Accounts of other clients: of each client's layout, found from its directory
 * and from that of one account; what is missing, damaged, encrypted or another
 * CA's is named, and then there is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper_errors.h"
#include "helper_tmp.h"
#include "state/acme_foreign_dir.h"

#define DIRECTORY "https://acme.test:14000/dir"
#define URL "https://acme.test:14000/acct/7"

static struct helper_tmp tmp;
static struct acme_foreign_accounts accounts;
static struct acme_error err;
static struct acme_key *key;
static struct acme_buf pem, jwk;

static int
setup(void **state)
{
    (void)state;
    umask(077);
    acme_error_clear(&err);
    memset(&accounts, 0, sizeof(accounts));
    helper_tmp_init(&tmp);
    helper_tmp_mkdir(&tmp, "c");
    acme_buf_init_secret(&pem, 8192);
    acme_buf_init_secret(&jwk, 8192);
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &err),
        ACME_OK);
    assert_int_equal(acme_key_to_form(key, ACME_KEY_FORM_PKCS1, &pem, &err),
        ACME_OK);
    assert_int_equal(acme_key_to_form(key, ACME_KEY_FORM_JWK, &jwk, &err),
        ACME_OK);
    helper_errors_begin();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    helper_errors_end();
    acme_foreign_accounts_clear(&accounts);
    acme_key_unref(key);
    acme_buf_clear(&pem);
    acme_buf_clear(&jwk);
    helper_tmp_clear(&tmp);
    return 0;
}

/* A file with its directories, below "c". */
static void
put(const char *name, const char *text)
{
    char path[256], *slash;

    (void)snprintf(path, sizeof(path), "c/%s", name);
    for (slash = strchr(path + 2, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (!helper_tmp_exists(&tmp, path))
            helper_tmp_mkdir(&tmp, path);
        *slash = '/';
    }
    helper_tmp_puts(&tmp, path, text);
}

static enum acme_rc
read_from(const char *name)
{
    acme_error_clear(&err);
    acme_foreign_accounts_clear(&accounts);
    return acme_foreign_accounts_read(helper_tmp_path(&tmp, name), &accounts,
        &err);
}

static void
put_certbot(const char *place, const char *url)
{
    char name[256], regr[512];

    (void)snprintf(name, sizeof(name), "accounts/%s/private_key.json", place);
    put(name, acme_buf_str(&jwk));
    (void)snprintf(name, sizeof(name), "accounts/%s/regr.json", place);
    (void)snprintf(regr, sizeof(regr), "{\"body\": {}, \"uri\": \"%s\"}", url);
    put(name, regr);
    (void)snprintf(name, sizeof(name), "accounts/%s/meta.json", place);
    put(name, "{\"creation_dt\": \"2026-11-22T17:00:00Z\","
              " \"creation_host\": \"a.test\"}");
}

static void
put_lego(void)
{
    put("accounts/acme.test_14000/a@b.test/keys/a@b.test.key",
        acme_buf_str(&pem));
    put("accounts/acme.test_14000/a@b.test/account.json",
        "{\"email\": \"a@b.test\", \"registration\": {\"body\":"
        " {\"status\": \"valid\"}, \"uri\": \"" URL "\"}}");
}

static void
put_acme_sh(void)
{
    put("ca/acme.test:14000/dir/account.key", acme_buf_str(&pem));
    put("ca/acme.test:14000/dir/account.json",
        "{\"contact\": [\"mailto:a@b.test\"], \"status\": \"valid\"}");
    put("ca/acme.test:14000/dir/ca.conf",
        "CA_KEY_HASH='x='\nACCOUNT_URL='" URL "'\nCA_EMAIL='c@b.test'\n");
}

static void
put_md(void)
{
    put("md_store.json", "{\"key\": \"AAAA\"}");
    put("accounts/ACME-acme.test-0000/account.json",
        "{\"status\": \"valid\", \"url\": \"" URL "\", \"ca-url\": "
        "\"" DIRECTORY "\", \"contact\": [\"mailto:a@b.test\"]}");
    put("accounts/ACME-acme.test-0000/account.pem", acme_buf_str(&pem));
}

/* The only one, with our key. */
static const struct acme_foreign_account *
is_one(enum acme_foreign_client client, const char *from)
{
    char id[ACME_KEY_ID_LEN + 1], is[ACME_KEY_ID_LEN + 1];
    const struct acme_foreign_account *account = accounts.list;

    assert_string_equal(err.what, "");
    assert_int_equal(accounts.n, 1);
    assert_int_equal(accounts.client, client);
    assert_int_equal(account->client, client);
    assert_string_equal(account->from, from);
    assert_int_equal(acme_key_id(key, id, &err), ACME_OK);
    assert_int_equal(acme_key_id(account->key, is, &err), ACME_OK);
    assert_string_equal(is, id);
    assert_false(account->dead);
    return account;
}

static void
test_certbot(void **state)
{
    static const char *const paths[] = { "c", "c/accounts",
        "c/accounts/acme.test:14000",
        "c/accounts/acme.test:14000/dir/0123456789abcdef" };
    const struct acme_foreign_account *account;
    size_t i;

    (void)state;
    put_certbot("acme.test:14000/dir/0123456789abcdef", URL);
    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(read_from(paths[i]), ACME_OK);
        account = is_one(ACME_FOREIGN_CERTBOT,
            "accounts/acme.test:14000/dir/0123456789abcdef/private_key.json");
        assert_string_equal(account->directory, DIRECTORY);
        assert_string_equal(account->url, URL);
        assert_int_equal(account->created, 1795366800);
    }
    put_certbot("other.test/dir/89abcdef01234567",
        "https://other.test/acct/1");
    assert_int_equal(read_from("c"), ACME_OK);
    assert_int_equal(accounts.n, 2);
    assert_int_equal(read_from("c/accounts/other.test"), ACME_OK);
    assert_int_equal(accounts.n, 1);
    assert_string_equal(accounts.list[0].directory, "https://other.test/dir");
}

/* Accounts of version 1, which Certbot uses on by links. */
static void
test_certbot_links(void **state)
{
    char target[256];

    (void)state;
    put_certbot("acme-v01.api.letsencrypt.org/directory/0123",
        "https://acme-v01.api.letsencrypt.org/acme/reg/1");
    put("accounts/acme-v02.api.letsencrypt.org/x", "");
    (void)snprintf(target, sizeof(target),
        "%s/accounts/acme-v01.api.letsencrypt.org/directory",
        helper_tmp_path(&tmp, "c"));
    helper_tmp_link(&tmp, target,
        "c/accounts/acme-v02.api.letsencrypt.org/directory");
    assert_int_equal(read_from("c"), ACME_OK);
    assert_int_equal(accounts.n, 1);
    assert_string_equal(accounts.list[0].directory,
        "https://acme-v02.api.letsencrypt.org/directory");
    assert_string_equal(accounts.list[0].url, "");

    helper_tmp_link(&tmp, "/etc", "c/accounts/elsewhere");
    assert_int_equal(read_from("c"), ACME_CONFIG);
    assert_non_null(strstr(err.what, "symbolic link that leads out"));
    assert_int_equal(accounts.n, 0);
}

static void
test_lego(void **state)
{
    const struct acme_foreign_account *account;

    (void)state;
    put_lego();
    assert_int_equal(read_from("c"), ACME_OK);
    account = is_one(ACME_FOREIGN_LEGO,
        "accounts/acme.test_14000/a@b.test/keys/a@b.test.key");
    assert_string_equal(account->url, URL);
    assert_string_equal(account->directory, "");
    assert_int_equal(account->ncontacts, 1);
    assert_string_equal(account->contact[0], "mailto:a@b.test");
    assert_int_equal(acme_foreign_account_is_at(account, DIRECTORY, &err),
        ACME_OK);
    assert_int_equal(
        acme_foreign_account_is_at(account, "https://b.test/dir", &err),
        ACME_CONFIG);
    assert_non_null(strstr(err.what, URL));

    put("accounts/acme.test_14000/a@b.test/account.json",
        "{\"registration\": {\"body\": {\"status\": \"deactivated\"},"
        " \"uri\": \"https://acme-v02.api.letsencrypt.org/acme/acct/1\"}}");
    assert_int_equal(read_from("c"), ACME_OK);
    assert_true(accounts.list[0].dead);
    assert_string_equal(accounts.list[0].directory,
        "https://acme-v02.api.letsencrypt.org/directory");

    put("accounts/acme.test_14000/a@b.test/keys/x.key", "");
    assert_int_equal(read_from("c"), ACME_OK);
    helper_tmp_remove(&tmp,
        "c/accounts/acme.test_14000/a@b.test/keys/a@b.test.key");
    put("accounts/acme.test_14000/a@b.test/keys/y.key", "");
    assert_int_equal(read_from("c"), ACME_CONFIG);
    assert_non_null(strstr(err.what, "several keys"));
}

static void
test_acme_sh(void **state)
{
    const struct acme_foreign_account *account;

    (void)state;
    put_acme_sh();
    assert_int_equal(read_from("c"), ACME_OK);
    account =
        is_one(ACME_FOREIGN_ACME_SH, "ca/acme.test:14000/dir/account.key");
    assert_string_equal(account->directory, DIRECTORY);
    assert_string_equal(account->url, URL);
    assert_string_equal(account->contact[0], "mailto:a@b.test");
    assert_int_equal(
        acme_foreign_account_is_at(account, "https://b.test/dir", &err),
        ACME_CONFIG);
    helper_tmp_remove(&tmp, "c/ca/acme.test:14000/dir/account.json");
    assert_int_equal(read_from("c/ca/acme.test:14000"), ACME_OK);
    assert_string_equal(accounts.list[0].contact[0], "mailto:c@b.test");
    helper_tmp_remove(&tmp, "c/ca/acme.test:14000/dir/ca.conf");
    assert_int_equal(read_from("c/ca"), ACME_OK);
    assert_string_equal(accounts.list[0].url, "");
}

static void
test_one_key(void **state)
{
    (void)state;
    put("private/key.pem", acme_buf_str(&pem));
    assert_int_equal(read_from("c"), ACME_OK);
    assert_string_equal(is_one(ACME_FOREIGN_UACME, "private/key.pem")->url,
        "");
    helper_tmp_remove(&tmp, "c/private");
    put("account.key", acme_buf_str(&pem));
    assert_int_equal(read_from("c"), ACME_OK);
    (void)is_one(ACME_FOREIGN_NGINX, "account.key");
}

static void
test_mod_md(void **state)
{
    const struct acme_foreign_account *account;

    (void)state;
    put_md();
    assert_int_equal(read_from("c"), ACME_OK);
    account = is_one(ACME_FOREIGN_MOD_MD,
        "accounts/ACME-acme.test-0000/account.pem");
    assert_string_equal(account->directory, DIRECTORY);
    assert_string_equal(account->url, URL);
    assert_string_equal(account->contact[0], "mailto:a@b.test");
}

static void
test_nothing(void **state)
{
    (void)state;
    assert_int_equal(read_from("c"), ACME_NOENT);
    assert_non_null(strstr(err.what, "has no accounts of"));
    assert_int_equal(read_from("missing"), ACME_NOENT);
    put("file", "");
    assert_int_equal(read_from("c/file"), ACME_NOENT);
}

/* Each kind of damage, and what is said of it. */
static void
test_damage(void **state)
{
    static const char certbot[] = "accounts/acme.test:14000/dir/0123";
    static const struct {
        const char *file, *text, *says;
    } damages[] = {
        { "private_key.json", "{\"kty\": \"EC\"}", "private_key.json: the" },
        { "private_key.json", "{", "JSON" },
        { "private_key.json", "", "no private key found" },
        { "private_key.json",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMA==\n"
            "-----END ENCRYPTED PRIVATE KEY-----\n",
            "private_key.json" },
        { "regr.json", NULL, "\"regr.json\" is not there" },
        { "regr.json", "{\"body\": {}}", "has no \"uri\"" },
        { "regr.json", "{\"uri\": 1}", "has no \"uri\"" },
        { "regr.json", "{\"uri\": \"http://a.test/\"}", "regr.json: " },
        { "regr.json", "[", "regr.json" },
    };
    char name[256];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        put_certbot("acme.test:14000/dir/0123", URL);
        put_certbot("acme.test:14000/dir/0000", URL);
        (void)snprintf(name, sizeof(name), "%s%s/%s",
            damages[i].text != NULL ? "" : "c/", certbot, damages[i].file);
        if (damages[i].text != NULL)
            put(name, damages[i].text);
        else
            helper_tmp_remove(&tmp, name);
        assert_int_equal(read_from("c"), ACME_CONFIG);
        assert_non_null(strstr(err.what, damages[i].says));
        assert_non_null(strstr(err.what, certbot));
        assert_int_equal(accounts.n, 0);
    }
}

/* Who is root could read them all. */
static void
test_who(void **state)
{
    (void)state;
    put("account.key", acme_buf_str(&pem));
    helper_tmp_link(&tmp, "account.key", "c/private");
    assert_int_equal(read_from("c"), ACME_OK);
    helper_tmp_remove(&tmp, "c/account.key");
    helper_tmp_puts(&tmp, "key", acme_buf_str(&pem));
    helper_tmp_link(&tmp, "../key", "c/account.key");
    assert_int_equal(read_from("c"), ACME_NOENT);
    helper_tmp_remove(&tmp, "c/account.key");
    helper_tmp_fifo(&tmp, "c/account.key");
    assert_int_equal(read_from("c"), ACME_NOENT);
    if (geteuid() != 0)
        return;
    helper_tmp_remove(&tmp, "c/account.key");
    put("account.key", acme_buf_str(&pem));
    assert_int_equal(
        chown(helper_tmp_path(&tmp, "c/account.key"), 65534, 65534), 0);
    assert_int_equal(read_from("c"), ACME_IO);
    assert_non_null(strstr(err.what, "belongs to uid 65534"));
    assert_int_equal(chown(helper_tmp_path(&tmp, "c"), 65534, 65534), 0);
    assert_int_equal(read_from("c"), ACME_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_certbot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_certbot_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lego, setup, teardown),
        cmocka_unit_test_setup_teardown(test_acme_sh, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mod_md, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
