/*
 * Accounts of other ACME clients: one file in the place of each of theirs, or
 * what stands before the first line "--" as the key, before the second as
 * JSON, and the rest as the third file.  What comes out is whole.
 */
#include "fuzz.h"
#include "state/acme_foreign_account.h"
#include "wrap/acme_url.h"

const unsigned fuzz_replay_step = 24;

/* What stands before a line "--", or all. */
static void
take_part(struct fuzz_input *in, struct acme_buf *part)
{
    struct fuzz_input line;

    acme_buf_init_secret(part, ACME_STATE_PEM_MAX);
    while (in->left > 0) {
        line = fuzz_line(in);
        if (line.left == 2 && memcmp(line.at, "--", 2) == 0)
            break;
        acme_buf_add(part, line.at, line.left);
        acme_buf_add(part, "\n", 1);
    }
}

static void
check(const struct acme_foreign_account *account)
{
    struct acme_error err;
    struct acme_url url;
    size_t i;

    acme_error_clear(&err);
    FUZZ_CHECK(account->key != NULL);
    FUZZ_CHECK(acme_key_type_of(account->key) != ACME_KEY_ED25519);
    FUZZ_CHECK(account->url[0] == '\0' ||
               acme_url_parse(account->url, ACME_WIRE, &url, &err) == ACME_OK);
    FUZZ_CHECK(
        account->directory[0] == '\0' ||
        acme_url_parse(account->directory, ACME_WIRE, &url, &err) == ACME_OK);
    FUZZ_CHECK(account->ncontacts <= ACME_CONTACTS_MAX);
    for (i = 0; i < account->ncontacts; i++)
        FUZZ_CHECK(strlen(account->contact[i]) < ACME_URL_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct acme_buf key, json, more;
    struct acme_foreign_files files = { .place = "a.test/dir",
        .key = &key,
        .json = &json,
        .more = &more };
    struct acme_foreign_account account;
    struct acme_error err;
    size_t i;

    take_part(&in, &key);
    take_part(&in, &json);
    take_part(&in, &more);
    for (i = 0; i < ACME_FOREIGN_CLIENTS; i++) {
        files.client = (enum acme_foreign_client)i;
        acme_error_clear(&err);
        memset(&account, 0, sizeof(account));
        if (acme_foreign_account_parse(&files, &account, &err) == ACME_OK)
            check(&account);
        else
            FUZZ_CHECK(account.key == NULL && err.what[0] != '\0');
        acme_foreign_account_clear(&account);
    }
    acme_buf_clear(&key);
    acme_buf_clear(&json);
    acme_buf_clear(&more);
    FUZZ_CHECK_QUEUE();
    return 0;
}
