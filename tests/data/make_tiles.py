"""Makes tiles.txt: hash tiles of a small tree by the definitions alone (RFC 6962 2.1, C2SP tlog-tiles).

Nothing here is shared with the program. Leaf n is the text "leaf n". A line: tree size, level, number of the tile,
hashes in it, SHA-256 of its bytes; or "root", tree size, root.
"""
import hashlib
from functools import lru_cache


def sha256(data):
    return hashlib.sha256(data).digest()


@lru_cache(maxsize=None)
def tree(first, end):
    """MTH of the leaves first to end, recursively as the RFC writes it."""
    n = end - first
    if n == 0:
        return sha256(b"")
    if n == 1:
        return sha256(b"\x00" + b"leaf %d" % first)
    k = 1
    while k * 2 < n:
        k *= 2
    return sha256(b"\x01" + tree(first, first + k) + tree(first + k, end))


def tiles(size):
    level, span = 0, 1
    while size // span > 0:
        hashes = [tree(n * span, (n + 1) * span) for n in range(size // span)]
        for number in range(0, len(hashes), 256):
            row = hashes[number:number + 256]
            yield level, number // 256, len(row), sha256(b"".join(row)).hex()
        level, span = level + 1, span * 256


for size in [0, 1, 2, 3, 7, 8, 15, 255, 256, 257, 511, 512, 513, 1000, 66000]:
    print("root", size, tree(0, size).hex())
    shown = list(tiles(size))
    # Of the large tree the first, the last and the partial tiles are enough.
    keep = [t for i, t in enumerate(shown) if len(shown) < 20 or i < 2 or t[0] > 0 or t[2] < 256]
    for tile in keep:
        print(size, *tile)
