/*
 * Verbs about the DNS and challenges.
 */
#include "acmectl/ctl_options.h"

const struct ctl_verb ctl_verbs_dns[] = {
    { .name = "dns records",
        .group = CTL_GROUP_DNS,
        .flags = CTL_OPERANDS,
        .run = ctl_dns_records,
        .options = "domains type ttl until",
        .usage = "[LINEAGE]... [--type TYPE,...] [--ttl SECONDS] "
                 "[--until TIME]\n"
                 "-d NAME... [--type TYPE,...] [--ttl SECONDS] [--until TIME]",
        .summary = "the records that prove names, for a zone file",
        .text =
            "Prints lines of a zone file, for you to publish: the records of "
            "all names of all lineages, of those lineages, or with `-d` of "
            "those names, at each of their CAs. Nothing is asked over the "
            "network; domain names of CAs come from a table or the "
            "configuration (`issuer_domain`, `ACMEIssuerDomain`), accounts "
            "from the state directory, never from what a CA says of itself. A "
            "name that no lineage has gets its records at every CA of the "
            "state directory. IP addresses have none. `--type` says which:\n"
            "* `caa`: that only this CA may issue, to this account "
            "(`accounturi`), by the challenges that are configured or can "
            "work (`validationmethods`); `issuewild` for wildcards\n"
            "* `dns-01`: where the record of an order will be, as a comment, "
            "or a CNAME into the first zone that names may be delegated to\n"
            "* `dns-account-01`: the same at the label of this account\n"
            "* `dns-persist-01`: the record that authorizes this account for "
            "good, with `policy=wildcard` where the lineage has the name's "
            "wildcard\n"
            "Without `--type` it is `caa`, and of the others what the "
            "configuration uses. What cannot be told, of a CA without an "
            "account or a domain name, is named on standard error, and the "
            "exit status is 1. CAA records count all together: where you have "
            "some of other CAs or for other hosts, keep them.\n" },
    { .name = "dns check",
        .group = CTL_GROUP_DNS,
        .flags = CTL_OPERANDS,
        .run = ctl_dns_check,
        .options = "domains type ttl until",
        .usage = "[LINEAGE]... [--type TYPE,...]\n"
                 "-d NAME... [--type TYPE,...]",
        .summary = "the same, as they are in the DNS",
        .text =
            "Looks the records of `dns records` up, at the name servers of "
            "the configuration (`acme_dns_resolver`, `ACMEDNSResolver`) or of "
            "this host, in processes separated as the server's are, and "
            "judges them: whether the CAA records of the name, or of the "
            "nearest domain above it that has some, allow this account at "
            "this CA with a challenge that can work; whether the record of "
            "dns-persist-01 is there and good; whether the place of dns-01 "
            "leads where records may be made. A line begins with \"ok\" or "
            "\"BAD\", and what should be published follows. The exit status "
            "is 1 if anything is bad or could not be told.\n" },
    { .name = "selftest",
        .group = CTL_GROUP_DNS,
        .flags = CTL_OPERANDS,
        .run = ctl_selftest,
        .options = "cert-name domains",
        .usage = "[--cert-name NAME] [[-d] NAME...]",
        .summary = "whether the CA will find the proof of names",
        .text =
            "Shows whether the CA will find the proof of each name, or of "
            "those named, as far as that can be known here: the challenge "
            "that is tried first; whether a running server answers it for the "
            "name (\"binding\"); whether whoever is at the addresses that the "
            "name has in the DNS does (\"reachability\"); whether CAA records "
            "allow the CA, the account and the challenge; and whether a "
            "validating resolver finds the DNS answers bogus. Each is "
            "\"good\", \"unknown\" (cannot be told from here), \"doubt\" "
            "(looks wrong, and may not be so for the CA), \"bad\", or \"-\" "
            "where it does not apply; below the table is why. The exit status "
            "is 1 if something is bad.\n"
            "Nothing is ordered: the CA is asked for its directory alone. For "
            "servers that answer the tokens of orders alone (`acme_stateless "
            "pending`), and for names that tls-alpn-01 proves, which are "
            "asked for by handshakes, a token is made one for some seconds, "
            "unless an order is in flight.\n" },
    { .name = NULL },
};
