/*
 * Problems in words for somebody who does not know the protocol and has been
 * woken up.
 */
#ifndef ACME_STATUS_WORDS_H
#define ACME_STATUS_WORDS_H

/*
 * A sentence for what went wrong: by the type of the CA's problem document
 * ("rateLimited"; "": none), else by the kind of error ("net").  It is ours,
 * and it is always there.
 */
const char *acme_status_words(const char *type, const char *result);

#endif
