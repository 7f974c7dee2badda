/* SPDX-License-Identifier: MIT
 *
 * A result as base64 in JSON, for clients that cannot take binary bodies. The text is written piece by piece into an
 * anonymous file, which then goes out like any other file: the loop never sees 85 MB of JSON at once. How many of these
 * exist at a time is limited by download.c.
 */
#include "download_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "p3d/clock.h"

#define PIECE 49152 /* a multiple of 3, so that only the last piece is padded */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t encode(const unsigned char *p, size_t n, char *dst)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i += 3) {
        unsigned have = n - i >= 3 ? 3 : (unsigned)(n - i);
        unsigned v = (unsigned)p[i] << 16 | (have > 1 ? (unsigned)p[i + 1] << 8 : 0) | (have > 2 ? p[i + 2] : 0U);
        dst[out++] = alphabet[v >> 18];
        dst[out++] = alphabet[v >> 12 & 63];
        dst[out++] = have > 1 ? alphabet[v >> 6 & 63] : '=';
        dst[out++] = have > 2 ? alphabet[v & 63] : '=';
    }
    return out;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return P3D_E_IO;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

/* Exactly n bytes: the file's length is part of what was announced. */
static int read_all(int fd, unsigned char *p, size_t n)
{
    while (n > 0) {
        ssize_t r = read(fd, p, n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return P3D_E_IO;
        p += r;
        n -= (size_t)r;
    }
    return 0;
}

static int encode_file(int from, int64_t size_bytes, int to)
{
    P3D_CLEANUP(p3d_freep) unsigned char *in = p3d_alloc(PIECE);
    P3D_CLEANUP(p3d_freep) char *out = p3d_alloc(PIECE / 3 * 4);
    while (size_bytes > 0) {
        size_t n = size_bytes < PIECE ? (size_t)size_bytes : PIECE;
        if (read_all(from, in, n) != 0 || write_all(to, out, encode(in, n, out)) != 0)
            return P3D_E_IO;
        size_bytes -= (int64_t)n;
    }
    return 0;
}

/* Everything but the data, which is written between the last quotes. */
static char *head_text(const struct p3d_download *d, size_t *ret_n)
{
    json_t *o = json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:s}", "job_id", d->job.id.s, "filename",
                          p3d_json_str(p3d_str_z(d->filename)), "content_type", p3d_content_type(d->file.name),
                          "file_size_mb", p3d_megabytes_json(d->size_bytes), "generation_info",
                          p3d_job_generation_json(&d->view), "download_time", p3d_json_time(p3d_wall_ms()),
                          "base64_data", "");
    char *text = p3d_json_dump(o, ret_n);
    json_decref(o);
    return text;
}

int p3d_download_encode(struct p3d_download *d)
{
    static const char tail[] = "\"}";
    size_t n;
    if (d->size_bytes > P3D_BASE64_MAX)
        return P3D_E_TOO_LARGE;
    P3D_CLEANUP(p3d_closep) int to = memfd_create("base64", MFD_CLOEXEC);
    if (to < 0)
        return P3D_E_IO;
    P3D_CLEANUP(p3d_freep) char *head = head_text(d, &n);
    if (write_all(to, head, n - (sizeof(tail) - 1)) != 0 || encode_file(d->fd, d->size_bytes, to) != 0 ||
        write_all(to, tail, sizeof(tail) - 1) != 0)
        return P3D_E_IO;
    off_t size = lseek(to, 0, SEEK_END);
    if (size < 0)
        return P3D_E_IO;
    p3d_closep(&d->fd);
    d->fd = to;
    d->size_bytes = size;
    to = -1;
    return 0;
}
