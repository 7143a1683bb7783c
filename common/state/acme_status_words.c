#include "state/acme_status_words.h"

#include <stddef.h>
#include <string.h>

struct sentence {
    const char *word;
    const char *text;
};

/* RFC 8555 6.7, RFC 8739, RFC 9773 and what CAs have besides. */
static const struct sentence problems[] = {
    { "accountDoesNotExist",
        "The CA does not know our account any more; it is "
        "made again." },
    { "alreadyReplaced", "The CA has another order that replaces this "
                         "certificate." },
    { "alreadyRevoked", "The certificate was revoked already." },
    { "badCSR", "The CA does not take the signing request." },
    { "badNonce", "The CA did not take our nonces, several times." },
    { "badPublicKey", "The CA does not take this key." },
    { "badSignatureAlgorithm", "The CA does not take signatures of this "
                               "account key." },
    { "caa", "A CAA record in the DNS forbids this CA to issue for a name." },
    { "connection", "The CA could not connect to this server under a name of "
                    "the certificate." },
    { "dns", "The CA could not look up a name in the DNS." },
    { "externalAccountRequired", "The CA wants an account binding, and none "
                                 "is configured." },
    { "incorrectResponse", "What the CA found at a name was not the answer to "
                           "its challenge. Does the name lead to this "
                           "server?" },
    { "invalidContact", "The CA does not take the contact address." },
    { "invalidProfile", "The CA does not have the profile that is "
                        "configured." },
    { "malformed", "The CA found a request of ours malformed." },
    { "orderNotReady", "The CA was not ready to complete the order." },
    { "rateLimited", "The CA has had too many requests of us for now." },
    { "rejectedIdentifier", "The CA does not issue for a name of the "
                            "certificate." },
    { "serverInternal", "The CA has trouble of its own." },
    { "tls", "The CA could not make a TLS connection to this server under a "
             "name of the certificate." },
    { "unauthorized", "The CA did not find the proof at a name of the "
                      "certificate. Does the name lead to this server?" },
    { "unsupportedContact", "The CA does not take this kind of contact." },
    { "unsupportedIdentifier", "The CA does not issue for names of this "
                               "kind." },
    { "userActionRequired", "The CA wants a person to do something, mostly to "
                            "agree to new terms." },
};

static const struct sentence results[] = {
    { "problem", "The CA said no." },
    { "net", "There was no answer from the CA, or no way to it." },
    { "wire", "The CA's answer could not be understood." },
    { "config", "Something in the configuration has to be changed first." },
    { "refused", "The certificate that came was not good, and was not "
                 "taken." },
    { "unready", "Something that the certificate needs is not ready yet." },
    { "io", "A file could not be read or written." },
    { "nomem", "There was not enough memory." },
    { "crypto", "A key or a certificate could not be worked with." },
};

static const char *
find(const struct sentence *list, size_t n, const char *word)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (strcmp(list[i].word, word) == 0)
            return list[i].text;
    return NULL;
}

#define FIND(list, word) find(list, sizeof(list) / sizeof((list)[0]), word)

const char *
acme_status_words(const char *type, const char *result)
{
    const char *text = FIND(problems, type);

    if (text == NULL)
        text = FIND(results, result);
    return text != NULL ? text : "The last attempt failed.";
}
