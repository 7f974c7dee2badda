/* SPDX-License-Identifier: MIT */
/* The one place that asks for memory.
 *
 * Guarantees: never NULL, sizes are checked against overflow. Out of memory ends the process with
 * a line on stderr; the runner reports it as a failed attempt. The sizes asked for are bounded by
 * the limits in text.h and mesh.h, so this is the machine's shortage and not the client's doing. */
#include "alloc.h"

#include <stdio.h>
#include <stdlib.h>

static void *checked(void *memory)
{
    if (!memory) {
        (void)fputs("lettering: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *let_alloc(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size));
}

void *let_grow(void *items, size_t *capacity, size_t need, size_t size)
{
    size_t wanted = *capacity ? *capacity : 16;

    if (items && need <= *capacity)
        return items;
    while (wanted < need)
        wanted += wanted / 2;
    items = checked(reallocarray(items, wanted, size));
    *capacity = wanted;
    return items;
}
