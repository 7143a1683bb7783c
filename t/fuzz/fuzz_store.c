/*
 * One file of a state directory holds what somebody wrote into it: the first
 * line of the input says which (its number in `files` or its path), the rest
 * is the content; of "live/a.test" it is where the link points.  Whoever
 * reads says what is wrong and goes on; nothing is served that is no pair.
 */
#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/helper_tmp.h"
#include "drive/acme_control.h"
#include "drive/acme_status.h"
#include "fuzz.h"
#include "state/acme_dir.h"
#include "state/acme_store.h"

#define PATH_MAX_HERE 160

/* %s is the account's id. */
static const char *const files[] = { "format", "renewal/a.test.json",
    "record/a.test.json", "archive/a.test/1/meta.json",
    "archive/a.test/1/privkey.pem", "archive/a.test/1/fullchain.pem",
    "live/a.test", "orders/a.test/order.json", "orders/a.test/challenge.json",
    "orders/a.test/privkey.pem", "keys/default.json", "keys/%s.pem",
    "accounts/ca.test/dir/%s/account.json", "ledger/ca.test/%s.json",
    "servers/nginx-x.1-0.json", "archive/a.test/1/privkey.ecdsa.pem",
    "archive/a.test/1/fullchain.ecdsa.pem" };
#define NFILES (sizeof(files) / sizeof(files[0]))
enum {
    FORMAT = 0,
    META = 3,
    KEY = 4, /* and its chain */
    LINK = 6,
    ORDERS = 7,    /* the first one of orders/ */
    ACCOUNTS = 10, /* of what accounts need */
    SERVER = 14,
    MORE = 15 /* a second pair, the same again */
};

const unsigned fuzz_replay_step = 64;

static struct helper_tmp tmp;
static struct acme_store *store;
static char id[ACME_ACCOUNT_ID_LEN + 1];
static struct acme_issuer issuer = { .name = "ca",
    .directory = "https://ca.test/dir",
    .key_type = ACME_KEY_ECDSA_256,
    .verify = true };
static struct acme_buf good[NFILES]; /* the contents */

/* ---- a good state directory ------------------------------------------- */

static const char *
path_of(size_t i, char path[PATH_MAX_HERE])
{
    static const char state[] = "state/";
    const char *mark = strstr(files[i], "%s");

    if (mark == NULL)
        (void)snprintf(path, PATH_MAX_HERE, "%s%s", state, files[i]);
    else
        (void)snprintf(path, PATH_MAX_HERE, "%s%.*s%s%s", state,
            (int)(mark - files[i]), files[i], id, mark + 2);
    return path;
}

static void
put_file(size_t i, const void *data, size_t len)
{
    char path[PATH_MAX_HERE], *target;

    path_of(i, path);
    if (i == LINK) {
        target = fuzz_text(data, len);
        (void)unlinkat(tmp.fd, path, 0);
        (void)!symlinkat(target, tmp.fd, path);
        free(target);
    } else {
        helper_tmp_write(&tmp, path, data, len);
    }
}

static void
keep_good(size_t i)
{
    char path[PATH_MAX_HERE], target[PATH_MAX_HERE];
    struct acme_error err;

    acme_error_clear(&err);
    acme_buf_init(&good[i], ACME_STATE_JSON_MAX);
    if (i == LINK) {
        FUZZ_CHECK(acme_dir_readlink(tmp.fd, path_of(i, path), target,
                       sizeof(target), &err) == ACME_OK);
        acme_buf_add_str(&good[i], target);
    } else {
        FUZZ_CHECK(acme_dir_read(tmp.fd, path_of(i, path), geteuid(),
                       ACME_STATE_JSON_MAX, &good[i], &err) == ACME_OK);
    }
}

static void
put_good(void)
{
    size_t i;

    (void)mkdirat(tmp.fd, "state/archive/a.test/1", 0700);
    for (i = 0; i < NFILES; i++)
        put_file(i, good[i].data, good[i].len);
}

static void
make_pair(struct acme_version *version, struct acme_key **key)
{
    struct acme_chain *chain = NULL;
    struct acme_pair *pair = &version->pair[0];
    struct acme_error err;

    acme_error_clear(&err);
    acme_version_init(version);
    FUZZ_CHECK(acme_placeholder_new("fuzz", key, &chain, &err) == ACME_OK);
    FUZZ_CHECK(acme_key_to_der(*key, &pair->key, &err) == ACME_OK);
    FUZZ_CHECK(acme_chain_to_der(chain, 0, 0, &pair->chain, &err) == ACME_OK);
    pair->type = acme_key_type_of(*key);
    strcpy(pair->origin.issuer, issuer.directory);
    pair->origin.obtained = 1700000000;
    version->npairs = 1;
    acme_chain_free(chain);
}

static void
make_settings(struct acme_error *err)
{
    static const char text[] =
        "{\"declared\":[{\"by\":\"nginx:x\",\"issuer\":"
        "{\"name\":\"ca\",\"directory\":\"https://ca.test/dir\"},"
        "\"names\":[\"a.test\"],\"keys\":[\"ecdsa:256\"]}]}";
    struct acme_settings *settings = NULL;

    FUZZ_CHECK(
        acme_settings_parse(text, strlen(text), &settings, err) == ACME_OK);
    FUZZ_CHECK(
        acme_store_settings_write(store, "a.test", settings, err) == ACME_OK);
    acme_settings_free(settings);
}

static void
make_state(void)
{
    const struct acme_area_token token = { .name = "a.test",
        .token = "token" };
    struct acme_version version;
    struct acme_key *key = NULL;
    struct acme_error err;

    acme_error_clear(&err);
    make_pair(&version, &key);
    FUZZ_CHECK(acme_key_id(key, id, &err) == ACME_OK);
    make_settings(&err);
    FUZZ_CHECK(
        acme_store_record_write(store, "a.test", "{}", 2, &err) == ACME_OK);
    FUZZ_CHECK(acme_store_account_key(store, &issuer, key, &err) == ACME_OK);
    FUZZ_CHECK(acme_store_account_url(store, &issuer, id,
                   "https://ca.test/account/1", 1700000000, &err) == ACME_OK);
    FUZZ_CHECK(
        acme_store_ledger_write(store, &issuer, id, "{}", 2, &err) == ACME_OK);
    FUZZ_CHECK(acme_store_order_write(store, "a.test", "{}", 2,
                   version.pair[0].key.data, version.pair[0].key.len,
                   &err) == ACME_OK);
    FUZZ_CHECK(acme_store_challenges_write(store, "a.test", id, &token, 1,
                   &err) == ACME_OK);
    FUZZ_CHECK(acme_store_version_write(store, "a.test", &version, 1700000000,
                   &err) == ACME_OK);
    acme_version_clear(&version);
    acme_key_unref(key);
}

static void
clear(void)
{
    acme_store_close(store);
    helper_tmp_clear(&tmp);
}

static void
begin(void)
{
    char path[PATH_MAX_HERE];
    struct acme_error err;
    size_t i;
    int fd;

    acme_error_clear(&err);
    helper_tmp_init_fast(&tmp);
    (void)atexit(clear);
    FUZZ_CHECK(acme_store_open(helper_tmp_path(&tmp, "state"),
                   ACME_STORE_WRITE, &store, &err) == ACME_OK);
    make_state();
    helper_tmp_puts(&tmp, path_of(SERVER, path),
        "{\"server\":\"nginx\",\"config\":\"/x\",\"pid\":1}");
    fd = open(helper_tmp_path(&tmp, path), O_RDONLY | O_CLOEXEC);
    FUZZ_CHECK(fd != -1 && flock(fd, LOCK_EX) == 0); /* it lives */
    for (i = 0; i < MORE; i++)
        keep_good(i);
    for (i = MORE; i < NFILES; i++) {
        good[i] = good[i - MORE + KEY];
        put_file(i, good[i].data, good[i].len);
    }
}

/* ---- readers ---------------------------------------------------------- */

/* Nothing that is served has a key of another certificate. */
static void
check_version(const struct acme_version *version)
{
    struct acme_chain *chain;
    struct acme_key *key;
    struct acme_error err;
    size_t i;

    FUZZ_CHECK(version->npairs > 0 && version->npairs <= ACME_TYPES_MAX);
    for (i = 0; i < version->npairs; i++) {
        const struct acme_pair *pair = &version->pair[i];

        chain = NULL;
        key = NULL;
        acme_error_clear(&err);
        if (acme_chain_from_der(pair->chain.data, pair->chain.len, &chain,
                &err) == ACME_OK &&
            acme_key_from_der(pair->key.data, pair->key.len, &key, &err) ==
                ACME_OK)
            FUZZ_CHECK(acme_chain_matches(chain, key));
        acme_key_unref(key);
        acme_chain_free(chain);
    }
}

static enum acme_rc
visit_key(void *ctx, const char *found, const struct acme_key *key,
    struct acme_error *err)
{
    (void)ctx;
    (void)err;
    FUZZ_CHECK(strlen(found) == ACME_KEY_ID_LEN && key != NULL);
    return ACME_OK;
}

static void
read_accounts(void)
{
    struct acme_account_entry entry;
    struct acme_buf text;
    struct acme_error err;

    memset(&entry, 0, sizeof(entry));
    acme_error_clear(&err);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (acme_store_account(store, &issuer, NULL, &entry, &err) == ACME_OK)
        FUZZ_CHECK(entry.key != NULL && strlen(entry.url) < ACME_URL_MAX);
    acme_account_entry_clear(&entry);
    acme_error_clear(&err);
    (void)acme_store_keys(store, visit_key, NULL, &err);
    acme_error_clear(&err);
    (void)acme_store_ledger_read(store, &issuer, id, &text, &err);
    acme_buf_clear(&text);
}

static void
read_orders(void)
{
    struct acme_area_token *tokens = NULL;
    struct acme_buf text, key;
    struct acme_error err;
    size_t ntokens = 0;

    acme_error_clear(&err);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    acme_buf_init_secret(&key, ACME_STATE_PEM_MAX);
    (void)acme_store_order_read(store, "a.test", &text, &key, &err);
    acme_buf_reset(&text);
    acme_error_clear(&err);
    if (acme_store_tokens(store, &tokens, &ntokens, &text, &err) == ACME_OK)
        FUZZ_CHECK(ntokens <= ACME_TOKENS_MAX);
    free(tokens);
    acme_buf_clear(&text);
    acme_buf_clear(&key);
}

static void
read_versions(void)
{
    struct acme_version version;
    struct acme_json *status = NULL;
    struct acme_error err;

    acme_error_clear(&err);
    acme_version_init(&version);
    if (acme_store_live_read(store, "a.test", &version, &err) == ACME_OK)
        check_version(&version);
    acme_version_clear(&version);
    acme_error_clear(&err);
    FUZZ_CHECK(acme_status_all(store, helper_tmp_path(&tmp, "state"),
                   1795262400, &status, &err) == ACME_OK);
    acme_json_free(status);
}

static void
open_again(enum acme_store_mode mode)
{
    struct acme_store *another = NULL;
    struct acme_error err;

    acme_error_clear(&err);
    (void)acme_store_open(helper_tmp_path(&tmp, "state"), mode, &another,
        &err);
    acme_store_close(another);
}

static size_t
choose(struct fuzz_input *in)
{
    char *line = fuzz_line_text(in);
    size_t i, chosen = strtoul(line, NULL, 10) % NFILES;

    for (i = 0; i < NFILES; i++)
        if (strcmp(line, files[i]) == 0)
            chosen = i;
    free(line);
    return chosen;
}

/* A key takes OpenSSL longer than all else: not every file for everything. */
static void
read_state(size_t file)
{
    if (file == FORMAT) {
        open_again(ACME_STORE_READ);
        open_again(ACME_STORE_SALVAGE);
        open_again(ACME_STORE_WRITE);
    } else if (file < ORDERS || file >= SERVER) {
        read_versions();
    } else {
        if (file >= ACCOUNTS)
            read_accounts();
        read_orders();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct acme_error err;
    bool moved;
    size_t file;

    if (store == NULL)
        begin();
    file = choose(&in);
    put_file(file, in.at, in.left);
    read_state(file);
    if (file == META || file == LINK) {
        acme_error_clear(&err);
        (void)acme_store_recover(store, "a.test", &moved, &err);
        put_good();
    } else {
        put_file(file, good[file].data, good[file].len);
    }
    FUZZ_CHECK_QUEUE();
    return 0;
}
