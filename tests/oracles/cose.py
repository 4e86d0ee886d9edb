"""Other readers of COSE_Sign1: one line of JSON in, one word out, for each.

A line: {"by": "pycose" | "python-cwt" | "scitt-cose", "message": hex, "key": PEM, "payload": hex of what is signed where the message
does not hold it, "entry": hex of the entry that a receipt is about}. With an entry the message is read as a receipt, which
scitt-cose alone can.
"""

import json
import sys

import cbor2
from cryptography.hazmat.primitives import serialization
from cwt import COSE, COSEKey
from pycose.keys import OKPKey
from pycose.keys.curves import Ed25519
from pycose.messages import Sign1Message
from scitt_cose.cose_sign1 import verify_sign1
from scitt_cose.receipt import verify_receipt


def pycose(message, key, payload):
    raw = serialization.load_pem_public_key(key).public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    read = Sign1Message.decode(message)
    read.key = OKPKey(crv=Ed25519, x=raw)
    return read.verify_signature(detached_payload=payload)


def python_cwt(message, key, payload):
    # It chooses among keys by key id, and asks for one that has the message's.
    kid = cbor2.loads(cbor2.loads(message).value[0])[4]
    COSE.new().decode(message, COSEKey.from_pem(key, kid=kid), detached_payload=payload)
    return True


def scitt_cose(message, key, payload):
    verify_sign1(message, public_key_pem=key, detached_payload=payload)
    return True


BY = {"pycose": pycose, "python-cwt": python_cwt, "scitt-cose": scitt_cose}


def holds(case):
    message, key = bytes.fromhex(case["message"]), case["key"].encode()
    if case.get("entry") is not None:
        found = verify_receipt(message, leaf_entry_hex=case["entry"], log_public_key_pem=key)
        if not found.ok:
            print(found.errors, file=sys.stderr)
        return found.ok
    payload = case.get("payload")
    return BY[case["by"]](message, key, None if payload is None else bytes.fromhex(payload)) is True


def main():
    for line in sys.stdin:
        case = json.loads(line)
        try:
            found = holds(case)
        except Exception as fault:
            print(f"{case['by']}: {type(fault).__name__}: {fault}", file=sys.stderr)
            found = False
        print("holds" if found else "refused", flush=True)


main()
