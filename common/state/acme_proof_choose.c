/*
 * Which challenge can prove which name.
 */
#include <string.h>

#include "base/acme_name.h"
#include "state/acme_proof.h"

bool
acme_command_makes(enum acme_command_kind kind, enum acme_challenge_type type)
{
    switch (kind) {
    case ACME_COMMAND_NONE:
        return false;
    case ACME_COMMAND_CERTBOT:
        return type == ACME_DNS_01 || type == ACME_HTTP_01;
    case ACME_COMMAND_MOD_MD:
        return type == ACME_DNS_01;
    case ACME_COMMAND_UACME:
        return type == ACME_DNS_01 || type == ACME_DNS_ACCOUNT_01 ||
               type == ACME_HTTP_01;
    case ACME_COMMAND_ACME_SH:
        break;
    }
    return type == ACME_DNS_01 || type == ACME_DNS_ACCOUNT_01;
}

bool
acme_command_has_label(enum acme_command_kind kind)
{
    return kind == ACME_COMMAND_CERTBOT || kind == ACME_COMMAND_MOD_MD ||
           kind == ACME_COMMAND_UACME;
}

/* Whether the record of that challenge can be there. */
static bool
has_record(const struct acme_proof *proof, enum acme_challenge_type type)
{
    if (type == ACME_DNS_PERSIST_01)
        return proof->persist != NULL;
    if (proof->command.kind != ACME_COMMAND_NONE)
        return acme_command_makes(proof->command.kind, type);
    return proof->dns_server != NULL || acme_proof_is_by_hand(proof);
}

bool
acme_proof_is_by_hand(const struct acme_proof *proof)
{
    return proof->answer.by == ACME_ANSWERER_MANUAL &&
           proof->command.kind == ACME_COMMAND_NONE &&
           proof->dns_server == NULL;
}

bool
acme_proof_is_made(const struct acme_proof *proof,
    enum acme_challenge_type type)
{
    return acme_challenge_is_dns(type)
               ? type != ACME_DNS_PERSIST_01
               : proof->answer.by != ACME_ANSWERER_SERVER;
}

/* Where nobody who runs here answers, but who was named for it. */
static bool
can_answer(const struct acme_proof *proof, const char *name,
    enum acme_challenge_type type)
{
    switch (proof->answer.by) {
    case ACME_ANSWERER_WEBROOT:
        return type == ACME_HTTP_01 &&
               acme_answer_webroot(&proof->answer, name) != NULL;
    case ACME_ANSWERER_MANUAL:
        return type == ACME_HTTP_01 &&
               (acme_proof_is_by_hand(proof) ||
                   acme_command_makes(proof->command.kind, type));
    case ACME_ANSWERER_SERVER:
    case ACME_ANSWERER_STANDALONE:
        break;
    }
    return true;
}

bool
acme_proof_admits(const struct acme_proof *proof,
    enum acme_challenge_type type)
{
    size_t i;

    for (i = 0; i < proof->nchallenges; i++)
        if (proof->challenge[i] == type)
            return true;
    return proof->nchallenges == 0;
}

bool
acme_proof_has_dns(const struct acme_proof *proof)
{
    size_t i;

    for (i = 0; i < proof->nchallenges; i++)
        if (acme_challenge_is_dns(proof->challenge[i]) &&
            has_record(proof, proof->challenge[i]))
            return true;
    return proof->nchallenges == 0 && has_record(proof, ACME_DNS_01);
}

/* From what on it is worth trying. */
enum hope {
    CERTAIN,
    LIKELY,
    CONFIGURED
};

static bool
can_arrive(enum acme_arrival arrival, enum hope hope)
{
    switch (arrival) {
    case ACME_ARRIVAL_YES:
        return true;
    case ACME_ARRIVAL_UNKNOWN:
        return hope != CERTAIN;
    case ACME_ARRIVAL_NO:
        return hope == CONFIGURED;
    case ACME_ARRIVAL_NEVER:
        break;
    }
    return false;
}

static bool
can_prove(const struct acme_proof *proof, const struct acme_reach *reach,
    const char *name, enum acme_challenge_type type, enum hope hope)
{
    if (acme_challenge_is_dns(type))
        return !acme_name_is_ip(name) && has_record(proof, type);
    if (acme_name_is_wildcard(name))
        return false;
    if (proof->answer.by != ACME_ANSWERER_SERVER)
        return can_answer(proof, name, type);
    return can_arrive(type == ACME_HTTP_01 ? reach->http : reach->tls, hope);
}

size_t
acme_proof_choose(const struct acme_proof *proof,
    const struct acme_reach *reach, const char *name,
    enum acme_challenge_type type[ACME_CHALLENGE_TYPES])
{
    static const struct {
        enum acme_challenge_type type;
        enum hope hope;
    } order[] = { { ACME_HTTP_01, CERTAIN }, { ACME_TLS_ALPN_01, CERTAIN },
        { ACME_DNS_01, CERTAIN }, { ACME_HTTP_01, LIKELY },
        { ACME_TLS_ALPN_01, LIKELY } };
    bool taken[ACME_CHALLENGE_TYPES] = { false };
    size_t i, n = 0;

    for (i = 0; i < proof->nchallenges; i++)
        if (can_prove(proof, reach, name, proof->challenge[i], CONFIGURED))
            type[n++] = proof->challenge[i];
    for (i = 0;
         proof->nchallenges == 0 && i < sizeof(order) / sizeof(order[0]);
         i++) {
        if (taken[order[i].type] ||
            !can_prove(proof, reach, name, order[i].type, order[i].hope))
            continue;
        taken[order[i].type] = true;
        type[n++] = order[i].type;
    }
    return n;
}

/* Its program is of another opinion. */
static bool
lacks_program(const struct acme_proof *proof)
{
    size_t i;

    for (i = 0; i < proof->nchallenges; i++)
        if (proof->challenge[i] == ACME_DNS_ACCOUNT_01 &&
            proof->command.kind != ACME_COMMAND_NONE &&
            !has_record(proof, ACME_DNS_ACCOUNT_01))
            return true;
    return false;
}

/* Why none of the configured ones will do. */
static const char *
reason(const struct acme_proof *proof, const char *name)
{
    if (lacks_program(proof) && !acme_name_is_ip(name))
        return "programs for Certbot and mod_md know dns-01 alone, not "
               "dns-account-01; one for uacme or acme.sh can be told of it";
    if (acme_name_is_wildcard(name))
        return acme_proof_has_dns(proof)
                   ? "a wildcard is proved by a record in the DNS alone; add "
                     "dns-01 to the challenges"
                   : "a wildcard is proved by a record in the DNS alone; say "
                     "how to change it, with acme_challenge_cmd or "
                     "acme_dns_update (ACMEChallengeCmd or ACMEDNSUpdate)";
    if (proof->answer.by == ACME_ANSWERER_WEBROOT)
        return "files below a webroot prove http-01 alone, and names that "
               "have one; name its directory with --webroot-path or "
               "--webroot-map, and leave http-01 among the challenges";
    if (proof->answer.by == ACME_ANSWERER_MANUAL)
        return "by hand, or by a program, http-01 and dns-01 can be proved; "
               "leave one of them among the challenges";
    if (acme_name_is_ip(name))
        return "an IP address is not proved by the DNS, and nothing arrives "
               "here at port 80 or 443 for the challenges that remain";
    if (proof->nchallenges > 0)
        return "none of its challenges can work here: dns-01 needs a command "
               "or server that changes the DNS, and the others a port that "
               "acme_port_map (ACMEPortMap) does not say no to";
    return "nothing listens for the CA at port 80 or 443, and nothing changes "
           "the DNS; add \"listen 80\" (\"Listen 80\"), say where those ports "
           "lead with acme_port_map (ACMEPortMap), or, if another node "
           "answers for this one, name the challenge: acme_challenge http-01 "
           "(ACMECAChallenges http-01)";
}

enum acme_rc
acme_proof_check(const struct acme_proof *proof,
    const struct acme_reach *reach, const char *name, struct acme_error *err)
{
    enum acme_challenge_type type[ACME_CHALLENGE_TYPES];

    if (acme_proof_choose(proof, reach, name, type) > 0)
        return ACME_OK;
    return acme_error_set(err, ACME_CONFIG, "\"%s\" cannot be proved: %s",
        name, reason(proof, name));
}
