/* SPDX-License-Identifier: MIT */
/* A uniform grid of buckets.
 *
 * Each box is listed in all buckets it reaches into; buckets are about as many as boxes, fewer
 * when large boxes would be listed too often, so memory stays proportional to the boxes.
 * A box found in several buckets is reported only in the one that holds the lower left corner of
 * its overlap with the box searched for: no marks, and searches do not disturb each other.
 * Without this, a page of touching glyphs would take time quadratic in its lines. */
#include "buckets.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"

#define CROWD 6 /* listings per box that are too many */

static size_t clamp_to(int64_t offset, int64_t cell, size_t count)
{
    if (offset < 0)
        return 0;
    return (size_t)let_min(offset / cell, (int64_t)count - 1);
}

static size_t column_of(const struct let_buckets *buckets, int64_t x)
{
    return clamp_to(x - buckets->bounds.x0, buckets->cell, buckets->columns);
}

static size_t row_of(const struct let_buckets *buckets, int64_t y)
{
    return clamp_to(y - buckets->bounds.y0, buckets->cell, buckets->rows);
}

static void set_cell(struct let_buckets *buckets, int64_t cell)
{
    buckets->cell = cell;
    buckets->columns = (size_t)((buckets->bounds.x1 - buckets->bounds.x0) / cell) + 1;
    buckets->rows = (size_t)((buckets->bounds.y1 - buckets->bounds.y0) / cell) + 1;
}

static size_t listings(const struct let_buckets *buckets, size_t count)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++) {
        const struct let_box *box = &buckets->boxes[i];

        total += (column_of(buckets, box->x1) - column_of(buckets, box->x0) + 1) *
                 (row_of(buckets, box->y1) - row_of(buckets, box->y0) + 1);
    }
    return total;
}

static void choose_cell(struct let_buckets *buckets, size_t count)
{
    double width = (double)(buckets->bounds.x1 - buckets->bounds.x0) + 1;
    double height = (double)(buckets->bounds.y1 - buckets->bounds.y0) + 1;
    double side = fmax(sqrt(width * height / (double)count), fmax(width, height) / (double)count);

    set_cell(buckets, (int64_t)side + 1);
    while (listings(buckets, count) > CROWD * count && buckets->columns * buckets->rows > 1)
        set_cell(buckets, 2 * buckets->cell);
}

void let_buckets_init(struct let_buckets *buckets, const struct let_box *boxes, size_t count)
{
    struct let_box bounds = count ? boxes[0] : (struct let_box){0, 0, 0, 0};
    size_t cells;

    for (size_t i = 1; i < count; i++)
        bounds = (struct let_box){let_min(bounds.x0, boxes[i].x0), let_min(bounds.y0, boxes[i].y0),
                                  let_max(bounds.x1, boxes[i].x1), let_max(bounds.y1, boxes[i].y1)};
    *buckets = (struct let_buckets){.boxes = boxes, .bounds = bounds};
    choose_cell(buckets, count ? count : 1);
    cells = buckets->columns * buckets->rows;
    buckets->starts = let_alloc(cells + 2, sizeof(*buckets->starts));
    buckets->items = let_alloc(listings(buckets, count), sizeof(*buckets->items));

    /* count into starts[cell + 2], sum up, and fill moving starts[cell + 1] to its end */
    for (int filling = 0; filling < 2; filling++) {
        for (size_t i = 0; i < count; i++)
            for (size_t row = row_of(buckets, boxes[i].y0); row <= row_of(buckets, boxes[i].y1);
                 row++)
                for (size_t column = column_of(buckets, boxes[i].x0);
                     column <= column_of(buckets, boxes[i].x1); column++) {
                    size_t cell = row * buckets->columns + column;

                    if (filling)
                        buckets->items[buckets->starts[cell + 1]++] = (uint32_t)i;
                    else
                        buckets->starts[cell + 2]++;
                }
        for (size_t cell = 0; cell < cells && !filling; cell++)
            buckets->starts[cell + 2] += buckets->starts[cell + 1];
    }
}

void let_buckets_done(struct let_buckets *buckets)
{
    free(buckets->starts);
    free(buckets->items);
    *buckets = (struct let_buckets){0};
}

void let_near_start(struct let_near *near, const struct let_buckets *buckets, struct let_box box)
{
    *near = (struct let_near){.buckets = buckets,
                              .box = box,
                              .column0 = column_of(buckets, box.x0),
                              .column1 = column_of(buckets, box.x1),
                              .row0 = row_of(buckets, box.y0),
                              .row1 = row_of(buckets, box.y1)};
    near->column = near->column0;
    near->row = near->row0;
    near->at = buckets->starts[near->row * buckets->columns + near->column];
}

/* Go to the next bucket. Returns false after the last. */
static bool next_bucket(struct let_near *near)
{
    if (near->column < near->column1) {
        near->column++;
    } else {
        if (near->row == near->row1)
            return false;
        near->row++;
        near->column = near->column0;
    }
    near->at = near->buckets->starts[near->row * near->buckets->columns + near->column];
    return true;
}

bool let_near_next(struct let_near *near, size_t *ret_item)
{
    const struct let_buckets *buckets = near->buckets;

    do {
        size_t end = buckets->starts[near->row * buckets->columns + near->column + 1];

        while (near->at < end) {
            size_t item = buckets->items[near->at++];
            const struct let_box *box = &buckets->boxes[item];

            if (let_box_meet(*box, near->box) &&
                column_of(buckets, let_max(box->x0, near->box.x0)) == near->column &&
                row_of(buckets, let_max(box->y0, near->box.y0)) == near->row) {
                *ret_item = item;
                return true;
            }
        }
    } while (next_bucket(near));
    return false;
}
