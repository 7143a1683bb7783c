/*
 * The ACME core as a server sees it: everything a host includes, and nothing
 * else of common/.
 *
 * A host
 *  - while it reads its configuration, builds an acme_config: issuers,
 *    lineages, the state directory (acme_config_*, acme_host_check_*), and
 *    what each server answers (acme_answering_*);
 *  - before it forks its workers, makes the key area and starts the service
 *    (acme_area_new(), acme_service_start()); nothing of this happens when
 *    the configuration is only tested;
 *  - in the master, keeps the service until the configuration is replaced,
 *    then stops it (acme_service_stop());
 *  - in each worker, lets go of the service (acme_service_forget()), makes a
 *    cache (acme_live_cache_new()), applies certificates from within the TLS
 *    certificate callback (acme_live_apply()) and answers challenges, in
 *    requests (acme_challenge_answer()) and in handshakes
 *    (acme_live_alpn_apply()), and tells what there is to be known of
 *    certificates (acme_status_answer()).
 *
 * Workers neither block on the disk nor on the network, and hold no account
 * key.
 */
#ifndef ACME_H
#define ACME_H

#include "base/acme_error.h"
#include "base/acme_host.h"
#include "base/acme_log.h"
#include "base/acme_name.h"
#include "base/acme_time.h"
#include "base/acme_version.h"
#include "drive/acme_challenge.h"
#include "drive/acme_host_check.h"
#include "drive/acme_service.h"
#include "state/acme_area.h"
#include "state/acme_config.h"
#include "state/acme_live.h"
#include "state/acme_live_alpn.h"
#include "state/acme_live_enhance.h"
#include "state/acme_live_status.h"
#include "state/acme_md_status.h"
#include "state/acme_md_store.h"
#include "state/acme_status_query.h"
#include "wrap/acme_alpn.h"
#include "wrap/acme_idn.h"

#endif
