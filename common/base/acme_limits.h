/*
 * Every bound on what comes from the network, the disk or an operator, with
 * its reason.  Nothing here is tunable at run time: a limit that can be
 * raised by configuration is a limit that will be.
 */
#ifndef ACME_LIMITS_H
#define ACME_LIMITS_H

/* RFC 1035 2.3.4: 253 characters of text; IPv6 text is shorter. */
#define ACME_NAME_MAX 253

/* RFC 5280 A.1: characters of a subject's CN. */
#define ACME_CN_MAX 64

/* Lineage names are file names: leave room for suffixes below NAME_MAX. */
#define ACME_LINEAGE_MAX 200

/* CAs allow 100 names (RFC has no limit); a list of this size is a mistake. */
#define ACME_NAMES_MAX 1000

/* Words of a command that changes the DNS, and the zones that names may be
 * delegated to: what people write by hand. */
#define ACME_COMMAND_WORDS_MAX 16
#define ACME_DNS_ZONES_MAX 8

/* Directories of web servers and the names that they are for: a hundred names
 * with one each, which is what a command line takes. */
#define ACME_WEBROOT_WORDS_MAX 256

/* Hooks of one kind that a lineage may have, beside those in directories:
 * written by hand, too. */
#define ACME_HOOKS_MAX 4

/*
 * The DNS: name servers that are asked in turn (as many as resolv.conf may
 * have), how long one may take (ms) and how often is asked; RFC 1035 4.2.2: a
 * message; RFC 9715: what arrives whole in one packet anywhere; records of an
 * answer that are looked at: TXT records of a name pile up, and four name
 * servers with four addresses each are many.
 */
#define ACME_DNS_SERVERS_MAX 3
#define ACME_DNS_TRY_MS 2000
#define ACME_DNS_TCP_MS 5000
#define ACME_DNS_TRIES 4
#define ACME_DNS_MESSAGE_MAX 65535
#define ACME_DNS_UDP_MAX 1232
#define ACME_DNS_RECORDS_MAX 128
#define ACME_RESOLV_CONF_MAX (64 * 1024)
#define ACME_RESOLVER_TIMEOUT_MAX 3600 /* seconds, of an operator's */

/* Security S44: aliases that are followed one after the other. */
#define ACME_DNS_ALIASES_MAX 8

/* Addresses of a zone's name servers: each is asked for each look. */
#define ACME_DNS_NAME_SERVERS_MAX 16
#define ACME_DNS_ADDRESSES_MAX 32

/* A TSIG key's file; the secret in base64: HMAC-SHA512 hashes keys of more
 * than 128 bytes. */
#define ACME_TSIG_FILE_MAX 8192
#define ACME_TSIG_SECRET_MAX 512

/* What a command may give back for the one that cleans up, and all those
 * of one order together: they must fit into ACME_STATE_JSON_MAX. */
#define ACME_COMMAND_OUTPUT_MAX ((size_t)64 * 1024)
#define ACME_COMMAND_OUTPUTS_MAX ((size_t)96 * 1024)

/* Programs of one server that run or wait for that, at a time. */
#define ACME_ERRANDS_MAX 512

/* Issuers of one configuration, contacts of one issuer. */
#define ACME_ISSUERS_MAX 64
#define ACME_CONTACTS_MAX 16

/* Certificate profiles that a CA offers, and the name of one: what is beyond
 * is taken for not offered.  The longest in use has 11 characters. */
#define ACME_PROFILES_MAX 16
#define ACME_PROFILE_MAX 64

/* CAs to fall back to, beside the first: a longer list would never be gone
 * through before a certificate expires. */
#define ACME_FALLBACKS_MAX 4

/* MAC key of an external account binding, in bytes: HS512 hashes longer ones,
 * and 128 bits are the least that anybody should hand out. */
#define ACME_EAB_KEY_MIN 16
#define ACME_EAB_KEY_MAX 1024

/* Key identifier of such a binding: the longest seen has 32 characters; and
 * the file that both are in, a JSON object with whatever else. */
#define ACME_EAB_KID_MAX 1024
#define ACME_EAB_FILE_MAX 8192

/* Longest URL taken from a CA or a configuration. */
#define ACME_URL_MAX 2048

/* RFC 8555 8.1 asks for 128 bits of entropy (22 characters); 128 characters
 * leave room for any CA in use and keep the reflected text small. */
#define ACME_TOKEN_MAX 128

/* base64url of SHA-256 (RFC 7638). */
#define ACME_THUMBPRINT_LEN 43

/* Thumbprints of other hosts' keys in one configuration: one for each of the
 * accounts that it answers for. */
#define ACME_THUMBPRINTS_MAX 64

/* token "." thumbprint */
#define ACME_KEY_AUTHORIZATION_MAX (ACME_TOKEN_MAX + 1 + ACME_THUMBPRINT_LEN)

/* Decoded bytes of a JSON answer; the largest real one, a directory or an
 * order of 100 names, has about 10 kB. */
#define ACME_JSON_MAX (1024 * 1024)

/* Nesting of a JSON answer: RFC 8555 needs 4.  jansson's own limit of 2048
 * overflows the stack of a small thread. */
#define ACME_JSON_DEPTH_MAX 16

/* Values of one document: `[[],[],...]` makes 100 bytes of memory out of
 * each 3; an order of ACME_NAMES_MAX names has 4000. */
#define ACME_JSON_VALUES_MAX 65536

/* A PEM chain as downloaded, and the certificates in it. */
#define ACME_CHAIN_PEM_MAX (64 * 1024)
#define ACME_CHAIN_CERTS_MAX 10

/* Header bytes of one HTTP answer, and the links kept out of it. */
#define ACME_HTTP_HEADERS_MAX (64 * 1024)
#define ACME_HTTP_LINKS_MAX 8

/* URL of a problem's page: that of Let's Encrypt's portal has a JWT in it, of
 * about 500 characters. */
#define ACME_INSTANCE_MAX 1024

/* Names that a certificate may be without: where more of them fail, something
 * else is wrong. */
#define ACME_LEFT_OUT_MAX 16

/* Other chains of a certificate that are looked at: nobody offers more than
 * two. */
#define ACME_ALTERNATES_MAX 4

/* base64url nonce: the longest seen has 43 characters. */
#define ACME_NONCE_MAX 256

/* One HTTP exchange, and a transfer slower than a byte a second for so long
 * (ms and seconds). */
#define ACME_HTTP_TIMEOUT_MS 60000
#define ACME_HTTP_CONNECT_TIMEOUT_MS 15000
#define ACME_HTTP_STALL_S 15
#define ACME_HTTP_REDIRECTS_MAX 3

/* Pre-flight: what is read of an answer, which should be a key authorization;
 * how long one name may take in all (ms), the addresses of one that are tried,
 * and the addresses that this server listens on. */
#define ACME_PROBE_BODY_MAX 512
#define ACME_PREFLIGHT_MS 5000
#define ACME_PREFLIGHT_ADDRESSES_MAX 8
#define ACME_LISTENERS_MAX 32

/* A text of what was found, all of them for the record, and what directories
 * say of CAA records. */
#define ACME_FINDING_MAX 384
#define ACME_PREFLIGHT_TEXT_MAX 480
#define ACME_CAA_IDENTITIES_MAX 8

/* A Retry-After while polling is obeyed between these (seconds); above
 * ACME_INLINE_WAIT_MAX the job is handed back to the scheduler instead of
 * sleeping with locks held. */
#define ACME_POLL_MIN 1
#define ACME_POLL_MAX 60
#define ACME_INLINE_WAIT_MAX 10

/* Looks at renewal information (seconds): the bounds of RFC 9773 4.3.2, and
 * where a CA does not say when; Let's Encrypt asks for two a day at least. */
#define ACME_LOOK_MIN 60
#define ACME_LOOK_MAX (24 * 3600)
#define ACME_LOOK_DEFAULT (6 * 3600)

/* A responder's answer (OCSP) has some 500 bytes, and 2 kB with a certificate
 * of its own. */
#define ACME_OCSP_MAX (64 * 1024)

/* How long a responder may take (ms). */
#define ACME_OCSP_TIMEOUT_MS 10000

/* An answer that is sent with handshakes: beside keys and chains there is room
 * for one of each pair.  Least time between two that are good (seconds). */
#define ACME_STAPLE_MAX 8192
#define ACME_STAPLE_MIN 60

/* How long a certificate that must not be without one waits for its first
 * (seconds), and between two questions (ms): a responder may hear of it later
 * than we. */
#define ACME_STAPLE_WAIT 10
#define ACME_STAPLE_PAUSE_MS 3000

/* Revocation lists: one that is fetched (those in parts have some 100 kB, and
 * 4 MB are 100 000 entries), those kept at a time and their memory, and how
 * long one counts (seconds), whatever it says of the next. */
#define ACME_CRL_MAX (4 * 1024 * 1024)
#define ACME_CRLS_MAX 256
#define ACME_CRLS_SIZE_MAX ((size_t)16 * 1024 * 1024)
#define ACME_CRL_LIFE_MIN 3600
#define ACME_CRL_LIFE_MAX (24 * 3600)

/* The URL of a page that explains such information, shown to people. */
#define ACME_EXPLANATION_MAX 512

/* A Retry-After of 429 or 503 is remembered for at most a week (no CA
 * documents a longer limit). */
#define ACME_RETRY_AFTER_MAX (7 * 24 * 3600)

/* Polls of one authorization or order before the job is handed back, and the
 * shortest time it is handed back for then (seconds). */
#define ACME_POLLS_INLINE 10
#define ACME_POLL_PAUSE 15

/* An order is given up after so long, whatever its CA says of `expires`:
 * Let's Encrypt's live a week, and so does most that has to be looked at by
 * people (seconds). */
#define ACME_ORDER_AGE_MAX (8 * 24 * 3600)

/* Jobs at work side by side in one engine, and at one CA: it should not see a
 * crowd. */
#define ACME_JOBS_MAX 8
#define ACME_JOBS_PER_CA 4

/* Jobs that have begun, those that wait for an answer included: a CA that
 * wants to be asked again in a second or two does not hold up the next. */
#define ACME_JOBS_OPEN 320
#define ACME_JOBS_OPEN_PER_CA 256

/* Marks in the ledger of an account: each a name with a failure of the last
 * hour, or a set of names; they must fit into ACME_STATE_JSON_MAX. */
#define ACME_LEDGER_MARKS_MAX 700

/* Seconds between our clock and a CA's: from here on somebody is told, and
 * from here on one of them is so wrong that the CA's says what is due. */
#define ACME_CLOCK_WARN 60
#define ACME_CLOCK_WRONG 3600

/* badNonce answers in a row before a request gives up. */
#define ACME_NONCE_RETRIES 5

/* One frame between engine and store (security: bounded before it is read). */
#define ACME_FRAME_MAX (256 * 1024)

/* One JSON file of the state directory; one PEM file. */
#define ACME_STATE_JSON_MAX (256 * 1024)
#define ACME_STATE_PEM_MAX (64 * 1024)

/* What one server remembers of its lineages: a hundred thousand names. */
#define ACME_ROSTER_MAX (32 * 1024 * 1024)

/* Key types of one lineage, and the room of one lineage in shared memory:
 * RSA 4096 key (2.4 kB) plus chain, for each of the types. */
#define ACME_TYPES_MAX 4
#define ACME_SLOT_BYTES (64 * 1024)
#define ACME_CHAIN_DER_MAX (24 * 1024)

/* Pairs in that room: its own, and others' while its own do not cover all of
 * its names. */
#define ACME_SLOT_PAIRS_MAX 16

/* The status of one lineage as text, for workers: a usual one has 2 kB, one
 * with two key types and a failure 4 kB; lists that are longer are cut. */
#define ACME_STATUS_BYTES (16 * 1024)

/* Pending challenges of other processes that one area can hold. */
#define ACME_TOKENS_MAX 1024

/* A key for the certificates of tls-alpn-01: PKCS#8 of an RSA 2048 key has
 * 1.2 kB. */
#define ACME_ALPN_KEY_MAX 2048

/* Parsed certificates that one worker keeps. */
#define ACME_LIVE_CACHE_DEFAULT 4096

/* Text of a log line and of a message out of the network. */
#define ACME_LOG_LINE_MAX 1024
#define ACME_FOREIGN_TEXT_MAX 512

/* Of a tracking record, with its end; and bytes of a file of records, of which
 * there are two of each lineage. */
#define ACME_TRACK_ID_MAX 65
#define ACME_TRACK_FILE_MAX ((size_t)4 * 1024 * 1024)

/* Events: each text of one, its line, in which JSON may double them, and a
 * file of them, of which three are kept: some thousands. */
#define ACME_EVENT_TEXT_MAX 512
#define ACME_EVENT_LINE_MAX (16 * 1024)
#define ACME_EVENTS_FILE_MAX ((size_t)1024 * 1024)

/* Steps that a record keeps of an attempt: the seven there are, and some more
 * of one that has been resumed. */
#define ACME_STEPS_MAX 12

/* Complete versions kept of a lineage. */
#define ACME_VERSIONS_KEPT 5
#define ACME_VERSION_MIN_AGE 3600

/* A forced renewal that costs an order: once in this time per lineage. */
#define ACME_FORCE_INTERVAL 3600

/* What workers ask for, who face the network: once in this time per lineage,
 * and so often in an hour for all lineages. */
#define ACME_ASK_INTERVAL 600
#define ACME_ASKS_PER_HOUR 60

#endif
