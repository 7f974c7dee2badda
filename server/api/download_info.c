/* SPDX-License-Identifier: MIT
 *
 * GET /{id}/info: what the result is and where to get it, with relative, signed URLs.
 */
#include "download_internal.h"

static json_t *file_json(const struct p3d_download *d)
{
    bool there = d->err == 0;
    json_t *o = p3d_file_info_json(&d->file);
    (void)json_object_set_new(o, "created_time", p3d_json_time(there ? d->mtime_s * 1000 : 0));
    (void)json_object_set_new(o, "modified_time", p3d_json_time(there ? d->mtime_s * 1000 : 0));
    (void)json_object_set_new(o, "file_exists", json_boolean(there));
    return o;
}

/* {"direct_download","base64_download"} */
static json_t *urls_json(const struct p3d_links *l, const struct p3d_job *j, const char *what)
{
    return json_pack("{s:o, s:o}", "direct_download", p3d_link_json(l, j, what, NULL), "base64_download",
                     p3d_link_json(l, j, what, "format=base64"));
}

json_t *p3d_download_info_json(const struct p3d_download *d)
{
    const struct p3d_job *j = &d->job;
    struct p3d_result_file thumbnail;
    const json_t *metadata = json_object_get(d->view.spec, "metadata");
    struct p3d_links l = p3d_links_of(d->call, &d->caller);
    l.base = "";
    return json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "job_id", j->id.s, "status",
                     p3d_job_state_name(j->state), "has_result", 1, "created_at", p3d_json_time(j->created_ms),
                     "completed_at", p3d_json_time(j->ended_ms), "processing_time", p3d_job_seconds_json(j),
                     "file_info", file_json(d), "generation_info", p3d_job_generation_json(&d->view),
                     "result_metadata", json_is_object(metadata) ? json_deep_copy(metadata) : json_object(),
                     "mesh_download_urls", urls_json(&l, j, "download"), "thumbnail_download_urls",
                     p3d_job_thumbnail(&d->view, &thumbnail) == 0 ? urls_json(&l, j, "thumbnail") : json_null());
}

json_t *p3d_download_no_info_json(const struct p3d_job *j)
{
    return json_pack("{s:s, s:s, s:b, s:s}", "job_id", j->id.s, "status", p3d_job_state_name(j->state), "has_result", 0,
                     "message", "No result available");
}
