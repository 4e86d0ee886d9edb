"""Another reader of COSE receipts (RFC 9942): one line of JSON in, one word out, for each.

A line: {"receipt": hex, "entry": hex, "key": PEM of the log's key}.
"""

import json
import sys

from scitt_cose.receipt import verify_receipt


def main():
    for line in sys.stdin:
        case = json.loads(line)
        found = verify_receipt(
            bytes.fromhex(case["receipt"]), leaf_entry_hex=case["entry"], log_public_key_pem=case["key"].encode()
        )
        if not found.ok:
            print(found.errors, file=sys.stderr)
        print("holds" if found.ok else "refused", flush=True)


main()
