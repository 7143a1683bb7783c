/*
 * Verbs about accounts at CAs and their keys.
 */
#include "acmectl/ctl_options.h"

const struct ctl_verb ctl_verbs_account[] = {
    { .name = "account list",
        .group = CTL_GROUP_ACCOUNT,
        .run = ctl_account_list,
        .options = "account server",
        .usage = "[--account ID] [--server URL]",
        .summary = "the accounts",
        .text = "Shows the accounts: the id of the key, the CA, and the "
                "account's URL.\n" },
    { .name = "account show",
        .group = CTL_GROUP_ACCOUNT,
        .run = ctl_account_show,
        .options = "account key server details offline ca-file "
                   "no-verify-ssl",
        .usage = "[-d] [--account ID|-k FILE] [--server URL] [--offline]",
        .summary = "one account",
        .text = "Shows one account; the first line is \"Account URI:\" and "
                "its URL, as CAA records want it. With `-d` the CA is asked, "
                "and its word on status and contacts shown; with `--offline` "
                "never. An account may be named by a file with its key, with "
                "`-k`, as for `update` and `deactivate`.\n" },
    { .name = "account create",
        .group = CTL_GROUP_ACCOUNT,
        .flags = CTL_OPERANDS,
        .run = ctl_account_create,
        .options = "server email no-contact agree-tos eab-kid eab-file "
                   "eab-hmac-key eab-alg key password-file replace confirm "
                   "staging ca-file no-verify-ssl",
        .usage = "[--server URL] [-m ADDRESS...|--no-contact] [--agree-tos] "
                 "[-k FILE|TYPE]\n"
                 "--replace [--server URL] [-m ADDRESS...] [--confirm]",
        .summary = "an account at a CA",
        .text =
            "Makes an account, or finds the one that the CA has for its key, "
            "which is no error: the key that is here for this CA, that of "
            "FILE (PEM or JWK, which is copied and not changed), or a new one "
            "of TYPE. The first line is \"Account URI:\" and its URL. "
            "Servers make their accounts themselves; an account of a key of "
            "another type is used where there was none before, else `account "
            "merge` has it used.\n"
            "What the CA has to be told is asked for at a terminal: the "
            "address, and consent to its terms of service, which is never "
            "assumed. Elsewhere `--email` or `--no-contact`, and "
            "`--agree-tos`, are needed. Nothing is kept without "
            "consent.\n"
            "With `--replace` another account, with a new key, takes the "
            "place of one whose key is lost, or that was deactivated. The "
            "lost one is put aside; without its key nobody can end it.\n" },
    { .name = "account update",
        .group = CTL_GROUP_ACCOUNT,
        .flags = CTL_OPERANDS,
        .run = ctl_account_update,
        .options = "account key server ca-file no-verify-ssl",
        .usage = "CONTACT... [--account ID] [--server URL]\n"
                 "clear [--account ID] [--server URL]",
        .summary = "change its contacts",
        .text =
            "Gives the account other contacts, or with the word `clear` none. "
            "A server tells the CA of the contacts of its configuration when "
            "these change, and then those count.\n" },
    { .name = "account rekey",
        .group = CTL_GROUP_ACCOUNT,
        .flags = CTL_OPERANDS,
        .run = ctl_account_rekey,
        .options = "account server force ca-file no-verify-ssl",
        .usage = "[TYPE | FILE] [--force] [--account ID] [--server URL]",
        .summary = "change its key",
        .text =
            "Gives the account another key, at every CA where it has the old "
            "one, or at none: when a CA does not take it, those that have are "
            "asked to go back. The new key is of the old one's type, or of "
            "TYPE (`ecdsa[:256|384|521]`, `rsa[:2048|3072|4096]`), whatever "
            "type the configuration asks for, or is a copy of the one in "
            "FILE. Running servers take the new key within two seconds; from "
            "then on they do not answer challenges for the old one any more. "
            "The account's URL, and with it CAA records, stay. The old key is "
            "kept as keys/ID.replaced.pem.\n"
            "A job at work with the account is waited for, 15 seconds at "
            "most. Orders in flight with the account are named, and nothing "
            "is done; with `--force` they are dropped. A change that was "
            "interrupted does no harm: servers ask the CAs which key they "
            "know, and the next `account rekey` completes it. A key in a file "
            "that the configuration names is changed there.\n" },
    { .name = "account deactivate",
        .group = CTL_GROUP_ACCOUNT,
        .run = ctl_account_deactivate,
        .options = "account key server confirm ca-file no-verify-ssl",
        .usage = "[--confirm] [--account ID] [--server URL]",
        .summary = "end it at its CA, for good",
        .text =
            "Ends an account at its CA, which cannot be undone: its key is "
            "never taken there again, and a server that is to go on with that "
            "CA has to be given another (`account_key`, `ACMEAccountKey`). "
            "When the CA has confirmed it, the account is put aside; its key, "
            "which may serve other CAs, and certificates stay. At a terminal "
            "it asks first; otherwise `--confirm` is needed.\n" },
    { .name = "account import",
        .group = CTL_GROUP_ACCOUNT,
        .flags = CTL_OPERANDS,
        .run = ctl_account_import,
        .options = "server account-url offline password-file ca-file "
                   "no-verify-ssl",
        .usage = "FILE --server URL [--account-url URL|--offline]\n"
                 "DIR [--server URL] [--offline]",
        .summary = "accounts of another client",
        .text =
            "Takes over an account: of its key in FILE, PEM or JWK, which "
            "`--password-file` opens if it is encrypted; or those in the "
            "directory of another client, all of them or those at the CA that "
            "is named. Nothing of the other client is changed, and both can "
            "use the account. Known are\n"
            "* `Certbot`: /etc/letsencrypt, or one account below its "
            "accounts\n"
            "* `lego`: its `--path`\n"
            "* `acme.sh`: ~/.acme.sh\n"
            "* `uacme`: /etc/ssl/uacme; it does not say at which CA\n"
            "* `mod_md`: its MDStoreDir\n"
            "* `nginx`: the state_path of an issuer of its own module, which "
            "does not say it either\n"
            "An account's URL that is not written down there is asked of the "
            "CA, unless `--offline` leaves that to the first order. The first "
            "account of a CA is used by servers from now on, whatever type of "
            "key they ask for; where there is one already, `account merge` "
            "has another one used. The same account again is no error. What "
            "cannot be read is named, and then nothing is imported.\n" },
    { .name = "account export",
        .group = CTL_GROUP_ACCOUNT,
        .run = ctl_account_export,
        .options = "account key server format output",
        .usage = "[--format pem|json] -o FILE [--account ID] [--server URL]\n"
                 "--format certbot -o DIR [--account ID] [--server URL]",
        .summary = "an account, for another client",
        .text =
            "Writes the private key of an account into a new file, as PEM or "
            "as a JWK (`json`), or to standard output with `-o -`; or, with "
            "`--format certbot`, the accounts that are meant, all of them "
            "without `--account` and `--server`, as Certbot has them below "
            "accounts/ in its directory. Nothing that is there is written "
            "over. Who has the key has the account, and both can use it.\n" },
    { .name = "account merge",
        .group = CTL_GROUP_ACCOUNT,
        .run = ctl_account_merge,
        .options = "into server ca-file no-verify-ssl",
        .usage = "--into ID [--server URL]",
        .summary = "one account for all orders at its CA",
        .text =
            "Has all orders at a CA made with the account of key ID, whatever "
            "type of key a configuration asks for, so that one account's URL "
            "is enough in CAA records. Servers that run take it within two "
            "seconds; certificates are not ordered anew, and orders in flight "
            "with another account begin again. The other accounts stay, and "
            "at "
            "a terminal it asks whether each is to be deactivated; `account "
            "deactivate` does that too. Where a configuration names a file "
            "with the account key that counts, and is named here, with exit "
            "status 1: it has to be changed there.\n" },
    { .name = "key thumbprint",
        .group = CTL_GROUP_ACCOUNT,
        .flags = CTL_OPERANDS,
        .run = ctl_key_thumbprint,
        .options = "details key password-file",
        .usage = "[-d] [FILE]...",
        .summary = "thumbprints of account keys",
        .text =
            "Prints for each account key in the state directory its RFC 7638 "
            "thumbprint, type and id; or for each FILE with a key of your own "
            "(`account_key`, `ACMEAccountKey`) the same with its name, as for "
            "the one of `--key FILE`. A server that is given a thumbprint "
            "(`acme_thumbprint`, `ACMEThumbprint`) answers for that account "
            "without its key. With `-d` the public key is shown, too, and "
            "what a thumbprint is. No CA is asked.\n" },
    { .name = "key convert",
        .group = CTL_GROUP_ACCOUNT,
        .flags = CTL_OPERANDS,
        .run = ctl_key_convert,
        .options = "key account password-file output",
        .usage = "FORMAT [FILE] [-o FILE]\n"
                 "FORMAT [--account ID] [-o FILE]",
        .summary = "an account key, in another form",
        .text =
            "Prints the private key of FILE (or `--key FILE`), which is PEM "
            "or a JWK, or the account key of the state directory, in another "
            "form; with `-o` into a new file for its owner alone. Who has it "
            "has the account: give it to programs, not to people.\n"
            "* `pem`, `pkcs8`: PEM, `BEGIN PRIVATE KEY`\n"
            "* `pkcs1`: PEM, `BEGIN RSA PRIVATE KEY` or `BEGIN EC PRIVATE "
            "KEY`\n"
            "* `der1`, `der8`: the same, binary\n"
            "* `json`: a JWK, as Certbot's private_key.json\n"
            "A key that is encrypted needs `--password-file`. Ed25519 keys "
            "can be converted, too, but for `pkcs1` and `der1`.\n" },
    { .name = "key generate",
        .group = CTL_GROUP_ACCOUNT,
        .flags = CTL_OPERANDS,
        .run = ctl_key_generate,
        .options = "output",
        .usage = "[TYPE] [-o FILE]",
        .summary = "a new key",
        .text =
            "Makes a key of TYPE, `ecdsa:256` without it, or `ecdsa:384`, "
            "`ecdsa:521`, `rsa:2048`, `rsa:3072`, `rsa:4096`, and prints it "
            "as PEM; with `-o` into a new file for its owner alone. Not all "
            "CAs take account keys of more than ecdsa:256 and rsa.\n" },
    { .name = NULL },
};
