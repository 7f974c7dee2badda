/* SPDX-License-Identifier: MIT
 *
 * What holds when the configuration names neither features nor models: the text that the shipped
 * config.yaml has for them, read by the same code. A unit test compares the two.
 */
#include "model_internal.h"

const char p3d_models_default[] =
    "features:\n"
    "  mesh_generation:\n"
    "    title: Mesh generation\n"
    "    route: mesh-generation\n"
    "    default_model: lettering\n"
    "    model_aliases: {trellis: lettering, hunyuan3d: lettering}\n"
    "    inputs:\n"
    "      prompt:\n"
    "        type: string\n"
    "        required: true\n"
    "        min_length: 1\n"
    "        max_length: 2000\n"
    "        description: What to make. The lettering model makes solid letters of this text.\n"
    "models:\n"
    "  mesh_generation:\n"
    "    lettering:\n"
    "      command: [\"{libexec}/lettering\"]\n"
    "      mode: oneshot\n"
    "      max_workers: 2\n"
    "      timeout_seconds: 120\n"
    "      max_attempts: 3\n"
    "      vram_requirement: 0\n"
    "      supported_inputs: [text]\n"
    "      supported_outputs: [glb]\n"
    "      outputs: required\n"
    "      enabled: true\n"
    "      parameters:\n"
    "        height: {type: number, minimum: 0.001, maximum: 100, default: 0.1,\n"
    "                 description: \"metres, height of a capital letter\"}\n"
    "        depth: {type: number, minimum: 0.0005, maximum: 10, default: 0.02,\n"
    "                description: \"metres, front to back\"}\n"
    "        bevel: {type: number, minimum: 0, maximum: 5,\n"
    "                description: \"metres, width of the bevel, less than half of depth; 0 = "
    "none\"}\n"
    "        color: {type: string, min_length: 7, max_length: 7, default: \"#e0912f\",\n"
    "                description: \"sRGB, as #rrggbb\"}\n"
    "        metallic: {type: number, minimum: 0, maximum: 1, default: 0, description: of the "
    "material}\n"
    "        roughness: {type: number, minimum: 0, maximum: 1, default: 0.4, description: of the "
    "material}\n"
    "        smooth: {type: boolean, default: true, description: smooth normals along curves}\n"
    "        font: {type: string, min_length: 1, max_length: 255, default: DejaVuSans-Bold.ttf,\n"
    "               description: file name of a font in the font directory}\n"
    "        line_spacing: {type: number, minimum: 0.5, maximum: 5, default: 1,\n"
    "                       description: \"times the font's own\"}\n"
    "        align: {type: string, enum: [left, center, right], default: center, description: of "
    "the lines}\n";

int p3d_models_read_default(const char *config_dir, struct p3d_models **ret, struct p3d_error *err)
{
    struct p3d_yaml *tree = NULL;
    int status = p3d_yaml_parse(p3d_str_z(p3d_models_default), "built-in models", &tree, err);
    if (status)
        return status;
    const struct p3d_yaml_item *features = p3d_yaml_find(tree, "features"),
                               *models = p3d_yaml_find(tree, "models");
    struct p3d_models_source source = {.name = "built-in models",
                                       .features = features->value,
                                       .models = models->value,
                                       .features_line = features->line,
                                       .models_line = models->line,
                                       .config_dir = config_dir};
    status = p3d_models_read(&source, ret, err);
    p3d_yaml_free(tree);
    return status;
}
