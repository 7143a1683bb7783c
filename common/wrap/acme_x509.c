#include "wrap/acme_x509.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_base64.h"
#include "base/acme_log.h"
#include "base/acme_name.h"
#include "wrap/acme_hash.h"
#include "wrap/acme_openssl.h"
#include "wrap/acme_x509_private.h"

void
acme_chain_free(struct acme_chain *chain)
{
    size_t i;

    if (chain == NULL)
        return;
    for (i = 0; i < chain->count; i++)
        X509_free(chain->cert[i]);
    free(chain);
}

/* Adds the certificate at the start of `der`; *used tells its length. */
static enum acme_rc
add_der(struct acme_chain *chain, const unsigned char *der, size_t len,
    size_t *used, struct acme_error *err)
{
    const unsigned char *p = der;
    X509 *cert;

    if (chain->count == ACME_CHAIN_CERTS_MAX)
        return acme_error_set(err, ACME_WIRE, "more than %d certificates",
            ACME_CHAIN_CERTS_MAX);
    cert = len > LONG_MAX ? NULL : d2i_X509(NULL, &p, (long)len);
    if (cert == NULL)
        return acme_openssl_fail(err, ACME_WIRE, "malformed certificate");
    chain->cert[chain->count++] = cert;
    *used = (size_t)(p - der);
    chain->der_len += *used;
    if (chain->der_len > ACME_CHAIN_DER_MAX)
        return acme_error_set(err, ACME_WIRE,
            "more than %d bytes of certificates", ACME_CHAIN_DER_MAX);
    return ACME_OK;
}

/* The block read from a PEM text. */
static enum acme_rc
add_block(struct acme_chain *chain, const char *name, const char *header,
    const unsigned char *data, size_t len, struct acme_error *err)
{
    size_t used = 0;
    enum acme_rc rc;

    if (strcmp(name, PEM_STRING_X509) != 0 || header[0] != '\0')
        return acme_error_set(err, ACME_WIRE,
            "something other than certificates");
    rc = add_der(chain, data, len, &used, err);
    if (rc == ACME_OK && used != len)
        rc = acme_error_set(err, ACME_WIRE, "malformed certificate");
    return rc;
}

static enum acme_rc
read_blocks(BIO *bio, struct acme_chain *chain, struct acme_error *err)
{
    unsigned char *data;
    char *name;
    char *header;
    long len;
    enum acme_rc rc = ACME_OK;

    while (rc == ACME_OK && PEM_read_bio(bio, &name, &header, &data, &len)) {
        rc = add_block(chain, name, header, data, (size_t)len, err);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, (size_t)len); /* perhaps a private key */
    }
    if (rc == ACME_OK &&
        ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        rc = acme_openssl_fail(err, ACME_WIRE, "malformed PEM");
    return rc;
}

static enum acme_rc
read_pem(const char *pem, size_t len, struct acme_chain *chain,
    struct acme_error *err)
{
    BIO *bio;
    enum acme_rc rc;

    if (len > ACME_CHAIN_PEM_MAX)
        return acme_error_set(err, ACME_WIRE,
            "certificates of more than %d bytes", ACME_CHAIN_PEM_MAX);
    bio = BIO_new_mem_buf(pem, (int)len);
    if (bio == NULL)
        return acme_error_nomem(err);
    rc = read_blocks(bio, chain, err);
    BIO_free(bio);
    return rc;
}

static enum acme_rc
read_der(const unsigned char *der, size_t len, struct acme_chain *chain,
    struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    size_t used = 0;

    while (rc == ACME_OK && len > 0) {
        rc = add_der(chain, der, len, &used, err);
        der += used;
        len -= used;
        used = 0;
    }
    return rc;
}

static enum acme_rc
new_chain(const void *data, size_t len, bool pem, struct acme_chain **out,
    struct acme_error *err)
{
    struct acme_chain *chain = calloc(1, sizeof(*chain));
    enum acme_rc rc;

    if (chain == NULL)
        return acme_error_nomem(err);
    ERR_set_mark();
    rc = pem ? read_pem(data, len, chain, err)
             : read_der(data, len, chain, err);
    ERR_pop_to_mark();
    if (rc == ACME_OK && chain->count == 0)
        rc = acme_error_set(err, ACME_WIRE, "no certificate found");
    if (rc == ACME_OK)
        *out = chain;
    else
        acme_chain_free(chain);
    return rc;
}

enum acme_rc
acme_chain_from_pem(const char *pem, size_t len, struct acme_chain **chain,
    struct acme_error *err)
{
    return new_chain(pem, len, true, chain, err);
}

enum acme_rc
acme_chain_from_der(const void *der, size_t len, struct acme_chain **chain,
    struct acme_error *err)
{
    return new_chain(der, len, false, chain, err);
}

size_t
acme_chain_der_first(const void *der, size_t len)
{
    const unsigned char *start = der, *content = der;
    int flags, tag, class;
    long content_len = 0;

    if (len > LONG_MAX)
        return 0;
    ERR_set_mark();
    flags = ASN1_get_object(&content, &content_len, &tag, &class, (long)len);
    ERR_pop_to_mark();
    /* 0x80: an error; 1: of indefinite length, which is not DER */
    if ((flags & 0x81) != 0 || tag != V_ASN1_SEQUENCE)
        return 0;
    return (size_t)(content - start) + (size_t)content_len;
}

size_t
acme_chain_count(const struct acme_chain *chain)
{
    return chain->count;
}

struct x509_st *
acme_chain_x509(const struct acme_chain *chain, size_t i)
{
    return i < chain->count ? chain->cert[i] : NULL;
}

/* `last` as acme_chain_to_pem() means it. */
static size_t
end_of(const struct acme_chain *chain, size_t last)
{
    return last == 0 || last > chain->count ? chain->count : last;
}

enum acme_rc
acme_chain_to_pem(const struct acme_chain *chain, size_t first, size_t last,
    struct acme_buf *pem, struct acme_error *err)
{
    BIO *bio;
    char *data = NULL;
    bool ok;
    long len;
    enum acme_rc rc = ACME_OK;
    size_t i;

    ERR_set_mark();
    bio = BIO_new(BIO_s_mem());
    ok = bio != NULL;
    for (i = first; ok && i < end_of(chain, last); i++)
        ok = PEM_write_bio_X509(bio, chain->cert[i]);
    if (!ok) {
        rc = acme_openssl_fail(err, ACME_NOMEM, "cannot encode certificates");
    } else {
        len = BIO_get_mem_data(bio, &data);
        acme_buf_add(pem, data, (size_t)len);
        if (!acme_buf_ok(pem))
            rc = acme_error_nomem(err);
    }
    BIO_free(bio);
    ERR_pop_to_mark();
    return rc;
}

enum acme_rc
acme_chain_to_der(const struct acme_chain *chain, size_t first, size_t last,
    struct acme_buf *der, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    unsigned char *p;
    size_t i;
    int len;

    ERR_set_mark();
    for (i = first; rc == ACME_OK && i < end_of(chain, last); i++) {
        len = i2d_X509(chain->cert[i], NULL);
        p = len > 0 ? acme_buf_extend(der, (size_t)len) : NULL;
        if (p != NULL)
            i2d_X509(chain->cert[i], &p);
        else
            rc = acme_error_nomem(err);
    }
    ERR_pop_to_mark();
    return rc;
}

bool
acme_x509_time(const ASN1_TIME *asn1, time_t *t)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0;
    int seconds = 0;
    bool ok;

    ok = epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, asn1);
    if (ok)
        *t = (time_t)days * 86400 + seconds;
    ASN1_TIME_free(epoch);
    return ok;
}

static bool
to_hex(const unsigned char *data, size_t len, char *out, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    size_t i;

    if (2 * len + 1 > size)
        return false;
    for (i = 0; i < len; i++) {
        *out++ = hex[data[i] >> 4];
        *out++ = hex[data[i] & 15];
    }
    *out = '\0';
    return true;
}

/* CN, else O, of the issuer; "" if it has neither. */
static void
issuer_text(const X509 *cert, char *out, size_t size)
{
    const X509_NAME *name = X509_get_issuer_name(cert);
    const X509_NAME_ENTRY *entry = NULL;
    unsigned char *text = NULL;
    int len = -1;
    int i;

    i = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (i < 0)
        i = X509_NAME_get_index_by_NID(name, NID_organizationName, -1);
    if (i >= 0)
        entry = X509_NAME_get_entry(name, i);
    if (entry != NULL)
        len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
    acme_log_clean(out, size, (const char *)text, len > 0 ? (size_t)len : 0);
    OPENSSL_free(text);
}

/*
 * RFC 9773 4.1: the serial is the content of its DER INTEGER, a leading zero
 * byte included.  Its length is below 128 here, so tag and length are 2
 * bytes.
 */
static bool
ari_id(X509 *cert, char *out, size_t size)
{
    const ASN1_OCTET_STRING *aki = X509_get0_authority_key_id(cert);
    unsigned char *serial = NULL;
    struct acme_buf text;
    bool ok = true;
    int len;

    acme_buf_init(&text, size - 1);
    len = i2d_ASN1_INTEGER(X509_get0_serialNumber(cert), &serial);
    /* There is none, or there was no memory for it. */
    if (len < 2 || (aki == NULL && acme_openssl_no_memory())) {
        ok = false;
    } else if (aki != NULL) {
        acme_base64_encode(&text, ASN1_STRING_get0_data(aki),
            (size_t)ASN1_STRING_length(aki));
        acme_buf_add_str(&text, ".");
        acme_base64_encode(&text, serial + 2, (size_t)len - 2);
        ok = acme_buf_ok(&text);
    }
    if (ok)
        memcpy(out, acme_buf_str(&text), text.len + 1);
    OPENSSL_free(serial);
    acme_buf_clear(&text);
    return ok;
}

static enum acme_rc
read_leaf(X509 *cert, struct acme_leaf *leaf, struct acme_error *err)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned hash_len = 0;

    if (!acme_x509_time(X509_get0_notBefore(cert), &leaf->not_before) ||
        !acme_x509_time(X509_get0_notAfter(cert), &leaf->not_after))
        return acme_openssl_fail(err, ACME_WIRE,
            "certificate with a malformed time");
    if (!to_hex(ASN1_STRING_get0_data(serial),
            (size_t)ASN1_STRING_length(serial), leaf->serial,
            sizeof(leaf->serial)))
        return acme_error_set(err, ACME_WIRE,
            "certificate with a serial number too long");
    if (!ari_id(cert, leaf->ari_id, sizeof(leaf->ari_id)))
        return acme_openssl_fail(err, ACME_WIRE,
            "certificate with an authority key id too long");
    /* Only memory can be missing for it. */
    if (!X509_digest(cert, EVP_sha256(), hash, &hash_len) ||
        !to_hex(hash, hash_len, leaf->fingerprint, sizeof(leaf->fingerprint)))
        return acme_openssl_fail(err, ACME_NOMEM, "cannot hash");
    issuer_text(cert, leaf->issuer, sizeof(leaf->issuer));
    return ACME_OK;
}

time_t
acme_chain_not_after(const struct acme_chain *chain)
{
    time_t not_after = 0;

    return acme_x509_time(X509_get0_notAfter(acme_chain_x509(chain, 0)),
               &not_after)
               ? not_after
               : 0;
}

enum acme_rc
acme_chain_leaf(const struct acme_chain *chain, struct acme_leaf *leaf,
    struct acme_error *err)
{
    struct acme_leaf found;
    enum acme_rc rc;

    memset(&found, 0, sizeof(found));
    ERR_set_mark();
    rc = read_leaf(chain->cert[0], &found, err);
    ERR_pop_to_mark();
    if (rc == ACME_OK)
        *leaf = found;
    return rc;
}

static bool
entry_is(const X509_NAME_ENTRY *entry, const char *wanted)
{
    unsigned char *text = NULL;
    int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
    bool equal;

    equal = len >= 0 && (size_t)len == strlen(wanted) &&
            memcmp(text, wanted, (size_t)len) == 0;
    OPENSSL_free(text);
    return equal;
}

bool
acme_chain_ends_at(const struct acme_chain *chain, const char *cn)
{
    const X509_NAME *name =
        X509_get_issuer_name(chain->cert[chain->count - 1]);
    bool found = false;
    int i = -1;

    ERR_set_mark();
    while (!found &&
           (i = X509_NAME_get_index_by_NID(name, NID_commonName, i)) >= 0)
        found = entry_is(X509_NAME_get_entry(name, i), cn);
    ERR_pop_to_mark();
    return found;
}

bool
acme_chain_must_staple(const struct acme_chain *chain)
{
    return X509_get_ext_by_NID(chain->cert[0], NID_tlsfeature, -1) >= 0;
}

bool
acme_x509_name(const GENERAL_NAME *entry, char out[ACME_NAME_MAX + 1])
{
    int kind = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(entry, &kind);
    const unsigned char *data;
    struct acme_error ignored;
    int len;

    if (kind != GEN_DNS && kind != GEN_IPADD)
        return false;
    data = ASN1_STRING_get0_data(value);
    len = ASN1_STRING_length(value);
    if (kind == GEN_IPADD)
        return (len == 4 || len == 16) &&
               inet_ntop(len == 4 ? AF_INET : AF_INET6, data, out,
                   ACME_NAME_MAX + 1) != NULL;
    acme_error_clear(&ignored);
    return acme_name_parse((const char *)data, (size_t)len, out, &ignored) ==
               ACME_OK &&
           !acme_name_is_ip(out);
}

/* `good.example\0.evil.example`: what others would read as another name. */
static bool
has_nul(const GENERAL_NAME *entry)
{
    int kind = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(entry, &kind);

    return kind == GEN_DNS && ASN1_STRING_length(value) > 0 &&
           memchr(ASN1_STRING_get0_data(value), '\0',
               (size_t)ASN1_STRING_length(value)) != NULL;
}

enum acme_rc
acme_x509_names(const X509 *cert, struct acme_buf *names,
    struct acme_error *err)
{
    char text[ACME_NAME_MAX + 1];
    GENERAL_NAMES *entries;
    enum acme_rc rc = ACME_OK;
    int critical = -1;
    int i;

    entries = X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL);
    if (entries == NULL && critical != -1)
        return acme_openssl_fail(err, ACME_REFUSED,
            "certificate with malformed names");
    for (i = 0; rc == ACME_OK && i < sk_GENERAL_NAME_num(entries); i++) {
        const GENERAL_NAME *entry = sk_GENERAL_NAME_value(entries, i);

        if (has_nul(entry)) {
            rc = acme_error_set(err, ACME_REFUSED,
                "certificate with a NUL byte in a name");
        } else if (acme_x509_name(entry, text)) {
            acme_buf_addf(names, "%s\n", text);
            if (!acme_buf_ok(names))
                rc = acme_error_nomem(err);
        }
    }
    GENERAL_NAMES_free(entries);
    return rc;
}

enum acme_rc
acme_chain_names(const struct acme_chain *chain, struct acme_buf *names,
    struct acme_error *err)
{
    enum acme_rc rc;

    ERR_set_mark();
    rc = acme_x509_names(chain->cert[0], names, err);
    ERR_pop_to_mark();
    return rc;
}

const char *
acme_x509_next_name(const char **names, char out[ACME_NAME_MAX + 1])
{
    size_t len = strcspn(*names, "\n");

    if ((*names)[len] == '\0')
        return NULL;
    memcpy(out, *names, len);
    out[len] = '\0';
    *names += len + 1;
    return out;
}

bool
acme_chain_covers(const struct acme_chain *chain, const char *name)
{
    char san[ACME_NAME_MAX + 1];
    struct acme_buf names;
    struct acme_error ignored;
    const char *rest;
    bool covered = false;

    acme_error_clear(&ignored);
    acme_buf_init(&names, ACME_X509_NAMES_MAX);
    if (acme_chain_names(chain, &names, &ignored) == ACME_OK) {
        rest = acme_buf_str(&names);
        while (!covered && acme_x509_next_name(&rest, san) != NULL)
            covered = acme_name_covers(san, name);
    }
    acme_buf_clear(&names);
    return covered;
}

bool
acme_x509_matches(const X509 *leaf, const struct acme_key *key)
{
    const EVP_PKEY *public_key = X509_get0_pubkey(leaf);

    return public_key != NULL && acme_openssl_is_whole(public_key) &&
           EVP_PKEY_eq(public_key, acme_key_evp(key)) == 1;
}

bool
acme_chain_matches(const struct acme_chain *chain, const struct acme_key *key)
{
    X509 *again = NULL;
    bool equal;

    ERR_set_mark();
    equal = acme_x509_matches(chain->cert[0], key);
    /* OpenSSL does not say when it was short of memory, and remembers it: a
     * mismatch is one that is found in a copy too. */
    if (!equal && (again = X509_dup(chain->cert[0])) != NULL)
        equal = acme_x509_matches(again, key);
    X509_free(again);
    ERR_pop_to_mark();
    return equal;
}

size_t
acme_chain_useful(const struct acme_chain *chain)
{
    X509 *last = chain->cert[chain->count - 1];
    bool is_root;

    ERR_set_mark();
    is_root = chain->count > 1 && X509_self_signed(last, 1) == 1;
    ERR_pop_to_mark();
    return is_root ? chain->count - 1 : chain->count;
}

enum acme_rc
acme_chain_key_id(const struct acme_chain *chain, char id[ACME_KEY_ID_LEN + 1],
    struct acme_error *err)
{
    char hash[ACME_HASH_HEX] = "";
    unsigned char *spki = NULL;
    EVP_PKEY *key;
    int len = -1;
    enum acme_rc rc = ACME_OK;

    ERR_set_mark();
    key = X509_get0_pubkey(chain->cert[0]);
    if (key != NULL)
        len = i2d_PUBKEY(key, &spki);
    if (len > 0)
        acme_hash_hex(spki, (size_t)len, hash);
    if (hash[0] == '\0')
        rc = acme_openssl_fail(err, ACME_WIRE,
            "the certificate's key cannot be used");
    else
        (void)snprintf(id, ACME_KEY_ID_LEN + 1, "%.*s", ACME_KEY_ID_LEN, hash);
    OPENSSL_free(spki);
    ERR_pop_to_mark();
    return rc;
}
