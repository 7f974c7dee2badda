/* SPDX-License-Identifier: MIT */
/* From the job to its files: the one function that knows the order of the steps.
 *
 * Reads the runner's input.json, calls parameters, font, text, scene, glTF, thumbnail in turn and
 * says on the events how far it is. The mesh is announced only when it is on the disk. When a later
 * step fails the mesh is removed again, so a failed job leaves nothing. */
#include "job.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "font.h"
#include "glb.h"
#include "params.h"
#include "render.h"
#include "scene.h"
#include "text.h"

int let_job_read(const char *path, struct let_job *job, struct let_error *err)
{
    json_error_t why;
    json_t *input = json_load_file(path, JSON_ALLOW_NUL, &why), *prompt, *format;

    if (!input && json_error_code(&why) == json_error_invalid_utf8)
        return let_fail(err, LET_INVALID_UTF8, "the input is not UTF-8 (line %d)", why.line);
    if (!input)
        return let_fail(err, LET_BAD_INPUT, "cannot read the input: %.200s", why.text);
    prompt = json_object_get(json_object_get(input, "inputs"), "prompt");
    format = json_object_get(input, "output_format");
    job->input = input;
    if (!prompt || json_is_null(prompt))
        return let_fail(err, LET_BAD_INPUT, "the input \"prompt\" is missing");
    if (!json_is_string(prompt))
        return let_fail(err, LET_BAD_INPUT, "the input \"prompt\" must be a string");
    if (format && !json_is_null(format) &&
        (!json_is_string(format) || strcmp(json_string_value(format), "glb")))
        return let_fail(err, LET_BAD_PARAMETER, "\"output_format\" must be \"glb\"");
    job->text = json_string_value(prompt);
    job->text_length = json_string_length(prompt);
    job->parameters = json_object_get(input, "parameters");
    return 0;
}

void let_job_done(struct let_job *job)
{
    json_decref(job->input);
    *job = (struct let_job){0};
}

static void send_info(const struct let_events *events, const struct let_text *text,
                      const struct let_params *params, const struct let_mesh *mesh)
{
    json_t *warnings = json_array();
    double size[3];

    for (size_t i = 0; i < text->warning_count; i++)
        (void)json_array_append_new(warnings, json_string(text->warnings[i]));
    for (int i = 0; i < 3; i++)
        size[i] = (double)mesh->high[i] - (double)mesh->low[i];
    let_events_info(events, json_pack("{s:I, s:I, s:s, s:I, s:I, s:I, s:[f, f, f], s:f, s:o}",
                                      "vertices", (json_int_t)mesh->vertex_count, "triangles",
                                      (json_int_t)(mesh->index_count / 3), "font", params->font,
                                      "characters", (json_int_t)text->characters, "lines",
                                      (json_int_t)text->lines, "missing_glyphs",
                                      (json_int_t)text->missing, "size_m", size[0], size[1],
                                      size[2], "bevel_m", params->bevel, "warnings", warnings));
}

static int write_files(const struct let_job *job, const struct let_params *params,
                       const struct let_mesh *mesh, const struct let_events *events,
                       struct let_error *err)
{
    int status = let_glb_write(job->mesh_path, mesh, params, err);

    if (status)
        return status;
    if (job->thumbnail_path) {
        uint8_t *pixels;

        let_events_progress(events, 0.75, "thumbnail");
        pixels = let_render(mesh, params);
        status = let_png_write(job->thumbnail_path, pixels, err);
        free(pixels);
    }
    if (status) {
        (void)unlink(job->mesh_path);
        return status;
    }
    let_events_file(events, "output", job->mesh_path, "mesh");
    if (job->thumbnail_path)
        let_events_file(events, "thumbnail", job->thumbnail_path, NULL);
    return 0;
}

static int make(const struct let_job *job, const struct let_params *params,
                const struct let_font *font, const struct let_events *events, struct let_error *err)
{
    struct let_text text;
    struct let_mesh mesh;
    int status = let_text_layout(job->text, job->text_length, font, params, &text, err);

    if (status)
        return status;
    status = let_scene_build(&text, font, params, events, &mesh, err);
    if (!status) {
        let_events_progress(events, 0.65, "writing the mesh");
        status = write_files(job, params, &mesh, events, err);
        if (!status)
            send_info(events, &text, params, &mesh);
        let_mesh_done(&mesh);
    }
    let_text_done(&text);
    return status;
}

int let_job_run(const struct let_job *job, const struct let_events *events, struct let_error *err)
{
    struct let_params params;
    struct let_font font;
    int status;

    let_events_progress(events, 0.02, "reading the parameters");
    status = let_params_read(job->parameters, &params, err);
    if (status)
        return status;
    status = let_font_open(job->font_directory, params.font, &font, err);
    if (status)
        return status;
    let_events_progress(events, 0.05, "setting the text");
    status = make(job, &params, &font, events, err);
    let_font_done(&font);
    if (!status)
        let_events_progress(events, 1, "done");
    return status;
}
