/* SPDX-License-Identifier: MIT
 *
 * The route table of this process: the rows of routes.def, job rows under both prefixes, and one submit row per feature
 * with a route. Guarantee: what is not a row is not a route. Does not: match paths (server/http) or judge credentials.
 * To add a route, add a row and write its handler; prototypes, dispatch and tests follow.
 */
#include "app_internal.h"

#define P3D_SCOPE_NONE ((enum p3d_scope)0)

#define ROW(m, p, cr, sc, mo, bo, h, d)                                                                             \
    {.method = P3D_##m, .pattern = (p), .credential = P3D_CRED_##cr, .scope = P3D_SCOPE_##sc, .mode = P3D_MODE_##mo, \
     .body = P3D_BODY_##bo, .handler = p3d_api_##h, .name = #h, .doc = (d)},

static const struct p3d_route rows[] = {
#define P3D_ROUTE(m, p, cr, sc, mo, bo, h, d) ROW(m, p, cr, sc, mo, bo, h, d)
#define P3D_ROUTE_JOB(m, t, cr, sc, mo, bo, h, d)  \
    ROW(m, "/api/v1/system/jobs" t, cr, sc, mo, bo, h, d) \
    ROW(m, "/api/v1/jobs" t, cr, sc, mo, bo, h, d)
#include "p3d/routes.def"
#undef P3D_ROUTE
#undef P3D_ROUTE_JOB
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static bool takes_files(const struct p3d_feature *f)
{
    for (size_t i = 0; i < f->inputs.n; i++)
        if (f->inputs.v[i].type == P3D_INPUT_FILE_IMAGE || f->inputs.v[i].type == P3D_INPUT_FILE_MESH)
            return true;
    return false;
}

static struct p3d_route feature_row(struct p3d_feature *f)
{
    return (struct p3d_route){.method = P3D_POST,
                              .pattern = p3d_asprintf("/api/v1/%s", f->route),
                              .credential = P3D_CRED_TOKEN,
                              .scope = P3D_SCOPE_JOBS_WRITE,
                              .mode = P3D_MODE_ANY,
                              .body = takes_files(f) ? P3D_BODY_SUBMIT : P3D_BODY_JSON,
                              .handler = p3d_api_submit_feature,
                              .name = "submit_feature",
                              .doc = f->title,
                              .arg = f};
}

void p3d_routes_build(struct p3d_app *app)
{
    const struct p3d_models *m = app->cfg->models;
    bool files = false;
    app->routes = p3d_alloc((ROWS + m->features_n) * sizeof(struct p3d_route));
    for (size_t i = 0; i < ROWS; i++)
        app->routes[i] = rows[i];
    app->routes_n = ROWS;
    for (size_t i = 0; i < m->features_n; i++) {
        files = files || takes_files(m->features[i]);
        if (m->features[i]->route != NULL)
            app->routes[app->routes_n++] = feature_row(m->features[i]);
    }
    for (size_t i = 0; i < ROWS; i++)
        if (app->routes[i].body == P3D_BODY_SUBMIT && !files)
            app->routes[i].body = P3D_BODY_JSON;
}

void p3d_routes_done(struct p3d_app *app)
{
    for (size_t i = ROWS; i < app->routes_n; i++)
        p3d_freep(&app->routes[i].pattern);
    free(app->routes);
    app->routes = NULL;
    app->routes_n = 0;
}
