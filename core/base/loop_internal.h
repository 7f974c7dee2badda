/* SPDX-License-Identifier: MIT
 *
 * What the pool needs from the loop beyond the public calls.
 */
#pragma once

struct p3d_loop;

/* Run the posts that have arrived, oldest first; those posted meanwhile stay for the next turn. May
 * be called from a post's own callback: the inner call goes on where the outer one was. */
void p3d_loop_run_posts(struct p3d_loop *l);
