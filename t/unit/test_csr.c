/*
 * acme_csr.h and drive/acme_csr_file.h: signing requests that somebody else
 * has made.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "drive/acme_csr_file.h"
#include "helper_tmp.h"
#include "wrap/acme_csr.h"
#include "wrap/acme_x509.h"

#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct helper_tmp tmp;
static struct acme_error err;
static struct acme_key *key;
static struct acme_buf der;
static const char *const names[] = { "a.test", "192.0.2.1", "b.test" };

static int
setup(void **state)
{
    (void)state;
    acme_error_clear(&err);
    acme_buf_init(&der, ACME_STATE_PEM_MAX);
    helper_tmp_init(&tmp);
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_384, &key, &err),
        ACME_OK);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    acme_key_unref(key);
    key = NULL;
    acme_buf_clear(&der);
    helper_tmp_clear(&tmp);
    assert_int_equal(ERR_peek_error(), 0);
    return 0;
}

static void
make(const char *const *of, size_t n, const struct acme_csr_terms *terms)
{
    acme_buf_reset(&der);
    assert_int_equal(acme_csr_new(key, of, n, terms, &der, &err), ACME_OK);
}

static struct acme_csr *
parse(const void *data, size_t len)
{
    struct acme_csr *csr = NULL;

    acme_error_clear(&err);
    if (acme_csr_parse(data, len, &csr, &err) != ACME_OK)
        assert_null(csr);
    return csr;
}

static void
assert_refused(const char *why)
{
    assert_null(parse(der.data, der.len));
    assert_int_equal(err.rc, ACME_CONFIG);
    assert_non_null(strstr(err.what, why));
}

static void
to_pem(struct acme_buf *pem)
{
    const unsigned char *p = der.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &p, (long)der.len);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long len;

    assert_true(PEM_write_bio_X509_REQ(bio, request));
    len = BIO_get_mem_data(bio, &text);
    acme_buf_add(pem, text, (size_t)len);
    BIO_free(bio);
    X509_REQ_free(request);
}

static void
both_forms_are_read(void **state)
{
    const struct acme_csr_terms terms = { .cn = "a.test",
        .must_staple = true };
    char id[ACME_KEY_ID_LEN + 1], own[ACME_KEY_ID_LEN + 1];
    struct acme_buf pem;
    struct acme_csr *csr;
    size_t i;

    (void)state;
    acme_buf_init(&pem, ACME_STATE_PEM_MAX);
    acme_buf_addf(&pem, "made by hand\n");
    make(names, COUNT(names), &terms);
    to_pem(&pem);
    for (i = 0; i < 2; i++) {
        csr = i == 0 ? parse(der.data, der.len) : parse(pem.data, pem.len);
        assert_non_null(csr);
        assert_int_equal(acme_csr_der(csr)->len, der.len);
        assert_memory_equal(acme_csr_der(csr)->data, der.data, der.len);
        assert_true(acme_csr_must_staple(csr));
        assert_true(acme_key_is_public(acme_csr_key(csr)));
        assert_int_equal(acme_key_type_of(acme_csr_key(csr)),
            ACME_KEY_ECDSA_384);
        assert_int_equal(acme_key_id(acme_csr_key(csr), id, &err), ACME_OK);
        assert_int_equal(acme_key_id(key, own, &err), ACME_OK);
        assert_string_equal(id, own);
        acme_csr_free(csr);
    }
    acme_buf_clear(&pem);
}

static void
names_are_compared(void **state)
{
    static const char *const other[] = { "b.test", "a.test", "192.0.2.1" };
    static const char *const more[] = { "a.test", "192.0.2.1", "b.test",
        "c.test" };
    static const char *const swapped[] = { "a.test", "192.0.2.1", "x.test" };
    struct acme_csr *csr;

    (void)state;
    make(names, COUNT(names), NULL);
    csr = parse(der.data, der.len);
    assert_non_null(csr);
    assert_false(acme_csr_must_staple(csr));
    assert_int_equal(acme_csr_check_names(csr, other, 3, &err), ACME_OK);
    assert_int_equal(acme_csr_check_names(csr, more, 4, &err), ACME_CONFIG);
    assert_non_null(strstr(err.what, " missing: c.test it has a.test, "));
    acme_error_clear(&err);
    assert_int_equal(acme_csr_check_names(csr, names, 2, &err), ACME_CONFIG);
    assert_non_null(strstr(err.what, " too many: b.test it has "));
    acme_error_clear(&err);
    assert_int_equal(acme_csr_check_names(csr, swapped, 3, &err), ACME_CONFIG);
    assert_non_null(strstr(err.what,
        " too many: b.test; missing: x.test it has a.test, 192.0.2.1, b.test; "
        "configured are a.test, 192.0.2.1, x.test"));
    acme_csr_free(csr);
}

static void
damage_is_refused(void **state)
{
    const struct acme_csr_terms elsewhere = { .cn = "c.test",
        .must_staple = false };
    static const char *const bad[] = { "a_b.test" };
    unsigned char last;

    (void)state;
    assert_refused("no signing request"); /* nothing at all */
    acme_buf_addf(&der, "0 is how DER begins");
    assert_refused("no signing request");
    acme_buf_reset(&der);
    acme_buf_addf(&der, "-----BEGIN CERTIFICATE-----\n");
    assert_refused("no signing request");

    make(names, COUNT(names), NULL);
    acme_buf_add(&der, "x", 1);
    assert_refused("no signing request");
    der.len--;
    last = der.data[der.len - 1];
    der.data[der.len - 1] ^= 1;
    assert_refused("not signed with the key");
    der.data[der.len - 1] = last;
    acme_csr_free(parse(der.data, der.len));
    assert_int_equal(err.rc, ACME_OK);

    make(names, COUNT(names), &elsewhere);
    assert_refused("its common name is not in its subjectAltName");
    make(bad, 1, NULL);
    assert_refused("entry 1 of its subjectAltName");
}

/* What acme_csr_new() would not make. */
static void
sign(X509_REQ *request, EVP_PKEY *evp)
{
    unsigned char *out = NULL;
    int len;

    assert_true(X509_REQ_set_pubkey(request, evp));
    assert_true(X509_REQ_sign(request, evp, EVP_sha256()) > 0);
    len = i2d_X509_REQ(request, &out);
    assert_true(len > 0);
    acme_buf_reset(&der);
    acme_buf_add(&der, out, (size_t)len);
    OPENSSL_free(out);
    X509_REQ_free(request);
}

static void
foreign_requests_are_refused(void **state)
{
    EVP_PKEY *small = EVP_RSA_gen(1024);

    (void)state;
    sign(X509_REQ_new(), acme_key_evp(key));
    assert_refused("it has no subjectAltName");
    sign(X509_REQ_new(), small);
    assert_refused("of this type or size cannot be used");
    EVP_PKEY_free(small);
}

/* ---- files ------------------------------------------------------------ */

static enum acme_rc
read_file(const char *name, bool must_staple)
{
    struct acme_lineage wanted = { .names = names,
        .nnames = COUNT(names),
        .must_staple = must_staple };
    const char *path = helper_tmp_path(&tmp, name);
    struct acme_csr *csr = NULL;
    int fd = -1;

    acme_error_clear(&err);
    if (acme_csr_file_open(path, &fd, &err) == ACME_OK) {
        (void)acme_csr_file_read(fd, path, &wanted, &csr, &err);
        close(fd);
    }
    assert_int_equal(err.rc == ACME_OK, csr != NULL);
    acme_csr_free(csr);
    return err.rc;
}

static void
files_are_read_safely(void **state)
{
    static const char *const neighbour[] = { "a.test", "192.0.2.1", "b.test",
        "neighbour.test" };

    (void)state;
    make(names, COUNT(names), NULL);
    helper_tmp_mkdir(&tmp, "d");
    helper_tmp_write(&tmp, "d/own.csr", der.data, der.len);
    assert_int_equal(read_file("d/own.csr", false), ACME_OK);
    assert_int_equal(read_file("d/own.csr", true), ACME_CONFIG);
    assert_non_null(strstr(err.what, "no must-staple, which is configured"));

    assert_int_equal(read_file("d/none.csr", false), ACME_CONFIG);
    assert_non_null(strstr(err.what, "does not exist"));
    helper_tmp_link(&tmp, "own.csr", "d/link.csr");
    assert_int_equal(read_file("d/link.csr", false), ACME_CONFIG);
    helper_tmp_fifo(&tmp, "d/fifo.csr");
    assert_int_equal(read_file("d/fifo.csr", false), ACME_CONFIG);

    make(neighbour, COUNT(neighbour), NULL);
    helper_tmp_write(&tmp, "d/own.csr", der.data, der.len);
    assert_int_equal(read_file("d/own.csr", false), ACME_CONFIG);
    assert_non_null(strstr(err.what, "too many: neighbour.test"));
}

/* Whoever can write it asks for what he likes. */
static void
nobody_else_writes(void **state)
{
    static const struct {
        const char *path;
        mode_t mode, good;
    } cases[] = { { "d", 0777, 0700 }, { "d", 0770, 0755 },
        { "d", 0720, 01777 }, { "d/own.csr", 0666, 0644 },
        { "d/own.csr", 0620, 0640 } };
    const char *path;
    size_t i;

    (void)state;
    make(names, COUNT(names), NULL);
    helper_tmp_mkdir(&tmp, "d");
    helper_tmp_write(&tmp, "d/own.csr", der.data, der.len);
    for (i = 0; i < COUNT(cases); i++) {
        path = helper_tmp_path(&tmp, cases[i].path);
        assert_int_equal(chmod(path, cases[i].mode), 0);
        assert_int_equal(read_file("d/own.csr", false), ACME_CONFIG);
        assert_non_null(strstr(err.what, "writable by others"));
        path = helper_tmp_path(&tmp, cases[i].path);
        assert_int_equal(chmod(path, cases[i].good), 0);
        assert_int_equal(read_file("d/own.csr", false), ACME_OK);
    }
}

/* More of the subject, by both names of its parts; what it cannot have. */
static void
subjects_are_made(void **state)
{
    static const struct acme_csr_field good[] = { { "O", "Caf\303\251 = x" },
        { "country", "DE" }, { "postal_code", "1\033" } };
    static const struct acme_csr_field bad[] = { { "CN", "a.test" },
        { "x", "y" }, { "C", "Germany" }, { "O", "" },
        { "O", "\377 is no UTF-8" } };
    const struct acme_csr_terms terms = { .cn = "a.test",
        .nfields = 3,
        .field = good };
    struct acme_csr *csr = NULL;
    struct acme_buf text;
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++)
        assert_int_equal(acme_csr_field_check(&good[i], &err), ACME_OK);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(acme_csr_field_check(&bad[i], &err), ACME_CONFIG);
        acme_error_clear(&err);
    }
    make(names, 3, &terms);
    assert_int_equal(acme_csr_parse(der.data, der.len, &csr, &err), ACME_OK);
    assert_int_equal(acme_csr_nnames(csr), 3);
    assert_string_equal(acme_csr_name(csr, 1), names[1]);
    acme_buf_init(&text, 1000);
    assert_int_equal(acme_csr_subject(csr, &text, &err), ACME_OK);
    assert_string_equal(acme_buf_str(&text),
        "CN=a.test, O=Caf\303\251 = x, C=DE, postalCode=1\\x1b");
    acme_buf_clear(&text);
    acme_csr_free(csr);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(both_forms_are_read),
        TEST(names_are_compared),
        TEST(damage_is_refused),
        TEST(foreign_requests_are_refused),
        TEST(files_are_read_safely),
        TEST(nobody_else_writes),
        TEST(subjects_are_made),
    };

    alarm(60);
    return cmocka_run_group_tests_name("csr", tests, NULL, NULL);
}
