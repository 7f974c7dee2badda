/* SPDX-License-Identifier: MIT
 *
 * The verbs that work on the store (session_internal.h): one function each, named in the table of main.c. Each returns
 * the exit status of the process, has said on stderr what went wrong, and prints to stdout only what was asked for:
 * one JSON value with --json, text for people without.
 */
#pragma once
#include "options_internal.h"

/* ---- users_create.c ---- */
int p3d_users_create(struct p3d_options *o);

/* ---- users_show.c ---- */
int p3d_users_list(struct p3d_options *o);
int p3d_users_get(struct p3d_options *o);

/* ---- users_change.c ---- */
int p3d_users_promote(struct p3d_options *o);
int p3d_users_demote(struct p3d_options *o);
int p3d_users_suspend(struct p3d_options *o);
int p3d_users_activate(struct p3d_options *o);
int p3d_users_update(struct p3d_options *o);

/* ---- users_delete.c ---- */
int p3d_users_delete(struct p3d_options *o);

/* ---- users_password.c ---- */
int p3d_users_set_password(struct p3d_options *o);

/* ---- migrate.c ---- */
int p3d_migrate(struct p3d_options *o);

/* ---- jobs_list.c, jobs_show.c ---- */
int p3d_jobs_list(struct p3d_options *o);
int p3d_jobs_show(struct p3d_options *o);

/* ---- jobs_retry.c ---- */
int p3d_jobs_retry(struct p3d_options *o);

/* ---- jobs_change.c ---- */
int p3d_jobs_cancel(struct p3d_options *o);
int p3d_jobs_delete(struct p3d_options *o);

/* ---- audit.c, keys.c, doctor.c ---- */
int p3d_audit(struct p3d_options *o);
int p3d_keys_rotate(struct p3d_options *o);
int p3d_doctor(struct p3d_options *o);
