/* SPDX-License-Identifier: MIT
 *
 * One download on its way: from the record to a descriptor, as a file, as base64 JSON, or only described.
 * Lifetime: the request's cell; everything in it is released when the cell dies.
 */
#pragma once
#include <jansson.h>

#include "app_internal.h"
#include "job_json_internal.h"

#define P3D_BASE64_MAX (INT64_C(64) << 20) /* largest file that goes out as base64 */
#define P3D_BASE64_OPEN_MAX 4              /* at a time: each is a file in memory until it is sent */

enum p3d_download_form { P3D_FORM_FILE, P3D_FORM_BASE64, P3D_FORM_INFO };

struct p3d_download {
    struct p3d_task task; /* first */
    struct p3d_call *call;
    int pick;             /* download.c only */
    enum p3d_download_form form;
    struct p3d_str name;  /* asked for by name */
    char filename[208];   /* for Content-Disposition; empty = not named yet */
    bool counted;         /* in app->base64_open */

    struct p3d_owner_id caller; /* whose credential it was */
    struct p3d_job job;   /* with its own texts: */
    char *spec, *detail;
    struct p3d_job_view view;
    struct p3d_result_file file;

    int err;              /* of the task */
    int fd;
    int64_t size_bytes, mtime_s;
};

/* Replaces d->fd by a file in memory with the base64 JSON of its bytes. On a pool thread.
 * Errors: P3D_E_TOO_LARGE, P3D_E_IO. */
P3D_MUST int p3d_download_encode(struct p3d_download *d);
/* The body of /info. New reference. */
json_t *p3d_download_info_json(const struct p3d_download *d);
json_t *p3d_download_no_info_json(const struct p3d_job *j);
