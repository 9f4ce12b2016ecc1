#!/usr/bin/python3
"""vmlinux.py BZIMAGE OUTPUT: takes the ELF image out of a compressed x86 kernel.

QEMU boots it directly, which saves the guest's own decompression: that is most of the boot time under emulation.
The place of the payload is in the setup header, Documentation/arch/x86/boot.rst, protocol 2.08 and later.
"""

import lzma
import struct
import subprocess
import sys
import zlib

# Offsets in the file.
SETUP_SECTS = 0x1F1
MAGIC = 0x202
VERSION = 0x206
PAYLOAD_OFFSET = 0x248
PAYLOAD_LENGTH = 0x24C


def by_tool(*command):
    return lambda data: subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def gunzip(data):
    # Of gzip the size is a part of its own trailer, which is then cut off: decompress() would miss it.
    return zlib.decompressobj(wbits=31).decompress(data)


FORMATS = {
    b"\x1f\x8b": gunzip,
    b"\xfd7zXZ": lzma.decompress,
    b"\x02\x21\x4c\x18": by_tool("lz4", "-dc"),
    b"\x28\xb5\x2f\xfd": by_tool("zstd", "-dc"),
}


def payload(image):
    if image[MAGIC : MAGIC + 4] != b"HdrS" or struct.unpack_from("<H", image, VERSION)[0] < 0x208:
        raise ValueError("not a bzImage of boot protocol 2.08 or later")
    start = (image[SETUP_SECTS] + 1) * 512 + struct.unpack_from("<I", image, PAYLOAD_OFFSET)[0]
    length = struct.unpack_from("<I", image, PAYLOAD_LENGTH)[0]
    return image[start : start + length]


def extract(image):
    data = payload(image)
    for magic, decompress in FORMATS.items():
        if data.startswith(magic):
            # The kernel's build appends the unpacked size, four bytes that belong to no format.
            size = struct.unpack("<I", data[-4:])[0]
            elf = decompress(data[:-4])
            if elf[:4] != b"\x7fELF" or len(elf) != size:
                raise ValueError("the payload is not the ELF image that its header promises")
            return elf
    raise ValueError("payload compressed in an unknown way: " + data[:6].hex())


def main():
    source, target = sys.argv[1:]
    with open(source, "rb") as file:
        elf = extract(file.read())
    with open(target, "wb") as file:
        file.write(elf)


if __name__ == "__main__":
    main()
