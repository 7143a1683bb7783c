/*
 * The table of options, and how one takes its value.
 */
#include "acmectl/ctl_options.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "protocol/acme_revoke.h"

#define CHOICES_MAX 256 /* of the choices of one option, as text */

#define AT(field) offsetof(struct ctl, field)

const struct ctl_option ctl_options[] = {
    { .name = "state-dir",
        .kind = CTL_TEXT,
        .flags = CTL_GLOBAL,
        .at = AT(state_dir),
        .value = "DIR",
        .text =
            "The state directory. Without it `ACME_STATE_DIR` counts, then "
            "the configuration file, then every built-in default that exists; "
            "what changes something needs exactly one.\n" },
    { .name = "config",
        .letter = 'c',
        .kind = CTL_TEXT,
        .flags = CTL_GLOBAL | CTL_ONCE,
        .at = AT(config),
        .value = "FILE",
        .text = "The configuration file, in place of those that are looked "
                "for; see `acmectl help configuration`.\n" },
    { .name = "json",
        .kind = CTL_FLAG,
        .flags = CTL_GLOBAL,
        .at = AT(json),
        .text = "Print JSON; see `acmectl help json`.\n" },
    { .name = "quiet",
        .letter = 'q',
        .kind = CTL_FLAG,
        .flags = CTL_GLOBAL,
        .at = AT(quiet),
        .text = "Print errors only, and ask nothing. With `--json` without "
                "effect on lists.\n" },
    { .name = "verbose",
        .letter = 'v',
        .kind = CTL_COUNT,
        .flags = CTL_GLOBAL,
        .at = AT(verbose),
        .text =
            "Print the steps of what acmectl does itself, on standard error; "
            "in lists, the steps of the last attempt with their times.\n" },
    { .name = "non-interactive",
        .aliases = "noninteractive",
        .letter = 'n',
        .kind = CTL_FLAG,
        .flags = CTL_GLOBAL,
        .at = AT(non_interactive),
        .text =
            "Ask nothing: where there is a question, the option that answers "
            "it has to be given. So it is too where standard input or "
            "standard error is no terminal.\n" },
    { .name = "log-file",
        .kind = CTL_TEXT,
        .flags = CTL_GLOBAL,
        .at = AT(log_file),
        .value = "FILE",
        .text = "Write the steps and all messages to this file as well.\n" },
    { .name = "max-log-backups",
        .kind = CTL_NUMBER,
        .flags = CTL_GLOBAL,
        .at = AT(max_log_backups),
        .value = "N",
        .most = 1000,
        .standard = 1000,
        .text =
            "How many log files of commands before this one are kept, as "
            "FILE.1, the youngest, FILE.2, ...; 1000 without it. With 0 one "
            "file is written on and on.\n" },
    { .name = "help",
        .letter = 'h',
        .kind = CTL_FLAG,
        .flags = CTL_GLOBAL | CTL_ONCE,
        .at = AT(help),
        .text = "Print what the verb does, or all verbs.\n" },
    { .name = "version",
        .kind = CTL_FLAG,
        .flags = CTL_GLOBAL | CTL_ONCE,
        .at = AT(version),
        .text = "Print the versions of this program and its libraries.\n" },

    { .name = "cert-name",
        .kind = CTL_WORDS,
        .flags = CTL_ONCE,
        .at = AT(cert_names),
        .value = "NAME",
        .text =
            "Only this lineage; where several can be meant it may be given "
            "for each. That there is none of that name is an error.\n" },
    { .name = "new-name",
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(new_name),
        .value = "NAME",
        .text = "What the lineage is called here.\n" },
    { .name = "domains",
        .aliases = "domain",
        .letter = 'd',
        .kind = CTL_LIST,
        .flags = CTL_ONCE,
        .at = AT(domains),
        .value = "NAME",
        .text = "These names, with commas or spaces between, or one at a "
                "time.\n" },
    { .name = "details",
        .letter = 'd',
        .kind = CTL_FLAG,
        .at = AT(details),
        .text = "Show more; of an account, what its CA says of it.\n" },
    { .name = "force",
        .aliases = "force-renewal renew-by-default",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(force),
        .text =
            "Do it although there is a reason against it, which the verb "
            "says. Of a renewal: although nothing is due; an order made by "
            "force is possible once an hour for each lineage, as it counts "
            "towards the CA's limits.\n" },
    { .name = "dry-run",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(dry_run),
        .text = "Try it, and keep nothing.\n" },
    { .name = "no-wait",
        .kind = CTL_FLAG,
        .at = AT(no_wait),
        .text = "Do not wait for the server's answer, but for what it refuses "
                "within a second. Without effect where acmectl does the work "
                "itself.\n" },
    { .name = "authenticator",
        .letter = 'a',
        .kind = CTL_TEXT,
        .at = AT(authenticator),
        .value = "NAME",
        .choices = "server standalone webroot manual",
        .text = "Who answers the CA: `server`, which it is without this, is "
                "one on the same state directory; the others are "
                "`--standalone`, `--webroot` and `--manual`.\n" },
    { .name = "server",
        .aliases = "acme-url",
        .letter = 'a',
        .kind = CTL_TEXT,
        .at = AT(server),
        .value = "URL",
        .assumed = CTL_ASSUMED_SERVER,
        .text =
            "The directory of the CA that is meant, a short name as "
            "`letsencrypt`, or the name of an issuer in the configuration of "
            "a server that runs, or of a lineage: that CA is then talked to "
            "as the server does. Without it, the CA that the state directory "
            "names counts. The letter is not that of `issue`.\n" },
    { .name = "account",
        .kind = CTL_TEXT,
        .at = AT(account),
        .value = "ID",
        .text =
            "The account with the key of that id, as `account list` shows it. "
            "Where there is more than one, this or `--server` is wanted.\n" },
    { .name = "account-url",
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(account_url),
        .value = "URL",
        .text = "The account's URL at the CA, which is asked for it "
                "otherwise.\n" },
    { .name = "into",
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(into),
        .value = "ID",
        .text = "The account that is to be used, by the id of its key.\n" },
    { .name = "no-contact",
        .aliases = "register-unsafely-without-email",
        .kind = CTL_FLAG,
        .at = AT(no_contact),
        .text = "The account has no contacts: the CA tells nobody of what it "
                "would, and who loses the key has lost the account.\n" },
    { .name = "offline",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(offline),
        .text = "Do not ask the CA.\n" },
    { .name = "replace",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(replace),
        .text = "Another account, with a new key, takes the place of the one "
                "that there is, whose key is lost or no use any more.\n" },
    { .name = "confirm",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(confirm),
        .text = "Yes to the question that the verb asks otherwise.\n" },
    { .name = "cert-path",
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(cert_path),
        .value = "FILE",
        .text =
            "A certificate, in PEM or DER; of more than one, the first. With "
            "`--csr`: where the certificate goes, a file that must not "
            "exist.\n" },
    { .name = "chain-path",
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(chain_path),
        .value = "FILE",
        .text = "With `--csr`: where the certificates of the issuers go, for "
                "which see `--cert-path`.\n" },
    { .name = "fullchain-path",
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(fullchain_path),
        .value = "FILE",
        .text = "With `--csr`: where the certificate goes with those of its "
                "issuers behind it.\n" },
    { .name = "csr",
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(csr),
        .value = "FILE",
        .text = "A signing request, PEM or DER, for whose names and key the "
                "certificate is; the key is not needed here.\n" },
    { .name = "key-path",
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(key_path),
        .value = "FILE",
        .text = "Its key, which is to sign; the account is not asked.\n" },
    { .name = "reason",
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(reason),
        .value = "REASON",
        .choices = ACME_REASONS,
        .text = "Why: one of `unspecified`, which it is without this option, "
                "`keycompromise`, `affiliationchanged`, `superseded`, "
                "`cessationofoperation`.\n" },
    { .name = "no-delete-after-revoke",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(no_delete),
        .text = "Keep the files of the lineage.\n" },
    { .name = "delete-after-revoke",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(delete_after),
        .text = "Delete the lineage then, with all its versions.\n" },
    { .name = "yes",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(yes),
        .text = "Do not ask whether it is meant.\n" },
    { .name = "checkpoints",
        .kind = CTL_NUMBER,
        .flags = CTL_ONCE,
        .at = AT(checkpoints),
        .value = "N",
        .least = 1,
        .most = 999999999,
        .text = "How many versions to go back; 1 without it.\n" },
    { .name = "to",
        .kind = CTL_NUMBER,
        .flags = CTL_ONCE,
        .at = AT(to),
        .value = "VERSION",
        .least = 1,
        .most = 999999999,
        .text = "To this version, back or forth.\n" },
    { .name = "of-version",
        .kind = CTL_NUMBER,
        .flags = CTL_ONCE,
        .at = AT(of_version),
        .value = "VERSION",
        .least = 1,
        .most = 999999999,
        .text = "Of this version; of the live one without it.\n" },
    { .name = "format",
        .kind = CTL_TEXT,
        .at = AT(format),
        .value = "FORMAT",
        .choices = "pem der pkcs12 p12 pfx haproxy json certbot",
        .text = "* `pem`: the key, the certificate, its chain; without it so\n"
                "* `haproxy`: the certificate, its chain, the key\n"
                "* `der`: the certificate alone, or the key alone\n"
                "* `pkcs12`, `p12`, `pfx`: all of it, under a password\n"
                "* `certbot`: a directory as Certbot's, with accounts\n"
                "* `json`: of `account export` alone\n" },
    { .name = "part",
        .kind = CTL_TEXT,
        .at = AT(part),
        .value = "PART",
        .choices = "all key cert chain fullchain",
        .text = "Only this of it; with a key `all` and `key`.\n" },
    { .name = "output",
        .letter = 'o',
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(output),
        .value = "FILE",
        .text = "Into this file, which must not exist; it is made for its "
                "owner alone. `-` is standard output, a terminal too.\n" },
    { .name = "password-file",
        .kind = CTL_TEXT,
        .at = AT(password_file),
        .value = "FILE",
        .text = "The password is the first line of this file, which nobody "
                "else may be able to read; without it a person is asked.\n" },
    { .name = "key-algorithm",
        .kind = CTL_TEXT,
        .at = AT(key_algorithm),
        .value = "ALGORITHM",
        .choices = "ecdsa rsa",
        .text = "Of several certificates that with such a key; the first one "
                "without it.\n" },
    { .name = "private-key",
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(private_key),
        .value = "FILE",
        .text = "The certificate's key, in PEM, in a file that nobody else "
                "can read.\n" },
    { .name = "certificate",
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(certificate),
        .value = "FILE",
        .text = "The certificate, in PEM or DER, its issuers behind it or in "
                "`--chain`.\n" },
    { .name = "chain",
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(chain),
        .value = "FILE",
        .text = "The issuers of the certificate, each behind the one that it "
                "has signed.\n" },
    { .name = "print",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(print),
        .text = "Print it, and change nothing.\n" },
    { .name = "type",
        .kind = CTL_TEXT,
        .at = AT(type),
        .value = "TYPE,...",
        .choices = "caa dns-01 dns-account-01 dns-persist-01",
        .text = "Records of these types only.\n" },
    { .name = "ttl",
        .kind = CTL_NUMBER,
        .at = AT(ttl),
        .value = "SECONDS",
        .most = INT32_MAX,
        .standard = 600,
        .text = "Their time to live, 600 without it.\n" },
    { .name = "until",
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(until),
        .value = "TIME",
        .text = "Records of dns-persist-01 count until then only "
                "(`persistUntil`); as in RFC 3339.\n" },
    { .name = "lines",
        .kind = CTL_NUMBER,
        .at = AT(lines),
        .value = "N",
        .most = 1000000,
        .standard = 20,
        .text = "Show as many of those that there are; 20 without it.\n" },
    { .name = "follow",
        .letter = 'f',
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(follow),
        .text = "Go on until interrupted.\n" },
    { .name = "key",
        .letter = 'k',
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(key),
        .value = "FILE|TYPE",
        .text = "A private key, in PEM, that nobody else can read; or the "
                "type of a new one: `ecdsa`, `ecdsa:384`, `ecdsa:521`, "
                "`rsa`, `rsa:3072`, `rsa:4096`.\n" },
    { .name = "subject",
        .kind = CTL_WORDS,
        .at = AT(subject),
        .value = "FIELD=VALUE",
        .text =
            "More of the request's subject, an option for each: `C` "
            "(`country`), `ST` (`state`), `L` (`city`), `O` (`company`), "
            "`OU` (`unit`), `street`, `postalCode`, `emailAddress` "
            "(`email`). Authorities that only validate domains ignore it.\n" },
    { .name = "must-staple",
        .kind = CTL_FLAG,
        .at = AT(must_staple),
        .text = "Ask for a certificate that no client takes without a stapled "
                "answer of OCSP.\n" },
    { .name = "repair",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(repair),
        .text = "Put right what has one right answer.\n" },
    { .name = "connect",
        .kind = CTL_FLAG,
        .at = AT(connect),
        .text = "Look at what the servers that run show to clients, too.\n" },
    { .name = "connect-to",
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(connect_to),
        .value = "HOST:PORT",
        .text = "Look at what this server shows instead; port 443 without "
                "PORT, and brackets around an IPv6 address with it.\n" },
    { .name = "ocsp",
        .kind = CTL_FLAG,
        .at = AT(ocsp),
        .text = "Ask the responders of the CAs whether a certificate is "
                "revoked.\n" },
    { .name = "no-keys",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(no_keys),
        .text = "Without private keys, those of accounts too.\n" },
    { .name = "no-accounts",
        .aliases = "no-account",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(no_accounts),
        .text = "Without the accounts and their keys.\n" },
    { .name = "redirect",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(redirect),
        .text = "Send plain requests to https, for good.\n" },
    { .name = "no-redirect",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(no_redirect),
        .text = "Take that back.\n" },
    { .name = "hsts",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(hsts),
        .text = "Tell clients to come by https alone for a year.\n" },
    { .name = "no-hsts",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(no_hsts),
        .text = "Tell them no more, for a year or what grows. They remember "
                "what they were told: see `acme_hsts 0`, `ACMEHSTS 0`.\n" },
    { .name = "auto-hsts",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(auto_hsts),
        .text = "Tell them so for a minute at first, for longer every other "
                "day, and for a year when the certificate has been renewed "
                "after that.\n" },
    { .name = "no-auto-hsts",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(no_auto_hsts),
        .text = "Take that back, as `--no-hsts`.\n" },
    { .name = "uir",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(uir),
        .text = "Have clients fetch all that pages refer to by https "
                "(upgrade-insecure-requests).\n" },
    { .name = "no-uir",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(no_uir),
        .text = "Take that back.\n" },
    { .name = "staple-ocsp",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(staple_ocsp),
        .text = "Certbot's; here an error that names the directives for "
                "it.\n" },
    { .name = "lock-timeout",
        .kind = CTL_NUMBER,
        .at = AT(lock_timeout),
        .value = "SECONDS",
        .most = 86400,
        .standard = 30,
        .text = "How long a lineage is waited for that somebody else is at "
                "work on; 30 without it. Then the exit status is 3.\n" },

    { .name = "email",
        .letter = 'm',
        .kind = CTL_LIST,
        .at = AT(emails),
        .value = "ADDRESS",
        .text = "Contacts of the account, if it is made or is to have others; "
                "none is needed.\n" },
    { .name = "agree-tos",
        .kind = CTL_FLAG,
        .at = AT(agree_tos),
        .text = "The CA's terms of service are accepted. No account is made "
                "without it, unless the CA has none.\n" },
    { .name = "eab-kid",
        .kind = CTL_TEXT,
        .at = AT(eab_kid),
        .value = "ID",
        .text = "External account binding: the id of the key that the CA has "
                "given out.\n" },
    { .name = "eab-file",
        .kind = CTL_TEXT,
        .at = AT(eab_file),
        .value = "FILE",
        .text = "External account binding: the file with that key, in "
                "base64url; nobody else may read it.\n" },
    { .name = "eab-hmac-key",
        .kind = CTL_TEXT,
        .flags = CTL_ONCE,
        .at = AT(eab_key),
        .value = "KEY",
        .text = "External account binding: that key itself. Others on this "
                "machine see it while the command runs, and the shell "
                "remembers it: `--eab-file` is better.\n" },
    { .name = "eab-alg",
        .kind = CTL_TEXT,
        .at = AT(eab_alg),
        .value = "ALG",
        .choices = "HS256 HS384 HS512",
        .text =
            "External account binding: its algorithm, `HS256` without it.\n" },
    { .name = "staging",
        .aliases = "test-cert",
        .kind = CTL_FLAG,
        .at = AT(staging),
        .text = "Of the staging CA that the CA has for tests.\n" },
    { .name = "ca-file",
        .kind = CTL_TEXT,
        .at = AT(ca_file),
        .value = "FILE",
        .text = "Certificates that the CA's server is trusted by, in place of "
                "the system's.\n" },
    { .name = "no-verify-ssl",
        .kind = CTL_FLAG,
        .at = AT(no_verify_ssl),
        .text = "Trust whoever answers in the place of the CA. For tests "
                "alone.\n" },
    { .name = "key-type",
        .kind = CTL_LIST,
        .at = AT(keys),
        .value = "TYPE",
        .assumed = CTL_ASSUMED_KEY,
        .text = "Types of the keys, one of each algorithm: `ecdsa:256`, which "
                "it is without this, `ecdsa:384`, `ecdsa:521`, `rsa:2048`, "
                "`rsa:3072`, `rsa:4096`.\n" },
    { .name = "reuse-key",
        .kind = CTL_FLAG,
        .at = AT(reuse_key),
        .text = "A renewal keeps the key.\n" },
    { .name = "preferred-chain",
        .kind = CTL_TEXT,
        .at = AT(preferred_chain),
        .value = "CN",
        .text = "Of several chains that one whose topmost issuer has this "
                "common name.\n" },
    { .name = "profile",
        .aliases = "preferred-profile",
        .kind = CTL_TEXT,
        .at = AT(profile),
        .value = "NAME",
        .text = "The CA's certificate profile of this name, if it has it.\n" },
    { .name = "required-profile",
        .kind = CTL_TEXT,
        .at = AT(required_profile),
        .value = "NAME",
        .text = "The same; and no order without it.\n" },
    { .name = "allow-subset-of-names",
        .kind = CTL_FLAG,
        .at = AT(allow_subset),
        .text = "Names that cannot be proved are left out.\n" },
    { .name = "preferred-challenges",
        .aliases = "challenge",
        .kind = CTL_LIST,
        .at = AT(challenges),
        .value = "TYPE",
        .text = "The only challenges that are used, the best first: "
                "`http-01`, `tls-alpn-01`, `dns-01`, `dns-account-01`, "
                "`dns-persist-01`; also `http`, `tls-alpn`, `dns`.\n" },
    { .name = "standalone",
        .kind = CTL_FLAG,
        .at = AT(standalone),
        .text = "Answer the CA without a web server: listen at the ports "
                "that it comes to, as long as it takes.\n" },
    { .name = "http-01-port",
        .kind = CTL_NUMBER,
        .at = AT(http_port),
        .value = "PORT",
        .least = 1,
        .most = 65535,
        .text = "With `--standalone`: listen here for http-01, where port 80, "
                "which the CA comes to in any case, is forwarded to.\n" },
    { .name = "http-01-address",
        .kind = CTL_TEXT,
        .at = AT(http_address),
        .value = "ADDRESS",
        .text = "With `--standalone`: listen at this address alone for "
                "http-01.\n" },
    { .name = "tls-alpn-01-port",
        .kind = CTL_NUMBER,
        .at = AT(tls_port),
        .value = "PORT",
        .least = 1,
        .most = 65535,
        .text = "The same for tls-alpn-01, and port 443.\n" },
    { .name = "tls-alpn-01-address",
        .kind = CTL_TEXT,
        .at = AT(tls_address),
        .value = "ADDRESS",
        .text = "The same for tls-alpn-01.\n" },
    { .name = "webroot",
        .kind = CTL_FLAG,
        .at = AT(webroot),
        .text = "Answer the CA by files in a directory that a web server "
                "shows, which `--webroot-path` or `--webroot-map` names.\n" },
    { .name = "webroot-path",
        .letter = 'w',
        .kind = CTL_PLACED,
        .at = AT(webroots),
        .value = "DIR",
        .text = "The directory of the web server for the names behind it, up "
                "to the next one: `-w A -d a.test -w B -d b.test`. One is for "
                "all names, and the last of several for what is left.\n" },
    { .name = "webroot-map",
        .kind = CTL_TEXT,
        .at = AT(webroot_map),
        .value = "JSON",
        .text = "Names with their directories: `'{\"a.test,b.test\": "
                "\"/var/www/a\"}'`. The names count as those of "
                "`--domains`, and the directories before those of "
                "`--webroot-path`.\n" },
    { .name = "manual",
        .kind = CTL_FLAG,
        .at = AT(manual),
        .text = "A person at the terminal is told what there has to be, a "
                "file of a web server or a record in the DNS, and asked to "
                "say when it is there; or a program does it, with "
                "`--manual-auth-hook`.\n" },
    { .name = "manual-public-ip-logging-ok",
        .kind = CTL_FLAG,
        .flags = CTL_GLOBAL | CTL_WITHOUT,
        .at = AT(without) },
    { .name = "challenge-cmd",
        .kind = CTL_TEXT,
        .at = AT(challenge_cmd),
        .value = "WORDS",
        .text = "A program that changes the DNS, as `acme_challenge_cmd` has "
                "it, in one word for the shell: `'uacme "
                "/usr/share/uacme/ualpn.sh'`.\n" },
    { .name = "manual-auth-hook",
        .kind = CTL_TEXT,
        .at = AT(auth_hook),
        .value = "FILE",
        .text = "A program that changes the DNS as Certbot's authentication "
                "hooks do; with `--manual` also files for http-01.\n" },
    { .name = "manual-cleanup-hook",
        .kind = CTL_TEXT,
        .at = AT(cleanup_hook),
        .value = "FILE",
        .text = "The one that undoes it.\n" },
    { .name = "dns-update",
        .kind = CTL_TEXT,
        .at = AT(dns_update),
        .value = "WORDS",
        .text = "Update the zone (RFC 2136): `'SERVER KEYFILE'`, as "
                "`acme_dns_update` has it.\n" },
    { .name = "dns-propagation",
        .kind = CTL_TEXT,
        .at = AT(dns_propagation),
        .value = "WORDS",
        .text = "How long is waited for records, as `acme_dns_propagation` "
                "has it.\n" },
    { .name = "preflight",
        .kind = CTL_TEXT,
        .at = AT(preflight),
        .value = "WORD",
        .choices = "off warn require",
        .text = "What is done where the CA will not find the proof: `off`, "
                "`warn`, which it is without it, or `require`.\n" },
    { .name = "pre-hook",
        .kind = CTL_TEXT,
        .at = AT(pre_hook),
        .value = "COMMAND",
        .text = "Run before an order, a line for the shell.\n" },
    { .name = "deploy-hook",
        .aliases = "renew-hook",
        .kind = CTL_TEXT,
        .at = AT(deploy_hook),
        .value = "COMMAND",
        .text = "Run with each new certificate.\n" },
    { .name = "post-hook",
        .kind = CTL_TEXT,
        .at = AT(post_hook),
        .value = "COMMAND",
        .text = "Run when all orders are through.\n" },
    { .name = "no-directory-hooks",
        .kind = CTL_FLAG,
        .at = AT(no_directory_hooks),
        .text = "Do not run those in renewal-hooks.\n" },
    { .name = "disable-hook-validation",
        .kind = CTL_FLAG,
        .at = AT(no_hook_validation),
        .text = "Hooks need not exist yet.\n" },
    { .name = "no-autorenew",
        .kind = CTL_FLAG,
        .at = AT(no_autorenew),
        .text = "Renew it when a person asks, and never else.\n" },
    { .name = "keep-until-expiring",
        .aliases = "keep reinstall",
        .kind = CTL_FLAG,
        .at = AT(keep),
        .text = "A certificate with these names that is not due is kept; it "
                "is without this option, too.\n" },
    { .name = "expand",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(expand),
        .text = "A lineage that has some of these names, and no others, gets "
                "them all.\n" },
    { .name = "renew-with-new-domains",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(renew_with_new_domains),
        .text = "The lineage that is named gets these names in place of its "
                "own.\n" },
    { .name = "duplicate",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(duplicate),
        .text = "Another lineage, although there is one with these names.\n" },
    { .name = "break-my-certs",
        .kind = CTL_FLAG,
        .flags = CTL_ONCE,
        .at = AT(break_my_certs),
        .text = "A certificate that clients trust may be replaced by one of a "
                "CA for tests.\n" },

    /* What scripts for other clients have. */
    { .name = "no-self-upgrade",
        .kind = CTL_FLAG,
        .flags = CTL_GLOBAL | CTL_WITHOUT,
        .at = AT(without) },
};

const size_t ctl_noptions = sizeof(ctl_options) / sizeof(ctl_options[0]);
_Static_assert(sizeof(ctl_options) / sizeof(ctl_options[0]) <= CTL_OPTIONS_MAX,
    "who has said an option has a place for each");

/* ---- finding ---------------------------------------------------------- */

void
ctl_each_word(const char *words,
    void (*visit)(void *ctx, const char *word, size_t len), void *ctx)
{
    size_t len;

    if (words == NULL)
        return;
    for (words += strspn(words, ", "); *words != '\0';
         words += len, words += strspn(words, ", ")) {
        len = strcspn(words, ", ");
        visit(ctx, words, len);
    }
}

struct search {
    const char *word;
    size_t len;
    bool found;
};

static void
compare(void *ctx, const char *word, size_t len)
{
    struct search *search = ctx;

    search->found =
        search->found ||
        (len == search->len && strncasecmp(word, search->word, len) == 0);
}

bool
ctl_has_word(const char *words, const char *word, size_t len)
{
    struct search search = { word, len, false };

    ctl_each_word(words, compare, &search);
    return search.found;
}

const struct ctl_option *
ctl_option_find(const char *name, size_t len)
{
    const struct ctl_option *option;

    for (option = ctl_options; option < ctl_options + ctl_noptions; option++)
        if (ctl_has_word(option->name, name, len) ||
            ctl_has_word(option->aliases, name, len))
            return option;
    return NULL;
}

bool
ctl_option_is_of(const struct ctl_option *option, const struct ctl_verb *verb)
{
    return (option->flags & CTL_GLOBAL) != 0 ||
           (verb != NULL && ctl_has_word(verb->options, option->name,
                                strlen(option->name)));
}

char
ctl_option_letter(const struct ctl_option *option, const struct ctl_verb *verb)
{
    const struct ctl_option *other;

    for (other = ctl_options; other < option; other++)
        if (other->letter == option->letter && ctl_option_is_of(other, verb))
            return '\0';
    return option->letter;
}

/* ---- values ----------------------------------------------------------- */

static void *
field(struct ctl *ctl, const struct ctl_option *option)
{
    return (char *)ctl + option->at;
}

void
ctl_options_init(struct ctl *ctl)
{
    const struct ctl_option *option;

    for (option = ctl_options; option < ctl_options + ctl_noptions; option++)
        if (option->kind == CTL_NUMBER)
            *(long *)field(ctl, option) = option->standard;
}

static int
take_number(long *number, const struct ctl_option *option, const char *value,
    const char *where)
{
    char *end;
    long n;

    errno = 0;
    n = strtol(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 ||
        n < option->least || n > option->most)
        return ctl_fail(CTL_USAGE,
            "%s--%s \"%s\" is no number between %ld and %ld", where,
            option->name, value, option->least, option->most);
    *number = n;
    return CTL_OK;
}

static int
take_word(struct ctl *ctl, struct ctl_words *words,
    const struct ctl_option *option, const char *word, size_t len)
{
    size_t i;

    for (i = 0; i < words->n; i++)
        if (strlen(words->word[i]) == len &&
            memcmp(words->word[i], word, len) == 0)
            return CTL_OK; /* it counts once, where it was first */
    if (words->n == CTL_WORDS_MAX)
        return ctl_fail(CTL_USAGE, "more than %d values of --%s",
            CTL_WORDS_MAX, option->name);
    words->word[words->n] = acme_arena_strndup(ctl->arena, word, len);
    if (words->word[words->n] == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    words->n++;
    return CTL_OK;
}

static int
take_list(struct ctl *ctl, const struct ctl_option *option, const char *value)
{
    size_t len;
    int code = CTL_OK;

    for (value += strspn(value, ", "); *value != '\0' && code == CTL_OK;
         value += len, value += strspn(value, ", ")) {
        len = strcspn(value, ", ");
        code = take_word(ctl, field(ctl, option), option, value, len);
    }
    return code;
}

static int
take_placed(const struct ctl *ctl, struct ctl_placed *placed,
    const struct ctl_option *option, const char *value)
{
    if (placed->n == CTL_WORDS_MAX)
        return ctl_fail(CTL_USAGE, "more than %d values of --%s",
            CTL_WORDS_MAX, option->name);
    placed->at[placed->n].word = value;
    placed->at[placed->n++].before = ctl->domains.n;
    return CTL_OK;
}

static void
add_choice(void *ctx, const char *word, size_t len)
{
    char *list = ctx;

    (void)snprintf(list + strlen(list), CHOICES_MAX - strlen(list), "%s%.*s",
        *list != '\0' ? ", " : "", (int)len, word);
}

/* Each of the values between commas. */
static int
check_choices(const struct ctl_option *option, const char *value,
    const char *where)
{
    char list[CHOICES_MAX] = "";
    size_t len;

    for (;; value += len + 1) {
        len = strcspn(value, ",");
        if (!ctl_has_word(option->choices, value, len))
            break;
        if (value[len] == '\0')
            return CTL_OK;
    }
    ctl_each_word(option->choices, add_choice, list);
    return ctl_fail(CTL_USAGE, "%s--%s \"%.*s\" is none of %s", where,
        option->name, (int)len, value, list);
}

/* `where` as it is in front of messages: "FILE:LINE: ", or "". */
static void
note_said(struct ctl *ctl, const struct ctl_option *option, const char *where)
{
    const size_t len = strlen(where), row = (size_t)(option - ctl_options);

    ctl->said_by[row] = (unsigned char)ctl->source;
    ctl->said_at[row] =
        len > 2 ? acme_arena_strndup(ctl->arena, where, len - 2) : NULL;
}

int
ctl_option_take(struct ctl *ctl, const struct ctl_option *option,
    const char *value, const char *where)
{
    unsigned char *said_by = &ctl->said_by[option - ctl_options];
    void *at = field(ctl, option);

    if (*said_by != CTL_SOURCE_NONE && *said_by != ctl->source)
        return CTL_OK;
    note_said(ctl, option, where);
    if ((option->flags & CTL_WITHOUT) != 0)
        (void)ctl_fail(CTL_OK, "%s--%s has no effect", where, option->name);
    if (value != NULL && *value == '\0')
        return ctl_fail(CTL_USAGE, "%s--%s wants a value that is not empty",
            where, option->name);
    if (option->choices != NULL &&
        check_choices(option, value, where) != CTL_OK)
        return CTL_USAGE;
    switch (option->kind) {
    case CTL_FLAG:
        *(bool *)at = value == NULL;
        return CTL_OK;
    case CTL_COUNT:
        *(int *)at += value == NULL;
        return CTL_OK;
    case CTL_TEXT:
        *(const char **)at = value;
        return CTL_OK;
    case CTL_NUMBER:
        return take_number(at, option, value, where);
    case CTL_WORDS:
        return take_word(ctl, at, option, value, strlen(value));
    case CTL_PLACED:
        return take_placed(ctl, at, option, value);
    case CTL_LIST:
        return take_list(ctl, option, value);
    }
    return CTL_OK;
}

void
ctl_option_forget(struct ctl *ctl, const struct ctl_option *option)
{
    void *at = field(ctl, option);
    const size_t row = (size_t)(option - ctl_options);

    ctl->said_by[row] = CTL_SOURCE_NONE;
    ctl->said_at[row] = NULL;
    switch (option->kind) {
    case CTL_FLAG:
        *(bool *)at = false;
        break;
    case CTL_COUNT:
        *(int *)at = 0;
        break;
    case CTL_TEXT:
        *(const char **)at = NULL;
        break;
    case CTL_NUMBER:
        *(long *)at = option->standard;
        break;
    case CTL_WORDS:
    case CTL_LIST:
        ((struct ctl_words *)at)->n = 0;
        break;
    case CTL_PLACED:
        ((struct ctl_placed *)at)->n = 0;
        break;
    }
}

bool
ctl_option_is_of_file(const struct ctl *ctl, const struct ctl_option *option)
{
    const enum ctl_source by = ctl->said_by[option - ctl_options];

    return by == CTL_SOURCE_OWN_FILE || by == CTL_SOURCE_COMMON_FILE;
}

static const char *
words_text(const struct ctl *ctl, const struct ctl_words *words)
{
    const char *text = "";
    size_t i;

    for (i = 0; i < words->n && text != NULL; i++)
        text = acme_arena_printf(ctl->arena, "%s%s%s", text, i > 0 ? " " : "",
            words->word[i]);
    return text;
}

static const char *
placed_text(const struct ctl *ctl, const struct ctl_placed *placed)
{
    const char *text = "";
    size_t i;

    for (i = 0; i < placed->n && text != NULL; i++)
        text = acme_arena_printf(ctl->arena, "%s%s%s", text, i > 0 ? " " : "",
            placed->at[i].word);
    return text;
}

const char *
ctl_option_text(const struct ctl *ctl, const struct ctl_option *option)
{
    const void *at = (const char *)ctl + option->at;
    const char *text = NULL;

    switch (option->kind) {
    case CTL_FLAG:
        text = *(const bool *)at ? "true" : "false";
        break;
    case CTL_COUNT:
        text = acme_arena_printf(ctl->arena, "%d", *(const int *)at);
        break;
    case CTL_TEXT:
        text = *(const char *const *)at;
        break;
    case CTL_NUMBER:
        text = acme_arena_printf(ctl->arena, "%ld", *(const long *)at);
        break;
    case CTL_WORDS:
    case CTL_LIST:
        text = words_text(ctl, at);
        break;
    case CTL_PLACED:
        text = placed_text(ctl, at);
        break;
    }
    return text != NULL && *text != '\0' ? text
           : option->assumed != NULL     ? option->assumed
                                         : "";
}
