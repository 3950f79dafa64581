#!/usr/bin/env python3
"""Writes broken and hostile model files: hostile_files.py FOLDER.

Needs no torch, and writes the same bytes every time. FOLDER/manifest.tsv has a line for each: its name, then the reason that
CheckArchive gives, or "-" for those that pass it and are the sandbox's to survive, or "counted" for those that only look dangerous. FOLDER/normal.pt is a good file.
"""
import os
import pathlib
import random
import struct
import sys
import zlib

LINEAR = '''class M(Module):
  __parameters__ = ["weight", ]
  __buffers__ = []
  weight : Tensor
  training : bool
  def forward(self: __torch__.M,
    x: Tensor) -> Tensor:
    weight = self.weight
    return torch.linear(x, weight, None)
'''


def module(body: str, rest: str = "") -> str:
    """LINEAR with these lines in place of forward's body."""
    head = LINEAR[: LINEAR.index("    weight = self.weight")]
    return head + "".join(f"    {line}\n" for line in body.splitlines()) + rest


# --- pickles -----------------------------------------------------------------------------------------------------------------

def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def integer(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x08" + struct.pack("<q", value)


def integers(values) -> bytes:
    return b"(" + b"".join(integer(value) for value in values) + b"t"


def storage(key="0", elements=16, kind="FloatStorage", device="cpu") -> bytes:
    return b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text(device) + integer(elements) + b"tQ"


def tensor(sizes=(4, 4), strides=(4, 1), offset=0, of=None) -> bytes:
    return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + (storage() if of is None else of) + integer(offset) + integers(sizes)
            + integers(strides) + b"\x88ccollections\nOrderedDict\n)RtR")


def instance(state: bytes, name="M") -> bytes:
    return f"c__torch__\n{name}\n".encode() + b")\x81}(" + state + b"ub"


def data_pickle(weight: bytes = None, more: bytes = b"") -> bytes:
    weight = tensor() if weight is None else weight
    return b"\x80\x02" + instance(text("weight") + weight + text("training") + b"\x88" + more) + b"."


# --- zip files ---------------------------------------------------------------------------------------------------------------

class Member:
    """A member; every field that a hostile file lies about can be set apart for the local header and the directory."""

    def __init__(self, name, data: bytes, deflate=False, **lies):
        self.name = name if isinstance(name, bytes) else name.encode()
        self.data = data
        self.stored = data
        self.method = 0
        if deflate:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            self.stored = packer.compress(data) + packer.flush()
            self.method = 8
        self.lies = lies

    def field(self, where: str, name: str, truth):
        return self.lies.get(f"{where}_{name}", self.lies.get(name, truth))

    def local(self) -> bytes:
        get = lambda name, truth: self.field("local", name, truth)
        name = get("name", self.name)
        extra = get("extra", b"")
        return struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, get("flags", 0), get("method", self.method), 0, 0,
                           get("crc", zlib.crc32(self.data)), get("stored", len(self.stored)), get("size", len(self.data)),
                           len(name), len(extra)) + name + extra + self.stored

    def central(self, offset: int) -> bytes:
        get = lambda name, truth: self.field("central", name, truth)
        name = get("name", self.name)
        extra = get("extra", b"")
        return struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, get("flags", 0), get("method", self.method), 0, 0,
                           get("crc", zlib.crc32(self.data)), get("stored", len(self.stored)), get("size", len(self.data)),
                           len(name), len(extra), 0, 0, 0, 0, get("offset", offset)) + name + extra


def zip_file(members, before=b"", gap=b"", zip64=None, end=None, comment=b"") -> bytes:
    """`zip64`: replaces fields of the zip64 end record; `end`: of the end record."""
    body, directory = before, b""
    for member in members:
        directory += member.central(len(body))
        body += member.local() + gap
    offset, size, count = len(body), len(directory), len(members)
    tail = b""
    if zip64 is not None:
        record = {"count": count, "size": size, "offset": offset, "record_offset": offset + size, "record_size": 44, **zip64}
        tail = struct.pack("<IQHHIIQQQQ", 0x06064B50, record["record_size"], 45, 45, 0, 0, record["count"], record["count"],
                           record["size"], record["offset"])
        tail += struct.pack("<IIQI", 0x07064B50, 0, record["record_offset"], 1)
    last = {"count": min(count, 0xFFFF), "size": size, "offset": offset, "disk": 0, **(end or {})}
    tail += struct.pack("<IHHHHIIH", 0x06054B50, last["disk"], last["disk"], last["count"], last["count"], last["size"],
                        last["offset"], len(comment)) + comment
    return body + directory + tail


WEIGHTS = struct.pack("<16f", *[float(i) / 16 for i in range(16)])


def members(code=LINEAR, data=None, constants=b"\x80\x02).", weights=WEIGHTS, version=b"3\n", deflate_code=True):
    """The members of a model by their names, in torch's order."""
    code = code if isinstance(code, bytes) else code.encode()
    return {
        "data.pkl": Member("m/data.pkl", data_pickle() if data is None else data),
        "code/__torch__.py": Member("m/code/__torch__.py", code, deflate=deflate_code),
        "data/0": Member("m/data/0", weights),
        "constants.pkl": Member("m/constants.pkl", constants),
        "version": Member("m/version", version),
    }


def model(**parts) -> bytes:
    return zip_file(members(**parts).values())


def with_members(change, **options) -> bytes:
    parts = members()
    change(parts)
    return zip_file(parts.values(), **options)


NORMAL = model()

# --- the files ---------------------------------------------------------------------------------------------------------------

FILES = {}  # name: (reason, bytes)


def add(name: str, reason: str, content: bytes):
    assert name not in FILES, name
    FILES[name] = (reason, content)


def add_member(name: str, reason: str, which: str, **lies):
    def change(parts):
        old = parts[which]
        parts[which] = Member(old.name, old.data, deflate=old.method == 8, **lies)

    add(name, reason, with_members(change))


def other_kinds():
    add("empty", "NOT_TORCHSCRIPT", b"")
    add("one_byte", "NOT_TORCHSCRIPT", b"P")
    add("text", "NOT_TORCHSCRIPT", b"import torch\nmodel = torch.nn.Linear(4, 4)\n")
    add("zeros", "NOT_TORCHSCRIPT", bytes(4096))
    add("elf", "NOT_TORCHSCRIPT", b"\x7fELF\x02\x01\x01" + bytes(200))
    add("script", "NOT_TORCHSCRIPT", b"#!/bin/sh\necho pwned > /tmp/pwned\n")
    add("legacy_torch_save", "NOT_TORCHSCRIPT", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + bytes(100))
    add("python_pickle", "NOT_TORCHSCRIPT", b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.")
    add("hdf5", "NOT_TORCHSCRIPT", b"\x89HDF\r\n\x1a\n" + bytes(100))
    add("gguf", "NOT_TORCHSCRIPT", b"GGUF\x03\0\0\0" + bytes(100))
    add("gzip", "NOT_TORCHSCRIPT", b"\x1f\x8b\x08\0" + bytes(100))
    add("onnx", "NOT_TORCHSCRIPT", b"\x08\x07\x12\x07pytorch" + bytes(range(1, 100)))
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    add("safetensors", "NOT_TORCHSCRIPT", struct.pack("<Q", len(header)) + header + bytes(4))
    add("noise", "NOT_TORCHSCRIPT", random.Random(1).randbytes(8192))
    add("state_dict", "NOT_TORCHSCRIPT", zip_file([
        Member("archive/data.pkl", b"\x80\x02}" + text("weight") + tensor() + b"s."), Member("archive/data/0", WEIGHTS),
        Member("archive/version", b"3\n")]))
    add("empty_zip", "NOT_TORCHSCRIPT", zip_file([]))
    add("other_zip", "NOT_TORCHSCRIPT", zip_file([Member("hello.txt", b"hello")]))
    add("numpy_zip", "NOT_TORCHSCRIPT", zip_file([Member("a.npy", b"\x93NUMPY")]))
    add("exported_program", "NOT_TORCHSCRIPT", zip_file([Member("serialized_exported_program.json", b"{}")]))
    add("torch_1_0", "NOT_TORCHSCRIPT", zip_file([Member("m/version", b"1\n"), Member("m/model.json", b"{}")]))


def truncations():
    for percent in (1, 5, 10, 25, 50, 75, 90, 95, 99):
        size = len(NORMAL) * percent // 100
        add(f"truncated_{percent}_percent", "NOT_TORCHSCRIPT" if size < 4 else "MODEL_FILE_BROKEN", NORMAL[:size])
    add("truncated_by_one", "MODEL_FILE_BROKEN", NORMAL[:-1])
    add("without_first_byte", "NOT_TORCHSCRIPT", NORMAL[1:])
    add("appended", "MODEL_FILE_BROKEN", NORMAL + b"x")
    add("twice", "MODEL_FILE_BROKEN", NORMAL + NORMAL)


def damage():
    def flipped(what: bytes, at=0, mask=1):
        content = bytearray(NORMAL)
        content[NORMAL.index(what) + at] ^= mask
        return bytes(content)

    add("flipped_weight", "MODEL_FILE_BROKEN", flipped(WEIGHTS, 17, 0x40))
    add("flipped_version", "MODEL_FILE_BROKEN", flipped(b"m/version3\n", 9, 1))
    add("flipped_pickle", "MODEL_FILE_BROKEN", flipped(text("training"), 6))
    code = members()["code/__torch__.py"].stored
    add("flipped_code", "MODEL_FILE_BROKEN", flipped(code, len(code) // 2, 0x10))
    add_member("wrong_crc", "MODEL_FILE_BROKEN", "data/0", crc=0x12345678)
    add_member("wrong_crc_of_code", "MODEL_FILE_BROKEN", "code/__torch__.py", crc=0x12345678)


def zip_tricks():
    add("deflated_weights_bomb", "MODEL_FILE_HOSTILE", with_members(
        lambda parts: parts.update({"data/0": Member("m/data/0", bytes(64 << 20), deflate=True)})))
    add("deflated_code_bomb", "MODEL_FILE_TOO_LARGE", model(code=b"# " + b" " * (32 << 20) + b"\n" + LINEAR.encode()))
    add("deflated_debug_bomb", "MODEL_FILE_TOO_LARGE", with_members(
        lambda parts: parts.update({"debug": Member("m/code/__torch__.py.debug_pkl", bytes(80 << 20), deflate=True)})))
    add_member("code_size_lie_small", "MODEL_FILE_BROKEN", "code/__torch__.py", size=10)
    add_member("code_size_lie_large", "MODEL_FILE_HOSTILE", "code/__torch__.py", size=3 << 20)
    add("duplicate_member", "MODEL_FILE_HOSTILE", with_members(
        lambda parts: parts.update({"twin": Member("m/data.pkl", b"\x80\x02N.")})))
    for name, path in {"dot_dot": "m/../../etc/passwd", "dot_dot_end": "m/..", "absolute": "/etc/passwd",
                       "backslash": "m\\data\\9", "drive": "C:/x", "nul": "m/data/9\0.txt"}.items():
        add(f"name_{name}", "MODEL_FILE_HOSTILE", with_members(lambda parts: parts.update({"x": Member(path, b"x")})))
    add("name_empty", "MODEL_FILE_BROKEN", with_members(lambda parts: parts.update({"x": Member("", b"x")})))
    add("name_outside", "MODEL_FILE_HOSTILE", with_members(lambda parts: parts.update({"x": Member("other/x", b"x")})))
    add_member("name_differs", "MODEL_FILE_HOSTILE", "data/0", local_name=b"m/data/1")
    add_member("encrypted", "MODEL_FILE_HOSTILE", "data/0", flags=1)
    add_member("unknown_flags", "MODEL_FILE_HOSTILE", "data/0", flags=1 << 13)
    add_member("unknown_method", "MODEL_FILE_HOSTILE", "data/0", method=12)
    add_member("method_differs", "MODEL_FILE_HOSTILE", "data/0", local_method=8)
    add_member("crc_differs", "MODEL_FILE_HOSTILE", "data/0", local_crc=1)
    add_member("size_differs", "MODEL_FILE_HOSTILE", "data/0", local_size=63, local_stored=63)
    add_member("stored_size_lie", "MODEL_FILE_HOSTILE", "data/0", central_size=1 << 20)
    add_member("overlapping", "MODEL_FILE_HOSTILE", "data/0", stored=120, size=120)
    add_member("same_offset", "MODEL_FILE_HOSTILE", "data/0", central_offset=0)
    add_member("offset_outside", "MODEL_FILE_BROKEN", "data/0", central_offset=1 << 30)
    add_member("huge_size", "MODEL_FILE_BROKEN", "data/0", stored=0xFFFFFFF0, size=0xFFFFFFF0)
    add_member("zip64_huge_size", "MODEL_FILE_BROKEN", "data/0", stored=0xFFFFFFFF, size=0xFFFFFFFF,
               extra=struct.pack("<HHQQ", 1, 16, 1 << 62, 1 << 62))
    add_member("zip64_short_field", "MODEL_FILE_BROKEN", "data/0", stored=0xFFFFFFFF, size=0xFFFFFFFF,
               extra=struct.pack("<HHQ", 1, 8, 64))
    add_member("extra_overruns", "MODEL_FILE_BROKEN", "data/0", extra=struct.pack("<HH", 7, 500))
    add_member("descriptor_missing", "MODEL_FILE_HOSTILE", "data/0", flags=8)
    parts = list(members().values())
    add("zip64_count_lie", "MODEL_FILE_HOSTILE", zip_file(parts, zip64={"count": 1 << 40}))
    add("zip64_offset_lie", "MODEL_FILE_BROKEN", zip_file(parts, zip64={"offset": 1 << 60}))
    add("zip64_size_lie", "MODEL_FILE_BROKEN", zip_file(parts, zip64={"size": 1 << 60}))
    add("zip64_record_elsewhere", "MODEL_FILE_BROKEN", zip_file(parts, zip64={"record_offset": 0}))
    add("zip64_record_large", "MODEL_FILE_BROKEN", zip_file(parts, zip64={"record_size": 1 << 50}))
    add("zip64_disagrees", "MODEL_FILE_HOSTILE", zip_file(parts, zip64={}, end={"count": 4}))
    add("end_count_lie", "MODEL_FILE_BROKEN", zip_file(parts, end={"count": 4}))
    add("end_disk", "MODEL_FILE_BROKEN", zip_file(parts, end={"disk": 3}))
    add("zip_comment", "MODEL_FILE_BROKEN", zip_file(parts, comment=b"PK\x05\x06" + bytes(18)))
    add("prepended_program", "NOT_TORCHSCRIPT", zip_file(parts, before=b"#!/bin/sh\n"))
    add("prepended_member", "MODEL_FILE_HOSTILE", zip_file(parts, before=Member("m/data.pkl", b"\x80\x02N.").local()))
    add("gaps", "MODEL_FILE_HOSTILE", zip_file(parts, gap=b"hidden"))
    add("many_members", "MODEL_FILE_TOO_LARGE", with_members(
        lambda parts: parts.update({str(i): Member(f"m/extra/{i}", b"") for i in range(10_001)})))


def layout():
    for name in ("data.pkl", "constants.pkl", "version", "code/__torch__.py"):
        reason = "MODEL_FILE_BROKEN" if name == "version" else "NOT_TORCHSCRIPT"
        add(f"without_{name.replace('/', '_')}", reason, with_members(lambda parts: parts.pop(name)))
    add("version_999", "MODEL_FILE_UNSUPPORTED", model(version=b"999\n"))
    add("version_text", "MODEL_FILE_BROKEN", model(version=b"new\n"))
    add("version_negative", "MODEL_FILE_UNSUPPORTED", model(version=b"-3\n"))
    add("big_endian", "MODEL_FILE_UNSUPPORTED", with_members(
        lambda parts: parts.update({"byteorder": Member("m/byteorder", b"big")})))


def pickles():
    crafted = {
        "empty": b"", "no_protocol": b"N.", "protocol_4": b"\x80\x04N.", "no_end": b"\x80\x02N", "nothing_left": b"\x80\x02.",
        "two_left": b"\x80\x02NN.", "trailing": b"\x80\x02N.N",
        "binpersid_empty": b"\x80\x02Q.", "build_empty": b"\x80\x02b.", "tuple3_empty": b"\x80\x02\x87.",
        "reduce_empty": b"\x80\x02R.", "reduce_integer": b"\x80\x02K\x63)R.", "build_integer": b"\x80\x02K\x01K\x02b.",
        "newobj_empty": b"\x80\x02\x81.", "tuple_no_mark": b"\x80\x02Nt.", "setitems_no_mark": b"\x80\x02}u.",
        "setitem_empty": b"\x80\x02s.", "appends_no_list": b"\x80\x02(e.", "append_to_int": b"\x80\x02K\x01K\x02a.",
        "setitems_odd": b"\x80\x02}(Nu.", "get_unput": b"\x80\x02h\x05.", "put_huge": b"\x80\x02Nr\xff\xff\xff\x7f.",
        "string_4_gib": b"\x80\x02X\xff\xff\xff\xffabc.", "long_of_255": b"\x80\x02\x8a\xff" + bytes(255) + b".",
        "binpersid_int": b"\x80\x02K\x01Q.", "binpersid_short": b"\x80\x02(" + text("storage") + b"tQ.",
        "os_system": b"\x80\x02cos\nsystem\n(" + text("touch pwned") + b"tR.",
        "builtins_eval": b"\x80\x02cbuiltins\neval\n(" + text("1") + b"tR.",
        "global_no_end": b"\x80\x02c" + b"a" * 5000, "memoize_opcode": b"\x80\x02N\x94.", "dup_opcode": b"\x80\x02N2.",
        "stack_global": b"\x80\x02" + text("os") + text("system") + b"\x93.",
        "contains_itself": b"\x80\x02]q\x00h\x00a.", "shared_then_changed": b"\x80\x02]q\x00\x85h\x00Na.",
        "deep_tuples": b"\x80\x02)" + b"\x85" * 100_000 + b".", "deep_lists": b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b".",
        "deep_type": b"\x80\x02ctorch.jit._pickle\nrestore_type_tag\n(](" + b"e" + text("List[" * 5000 + "int" + "]" * 5000) + b"tR.",
        "unfinished_object": b"\x80\x02c__torch__\nM\n)\x81.", "list_as_key": b"\x80\x02}]Ns.",
    }
    for name, content in crafted.items():
        add(f"pickle_{name}", "MODEL_FILE_HOSTILE", model(data=content))
    add("pickle_native_class", "MODEL_OPERATOR_REFUSED", model(
        data=data_pickle(more=text("p") + b"c__torch__.torch.classes.dist_c10d\nProcessGroup\n)\x81Nb")))
    add("pickle_constants_crafted", "MODEL_FILE_HOSTILE", model(constants=b"\x80\x02Q."))
    weights = {
        "beyond_storage": tensor((200_000,), (1,)), "beyond_by_one": tensor((17,), (1,)), "beyond_by_offset": tensor(offset=1),
        "beyond_by_stride": tensor((4, 4), (5, 1)), "two_billion": tensor((2_000_000_000,), (1,)),
        "overflow": tensor((1 << 62, 1 << 62), (1, 1)), "overflow_stride": tensor((2, 2), ((1 << 63) - 1, 1)),
        "negative_size": tensor((-4, 4)), "negative_stride": tensor(strides=(-4, 1)), "negative_offset": tensor(offset=-1),
        "sizes_without_strides": tensor((4, 4), (4,)), "65_dimensions": tensor((1,) * 65, (1,) * 65),
        "storage_larger_than_member": tensor(of=storage(elements=1 << 20)), "storage_smaller": tensor(of=storage(elements=8)),
        "storage_negative": tensor(of=storage(elements=-1)), "storage_other_type": tensor(of=storage(kind="DoubleStorage")),
        "storage_unknown_type": tensor(of=storage(kind="EvilStorage")), "not_a_storage": tensor(of=b"N"),
    }
    for name, weight in weights.items():
        add(f"tensor_{name}", "MODEL_FILE_HOSTILE", model(data=data_pickle(weight)))
    add("tensor_storage_missing", "MODEL_FILE_BROKEN", model(data=data_pickle(tensor(of=storage(key="7")))))
    add("tensor_storage_path", "MODEL_FILE_BROKEN", model(data=data_pickle(tensor(of=storage(key="../../etc/passwd")))))


def code():
    bodies = {
        "deep_parentheses": "return " + "(" * 200_000 + "x" + ")" * 200_000,
        "deep_brackets": "y = " + "[" * 300 + "x" + "]" * 300 + "\nreturn x",
        "many_minus": "return " + "-" * 60_000 + "x",
        "many_not": "y = " + "not " * 15_000 + "True\nreturn x",
        "long_sum": "return (" + "\n    + ".join(["x"] * 100_000) + ")",
        "long_line": 'y = "' + "a" * 70_000 + '"\nreturn x',
        "endless_string": 'y = "abc\nreturn x',
        "closing_bracket": "return x)",
        "many_elif": "if True:\n  y = 1\n" + "elif True:\n  y = 2\n" * 5000 + "return x",
    }
    for name, body in bodies.items():
        add(f"code_{name}", "MODEL_FILE_HOSTILE", model(code=module(body)))
    blocks = "".join("  " * i + "if True:\n" for i in range(300)) + "  " * 300 + "y = 1\nreturn x"
    add("code_deep_blocks", "MODEL_FILE_HOSTILE", model(code=module(blocks)))
    add("code_nul", "MODEL_FILE_HOSTILE", model(code=module("return x\0")))
    refused = {
        "setstate_loop": module("return x", "  def __setstate__(self: __torch__.M,\n    state: Tensor) -> NoneType:\n"
                                            "    while True:\n      print(state)\n    return None\n"),
        "from_file_read": module('return torch.from_file("/etc/passwd", False, 100, dtype=0)'),
        "from_file_write": module('return torch.from_file("pwned", True, 100)'),
        "ops_from_file": module('return ops.aten.from_file("pwned", True, 100)'),
        "save": module('torch.save(x, "pwned")\nreturn x'),
        "fork": module("f = fork(self.forward, x)\nreturn torch.wait(f)"),
    }
    for name, source in refused.items():
        add(f"code_{name}", "MODEL_OPERATOR_REFUSED", model(code=source))


def for_the_sandbox():
    """What only running the model shows: a typed error is all that is asked, and that nothing else suffers."""
    loops = "while torch.gt(torch.dim(x), -1):\n  "
    bodies = {
        "endless_loop": "i = 0\n" + loops + "i = torch.add(i, 1)\nreturn torch.mul(x, i)",
        "endless_tensor_loop": "y = x\n" + loops + "y = torch.add(y, 1)\nreturn y",
        "print_flood": loops + 'print("flood", "of", "lines")\nreturn x',
        "list_growth": "l = [1]\n" + loops + "_ = torch.append(l, 1)\nreturn torch.mul(x, torch.len(l))",
        "list_doubling": "l = [1]\n" + loops + "l = torch.add(l, l)\nreturn torch.mul(x, torch.len(l))",
        "string_growth": 's = "a"\n' + loops + "s = torch.add(s, s)\nreturn torch.mul(x, torch.len(s))",
        "tensor_growth": "l = [x]\n" + loops + "_ = torch.append(l, torch.ones([1000000]))\nreturn torch.mul(x, torch.len(l))",
        "modulo_zero": "n = torch.sub(torch.dim(x), torch.dim(x))\nreturn torch.mul(x, torch.remainder(5, n))",
        "divide_by_zero": "n = torch.sub(torch.dim(x), torch.dim(x))\nreturn torch.mul(x, torch.floordiv(5, n))",
        "divide_smallest": "n = torch.sub(torch.dim(x), torch.add(torch.dim(x), 1))\n"
                           "return torch.mul(x, torch.floordiv(torch.add(-9223372036854775807, n), n))",
        "zeros_too_many": 'return torch.zeros([1099511627776], device=torch.device("cpu"))',
        "zeros_overflow": "return torch.zeros([9223372036854775807, 9223372036854775807])",
        "zeros_negative": "return torch.zeros([-5])",
        "as_strided_outside": "return torch.as_strided(x, [1000], [1000], 1000000000)",
        "raise": 'ops.prim.RaiseException("no", "builtins.RuntimeError")\nreturn x',
        "missing_operator": "return ops.my_company.fast_attention(x)",
        "missing_method": "return (self).no_such_method(x, )",
        "unknown_name": "return y",
        "syntax_error": "return return x",
        "type_error": 'return torch.add("a", x)',
        "recursion": "return (self).forward(x, )",
        "wrong_shape": "return torch.matmul(x, torch.ones([3, 3]))",
    }
    for name, body in bodies.items():
        # A tensor of a tebibyte has no storage on the meta device: it is counted like any other.
        add(f"run_{name}", "counted" if name == "zeros_too_many" else "-", model(code=module(body)))
    add("run_unknown_class", "-", model(data=b"\x80\x02" + instance(text("training") + b"\x88", "NoSuchClass") + b"."))
    add("code_binary", "MODEL_FILE_HOSTILE", model(code=bytes(range(128, 256)) * 20))
    add("run_no_forward", "-", model(code=LINEAR[: LINEAR.index("  def forward")]))
    add("run_attribute_missing", "-", model(data=b"\x80\x02" + instance(text("training") + b"\x88") + b"."))
    add("run_attribute_of_other_type", "-", model(data=data_pickle(b"K\x05")))
    add("run_root_is_none", "-", model(data=b"\x80\x02N."))


def main() -> int:
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for make in (other_kinds, truncations, damage, zip_tricks, layout, pickles, code, for_the_sandbox):
        make()
    (folder / "normal.pt").write_bytes(NORMAL)
    for name, (_, content) in FILES.items():
        (folder / f"{name}.pt").write_bytes(content)
    manifest = {f"{name}.pt": reason for name, (reason, _) in FILES.items()}
    # What is no regular file, or none at all.
    (folder / "folder.pt").mkdir(exist_ok=True)
    for name in ("pipe.pt", "link.pt"):
        (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / "pipe.pt")
    (folder / "link.pt").symlink_to("normal.pt")
    with open(folder / "sparse.pt", "wb") as sparse:
        sparse.truncate(200 << 20)
    with open(folder / "sparse_zip.pt", "wb") as sparse:
        sparse.write(b"PK\x03\x04")
        sparse.truncate(200 << 20)
    manifest.update({"folder.pt": "NOT_TORCHSCRIPT", "pipe.pt": "NOT_TORCHSCRIPT", "link.pt": "NOT_TORCHSCRIPT",
                     "sparse.pt": "NOT_TORCHSCRIPT", "sparse_zip.pt": "MODEL_FILE_BROKEN"})
    (folder / "manifest.tsv").write_text("".join(f"{name}\t{reason}\n" for name, reason in sorted(manifest.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
