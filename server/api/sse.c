/* SPDX-License-Identifier: MIT
 *
 * Jobs as an event stream (the EventSource format of the HTML standard): one event is one line of JSON, the same object
 * that GET /{id} answers, made for the credential of the stream. Guarantee: a comment every 15 s, so that both sides and
 * what is between them notice a dead connection; a client that does not read is cut before it costs memory; a draining
 * server says `retry` with a spread, so that its clients do not all come back at once. Does not: decide what is sent.
 */
#include "watch_internal.h"

#include "p3d/crypto.h"

#define BEAT_MS 15000
#define MAX_BYTES (8u << 20) /* waiting for the client: more than one page of jobs */
#define RETRY_MS 1000
#define RETRY_SPREAD_MS 5000

/* Everything but the end of the stream. */
static void close_down(struct p3d_sse *e)
{
    e->open = false;
    p3d_timer_clear(p3d_call_app(e->call)->loop, &e->timer);
    p3d_call_on_drain(e->call, NULL, NULL);
}

static void on_gone(void *priv)
{
    struct p3d_sse *e = priv;
    close_down(e);
    e->over(e->priv);
    p3d_call_unref(e->call);
}

static void on_drain(void *priv)
{
    struct p3d_sse *e = priv;
    struct p3d_call *c = p3d_call_ref(e->call);
    p3d_sse_end(e, true);
    e->over(e->priv);
    p3d_call_unref(c);
}

static void on_beat(struct p3d_timer *t)
{
    struct p3d_sse *e = (struct p3d_sse *)(void *)((char *)t - offsetof(struct p3d_sse, timer));
    p3d_timer_set(p3d_call_app(e->call)->loop, t, BEAT_MS);
    p3d_stream_send(e->call, P3D_STR(":\n\n"));
    e->beat(e->priv);
}

void p3d_sse_begin(struct p3d_sse *e, void *priv)
{
    (void)p3d_call_ref(e->call);
    e->priv = priv;
    e->open = true;
    e->timer.cb = on_beat;
    p3d_stream_begin(e->call, "text/event-stream", MAX_BYTES, on_gone, e);
    p3d_timer_set(p3d_call_app(e->call)->loop, &e->timer, BEAT_MS);
    p3d_call_on_drain(e->call, on_drain, e);
}

int p3d_sse_send(struct p3d_sse *e, const struct p3d_job *job, const struct p3d_owner_id *caller, bool with_job)
{
    struct p3d_job_view v;
    struct p3d_links l = p3d_links_of(e->call, caller);
    int err = p3d_job_view_init(&v, job);
    if (err == 0 && e->open) {
        struct p3d_buf b;
        size_t n;
        json_t *o = p3d_job_json(&v, &l);
        char *text = p3d_json_dump(o, &n);
        p3d_buf_init(&b, 0);
        p3d_buf_addf(&b, "event: job\nid: %s%s%llu\ndata: ", with_job ? job->id.s : "", with_job ? ":" : "",
                     (unsigned long long)job->rev);
        p3d_buf_add(&b, text, n);
        p3d_buf_addz(&b, "\n\n");
        p3d_stream_send(e->call, p3d_buf_str(&b));
        p3d_buf_done(&b);
        free(text);
        json_decref(o);
    }
    p3d_job_view_done(&v);
    return err;
}

void p3d_sse_end(struct p3d_sse *e, bool comes_back)
{
    uint32_t spread;
    char text[48];
    if (!e->open)
        return;
    close_down(e);
    p3d_random(&spread, sizeof(spread));
    (void)p3d_format(text, sizeof(text), "retry: %u\n\n", RETRY_MS + (unsigned)(spread % RETRY_SPREAD_MS));
    if (comes_back)
        p3d_stream_send(e->call, p3d_str_z(text));
    p3d_stream_end(e->call);
    p3d_call_unref(e->call);
}
