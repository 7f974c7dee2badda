/* SPDX-License-Identifier: MIT
 *
 * What the configuration says of how long finished jobs are kept, as p3d_store_reap takes it: the same for every process
 * that keeps house.
 */
#include "p3d/config.h"
#include "p3d/lease.h"

struct p3d_retention p3d_retention_of(const struct p3d_config *cfg)
{
    const int64_t day_ms = INT64_C(24) * 60 * 60 * 1000;
    return (struct p3d_retention){
        .age_ms = cfg->retention_days < 0 ? -1 : cfg->retention_days * day_ms,
        .jobs = cfg->retention_max_jobs,
        .bytes = cfg->retention_max_bytes,
    };
}
