/* SPDX-License-Identifier: MIT
 *
 * One old job, judged and put into our form (job.h). Guarantee: the new id follows from the old one
 * and the time of creation alone, so a second run finds the first one's jobs; contents of files and
 * folders of the old machine are not in it; what waits is taken only if this configuration can run
 * it. Does not: call anything.
 */
#include "migrate_job_internal.h"

#include <inttypes.h>
#include <string.h>

#include "p3d/clock.h"
#include "p3d/json.h"
#include "p3d/model.h"

enum {
    SPEC_MAX = 1 << 20,
    DETAIL_MAX = 1 << 18,
    MESSAGE_MAX = 4000,
    NAME_MAX_BYTES = 64, /* of a feature, of a model */
    KINDS_MAX = 200,     /* of those not configured here; the store takes 256 in all from there */
    TIMEOUT_MAX = 604800,
    TIMEOUT_OTHERWISE = 3600,
    PRIORITY_NORMAL = 5,
    OLD_PRIORITY_NORMAL = 1,
    ATTEMPTS_MAX = 100,
    DAY_MS = 86400000
};
#define CREATED_MIN INT64_C(1577836800000) /* 2020: the indexes begin there */

static void set(json_t *o, const char *key, json_t *value)
{
    (void)json_object_set_new(o, key, value);
}

static bool is_name(struct p3d_str s)
{
    if (s.n == 0 || s.n > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\0' ||
            strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-", s.p[i]) ==
                NULL)
            return false;
    return true;
}

static int64_t integer(const json_t *record, const char *key, int64_t min, int64_t max,
                       int64_t otherwise)
{
    const json_t *v = json_object_get(record, key);
    if (!json_is_number(v))
        return otherwise;
    double d = json_number_value(v);
    return d >= (double)min && d <= (double)max ? (int64_t)d : d < (double)min ? min : max;
}

/* ---- state and times ---- */

static const char *read_state(struct p3d_migrate_job *j, const json_t *record)
{
    struct p3d_str status = p3d_json_get_str(record, "status"),
                   error = p3d_json_get_str(record, "error");
    int state = p3d_job_state_find(status);
    if (state < 0)
        return status.p == NULL ? "its status is missing" : "its status is not known";
    if (state == P3D_JOB_PROCESSING)
        state = P3D_JOB_QUEUED;
    if (state == P3D_JOB_FAILED && p3d_str_eq_z(error, "Cancelled by user"))
        state = P3D_JOB_CANCELLED;
    j->in.job.state = (enum p3d_job_state)state;
    return NULL;
}

static int64_t first_time(const json_t *record, const char *const *keys)
{
    int64_t ms = 0;
    for (; *keys != NULL && ms == 0; keys++)
        if (!p3d_migrate_time(record, *keys, &ms))
            ms = 0;
    return ms;
}

static const char *read_times(struct p3d_migrate_job *j, const json_t *record)
{
    static const char *const ends[] = {"completed_at", "failed_at", "cancelled_at", "updated_at",
                                       NULL};
    static const char *const starts[] = {"started_at", NULL};
    struct p3d_job *job = &j->in.job;
    if (!p3d_migrate_time(record, "created_at", &job->created_ms) || job->created_ms == 0)
        return "when it was created is missing or makes no sense";
    if (job->created_ms < CREATED_MIN || job->created_ms > p3d_wall_ms() + DAY_MS)
        return "it was created before 2020 or in the future";
    if (!p3d_job_state_final(job->state))
        return NULL;
    job->started_ms = first_time(record, starts);
    job->ended_ms = first_time(record, ends);
    if (job->started_ms != 0 && job->started_ms < job->created_ms)
        job->started_ms = job->created_ms;
    int64_t least = job->started_ms != 0 ? job->started_ms : job->created_ms;
    if (job->ended_ms < least || job->ended_ms > p3d_wall_ms() + DAY_MS)
        job->ended_ms = least;
    if (job->started_ms > job->ended_ms)
        job->started_ms = job->ended_ms;
    return NULL;
}

static void read_numbers(struct p3d_migrate_job *j, const json_t *record)
{
    struct p3d_job *job = &j->in.job;
    bool final = p3d_job_state_final(job->state);
    int64_t old = integer(record, "priority", -100, 100, OLD_PRIORITY_NORMAL);
    int64_t priority =
        PRIORITY_NORMAL + OLD_PRIORITY_NORMAL - old; /* theirs: the lower the sooner */
    int64_t retries = integer(record, "retry_count", 0, ATTEMPTS_MAX - 1, 0);
    job->priority = (unsigned)(priority < 0 ? 0 : priority > 9 ? 9 : priority);
    job->attempt = final && job->started_ms != 0 ? (unsigned)retries + 1 : 0;
    job->max_attempts = (unsigned)integer(record, "max_retries", 0, ATTEMPTS_MAX - 1, 0) + 1;
    if (job->max_attempts < job->attempt)
        job->max_attempts = job->attempt;
}

/* 80 bits of the digest are the random part of the ULID; the next 64 the nonce of its files. */
static void read_ids(struct p3d_migrate_job *j, const json_t *record)
{
    unsigned char digest[32];
    char nonce[17];
    struct p3d_str user = p3d_json_get_str(record, "user_id");
    p3d_sha256(p3d_str_z(j->old_id), digest);
    p3d_job_id_of(0, j->in.job.created_ms, digest, &j->in.job.id);
    p3d_hex(digest + 10, 8, nonce);
    (void)p3d_format(j->attempt, sizeof(j->attempt), "1-%s", nonce);
    if (user.n == 0)
        return;
    j->in.job.owner = p3d_migrate_owner(user);
    if (p3d_migrate_set_has(&j->m->users, p3d_str_z(j->in.job.owner.s)))
        return;
    j->in.job.owner = (struct p3d_owner_id){.s = ""};
    j->owner_unknown = true;
}

/* ---- feature, model, inputs ---- */

static struct p3d_str old_model(const json_t *record)
{
    static const char *const keys[] = {"assigned_model", "model_id", "model_preference"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        struct p3d_str s = p3d_json_get_str(record, keys[i]);
        if (s.n > 0)
            return s;
    }
    return (struct p3d_str){NULL, 0};
}

static const char *finished_kind(struct p3d_migrate_job *j, struct p3d_str feature,
                                 struct p3d_str model)
{
    const struct p3d_models *models = j->m->session.cfg->models;
    if (model.n == 0)
        model = P3D_STR("unknown");
    if (!is_name(feature) || !is_name(model))
        return "its feature or model cannot be a name";
    (void)p3d_format(j->kind, sizeof(j->kind), "%.*s/%.*s", (int)feature.n, feature.p, (int)model.n,
                     model.p);
    struct p3d_str kind = p3d_str_z(j->kind);
    if (p3d_model_by_kind(models, kind) != NULL || p3d_migrate_set_has(&j->m->kinds, kind))
        return NULL;
    if (j->m->kinds.n >= KINDS_MAX)
        return "there are too many different features and models";
    (void)p3d_migrate_set_add(&j->m->kinds, kind);
    return NULL;
}

static const char *first_fault(const struct p3d_faults *faults, char why[600])
{
    const json_t *f = json_array_get(faults->list, 0), *loc = json_object_get(f, "loc");
    const char *name = json_string_value(json_array_get(loc, json_array_size(loc) - 1));
    (void)p3d_format(why, 600, "it waits, and its input %s is not what this server takes: %s",
                     name != NULL ? name : "", p3d_json_get_str(f, "msg").p);
    return why;
}

static bool needs_file(const json_t *inputs)
{
    static const char *const tails[] = {"_path", "_base64", "_file_id"};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)inputs, name, value)
    {
        size_t n = strlen(name);
        for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
            size_t t = strlen(tails[i]);
            if (n >= t && strcmp(name + n - t, tails[i]) == 0 && json_string_length(value) > 0)
                return true;
        }
    }
    return false;
}

/* What waits must be runnable here. Returns like read. */
static const char *waiting_kind(struct p3d_migrate_job *j, struct p3d_str feature,
                                struct p3d_str model, const json_t *record, json_t **inputs,
                                char why[600])
{
    const struct p3d_feature *f = p3d_feature_find(j->m->session.cfg->models, feature);
    struct p3d_model *chosen = NULL;
    struct p3d_error err = {0};
    struct p3d_faults faults = {NULL};
    json_t *filled = NULL;
    if (f == NULL)
        return "it waits, and its feature is not configured here";
    if (needs_file(json_object_get(record, "inputs")))
        return "it waits for a model with a file, and input files are not brought";
    struct p3d_str wanted = p3d_json_get_str(record, "model_preference");
    if (p3d_model_choose(f, model, &chosen, &err) != 0 &&
        (wanted.n == 0 || p3d_model_choose(f, wanted, &chosen, &err) != 0)) {
        (void)p3d_format(why, 600, "it waits: %s", err.detail);
        return why;
    }
    if (p3d_inputs_check(&f->inputs, *inputs, "inputs", true, &filled, &faults) != 0) {
        json_decref(filled);
        (void)first_fault(&faults, why);
        p3d_faults_done(&faults);
        return why;
    }
    json_decref(*inputs);
    *inputs = filled;
    (void)p3d_format(j->kind, sizeof(j->kind), "%s", chosen->kind);
    j->in.job.max_attempts = (unsigned)chosen->max_attempts;
    return NULL;
}

static json_t *object_of(const json_t *record, const char *key, json_t *dropped)
{
    const json_t *v = json_object_get(record, key);
    return json_is_object(v) ? p3d_migrate_clean(v, key, dropped) : json_object();
}

static json_t *make_spec(struct p3d_migrate_job *j, const json_t *record, json_t *inputs,
                         json_t *dropped)
{
    json_t *spec = json_object(), *metadata = object_of(record, "metadata", NULL);
    struct p3d_str wanted = p3d_json_get_str(record, "model_preference");
    char *slash = strchr(j->kind, '/');
    set(spec, "feature", json_stringn(j->kind, (size_t)(slash - j->kind)));
    set(spec, "model_id", json_string(slash + 1));
    set(spec, "model_preference",
        wanted.n > 0 && wanted.n <= NAME_MAX_BYTES ? p3d_json_str(wanted) : json_null());
    set(spec, "inputs", inputs);
    set(metadata, "migrated_from", p3d_json_str(p3d_str_z(j->old_id)));
    j->dropped = json_array_size(dropped) > 0;
    if (j->dropped)
        set(metadata, "migrated_without", json_incref(dropped));
    set(spec, "metadata", metadata);
    set(spec, "timeout_seconds",
        json_integer(integer(record, "timeout_seconds", 1, TIMEOUT_MAX, TIMEOUT_OTHERWISE)));
    return spec;
}

static const char *read_spec(struct p3d_migrate_job *j, const json_t *record, char why[600])
{
    json_t *dropped = json_array(), *inputs = object_of(record, "inputs", dropped);
    struct p3d_str feature = p3d_json_get_str(record, "feature"), model = old_model(record);
    size_t n = 0;
    const char *bad = p3d_job_state_final(j->in.job.state)
                          ? finished_kind(j, feature, model)
                          : waiting_kind(j, feature, model, record, &inputs, why);
    if (bad == NULL) {
        json_t *spec = make_spec(j, record, json_incref(inputs), dropped);
        j->spec = p3d_json_dump(spec, &n);
        json_decref(spec);
        j->in.job.spec = (struct p3d_str){j->spec, n};
        j->in.kind = p3d_str_z(j->kind);
        bad = n > SPEC_MAX ? "its inputs and metadata are too large" : NULL;
    }
    json_decref(inputs);
    json_decref(dropped);
    return bad;
}

/* ---- result and error ---- */

static void read_result(struct p3d_migrate_job *j, const json_t *record, struct p3d_str text)
{
    json_t *from_hash = NULL;
    const json_t *old = json_object_get(record, "result");
    if (j->in.job.state != P3D_JOB_COMPLETED)
        return;
    if (text.p != NULL && p3d_migrate_parse(text, SPEC_MAX, &from_hash) == NULL)
        old = from_hash;
    /* Of a job's result once more: {"job_id", "result": {…}} is how some versions keep it. */
    const json_t *inner = json_object_get(old, "result");
    if (json_is_object(inner))
        old = inner;
    j->result = json_object();
    set(j->result, "attempt", json_string(j->attempt));
    set(j->result, "generation_info", object_of(old, "generation_info", NULL));
    p3d_migrate_files_named(j, old);
    json_decref(from_hash);
}

const char *p3d_migrate_job_read(struct p3d_migrate_job *j, const json_t *record,
                                 struct p3d_str result, char why[600])
{
    struct p3d_str named = p3d_json_get_str(record, "job_id");
    if (named.n > 0 && !p3d_str_eq_z(named, j->old_id))
        return "its record names another job_id";
    const char *bad = read_state(j, record);
    if (bad == NULL)
        bad = read_times(j, record);
    if (bad != NULL)
        return bad;
    read_numbers(j, record);
    read_ids(j, record);
    bad = read_spec(j, record, why);
    if (bad == NULL)
        read_result(j, record, result);
    return bad;
}

static json_t *error_of(const json_t *record)
{
    const json_t *old = json_object_get(record, "error");
    struct p3d_str text = p3d_json_get_str(record, "error");
    if (json_is_object(old))
        text = p3d_json_get_str(old, "message");
    char *clean P3D_CLEANUP(p3d_freep) = p3d_migrate_clean_text(p3d_utf8_cut(text, MESSAGE_MAX));
    return json_pack("{s:s, s:o}", "code", "FAILED", "message",
                     p3d_json_str(text.n > 0 ? p3d_str_z(clean) : P3D_STR("The job failed")));
}

static json_t *file_json(const struct p3d_artifact *a)
{
    return json_pack("{s:s, s:s, s:I, s:s, s:s}", "name", a->name, "role", a->role, "size_bytes",
                     (json_int_t)a->size_bytes, "sha256", a->sha256, "content_type",
                     a->content_type);
}

const char *p3d_migrate_job_detail(struct p3d_migrate_job *j, const json_t *record)
{
    json_t *detail = json_object(), *files = json_array();
    size_t n = 0;
    if (j->in.job.state == P3D_JOB_FAILED)
        set(detail, "error", error_of(record));
    if (j->mesh.name[0] != '\0') {
        (void)json_array_append_new(files, file_json(&j->mesh));
        set(j->result, "mesh", json_string(j->mesh.name));
    }
    if (j->thumbnail.name[0] != '\0') {
        (void)json_array_append_new(files, file_json(&j->thumbnail));
        set(j->result, "thumbnail", json_string(j->thumbnail.name));
    }
    if (j->result != NULL) {
        set(j->result, "files", json_incref(files));
        set(detail, "result", json_incref(j->result));
    }
    json_decref(files);
    free(j->detail);
    j->detail = json_object_size(detail) > 0 ? p3d_json_dump(detail, &n) : NULL;
    json_decref(detail);
    j->in.job.detail = (struct p3d_str){j->detail, n};
    return n > DETAIL_MAX ? "its result is too large" : NULL;
}

void p3d_migrate_job_free(struct p3d_migrate_job *j)
{
    free(j->old_id);
    free(j->spec);
    free(j->detail);
    free(j->mesh_path);
    free(j->thumbnail_path);
    json_decref(j->result);
    free(j);
}
