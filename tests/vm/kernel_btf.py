#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Writes the .BTF section of a compressed x86 kernel image to a file: kernel_btf.py VMLINUZ BTF.

The image's own boot header says where the compressed kernel lies (Linux' Documentation/arch/x86/boot.rst,
payload_offset), so nothing is searched for; the kernel inside is an ELF file with a .BTF section.
"""
import struct
import subprocess
import sys

# magic, command, and whether the kernel's build appended the uncompressed size as four more bytes
FORMATS = [
    (b"\x28\xb5\x2f\xfd", ["zstd", "-dcq"], True),
    (b"\xfd7zXZ\x00", ["xz", "-dc"], True),
    (b"\x02\x21\x4c\x18", ["lz4", "-dcq"], True),
    (b"\x1f\x8b\x08", ["gzip", "-dcq"], False),
]


def unpack(image):
    """The uncompressed kernel (ELF) inside a bzImage."""
    if image[:4] == b"\x7fELF":
        return image
    if image[0x202:0x206] != b"HdrS":
        raise ValueError("no x86 kernel image (no boot header)")
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = image[start:start + length]
    for magic, command, size_appended in FORMATS:
        if payload.startswith(magic):
            body = payload[:-4] if size_appended else payload
            return subprocess.run(command, input=body, stdout=subprocess.PIPE, check=True).stdout
    raise ValueError(f"unknown compression, it starts with {payload[:6].hex()}")


def section(elf, wanted):
    """The bytes of one section of a 64-bit little-endian ELF file."""
    if elf[:6] != b"\x7fELF\x02\x01":
        raise ValueError("the kernel inside is no 64-bit ELF file")
    table, = struct.unpack_from("<Q", elf, 0x28)
    entry_size, count, names_index = struct.unpack_from("<HHH", elf, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", elf, table + i * entry_size) for i in range(count)]
    names = headers[names_index][4]
    for name, _, _, _, offset, size in headers:
        end = elf.index(b"\0", names + name)
        if elf[names + name:end] == wanted:
            return elf[offset:offset + size]
    raise ValueError(f"the kernel has no {wanted.decode()} section (CONFIG_DEBUG_INFO_BTF off?)")


def main():
    if len(sys.argv) != 3:
        print("usage: kernel_btf.py VMLINUZ BTF", file=sys.stderr)
        return 64
    try:
        with open(sys.argv[1], "rb") as image:
            btf = section(unpack(image.read()), b".BTF")
    except (OSError, ValueError, struct.error, subprocess.CalledProcessError) as error:
        print(f"kernel_btf.py: {sys.argv[1]}: {error}", file=sys.stderr)
        return 1
    with open(sys.argv[2], "wb") as out:
        out.write(btf)
    return 0


if __name__ == "__main__":
    sys.exit(main())
