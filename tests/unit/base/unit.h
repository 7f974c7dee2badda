/* SPDX-License-Identifier: MIT
 *
 * What every unit test includes: cmocka with the headers that it wants before it.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
