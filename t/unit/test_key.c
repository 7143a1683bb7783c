#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/acme_base64.h"
#include "helper_errors.h"
#include "wrap/acme_key.h"

/* RFC 7515 A.2.1 and A.3.1; RFC 7517 A.2, whose modulus is that of RFC 7638
 * 3.1; P-256 and P-521 keys with short coordinates, found by counting. */
static const char rfc7515_a2[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXO\n"
    "jS1lYmM2K5J9vinh8CR3/BYlzJChNuOL2TSXxbbqY913EeZ8dCn5VrD7io8ImtxL\n"
    "aYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNn\n"
    "juygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5\n"
    "ROjtZMEQxrZHYJqkeDrrnGya11UxMFBji4NmXG9veoKjlnAqH2QbgtPr8jkiGUkf\n"
    "toaHLFcW9Qr4NY2ai50Xw0Byj3+H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHg\n"
    "VFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyW\n"
    "PEAeP88vLNO97IjlA7/GQ5sLKMgvfTeXZx9SE+7YwVol2NXOoAJe46sui395IW/G\n"
    "O+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj\n"
    "kn439X0M/V51gfpRLI9JYanrC4D4qAdGcopV/0ZHHzQlBjudU2QvXt4ehNYTCBr6\n"
    "XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl/x/jTj3ccPDVZFD9pIuhLhBOneufuBiB\n"
    "4cS98l2SR/RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0K\n"
    "pLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr\n"
    "0AHQfD8/Lk8l1Mk09jxxCfui5nYooNyac8YFjm3vItzVCVDnEd3BbVWG8qf6deqE\n"
    "lMGAg+C2V0L4oNXnP7LZcPAZRwKBgQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6\n"
    "kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAP\n"
    "rq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNw\n"
    "kgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp\n"
    "5u9SN0Ai3Ya6hNnvWJMb7sXQX6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds2\n"
    "9+DAncu3KXU4f2Fa+7bLNrur53k8KwPOq2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf/\n"
    "evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG\n"
    "yoAe9fa65iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZj\n"
    "OYiIDktVWZzmevJuv6WywUqd57LE3Zar3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2\n"
    "tOgrjbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd/QJQ3\n"
    "ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh6A56\n"
    "03k2+ZQwVK0JKSHuLFkuQ3U=\n"
    "-----END PRIVATE KEY-----\n";
static const char rfc7515_a3[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
    "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"
    "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"
    "-----END PRIVATE KEY-----\n";
static const char rfc7517_a2[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDS/HtqCh5sZxBK\n"
    "64+Isldmm032ed2tCZtcSmzZqIAVtaEzvwuFbHhxtt8AC1VPzrPC7VErto8UXG6E\n"
    "NHUvq1Khz8EkQI95tYpFeMFkKIVXifeiSeOEyy2fri1n/Zb7kmwZjgdzmf3IFcCv\n"
    "CX3eWq3v9E3nDoJ/SHhDJDm/7rlgaNBHT8UNbZC/OpjfrxBAyJwC1pKrOzwolmCd\n"
    "hv1zt3TOB0BkfO7qoxC9EvmFqOufWf3UJs6lshIPTyo0vKt2S35sVNaEAji8xAWH\n"
    "pZ5m7R8ziUV3Y1xHCvdc+Swg0dpD4b/EGeIipvDQuzWMXjj5ywUK6v6QSBTxrBqk\n"
    "nMqeoMqDAgMBAAECggEAX4cTteJY/gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoV\n"
    "H+HLLKD9M7dx5oo7GURknchnrRweUkC7hT5fJLM0WbFAKNLWY2vv7B6NqXSzUvxT\n"
    "0/YSfqijwp3RTzlBaCxWp4doFk5N2o8Gy/nHNKroADIkJ46pRUohsXywbReAdYaM\n"
    "wFs9tv8d/cPVY3i07a3t8MN6TNwm0dSawm9v47UiCl3Sk5ZiG7xojPLu4sbg1U2j\n"
    "x4IBTNBznbJSzFHK66jT8bgkuqsk0GjskDJk19Z4qwjwbsnn4j2WBii3RL+Us2lG\n"
    "VkY8fkFzme1z0HbIkfz0Y6mqnOYtqc0X4jfcKoAC8QKBgQDzeL7si8wZegxcKyS/\n"
    "vdMqvzrfsWI7tnbvO/yiPqltZRDIs9AFDG09WfAPbRH7rR5MOYPa6Ocy3k+ioyub\n"
    "xF+Y2FVYO2OMyYIyM6lJeJwUePtc65UhhDKpVaVYSHp03foZVliT3c3wFz29jjXH\n"
    "LwH1HPM4ZVDNe80S+fs7SdVt+wKBgQDd185H1y5ir7RL6aQUvOAi2AwR8XMHareF\n"
    "Z6Ey4bSgK6qdve+hsvK6aqNVlA7V0it3CBOcJ2ljMFw59bmvfvQAVeOJZ+380YSK\n"
    "i+ieLOEqmj1VVLvxPMWDGQh2t5xF7Oxn7WRh3+zWoNvG2QMSB8AhMAb0tScAO6fi\n"
    "8hxvrJ6XGQKBgBuLD15HOmGvcvKCVvfyC4+MbqabtJc4vx+1U5EvMY+UnV93KBNK\n"
    "IpmMMSItnpkwLntFDmuXaYBRsgSeHPLUNlReNNl0boCg0z/GpGIRaObQAO+0HvzZ\n"
    "rbmGXNwt5tyNuBthr0ebEg8VMgDds6vC35/RFJrOq2Nzm/GHoipE4gY9AoGBALPZ\n"
    "QB/X4IAbKBUfDmnNkfxNoMNvNq09pBjgIbyJZRExNXn6wOoblFLzHwXDKZ/Janlu\n"
    "r8852GOUkkBe6THQv2oCN5xvCG6dQVG9CVIq2kTalHy4XEG/3fRheA4e3u+Fm0bK\n"
    "G0aJ7o02DdcQmj+kzutY71q1/i9fLcV8OPeEP3IJAoGAGyM/p6JrXySiz1toFgKb\n"
    "WV+JdI3jQ4ypu9rbMWx3rQJBfmt0FoYzgUIZEVFEcOqwemRN81zoDAaa+Bk0KWNG\n"
    "DjJHZDdDmFhW3AN7lI+puxk/mHZGJ11rxyR8O55XLSe3SPmRfKwZI6yU24ZxvQKF\n"
    "YItdldUKGzO6Ia6zTKhAVRU=\n"
    "-----END PRIVATE KEY-----\n";
static const char short_x[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQRWZ1sPgpFBRBS3T\n"
    "5q9eVTRptQxz1WiyqqSB+pZUFLahRANCAAQAXEuFh7S0Tvq92hVJAHEQOsfbR+hC\n"
    "HHeVTrGy7qf0hLBu4jp9UuTqNRU0fhQtZ0gjcmjH+TTJpfDB3SeBaoZm\n"
    "-----END PRIVATE KEY-----\n";
static const char short_y[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQRWZ1sPgpFBRBS3T\n"
    "5q9eVTRptQxz1WiyqqSB+pZUFHahRANCAARLVxbdP8v3EZ8qVYG32KJSXWygAVtL\n"
    "ijSGKYAi5q0mpABO+ob4wi6J/uGs9nefc7G3JULeyt4r3nDfHd1UAujC\n"
    "-----END PRIVATE KEY-----\n";
static const char short_x_y[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQRWZ1sPgpFBRBS3T\n"
    "5q9eVTRptQxz1WiyqqSB+pZVBNyhRANCAAQAGLaCA/2Igi7uMZMl8SrKwTeNp9bg\n"
    "m0Je2JrByR9SIACpyqJlcyBYMr0KmbLUWczUz1j0GtI6qubGlMhS9mfp\n"
    "-----END PRIVATE KEY-----\n";
static const char short_521[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIAAAAAAAAAAAAAAAAA\n"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAQRWZ1sPgpFBRBS3T5q9eVTRptQxz1WiyqqSB\n"
    "+pZZ11yhgYkDgYYABAAAXXfZI2ExR8jhboeNmpQLSz4O+F220KFjnKETyptR18zT\n"
    "RK9Nw7YkpuF97DvtUwaGF0CtMnQzPubtfI6LN2ODHwAA8dz32y7OSMa0HK4qsvAw\n"
    "J6CSddkc26w2JoRW/+OtWaz56aagmbgvuejTRQpaCy9EB95JAp/0o2wgQC/4jyFt\n"
    "0w==\n"
    "-----END PRIVATE KEY-----\n";

static struct acme_error err;

static int
before_each(void **state)
{
    (void)state;
    acme_error_clear(&err);
    helper_errors_begin();
    return 0;
}

static int
after_each(void **state)
{
    (void)state;
    helper_errors_end();
    return 0;
}

static struct acme_key *
read_pem(const char *pem)
{
    struct acme_key *key = NULL;

    assert_int_equal(acme_key_from_pem(pem, strlen(pem), &key, &err), ACME_OK);
    return key;
}

static struct acme_key *
generate(enum acme_key_type type)
{
    struct acme_key *key = NULL;

    assert_int_equal(acme_key_generate(type, &key, &err), ACME_OK);
    return key;
}

static void
types_have_names(void **state)
{
    static const struct {
        const char *spec;
        enum acme_key_type type;
    } specs[] = {
        { "ecdsa", ACME_KEY_ECDSA_256 },
        { "ECDSA", ACME_KEY_ECDSA_256 },
        { "ecdsa:256", ACME_KEY_ECDSA_256 },
        { "Ecdsa:384", ACME_KEY_ECDSA_384 },
        { "ecdsa:521", ACME_KEY_ECDSA_521 },
        { "rsa", ACME_KEY_RSA_2048 },
        { "RSA:3072", ACME_KEY_RSA_3072 },
        { "rsa:4096", ACME_KEY_RSA_4096 },
    };
    static const char *const bad[] = { "", "ecdsa:", "ecdsa:255", "rsa:1024",
        "rsa:2048 ", "rsa2048", "ed25519", "none" };
    enum acme_key_type type = ACME_KEY_NONE;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        assert_int_equal(acme_key_type_parse(specs[i].spec, &type, &err),
            ACME_OK);
        assert_int_equal(type, specs[i].type);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        acme_error_clear(&err);
        type = ACME_KEY_RSA_2048;
        assert_int_equal(acme_key_type_parse(bad[i], &type, &err),
            ACME_CONFIG);
        assert_non_null(strstr(err.what, "rsa[:2048|3072|4096]"));
        assert_int_equal(type, ACME_KEY_RSA_2048);
    }
    assert_string_equal(acme_key_type_name(ACME_KEY_ECDSA_256), "ecdsa:256");
    assert_string_equal(acme_key_type_name(ACME_KEY_NONE), "");
    assert_string_equal(acme_key_type_name((enum acme_key_type)99), "");
    assert_string_equal(acme_key_algorithm(ACME_KEY_ECDSA_521), "ecdsa");
    assert_string_equal(acme_key_algorithm(ACME_KEY_RSA_4096), "rsa");
}

static void
keys_go_through_der_and_pem(void **state)
{
    static const enum acme_key_type types[] = { ACME_KEY_ECDSA_256,
        ACME_KEY_ECDSA_384, ACME_KEY_ECDSA_521, ACME_KEY_RSA_2048,
        ACME_KEY_RSA_3072 };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct acme_key *key = generate(types[i]);
        struct acme_key *from_der = NULL;
        struct acme_key *from_pem = NULL;
        struct acme_buf text;
        char id[2][ACME_KEY_ID_LEN + 1];

        assert_int_equal(acme_key_type_of(key), types[i]);
        acme_buf_init_secret(&text, 8192);
        assert_int_equal(acme_key_to_der(key, &text, &err), ACME_OK);
        assert_int_equal(
            acme_key_from_der(text.data, text.len, &from_der, &err), ACME_OK);
        acme_buf_reset(&text);
        assert_int_equal(acme_key_to_pem(key, &text, &err), ACME_OK);
        assert_int_equal(
            strncmp(acme_buf_str(&text), "-----BEGIN PRIVATE KEY-----\n", 28),
            0);
        assert_int_equal(
            acme_key_from_pem(acme_buf_str(&text), text.len, &from_pem, &err),
            ACME_OK);
        assert_int_equal(
            EVP_PKEY_eq(acme_key_evp(key), acme_key_evp(from_der)), 1);
        assert_int_equal(
            EVP_PKEY_eq(acme_key_evp(key), acme_key_evp(from_pem)), 1);
        assert_int_equal(acme_key_type_of(from_der), types[i]);
        assert_int_equal(acme_key_type_of(from_pem), types[i]);
        assert_int_equal(acme_key_id(key, id[0], &err), ACME_OK);
        assert_int_equal(acme_key_id(from_pem, id[1], &err), ACME_OK);
        assert_string_equal(id[0], id[1]);
        acme_buf_clear(&text);
        acme_key_unref(from_pem);
        acme_key_unref(from_der);
        acme_key_unref(key);
    }
}

static void
references_are_counted(void **state)
{
    struct acme_key *key = generate(ACME_KEY_ECDSA_256);

    (void)state;
    assert_ptr_equal(acme_key_ref(key), key);
    acme_key_unref(key);
    assert_int_equal(acme_key_type_of(key), ACME_KEY_ECDSA_256);
    acme_key_unref(key);
    acme_key_unref(NULL);
}

/* `openssl ecparam -name prime256v1 -genkey`, `openssl genrsa -traditional` */
static void
other_forms_of_pem_are_read(void **state)
{
    static const char sec1[] =
        "-----BEGIN EC PARAMETERS-----\n"
        "BggqhkjOPQMBBw==\n"
        "-----END EC PARAMETERS-----\n"
        "-----BEGIN EC PRIVATE KEY-----\n"
        "MHcCAQEEIIGqi/oVgExyVxM/MK6qmzlf7hRmjiNWLUenlMmPZsjfoAoGCCqGSM49\n"
        "AwEHoUQDQgAEQIROD/BU3Jm6F+eMLN0k2zo/hR7gPmpGFDaY7GyT1eoLzNDBCVHh\n"
        "RKci2UDXMPTXzQdp1USc29EdCSPhG+NCMg==\n"
        "-----END EC PRIVATE KEY-----\n";
    struct acme_key *key = read_pem(sec1);
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    long len;

    (void)state;
    assert_int_equal(acme_key_type_of(key), ACME_KEY_ECDSA_256);
    acme_key_unref(key);
    key = read_pem(rfc7515_a2);
    assert_true(PEM_write_bio_PrivateKey_traditional(bio, acme_key_evp(key),
        NULL, NULL, 0, NULL, NULL));
    acme_key_unref(key);
    len = BIO_get_mem_data(bio, &pem);
    assert_int_equal(acme_key_from_pem(pem, (size_t)len, &key, &err), ACME_OK);
    assert_int_equal(acme_key_type_of(key), ACME_KEY_RSA_2048);
    acme_key_unref(key);
    BIO_free(bio);
}

static void
assert_refused_pem(const char *pem, size_t len, const char *reason)
{
    struct acme_key *key = NULL;

    acme_error_clear(&err);
    assert_int_equal(acme_key_from_pem(pem, len, &key, &err), ACME_CONFIG);
    assert_null(key);
    if (strstr(err.what, reason) == NULL)
        fail_msg("%s", err.what);
}

/* A prompt would hang the test: stdin is not closed. */
static void
encrypted_keys_are_an_error(void **state)
{
    char passphrase[] = "secret";
    struct acme_key *key = read_pem(rfc7515_a3);
    struct acme_key *none = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len;

    (void)state;
    assert_true(PEM_write_bio_PKCS8PrivateKey(bio, acme_key_evp(key),
        EVP_aes_128_cbc(), passphrase, 6, NULL, NULL));
    len = BIO_get_mem_data(bio, &text);
    assert_refused_pem(text, (size_t)len, "is encrypted");
    (void)BIO_reset(bio);
    assert_true(PEM_write_bio_PrivateKey_traditional(bio, acme_key_evp(key),
        EVP_aes_128_cbc(), (unsigned char *)passphrase, 6, NULL, NULL));
    len = BIO_get_mem_data(bio, &text);
    assert_refused_pem(text, (size_t)len, "is encrypted");
    (void)BIO_reset(bio);
    assert_true(i2d_PKCS8PrivateKey_bio(bio, acme_key_evp(key),
        EVP_aes_128_cbc(), passphrase, 6, NULL, NULL));
    len = BIO_get_mem_data(bio, &text);
    acme_error_clear(&err);
    assert_int_equal(acme_key_from_der(text, (size_t)len, &none, &err),
        ACME_CONFIG);
    assert_non_null(strstr(err.what, "is encrypted"));
    BIO_free(bio);
    acme_key_unref(key);
}

static void
assert_refused_type(EVP_PKEY *evp)
{
    struct acme_key *key = NULL;
    unsigned char *der = NULL;
    int len;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(evp);

    assert_non_null(info);
    len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    acme_error_clear(&err);
    assert_int_equal(acme_key_from_der(der, (size_t)len, &key, &err),
        ACME_CONFIG);
    if (strstr(err.what, "type or size") == NULL)
        fail_msg("%s", err.what);
    OPENSSL_free(der);
    PKCS8_PRIV_KEY_INFO_free(info);
    EVP_PKEY_free(evp);
}

static EVP_PKEY *
explicit_p256(void)
{
    EVP_PKEY *evp = EVP_EC_gen("P-256");

    assert_true(EVP_PKEY_set_utf8_string_param(evp,
        OSSL_PKEY_PARAM_EC_ENCODING, "explicit"));
    return evp;
}

static void
other_types_are_refused(void **state)
{
    (void)state;
    assert_refused_type(EVP_RSA_gen(1024));
    assert_refused_type(EVP_RSA_gen(2056));
    assert_refused_type(EVP_EC_gen("secp256k1"));
    assert_refused_type(EVP_EC_gen("P-224"));
    assert_refused_type(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
    assert_refused_type(explicit_p256());
}

static void
garbage_is_refused_and_not_quoted(void **state)
{
    static const char canary[] = "-----BEGIN PRIVATE KEY-----\n"
                                 "CANARYcanary/CANARY\n"
                                 "-----END PRIVATE KEY-----\n";
    static const char cut[] = "-----BEGIN PRIVATE KEY-----\nCANARY";
    struct acme_key *key = read_pem(rfc7515_a3);
    struct acme_key *none = NULL;
    struct acme_buf der;
    size_t len;

    (void)state;
    assert_refused_pem("", 0, "no private key");
    assert_refused_pem(canary, strlen(canary), "no private key");
    assert_null(strstr(err.what, "CANARY"));
    assert_refused_pem(cut, strlen(cut), "no private key");
    assert_null(strstr(err.what, "CANARY"));
    acme_buf_init_secret(&der, 1000);
    assert_int_equal(
        acme_key_to_der(key, &der, (acme_error_clear(&err), &err)), ACME_OK);
    for (len = 0; len < der.len; len++) {
        acme_error_clear(&err);
        assert_int_equal(acme_key_from_der(der.data, len, &none, &err),
            ACME_CONFIG);
    }
    acme_buf_add_str(&der, "x"); /* something behind it */
    acme_error_clear(&err);
    assert_int_equal(acme_key_from_der(der.data, der.len, &none, &err),
        ACME_CONFIG);
    assert_null(none);
    acme_buf_clear(&der);
    acme_key_unref(key);
}

static void
jwk_members_are_padded(void **state)
{
    static const struct {
        const char *pem;
        const char *jwk;
        const char *thumbprint;
    } vectors[] = {
        /* RFC 7515 A.3.1 */
        { rfc7515_a3,
            "{\"crv\":\"P-256\",\"kty\":\"EC\","
            "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
            "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
            "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U" },
        /* RFC 7518 6.2.1.2: the leading A of each is the padding */
        { short_x,
            "{\"crv\":\"P-256\",\"kty\":\"EC\","
            "\"x\":\"AFxLhYe0tE76vdoVSQBxEDrH20foQhx3lU6xsu6n9IQ\","
            "\"y\":\"sG7iOn1S5Oo1FTR-FC1nSCNyaMf5NMml8MHdJ4FqhmY\"}",
            "5yANtG66Gqh6dd8vhy8M0d_tWEr7MT88imU4hKX-VsY" },
        { short_y,
            "{\"crv\":\"P-256\",\"kty\":\"EC\","
            "\"x\":\"S1cW3T_L9xGfKlWBt9iiUl1soAFbS4o0himAIuatJqQ\","
            "\"y\":\"AE76hvjCLon-4az2d59zsbclQt7K3ivecN8d3VQC6MI\"}",
            "6TOK8SWWz4UPNt8gVAb00yOw0OsDTn1PiNW0cLanNC8" },
        { short_x_y,
            "{\"crv\":\"P-256\",\"kty\":\"EC\","
            "\"x\":\"ABi2ggP9iIIu7jGTJfEqysE3jafW4JtCXtiawckfUiA\","
            "\"y\":\"AKnKomVzIFgyvQqZstRZzNTPWPQa0jqq5saUyFL2Z-k\"}",
            "8-TM8UZ68Z2eBRF-h9fX34G4gKUJG_g5OXJH242TAcU" },
        { short_521,
            "{\"crv\":\"P-521\",\"kty\":\"EC\","
            "\"x\":\"AABdd9kjYTFHyOFuh42alAtLPg74XbbQoWOcoRPKm1HXzNNEr03Dti"
            "Sm4X3sO-1TBoYXQK0ydDM-5u18jos3Y4Mf\","
            "\"y\":\"AADx3PfbLs5IxrQcriqy8DAnoJJ12RzbrDYmhFb_461ZrPnppqCZuC"
            "-56NNFCloLL0QH3kkCn_SjbCBAL_iPIW3T\"}",
            "S-YWEn_YK4dpzSkyQ4gq1EDmAbHx8e_phcpCmmBnmaw" },
        /* RFC 7638 3.1 */
        { rfc7517_a2,
            "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9"
            "nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJ"
            "ECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5"
            "w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZ"
            "Hzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd"
            "2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\"}",
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" },
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct acme_key *key = read_pem(vectors[i].pem);
        char thumbprint[ACME_THUMBPRINT_LEN + 1];
        struct acme_buf jwk;

        acme_buf_init(&jwk, 2048);
        assert_int_equal(acme_key_jwk(key, &jwk, &err), ACME_OK);
        assert_string_equal(acme_buf_str(&jwk), vectors[i].jwk);
        assert_int_equal(acme_key_thumbprint(key, thumbprint, &err), ACME_OK);
        assert_string_equal(thumbprint, vectors[i].thumbprint);
        acme_buf_clear(&jwk);
        acme_key_unref(key);
    }
}

static void
rs256_is_as_in_rfc7515(void **state)
{
    static const char input[] =
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQo"
        "gImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    static const char expected[] =
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuH"
        "Im4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdi"
        "uB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN"
        "9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2"
        "w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77"
        "Rw";
    struct acme_key *key = read_pem(rfc7515_a2);
    struct acme_buf signature;
    struct acme_buf text;

    (void)state;
    acme_buf_init(&signature, 1000);
    acme_buf_init(&text, 1000);
    assert_string_equal(acme_key_jws_alg(key), "RS256");
    assert_int_equal(
        acme_key_sign(key, input, strlen(input), &signature, &err), ACME_OK);
    acme_base64_encode(&text, signature.data, signature.len);
    assert_string_equal(acme_buf_str(&text), expected);
    acme_buf_clear(&text);
    acme_buf_clear(&signature);
    acme_key_unref(key);
}

/* Checks r||s as the other side does. */
static bool
verify_raw(const struct acme_key *key, const char *digest, const void *data,
    size_t len, const struct acme_buf *signature)
{
    size_t half = signature->len / 2;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char *der = NULL;
    int der_len;
    bool ok;

    ECDSA_SIG_set0(pair, BN_bin2bn(signature->data, (int)half, NULL),
        BN_bin2bn(signature->data + half, (int)half, NULL));
    der_len = i2d_ECDSA_SIG(pair, &der);
    ok = EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL,
             acme_key_evp(key), NULL) == 1 &&
         EVP_DigestVerify(ctx, der, (size_t)der_len, data, len) == 1;
    OPENSSL_free(der);
    EVP_MD_CTX_free(ctx);
    ECDSA_SIG_free(pair);
    return ok;
}

/* Signs until an r and an s with a leading zero byte have been seen: 1 of
 * 256 each (P-521: 1 of 2, its first byte having one bit). */
static void
check_width(enum acme_key_type type, const char *alg, const char *digest,
    size_t field)
{
    struct acme_key *key = generate(type);
    bool seen_r = false;
    bool seen_s = false;
    struct acme_buf signature;
    unsigned n;

    assert_string_equal(acme_key_jws_alg(key), alg);
    acme_buf_init(&signature, 2 * field);
    for (n = 0; n < 100000 && !(seen_r && seen_s); n++) {
        acme_buf_reset(&signature);
        assert_int_equal(acme_key_sign(key, &n, sizeof(n), &signature, &err),
            ACME_OK);
        assert_int_equal(signature.len, 2 * field);
        assert_true(verify_raw(key, digest, &n, sizeof(n), &signature));
        seen_r = seen_r || signature.data[0] == 0;
        seen_s = seen_s || signature.data[field] == 0;
    }
    assert_true(seen_r && seen_s);
    acme_buf_clear(&signature);
    acme_key_unref(key);
}

static void
ecdsa_signatures_have_a_fixed_width(void **state)
{
    (void)state;
    check_width(ACME_KEY_ECDSA_256, "ES256", "SHA256", 32);
    check_width(ACME_KEY_ECDSA_384, "ES384", "SHA384", 48);
    check_width(ACME_KEY_ECDSA_521, "ES512", "SHA512", 66);
}

static void
full_buffers_are_out_of_memory(void **state)
{
    struct acme_key *key = read_pem(rfc7515_a3);
    struct acme_buf out;

    (void)state;
    acme_buf_init(&out, 10);
    assert_int_equal(acme_key_to_der(key, &out, &err), ACME_NOMEM);
    acme_error_clear(&err);
    acme_buf_reset(&out);
    assert_int_equal(acme_key_to_pem(key, &out, &err), ACME_NOMEM);
    acme_error_clear(&err);
    acme_buf_reset(&out);
    assert_int_equal(acme_key_jwk(key, &out, &err), ACME_NOMEM);
    acme_error_clear(&err);
    acme_buf_reset(&out);
    assert_int_equal(acme_key_sign(key, "x", 1, &out, &err), ACME_NOMEM);
    acme_buf_clear(&out);
    acme_key_unref(key);
}

/* ---- JWK -------------------------------------------------------------- */

static void
add_member(struct acme_buf *jwk, const struct acme_key *key, const char *name,
    const char *param, int width)
{
    unsigned char bytes[1024];
    BIGNUM *number = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(acme_key_evp(key), param, &number),
        1);
    if (width == 0)
        width = BN_num_bytes(number);
    assert_int_equal(BN_bn2binpad(number, bytes, width), width);
    acme_buf_addf(jwk, ",\"%s\":\"", name);
    acme_base64_encode(jwk, bytes, (size_t)width);
    acme_buf_add_str(jwk, "\"");
    BN_free(number);
}

/* The private key as a JWK; of RSA with the primes or without. */
static void
private_jwk(const struct acme_key *key, int field, bool primes,
    struct acme_buf *jwk)
{
    static const struct {
        const char *name, *param;
    } more[] = { { "p", OSSL_PKEY_PARAM_RSA_FACTOR1 },
        { "q", OSSL_PKEY_PARAM_RSA_FACTOR2 },
        { "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1 },
        { "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2 },
        { "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 } };
    size_t i;

    acme_error_clear(&err);
    assert_int_equal(acme_key_jwk(key, jwk, &err), ACME_OK);
    jwk->data[--jwk->len] = '\0';
    if (field > 0) {
        add_member(jwk, key, "d", OSSL_PKEY_PARAM_PRIV_KEY, field);
    } else {
        add_member(jwk, key, "d", OSSL_PKEY_PARAM_RSA_D, 0);
        for (i = 0; primes && i < sizeof(more) / sizeof(more[0]); i++)
            add_member(jwk, key, more[i].name, more[i].param, 0);
    }
    acme_buf_add_str(jwk, ",\"kid\":\"ignored\"}");
    assert_true(acme_buf_ok(jwk));
}

static void
expect_same(const struct acme_key *key, const struct acme_key *other)
{
    char id[ACME_KEY_ID_LEN + 1], other_id[ACME_KEY_ID_LEN + 1];

    acme_error_clear(&err);
    assert_int_equal(acme_key_id(key, id, &err), ACME_OK);
    assert_int_equal(acme_key_id(other, other_id, &err), ACME_OK);
    assert_string_equal(id, other_id);
}

static void
jwks_of_all_types_are_read(void **state)
{
    static const struct {
        enum acme_key_type type;
        int field;
        bool primes;
    } cases[] = { { ACME_KEY_ECDSA_256, 32, false },
        { ACME_KEY_ECDSA_384, 48, false }, { ACME_KEY_ECDSA_521, 66, false },
        { ACME_KEY_RSA_2048, 0, true }, { ACME_KEY_RSA_2048, 0, false },
        { ACME_KEY_RSA_4096, 0, true } };
    struct acme_key *key, *read;
    struct acme_buf jwk;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        acme_error_clear(&err);
        acme_buf_init(&jwk, 16384);
        key = read = NULL;
        assert_int_equal(acme_key_generate(cases[i].type, &key, &err),
            ACME_OK);
        acme_buf_add_str(&jwk, " \n");
        private_jwk(key, cases[i].field, cases[i].primes, &jwk);
        if (acme_key_from_text(acme_buf_str(&jwk), jwk.len, &read, &err) !=
            ACME_OK)
            fail_msg("case %zu: %s", i, err.what);
        assert_int_equal(acme_key_type_of(read), cases[i].type);
        expect_same(key, read);
        acme_key_unref(key);
        acme_key_unref(read);
        acme_buf_clear(&jwk);
    }
}

/* RFC 7515 A.3.1, and its DER from a PEM. */
#define A3_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define A3_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define A3_D "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define A3(x, y, d)                                      \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" x "\"," \
    "\"y\":\"" y "\",\"d\":\"" d "\"}"

static void
jwk_of_rfc7515_is_read(void **state)
{
    static const char jwk[] = A3(A3_X, A3_Y, A3_D);
    struct acme_key *key = NULL, *pem = NULL;

    (void)state;
    acme_error_clear(&err);
    assert_int_equal(acme_key_from_text(jwk, sizeof(jwk) - 1, &key, &err),
        ACME_OK);
    assert_int_equal(
        acme_key_from_text(rfc7515_a3, sizeof(rfc7515_a3) - 1, &pem, &err),
        ACME_OK);
    expect_same(key, pem);
    acme_key_unref(key);
    acme_key_unref(pem);
}

static void
bad_jwks_are_refused(void **state)
{
    static const struct {
        const char *jwk, *why;
    } cases[] = {
        { "{", "line 1" },
        { "{\"a\":\"Canary\",\"a\":\"Canary\"}", "line 1" },
        { "{}", "\"kty\" must be EC" },
        { "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" A3_X
          "\",\"d\":\"" A3_D "\"}",
            "\"kty\" must be EC" },
        { "{\"kty\":\"oct\",\"k\":\"Canary\"}", "\"kty\" must be EC" },
        { "{\"kty\":\"EC\",\"crv\":\"secp256k1\"}", "must be P-256" },
        { "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" A3_X "\",\"y\":\"" A3_Y
          "\"}",
            "\"d\" is missing" },
        { A3(A3_X, A3_Y, "Canary!"), "\"d\" is missing or malformed" },
        { A3("AAAA", A3_Y, A3_D), "\"x\" is missing or malformed" },
        { A3(A3_Y, A3_X, A3_D), "malformed JWK" }, /* not on the curve */
        { A3(A3_X, A3_Y, A3_X), "" },              /* another one's d */
        { "{\"kty\":\"RSA\",\"n\":\"" A3_X "\",\"e\":\"AQAB\"}",
            "\"d\" is missing" },
        { "{\"kty\":\"RSA\",\"n\":\"" A3_X "\",\"e\":\"AQAB\",\"d\":\"" A3_D
          "\"}",
            "type or size cannot be used" },
        { "{\"kty\":\"RSA\",\"n\":\"" A3_X "\",\"e\":\"AQAB\",\"d\":\"" A3_D
          "\",\"p\":\"" A3_X "\"}",
            "\"q\" is missing" },
    };
    struct acme_key *key = NULL;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        acme_error_clear(&err);
        if (acme_key_from_jwk(cases[i].jwk, strlen(cases[i].jwk), &key,
                &err) != ACME_CONFIG)
            fail_msg("case %zu was read: %s", i, err.what);
        assert_null(key);
        if (strstr(err.what, cases[i].why) == NULL)
            fail_msg("case %zu: %s", i, err.what);
        assert_null(strstr(err.what, "Canary"));
        assert_null(strstr(err.what, A3_X));
        assert_int_equal(ERR_peek_error(), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(types_have_names, before_each,
            after_each),
        cmocka_unit_test_setup_teardown(keys_go_through_der_and_pem,
            before_each, after_each),
        cmocka_unit_test_setup_teardown(references_are_counted, before_each,
            after_each),
        cmocka_unit_test_setup_teardown(other_forms_of_pem_are_read,
            before_each, after_each),
        cmocka_unit_test_setup_teardown(encrypted_keys_are_an_error,
            before_each, after_each),
        cmocka_unit_test_setup_teardown(other_types_are_refused, before_each,
            after_each),
        cmocka_unit_test_setup_teardown(garbage_is_refused_and_not_quoted,
            before_each, after_each),
        cmocka_unit_test_setup_teardown(jwk_members_are_padded, before_each,
            after_each),
        cmocka_unit_test_setup_teardown(rs256_is_as_in_rfc7515, before_each,
            after_each),
        cmocka_unit_test_setup_teardown(ecdsa_signatures_have_a_fixed_width,
            before_each, after_each),
        cmocka_unit_test_setup_teardown(full_buffers_are_out_of_memory,
            before_each, after_each),
        cmocka_unit_test(jwks_of_all_types_are_read),
        cmocka_unit_test(jwk_of_rfc7515_is_read),
        cmocka_unit_test(bad_jwks_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
