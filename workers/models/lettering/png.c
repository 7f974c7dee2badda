/* SPDX-License-Identifier: MIT */
/* The thumbnail as a PNG file.
 *
 * libpng's simplified interface, to memory first and then through file.c, so that the thumbnail
 * too appears whole or not at all. No time stamp and no text chunk: the same pixels give the same
 * bytes. */
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "file.h"
#include "render.h"

int let_png_write(const char *path, const uint8_t *pixels, struct let_error *err)
{
    png_image image;
    png_alloc_size_t length;
    struct let_piece piece;
    void *bytes;
    int status;

    memset(&image, 0, sizeof(image));
    image.version = PNG_IMAGE_VERSION;
    image.width = image.height = LET_PICTURE;
    image.format = PNG_FORMAT_RGB;
    length = PNG_IMAGE_PNG_SIZE_MAX(image);
    bytes = let_alloc(length, 1);
    if (!png_image_write_to_memory(&image, bytes, &length, 0, pixels, 0, NULL)) {
        free(bytes);
        return let_fail(err, LET_IO, "the thumbnail cannot be encoded: %s", image.message);
    }
    piece = (struct let_piece){bytes, length};
    status = let_file_write(path, &piece, 1, err);
    free(bytes);
    return status;
}
