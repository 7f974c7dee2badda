/* SPDX-License-Identifier: MIT
 *
 * The bytes of a result: the main file, the thumbnail, any file by name, as a file or as base64 in JSON; and /info,
 * which says what there is. Guarantee: the path is made from the record of a job that the caller may see, never from
 * the request; disk is touched on the files pool only; memory does not grow with the size of a file.
 * Does not: stream (p3d_reply_file) or decide who may read (the store).
 */
#include "app_internal.h"

#include <string.h>

#include "download_internal.h"
#include "p3d/clock.h"

enum pick { PICK_MESH, PICK_THUMBNAIL, PICK_NAMED };

static void release(void *arg)
{
    struct p3d_download *d = arg;
    p3d_closep(&d->fd);
    p3d_job_view_done(&d->view);
    free(d->spec);
    free(d->detail);
    if (d->counted)
        p3d_call_app(d->call)->base64_open--;
}

/* The answer's texts end with the callback, but the view goes to a thread and back: it gets its own. */
static int keep_job(struct p3d_download *d, const struct p3d_answer *a)
{
    const struct p3d_job *job = &a->jobs[0];
    d->caller = a->caller;
    d->job = *job;
    d->job.spec.p = d->spec = p3d_strndup(job->spec.p, job->spec.n);
    d->job.detail.p = d->detail = p3d_strndup(job->detail.n > 0 ? job->detail.p : "", job->detail.n);
    return p3d_job_view_init(&d->view, &d->job);
}

static int find_file(struct p3d_download *d)
{
    static int (*const by[])(const struct p3d_job_view *, struct p3d_result_file *) = {
        [PICK_MESH] = p3d_job_mesh, [PICK_THUMBNAIL] = p3d_job_thumbnail};
    if (d->view.result == NULL || p3d_job_attempt(&d->view) == NULL)
        return P3D_E_RESULT_NOT_FOUND;
    return d->pick == PICK_NAMED ? p3d_job_file(&d->view, d->name, &d->file) : by[d->pick](&d->view, &d->file);
}

static void open_file(struct p3d_task *t)
{
    struct p3d_download *d = (struct p3d_download *)t;
    d->err = p3d_artifact_open(p3d_call_app(d->call)->artifacts, &d->job.id, p3d_job_attempt(&d->view), d->file.name,
                               &d->fd, &d->size_bytes, &d->mtime_s);
    if (d->err == 0 && d->size_bytes != d->file.size_bytes)
        d->err = P3D_E_CORRUPT; /* cut by a full disk or a hand: the ETag would vouch for bytes that are not there */
    if (d->err == 0 && d->form == P3D_FORM_BASE64)
        d->err = p3d_download_encode(d);
}

static void say_missing(struct p3d_download *d)
{
    static const char *const texts[] = {[PICK_MESH] = NULL,
                                        [PICK_THUMBNAIL] = "No thumbnail available for this job",
                                        [PICK_NAMED] = "File not found"};
    p3d_reply_error(d->call, P3D_E_RESULT_NOT_FOUND, texts[d->pick]);
}

static void fail(struct p3d_download *d, int err)
{
    if (err == P3D_E_RESULT_NOT_FOUND)
        say_missing(d);
    else if (err == P3D_E_TOO_LARGE)
        p3d_reply_error(d->call, P3D_E_BAD_REQUEST, "The file is too large for base64 (over 64 MB). Use format=file.");
    else
        p3d_api_store_failed(d->call, err);
}

static void send_file(struct p3d_download *d)
{
    bool file = d->form == P3D_FORM_FILE;
    struct p3d_file_reply f = {.fd = d->fd,
                               .size_bytes = d->size_bytes,
                               .mtime_s = d->mtime_s,
                               .content_type = file ? p3d_content_type(d->file.name) : "application/json",
                               .etag = file ? d->file.sha256 : NULL,
                               .filename = file ? d->filename : NULL};
    d->fd = -1;
    p3d_reply_header(d->call, "x-job-id", d->job.id.s);
    p3d_reply_file(d->call, &f);
}

static void task_done(struct p3d_task *t)
{
    struct p3d_download *d = (struct p3d_download *)t;
    struct p3d_call *c = d->call;
    if (d->form == P3D_FORM_INFO && (d->err == 0 || d->err == P3D_E_RESULT_NOT_FOUND))
        p3d_reply_json(c, 200, p3d_download_info_json(d));
    else if (d->err != 0)
        fail(d, d->err);
    else
        send_file(d);
    p3d_call_unref(c);
}

/* `<kind>_<job>.<extension>`, unless the client named it. */
static void name_file(struct p3d_download *d)
{
    static const char *const kinds[] = {[PICK_MESH] = "result", [PICK_THUMBNAIL] = "thumbnail"};
    const char *extension = p3d_file_extension(d->file.name);
    if (d->filename[0] != '\0')
        return;
    if (d->pick == PICK_NAMED)
        (void)p3d_format(d->filename, sizeof(d->filename), "%s", d->file.name);
    else
        (void)p3d_format(d->filename, sizeof(d->filename), "%s_%s%s%.60s", kinds[d->pick], d->job.id.s,
                         extension[0] != '\0' ? "." : "", extension);
}

static int begin_task(struct p3d_download *d)
{
    struct p3d_app *app = p3d_call_app(d->call);
    if (d->form == P3D_FORM_BASE64 && app->base64_open >= P3D_BASE64_OPEN_MAX)
        return P3D_E_BUSY;
    d->task.work = open_file;
    d->task.done = task_done;
    int err = app->files != NULL ? p3d_pool_run(app->files, &d->task) : P3D_E_BUSY;
    if (err == 0 && d->form == P3D_FORM_BASE64) {
        d->counted = true;
        app->base64_open++;
    }
    return err;
}

static void say_unfinished(struct p3d_download *d)
{
    char text[96];
    (void)p3d_format(text, sizeof(text), "Job is not completed yet. Current status: %s",
                     p3d_job_state_name(d->job.state));
    p3d_reply_error(d->call, P3D_E_JOB_NOT_COMPLETED, text);
}

static void on_job(void *priv, int err, const struct p3d_answer *a)
{
    struct p3d_download *d = priv;
    struct p3d_call *c = d->call;
    if (err == 0)
        err = a->n == 1 ? keep_job(d, a) : P3D_E_CORRUPT;
    if (err != 0) {
        p3d_api_store_failed(c, err);
    } else if (d->form == P3D_FORM_INFO && find_file(d) != 0) {
        p3d_reply_json(c, 200, p3d_download_no_info_json(&d->job));
    } else if (d->job.state != P3D_JOB_COMPLETED) {
        say_unfinished(d);
    } else if (find_file(d) != 0) {
        say_missing(d);
    } else {
        name_file(d);
        err = begin_task(d);
        if (err == 0)
            return; /* task_done has the reference now */
        fail(d, err);
    }
    p3d_call_unref(c);
}

static void read_query(struct p3d_download *d, struct p3d_faults *f)
{
    struct p3d_str format = p3d_query_text(d->call, "format", 16, f),
                   filename = p3d_query_text(d->call, "filename", 1024, f);
    if (p3d_str_eq_z(format, "base64"))
        d->form = P3D_FORM_BASE64;
    else if (format.p != NULL && !p3d_str_eq_z(format, "file"))
        p3d_faults_add(f, "enum", "Input should be 'file' or 'base64'", "query", "format", NULL);
    if (filename.n > 0)
        (void)p3d_filename_clean(filename, d->filename);
}

static void begin(struct p3d_call *c, enum pick pick, enum p3d_download_form form)
{
    struct p3d_refusal r = {.faults = {NULL}};
    struct p3d_job_id id;
    if (!p3d_api_job_id(c, &id))
        return;
    struct p3d_download *d = p3d_call_alloc(c, sizeof(*d));
    d->call = c;
    d->fd = -1;
    d->pick = (int)pick;
    d->form = form;
    d->name = pick == PICK_NAMED ? p3d_call_param(c, 1) : (struct p3d_str){NULL, 0};
    p3d_call_defer(c, release, d);
    if (form != P3D_FORM_INFO)
        read_query(d, &r.faults);
    if (r.faults.list != NULL) {
        p3d_api_refuse(c, &r, &id);
        return;
    }
    (void)p3d_call_ref(c);
    p3d_api_began(c, p3d_store_job_get(p3d_call_app(c)->store, p3d_call_access(c), &id, on_job, d));
}

void p3d_api_job_download(struct p3d_call *c)
{
    begin(c, PICK_MESH, P3D_FORM_FILE);
}

void p3d_api_job_thumbnail(struct p3d_call *c)
{
    begin(c, PICK_THUMBNAIL, P3D_FORM_FILE);
}

void p3d_api_job_file(struct p3d_call *c)
{
    begin(c, PICK_NAMED, P3D_FORM_FILE);
}

void p3d_api_job_info(struct p3d_call *c)
{
    begin(c, PICK_MESH, P3D_FORM_INFO);
}
