/* SPDX-License-Identifier: MIT
 *
 * The beginnings of the key names. Those with one tag may be used together in one script. Private to core/store.
 */
#pragma once

#define P3D_KEY_DIRECTORY "p3d:{a}:" /* accounts, tokens */
#define P3D_KEY_WORK "p3d:{0}:"      /* jobs and queues of work shard 0 */
#define P3D_KEY_WAKE "p3d:{0}:wake:" /* + kind: list with one element when there is work */
#define P3D_KEY_CTL "p3d:{0}:ctl:"   /* + nonce of an attempt: list with an element when somebody cancels it */
#define P3D_CHANNEL "p3d:{0}:ev"     /* what changes; + ":" and an owner ("-" = none): of that owner's */
