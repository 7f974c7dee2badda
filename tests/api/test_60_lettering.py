# SPDX-License-Identifier: MIT
"""The lettering model, run as the runner runs it: input.json, outputs/, events on descriptor 3.

Nothing of P3D is needed but the built program. The GLB is read here from its bytes, and again by
the Khronos validator (tests/node_modules, made by `npm ci` in tests/).
"""
import collections
import json
import os
import pathlib
import resource
import shutil
import struct
import subprocess
import time
import zlib

import pytest

from p3d_test import P3D

TESTS = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("P3D_BUILD_DIR") or TESTS.parent / "build" / "dev")
PROGRAM = BUILD / "libexec" / "lettering"
FONTS = pathlib.Path("/usr/share/fonts/truetype/dejavu")
ALPHABET = "".join(map(chr, range(0x21, 0x7F)))
ACCENTS = "ÄÖÜäöüßÅåÉéÈèÊêËëÇçÑñÕõØøÆæŒœŠšŽžŁłŐőŰűĄąĘęİıǍǎ e\u0301 o\u0308 a\u030a"
BLOCKS = "██▓▒░║═╬╦_\n██▄▀▌▐╔╗╚╝_"

Result = collections.namedtuple("Result", "code events directory stderr")


def run(directory, prompt=None, parameters=None, raw=None, env=None, **options):
    """One attempt in `directory`; `raw` bytes replace the input.json made from the prompt."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "outputs").mkdir(exist_ok=True)
    job = {"job_id": "01J", "attempt": 1, "feature": "mesh_generation", "model": "lettering",
           "inputs": {"prompt": prompt}, "parameters": parameters or {}, "output_format": "glb"}
    (directory / "input.json").write_bytes(raw if raw is not None else json.dumps(job).encode())
    environment = {"PATH": "/usr/bin:/bin", "P3D_INPUT": str(directory / "input.json"),
                   "P3D_OUTPUT_DIR": "outputs", "P3D_EVENTS_FD": "3", **(env or {})}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
        if name in os.environ:
            environment[name] = os.environ[name]
    reader, writer = os.pipe()
    before = options.pop("before", None)

    def prepare():
        os.dup2(writer, 3)
        if before:
            before()

    with open(directory / "stderr", "wb") as errors:
        process = subprocess.Popen([str(PROGRAM)], cwd=directory, env=environment, stderr=errors,
                                   stdout=errors, preexec_fn=prepare, pass_fds=(3, writer))
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            lines = pipe.read().decode("utf-8").splitlines()
        code = process.wait(timeout=120)
    return Result(code, [json.loads(line) for line in lines], directory,
                  (directory / "stderr").read_text(errors="replace"))


def of_kind(result, kind):
    return [event for event in result.events if event["event"] == kind]


def succeed(directory, *arguments, **options):
    result = run(directory, *arguments, **options)
    assert result.code == 0, (result.events, result.stderr)
    assert not of_kind(result, "error")
    return result


def refuse(directory, code, words, *arguments, **options):
    """The attempt fails with one error event that has `code` and all `words`, and no file."""
    result = run(directory, *arguments, **options)
    errors = of_kind(result, "error")
    assert result.code == 1 and len(errors) == 1, (result.code, result.events, result.stderr)
    assert errors[0]["code"] == code and errors[0]["retryable"] is False, errors
    for word in words:
        assert word in errors[0]["message"], errors
    assert result.events[-1] == errors[0]
    assert os.listdir(directory / "outputs") == []
    assert not of_kind(result, "output")
    return result


class Glb:
    """The parts of a binary glTF file, checked for the container's own rules."""

    def __init__(self, path):
        data = pathlib.Path(path).read_bytes()
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data)) and length % 4 == 0
        size, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON" and size % 4 == 0
        text = data[20:20 + size]
        self.json = json.loads(text)
        assert text.rstrip(b" ")[-1:] == b"}"
        rest, kind = struct.unpack_from("<I4s", data, 20 + size)
        assert kind == b"BIN\0" and rest % 4 == 0 and 28 + size + rest == length
        self.binary = data[28 + size:]
        used = self.json["buffers"][0]["byteLength"]
        assert 0 <= rest - used < 4 and not any(self.binary[used:])
        primitive, = self.json["meshes"][0]["primitives"]
        self.positions = self.vectors(primitive["attributes"]["POSITION"])
        self.normals = self.vectors(primitive["attributes"]["NORMAL"])
        self.indices = self.scalars(primitive["indices"])

    def bytes_of(self, accessor, size):
        view = self.json["bufferViews"][accessor["bufferView"]]
        assert view["byteLength"] == accessor["count"] * size
        return self.binary[view["byteOffset"]:view["byteOffset"] + view["byteLength"]]

    def vectors(self, index):
        accessor = self.json["accessors"][index]
        assert accessor["componentType"] == 5126 and accessor["type"] == "VEC3"
        return list(struct.iter_unpack("<3f", self.bytes_of(accessor, 12)))

    def scalars(self, index):
        accessor = self.json["accessors"][index]
        kind, size = {5123: ("H", 2), 5125: ("I", 4)}[accessor["componentType"]]
        data = self.bytes_of(accessor, size)
        return struct.unpack(f"<{accessor['count']}{kind}", data)


def check_solid(glb):
    """Closed, consistently outward, no triangle without area. Returns the volume."""
    numbers = {}
    at = [numbers.setdefault(p, len(numbers)) for p in glb.positions]
    edges = set()
    volume = 0.0
    assert glb.indices and len(glb.indices) % 3 == 0
    assert set(glb.indices) == set(range(len(glb.positions)))
    for i in range(0, len(glb.indices), 3):
        corners = glb.indices[i:i + 3]
        p, q, r = (glb.positions[c] for c in corners)
        a, b, c = (at[c] for c in corners)
        for edge in ((a, b), (b, c), (c, a)):
            assert edge not in edges, "an edge runs twice in one direction"
            edges.add(edge)
        u = (q[0] - p[0], q[1] - p[1], q[2] - p[2])
        v = (r[0] - p[0], r[1] - p[1], r[2] - p[2])
        n = (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])
        assert n != (0.0, 0.0, 0.0), "a triangle has no area"
        volume += p[0] * n[0] + p[1] * n[1] + p[2] * n[2]
    assert all((b, a) in edges for a, b in edges), "an edge has no opposite"
    assert volume > 0
    low, high = ([f(p[axis] for p in glb.positions) for axis in range(3)] for f in (min, max))
    accessor = glb.json["accessors"][glb.json["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    assert accessor["min"] == low and accessor["max"] == high
    return volume / 6


def validate(*paths):
    """0 errors, 0 warnings, and not a word besides from the Khronos validator."""
    if not (TESTS / "node_modules" / "gltf-validator").is_dir():
        pytest.fail("the glTF validator is not installed: run `npm ci` in tests/")
    node = shutil.which("node") or pytest.fail("node is not installed")
    done = subprocess.run([node, str(TESTS / "support" / "validate_glb.mjs"), *map(str, paths)],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(reports) == len(paths)
    for report in reports:
        assert [report[k] for k in ("errors", "warnings", "infos", "hints")] == [0] * 4, report


def glb_of(result):
    return result.directory / "outputs" / "result.glb"


def png_pixels(path):
    """Rows of an 8-bit RGB or RGBA PNG, unfiltered; checks the container."""
    data = pathlib.Path(path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    offset, packed = 8, b""
    while offset < len(data):
        length, kind = struct.unpack_from(">I4s", data, offset)
        body = data[offset + 8:offset + 8 + length]
        assert struct.unpack_from(">I", data, offset + 8 + length)[0] == zlib.crc32(kind + body)
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack_from(">IIBB", body)
        packed += body if kind == b"IDAT" else b""
        offset += 12 + length
    assert depth == 8 and colour in (2, 6)
    step = 3 if colour == 2 else 4
    raw, rows, above = zlib.decompress(packed), [], bytearray(width * step)
    for y in range(height):
        start = y * (width * step + 1)
        kind, row = raw[start], bytearray(raw[start + 1:start + 1 + width * step])
        for x in range(len(row)):
            left = row[x - step] if x >= step else 0
            corner = above[x - step] if x >= step else 0
            paeth = min((abs(above[x] - corner), 0, left), (abs(left - corner), 1, above[x]),
                        (abs(left + above[x] - 2 * corner), 2, corner))[2]
            row[x] = row[x] + (0, left, above[x], (left + above[x]) // 2, paeth)[kind] & 255
        rows.append(row)
        above = row
    return width, height, step, rows


@pytest.fixture(scope="session", autouse=True)
def _built():
    if not PROGRAM.is_file():
        pytest.fail(f"{PROGRAM} is not built (P3D_BUILD_DIR names the build directory)")


# The protocol

def test_events_and_files(tmp_path):
    result = succeed(tmp_path, "Hello")
    progress = [event["value"] for event in of_kind(result, "progress")]
    assert progress == sorted(progress) and progress[-1] == 1 and len(progress) >= 4
    assert all(event["message"] for event in of_kind(result, "progress"))
    assert of_kind(result, "output") == [
        {"event": "output", "path": "outputs/result.glb", "role": "mesh"}]
    assert of_kind(result, "thumbnail") == [
        {"event": "thumbnail", "path": "outputs/thumbnail.png"}]
    info, = of_kind(result, "info")
    glb = Glb(glb_of(result))
    assert info["vertices"] == len(glb.positions) and info["triangles"] == len(glb.indices) // 3
    assert info["font"] == "DejaVuSans-Bold.ttf" and info["warnings"] == []
    low, high = (glb.json["accessors"][0][k] for k in ("min", "max"))
    assert info["size_m"] == pytest.approx([h - l for l, h in zip(low, high)])
    assert sorted(os.listdir(tmp_path / "outputs")) == ["result.glb", "thumbnail.png"]
    assert result.stderr == ""


def test_output_directory_may_be_absolute(tmp_path):
    result = succeed(tmp_path, "A", env={"P3D_OUTPUT_DIR": str(tmp_path / "outputs")})
    assert of_kind(result, "output")[0]["path"] == "outputs/result.glb"


def test_reader_of_events_may_go(tmp_path):
    (tmp_path / "input.json").write_text('{"inputs":{"prompt":"A"}}')
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([str(PROGRAM)], cwd=tmp_path, pass_fds=(writer,), timeout=60,
                          env={"P3D_EVENTS_FD": str(writer), "P3D_INPUT": "input.json"})
    os.close(writer)
    assert done.returncode == 0
    assert (tmp_path / "outputs" / "result.glb").is_file()


def test_same_input_same_bytes(tmp_path):
    for name in ("a", "b"):
        succeed(tmp_path / name, ALPHABET + ACCENTS, {"bevel": 0.001})
    for name in ("result.glb", "thumbnail.png"):
        a, b = ((tmp_path / d / "outputs" / name).read_bytes() for d in ("a", "b"))
        assert a == b


# The mesh

CASES = {
    "ascii": (ALPHABET, {}),
    "accents": (ACCENTS, {}),
    "cjk": ("你好, 世界 こんにちは 안녕", {}),
    "lines": ("first\n\n second\tline\r\nthird\n", {"align": "right", "line_spacing": 0.7}),
    "blocks_that_touch": (BLOCKS, {"line_spacing": 0.9}),
    "zalgo": ("Z\u0301\u0302\u0327\u0328\u0338a\u0300\u0323\u20dd", {}),
    "no_bevel": ("Bevel & @%", {"bevel": 0}),
    "flat": ("Sogß8", {"smooth": False}),
    "flat_no_bevel": ("Sogß8", {"smooth": False, "bevel": 0}),
    "absurd_bevel": ("Bevel & @%", {"bevel": 0.0499, "depth": 0.1, "height": 0.02}),
    "tiny": ("Tiny.", {"height": 0.001, "depth": 0.0005}),
    "huge": ("Huge!", {"height": 100, "depth": 10, "bevel": 1}),
    "plate": ("Plate", {"height": 100, "depth": 0.0005, "bevel": 0.0001}),
    "rod": ("Rod", {"height": 0.001, "depth": 10}),
    "material": ("M", {"color": "#336699", "metallic": 1, "roughness": 0}),
    "one_wide_line": ("Wide " * 399 + "line.", {}),
}


@pytest.mark.parametrize("name", CASES)
def test_mesh(tmp_path, name):
    prompt, parameters = CASES[name]
    result = succeed(tmp_path, prompt, parameters)
    check_solid(Glb(glb_of(result)))
    validate(glb_of(result))


def test_every_font(tmp_path):
    fonts = sorted(path.name for path in FONTS.glob("*.ttf"))
    assert len(fonts) >= 2
    made = [glb_of(succeed(tmp_path / font, "Ag&@8é\nfiß%§", {"font": font})) for font in fonts]
    for path in made:
        check_solid(Glb(path))
    validate(*made)


def test_two_thousand_characters(tmp_path):
    sets = ALPHABET + ACCENTS.replace(" ", "") + "ΑβΓδЖщЫ你好█∑≠♥"
    text = "".join("\n" if i % 60 == 59 else " " if i % 7 == 6 else sets[i * 31 % len(sets)]
                   for i in range(2000))
    began = time.monotonic()
    result = succeed(tmp_path, text)
    assert time.monotonic() - began < 20  # a couple of seconds without sanitizers
    check_solid(Glb(glb_of(result)))
    validate(glb_of(result))


def test_sizes_are_metres(tmp_path):
    glb = Glb(glb_of(succeed(tmp_path, "H", {"height": 0.25, "depth": 0.03, "bevel": 0.004})))
    low, high = (glb.json["accessors"][0][k] for k in ("min", "max"))
    assert high[1] - low[1] == pytest.approx(0.25, rel=1e-3) and abs(low[1]) < 1e-4
    assert (low[2], high[2]) == (pytest.approx(-0.015), pytest.approx(0.015))
    assert low[0] == pytest.approx(-high[0], abs=1e-4)


def test_volume_of_a_plain_letter(tmp_path):
    """A capital I without bevel is a box: the volume is exact."""
    font = {"font": "DejaVuSans.ttf", "bevel": 0}
    glb = Glb(glb_of(succeed(tmp_path, "I", font)))
    low, high = (glb.json["accessors"][0][k] for k in ("min", "max"))
    box = (high[0] - low[0]) * (high[1] - low[1]) * (high[2] - low[2])
    assert check_solid(glb) == pytest.approx(box, rel=1e-6)
    assert len(glb.indices) // 3 == 12


def test_holes_and_facing(tmp_path):
    """The front of an O faces +z and has a hole: its area is far below its outline's."""
    glb = Glb(glb_of(succeed(tmp_path, "O", {"bevel": 0})))
    front, low, high = 0.0, glb.json["accessors"][0]["min"], glb.json["accessors"][0]["max"]
    for i in range(0, len(glb.indices), 3):
        p, q, r = (glb.positions[c] for c in glb.indices[i:i + 3])
        if p[2] == q[2] == r[2] == high[2]:
            area = (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])
            assert area > 0 and glb.normals[glb.indices[i]] == (0.0, 0.0, 1.0)
            front += area / 2
    assert 0.3 < front / ((high[0] - low[0]) * (high[1] - low[1])) < 0.7


def test_smooth_shares_normals(tmp_path):
    meshes = [Glb(glb_of(succeed(tmp_path / str(smooth), "O", {"smooth": smooth, "bevel": 0})))
              for smooth in (True, False)]
    assert len(meshes[0].positions) < len(meshes[1].positions)
    assert len(meshes[0].indices) == len(meshes[1].indices)


def test_material(tmp_path):
    parameters = {"colour": "#FF8000", "metallic": 0.25, "roughness": 0.75}
    material, = Glb(glb_of(succeed(tmp_path, "A", parameters))).json["materials"]
    assert material["doubleSided"] is False
    pbr = material["pbrMetallicRoughness"]
    assert (pbr["metallicFactor"], pbr["roughnessFactor"]) == (0.25, 0.75)
    assert pbr["baseColorFactor"] == pytest.approx([1, 0.21586, 0, 1], abs=1e-4)


def test_align(tmp_path):
    left, centre, right = (
        Glb(glb_of(succeed(tmp_path / a, "WWWWWW\nI", {"align": a}))) for a in
        ("left", "center", "right"))
    middle = [sum(p[0] for p in glb.positions if p[1] < 0.05) for glb in (left, centre, right)]
    assert middle[0] < middle[1] < middle[2]


# Warnings

def test_missing_glyphs_become_boxes(tmp_path):
    result = succeed(tmp_path, "A你好")
    info, = of_kind(result, "info")
    assert info["missing_glyphs"] == 2
    warning, = info["warnings"]
    assert "U+4F60" in warning and "U+597D" in warning and "DejaVuSans-Bold.ttf" in warning
    assert info["size_m"][0] > 0.2  # the boxes take room


def test_control_characters_are_ignored(tmp_path):
    result = succeed(tmp_path / "a", "A\u0000\u0007\u001bB")
    warning, = of_kind(result, "info")[0]["warnings"]
    assert "3 control characters" in warning
    plain = succeed(tmp_path / "b", "AB")
    assert glb_of(result).read_bytes() == glb_of(plain).read_bytes()


# Errors

@pytest.mark.parametrize("parameters, words", [
    ({"depth": 0}, ['"depth"', "0.0005"]),
    ({"depth": 11}, ['"depth"']),
    ({"depth": "0.02"}, ['"depth"', "number"]),
    ({"height": 0.0001}, ['"height"']),
    ({"height": True}, ['"height"']),
    ({"bevel": -0.1}, ['"bevel"']),
    ({"bevel": 0.01, "depth": 0.02}, ['"bevel"', '"depth"']),
    ({"color": "red"}, ['"color"', "red"]),
    ({"color": "#12345g"}, ['"color"']),
    ({"colour": 7}, ['"colour"']),
    ({"color": "#000000", "colour": "#000000"}, ['"color"', '"colour"']),
    ({"metallic": 1.5}, ['"metallic"']),
    ({"roughness": -1}, ['"roughness"']),
    ({"smooth": 1}, ['"smooth"', "true or false"]),
    ({"align": "middle"}, ['"align"', "middle"]),
    ({"line_spacing": 0}, ['"line_spacing"']),
    ({"font": "../DejaVuSans.ttf"}, ['"font"', "../DejaVuSans.ttf"]),
    ({"font": "/etc/passwd"}, ['"font"']),
    ({"font": ".hidden.ttf"}, ['"font"']),
    ({"font": ""}, ['"font"']),
    ({"font": "a\0b"}, ['"font"']),
    ({"font": "x" * 300}, ['"font"']),
    ({"weight": 3}, ['"weight"', "not known"]),
    ({"detph": 0.1}, ['"detph"']),
    ({"": 0.1}, ['""']),
])
def test_bad_parameters(tmp_path, parameters, words):
    refuse(tmp_path, "BAD_PARAMETER", words, "A", parameters)


def test_bad_fonts(tmp_path):
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    (fonts / "not-a-font.ttf").write_bytes(b"nothing of the kind")
    (fonts / "directory.ttf").mkdir()
    (fonts / "cut.ttf").write_bytes((FONTS / "DejaVuSans.ttf").read_bytes()[:2000])
    shutil.copy(FONTS / "DejaVuSans.ttf", fonts / "mine.ttf")
    env = {"LETTERING_FONT_DIR": str(fonts)}
    for name in ("none.ttf", "not-a-font.ttf", "directory.ttf", "cut.ttf"):
        refuse(tmp_path / name, "BAD_FONT", [name], "A", {"font": name}, env=env)
    succeed(tmp_path / "mine", "A", {"font": "mine.ttf"}, env=env)


@pytest.mark.parametrize("prompt", ["", " ", " \n\t\u00a0\u3000 \n", "\u200b", "\x01"])
def test_nothing_to_show(tmp_path, prompt):
    refuse(tmp_path, "EMPTY_PROMPT", ["prompt"], prompt)


@pytest.mark.parametrize("bad", [b"\xff", b"a\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"])
def test_invalid_utf8(tmp_path, bad):
    refuse(tmp_path, "INVALID_UTF8", ["UTF-8"], raw=b'{"inputs":{"prompt":"' + bad + b'"}}')


@pytest.mark.parametrize("raw, words", [
    (b"", []), (b"[]", ["prompt"]), (b"{", []), (b"null", []),
    (b'{"inputs":{}}', ["prompt"]), (b'{"inputs":{"prompt":5}}', ["prompt"]),
    (b'{"inputs":{"prompt":"A"},"parameters":[]}', ["parameters"]),
])
def test_bad_input(tmp_path, raw, words):
    refuse(tmp_path, "BAD_INPUT", words, raw=raw)


def test_input_is_missing(tmp_path):
    refuse(tmp_path, "BAD_INPUT", ["input"], "A", env={"P3D_INPUT": "nowhere.json"})


def test_unknown_output_format(tmp_path):
    refuse(tmp_path, "BAD_PARAMETER", ["output_format"],
           raw=b'{"inputs":{"prompt":"A"},"output_format":"stl"}')


@pytest.mark.parametrize("prompt", ["A" * 10001, "A\n" * 1001, "﷽" * 9000])
def test_too_large(tmp_path, prompt):
    refuse(tmp_path, "TOO_LARGE", [], prompt)


@pytest.mark.parametrize("limit", [0, 1000, 20000])
def test_disk_full(tmp_path, limit):
    """Writes beyond the limit fail as on a full disk, here those of the mesh."""
    def before():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    refuse(tmp_path, "IO_ERROR", ["outputs/result.glb"], "Hello", before=before)


def test_thumbnail_cannot_be_written(tmp_path):
    """The mesh fits below the limit and the thumbnail does not: the mesh goes too."""
    size = glb_of(succeed(tmp_path / "a", "I", {"bevel": 0})).stat().st_size
    limit = size + 100
    assert (tmp_path / "a" / "outputs" / "thumbnail.png").stat().st_size > limit

    def before():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    refuse(tmp_path / "b", "IO_ERROR", ["thumbnail.png"], "I", {"bevel": 0}, before=before)


def test_output_directory_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    refuse(tmp_path, "IO_ERROR", ["result.glb"], "A", env={"P3D_OUTPUT_DIR": "file"})


# The thumbnail

def test_thumbnail(tmp_path):
    result = succeed(tmp_path, "P3D", {"color": "#cc2200"})
    width, height, step, rows = png_pixels(tmp_path / "outputs" / "thumbnail.png")
    assert (width, height) == (512, 512)
    red = [(x, y) for y, row in enumerate(rows) for x in range(width)
           if row[x * step] > row[x * step + 2] + 60]
    assert 0.05 < len(red) / (width * height) < 0.8
    for axis in (0, 1):  # in the middle, and not cut off
        low, high = min(p[axis] for p in red), max(p[axis] for p in red)
        assert low > 5 and high < 506 and abs(low + high - 511) < 80
    assert len({bytes(row[x * step:x * step + 3]) for row in rows for x in range(width)}) > 500
    assert of_kind(result, "thumbnail")


# By hand

def by_hand(*arguments, **options):
    environment = {"PATH": "/usr/bin:/bin"}
    return subprocess.run([str(PROGRAM), *arguments], capture_output=True, text=True, timeout=60,
                          env=environment, **options)


def test_help():
    done = by_hand("--help")
    assert done.returncode == 0
    for word in ("--text", "--output", "--thumbnail", "depth", "bevel", "line_spacing"):
        assert word in done.stdout


def test_command_line(tmp_path):
    done = by_hand("--text", "Hi 你", "--output", "x.glb", "--thumbnail", "x.png", "--param",
                   "depth=0.05", "--param", "color=#00ff00", "--param", "smooth=false",
                   cwd=tmp_path)
    assert done.returncode == 0 and "U+4F60" in done.stderr
    check_solid(Glb(tmp_path / "x.glb"))
    validate(tmp_path / "x.glb")
    assert png_pixels(tmp_path / "x.png")[:2] == (512, 512)


@pytest.mark.parametrize("arguments, code", [
    ([], 2), (["--text", "A"], 2), (["--text", "A", "--output", "x.glb", "more"], 2),
    (["--text", "A", "--output", "x.glb", "--param", "depth"], 1),
    (["--text", "A", "--output", "x.glb", "--param", "depth=lots"], 1),
    (["--text", b"\xff", "--output", "x.glb"], 1),
    (["--text", "A", "--output", "/nowhere/x.glb"], 1),
    (["--text", "A", "--output", "/dev/full"], 1),
])
def test_command_line_errors(tmp_path, arguments, code):
    done = by_hand(*arguments, cwd=tmp_path)
    assert done.returncode == code and done.stderr
    assert os.listdir(tmp_path) == []


def test_the_operator_names_the_folder_of_fonts(tmp_path):
    """By the model's env in the configuration; a font of another folder is not found."""
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    shutil.copy("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", fonts / "ours.ttf")
    model = {"command": ["{libexec}/lettering"], "env": {"LETTERING_FONT_DIR": str(fonts)}}
    with P3D(models={"lettering": model}, config={"security": {"user_auth_enabled": False}}) as p3d:
        client = p3d.client()
        job = client.wait(client.submit("font", model_parameters={"font": "ours.ttf"}))
        assert job["status"] == "completed" and job["result"]["generation_info"]["font"] == "ours.ttf", job
        job = client.wait(client.submit("font", model_parameters={"font": "DejaVuSans.ttf"}))
        assert job["status"] == "failed" and job["error"]["code"] == "BAD_FONT", job
