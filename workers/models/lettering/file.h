/* SPDX-License-Identifier: MIT */
/* Files that appear whole or not at all. */
#ifndef LET_FILE_H
#define LET_FILE_H

#include <stddef.h>

#include "error.h"

struct let_piece {
    const void *bytes;
    size_t length;
};

/* Write the pieces, one after the other, to `path`: temporary name beside it, fsync, rename, fsync
 * of the directory. On failure nothing is left under either name. Blocks on the disk.
 * Errors: LET_IO. */
int let_file_write(const char *path, const struct let_piece *pieces, size_t count,
                   struct let_error *err);

#endif
