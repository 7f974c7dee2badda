/* SPDX-License-Identifier: MIT */
/* A strict UTF-8 decoder (RFC 3629).
 *
 * Guarantees: every character returned is a Unicode scalar value; anything else in the input is
 * an error that names the byte. Does not know what characters mean: that is text.c. */
#include "text.h"

#include <stdlib.h>

#include "alloc.h"

/* Length of the sequence that begins with `lead`, 0 when none does. */
static size_t sequence(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 3;
    return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

/* Decode one character; returns its length or 0. */
static size_t decode(const unsigned char *at, size_t left, uint32_t *ret_character)
{
    static const unsigned char mask[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = sequence(at[0]);
    uint32_t character = at[0] & mask[length];

    if (!length || length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        character = character << 6 | (at[i] & 0x3F);
    }
    if (character < least[length] || character > 0x10FFFF ||
        (character >= 0xD800 && character <= 0xDFFF))
        return 0;
    *ret_character = character;
    return length;
}

int let_utf8_decode(const char *bytes, size_t length, uint32_t **ret_characters, size_t *ret_count,
                    struct let_error *err)
{
    const unsigned char *at = (const unsigned char *)bytes;
    uint32_t *characters = NULL;
    size_t count = 0, capacity = 0;

    for (size_t i = 0; i < length;) {
        uint32_t character = 0;
        size_t step = decode(at + i, length - i, &character);

        if (!step) {
            free(characters);
            return let_fail(err, LET_INVALID_UTF8, "the prompt is not UTF-8 at byte %zu", i);
        }
        if (count == LET_MAX_CHARACTERS) {
            free(characters);
            return let_fail(err, LET_TOO_LARGE, "the prompt is longer than %d characters",
                            LET_MAX_CHARACTERS);
        }
        characters = let_grow(characters, &capacity, count + 1, sizeof(*characters));
        characters[count++] = character;
        i += step;
    }
    *ret_characters = characters;
    *ret_count = count;
    return 0;
}
